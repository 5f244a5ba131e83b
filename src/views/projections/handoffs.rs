//! How often agents handed over to each other, over all runs.
//!
//! Under `h` and the keys of both agents, with a zero byte between them, is a row. They are folded when somebody asks, from where the last
//! fold ended: a handoff costs nobody anything for them.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::events::codec::{from_bytes, to_bytes};
use crate::events::commit::Recorded;
use crate::events::ids::AgentName;
use crate::events::limits::VIEW_KEY_BYTES_MAX;
use crate::events::run::{HandoffDeclared, RunEvent};
use crate::events::time::Timestamp;
use crate::kernel::projection::{Page, Projection, Rows};
use crate::views::projector::{Projector, ViewError};

const VIEW: &str = "handoffs";

/// How much of a reason stands in a row, in characters: a row is bounded.
const REASON_CHARS_MAX: usize = 200;

/// How often one agent handed over to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandoffRow {
    /// The agent that handed over, as it was called last.
    pub from: AgentName,
    /// The agent that went on, as it was called last.
    pub to: AgentName,
    /// How often that happened, in all runs.
    pub count: u64,
    /// When it last did.
    pub last_at: Timestamp,
    /// Why, the last time; as much of it as a row has room for.
    pub last_reason: String,
}

/// The read model of handoffs.
pub struct HandoffsView {
    projector: Arc<Projector>,
}

impl HandoffsView {
    /// What this projector keeps up, among others: [`HandoffRows`] is one of its projections.
    pub fn new(projector: Arc<Projector>) -> Self {
        Self { projector }
    }

    /// Every pair of agents of which one has handed over to the other, in the order of their names.
    ///
    /// # Errors
    /// When the store cannot be read, or rows cannot be saved.
    pub async fn list(&self) -> Result<Vec<HandoffRow>, ViewError> {
        self.projector.catch_up().await?;
        let pairs = self.projector.saved_rows(VIEW, b"h").await?;
        // A row that this version cannot read is as good as none.
        Ok(pairs.iter().filter_map(|row| from_bytes::<HandoffRow>(&row.bytes).ok()).collect())
    }
}

/// The rows of handoffs.
pub struct HandoffRows;

impl Projection for HandoffRows {
    fn name(&self) -> &'static str {
        VIEW
    }

    fn shape(&self) -> u32 {
        1
    }

    fn reads(&self, page: &Page<'_>, _: &Rows) -> Vec<Vec<u8>> {
        page.events().filter_map(declared).filter_map(|declared| key(&declared)).collect()
    }

    fn fold(&self, page: &Page<'_>, rows: &mut Rows) {
        for recorded in page.events() {
            let Some(declared) = declared(recorded) else { continue };
            let Some(key) = key(&declared) else { continue };
            let before = rows.get(&key).and_then(|row| from_bytes::<HandoffRow>(row).ok());
            let row = HandoffRow {
                count: before.map_or(0, |before| before.count).saturating_add(1),
                from: declared.from,
                to: declared.to,
                last_at: recorded.header.recorded_at,
                last_reason: declared.reason.chars().take(REASON_CHARS_MAX).collect(),
            };
            if let Ok(bytes) = to_bytes(&row) {
                rows.set(key, bytes);
            }
        }
    }
}

/// The handoff that an event declares, if it does. What cannot be decoded is reported by `verify`.
fn declared(recorded: &Recorded) -> Option<HandoffDeclared> {
    if &*recorded.event.kind != "handoff_declared" {
        return None;
    }
    match recorded.decode() {
        Ok(RunEvent::HandoffDeclared(declared)) => Some(declared),
        _ => None,
    }
}

fn key(declared: &HandoffDeclared) -> Option<Vec<u8>> {
    let key = [b"h", declared.from.key().as_bytes(), &[0], declared.to.key().as_bytes()].concat();
    (key.len() <= VIEW_KEY_BYTES_MAX).then_some(key)
}
