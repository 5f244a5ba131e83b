//! What a step says about who does it when its agent fails, and whether it may be left out: `fallback`, `optional`,
//! `criticality`.

use super::report::{Fields, Keys, Report};
use super::steps::{Defaults, on_error};
use super::tree::{Tree, Value};
use crate::events::ids::AgentName;
use crate::events::problem::{Code, Place, Problem};
use crate::workflow::definition::{Criticality, Fallback, OnError, SHELL_AGENT};

const KEYS: Keys = Keys {
    of: "`fallback`",
    known: &["agent", "prompt_suffix"],
    not_built: &[],
    elsewhere: &[
        ("retry", "write it in the step: it holds for the fallback agent too"),
        ("timeout", "write it in the step: it holds for the fallback agent too"),
        ("with", "the fallback agent gets what the step gives its agent"),
        ("prompt", "the fallback agent gets the step's prompt, and `prompt_suffix` after it"),
    ],
};

const CRITICALITY: [(&str, Criticality); 4] = [
    ("critical", Criticality::Critical),
    ("high", Criticality::High),
    ("medium", Criticality::Medium),
    ("low", Criticality::Low),
];

/// The tiers of a step: its agent, another, and whether it may be left out.
#[derive(Default)]
pub(super) struct Tiers {
    pub(super) fallback: Option<Fallback>,
    /// The agent that the fallback names, and where.
    pub(super) agent: Option<(AgentName, Place)>,
    pub(super) optional: bool,
    pub(super) criticality: Option<Criticality>,
}

impl Tiers {
    /// Reads them from the keys of a step.
    pub(super) fn read(report: &mut Report<'_>, fields: &Fields<'_>, defaults: &Defaults) -> Self {
        let optional = fields.get("optional").and_then(|tree| report.flag("optional", tree)).unwrap_or(false);
        let said = fields.get("on_error").and_then(|tree| on_error(report, tree));
        let differs = said.is_some_and(|on_error| on_error != OnError::RetryThenSkip);
        if let (true, Some(key)) = (optional && differs, fields.key("optional")) {
            let message =
                "`optional: true` is `on_error: retry_then_skip`, and `on_error` says something else";
            report.refuse(key, Problem::new(Code::Contradiction, message).hint("take one of them out"));
        }
        let criticality = fields.get("criticality");
        let criticality = criticality.and_then(|tree| report.choice("criticality", &CRITICALITY, tree));
        let tiers = Self { optional, criticality, ..Self::default() };
        match fields.get("fallback") {
            Some(tree) => tiers.falling_back(report, fields, tree, defaults),
            None => tiers,
        }
    }

    fn falling_back(
        self,
        report: &mut Report<'_>,
        step: &Fields<'_>,
        tree: &Tree,
        defaults: &Defaults,
    ) -> Self {
        let Some(key) = step.key("fallback") else { return self };
        if let Value::Text(name) = &tree.value {
            let problem = Problem::new(Code::BadValue, "`fallback` takes a map, and this is a text");
            report.refuse(tree, problem.hint(format!("write `fallback: {{agent: {name}}}`")));
            return self;
        }
        let mut contradicts = |message: &str, hint: &str| {
            report.refuse(key, Problem::new(Code::Contradiction, message).hint(hint));
        };
        if step.get("agent").is_none() {
            contradicts("`fallback` is for a step with an `agent`, and this has none", "take it out");
        }
        if step.get("at_most_once").is_some_and(|tree| tree.value == Value::Bool(true)) {
            let message = "`at_most_once` starts the step once, and `fallback` would start it again";
            contradicts(message, "take one of them out");
        }
        let Some(fields) = Fields::read(report, "fallback", &KEYS, tree) else { return self };
        let Some(place) = fields.get("agent") else {
            let problem = Problem::new(Code::BadValue, "`fallback` names no `agent`");
            report.refuse(tree, problem.hint("name who does the step then: `fallback: {agent: NAME}`"));
            return self;
        };
        let suffix = fields.get("prompt_suffix").and_then(|tree| report.text("prompt_suffix", tree));
        let prompt_suffix = suffix.map(str::to_owned);
        let Some(name) = report.text("agent", place).map(|name| AgentName::new(name.trim())) else {
            return self;
        };
        if name.key() == SHELL_AGENT || name.key().is_empty() {
            let problem = Problem::new(Code::BadValue, format!("`{name}` is no agent to fall back on"));
            report.refuse(place, problem.hint("name an agent of `agents/`"));
            return self;
        }
        let at = report.place(place);
        let fallback = Fallback { agent: name.clone(), prompt_suffix, attempts: defaults.fallback_attempts };
        Self { fallback: Some(fallback), agent: Some((name, at)), ..self }
    }
}
