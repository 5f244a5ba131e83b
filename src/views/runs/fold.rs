//! Folding pages of events into rows.

use std::collections::HashMap;

use futures_util::stream::{self, StreamExt, TryStreamExt};

use super::due::{self, Next, State, States};
use super::{Kept, RunRow, ViewError, find, in_a_row, place_key, row_key};
use crate::aggregates::run::{Run, RunStatus};
use crate::events::commit::Recorded;
use crate::events::ids::{RunId, Version};
use crate::events::limits::VIEW_ROW_BYTES_MAX;
use crate::events::problem::Code;
use crate::events::run::RunEvent;
use crate::kernel::{Aggregate, At, EffectChanges};
use crate::store::{EventStore, ReadError, ViewChange};

/// How many runs are folded at once to see where they are: as many as keep the store busy.
const FOLDED_AT_ONCE: usize = 8;

/// Of how many runs it is remembered that a later page tells nothing new. Beyond it some are folded twice.
const AHEAD_MAX: usize = 64 * 1024;

pub(super) struct Fold<'a> {
    store: &'a dyn EventStore,
    states: &'a dyn States,
    /// Runs that were folded further than the pages went so far.
    ahead: HashMap<RunId, Version>,
}

/// What a page of events says of a run.
struct Touched {
    kept: Kept,
    /// The key under which it was due before.
    due_before: Option<Vec<u8>>,
    last: Version,
    /// Whether the last event of it ended it. Of all others, only their fold tells where they are.
    has_ended: bool,
    /// That fold, if the page holds all that there is of the run so far. Most runs are short.
    fold: Option<Box<Run>>,
}

impl<'a> Fold<'a> {
    pub(super) fn new(store: &'a dyn EventStore, states: &'a dyn States) -> Self {
        Self { store, states, ahead: HashMap::new() }
    }

    /// The rows that a page of events changes.
    pub(super) async fn page(&mut self, page: &[Recorded]) -> Result<Vec<ViewChange>, ViewError> {
        let mut touched = HashMap::new();
        for recorded in page {
            self.touch(&mut touched, recorded).await?;
        }
        let open = touched.iter().filter(|(run, touched)| self.asks_for(run, touched));
        let far = open.filter(|(_, touched)| touched.fold.is_none());
        let asked: Vec<_> = far.map(|(run, touched)| (run.clone(), touched.last)).collect();
        let states: Vec<_> = stream::iter(asked)
            .map(|(run, last)| self.state(run, last))
            .buffer_unordered(FOLDED_AT_ONCE)
            .try_collect()
            .await?;
        let folded = touched.iter().filter(|(run, touched)| self.asks_for(run, touched));
        let folded = folded.filter_map(|(run, touched)| {
            let state = State::of(touched.fold.as_ref()?, touched.last);
            Some((run.clone(), Some(state)))
        });
        let folded: Vec<_> = folded.collect();
        for (run, state) in states.into_iter().chain(folded) {
            let Some(touched) = touched.get_mut(&run) else { continue };
            match state {
                Some(state) => self.stands(touched, run, state),
                // Whoever tries to go on with it is told why that cannot be.
                None => touched.kept.next = Next::Now,
            }
        }
        Ok(touched.into_values().flat_map(Touched::changes).collect())
    }

    async fn touch(
        &self,
        touched: &mut HashMap<RunId, Touched>,
        recorded: &Recorded,
    ) -> Result<(), ReadError> {
        let Some(run) = recorded.header.stream.run() else { return Ok(()) };
        let kind = recorded.event.kind.as_ref();
        if !touched.contains_key(&run) {
            let kept = match kind {
                "run_started" => new_row(&run, recorded),
                _ => find(self.store, run.as_str()).await?,
            };
            // What cannot be decoded is reported by `verify`; the list leaves it out.
            let Some(kept) = kept else { return Ok(()) };
            let due_before = due::key_of(&kept);
            let fold = (kind == "run_started").then(Box::default);
            let new = Touched { kept, due_before, last: Version(0), has_ended: false, fold };
            touched.insert(run.clone(), new);
        }
        let Some(touched) = touched.get_mut(&run) else { return Ok(()) };
        touched.fold(recorded);
        let Touched { kept, last, has_ended, .. } = touched;
        *last = recorded.version;
        if kind == "run_completed"
            && let Ok(RunEvent::RunCompleted(completed)) = recorded.decode()
        {
            kept.row.degraded = completed.degraded;
        }
        if self.ahead.get(&run).is_some_and(|known| *known >= recorded.version) {
            return Ok(());
        }
        let end = end_of(kind);
        *has_ended = end.is_some();
        kept.row.version = recorded.version;
        kept.row.ended_at = end.is_some().then_some(recorded.header.recorded_at);
        if let Some(status) = end {
            (kept.row.status, kept.next) = (status, Next::Asked);
        }
        Ok(())
    }

    /// Whether somebody has to say where a run is.
    fn asks_for(&self, run: &RunId, touched: &Touched) -> bool {
        !touched.has_ended && self.ahead.get(run).is_none_or(|known| *known < touched.last)
    }

    /// Where a run is; none if its history is not understood.
    async fn state(&self, run: RunId, last: Version) -> Result<(RunId, Option<State>), ViewError> {
        match self.states.state(&run, last).await {
            Ok(state) => Ok((run, Some(state))),
            Err(problem) if matches!(problem.code, Code::RunParked | Code::StoreDamaged) => Ok((run, None)),
            Err(problem) => Err(ViewError::Fold(problem)),
        }
    }

    fn stands(&mut self, touched: &mut Touched, run: RunId, state: State) {
        let State { version, status, next, ended_at } = state;
        let row = &mut touched.kept.row;
        (row.version, row.status, row.ended_at, touched.kept.next) = (version, status, ended_at, next);
        if version > touched.last {
            if self.ahead.len() >= AHEAD_MAX {
                self.ahead.clear();
            }
            self.ahead.insert(run, version);
        } else {
            self.ahead.remove(&run);
        }
    }
}

impl Touched {
    /// Folds the next event, if those before it were. What is not understood is told of by whoever folds all of it.
    fn fold(&mut self, recorded: &Recorded) {
        let Some(mut run) = self.fold.take() else { return };
        let Recorded { version, header, .. } = recorded;
        let Ok(event) = recorded.decode::<RunEvent>() else { return };
        let at = At { stream: &header.stream, version: *version, time: header.recorded_at };
        if run.evolve(&event, &at, &mut EffectChanges::default()).is_ok() {
            self.fold = Some(run);
        }
    }

    fn changes(self) -> Vec<ViewChange> {
        let (row_key, due) = (row_key(&self.kept.row), due::key_of(&self.kept));
        let place = ViewChange { key: place_key(self.kept.row.run.as_str()), bytes: Some(row_key.clone()) };
        let row = ViewChange { key: row_key, bytes: fitting(self.kept) };
        let mut changes = vec![place, row];
        if due != self.due_before {
            changes.extend(self.due_before.map(|key| ViewChange { key, bytes: None }));
            changes.extend(due.map(|key| ViewChange { key, bytes: Some(Vec::new()) }));
        }
        changes
    }
}

/// A row as bytes, of which a store takes so many. Versions that did not bound tags recorded runs whose row has no room for
/// all of them: the last are left out, and the run itself has them. A list that one run's words make unreadable would hide
/// all others.
fn fitting(mut kept: Kept) -> Option<Vec<u8>> {
    let mut bytes = serde_json::to_vec(&kept).ok()?;
    while bytes.len() > VIEW_ROW_BYTES_MAX && kept.row.tags.pop_last().is_some() {
        bytes = serde_json::to_vec(&kept).ok()?;
    }
    Some(bytes)
}

fn new_row(run: &RunId, recorded: &Recorded) -> Option<Kept> {
    let Ok(RunEvent::RunStarted(started)) = recorded.decode() else { return None };
    let row = RunRow {
        run: run.clone(),
        workflow: in_a_row(&started.workflow).to_owned(),
        status: RunStatus::Pending,
        started_at: recorded.header.recorded_at,
        ended_at: None,
        version: recorded.version,
        tags: started.tags,
        degraded: false,
    };
    Some(Kept { row, next: Next::Asked })
}

/// How an event ends its run, if it does: after such an event nothing follows but what makes the run go on.
fn end_of(kind: &str) -> Option<RunStatus> {
    Some(match kind {
        "run_completed" => RunStatus::Completed,
        "run_failed" => RunStatus::Failed,
        "run_compensated" => RunStatus::Compensated,
        "run_cancelled" => RunStatus::Cancelled,
        "run_stuck" => RunStatus::Stuck,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::time::Timestamp;

    /// A name of 6,000 characters, or a tag of control characters, once made a row that the store refused, and with it
    /// every list.
    #[test]
    fn a_row_is_stored_however_long_the_words_of_its_run_are() {
        let row = |workflow: String, tags: &[(String, String)]| RunRow {
            run: RunId::parse("r").unwrap(),
            workflow: in_a_row(&workflow).to_owned(),
            status: RunStatus::Pending,
            started_at: Timestamp(0),
            ended_at: None,
            version: Version(1),
            tags: tags.iter().cloned().collect(),
            degraded: false,
        };
        let tag = |name: &str, length: usize| (name.to_owned(), "\u{1}".repeat(length));
        for row in [
            row("n".repeat(6_000), &[]),
            row("\u{1}".repeat(6_000), &[tag("a", 100), tag("b", 2_000), tag("c", 1)]),
            row("\u{10ffff}".repeat(6_000), &[tag("a", 100)]),
        ] {
            let bytes = fitting(Kept { row: row.clone(), next: Next::Asked }).unwrap();
            assert!(bytes.len() <= VIEW_ROW_BYTES_MAX, "{}", bytes.len());
            let kept: Kept = serde_json::from_slice(&bytes).unwrap();
            assert_eq!(kept.row.workflow, row.workflow);
            assert_eq!(kept.row.tags.get("a"), row.tags.get("a"), "what fits is kept");
        }
        let short = row("n".repeat(2_000), &[tag("a", 3)]);
        let bytes = fitting(Kept { row: short.clone(), next: Next::Asked }).unwrap();
        assert_eq!(serde_json::from_slice::<Kept>(&bytes).unwrap().row, short);
    }
}
