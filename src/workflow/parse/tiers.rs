//! What a step says about the agent that replaces its own when that fails, and whether the step may be left
//! out: `fallback`, `optional`, `criticality`.

use super::defaults::{self, Defaults};
use super::diagnostics::{Diagnostics, Fields};
use super::keys::{Keys, Takes, key};
use super::kinds;
use super::tree::{Tree, Value};
use crate::events::ids::AgentName;
use crate::events::problem::{Code, Problem, SourceLocation};
use crate::workflow::definition::{Criticality, Fallback, OnError};

pub(super) const KEYS: Keys = Keys {
    known: &[
        key("agent", Takes::Text, "the agent that does it then"),
        key("prompt_suffix", Takes::Text, "what is added to the prompt then"),
    ],
    required: &["agent"],

    elsewhere: &[
        ("retry", "write it in the step: it holds for the fallback agent too"),
        ("timeout", "write it in the step: it holds for the fallback agent too"),
        ("with", "the fallback agent gets what the step gives its agent"),
        ("prompt", "the fallback agent gets the step's prompt, and `prompt_suffix` after it"),
    ],

    ..Keys::of("`fallback`")
};

pub(super) const CRITICALITY: [(&str, Criticality); 4] = [
    ("critical", Criticality::Critical),
    ("high", Criticality::High),
    ("medium", Criticality::Medium),
    ("low", Criticality::Low),
];

/// The tiers of a step: its agent, another agent, and whether it may be left out.
#[derive(Default)]
pub(super) struct Tiers {
    pub(super) fallback: Option<Fallback>,
    /// The agent that the fallback names, with the place.
    pub(super) agent: Option<(AgentName, SourceLocation)>,
    pub(super) on_error: OnError,
    /// Whether `on_error` is only the default, because neither the step nor the `defaults` say it.
    pub(super) undecided: bool,
    pub(super) criticality: Option<Criticality>,
}

impl Tiers {
    /// Reads the tiers from the keys of a step.
    pub(super) fn read(report: &mut Diagnostics<'_>, fields: &Fields<'_>, defaults: &Defaults) -> Self {
        let on_error = on_error(report, fields, defaults);
        let criticality = fields.get("criticality");
        let criticality = criticality.and_then(|tree| report.choice("criticality", &CRITICALITY, tree));
        let fallback = fields.get("fallback").and_then(|tree| fallback(report, fields, tree, defaults));
        let (fallback, agent) = fallback.unzip();
        let said = fields.get("on_error").or(fields.get("optional")).is_some();
        let undecided = !said && defaults.on_error.is_none();
        Self { fallback, agent, on_error, undecided, criticality }
    }
}

/// What its failure does to the run: what the step says, in either of two ways, before
/// what the `defaults` say.
fn on_error(report: &mut Diagnostics<'_>, fields: &Fields<'_>, defaults: &Defaults) -> OnError {
    let optional = fields.get("optional").and_then(|tree| report.flag("optional", tree));
    let said = fields.get("on_error").and_then(|tree| defaults::on_error(report, tree));
    let tolerates = |on_error| matches!(on_error, OnError::RetryThenSkip | OnError::Continue);
    let contradicts = match (optional, said) {
        (Some(true), Some(said)) if said != OnError::RetryThenSkip => {
            Some("`optional: true` is `on_error: retry_then_skip`, and `on_error` says something else")
        }
        (Some(false), Some(said)) if tolerates(said) => {
            Some("`on_error` tolerates a failure, and `optional: false` says that it must not")
        }
        _ => None,
    };
    if let (Some(message), Some(key)) = (contradicts, fields.key("optional")) {
        report.refuse(key, Problem::new(Code::Contradiction, message).hint("take one of them out"));
    }
    let inherited = defaults.on_error.unwrap_or_default();
    match (said, optional) {
        (Some(said), _) => said,
        (None, Some(true)) => OnError::RetryThenSkip,
        (None, Some(false)) if tolerates(inherited) => OnError::RetryThenFail,
        (None, _) => inherited,
    }
}

/// Reads the fallback, with the place of the agent's name.
fn fallback(
    report: &mut Diagnostics<'_>,
    step: &Fields<'_>,
    tree: &Tree,
    defaults: &Defaults,
) -> Option<(Fallback, (AgentName, SourceLocation))> {
    if let Value::Text(name) = &tree.value {
        let problem = Problem::new(Code::BadValue, "`fallback` takes a map, and this is a text");
        report.refuse(tree, problem.hint(format!("write `fallback: {{agent: {name}}}`")));
        return None;
    }
    let key = step.key("fallback")?;
    if step.get("agent").is_none() {
        report.contradiction(key, "`fallback` is for a step with an `agent`, and this has none");
    }
    if step.get("at_most_once").is_some_and(|tree| tree.value == Value::Bool(true)) {
        let message = "`at_most_once` starts the step once, and `fallback` would start it again";
        report.refuse(key, Problem::new(Code::Contradiction, message).hint("take one of them out"));
    }
    let fields = Fields::read(report, "fallback", &KEYS, tree)?;
    let suffix = fields.get("prompt_suffix").and_then(|tree| report.text("prompt_suffix", tree));
    let prompt_suffix = suffix.map(str::to_owned);
    let Some(place) = fields.get("agent") else {
        // A key that was refused may have been meant for it.
        if !fields.refused_some() {
            let problem = Problem::new(Code::BadValue, "`fallback` names no `agent`");
            report.refuse(tree, problem.hint("name who does the step then: `fallback: {agent: NAME}`"));
        }
        return None;
    };
    let agent = kinds::agent_name(report, place, &[])?;
    let named = (agent.clone(), report.place(place));
    Some((Fallback { agent, prompt_suffix, attempts: defaults.fallback_attempts }, named))
}
