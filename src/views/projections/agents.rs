//! What is known of agents, and which runs wait for those that are paused.
//!
//! Under `a` and the key of an agent is what its own stream says of it; under `w`, that key, a zero byte and the id of a run
//! stands that the run waits for it: as long as the run's own stream says so.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::aggregates::agent::{AgentStanding, Word};
use crate::events::agent::AgentEvent;
use crate::events::codec::{from_bytes, to_bytes};
use crate::events::commit::Recorded;
use crate::events::ids::{AGENT_KIND, AgentName, Position, RunId, StreamId, Version};
use crate::events::limits::VIEW_KEY_BYTES_MAX;
use crate::events::run::{AgentAwaitEnded, AgentAwaited, RunEvent};
use crate::kernel::projection::runner::SHAPE_KEY;
use crate::kernel::projection::{Log, Page, Projection, Rows};
use crate::store::{ReadError, ViewRow};
use crate::views::log::LogReader;
use crate::views::projector::Projector;

const VIEW: &str = "agents";

/// The prefixes of keys: what is known of an agent, and that a run waits for it.
const AGENT: u8 = b'a';
const WAITS: u8 = b'w';

/// How many events are read at once that are not folded yet.
const EVENTS_PAGE: usize = 4_096;

/// How much of who wanted something and why stands in a row, in characters: a row is bounded.
const WORD_CHARS_MAX: usize = 200;

/// What the list knows of an agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentRow {
    /// The version of the agent's stream that the row is as of.
    pub version: Version,
    /// The standing of the agent. The names and reasons in it are as long as a row has room for.
    pub standing: AgentStanding,
}

/// The read model of agents, one row each.
pub struct AgentsView {
    projector: Arc<Projector>,
}

impl AgentsView {
    /// What this projector keeps up, among others: [`AgentRows`] is one of its projections.
    pub fn new(projector: Arc<Projector>) -> Self {
        Self { projector }
    }

    /// All agents to which something has happened, in the order of their keys.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn list(&self) -> Result<Vec<AgentRow>, ReadError> {
        let rows = self.rows(vec![AGENT]).await?;
        // A row that this version cannot read is as good as none.
        Ok(rows.iter().filter_map(|row| from_bytes(&row.bytes).ok()).collect())
    }

    /// The runs that wait for an agent, each with what it calls the agent; for any agent, if none is named.
    ///
    /// # Errors
    /// As for [`AgentsView::list`].
    pub async fn waiting(&self, agent: Option<&AgentName>) -> Result<Vec<(RunId, AgentName)>, ReadError> {
        let prefix = agent.map_or_else(|| vec![WAITS], |agent| waits_for(&agent.key()));
        let rows = self.rows(prefix).await?;
        let read = |row: &ViewRow| {
            let run = row.key.iter().rposition(|byte| *byte == 0).and_then(|at| row.key.get(at + 1..))?;
            let run = RunId::parse(std::str::from_utf8(run).ok()?).ok()?;
            Some((run, AgentName::new(std::str::from_utf8(&row.bytes).ok()?)))
        };
        Ok(rows.iter().filter_map(read).collect())
    }

    /// All rows whose keys begin so, of all that is durable by now. What is not folded yet is, and not saved: nothing may
    /// start before this is known, and that must not depend on whether a cache can be written, or on what else is folded.
    async fn rows(&self, prefix: Vec<u8>) -> Result<Vec<ViewRow>, ReadError> {
        let store = self.projector.store();
        let shape = AgentRows.shape().to_string().into_bytes();
        let is_kept = store.view_row(VIEW, SHAPE_KEY).await? == Some(shape);
        // Rows may be saved meanwhile: what is folded twice comes to the same.
        let folded = if is_kept { store.view_position(VIEW).await? } else { Position(0) };
        let mut rows = if is_kept { self.saved(&prefix).await? } else { BTreeMap::new() };
        let mut reader = LogReader::of_all(Arc::clone(store), folded, EVENTS_PAGE);
        loop {
            let log = Log::new(reader.page().await?);
            if log.end() == Position(0) {
                break;
            }
            let (page, mut changed) = (log.after(folded), Rows::default());
            let keys: Vec<_> = changes(&page).filter(|key| key.starts_with(&prefix)).collect();
            keys.iter().for_each(|key| changed.read(key.clone(), rows.get(key).cloned()));
            AgentRows.fold(&page, &mut changed);
            for key in keys {
                match changed.get(&key).map(<[u8]>::to_vec) {
                    Some(bytes) => drop(rows.insert(key, bytes)),
                    None => drop(rows.remove(&key)),
                }
            }
        }
        Ok(rows.into_iter().map(|(key, bytes)| ViewRow { key, bytes }).collect())
    }

    /// The rows that are saved whose keys begin so.
    async fn saved(&self, prefix: &[u8]) -> Result<BTreeMap<Vec<u8>, Vec<u8>>, ReadError> {
        let rows = self.projector.saved_rows(VIEW, prefix).await?;
        Ok(rows.into_iter().map(|row| (row.key, row.bytes)).collect())
    }
}

/// The rows of agents.
pub struct AgentRows;

impl Projection for AgentRows {
    fn name(&self) -> &'static str {
        VIEW
    }

    fn shape(&self) -> u32 {
        1
    }

    fn reads(&self, page: &Page<'_>, _: &Rows) -> Vec<Vec<u8>> {
        page.streams().filter_map(|(stream, _)| agent_key(stream)).collect()
    }

    fn fold(&self, page: &Page<'_>, rows: &mut Rows) {
        for (stream, events) in page.streams() {
            match (agent_key(stream), stream.run()) {
                (Some(key), _) => fold_agent(key, &events, rows),
                (None, Some(run)) => events.into_iter().for_each(|event| fold_wait(&run, event, rows)),
                (None, None) => {}
            }
        }
    }
}

fn fold_agent(key: Vec<u8>, events: &[&Recorded], rows: &mut Rows) {
    let kept = rows.get(&key).and_then(|row| from_bytes::<AgentRow>(row).ok());
    let mut row = kept.unwrap_or(AgentRow { version: Version(0), standing: AgentStanding::default() });
    for recorded in events {
        // What cannot be decoded is reported by `verify`.
        if let Ok(event) = recorded.decode::<AgentEvent>() {
            row.standing.tell(&event, recorded.header.recorded_at);
        }
        row.version = recorded.version;
    }
    let AgentStanding { paused, draining, .. } = &mut row.standing;
    paused.iter_mut().chain(draining).for_each(shorten);
    if let Ok(bytes) = to_bytes(&row) {
        rows.set(key, bytes);
    }
}

fn shorten(word: &mut Word) {
    let cut = |text: &str| text.chars().take(WORD_CHARS_MAX).collect::<String>();
    word.by = cut(&word.by).into();
    word.reason = word.reason.as_deref().map(cut);
}

fn fold_wait(run: &RunId, recorded: &Recorded, rows: &mut Rows) {
    match wait(run, recorded) {
        Some((key, Some(agent))) => rows.set(key, agent.as_str().as_bytes().to_vec()),
        Some((key, None)) => rows.remove(key),
        None => {}
    }
}

/// The key under which it stands that a run waits for an agent, if it begins to or does not any more; and in the first case,
/// for whom.
fn wait(run: &RunId, recorded: &Recorded) -> Option<(Vec<u8>, Option<AgentName>)> {
    if !matches!(&*recorded.event.kind, "agent_awaited" | "agent_await_ended") {
        return None;
    }
    let (agent, waits) = match recorded.decode() {
        Ok(RunEvent::AgentAwaited(AgentAwaited { agent })) => (agent, true),
        Ok(RunEvent::AgentAwaitEnded(AgentAwaitEnded { agent })) => (agent, false),
        _ => return None,
    };
    let key = [waits_for(&agent.key()).as_slice(), run.as_str().as_bytes()].concat();
    (key.len() <= VIEW_KEY_BYTES_MAX).then_some((key, waits.then_some(agent)))
}

/// The keys of the rows that a page changes.
fn changes<'a>(page: &Page<'a>) -> impl Iterator<Item = Vec<u8>> + use<'a> {
    page.streams().flat_map(|(stream, events)| {
        let (agent, run) = (agent_key(stream), stream.run());
        let waits = run.into_iter().flat_map(move |run| {
            let keys: Vec<_> =
                events.iter().filter_map(|event| wait(&run, event)).map(|(key, _)| key).collect();
            keys
        });
        agent.into_iter().chain(waits)
    })
}

/// The key of an agent's row, if that is an agent's stream.
fn agent_key(stream: &StreamId) -> Option<Vec<u8>> {
    let (_, key) = stream.parts().filter(|(kind, _)| *kind == AGENT_KIND)?;
    let key = [&[AGENT], key.as_bytes()].concat();
    (key.len() <= VIEW_KEY_BYTES_MAX).then_some(key)
}

/// What the keys begin with of the runs that wait for an agent.
fn waits_for(key: &str) -> Vec<u8> {
    [&[WAITS], key.as_bytes(), &[0]].concat()
}
