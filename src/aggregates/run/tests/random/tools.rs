//! Agents that use tools.

use crate::aggregates::run::tests::random::pick;
use crate::events::ids::StepId;
use crate::events::json::Json;
use crate::events::problem::Code;
use crate::events::run::{AttemptStarted, Because, RunEvent};
use crate::testing::Dice;
use crate::workflow::work::{AgentRequest, Output, ToolCall};

/// One that uses tools: an agent that answers, one that hands out tasks, one that people have to allow and that can be undone, and
/// one that cannot.
pub(super) const FAY: &str = r#"{"executor": "llm", "settings": {"tools": ["ada", "eve", "dig", "raze"]}, "approve": ["d*"], "max_turns": 3}"#;
pub(super) const DIG: &str = r#"{"executor": "subprocess", "compensate": "ada"}"#;
pub(super) const RAZE: &str = r#"{"executor": "subprocess", "irreversible": true}"#;

/// The answer of an attempt that wants tools to be used: sometimes one that it may not, or beside what it may not.
pub(super) fn any_calls(dice: &mut Dice, started: &AttemptStarted) -> Option<Output> {
    let is_meant = started.agent.as_str() == "fay" && !dice.one_in(3) || dice.one_in(30);
    let count = if is_meant { 1 + dice.below(3) } else { return None };
    let call = |number| {
        let names = ["ada", "ada", "ada", "eve", "dig", "Dig", "dig", "dig", "raze", "shell"];
        let name = pick::<&str>(dice, &names);
        let arguments = Json::parse("{\"x\": [\"{{ y }}\"]}").unwrap();
        AgentRequest::Call(ToolCall { id: format!("call_{number}"), name: (*name).to_owned(), arguments })
    };
    let mut requests: Vec<AgentRequest> = (0..count).map(call).collect();
    if dice.one_in(10) {
        requests.push(AgentRequest::Handoff(
            "HANDOFF DECLARATION:\nTo: bob\nReason: r\nContext:\n- K: 1".to_owned(),
        ));
    }
    let output = Json::parse("{\"text\": \"\", \"tool_calls\": []}").unwrap();
    Some(Output { output, requests, ..Output::default() })
}

/// What was seen of tools in all runs.
#[derive(Debug, Default)]
pub(super) struct SeenTools {
    /// Calls that were made, that failed, that people did not allow, and that were undone.
    done: usize,
    failed: usize,
    not_allowed: usize,
    undone: usize,
    /// Turns after the first, and steps that came through with one.
    later_turns: usize,
    through: usize,
}

impl SeenTools {
    pub(super) fn see(&mut self, log: &[RunEvent]) {
        let is_tool =
            |step: &StepId| step.as_str().rsplit_once('/').is_some_and(|(_, last)| last.starts_with("tool["));
        for event in log {
            match event {
                RunEvent::StepCompleted(done) if is_tool(&done.step) => self.done += 1,
                RunEvent::StepFailed(failed) if is_tool(&failed.step) => {
                    self.failed += 1;
                    self.not_allowed += usize::from(failed.code == Code::ApprovalRefused);
                }
                RunEvent::StepCompensated(undone) if is_tool(&undone.step) => self.undone += 1,
                RunEvent::StepAdded(added) if added.because == Because::Turn && !added.needs.is_empty() => {
                    self.later_turns += 1;
                }
                RunEvent::StepCompleted(done) => {
                    let has_turns = |event: &RunEvent| match event {
                        RunEvent::StepAdded(added) => {
                            added.because == Because::Turn && added.inside.as_ref() == Some(&done.step)
                        }
                        _ => false,
                    };
                    self.through += usize::from(log.iter().any(has_turns));
                }
                _ => {}
            }
        }
    }

    pub(super) fn assert_all_seen(&self) {
        let Self { done, failed, not_allowed, undone, later_turns, through } = self;
        let counts = [done, failed, not_allowed, undone, later_turns, through];
        assert!(counts.iter().all(|count| **count > 0), "{self:?}");
    }
}
