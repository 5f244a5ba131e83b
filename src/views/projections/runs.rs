//! The list of runs: a row for each, newest first.
//!
//! Rows are stored in the order of the list (`t`, a number that falls with the time of the start, id), and
//! for each id (`r`, id) the place of its row is stored. They are folded when somebody asks, from where the
//! last fold ended: a run's progress costs the list nothing.

mod fold;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use self::fold::RunRows;
use crate::aggregates::run::RunStatus;
use crate::events::ids::{RunId, Version};
use crate::events::run::Usage;
use crate::events::time::Timestamp;
use crate::store::{EventStore, ReadError, ViewRow};
use crate::views::projector::Projector;
pub use crate::views::projector::ViewError;

const VIEW: &str = "runs";

/// How many rows are read at once.
const ROWS_PAGE: usize = 512;

/// What the list shows of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunRow {
    /// The id of the run.
    pub run: RunId,
    /// The name of the workflow, as much of it as a row has room for.
    pub workflow: String,
    /// The status of the run.
    pub status: RunStatus,
    /// When it was started.
    pub started_at: Timestamp,
    /// When it ended; none while it has not.
    pub ended_at: Option<Timestamp>,
    /// The number of its last event, from 1.
    pub version: Version,
    /// Names and values by which people find the run.
    pub tags: BTreeMap<String, String>,
    /// Whether something was done in a lesser way.
    pub degraded: bool,
    /// What its calls of models used up.
    #[serde(default, skip_serializing_if = "is_nothing")]
    pub usage: Usage,
    /// The run whose step started it; none if a person did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<RunId>,
}

/// Whether nothing was used up: rows of runs that call no model have no room for that.
fn is_nothing(usage: &Usage) -> bool {
    *usage == Usage::default()
}

/// The condition that a row has to meet: every part of it that is given.
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
    /// Only those that no step of another run started.
    pub no_children: bool,
    /// At most this many rows; none for all.
    pub limit: Option<usize>,
}

impl RunFilter {
    fn admits(&self, row: &RunRow) -> bool {
        self.status.is_none_or(|status| status == row.status)
            && self.workflow.as_ref().is_none_or(|workflow| in_a_row(workflow) == in_a_row(&row.workflow))
            && self.tags.iter().all(|(key, value)| row.tags.get(key) == Some(value))
            && !(self.unfinished && row.status.has_ended())
            && !(self.no_children && row.parent.is_some())
    }
}

/// Rows in the order of the list, and where the next ones begin.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RowsPage {
    /// The rows, newest run first.
    pub rows: Vec<RunRow>,
    /// The key after which the next page begins; none if this was the last.
    pub next: Option<Vec<u8>>,
}

/// The list of runs, as a read model.
pub struct RunsView {
    projector: Arc<Projector>,
}

impl RunsView {
    /// The list, which the projector keeps up to date among others: [`RunRows`] must be
    /// one of its projections.
    pub fn new(projector: Arc<Projector>) -> Self {
        Self { projector }
    }

    /// Folds all that is durable by now and saves it.
    ///
    /// # Errors
    /// When the store cannot be read, or rows cannot be saved.
    pub async fn catch_up(&self) -> Result<(), ViewError> {
        self.projector.catch_up().await
    }

    fn store(&self) -> &dyn EventStore {
        &**self.projector.store()
    }

    /// The rows that a filter admits, newest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn list(&self, filter: &RunFilter) -> Result<Vec<RunRow>, ViewError> {
        self.some(filter, None, |_| true).await.map(|(rows, _)| rows)
    }

    /// The rows that a filter and `also` admit, newest first, after that of a run, if one is named; and whether there are more
    /// than the filter's limit.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn some(
        &self,
        filter: &RunFilter,
        after: Option<&RunId>,
        also: impl Fn(&RunRow) -> bool,
    ) -> Result<(Vec<RunRow>, bool), ViewError> {
        self.catch_up().await?;
        let limit = filter.limit.unwrap_or(usize::MAX);
        let mut place = match after {
            Some(run) => self.store().view_row(VIEW, &place_key(run.as_str())).await?,
            None => None,
        };
        let mut rows = Vec::new();
        loop {
            let page = self.rows(filter, place.as_deref()).await?;
            for row in page.rows.into_iter().filter(&also) {
                if rows.len() >= limit {
                    return Ok((rows, true));
                }
                rows.push(row);
            }
            let Some(next) = page.next else { return Ok((rows, false)) };
            place = Some(next);
        }
    }

    /// The row of a run, as it was last folded; none if the list does not have the run.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn row(&self, run: &RunId) -> Result<Option<RunRow>, ViewError> {
        Ok(find(self.store(), run.as_str()).await?)
    }

    /// The statuses of some runs; runs that are not in the list are left out.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn statuses(
        &self,
        runs: impl IntoIterator<Item = &RunId>,
    ) -> Result<HashMap<RunId, RunStatus>, ViewError> {
        self.catch_up().await?;
        let mut statuses = HashMap::new();
        for run in runs {
            if let Some(row) = find(self.store(), run.as_str()).await? {
                statuses.insert(run.clone(), row.status);
            }
        }
        Ok(statuses)
    }

    /// The rows that a filter admits among the next few of the list as it was last
    /// folded; `limit` is ignored.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn rows(&self, filter: &RunFilter, after: Option<&[u8]>) -> Result<RowsPage, ViewError> {
        let page = self.store().view_rows(VIEW, Some(after.unwrap_or(&[ROW])), ROWS_PAGE).await?;
        let read = |row: &ViewRow| serde_json::from_slice(&row.bytes).ok();
        let next = page.last().map(|last| last.key.clone());
        // A row that this version cannot read is left out.
        Ok(RowsPage { rows: page.iter().filter_map(read).filter(|row| filter.admits(row)).collect(), next })
    }

    /// The runs that a text may mean: the one whose whole id it is, or else all whose ids begin or end with
    /// it. `last` means the newest that somebody started: children do not count. An empty text means no run:
    /// every id begins with it, and a script says it when a variable is not set.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn matching(&self, text: &str) -> Result<Vec<RunId>, ViewError> {
        if text.is_empty() {
            return Ok(Vec::new());
        }
        if text == "last" {
            let newest = RunFilter { limit: Some(1), no_children: true, ..RunFilter::default() };
            return Ok(self.list(&newest).await?.into_iter().map(|row| row.run).collect());
        }
        self.catch_up().await?;
        if let Some(row) = find(self.store(), text).await? {
            return Ok(vec![row.run]);
        }
        let (mut found, mut after) = (Vec::new(), vec![PLACE]);
        loop {
            let page = self.store().view_rows(VIEW, Some(&after), ROWS_PAGE).await?;
            let Some(last) = page.last() else { return Ok(found) };
            after = last.key.clone();
            // Behind the places, in the order of keys, come the rows.
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

/// How many characters of a workflow's name stand in a row: a row is bounded, and one run with a very long
/// name must not hide all others.
const NAME_CHARS_MAX: usize = 200;

/// The name of a workflow, cut to what a row has room for.
fn in_a_row(name: &str) -> &str {
    let end = name.char_indices().nth(NAME_CHARS_MAX).map(|(end, _)| end);
    end.and_then(|end| name.get(..end)).unwrap_or(name)
}

/// The prefix of the keys of places, by id. In the order of keys they come right before the rows.
const PLACE: u8 = b'r';

/// The prefix of the keys of rows, the last in the order of keys.
const ROW: u8 = b't';

async fn find(store: &dyn EventStore, run: &str) -> Result<Option<RunRow>, ReadError> {
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
