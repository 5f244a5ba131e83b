//! When runs that have not ended want attention.
//!
//! Under `d` are those that go on by themselves, under `e` those that wait for people and would do something if nobody
//! answered: each by the time (8 bytes, 0 for now) and its id. Who starts with a hundred thousand runs reads a page of
//! this, and loads no run that has nothing to do.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::{Kept, RunsView, VIEW, ViewError};
use crate::aggregates::run::{Phase, Run, RunEffect, RunStatus};
use crate::events::ids::{RunId, StreamId, Version};
use crate::events::problem::Problem;
use crate::events::time::Timestamp;

/// When a run wants attention.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Next {
    /// When somebody asks something of it.
    #[default]
    Asked,
    /// Now: something could start, or was begun.
    Now,
    /// When a timer of its own is due.
    At(Timestamp),
}

impl Next {
    /// When a run in that state wants attention.
    pub fn of(run: &Run) -> Self {
        match run.status() {
            status if status.has_ended() => Self::Asked,
            _ if run.wants_driving() => Self::Now,
            RunStatus::Paused => Self::Asked,
            _ => first_timer(run).map_or(Self::Asked, Self::At),
        }
    }
}

/// Of all that a run waits for, also of what people are to say in time.
fn first_timer(run: &Run) -> Option<Timestamp> {
    let at = |effect| match effect {
        RunEffect::Wake { at, .. } => Some(at),
        _ => None,
    };
    run.open_timers().into_iter().filter_map(at).min()
}

/// Where a run is, as its own fold says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct State {
    /// As of which version.
    pub version: Version,
    /// Where it is.
    pub status: RunStatus,
    /// When it wants attention.
    pub next: Next,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

impl State {
    /// Where a run is whose fold this is.
    pub fn of(run: &Run, version: Version) -> Self {
        let ended_at = match run.life() {
            Phase::Ended(ended) => Some(ended.at),
            _ => None,
        };
        Self { version, status: run.status(), next: Next::of(run), ended_at }
    }
}

/// Tells where runs are: a row says nothing that the fold of its run does not.
#[async_trait]
pub trait States: Send + Sync + 'static {
    /// Where a run is, as of that version or a later one.
    ///
    /// # Errors
    /// When it cannot be read; [`crate::events::problem::Code::RunParked`] when its history is not understood.
    async fn state(&self, run: &RunId, at_least: Version) -> Result<State, Problem>;
}

/// Whose turn it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It goes on by itself.
    Own,
    /// It waits for people; if nobody answers in time, that is an answer too.
    Expiry,
}

impl Kind {
    fn of(status: RunStatus) -> Self {
        if status == RunStatus::Waiting { Self::Expiry } else { Self::Own }
    }

    const fn prefix(self) -> u8 {
        match self {
            Self::Own => b'd',
            Self::Expiry => b'e',
        }
    }
}

/// A run that wants attention.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Due {
    /// When; 0 means now.
    pub at: Timestamp,
    /// Which stream.
    pub stream: StreamId,
}

impl Due {
    fn key(&self, kind: Kind) -> Vec<u8> {
        let at = u64::try_from(self.at.0).unwrap_or(0);
        [
            &[kind.prefix()],
            at.to_be_bytes().as_slice(),
            self.stream.parts().map_or("", |(_, id)| id).as_bytes(),
        ]
        .concat()
    }

    fn read(key: &[u8], kind: Kind) -> Option<Self> {
        let (at, run) = key.strip_prefix(&[kind.prefix()])?.split_first_chunk::<8>()?;
        let at = Timestamp(i64::try_from(u64::from_be_bytes(*at)).ok()?);
        Some(Self { at, stream: StreamId::of_run(&RunId::parse(std::str::from_utf8(run).ok()?).ok()?) })
    }
}

/// The key under which a kept row is due, if it is.
pub(super) fn key_of(kept: &Kept) -> Option<Vec<u8>> {
    let at = match kept.next {
        Next::Asked => return None,
        Next::Now => Timestamp(0),
        Next::At(at) => at,
    };
    Some(Due { at, stream: StreamId::of_run(&kept.row.run) }.key(Kind::of(kept.row.status)))
}

impl RunsView {
    /// At most `limit` runs of a kind that want attention, the most urgent first, from the one after `after`: as of the last
    /// [`RunsView::catch_up`].
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn due(&self, kind: Kind, after: Option<&Due>, limit: usize) -> Result<Vec<Due>, ViewError> {
        let after = after.map_or_else(|| vec![kind.prefix()], |due| due.key(kind));
        let rows = self.store.view_rows(VIEW, Some(&after), limit).await?;
        Ok(rows.iter().map_while(|row| Due::read(&row.key, kind)).collect())
    }
}
