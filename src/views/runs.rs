//! The list of runs: a row for each, newest first.
//!
//! Rows are kept in their order (`t`, a number that falls with the time of the start, id), and under each id (`r`, id)
//! is where its row is. They are folded when somebody asks, from where the last fold ended: a run's progress costs the
//! list nothing.

mod life;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use crate::events::codec::Encoded;
use crate::events::commit::Recorded;
use crate::events::ids::{RunId, Version};
use crate::events::run::RunEvent;
use crate::events::time::Timestamp;
use crate::store::{AppendError, EventStore, ReadError, ViewChange};
use crate::workflow::run::RunStatus;
use life::Life;

const VIEW: &str = "runs";

/// How many events are folded between two saves: what bounds the rows in memory.
const PAGE: usize = 4_096;

/// How many rows are read at once.
const ROWS_PAGE: usize = 512;

/// What the list knows of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunRow {
    /// Its id.
    pub run: RunId,
    /// The workflow's name.
    pub workflow: String,
    /// Where it is.
    pub status: RunStatus,
    /// When it was started.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Its last version.
    pub version: Version,
    /// What people find it by.
    pub tags: BTreeMap<String, String>,
    /// Whether something was done in a lesser way.
    pub degraded: bool,
}

/// Which rows are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunFilter {
    /// Only those with this status.
    pub status: Option<RunStatus>,
    /// Only those of the workflow with this name.
    pub workflow: Option<String>,
    /// Only those with these tags.
    pub tags: BTreeMap<String, String>,
    /// Only those that have not ended.
    pub unfinished: bool,
    /// At most so many.
    pub limit: Option<usize>,
}

impl RunFilter {
    fn admits(&self, row: &RunRow) -> bool {
        self.status.is_none_or(|status| status == row.status)
            && self.workflow.as_ref().is_none_or(|workflow| *workflow == row.workflow)
            && self.tags.iter().all(|(key, value)| row.tags.get(key) == Some(value))
            && !(self.unfinished && row.status.has_ended())
    }
}

/// Why the list cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ViewError {
    /// Events or rows cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Rows cannot be saved.
    #[error(transparent)]
    Save(#[from] AppendError),
}

/// The read model.
pub struct RunsView {
    store: Arc<dyn EventStore>,
    /// Held while folding, so that two who ask fold once.
    folding: Mutex<()>,
}

impl RunsView {
    /// The list of that store.
    pub fn new(store: Arc<dyn EventStore>) -> Self {
        Self { store, folding: Mutex::new(()) }
    }

    /// Folds all that is durable by now and saves it.
    ///
    /// # Errors
    /// When the store cannot be read, or rows cannot be saved.
    pub async fn catch_up(&self) -> Result<(), ViewError> {
        let _folding = self.folding.lock().await;
        let mut position = self.store.view_position(VIEW).await?;
        let target = *self.store.committed().borrow();
        while position < target {
            let page = self.store.read_all(position, PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            position = last.position;
            let mut fold = Fold { store: &*self.store, rows: HashMap::new() };
            for recorded in &page {
                fold.apply(recorded).await?;
            }
            self.store.save_view(VIEW, position, fold.changes()).await?;
        }
        Ok(())
    }

    /// The rows that a filter admits, newest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn list(&self, filter: &RunFilter) -> Result<Vec<RunRow>, ViewError> {
        self.catch_up().await?;
        let limit = filter.limit.unwrap_or(usize::MAX);
        let (mut rows, mut after) = (Vec::new(), vec![ROW]);
        while rows.len() < limit {
            let page = self.store.view_rows(VIEW, Some(&after), ROWS_PAGE).await?;
            let Some(last) = page.last() else { break };
            after = last.key.clone();
            // A row that this version cannot read is as good as none.
            let read = page.iter().filter_map(|row| serde_json::from_slice(&row.bytes).ok());
            rows.extend(read.filter(|row| filter.admits(row)).take(limit - rows.len()));
        }
        Ok(rows)
    }

    /// The runs that a text may mean: the one whose whole id it is, else all whose ids begin or end with it. `last`
    /// means the newest. No text means no run: it is the beginning of every id, and what a script says whose variable
    /// is not set.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn matching(&self, text: &str) -> Result<Vec<RunId>, ViewError> {
        if text.is_empty() {
            return Ok(Vec::new());
        }
        if text == "last" {
            let newest = RunFilter { limit: Some(1), ..RunFilter::default() };
            return Ok(self.list(&newest).await?.into_iter().map(|row| row.run).collect());
        }
        self.catch_up().await?;
        if let Some(kept) = find(&*self.store, text).await? {
            return Ok(vec![kept.row.run]);
        }
        let (mut found, mut after) = (Vec::new(), vec![PLACE]);
        loop {
            let page = self.store.view_rows(VIEW, Some(&after), ROWS_PAGE).await?;
            let Some(last) = page.last() else { return Ok(found) };
            after = last.key.clone();
            // The rows themselves come behind all places.
            let is_last = last.key.first() != Some(&PLACE);
            let ids = page.iter().filter_map(|row| std::str::from_utf8(row.key.strip_prefix(&[PLACE])?).ok());
            let meant = ids.filter(|id| id.starts_with(text) || id.ends_with(text));
            found.extend(meant.filter_map(|id| RunId::parse(id).ok()));
            if is_last {
                return Ok(found);
            }
        }
    }
}

/// Where rows are, by id. They come first in the order of keys.
const PLACE: u8 = b'r';

/// The rows themselves.
const ROW: u8 = b't';

/// A row as it is kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Kept {
    #[serde(flatten)]
    row: RunRow,
    /// What its status follows from.
    #[serde(default)]
    life: Option<Life>,
}

async fn find(store: &dyn EventStore, run: &str) -> Result<Option<Kept>, ReadError> {
    let Some(key) = store.view_row(VIEW, &place_key(run)).await? else { return Ok(None) };
    let row = store.view_row(VIEW, &key).await?;
    Ok(row.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
}

fn place_key(run: &str) -> Vec<u8> {
    [&[PLACE], run.as_bytes()].concat()
}

fn row_key(row: &RunRow) -> Vec<u8> {
    let newest_first = u64::MAX - u64::try_from(row.started_at.0).unwrap_or(0);
    [&[ROW], newest_first.to_be_bytes().as_slice(), row.run.as_str().as_bytes()].concat()
}

struct Fold<'a> {
    store: &'a dyn EventStore,
    /// Rows that this page of events touches.
    rows: HashMap<RunId, Kept>,
}

impl Fold<'_> {
    async fn apply(&mut self, recorded: &Recorded) -> Result<(), ReadError> {
        let Some(run) = recorded.header.stream.run() else { return Ok(()) };
        if recorded.event.kind.as_ref() == "run_started" {
            // What cannot be decoded is reported by `verify`; the list leaves it out.
            if let Ok(RunEvent::RunStarted(started)) = recorded.decode() {
                let row = RunRow {
                    run: run.clone(),
                    workflow: started.workflow,
                    status: RunStatus::Pending,
                    started_at: recorded.header.recorded_at,
                    ended_at: None,
                    version: recorded.version,
                    tags: started.tags,
                    degraded: false,
                };
                self.rows.insert(run, Kept { row, life: Some(Life::default()) });
            }
            return Ok(());
        }
        if !self.rows.contains_key(&run) {
            let Some(kept) = find(self.store, run.as_str()).await? else { return Ok(()) };
            self.rows.insert(run.clone(), kept);
        }
        if let Some(Kept { row, life }) = self.rows.get_mut(&run) {
            let life = life.get_or_insert(Life::of(row.status));
            row.version = recorded.version;
            life.advance(recorded);
            row.status = life.status();
            match (row.status.has_ended(), row.ended_at) {
                (true, None) => row.ended_at = Some(recorded.header.recorded_at),
                (true, Some(_)) => {}
                (false, _) => row.ended_at = None,
            }
            let event = &recorded.event;
            if event.kind.as_ref() == "run_completed"
                && let Ok(RunEvent::RunCompleted(completed)) =
                    RunEvent::decode(&event.kind, event.schema, &event.payload)
            {
                row.degraded = completed.degraded;
            }
        }
        Ok(())
    }

    fn changes(self) -> Vec<ViewChange> {
        let mut changes: Vec<ViewChange> = Vec::with_capacity(self.rows.len() * 2);
        for kept in self.rows.into_values() {
            let key = row_key(&kept.row);
            changes.push(ViewChange { key: place_key(kept.row.run.as_str()), bytes: Some(key.clone()) });
            changes.push(ViewChange { key, bytes: serde_json::to_vec(&kept).ok() });
        }
        changes
    }
}
