//! The standing of the streams of a page: each stream is folded once, for all read models that show it.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use async_trait::async_trait;
use futures_util::stream::{self, StreamExt, TryStreamExt};

use crate::events::commit::Recorded;
use crate::events::ids::{StreamId, Version};
use crate::events::problem::{Code, Problem};
use crate::kernel::projection::Log;
use crate::kernel::standing::{KindFold, Known, Standing};

/// Something that can tell where streams are.
#[async_trait]
pub trait Standings: Send + Sync + 'static {
    /// How streams of a kind, such as `run`, are folded; none if this process does not know the kind, so that
    /// its streams are not shown.
    fn kind(&self, kind: &str) -> Option<&KindFold>;

    /// The standing of a stream of a known kind, at that version or a later one.
    ///
    /// # Errors
    /// When it cannot be read; [`Code::RunParked`] when its history is not understood, [`Code::Impossible`] when it contradicts
    /// itself.
    async fn standing(&self, stream: &StreamId, at_least: Version) -> Result<Standing, Problem>;
}

/// Used by read models that show no streams.
pub struct NoStandings;

#[async_trait]
impl Standings for NoStandings {
    fn kind(&self, _kind: &str) -> Option<&KindFold> {
        None
    }

    async fn standing(&self, stream: &StreamId, _at_least: Version) -> Result<Standing, Problem> {
        Err(Problem::new(Code::Internal, format!("nobody here can tell where `{stream}` is")))
    }
}

/// How many streams are folded at once to see where they are: as many as keep the store busy.
const FOLDED_AT_ONCE: usize = 8;

/// The number of streams of which it is remembered that later pages tell nothing new. Above it, some are folded twice.
const AHEAD_MAX: usize = 64 * 1024;

/// The standing of streams after each page, one page after the other.
pub(super) struct PageByPage<'a> {
    standings: &'a dyn Standings,
    /// Streams that were folded further than the pages went so far.
    ahead: HashMap<StreamId, Standing>,
}

impl<'a> PageByPage<'a> {
    pub(super) fn new(standings: &'a dyn Standings) -> Self {
        Self { standings, ahead: HashMap::new() }
    }

    /// The standing of the streams of a page after it, of all kinds that are known.
    ///
    /// # Errors
    /// When a stream cannot be folded for a reason other than its own history.
    pub(super) async fn of(&mut self, log: &Log) -> Result<HashMap<StreamId, Known>, Problem> {
        let (mut known, mut asked) = (HashMap::new(), Vec::new());
        for (stream, events) in log.streams() {
            let Some(kind) = stream.parts().and_then(|(kind, _)| self.standings.kind(kind)) else { continue };
            match self.told(kind, stream, &events) {
                Some(standing) => drop(known.insert(stream.clone(), Known::At(standing))),
                None => asked.extend(events.last().map(|last| (stream.clone(), last.version))),
            }
        }
        let asked = stream::iter(asked).map(|(stream, last)| self.ask(stream, last));
        let asked: Vec<_> = asked.buffer_unordered(FOLDED_AT_ONCE).try_collect().await?;
        for (stream, last, standing) in asked {
            if let Known::At(standing) = standing {
                self.note(&stream, last, standing);
            }
            known.insert(stream, standing);
        }
        Ok(known)
    }

    /// The standing of a stream, if that can be told without asking: from what is known, from an event in the page
    /// after which it is over, or because all its events so far are in the page. Most streams are short.
    fn told(&self, kind: &KindFold, stream: &StreamId, events: &[&Recorded]) -> Option<Standing> {
        let last = events.last()?;
        let ahead = self.ahead.get(stream).filter(|known| known.version >= last.version);
        ahead.copied().or_else(|| kind.ended_by(last)).or_else(|| {
            // A panic over one stream is reported by the code that goes on with it.
            catch_unwind(AssertUnwindSafe(|| kind.fold(events.iter().copied()))).ok().flatten()
        })
    }

    async fn ask(&self, stream: StreamId, last: Version) -> Result<(StreamId, Version, Known), Problem> {
        match self.standings.standing(&stream, last).await {
            Ok(standing) => Ok((stream, last, Known::At(standing))),
            Err(problem)
                if matches!(problem.code, Code::RunParked | Code::Impossible | Code::StoreDamaged) =>
            {
                Ok((stream, last, Known::Parked))
            }
            Err(problem) => Err(problem),
        }
    }

    fn note(&mut self, stream: &StreamId, last: Version, standing: Standing) {
        if standing.version <= last {
            self.ahead.remove(stream);
            return;
        }
        if self.ahead.len() >= AHEAD_MAX {
            self.ahead.clear();
        }
        self.ahead.insert(stream.clone(), standing);
    }
}
