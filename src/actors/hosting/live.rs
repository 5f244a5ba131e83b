//! What is seen of a stream that is in memory, without asking it.
use crate::events::ids::Version;
use crate::events::problem::Problem;
use crate::kernel::Attention;

/// What is seen of a stream that is in memory. Who waits is woken when it is loaded, when nothing of it runs any more or
/// something does again, when it comes to rest or stirs, and when it cannot go on. Who shows how far it is looks now and then.
#[derive(Debug, Clone, Default)]
pub struct Live {
    /// The version that is durable; 0 while it is being loaded, and of a stream that never began.
    pub version: Version,
    /// Whether it was loaded.
    pub loaded: bool,
    /// Its status, in a word for people.
    pub status: &'static str,
    /// What the state needs next, and from whom.
    pub attention: Attention,
    /// Whether nothing follows unless somebody acts.
    pub at_rest: bool,
    /// How many effects are performed for it in this process.
    pub in_flight: usize,
    /// Whether what is performed is more than to wait for other streams.
    pub busy: bool,
    /// Why it cannot go on, be it in this process only.
    pub parked: Option<Problem>,
}

/// What of a stream is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Milestones {
    loaded: bool,
    at_work: bool,
    busy: bool,
    at_rest: bool,
    parked: bool,
}

impl Live {
    pub(super) fn milestones(&self) -> Milestones {
        Milestones {
            loaded: self.loaded,
            at_work: self.in_flight > 0,
            busy: self.busy,
            at_rest: self.at_rest,
            parked: self.parked.is_some(),
        }
    }
}
