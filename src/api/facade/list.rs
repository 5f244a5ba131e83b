//! The list of runs, once or as it changes.

use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

use super::{Facade, Frames, view_problem};
use crate::aggregates::run::RunStatus;
use crate::api::protocol::{Frame, Listed, ListedRun, Listing, Response};
use crate::events::ids::RunId;
use crate::events::problem::{Code, Problem};
use crate::views::projections::runs::{RunFilter, RunRow};

/// How often the list is sent at most.
const LIST_EVERY: Duration = Duration::from_millis(250);

/// How long it is waited for an event before it is looked who drives runs: that is none.
const LOOK_EVERY: Duration = Duration::from_millis(750);

impl Facade {
    pub(super) async fn list(&self, filter: &RunFilter) -> Result<Vec<RunRow>, Problem> {
        self.system.runs().list(filter).await.map_err(|error| view_problem(&error))
    }

    /// The runs that could go on and that nobody drives, without those that do when their parent does.
    pub(super) async fn interrupted(&self) -> Result<Vec<RunRow>, Problem> {
        if self.system.drives_all() {
            return Ok(Vec::new());
        }
        let filter = RunFilter { unfinished: true, ..RunFilter::default() };
        let mut rows = self.list(&filter).await?;
        rows.retain(|row| self.could_be_driven(row));
        let ids: BTreeSet<RunId> = rows.iter().map(|row| row.run.clone()).collect();
        rows.retain(|row| row.parent.as_ref().is_none_or(|parent| !ids.contains(parent)));
        Ok(rows)
    }

    /// Whether a run could go on and nobody drives it that is known here.
    fn could_be_driven(&self, row: &RunRow) -> bool {
        let rests = matches!(row.status, RunStatus::Paused | RunStatus::Waiting);
        !row.status.has_ended() && !rests && !self.drives(&row.run)
    }

    /// The runs that are to be listed, once or whenever something of them changes.
    pub(super) async fn listing(
        &self,
        listing: &Listing,
        watch: bool,
        frames: &Frames,
    ) -> Result<Response, Problem> {
        if watch {
            self.watch_list(listing, frames).await
        } else {
            self.listed(listing).await.map(Response::Listed)
        }
    }

    /// The runs that are to be listed, as they are now.
    async fn listed(&self, listing: &Listing) -> Result<Listed, Problem> {
        let Listing { filter, interrupted, after, parents } = listing;
        let after = match after {
            Some(after) => Some(self.resolve(after).await?),
            None => None,
        };
        let is_known = !self.may_be_driven_elsewhere();
        let is_interrupted = |row: &RunRow| match self.could_be_driven(row) {
            true if !is_known => None,
            could => Some(could),
        };
        let also = |row: &RunRow| !interrupted || is_interrupted(row) == Some(true);
        let (mut rows, more) = self
            .system
            .runs()
            .some(filter, after.as_ref(), also)
            .await
            .map_err(|error| view_problem(&error))?;
        let next = rows.last().filter(|_| more).map(|last| last.run.clone());
        if *parents {
            self.add_parents(&mut rows).await?;
        }
        let now = self.system.clock().now().steady;
        let listed = |row: RunRow| {
            let interrupted = is_interrupted(&row);
            ListedRun::of(row, interrupted, now)
        };
        Ok(Listed { runs: rows.into_iter().map(listed).collect(), next })
    }

    /// Adds the runs whose steps have started these, and theirs: a run is older than what it has started.
    async fn add_parents(&self, rows: &mut Vec<RunRow>) -> Result<(), Problem> {
        let mut there: HashSet<RunId> = rows.iter().map(|row| row.run.clone()).collect();
        let mut place = 0;
        while let Some(row) = rows.get(place) {
            place += 1;
            let Some(parent) = row.parent.clone().filter(|parent| !there.contains(parent)) else { continue };
            let parent = self.system.runs().row(&parent).await.map_err(|error| view_problem(&error))?;
            if let Some(parent) = parent {
                there.insert(parent.run.clone());
                rows.push(parent);
            }
        }
        Ok(())
    }

    /// Sends the runs that are to be listed whenever something of them changes, until nobody listens.
    async fn watch_list(&self, listing: &Listing, frames: &Frames) -> Result<Response, Problem> {
        let mut committed = self.system.store().committed();
        let mut shown: Option<Listed> = None;
        loop {
            committed.mark_unchanged();
            let listed = self.listed(listing).await?;
            if !shown.as_ref().is_some_and(|shown| is_same(shown, &listed)) {
                shown = Some(listed.clone());
                if frames.send(Frame::Listed(listed)).await.is_err() {
                    return Ok(Response::Done);
                }
            }
            tokio::time::sleep(LIST_EVERY).await;
            if let Ok(Err(_)) = tokio::time::timeout(LOOK_EVERY, committed.changed()).await {
                return Err(Problem::new(Code::ShuttingDown, "the process is ending"));
            }
        }
    }
}

/// Whether two lists say the same, but for how long runs have been going on.
fn is_same(one: &Listed, other: &Listed) -> bool {
    let (these, those) = (&one.runs, &other.runs);
    these.len() == those.len()
        && one.next == other.next
        && these.iter().zip(those).all(|(this, that)| this.says_the_same(that))
}
