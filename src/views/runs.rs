//! The list of runs: a row for each, newest first.
//!
//! Rows are kept by id (`r` + id) and, for the order, by start (`t` + a number that falls with time + id). They are
//! folded when somebody asks, from where the last fold ended: a run's progress costs the list nothing.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use crate::events::codec::Encoded;
use crate::events::commit::Recorded;
use crate::events::ids::{RunId, Version};
use crate::events::run::RunEvent;
use crate::events::time::Timestamp;
use crate::store::{AppendError, EventStore, ReadError, ViewChange, ViewRow};
use crate::workflow::run::RunStatus;

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
        let (mut rows, mut after) = (Vec::new(), vec![ORDER]);
        while rows.len() < limit {
            let page = self.store.view_rows(VIEW, Some(&after), ROWS_PAGE).await?;
            let Some(last) = page.last() else { break };
            after = last.key.clone();
            for ViewRow { key, .. } in &page {
                let Some(run) = key.get(ORDER_PREFIX_BYTES..) else { continue };
                let Some(row) = row(&*self.store, run).await? else { continue };
                if filter.admits(&row) && rows.len() < limit {
                    rows.push(row);
                }
            }
        }
        Ok(rows)
    }

    /// The runs that a text may mean: the one whose whole id it is, else all whose ids begin or end with it. `last`
    /// means the newest.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn matching(&self, text: &str) -> Result<Vec<RunId>, ViewError> {
        if text == "last" {
            let newest = RunFilter { limit: Some(1), ..RunFilter::default() };
            return Ok(self.list(&newest).await?.into_iter().map(|row| row.run).collect());
        }
        self.catch_up().await?;
        if let Some(row) = row(&*self.store, text.as_bytes()).await? {
            return Ok(vec![row.run]);
        }
        let (mut found, mut after) = (Vec::new(), vec![ROW]);
        loop {
            let page = self.store.view_rows(VIEW, Some(&after), ROWS_PAGE).await?;
            let Some(last) = page.last().filter(|last| last.key.first() == Some(&ROW)) else {
                return Ok(found);
            };
            after = last.key.clone();
            let ids = page.iter().filter_map(|row| std::str::from_utf8(row.key.strip_prefix(&[ROW])?).ok());
            let meant = ids.filter(|id| id.starts_with(text) || id.ends_with(text));
            found.extend(meant.filter_map(|id| RunId::parse(id).ok()));
        }
    }
}

/// Rows by id come first in the order of keys, then those that give the order.
const ROW: u8 = b'r';
const ORDER: u8 = b't';

/// [`ORDER`] and a number of eight bytes.
const ORDER_PREFIX_BYTES: usize = 9;

async fn row(store: &dyn EventStore, run: &[u8]) -> Result<Option<RunRow>, ReadError> {
    let key = row_key(run);
    let before = key.split_last().map(|(last, head)| match last.checked_sub(1) {
        Some(smaller) => [head, &[smaller, u8::MAX]].concat(),
        None => head.to_vec(),
    });
    let rows = store.view_rows(VIEW, before.as_deref(), 1).await?;
    let found = rows.into_iter().next().filter(|row| row.key == key);
    // A row that this version cannot read is as good as none: the fold makes it again.
    Ok(found.and_then(|row| serde_json::from_slice(&row.bytes).ok()))
}

fn row_key(run: &[u8]) -> Vec<u8> {
    [&[ROW], run].concat()
}

fn order_key(row: &RunRow) -> Vec<u8> {
    let newest_first = u64::MAX - u64::try_from(row.started_at.0).unwrap_or(0);
    [&[ORDER], newest_first.to_be_bytes().as_slice(), row.run.as_str().as_bytes()].concat()
}

struct Fold<'a> {
    store: &'a dyn EventStore,
    /// Rows that this page of events touches.
    rows: HashMap<RunId, RunRow>,
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
                self.rows.insert(run, row);
            }
            return Ok(());
        }
        if !self.rows.contains_key(&run) {
            let Some(row) = row(self.store, run.as_str().as_bytes()).await? else { return Ok(()) };
            self.rows.insert(run.clone(), row);
        }
        if let Some(row) = self.rows.get_mut(&run) {
            row.version = recorded.version;
            advance(row, recorded);
        }
        Ok(())
    }

    fn changes(self) -> Vec<ViewChange> {
        let mut changes: Vec<ViewChange> = Vec::with_capacity(self.rows.len() * 2);
        for row in self.rows.into_values() {
            changes.push(ViewChange { key: order_key(&row), bytes: Some(Vec::new()) });
            let bytes = serde_json::to_vec(&row).ok();
            changes.push(ViewChange { key: row_key(row.run.as_str().as_bytes()), bytes });
        }
        changes
    }
}

/// What an event does to a row. Most need not be decoded for that.
fn advance(row: &mut RunRow, recorded: &Recorded) {
    let event = &recorded.event;
    match event.kind.as_ref() {
        "attempt_started" | "timer_set" if !row.status.has_ended() => row.status = RunStatus::Running,
        "run_completed" | "run_failed" => {
            row.ended_at = Some(recorded.header.recorded_at);
            row.status = RunStatus::Failed;
            if let Ok(RunEvent::RunCompleted(completed)) =
                RunEvent::decode(&event.kind, event.schema, &event.payload)
            {
                row.status = RunStatus::Completed;
                row.degraded = completed.degraded;
            }
        }
        _ => {}
    }
}
