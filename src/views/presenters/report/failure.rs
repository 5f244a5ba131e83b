//! What a run failed with: the attempt, what it was to do with which values, what its program wrote at last, and where the
//! step stands in its file.

use serde::{Deserialize, Serialize};

use crate::aggregates::run::{About, Run};
use crate::events::ids::{AgentName, StepId};
use crate::events::json::Payload;
use crate::events::problem::Problem;
use crate::events::run::{AttemptFailed, Purpose, RunEvent};
use crate::kernel::Blobs;
use crate::views::presenters::why::{Past, Used, command};
use crate::workflow::definition::Definition;
use crate::workflow::work::{Transcript, Work};

/// How many of the last lines that a program wrote to stderr are told.
const STDERR_LINES: usize = 10;

/// The attempt that a run failed with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureReport {
    /// The step that was tried.
    pub step: StepId,
    /// What the attempt was for: `do` or `compensate`.
    pub purpose: Purpose,
    /// The attempt's number for that purpose at its step, from 1.
    pub attempt: u32,
    /// The agent that made it.
    pub agent: AgentName,
    /// What was to be done, as it was rendered: a command, a prompt, or arguments as JSON. Empty if there was nothing to say.
    pub work: String,
    /// The values that this was rendered of, and whose they are.
    pub used: Vec<Used>,
    /// The last lines that its program wrote to stderr. Empty if it wrote none.
    pub stderr: Vec<String>,
    /// Whether anything was written to stdout or stderr.
    pub wrote: bool,
}

/// Looks for the attempt that a run failed with, from its last event back.
#[derive(Debug)]
pub struct FailureSearch {
    step: StepId,
    error: Problem,
    failed: Option<AttemptFailed>,
    is_over: bool,
}

impl FailureSearch {
    /// Looks for the attempt that ended with this error; none if there was no attempt at its step.
    pub fn new(run: &Run, error: &Problem) -> Option<Self> {
        let (_, node) = run.node(error.step.as_ref()?)?;
        let tried = node.attempts(Purpose::Do) + node.attempts(Purpose::Compensate) > 0;
        let is_childs = node.child.is_some();
        (tried && !is_childs).then(|| Self {
            step: node.id().clone(),
            error: error.clone(),
            failed: None,
            is_over: false,
        })
    }

    /// Whether it was found, or is not there.
    pub fn is_over(&self) -> bool {
        self.is_over
    }

    /// Whether an event of that type could be a part of it.
    pub fn could_be(&self, kind: &str) -> bool {
        match self.failed {
            None => matches!(kind, "attempt_failed" | "step_added"),
            Some(_) => kind == "attempt_started",
        }
    }

    /// Looks at an event: after all that were recorded later. Answers what was found.
    pub fn see(&mut self, event: RunEvent, past: &Past<'_>) -> Option<FailureReport> {
        match event {
            RunEvent::AttemptFailed(failed) if failed.step == self.step && self.failed.is_none() => {
                let is_it = (failed.code, &failed.message) == (self.error.code, &self.error.message);
                self.is_over |= !is_it;
                self.failed = Some(failed).filter(|_| is_it);
                None
            }
            RunEvent::AttemptStarted(began) => {
                let failed = self.failed.take_if(|failed| {
                    (&failed.step, failed.purpose, failed.attempt)
                        == (&began.step, began.purpose, began.attempt)
                })?;
                self.is_over = true;
                let said = failed.transcript.as_ref().and_then(|said| read::<Transcript>(past, said));
                let work = read::<Work>(past, &began.input).map(|work| command(&work));
                Some(FailureReport {
                    used: past.used(&began.step, began.purpose),
                    step: began.step,
                    purpose: began.purpose,
                    attempt: began.attempt,
                    agent: began.agent,
                    work: work.unwrap_or_default(),
                    stderr: said.as_ref().map(last_lines).unwrap_or_default(),
                    wrote: said.is_some_and(|said| !said.stdout.is_empty() || !said.stderr.is_empty()),
                })
            }
            RunEvent::StepAdded(added) if added.step == self.step => {
                self.is_over = true;
                None
            }
            _ => None,
        }
    }
}

fn read<T: serde::de::DeserializeOwned>(past: &Past<'_>, payload: &Payload) -> Option<T> {
    serde_json::from_str(past.json(payload)?.text()).ok()
}

fn last_lines(said: &Transcript) -> Vec<String> {
    let bytes = said.stderr.bytes();
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let from = lines.len().saturating_sub(STDERR_LINES);
    lines.get(from..).unwrap_or_default().iter().map(|line| (*line).to_owned()).collect()
}

/// Says of errors where their steps stand, as far as that was recorded.
pub(super) fn place<'e>(
    run: &Run,
    about: &About,
    errors: impl Iterator<Item = &'e mut Problem>,
    blobs: &dyn Blobs,
) {
    let mut definition = None;
    for error in errors {
        let node = error.step.as_ref().and_then(|step| run.node(step)).map(|(_, node)| node);
        // What a plan added stands in no file.
        let Some(node) = node.filter(|node| node.added.planned.is_none()) else { continue };
        let hash = &about.started.definition.hash;
        let definition = definition.get_or_insert_with(|| blobs.value::<Definition>(hash).ok());
        error.at = definition.as_ref().and_then(|definition| definition.place_of(&node.added.template));
    }
}
