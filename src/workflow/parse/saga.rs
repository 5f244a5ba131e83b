//! What a step says about being undone: `compensate`, `irreversible`, `at_most_once`.

use super::STEP_NOT_BUILT;
use super::diagnostics::{Diagnostics, Fields};
use super::keys::{Keys, Takes, key, words};
use super::retry::PartialRetry;
use super::tree::{Tree, Value};
use super::values::{Use, Values};
use super::{foreign, kinds};
use crate::events::ids::AgentName;
use crate::events::problem::{Code, Problem, SourceLocation};
use crate::events::run::UndoWhen;
use crate::workflow::definition::{Compensate, Does, Retry};

pub(super) const KEYS: Keys = Keys {
    known: &[
        key("run", Takes::Command, "a program: a text runs under `sh -c`, a list is executed as it is"),
        key("agent", Takes::Text, "the agent that undoes it"),
        key("with", Takes::Value, "the arguments of that agent"),
        key("prompt", Takes::Text, "the words that it gets"),
        key("timeout", Takes::Duration, "how long an attempt may take"),
        key("retry", Takes::Map(&super::retry::KEYS), "whether and when it is tried again"),
        key("when", Takes::Word(|| words(&WHEN)), "when it is owed"),
    ],
    kinds: kinds::COMPENSATION.kinds,

    not_built: STEP_NOT_BUILT,
    elsewhere: &[
        ("sleep", "waiting undoes nothing: give it a `run` or an `agent`"),
        ("wait_for", "waiting undoes nothing: give it a `run` or an `agent`"),
        (
            "workflow",
            "a child run is rolled back by itself; to undo otherwise, give it a `run` or an `agent`",
        ),
        ("env", "write it in the step: it holds for the compensation too"),
        ("cwd", "write it in the step: it holds for the compensation too"),
        ("if", "it is always done when it is owed, and `when` says when; its texts may use `outcome`"),
        ("on_error", "where a compensation fails for good, the run waits for a person"),
        ("optional", "where a compensation fails for good, the run waits for a person"),
        ("fallback", "where a compensation fails for good, the run waits for a person"),
        ("approve", "what is owed is done without being asked for again"),
        ("cache", "what is owed is done each time"),
        ("repeat", "give it a `retry`: it is done when an attempt succeeds"),
    ],
    foreign: foreign::STEP,
    ..Keys::of("`compensate`")
};

/// What a step says that has nothing to undo.
pub(super) const NONE: &str = "none";

const WHEN: [(&str, UndoWhen); 2] = [("completed", UndoWhen::Completed), ("attempted", UndoWhen::Attempted)];

/// What a step says about being undone.
#[derive(Default)]
pub(super) struct Saga<'t> {
    /// How it is undone; none if the step does not say, or something is wrong with it.
    pub(super) compensate: Option<Compensate>,
    /// Whether it says that there is nothing to undo.
    pub(super) nothing_to_undo: bool,
    /// The agent that the compensation names, with the place.
    pub(super) agent: Option<(AgentName, SourceLocation)>,
    /// The expressions in the compensation.
    pub(super) uses: Vec<Use<'t>>,
    pub(super) irreversible: bool,
    pub(super) at_most_once: bool,
}

impl<'t> Saga<'t> {
    /// Reads these keys of a step. That a `sleep` may have none of them is reported elsewhere.
    pub(super) fn read<'s: 't>(report: &mut Diagnostics<'s>, fields: &Fields<'t>) -> Self {
        let mut flag = |key| fields.get(key).and_then(|tree| report.flag(key, tree)).unwrap_or(false);
        let (irreversible, at_most_once) = (flag("irreversible"), flag("at_most_once"));
        if let (true, Some(key)) = (at_most_once, fields.key("retry")) {
            let message = "`at_most_once` starts the step once, and `retry` would start it again";
            let hint = "take one of them out, and give it a `compensate` if it can be undone";
            report.refuse(key, Problem::new(Code::Contradiction, message).hint(hint));
        }
        let saga = Self { irreversible, at_most_once, ..Self::default() };
        let saga = match fields.get("compensate") {
            Some(tree) if matches!(&tree.value, Value::Text(word) if word == NONE) => {
                saga.nothing_to_undo(report, fields, tree)
            }
            Some(tree) => saga.compensated(report, tree),
            None => saga,
        };
        let unused = matches!(&saga.compensate, Some(Compensate { when: UndoWhen::Completed, .. }));
        if let (true, true, Some(key)) = (irreversible, unused, fields.key("compensate")) {
            let message = "nothing is undone once an `irreversible` step has completed, so its `compensate` \
                           would never be used";
            let hint = "take one of them out, or say `when: attempted`: then it cleans up behind a failure";
            report.refuse(key, Problem::new(Code::Contradiction, message).hint(hint));
        }
        saga
    }

    /// Takes it at its word, unless there is something to undo by itself, or nothing that could be.
    fn nothing_to_undo(self, report: &mut Diagnostics<'_>, fields: &Fields<'t>, tree: &'t Tree) -> Self {
        let refused = if self.irreversible {
            let message = "an `irreversible` step does what cannot be undone, and `compensate: none` says that there is \
                           nothing to undo";
            Some((message, "take one of them out"))
        } else if fields.get("workflow").is_some() {
            let message = "a child run is rolled back by itself, whatever its step says";
            Some((message, "say `compensate: none` of its steps that have nothing to undo"))
        } else {
            None
        };
        if let Some((message, hint)) = refused {
            report.refuse(tree, Problem::new(Code::Contradiction, message).hint(hint));
        }
        Self { nothing_to_undo: true, ..self }
    }

    fn compensated<'s: 't>(self, report: &mut Diagnostics<'s>, tree: &'t Tree) -> Self {
        if let Value::Text(_) = &tree.value {
            let problem = Problem::new(Code::BadValue, "`compensate` takes a map, and this is a text");
            let hint = "write `compensate: {run: …}`, or `compensate: none` if it has nothing to undo";
            report.refuse(tree, problem.hint(hint));
            return self;
        }
        let Some(fields) = Fields::read(report, "compensate", &KEYS, tree) else { return self };
        let mut values = Values { report, uses: Vec::new() };
        let does = kinds::does(&mut values, &fields, tree, &kinds::COMPENSATION);
        let uses = values.uses;
        let agent = match &does {
            Some(Does::Agent { agent, .. }) => {
                Some(agent.clone()).zip(fields.get("agent").map(|tree| report.place(tree)))
            }
            _ => None,
        };
        let timeout = fields.get("timeout").and_then(|tree| report.positive_duration("timeout", tree));
        let retry = retry(report, &fields);
        let when = fields.get("when").and_then(|tree| report.choice("when", &WHEN, tree));
        let when = when.unwrap_or_default();
        let compensate = does.map(|does| Compensate { does, timeout, retry, when });
        Self { compensate, agent, uses, ..self }
    }
}

/// How a compensation is retried. The workflow's `defaults` are about doing things, and do not apply here.
fn retry(report: &mut Diagnostics<'_>, fields: &Fields<'_>) -> Retry {
    let defaults = PartialRetry::attempts(Compensate::ATTEMPTS);
    match fields.get("retry") {
        Some(tree) => PartialRetry::read(report, tree).complete(Some(&defaults), report, tree),
        None => defaults.over(None),
    }
}
