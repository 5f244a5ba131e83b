//! One step of a file.

use std::collections::BTreeMap;
use std::time::Duration;

use super::NamedAgent;
use super::report::{Fields, Keys, Report};
use super::retry::PartialRetry;
use super::saga::Saga;
use super::tiers::Tiers;
use super::tree::{Tree, Value};
use super::values::{Use, Values};
use crate::events::ids::{AgentName, StepId};
use crate::events::problem::{Code, Place, Problem};
use crate::workflow::definition::{AgentRole, Does, ForEach, OnError, Retry, SHELL_AGENT, Step};
use crate::workflow::template::Template;

pub(super) const KEYS: Keys = Keys {
    of: "a step",
    known: &[
        "id",
        "criticality",
        "fallback",
        "optional",
        "run",
        "agent",
        "with",
        "prompt",
        "sleep",
        "needs",
        "if",
        "for_each",
        "max_parallel",
        "timeout",
        "retry",
        "on_error",
        "env",
        "cwd",
        "compensate",
        "irreversible",
        "at_most_once",
    ],
    not_built: &[
        "approvals",
        "approve",
        "approvers",
        "artifacts",
        "cache",
        "expires",
        "files",
        "merge",
        "phase",
        "priority",
        "repeat",
        "schema",
        "wait_for",
        "workflow",
        "worktree",
    ],
    elsewhere: &[("on_failure", "it is for the whole workflow; a step has `on_error`")],
};

/// A part of a file that says what is to be done.
pub(super) struct Part {
    pub(super) name: &'static str,
    /// What to do where it says nothing, or too much.
    pub(super) hint: &'static str,
}

const STEP: Part = Part { name: "step", hint: "give a step exactly one of `run`, `agent` and `sleep`" };

const ON_ERROR: [(&str, OnError); 4] = [
    ("fail_fast", OnError::FailFast),
    ("continue", OnError::Continue),
    ("retry_then_fail", OnError::RetryThenFail),
    ("retry_then_skip", OnError::RetryThenSkip),
];

/// The workflow's `defaults`.
#[derive(Debug, Default)]
pub(super) struct Defaults {
    pub(super) timeout: Option<Duration>,
    pub(super) retry: Option<PartialRetry>,
    pub(super) on_error: Option<OnError>,
    pub(super) env: BTreeMap<String, Template>,
    /// How often a fallback agent is tried at most.
    pub(super) fallback_attempts: u32,
}

/// A step as far as it could be read.
pub(super) struct Draft<'t> {
    /// Its id; none if it has none that is one.
    pub(super) id: Option<StepId>,
    /// Where to say something about it: its id, or where it begins.
    pub(super) place: &'t Tree,
    /// What its `needs` say, and where; none if it has no such key, and so runs after the step above.
    pub(super) needs: Option<Vec<(&'t str, &'t Tree)>>,
    /// The expressions in it.
    pub(super) uses: Vec<Use<'t>>,
    /// How many of those see no item: they are evaluated once for the whole fan-out.
    pub(super) uses_without_item: usize,
    /// Whether it is a fan-out.
    pub(super) fans_out: bool,
    /// What the expressions of its compensation name.
    pub(super) compensation_uses: Vec<Use<'t>>,
    /// The agents that it names, for what, and where.
    pub(super) agents: Vec<(AgentName, AgentRole, Place)>,
    /// The step, but for its needs; none if something is wrong with it.
    pub(super) step: Option<Step>,
}

impl<'t> Draft<'t> {
    /// Reads a step; nothing if it is no map.
    pub(super) fn read<'s: 't>(report: &mut Report<'s>, defaults: &Defaults, tree: &'t Tree) -> Option<Self> {
        report.step = None;
        let problems = report.problems.len();
        let id = id(report, tree);
        report.step.clone_from(&id);
        let fields = Fields::read(report, "a step", &KEYS, tree)?;
        let mut values = Values { report, uses: Vec::new() };
        let condition = fields.get("if").and_then(|tree| values.expression("if", tree));
        let for_each = fields.get("for_each").and_then(|tree| values.for_each(tree));
        let uses_without_item = values.uses.len();
        let does = does(&mut values, &fields, tree, &STEP);
        let env = fields.get("env").map(|tree| environment(&mut values, tree)).unwrap_or_default();
        let cwd = fields.get("cwd").and_then(|tree| values.text("cwd", tree));
        let uses = values.uses;

        let sleeps = fields.get("sleep").is_some();
        let (timeout, retry, on_error) = handling(report, &fields, defaults, sleeps);
        let max_parallel = fields.get("max_parallel").and_then(|tree| report.count("max_parallel", tree));
        if let (Some(key), None) = (fields.key("max_parallel"), fields.get("for_each")) {
            contradiction(report, key, "`max_parallel` says nothing without `for_each`");
        }
        let needs = fields.get("needs").map(|tree| needs(report, tree));
        let saga = Saga::read(report, &fields);
        let agent = does.as_ref().and_then(|does| named_agent(report, &fields, does));
        let tiers = Tiers::read(report, &fields, defaults);
        let agents =
            [(AgentRole::Does, agent), (AgentRole::FallsBack, tiers.agent), (AgentRole::Undoes, saga.agent)];
        let agents = agents.into_iter().filter_map(|(role, agent)| agent.map(|(name, at)| (name, role, at)));
        let place = match &tree.value {
            Value::Map(_) => fields.get("id").unwrap_or(tree),
            _ => tree,
        };
        let whole = report.problems.len() == problems;
        let step = id.clone().zip(does).filter(|_| whole).map(|(id, does)| Step {
            id,
            does,
            needs: Vec::new(),
            condition,
            for_each: for_each.map(|fan_out| ForEach { max_parallel, ..fan_out }),
            timeout,
            // One from the `defaults`; beside a retry of its own `at_most_once` is refused.
            retry: retry.filter(|_| !saga.at_most_once),
            on_error: if tiers.optional { OnError::RetryThenSkip } else { on_error },
            fallback: tiers.fallback,
            criticality: tiers.criticality,
            env: if sleeps { env } else { defaults.env.clone().into_iter().chain(env).collect() },
            cwd,
            compensate: saga.compensate,
            repeat: None,
            approval: None,
            schema: None,
            phase: None,
            irreversible: saga.irreversible,
            at_most_once: saga.at_most_once,
        });
        let fans_out = fields.get("for_each").is_some();
        Some(Self {
            id,
            place,
            needs,
            uses,
            uses_without_item,
            fans_out,
            compensation_uses: saga.uses,
            agents: agents.collect(),
            step,
        })
    }
}

impl Draft<'_> {
    /// The agents that it names. A step whose id was refused has no name to give them to.
    pub(super) fn named_agents(&self) -> impl Iterator<Item = NamedAgent> {
        self.id.iter().flat_map(|step| {
            self.agents.iter().map(|(agent, role, at)| NamedAgent {
                agent: agent.clone(),
                step: step.clone(),
                role: *role,
                at: at.clone(),
            })
        })
    }
}

/// The id, before all else: every problem of the step names it.
fn id(report: &mut Report<'_>, tree: &Tree) -> Option<StepId> {
    let Value::Map(entries) = &tree.value else { return None };
    let is_id = |(key, _): &&(Tree, Tree)| key.value == Value::Text("id".to_owned());
    let Some((_, place)) = entries.iter().find(is_id) else {
        let problem = Problem::new(Code::BadStepId, "a step has no `id`");
        report.refuse(tree, problem.hint("give it a name of its own: `id: build`"));
        return None;
    };
    match StepId::parse(report.text("id", place)?) {
        Ok(id) => Some(id),
        Err(why) => {
            report.refuse(place, Problem::new(Code::BadStepId, format!("`{}` is no step id", why.text)));
            None
        }
    }
}

/// What a part of the file does: exactly one kind.
pub(super) fn does<'t, 's: 't>(
    values: &mut Values<'t, '_, 's>,
    fields: &Fields<'t>,
    tree: &'t Tree,
    part: &Part,
) -> Option<Does> {
    if fields.get("agent").is_none() {
        for key in ["with", "prompt"] {
            if let Some(place) = fields.key(key) {
                let message = format!("`{key}` is for an `agent`, and this {} has none", part.name);
                contradiction(values.report, place, &message);
            }
        }
    }
    let kinds: Vec<&str> =
        ["run", "agent", "sleep"].into_iter().filter(|kind| fields.get(kind).is_some()).collect();
    if let Some(second) = kinds.get(1).and_then(|second| fields.key(second)) {
        let message = format!("a {} does one thing, and this one has `{}`", part.name, kinds.join("` and `"));
        values.report.refuse(second, Problem::new(Code::StepKind, message).hint(part.hint));
        return None;
    }
    if let Some(place) = fields.get("run") {
        values.run(place).map(Does::Run)
    } else if let Some(place) = fields.get("sleep") {
        values.report.duration("sleep", place).map(Does::Sleep)
    } else if let Some(place) = fields.get("agent") {
        agent(values, fields, place)
    } else {
        // A key that was refused may be the one that says it.
        if !fields.refused_some() {
            let message = format!("the {} does nothing", part.name);
            values.report.refuse(tree, Problem::new(Code::StepKind, message).hint(part.hint));
        }
        None
    }
}

fn agent<'t, 's: 't>(values: &mut Values<'t, '_, 's>, fields: &Fields<'t>, place: &'t Tree) -> Option<Does> {
    let name = values.report.text("agent", place).map(str::trim);
    if name == Some("") {
        let problem = Problem::new(Code::BadValue, "`agent` is empty");
        values.report.refuse(place, problem.hint("name the agent that is to do it"));
    }
    if name.is_some_and(|name| AgentName::new(name).key() == SHELL_AGENT) {
        let problem =
            Problem::new(Code::BadValue, format!("the agent `{SHELL_AGENT}` does steps with `run`"));
        values.report.refuse(place, problem.hint("write `run:` in place of `agent:`"));
    }
    let with = fields.get("with").map(|tree| values.template("with", tree));
    let prompt = fields.get("prompt").map(|tree| values.text("prompt", tree));
    Some(Does::Agent { agent: AgentName::new(name?), with: with.flatten(), prompt: prompt.flatten() })
}

/// The agent that is named by what a part of the file does, and where.
pub(super) fn named_agent(
    report: &Report<'_>,
    fields: &Fields<'_>,
    does: &Does,
) -> Option<(AgentName, Place)> {
    let Does::Agent { agent, .. } = does else { return None };
    Some((agent.clone(), report.place(fields.get("agent")?)))
}

/// How long it may take, and what happens when it fails.
fn handling(
    report: &mut Report<'_>,
    fields: &Fields<'_>,
    defaults: &Defaults,
    sleeps: bool,
) -> (Option<Duration>, Option<Retry>, OnError) {
    if sleeps {
        for key in ["timeout", "retry", "env", "cwd", "compensate", "irreversible", "at_most_once"] {
            if let Some(place) = fields.key(key) {
                contradiction(
                    report,
                    place,
                    &format!("a `sleep` makes no attempts: `{key}` says nothing there"),
                );
            }
        }
    }
    let on_error = fields.get("on_error").and_then(|tree| on_error(report, tree));
    let on_error = on_error.or(defaults.on_error).unwrap_or_default();
    if sleeps {
        return (None, None, on_error);
    }
    let timeout = fields.get("timeout").map(|tree| report.positive_duration("timeout", tree));
    let retry = fields.get("retry").map(|tree| {
        if matches!(on_error, OnError::FailFast | OnError::Continue)
            && let Some(key) = fields.key("retry")
        {
            let name = if on_error == OnError::Continue { "continue" } else { "fail_fast" };
            let message = format!("`on_error: {name}` does not use `retry`");
            report.warn(key, Problem::new(Code::Contradiction, message));
        }
        PartialRetry::read(report, tree).complete(defaults.retry.as_ref(), report, tree)
    });
    let retry = retry.or_else(|| defaults.retry.clone().map(|retry| retry.over(None)));
    (timeout.unwrap_or(defaults.timeout), retry, on_error)
}

/// `on_error:`, in a step and in `defaults`.
pub(super) fn on_error(report: &mut Report<'_>, tree: &Tree) -> Option<OnError> {
    report.choice("on_error", &ON_ERROR, tree)
}

fn contradiction(report: &mut Report<'_>, place: &Tree, message: &str) {
    report.refuse(place, Problem::new(Code::Contradiction, message).hint("take it out"));
}

/// The names in `needs` and where they stand.
fn needs<'t, 's: 't>(report: &mut Report<'s>, tree: &'t Tree) -> Vec<(&'t str, &'t Tree)> {
    if let Value::Text(name) = &tree.value {
        let problem = Problem::new(Code::BadValue, "`needs` takes a list of ids, and this is a text");
        report.refuse(tree, problem.hint(format!("write `needs: [{name}]`")));
        return Vec::new();
    }
    let mut names: Vec<(&str, &Tree)> = Vec::new();
    for item in report.list("needs", tree).unwrap_or_default() {
        let Some(name) = report.text("needs", item) else { continue };
        if names.iter().any(|(earlier, _)| *earlier == name) {
            let problem = Problem::new(Code::Contradiction, format!("`{name}` stands twice in `needs`"));
            report.warn(item, problem.hint("take one out"));
        } else {
            names.push((name, item));
        }
    }
    names
}

/// `env:`, in a step and in `defaults`.
pub(super) fn environment<'t, 's: 't>(
    values: &mut Values<'t, '_, 's>,
    tree: &'t Tree,
) -> BTreeMap<String, Template> {
    let Value::Map(entries) = &tree.value else {
        values.report.wants("env", "a map of names and texts", tree);
        return BTreeMap::new();
    };
    let mut environment = BTreeMap::new();
    for (key, value) in entries {
        let Some(name) = values.report.text("a name in `env`", key) else { continue };
        let mut chars = name.chars();
        let first = chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
        if !first || !chars.all(|c| c.is_ascii_alphanumeric() || c == '_') {
            let problem =
                Problem::new(Code::BadValue, format!("`{name}` is no name of an environment variable"));
            values.report.refuse(key, problem.hint("use letters, digits and `_`, no digit first"));
            continue;
        }
        if let Some(text) = values.text("env", value) {
            environment.insert(name.to_owned(), text);
        }
    }
    environment
}
