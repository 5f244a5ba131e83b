//! Keeps read models up to date: it drives their runners over a store.
//!
//! Read models that are kept up together are folded from the same pages, and where a stream is after a page
//! is asked only once. Each has a position of its own: one whose layout changed is folded again, and the
//! others go on from where they are.

use std::sync::Arc;

use futures_util::TryFutureExt;
use futures_util::future::{try_join, try_join_all};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use tokio::sync::Mutex;

use super::log::LogReader;
use super::standings::{PageByPage, Standings};
use crate::events::ids::Position;
use crate::events::problem::Problem;
use crate::kernel::projection::runner::{Runner, SHAPE_KEY, Want};
use crate::kernel::projection::{Log, Projection};
use crate::store::{AppendError, EventStore, ReadError, ViewRow};

/// How many events are folded between two saves; it bounds the rows in memory.
const PAGE: usize = 4_096;

/// How many rows are read of a page where all are wanted.
const ROWS_PAGE: usize = 512;

/// How many rows are read at once: as many as keep the store busy.
const ROWS_READ_AT_ONCE: usize = 8;

/// Why read models cannot be kept up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ViewError {
    /// Events or rows cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Rows cannot be saved.
    #[error(transparent)]
    Save(#[from] AppendError),
    /// It cannot be known where a stream is.
    #[error("{0}")]
    Fold(#[from] Problem),
}

/// Read models of one store that are kept up together.
pub struct Projector {
    store: Arc<dyn EventStore>,
    standings: Arc<dyn Standings>,
    projections: Vec<Box<dyn Projection>>,
    page_events: usize,
    /// Held while folding, so that of two who ask at once only one folds.
    folding: Mutex<()>,
}

impl Projector {
    /// Keeps these projections up to date. `standings` tells where streams are.
    pub fn new(
        store: Arc<dyn EventStore>,
        standings: Arc<dyn Standings>,
        projections: Vec<Box<dyn Projection>>,
    ) -> Self {
        Self { store, standings, projections, page_events: PAGE, folding: Mutex::new(()) }
    }

    /// The same projector, with that number of events in a page.
    #[must_use]
    pub fn with_pages_of(self, page_events: usize) -> Self {
        Self { page_events: page_events.max(1), ..self }
    }

    /// The store of the events and the rows.
    pub fn store(&self) -> &Arc<dyn EventStore> {
        &self.store
    }

    /// Folds all that is durable by now and saves it.
    ///
    /// # Errors
    /// When the store cannot be read, or rows cannot be saved.
    pub async fn catch_up(&self) -> Result<(), ViewError> {
        let end = *self.store.committed().borrow();
        self.at_least(end).await
    }

    /// The same for one read model alone, where the others can wait.
    ///
    /// # Errors
    /// As for [`Projector::catch_up`].
    pub async fn catch_up_on(&self, view: &str) -> Result<(), ViewError> {
        let end = *self.store.committed().borrow();
        let wanted = self.projections.iter().filter(|projection| projection.name() == view);
        self.fold(wanted.map(|projection| &**projection), end).await
    }

    /// The rows of a read model as they were saved last, of which the keys begin so and go on.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn saved_rows(&self, view: &'static str, prefix: &[u8]) -> Result<Vec<ViewRow>, ReadError> {
        let (mut found, mut after) = (Vec::new(), prefix.to_vec());
        loop {
            let page = self.store.view_rows(view, Some(&after), ROWS_PAGE).await?;
            let Some(last) = page.last() else { return Ok(found) };
            after.clone_from(&last.key);
            let is_over = !last.key.starts_with(prefix);
            found.extend(page.into_iter().filter(|row| row.key.starts_with(prefix)));
            if is_over {
                return Ok(found);
            }
        }
    }

    /// Folds until the rows hold all events up to a position, one that an append has answered or is about to
    /// answer. So whoever appended finds the effect in the rows.
    ///
    /// # Errors
    /// The same as those of [`Projector::catch_up`], and when the store is closed before
    /// it holds that position.
    pub async fn at_least(&self, position: Position) -> Result<(), ViewError> {
        self.fold(self.projections.iter().map(|projection| &**projection), position).await
    }

    async fn fold<'p>(
        &self,
        projections: impl Iterator<Item = &'p dyn Projection>,
        position: Position,
    ) -> Result<(), ViewError> {
        let mut committed = self.store.committed();
        committed.wait_for(|end| *end >= position).await.map_err(|_| ReadError::Closed)?;
        let _folding = self.folding.lock().await;
        let mut runners: Vec<_> = projections.map(|projection| Runner::new(projection, position)).collect();
        let mut known = PageByPage::new(&*self.standings);
        let Some(after) = self.carry_out(&mut runners, &Log::default()).await? else { return Ok(()) };
        let mut reader = LogReader::of_all(Arc::clone(&self.store), after, self.page_events);
        let mut page = reader.page().await?;
        while !page.is_empty() {
            let log = Log::new(page);
            let known = known.of(&log).await?;
            let log = log.with(known);
            // The next page is read while this one is saved.
            let next = async { if log.end() < position { reader.page().await } else { Ok(Vec::new()) } };
            (page, _) = try_join(next.err_into(), self.carry_out(&mut runners, &log)).await?;
        }
        Ok(())
    }

    /// How many durable events are not folded yet.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn behind(&self) -> Result<u64, ReadError> {
        let places = self.projections.iter().map(|projection| self.store.view_position(projection.name()));
        let folded = try_join_all(places).await?.into_iter().min();
        Ok(folded.map_or(0, |folded| self.store.committed().borrow().0.saturating_sub(folded.0)))
    }

    /// Does what runners want until they want events that are not in this page; answers the position
    /// after which those are.
    async fn carry_out(&self, runners: &mut [Runner<'_>], log: &Log) -> Result<Option<Position>, ViewError> {
        let all = runners.iter_mut().map(|runner| self.carry_out_one(runner, log));
        Ok(try_join_all(all).await?.into_iter().flatten().min())
    }

    async fn carry_out_one(&self, runner: &mut Runner<'_>, log: &Log) -> Result<Option<Position>, ViewError> {
        let (store, name) = (&*self.store, runner.name());
        loop {
            match runner.wants() {
                Want::Place => {
                    let shape = store.view_row(name, SHAPE_KEY).await?;
                    runner.found(store.view_position(name).await?, shape.as_deref());
                }
                Want::Leftover => {
                    let rows = store.view_rows(name, None, self.page_events).await?;
                    runner.leftover(rows.into_iter().map(|row| row.key).collect());
                }
                Want::Rows(keys) => {
                    let read = |key: Vec<u8>| async move {
                        let row = store.view_row(name, &key).await?;
                        Ok::<_, ReadError>((key, row))
                    };
                    let rows = stream::iter(keys).map(read).buffer_unordered(ROWS_READ_AT_ONCE);
                    let rows: Vec<_> = rows.try_collect().await?;
                    rows.into_iter().for_each(|(key, row)| runner.row(key, row));
                }
                Want::Save(position, changes) => {
                    store.save_view(name, position, changes).await?;
                    runner.saved();
                }
                Want::Events(after) if log.end() > after => runner.page(log),
                Want::Events(after) => return Ok(Some(after)),
                Want::Nothing => return Ok(None),
            }
        }
    }
}
