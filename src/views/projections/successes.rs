//! How often each agent did what it was to do, over all runs.
//!
//! Under `a` and the key of an agent is how many of its attempts at doing steps succeeded and failed. Under `o`, the id of a run, a zero
//! byte and a step stands which agent is at work there: an event that says how an attempt ended does not say whose it was. Folded when
//! somebody asks, from where the last fold ended: an attempt costs nobody anything for them.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::events::codec::{from_bytes, to_bytes};
use crate::events::commit::Recorded;
use crate::events::ids::{AgentName, RunId, StepId};
use crate::events::limits::VIEW_KEY_BYTES_MAX;
use crate::events::run::{Purpose, RunEvent};
use crate::kernel::projection::{Page, Projection, Rows};
use crate::views::projector::{Projector, ViewError};
use crate::workflow::definition::is_built_in;

const VIEW: &str = "successes";

/// The prefixes of keys: what an agent came to, and who is at work at a step.
const AGENT: u8 = b'a';
const OPEN: u8 = b'o';

/// How often an agent did what it was to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SuccessRow {
    /// The agent, as it was called last.
    pub agent: AgentName,
    /// How many of its attempts at doing steps succeeded.
    pub succeeded: u64,
    /// How many failed. One that was lost with its process is neither.
    pub failed: u64,
}

/// The read model of how often agents succeeded.
pub struct SuccessesView {
    projector: Arc<Projector>,
}

impl SuccessesView {
    /// What this projector keeps up, among others: [`SuccessRows`] is one of its projections.
    pub fn new(projector: Arc<Projector>) -> Self {
        Self { projector }
    }

    /// Every agent that has done a step, or failed to, in the order of their keys.
    ///
    /// # Errors
    /// When the store cannot be read, or rows cannot be saved.
    pub async fn list(&self) -> Result<Vec<SuccessRow>, ViewError> {
        self.projector.catch_up().await?;
        let agents = self.projector.saved_rows(VIEW, &[AGENT]).await?;
        // A row that this version cannot read is as good as none.
        Ok(agents.iter().filter_map(|row| from_bytes::<SuccessRow>(&row.bytes).ok()).collect())
    }
}

/// The rows of how often agents succeeded.
pub struct SuccessRows;

impl Projection for SuccessRows {
    fn name(&self) -> &'static str {
        VIEW
    }

    fn shape(&self) -> u32 {
        1
    }

    fn reads(&self, page: &Page<'_>, known: &Rows) -> Vec<Vec<u8>> {
        let mut keys = Vec::new();
        for recorded in page.events() {
            let Some((run, said)) = said(recorded) else { continue };
            let open = open_key(&run, said.step());
            // Who was at work is known in the second round only, where that began before this page.
            let agent = match &said {
                Said::Began(_, agent) => Some(agent.clone()),
                _ => open.as_ref().and_then(|open| known.get(open)).and_then(|row| from_bytes(row).ok()),
            };
            keys.extend(open);
            keys.extend(agent.as_ref().and_then(agent_key));
        }
        keys
    }

    fn fold(&self, page: &Page<'_>, rows: &mut Rows) {
        for recorded in page.events() {
            let Some((run, said)) = said(recorded) else { continue };
            let Some(open) = open_key(&run, said.step()) else { continue };
            let at_work = rows.get(&open).and_then(|row| from_bytes::<AgentName>(row).ok());
            match said {
                Said::Began(_, agent) => {
                    if let Ok(bytes) = to_bytes(&agent) {
                        rows.set(open, bytes);
                    }
                }
                Said::Ended(_, came_to) => {
                    rows.remove(open);
                    if let Some((agent, succeeded)) = at_work.zip(came_to) {
                        count(rows, agent, succeeded);
                    }
                }
            }
        }
    }
}

fn count(rows: &mut Rows, agent: AgentName, succeeded: bool) {
    let Some(key) = agent_key(&agent) else { return };
    let known = rows.get(&key).and_then(|row| from_bytes::<SuccessRow>(row).ok());
    let mut row = known.unwrap_or(SuccessRow { agent: agent.clone(), succeeded: 0, failed: 0 });
    row.agent = agent;
    let counted = if succeeded { &mut row.succeeded } else { &mut row.failed };
    *counted = counted.saturating_add(1);
    if let Ok(bytes) = to_bytes(&row) {
        rows.set(key, bytes);
    }
}

/// What an event says of an attempt at doing a step.
enum Said {
    /// This agent began.
    Began(StepId, AgentName),
    /// It ended: whether it succeeded, where that is known.
    Ended(StepId, Option<bool>),
}

impl Said {
    fn step(&self) -> &StepId {
        match self {
            Self::Began(step, _) | Self::Ended(step, _) => step,
        }
    }
}

/// What an event of a run says of an attempt, if it does. What cannot be decoded is reported by `verify`.
fn said(recorded: &Recorded) -> Option<(RunId, Said)> {
    if !matches!(
        &*recorded.event.kind,
        "attempt_started" | "attempt_failed" | "attempt_lost" | "step_completed"
    ) {
        return None;
    }
    let run = recorded.header.stream.run()?;
    let said = match recorded.decode().ok()? {
        RunEvent::AttemptStarted(began) if began.purpose == Purpose::Do && !is_built_in(&began.agent) => {
            Said::Began(began.step, began.agent)
        }
        RunEvent::AttemptFailed(failed) if failed.purpose == Purpose::Do => {
            Said::Ended(failed.step, Some(false))
        }
        RunEvent::AttemptLost(lost) if lost.purpose == Purpose::Do => Said::Ended(lost.step, None),
        RunEvent::StepCompleted(done) if done.attempt > 0 => Said::Ended(done.step, Some(true)),
        _ => return None,
    };
    Some((run, said))
}

fn agent_key(agent: &AgentName) -> Option<Vec<u8>> {
    let key = [&[AGENT], agent.key().as_bytes()].concat();
    (key.len() <= VIEW_KEY_BYTES_MAX).then_some(key)
}

fn open_key(run: &RunId, step: &StepId) -> Option<Vec<u8>> {
    let key = [&[OPEN], run.as_str().as_bytes(), &[0], step.as_str().as_bytes()].concat();
    (key.len() <= VIEW_KEY_BYTES_MAX).then_some(key)
}
