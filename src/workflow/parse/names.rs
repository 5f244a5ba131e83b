//! Checks the names in expressions against what can be named.

use std::collections::HashMap;

use super::diagnostics::Diagnostics;
use super::shared::Contexts;
use super::steps::{Draft, Grows};
use super::values::Use;
use crate::events::ids::{ContextKey, StepId};
use crate::events::problem::{Code, Document, Problem, Remedies, Remedy, nearest};
use crate::workflow::expression::names::{Names, Path};
use crate::workflow::expression::{FILTERS, FUNCTIONS, TESTS};
use crate::workflow::graph::Ancestors;
use crate::workflow::input;

/// The place of an expression, as far as that decides what it may name.
#[derive(Debug, Clone, Copy)]
pub(super) enum Around {
    /// In `defaults`: it is evaluated for every step.
    Defaults,
    /// Inside of a step.
    Step {
        /// The step's index in the list, from 0.
        index: usize,
        /// Whether it is evaluated for each item of a fan-out.
        item: bool,
        /// The part of the step that holds it.
        part: Part,
    },
    /// In the workflow's `output`: all steps are done then.
    Output,
}

/// A part of a step, as far as this decides what may be named there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// The work, and the condition for doing it.
    Work,
    /// The condition that ends a loop: it is evaluated after a round, which has an output.
    Until,
    /// What makes its output: it is evaluated when the step has answered.
    Output,
    /// The compensation of the step.
    Undoing,
}

/// Knows all names that can be used.
pub(super) struct Checker<'a> {
    env: &'a [String],
    schema: Option<&'a serde_json::Value>,
    ids: Vec<Option<&'a StepId>>,
    grows: Vec<Grows>,
    places: HashMap<&'a str, usize>,
    ancestors: Option<Ancestors>,
    /// The shared contexts that expressions may name.
    contexts: Option<&'a Contexts>,
    /// Tells of steps that exist beside these, in an unknown order.
    others: Option<&'a dyn Fn(&str) -> bool>,
}

/// A name that is not known: the message, and the hint.
struct Unknown {
    at: usize,
    message: String,
    hint: Option<Remedies>,
    /// Names that begin before this byte are part of it.
    until: usize,
}

impl Unknown {
    fn new(at: usize, message: String) -> Self {
        Self { at, message, hint: None, until: at }
    }

    fn hint(self, hint: impl Into<Remedies>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    fn meant<'n>(self, wrong: &str, known: impl IntoIterator<Item = &'n str>) -> Self {
        match nearest(wrong, known) {
            Some(name) => self.hint(format!("did you mean `{name}`?")),
            None => self,
        }
    }
}

const VARIABLES: [&str; 11] =
    ["input", "steps", "context", "contexts", "run", "env", "item", "index", "output", "outcome", "round"];

impl<'a> Checker<'a> {
    /// `ancestors` are those of the drafts. Without them it is not checked which step runs after which.
    pub(super) fn new(
        env: &'a [String],
        schema: Option<&'a serde_json::Value>,
        drafts: &'a [Draft<'_>],
        ancestors: Option<Ancestors>,
    ) -> Self {
        let ids: Vec<_> = drafts.iter().map(|draft| draft.id.as_ref()).collect();
        let places = ids.iter().enumerate().filter_map(|(place, id)| Some((id.as_ref()?.as_str(), place)));
        let (places, grows) = (places.collect(), drafts.iter().map(|draft| draft.grows).collect());
        Self { env, schema, places, ids, grows, ancestors, contexts: None, others: None }
    }

    /// The same checker, with shared contexts that expressions may name.
    pub(super) fn with(self, contexts: &'a Contexts) -> Self {
        Self { contexts: Some(contexts), ..self }
    }

    /// The same checker, with further steps that exist.
    pub(super) fn beside(self, others: &'a dyn Fn(&str) -> bool) -> Self {
        Self { others: Some(others), ..self }
    }

    /// Reports all unknown names in the expressions of the steps.
    pub(super) fn check_steps(&self, report: &mut Diagnostics<'_>, drafts: &[Draft<'_>]) {
        for (index, draft) in drafts.iter().enumerate() {
            report.step.clone_from(&draft.id);
            let (uses, items) = (&draft.uses, draft.grows == Grows::Items);
            for (part, item, uses) in [
                (Part::Work, false, &uses.whole),
                (Part::Work, items, &uses.work),
                (Part::Until, false, &uses.until),
                (Part::Output, items, &uses.output),
                (Part::Undoing, items, &uses.undoing),
            ] {
                uses.iter().for_each(|found| self.check(report, found, Around::Step { index, item, part }));
            }
            let condition = draft.step.as_ref().and_then(|step| step.condition.as_ref());
            let conditions = uses.whole.iter().filter(|found| Some(&found.expression) == condition);
            conditions.chain(&uses.until).for_each(|found| self.warn_of_texts(report, found));
        }
        report.step = None;
    }

    /// Warns of a condition on an input that may be a text: `--input deploy=false` gives the text `false`,
    /// which counts as true.
    fn warn_of_texts(&self, report: &mut Diagnostics<'_>, found: &Use<'_>) {
        let source = found.expression.source();
        let decides = |path: &Path<'_>| {
            let before = source.get(..path.at).unwrap_or_default().trim_end();
            let after = source.get(path.end..).unwrap_or_default().trim_start();
            let word = |text: &str, words: &[&str]| text.is_empty() || words.contains(&text);
            let last = before.rsplit(|c: char| c.is_whitespace() || c == '(').next().unwrap_or_default();
            let first = after.split(|c: char| c.is_whitespace() || c == ')').next().unwrap_or_default();
            path.root == "input"
                && word(last, &["not", "and", "or", "if"])
                && word(first, &["and", "or", "if", "else"])
        };
        for path in Names::of(source).paths.iter().filter(|path| decides(path)) {
            let mut schema = self.schema;
            for (name, _) in &path.attributes {
                schema = schema.and_then(|schema| schema.get("properties")?.get(name));
            }
            let kind = schema.and_then(|schema| schema.get("type"));
            let may_be_text = kind.is_none_or(|kind| match kind {
                serde_json::Value::Array(kinds) => kinds.iter().any(|kind| kind == "string"),
                kind => kind == "string",
            });
            let is_listed = schema
                .is_some_and(|schema| ["const", "enum", "$ref"].iter().any(|key| schema.get(key).is_some()));
            if may_be_text && !is_listed && !path.computed && !path.attributes.is_empty() {
                let name = source.get(path.at..path.end).unwrap_or_default();
                let says = format!(
                    "`{name}` may be a text, and every text but the empty one is true: `false` and `no` too"
                );
                report.warn(found.tree, Problem::new(Code::TextFalse, says));
                return;
            }
        }
    }

    /// Reports all names in an expression that are not known where it stands.
    pub(super) fn check(&self, report: &mut Diagnostics<'_>, found: &Use<'_>, around: Around) {
        let names = Names::of(found.expression.source());
        let refuse = |report: &mut Diagnostics<'_>, code: Code, unknown: Unknown| {
            let place = found.tree.place_inside(report.source, found.at + unknown.at);
            let problem = Problem::new(code, unknown.message);
            report.refuse_at(
                place,
                match unknown.hint {
                    Some(hint) => problem.hint(hint),
                    None => problem,
                },
            );
        };
        for (kind, known, named) in [
            ("filter", FILTERS, &names.filters),
            ("test", TESTS, &names.tests),
            ("function", FUNCTIONS, &names.functions),
        ] {
            for (name, at) in named.iter().filter(|(name, _)| !known.contains(name)) {
                let unknown = Unknown::new(*at, format!("there is no {kind} `{name}`"));
                let unknown = unknown.hint(Remedy::Read(Document::Workflows));
                refuse(report, Code::UnknownName, unknown.meant(name, known.iter().copied()));
            }
        }
        for (name, at) in &names.methods {
            let unknown = Unknown::new(*at, format!("values have no methods, and so no `{name}()`"));
            refuse(report, Code::BadExpression, unknown.hint(format!("filters do that: `value | {name}`")));
        }
        let mut told_until = 0;
        for path in names.paths.iter() {
            if path.at < told_until {
                continue;
            }
            if let Err(unknown) = self.path(path, around, found.expression.source()) {
                told_until = unknown.until;
                refuse(report, Code::UnknownName, unknown);
            }
        }
    }

    fn path(&self, path: &Path<'_>, around: Around, source: &str) -> Result<(), Unknown> {
        match path.root {
            "input" => self.input(path),
            "steps" => self.steps(path, around, source),
            // What agents will have written is not known before they did.
            "context" => Ok(()),
            "contexts" => self.contexts(path, around),
            "env" => self.env(path),
            "run" => match path.attributes.first() {
                Some(("id", _)) => Ok(()),
                other => {
                    let (at, shown) =
                        other.map_or((path.at, "run".to_owned()), |(name, at)| (*at, format!("run.{name}")));
                    Err(Unknown::new(at, format!("there is no `{shown}`"))
                        .hint("of the run there is `run.id`"))
                }
            },
            "item" | "index" => match around {
                Around::Step { item: true, .. } => Ok(()),
                _ => Err(Unknown::new(
                    path.at,
                    format!("`{}` is known only in a step with `for_each`", path.root),
                )
                .hint("it is not known in `if` and `for_each` themselves, which are evaluated once")),
            },
            "output" | "outcome" | "round" => known_in_a_part(path, around),
            root => Err(Unknown::new(path.at, format!("`{root}` is not known")).meant(root, VARIABLES)),
        }
    }

    /// Names that the schema does not list are unknown, unless the schema says that there may be others.
    fn input(&self, path: &Path<'_>) -> Result<(), Unknown> {
        let Some(mut schema) = self.schema else { return Ok(()) };
        let mut shown = "input".to_owned();
        for (name, at) in &path.attributes {
            match input::property(schema, name) {
                input::Property::Known(inner) => schema = inner,
                input::Property::Open => return Ok(()),
                input::Property::Unknown(known) => {
                    let unknown =
                        Unknown::new(*at, format!("`{shown}.{name}` is not in the schema of the input"));
                    let unknown = unknown.hint("add it to `properties`, or say `additionalProperties: true`");
                    return Err(unknown.meant(name, known));
                }
            }
            shown.push('.');
            shown.push_str(name);
        }
        Ok(())
    }

    fn env(&self, path: &Path<'_>) -> Result<(), Unknown> {
        let Some((name, at)) = path.attributes.first() else {
            let unknown = Unknown::new(path.at, "`env` is used one name at a time".to_owned());
            return Err(unknown.hint("write `env.NAME`"));
        };
        if self.env.iter().any(|allowed| allowed == name) {
            return Ok(());
        }
        let unknown =
            Unknown::new(*at, format!("`env.{name}` may not be used: the configuration does not allow it"));
        let unknown = unknown.hint("allow the name in the configuration, or make it an input");
        Err(unknown.meant(name, self.env.iter().map(String::as_str)))
    }

    /// A key of a shared context is read before its step is ready: it has to be named.
    fn contexts(&self, path: &Path<'_>, around: Around) -> Result<(), Unknown> {
        if matches!(around, Around::Output) {
            let message = "the `output` of a workflow cannot read shared contexts".to_owned();
            return Err(Unknown::new(path.at, message).hint("let a step read it, and use the step's output"));
        }
        let (Some((alias, at)), Some(contexts)) = (path.attributes.first(), self.contexts) else {
            let unknown = Unknown::new(path.at, "`contexts` is used one key at a time".to_owned());
            return Err(unknown.hint("write `contexts.ALIAS.key`"));
        };
        if !contexts.by_alias.contains_key(*alias) {
            let problem = contexts.unknown(alias);
            return Err(Unknown { hint: Some(problem.remedies), ..Unknown::new(*at, problem.message) });
        }
        match path.attributes.get(1) {
            Some((key, at)) if ContextKey::parse(key).is_err() => {
                Err(Unknown::new(*at, format!("`{key}` is no key of a context")))
            }
            Some(_) => Ok(()),
            None => {
                let message = format!("which key of `contexts.{alias}` is meant has to be written out");
                Err(Unknown::new(*at, message).hint(format!("write `contexts.{alias}.key`")))
            }
        }
    }

    fn steps(&self, path: &Path<'_>, around: Around, source: &str) -> Result<(), Unknown> {
        if matches!(around, Around::Defaults) {
            let unknown =
                Unknown::new(path.at, "`defaults` are for every step, and so cannot use one".to_owned());
            return Err(unknown.hint("set it in the steps that it is for"));
        }
        let Some((name, at)) = path.attributes.first() else { return Ok(()) };
        let Some(place) = self.place(name) else {
            if self.others.is_some_and(|others| others(name)) {
                return attribute(path, name);
            }
            // The step that is meant may be one whose own id was refused.
            let all_known = self.ids.iter().all(Option::is_some);
            return if all_known { Err(self.unknown_step(name, *at, source)) } else { Ok(()) };
        };
        self.comes_before(place, name, *at, around)?;
        attribute(path, name)
    }

    /// The index of a step, or of the step in which one such as `copy[0]`, `poll#1` or `plan/added` grows.
    fn place(&self, name: &str) -> Option<usize> {
        if let Some(place) = self.places.get(name) {
            return Some(*place);
        }
        if let Some((parent, _)) = name.split_once('/') {
            return self.place(parent);
        }
        let (parent, number, grows) = match name.strip_suffix(']') {
            Some(name) => name.split_once('[').map(|(parent, index)| (parent, index, Grows::Items))?,
            None => name.split_once('#').map(|(parent, round)| (parent, round, Grows::Rounds))?,
        };
        let place = *self.places.get(parent)?;
        (self.grows.get(place) == Some(&grows) && number.parse::<u32>().is_ok()).then_some(place)
    }

    fn unknown_step(&self, name: &str, at: usize, source: &str) -> Unknown {
        let unknown = Unknown::new(at, format!("there is no step `{name}`"));
        let rest = source.get(at..).unwrap_or_default();
        let hyphenated = self.places.keys().filter(|id| id.contains('-') && rest.starts_with(**id));
        match hyphenated.max_by_key(|id| id.len()) {
            Some(id) => {
                let unknown = Unknown { until: at + id.len(), ..unknown };
                unknown.hint(format!("`-` subtracts in an expression: write `steps['{id}']`"))
            }
            None => {
                let mut known: Vec<&str> = self.places.keys().copied().collect();
                known.sort_unstable();
                unknown.meant(name, known)
            }
        }
    }

    fn comes_before(&self, place: usize, name: &str, at: usize, around: Around) -> Result<(), Unknown> {
        let (Around::Step { index, part, .. }, Some(ancestors)) = (around, &self.ancestors) else {
            return Ok(());
        };
        let undoes = part == Part::Undoing;
        if ancestors.has(index, place) {
            return Ok(());
        }
        let user = self.ids.get(index).copied().flatten().map_or("this step", StepId::as_str);
        if index == place {
            return match undoes {
                true if name == user => Ok(()),
                true => {
                    Err(Unknown::new(at, format!("the compensation of `{user}` sees no other item of it"))
                        .hint(format!("`steps['{user}']` is there the step of the item that is undone")))
                }
                false => Err(Unknown::new(at, format!("`{name}` cannot use what it has yet to do itself"))
                    .hint(match part {
                        Part::Until => "what the round answered is `output`",
                        Part::Output => "what it answered is `output`",
                        Part::Work | Part::Undoing => "name a step that runs before it",
                    })),
            };
        }
        let then = if undoes { "is undone" } else { "starts" };
        let message = format!("`{name}` need not be done when `{user}` {then}, so its value cannot be known");
        let hint = match (ancestors.has(place, index), undoes) {
            (true, false) => format!("`{name}` runs after `{user}`: change the order"),
            (true, true) => format!("`{name}` runs after `{user}`, and is undone before it"),
            (false, _) => format!("add `{name}` to the `needs` of `{user}`"),
        };
        Err(Unknown::new(at, message).hint(hint))
    }
}

/// Checks names that are known only in some parts of a step.
fn known_in_a_part(path: &Path<'_>, around: Around) -> Result<(), Unknown> {
    let (known_in, hint) = match (path.root, around) {
        ("output", Around::Step { part: Part::Until | Part::Output | Part::Undoing, .. }) => return Ok(()),
        ("outcome", Around::Step { part: Part::Undoing, .. }) => return Ok(()),
        ("round", Around::Step { part: Part::Until, .. }) => return Ok(()),
        ("round", _) => ("an `until`", "there it is the number of the round that is done, from 1"),
        ("outcome", _) => ("a `compensate`", "there it says how the step ended; elsewhere use `steps.ID`"),
        (_, _) => (
            "a `compensate` and an `until`, and in the `output` of a step",
            "there it is what the step, or the round, answered; elsewhere use `steps.ID`",
        ),
    };
    Err(Unknown::new(path.at, format!("`{}` is known only in {known_in}", path.root)).hint(hint))
}

/// Checks the attribute that is looked up in a step.
fn attribute(path: &Path<'_>, step: &str) -> Result<(), Unknown> {
    const ATTRIBUTES: [&str; 3] = ["output", "status", "attempts"];
    match path.attributes.get(1) {
        Some((attribute, at)) if !ATTRIBUTES.contains(attribute) => {
            let unknown = Unknown::new(*at, format!("a step has no `{attribute}`"));
            let unknown =
                unknown.hint(format!("what it answered is in its output: `steps.{step}.output.{attribute}`"));
            Err(unknown.meant(attribute, ATTRIBUTES))
        }
        _ => Ok(()),
    }
}
