//! The standing of a stream, as its own fold says, for rows about many streams: a row says nothing that the
//! fold does not say.

use super::aggregate::Aggregate;
use super::attention::{Attention, Own};
use super::fold::{Fold, Unfoldable};
use crate::events::commit::Recorded;
use crate::events::ids::Version;
use crate::events::time::Timestamp;

/// The standing of a stream: where it is, at one of its versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// The version that this is about.
    pub version: Version,
    /// Its status, in a word: see [`Aggregate::status`].
    pub status: &'static str,
    /// What the stream needs next, and from whom.
    pub attention: Attention,
    /// The time since which it is over; none while it is not.
    pub ended_at: Option<Timestamp>,
}

impl Standing {
    /// The standing of a stream whose fold this is.
    pub fn of<A: Aggregate>(state: &A, version: Version) -> Self {
        let (status, attention) = (state.status(), state.attention());
        Self { version, status, attention, ended_at: state.ended_at() }
    }

    /// The standing of a stream that is over with this event, with that status.
    pub fn over(status: &'static str, event: &Recorded) -> Self {
        let ended_at = Some(event.header.recorded_at);
        Self { version: event.version, status, attention: Attention::OVER, ended_at }
    }
}

/// What is known of where a stream is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// It is there, as of one of its versions.
    At(Standing),
    /// Its history is not understood, or cannot be read.
    Parked,
}

impl Known {
    /// What the stream needs next, and from whom. One that is not understood is due now: whoever tries to go on with it
    /// is told the reason.
    pub fn attention(&self) -> Attention {
        match self {
            Self::At(standing) => standing.attention,
            Self::Parked => Attention { own: Own::Now, ..Attention::default() },
        }
    }
}

/// A stream that is folded from its first event on, whatever its kind.
pub trait Folding: Send {
    /// Folds the next event of the stream.
    ///
    /// # Errors
    /// When it is not understood, or cannot follow: the fold must not be used any more.
    fn event(&mut self, recorded: &Recorded) -> Result<(), Unfoldable>;

    /// The standing of the stream, with all events that were folded.
    fn standing(&self) -> Standing;
}

impl<A: Aggregate> Folding for Fold<A> {
    fn event(&mut self, recorded: &Recorded) -> Result<(), Unfoldable> {
        Fold::event(self, &recorded.header.stream, recorded)
    }

    fn standing(&self) -> Standing {
        Standing::of(&self.state, self.head.version)
    }
}

/// How streams of one kind are folded by code that knows no kind by name.
#[derive(Debug, Clone, Copy)]
pub struct KindFold {
    begin: fn() -> Box<dyn Folding>,
    ended_by: fn(&str) -> Option<&'static str>,
}

impl KindFold {
    /// The folds of an aggregate. `ended_by` answers for a type of events with which status a stream is over
    /// right after such an event, whatever came before it: this saves folding streams that are over. None if
    /// only the fold can say.
    pub const fn of<A: Aggregate>(ended_by: fn(&str) -> Option<&'static str>) -> Self {
        Self { begin: || Box::new(Fold::<A>::default()), ended_by }
    }

    /// The standing of a stream that is over with this event; none if only its fold can say.
    pub fn ended_by(&self, event: &Recorded) -> Option<Standing> {
        (self.ended_by)(&event.event.kind).map(|status| Standing::over(status, event))
    }

    /// The standing of a stream with these events, from its first on; none if there are none, or
    /// they are not understood.
    pub fn fold<'a>(&self, events: impl IntoIterator<Item = &'a Recorded>) -> Option<Standing> {
        let mut events = events.into_iter().peekable();
        events.peek().filter(|first| first.version == Version(1))?;
        let mut fold = (self.begin)();
        for recorded in events {
            fold.event(recorded).ok()?;
        }
        Some(fold.standing())
    }
}
