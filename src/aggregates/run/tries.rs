//! Trying, whatever is tried: to do a step, or to undo it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Run;
use crate::events::ids::{StepId, TimerId};
use crate::events::problem::{Class, Code};
use crate::events::run::{AttemptStarted, Outcome, Purpose};

/// How often something was tried, how that went, and where it is. `phase` comes last, so that code which concerns doing and
/// undoing alike can take either as a `Tries<dyn Tried>`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Tries<P: ?Sized> {
    /// How many attempts were made, in all generations: the last one has this number.
    pub(crate) attempts: u32,
    /// Attempts that count against `attempts` of the retry policy.
    pub(super) failures: u32,
    /// Attempts whose process died.
    pub(super) lost: u32,
    /// What those of this generation that did not succeed may have left behind.
    pub(crate) trace: Trace,
    /// Why it failed, or its last attempt did.
    pub(crate) error: Option<StepError>,
    pub(crate) phase: P,
}

/// A phase of something that is tried: either one of trying, or one that only doing or only undoing has.
pub(crate) trait Tried {
    /// Where trying is; none in a phase that is not one of trying.
    fn trying(&self) -> Option<&Trying>;

    /// Makes it one of trying.
    fn set(&mut self, trying: Trying);
}

/// Where the trying is that doing a step and undoing one have in common.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Trying {
    /// An attempt could start.
    Ready,
    /// An attempt is open.
    Open {
        attempt: Arc<AttemptStarted>,
        /// Why it was told to stop, if it was.
        stop: Option<Unwanted>,
    },
    /// An attempt has ended; what follows in the same commit says what becomes of it.
    Between,
    /// The next attempt may start when this timer is due.
    Retrying(TimerId),
}

/// Why an open attempt was told to stop. One that takes too long does so also where it is given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Unwanted {
    /// The run does not want it any more.
    GivenUp,
    /// The run of its own that makes it takes too long.
    Overdue,
}

/// What attempts that did not succeed may have left behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub(crate) enum Trace {
    /// No attempt was made that did not succeed.
    #[default]
    Nothing,
    /// All of them said that they failed.
    Failed,
    /// Of one nobody knows what it did.
    Unknown,
}

/// Why a step failed, or its last attempt did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct StepError {
    pub(crate) class: Class,
    pub(crate) code: Code,
    pub(crate) message: String,
}

impl Run {
    /// How many attempts for that purpose at a step have failed of those that it has before it fails for good. One that a dead
    /// process took with it is none of them.
    pub fn failed_attempts(&self, step: &StepId, purpose: Purpose) -> u32 {
        let tries = self.node(step).and_then(|(_, node)| node.tries(purpose));
        tries.map_or(0, |tries| tries.failures)
    }
}

impl<P> Tries<P> {
    /// Before the next attempt, after so many in earlier generations.
    pub(super) fn after(attempts: u32, phase: P) -> Self {
        Self { attempts, failures: 0, lost: 0, trace: Trace::Nothing, error: None, phase }
    }
}

impl<P: Tried + ?Sized> Tries<P> {
    pub(super) fn is_ready(&self) -> bool {
        self.phase.trying() == Some(&Trying::Ready)
    }

    /// The open attempt; none if none is open.
    pub(crate) fn open(&self) -> Option<&Arc<AttemptStarted>> {
        match self.phase.trying()? {
            Trying::Open { attempt, .. } => Some(attempt),
            Trying::Ready | Trying::Between | Trying::Retrying(_) => None,
        }
    }

    /// Why the open attempt was told to stop, if it was.
    pub(crate) fn stop(&self) -> Option<Unwanted> {
        match self.phase.trying()? {
            Trying::Open { stop, .. } => *stop,
            Trying::Ready | Trying::Between | Trying::Retrying(_) => None,
        }
    }

    /// Tells the open attempt to stop, if there is one; answers which.
    pub(super) fn tell_to_stop(&mut self, why: Unwanted) -> Option<Arc<AttemptStarted>> {
        let attempt = Arc::clone(self.open()?);
        self.phase.set(Trying::Open { attempt: Arc::clone(&attempt), stop: Some(why) });
        Some(attempt)
    }

    /// Whether an attempt of that number can start: one could, and it is the next.
    pub(super) fn may_start(&self, number: u32) -> bool {
        self.is_ready() && number == self.attempts + 1
    }

    pub(super) fn start(&mut self, attempt: &Arc<AttemptStarted>) {
        self.attempts = attempt.attempt;
        self.phase.set(Trying::Open { attempt: Arc::clone(attempt), stop: None });
    }

    /// Ends the open attempt, if it has that number.
    pub(super) fn end(&mut self, number: u32) -> Option<Arc<AttemptStarted>> {
        let attempt = self.open().filter(|open| open.attempt == number).cloned()?;
        self.phase.set(Trying::Between);
        Some(attempt)
    }

    /// Takes in that the attempt which has ended failed. One that was never `begun` has left nothing behind.
    pub(super) fn fail(&mut self, outcome: Outcome, begun: bool, error: StepError) {
        self.failures += 1;
        self.trace = self.trace.max(match outcome {
            Outcome::Known if !begun => Trace::Nothing,
            Outcome::Known => Trace::Failed,
            Outcome::Unknown => Trace::Unknown,
        });
        self.error = Some(error);
    }

    /// Nobody will hear of what has ended; it counts if that may have been what ended its process.
    pub(super) fn lose(&mut self, counts: bool) {
        self.lost += u32::from(counts);
        self.trace = Trace::Unknown;
    }

    /// It may fail and be lost as often again as at first.
    pub(super) fn refresh(&mut self) {
        (self.failures, self.lost) = (0, 0);
    }
}
