//! From a file's text to a definition, or to everything that is wrong with it.

use std::collections::{BTreeSet, HashSet};
use std::path::Path;
use std::time::Duration;

use self::defaults::Defaults;
use self::diagnostics::{Diagnostics, Fields};
use self::keys::{Keys, Takes, key, words};
use self::names::{Around, Checker};
use self::phases::Phases;
use self::shared::Contexts;
use self::steps::Draft;
use self::values::{Use, Values};
use super::definition::{AgentRole, Definition, Limits, OnFailure, STEPS_MAX, Step, Steps};
use super::schema::Schema;
use super::template::Template;
use crate::events::ids::{AgentName, Hash, StepId};
use crate::events::problem::{Code, Problem, SourceLocation};
use crate::events::run::{OnLimit, SpendLimits};
use crate::events::text::{is_control, printable};

mod cache;
mod conversation;
mod data;
mod defaults;
mod diagnostics;
mod foreign;
mod gates;
mod handoffs;
mod json_schema;
mod keys;
mod kinds;
mod names;
mod order;
mod output;
mod phases;
mod plan;
mod repeat;
mod retry;
mod saga;
mod script;
mod shared;
mod steps;
mod suite;
mod tasks;
#[cfg(test)]
mod tests;
mod tiers;
mod tree;
mod values;

pub use self::retry::PartialRetry;
pub use data::data;
pub use json_schema::json_schema;
pub use plan::{PlanScope, plan};
pub use script::script;
pub use suite::suite;
pub(super) use tree::{Tree, Value};

/// The longest workflow file, in bytes: a longer one is data, and belongs into an input or a file
/// that a step reads.
pub const FILE_BYTES_MAX: usize = 1024 * 1024;

/// What a file says, if nothing is wrong with it.
#[derive(Debug, Clone, PartialEq)]
pub struct Parsed {
    /// The definition of the workflow.
    pub definition: Definition,
    /// Things that are allowed, but are probably a mistake.
    pub warnings: Vec<Problem>,
    /// The agents that it names; the caller has to check that they exist.
    pub agents: Vec<NamedAgent>,
    /// The workflow files that it names. The caller reads them, and gives each step the absolute path of
    /// its file with [`Definition::set_child`].
    pub children: Vec<NamedChild>,
    /// The line and the column of each step, from 1, in the order of the steps.
    pub places: Vec<(u64, u64)>,
    /// The hash of the file's text; none of what was read before.
    pub text: Option<Hash>,
    /// The steps for which the file does not say what their failure does to the run; their agents may say it.
    pub undecided: BTreeSet<StepId>,
}

/// What could be read of a file. The files and agents that it names may have further problems.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Partly {
    /// What the file says; none if something is wrong with it.
    pub read: Option<Parsed>,
    /// Everything that is wrong, in the order of the file.
    pub problems: Vec<Problem>,
    /// The same as in [`Parsed`].
    pub warnings: Vec<Problem>,
    /// The same as in [`Parsed`].
    pub agents: Vec<NamedAgent>,
    /// The same as in [`Parsed`].
    pub children: Vec<NamedChild>,
    /// What a Markdown chain says of its subtasks, as far as it could be read; empty of other files.
    pub subtasks: Vec<Subtask>,
}

/// A subtask of a Markdown chain, as its file says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subtask {
    /// The step that it is.
    pub step: StepId,
    /// What its heading calls it.
    pub name: String,
    /// The agent that does it, as the file spells it; none if the file names none, and nobody stands in.
    pub agent: Option<AgentName>,
    /// The names of the variables that it declares to use.
    pub inputs: Vec<String>,
    /// The names of the variables that it declares to answer.
    pub outputs: Vec<String>,
    /// How long its prompt is, in characters, before anything is filled in.
    pub prompt_length: usize,
}

/// An agent that a step names, with the place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedAgent {
    /// The name as the file spells it.
    pub agent: AgentName,
    /// The step that names it.
    pub step: StepId,
    /// What the step names it for.
    pub role: AgentRole,
    /// The place of the name in the file.
    pub at: SourceLocation,
    /// Whether the configured `default_agent` stands in for it if there is no agent of that name: so it is in a Markdown chain.
    pub or_default: bool,
}

/// A workflow file that a step names, with the place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedChild {
    /// The path as the file spells it; a relative path starts in the folder of the file that names it.
    pub file: String,
    /// The step that names it.
    pub step: StepId,
    /// The place of the name in the file.
    pub at: SourceLocation,
}

/// What a file may refer to outside of itself.
#[derive(Debug, Clone, Copy, Default)]
pub struct Known<'a> {
    /// The names that `env.NAME` may use: those that the configuration allows.
    pub env: &'a [String],
    /// How often a fallback agent is tried at most.
    pub fallback_attempts: u32,
    /// What applies to steps whose file does not say.
    pub defaults: Option<&'a StepDefaults>,
    /// The agent that does the subtasks of a Markdown chain that name none.
    pub default_agent: Option<&'a AgentName>,
}

/// What applies to the steps of every workflow, unless the step or the workflow's `defaults` say otherwise.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct StepDefaults {
    /// How long an attempt may take; none for no limit.
    pub timeout: Option<Duration>,
    /// Whether and when a failed attempt is followed by another.
    pub retry: Option<PartialRetry>,
}

/// The bytes of a file as text.
///
/// # Errors
/// When it is not UTF-8, with the place of the first byte that is not.
pub fn decode<'a>(bytes: &'a [u8], file: &str) -> Result<&'a str, Problem> {
    std::str::from_utf8(bytes).map_err(|error| {
        let valid = bytes.get(..error.valid_up_to()).unwrap_or_default();
        let above = String::from_utf8_lossy(valid);
        let (line, column) = match above.rsplit_once('\n') {
            None => (1, above.chars().count()),
            Some((lines, last)) => (2 + lines.matches('\n').count(), last.chars().count()),
        };
        Problem::new(Code::NotYaml, "this is no text: it is not UTF-8")
            .hint("save it as UTF-8, if it is what was meant")
            .at(file, line as u64, column as u64 + 1)
    })
}

/// Reads a workflow. `file` is the name in problems; a workflow without a `name` is named after it.
///
/// # Errors
/// Everything that is wrong, in the order of the file. Problems that only follow from another
/// one are left out.
pub fn parse(text: &str, file: &str, known: &Known<'_>) -> Result<Parsed, Vec<Problem>> {
    let partly = read(text, file, known);
    partly.read.ok_or(partly.problems)
}

/// Reads as much of a workflow as possible, to report all that is wrong with it and with what it names.
pub fn read(text: &str, file: &str, known: &Known<'_>) -> Partly {
    let nothing = |problem: Problem| Partly { problems: vec![problem], ..Partly::default() };
    if text.len() > FILE_BYTES_MAX {
        let message =
            format!("the file has {} bytes, and no more than {FILE_BYTES_MAX} are read", text.len());
        return nothing(Problem::new(Code::TooLarge, message).at(file, 1, 1));
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let tree = match Tree::read(text, file) {
        Ok(tree) => tree,
        Err(problem) => return nothing(problem),
    };
    of_tree(&tree, text, file, known)
}

/// Reads a workflow of which a tree was made, with the places of what it was made of: `text` is the text of that file.
pub(super) fn of_tree(tree: &Tree, text: &str, file: &str, known: &Known<'_>) -> Partly {
    let mut report = Diagnostics::new(file, text);
    let (read, (agents, children)) = workflow(&mut report, tree, file, known).unwrap_or_default();
    let by_place = |problem: &Problem| problem.at.as_ref().map(|at| (at.line, at.column));
    report.problems.sort_by_key(by_place);
    report.warnings.sort_by_key(by_place);
    let Diagnostics { problems, warnings, .. } = report;
    let read = read.filter(|_| problems.is_empty()).map(|read| Parsed {
        warnings: warnings.clone(),
        text: Some(Hash::of(text.as_bytes())),
        ..read
    });
    Partly { read, problems, warnings, agents, children, subtasks: Vec::new() }
}

const KEYS: Keys = Keys {
    known: &[
        key("name", Takes::Text, "its name; that of the file if it is left out"),
        key("description", Takes::Text, "what it is for"),
        key("version", Takes::Text, "your version of it"),
        key("input", Takes::Schema, "a JSON Schema of what a run is given; names stand under `properties`"),
        key("defaults", Takes::Map(&defaults::KEYS), "what holds for all steps that do not say otherwise"),
        key("limits", Takes::Map(&LIMITS), "the bounds of a run"),
        key(
            "on_failure",
            Takes::Word(|| words(&ON_FAILURE)),
            "what becomes of a run that fails: `rollback` (the default) undoes what was done",
        ),
        key(
            "on_limit",
            Takes::Word(|| words(&ON_LIMIT)),
            "what becomes of a run that may spend no more: `wait` (the default) until somebody raises the limit",
        ),
        key(
            "contexts",
            Takes::TextsByName,
            "contexts that runs share, by the aliases that expressions use: `contexts.ALIAS.key`",
        ),
        key("phases", Takes::MapsByName(&phases::KEYS), "who is asked about a whole group of steps"),
        key(
            "steps",
            Takes::Maps(&steps::KEYS),
            "the steps, each after the one above it unless it has `needs`",
        ),
        key("output", Takes::Value, "what the run answers: any value, with expressions in its texts"),
    ],
    required: &["steps"],

    elsewhere: OF_ONE_STEP,
    foreign: foreign::WORKFLOW,
    ..Keys::of("a workflow")
};
const LIMITS: Keys = Keys {
    known: &[
        key("parallel", Takes::Count(u32::MAX), "how many attempts may run at once"),
        key("lost", Takes::Count(u32::MAX), "how many lost attempts end a step"),
        key("duration", Takes::Duration, "how long a run may take, as in `2h`"),
        key("calls", Takes::Count(u32::MAX), "how many attempts, and calls of models, a run may make"),
        key("tokens", Takes::Amount, "how many tokens a run may use"),
        key("usd", Takes::Money, "how much money a run may spend, in US dollars"),
    ],

    ..Keys::of("`limits`")
};
/// Keys of steps and of their compensations that later versions may have.
const STEP_NOT_BUILT: &[&str] = &["artifacts", "files", "merge", "priority", "worktree"];
/// Keys of steps, which have no place in a workflow or in its `defaults`.
const OF_ONE_STEP: &[(&str, &str)] = &[
    ("cache", ONE_STEP),
    ("conversation", ONE_STEP),
    ("compensate", ONE_STEP),
    ("irreversible", ONE_STEP),
    ("at_most_once", ONE_STEP),
    ("approve", ONE_STEP),
    ("fallback", ONE_STEP),
    ("handoffs", ONE_STEP),
    ("plan", ONE_STEP),
    ("optional", ONE_STEP),
    ("repeat", ONE_STEP),
    ("phase", ONE_STEP),
];
const ONE_STEP: &str = "it says something about one step: write it there";

const ON_LIMIT: [(&str, OnLimit); 2] = [("wait", OnLimit::Wait), ("fail", OnLimit::Fail)];
const ON_FAILURE: [(&str, OnFailure); 2] = [("rollback", OnFailure::Rollback), ("stop", OnFailure::Stop)];

/// None if the tree is not a map. The result has no definition if something is wrong with a step.
fn workflow<'s>(
    report: &mut Diagnostics<'s>,
    tree: &'s Tree,
    file: &str,
    known: &Known<'_>,
) -> Option<(Option<Parsed>, Named)> {
    let fields = keys(report, tree)?;
    let text = |report: &mut Diagnostics<'s>, key| {
        fields.get(key).and_then(|tree| report.text(key, tree)).map(str::to_owned)
    };
    let name = name(report, &fields, file);
    let (description, version) = (text(report, "description"), text(report, "version"));
    let input = fields.get("input").and_then(|tree| values::schema(report, "input", tree));
    let limits = fields.get("limits").map(|tree| limits(report, tree)).unwrap_or_default();
    let on_failure = fields.get("on_failure").and_then(|tree| report.choice("on_failure", &ON_FAILURE, tree));
    let on_limit = fields.get("on_limit").and_then(|tree| report.choice("on_limit", &ON_LIMIT, tree));
    let (defaults, default_uses) =
        fields.get("defaults").map(|tree| defaults::read(report, tree, known)).unwrap_or_default();
    let contexts = fields.get("contexts").map(|tree| Contexts::read(report, tree)).unwrap_or_default();
    let defaults = Defaults { fallback_attempts: known.fallback_attempts, contexts, ..defaults };
    let defaults = defaults.over(known.defaults);
    let drafts = drafts(report, &fields, tree, &defaults);
    let (output, output_uses) = output(report, &fields);

    let (needs, ancestors) = order::order(report, &drafts);
    let has_order = ancestors.is_some();
    let checker = Checker::new(known.env, input.as_ref().map(Schema::value), &drafts, ancestors)
        .with(&defaults.contexts);
    default_uses.iter().for_each(|found| checker.check(report, found, Around::Defaults));
    checker.check_steps(report, &drafts);
    output_uses.iter().for_each(|found| checker.check(report, found, Around::Output));
    warn_of_ambiguous_phases(report, &drafts);
    let phases = Phases::read(report, fields.get("phases"), &drafts);

    let named = named(&drafts);
    let places = drafts.iter().map(|draft| (draft.place.line, draft.place.column)).collect();
    let undecided =
        drafts.iter().filter(|draft| draft.undecided).filter_map(|draft| draft.id.clone()).collect();
    let (on_failure, on_limit) = (on_failure.unwrap_or_default(), on_limit.unwrap_or_default());
    let parsed = steps(drafts, needs).map(|steps| {
        if has_order {
            phases.refuse_circles(report, &steps);
        }
        let phases = phases.rules;
        Parsed {
            definition: Definition {
                name,
                description,
                version,
                input,
                limits,
                on_failure,
                on_limit,
                contexts: defaults.contexts.by_alias.clone(),
                phases,
                steps,
                output,
                source: None,
            },
            warnings: Vec::new(),
            agents: named.0.clone(),
            children: named.1.clone(),
            places,
            text: None,
            undecided,
        }
    });
    Some((parsed, named))
}

fn keys<'s>(report: &mut Diagnostics<'s>, tree: &'s Tree) -> Option<Fields<'s>> {
    if !matches!(tree.value, Value::Map(_)) {
        let (code, message) = match tree.value {
            Value::Null => (Code::NoSteps, "the file is empty".to_owned()),
            _ => (
                Code::NotYaml,
                format!("a workflow is a map of keys and values, and this is {}", tree.kind()),
            ),
        };
        report.refuse(tree, Problem::new(code, message).hint("begin with `name:` and `steps:`"));
        return None;
    }
    Fields::read(report, "a workflow", &KEYS, tree)
}

/// The agents and the workflow files that steps name.
type Named = (Vec<NamedAgent>, Vec<NamedChild>);

fn named(drafts: &[Draft<'_>]) -> Named {
    let agents = drafts.iter().flat_map(Draft::named_agents).collect();
    (agents, drafts.iter().filter_map(Draft::named_child).collect())
}

/// The steps, each with what it needs; none if something is wrong with one.
fn steps(drafts: Vec<Draft<'_>>, needs: Vec<Vec<StepId>>) -> Option<Steps> {
    drafts.into_iter().zip(needs).map(|(draft, needs)| Some(Step { needs, ..draft.step? })).collect()
}

/// Warns where a name could mean a phase or a step: it means the step.
fn warn_of_ambiguous_phases(report: &mut Diagnostics<'_>, drafts: &[Draft<'_>]) {
    let ids: HashSet<&str> = drafts.iter().filter_map(|draft| Some(draft.id.as_ref()?.as_str())).collect();
    let mut told = HashSet::new();
    for (phase, place) in drafts.iter().filter_map(|draft| draft.phase) {
        if ids.contains(phase) && told.insert(phase) {
            let message = format!("the phase `{phase}` is named like a step");
            let hint = "where either may be named, the step is meant: rename one";
            report.warn(place, Problem::new(Code::Contradiction, message).hint(hint));
        }
    }
}

/// The name of the workflow; if the file does not say it, the name of the file.
fn name(report: &mut Diagnostics<'_>, fields: &Fields<'_>, file: &str) -> String {
    let Some(tree) = fields.get("name") else {
        let stem = Path::new(file).file_stem().and_then(|stem| stem.to_str());
        return printable(stem.filter(|stem| !stem.is_empty()).unwrap_or("workflow")).into_owned();
    };
    let name = report.text("name", tree).map(str::trim);
    if name.is_some_and(|name| name.contains(is_control)) {
        let message = "`name` takes a text on one line, without control characters";
        report.refuse(tree, Problem::new(Code::BadValue, message));
    }
    if name == Some("") {
        let problem = Problem::new(Code::BadValue, "`name` is empty");
        report.refuse(tree, problem.hint("give it a name, or leave it out: the file's name is taken then"));
    }
    name.unwrap_or_default().to_owned()
}

fn limits(report: &mut Diagnostics<'_>, tree: &Tree) -> Limits {
    let Some(fields) = Fields::read(report, "limits", &LIMITS, tree) else { return Limits::default() };
    let duration = fields.get("duration").and_then(|tree| report.positive_duration("duration", tree));
    let mut count = |key| fields.get(key).and_then(|tree| report.count(key, tree));
    let (parallel, lost, calls) = (count("parallel"), count("lost"), count("calls").map(u64::from));
    let tokens = fields.get("tokens").and_then(|tree| report.amount("tokens", tree));
    let usd_nanos = fields.get("usd").and_then(|tree| report.usd("usd", tree));
    Limits { parallel, lost, duration, spend: SpendLimits { calls, tokens, usd_nanos } }
}

fn output<'s>(report: &mut Diagnostics<'s>, fields: &Fields<'s>) -> (Option<Template>, Vec<Use<'s>>) {
    let mut values = Values { report, uses: Vec::new() };
    let output = fields.get("output").and_then(|tree| values.template("output", tree));
    (output, values.uses)
}

/// The steps, as the file has them.
fn drafts<'s>(
    report: &mut Diagnostics<'s>,
    fields: &Fields<'s>,
    tree: &'s Tree,
    defaults: &Defaults,
) -> Vec<Draft<'s>> {
    let steps = match fields.get("steps") {
        Some(Tree { value: Value::List(steps), .. }) if !steps.is_empty() => steps,
        Some(tree @ Tree { value: Value::Map(_), .. }) => {
            let problem = Problem::new(Code::BadValue, "`steps` takes a list, and this is a map");
            report.refuse(tree, problem.hint("begin each step with `- id: NAME`"));
            return Vec::new();
        }
        Some(tree) if !matches!(tree.value, Value::List(_) | Value::Null) => {
            report.wants("steps", "a list", tree);
            return Vec::new();
        }
        found => {
            let place = found.and(fields.key("steps")).unwrap_or(tree);
            // A misspelt `steps` was reported already.
            if found.is_some() || !fields.refused_some() {
                report.refuse(place, Problem::new(Code::NoSteps, "the workflow has no steps"));
            }
            return Vec::new();
        }
    };
    drafts_of(report, steps, defaults)
}

fn drafts_of<'s>(report: &mut Diagnostics<'s>, steps: &'s [Tree], defaults: &Defaults) -> Vec<Draft<'s>> {
    if let Some(first) = steps.get(STEPS_MAX) {
        let message = format!("there are {} steps, and no more than {STEPS_MAX} are allowed", steps.len());
        let hint = "use `for_each`, or split the workflow";
        report.refuse(first, Problem::new(Code::TooLarge, message).hint(hint));
        return Vec::new();
    }
    let drafts = steps.iter().filter_map(|step| Draft::read(report, defaults, step)).collect();
    report.step = None;
    drafts
}
