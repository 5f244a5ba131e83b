//! Answers that were kept: where each was given, and which are taken no more.
//!
//! Under `e` and its key stands an answer, as its place in the history: what was answered stands there. Under `o` and a number stands the
//! key of the answer that was kept or taken then, so that those that nobody takes come first; under `a` and the key of an agent how much
//! its answers have together. What people take away is not looked for one by one: it is what has a smaller number than was next then.
//! All of it follows from events, that an answer is taken too.

mod ledger;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use self::ledger::{AGENT, AgentSum, ENTRY, Ledger, META, Sum, agent_key, entry_key};
use crate::events::cache::CacheEvent;
use crate::events::codec::from_bytes;
use crate::events::commit::Recorded;
use crate::events::ids::{AgentName, CACHE_KIND, Hash, RUN_KIND, RunId, StepId, StreamId, Version};
use crate::events::run::{AnswerKept, RunEvent};
use crate::events::time::{Timestamp, micros};
use crate::kernel::projection::{Page, Projection, Rows};
use crate::store::{EventStore, ViewRow};
use crate::views::projector::{Projector, ViewError};

const VIEW: &str = "cache";

/// An answer that was kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptRow {
    /// The agent that answered, as its run calls it.
    pub agent: AgentName,
    /// The run.
    pub run: RunId,
    /// The step.
    pub step: StepId,
    /// The version of the run's event that kept it.
    pub version: Version,
    /// When that was recorded.
    pub at: Timestamp,
    /// How long it may be taken, in µs; none for as long as it is there.
    pub ttl_us: Option<u64>,
    /// How much it counts, in bytes.
    pub size_bytes: u64,
    /// How often it was taken.
    pub hits: u64,
    /// When it was taken last, or kept.
    pub used_at: Timestamp,
    /// The number of that among all that were kept and taken.
    number: u64,
}

impl KeptRow {
    /// When it may not be taken any more; none if that never comes.
    pub fn expires(&self) -> Option<Timestamp> {
        self.ttl_us.map(|ttl_us| self.at.after(std::time::Duration::from_micros(ttl_us)))
    }

    /// Whether it may be taken by who takes none that is older than that, in µs.
    pub fn is_fresh(&self, now: Timestamp, ttl_us: Option<u64>) -> bool {
        let age = micros(now.since(self.at));
        self.ttl_us.into_iter().chain(ttl_us).all(|ttl_us| age < ttl_us)
    }
}

/// The read model of answers that were kept.
#[derive(Clone)]
pub struct CacheView {
    projector: Arc<Projector>,
}

impl CacheView {
    /// What this projector keeps up, among others: [`CacheRows`] is one of its projections.
    pub fn new(projector: Arc<Projector>) -> Self {
        Self { projector }
    }

    /// The answer under a key, however old it is; none if there is none, or it was taken away.
    ///
    /// # Errors
    /// When the store cannot be read, or rows cannot be saved.
    pub async fn find(&self, key: &Hash) -> Result<Option<KeptRow>, ViewError> {
        self.projector.catch_up_on(VIEW).await?;
        let Some(row) = self.row::<KeptRow>(&entry_key(key)).await? else { return Ok(None) };
        let sum = self.row::<Sum>(META).await?.unwrap_or_default();
        let of_agent = self.row::<AgentSum>(&agent_key(&row.agent)).await?;
        Ok(Some(row).filter(|row| sum.counts(row.number, of_agent.as_ref())))
    }

    /// What was answered: the event that kept it; none if it is not there any more.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn answer(&self, row: &KeptRow) -> Result<Option<AnswerKept>, ViewError> {
        let after = Version(row.version.0.saturating_sub(1));
        let events = self.projector.store().read_stream(&StreamId::of_run(&row.run), after, 1).await?;
        let kept = events.first().and_then(|event| match event.decode::<RunEvent>() {
            Ok(RunEvent::AnswerKept(kept)) => Some(kept),
            _ => None,
        });
        Ok(kept)
    }

    /// All answers, each with its key, the one that was used last first.
    ///
    /// # Errors
    /// As for [`CacheView::find`].
    pub async fn list(&self) -> Result<Vec<(Hash, KeptRow)>, ViewError> {
        self.projector.catch_up().await?;
        let sum = self.row::<Sum>(META).await?.unwrap_or_default();
        let of_agent = |row: ViewRow| {
            let name = String::from_utf8(row.key.get(1..)?.to_vec()).ok()?;
            Some((name, from_bytes::<AgentSum>(&row.bytes).ok()?))
        };
        let agents = self.projector.saved_rows(VIEW, &[AGENT]).await?;
        let agents: HashMap<String, AgentSum> = agents.into_iter().filter_map(of_agent).collect();
        let entry = |row: ViewRow| {
            let key = <[u8; 32]>::try_from(row.key.get(1..)?).ok().map(Hash)?;
            Some((key, from_bytes::<KeptRow>(&row.bytes).ok()?))
        };
        let entries = self.projector.saved_rows(VIEW, &[ENTRY]).await?;
        let mut all: Vec<_> = entries.into_iter().filter_map(entry).collect();
        all.retain(|(_, row)| sum.counts(row.number, agents.get(&row.agent.key())));
        all.sort_by_key(|(_, row)| std::cmp::Reverse(row.number));
        Ok(all)
    }

    /// A row; one that this version cannot read is as good as none.
    async fn row<T: for<'a> Deserialize<'a>>(&self, key: &[u8]) -> Result<Option<T>, ViewError> {
        let bytes = self.store().view_row(VIEW, key).await?;
        Ok(bytes.and_then(|bytes| from_bytes(&bytes).ok()))
    }

    fn store(&self) -> &dyn EventStore {
        &**self.projector.store()
    }
}

/// The rows of answers that were kept, of as many as have so many bytes together.
pub struct CacheRows {
    /// How many bytes those may have together that count; what nobody took for longest goes first.
    pub bytes_max: u64,
}

impl Projection for CacheRows {
    fn name(&self) -> &'static str {
        VIEW
    }

    fn shape(&self) -> u32 {
        1
    }

    fn reads(&self, page: &Page<'_>, rows: &Rows) -> Vec<Vec<u8>> {
        let changes: Vec<_> = page.events().filter_map(change).collect();
        if changes.is_empty() {
            return Vec::new();
        }
        let mut ledger = Ledger::new(rows, self.bytes_max);
        changes.into_iter().for_each(|change| ledger.take(change));
        ledger.missing()
    }

    fn fold(&self, page: &Page<'_>, rows: &mut Rows) {
        let changes: Vec<_> = page.events().filter_map(change).collect();
        if changes.is_empty() {
            return;
        }
        let mut ledger = Ledger::new(rows, self.bytes_max);
        changes.into_iter().for_each(|change| ledger.take(change));
        for (key, bytes) in ledger.changes() {
            match bytes {
                Some(bytes) => rows.set(key, bytes),
                None => rows.remove(key),
            }
        }
    }
}

/// What an event changes.
enum Change {
    Kept(Hash, Box<KeptRow>),
    Taken(Hash, Timestamp),
    Cleared(Option<AgentName>),
}

/// How much an answer counts beside its own length, in bytes: about what its rows have.
const ROW_BYTES: u64 = 256;

fn change(recorded: &Recorded) -> Option<Change> {
    let (at, kind) = (recorded.header.recorded_at, &*recorded.event.kind);
    match recorded.header.stream.kind() {
        RUN_KIND if kind == "answer_kept" || kind == "cache_hit" => {}
        CACHE_KIND => {
            // What cannot be decoded is reported by `verify`.
            let CacheEvent::CacheCleared(cleared) = recorded.decode().ok()?;
            return Some(Change::Cleared(cleared.agent));
        }
        _ => return None,
    }
    match recorded.decode().ok()? {
        RunEvent::AnswerKept(kept) => {
            let files: usize = kept.artifacts.iter().map(String::len).sum();
            let row = KeptRow {
                agent: kept.agent,
                run: recorded.header.stream.run()?,
                step: kept.step,
                version: recorded.version,
                at,
                ttl_us: kept.ttl_us,
                size_bytes: kept.answer.size_bytes().saturating_add(files as u64).saturating_add(ROW_BYTES),
                hits: 0,
                used_at: at,
                number: 0,
            };
            Some(Change::Kept(kept.key, Box::new(row)))
        }
        RunEvent::CacheHit(hit) => Some(Change::Taken(hit.key, at)),
        _ => None,
    }
}
