//! What a run has asked people, and what they have said: requests for approvals, and signals.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::command::Order;
use super::index::StepIndex;
use super::{Run, RunStatus};
use crate::events::ids::{Hash, RequestId, StepId, TimerId};
use crate::events::json::Payload;
use crate::events::run::ApprovalRequested;
use crate::events::time::Timestamp;

/// What a run has asked people, and what they have said.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct People {
    /// Every request that there was.
    pub(crate) requests: BTreeMap<RequestId, ApprovalRequest>,
    /// Those that can be answered.
    pub(crate) open: BTreeSet<RequestId>,
    /// Steps that wait for a signal, by its name, in the order in which they began to.
    pub(super) waiting: BTreeMap<Arc<str>, VecDeque<StepIndex>>,
    /// Signals that no step has taken, by name, in the order in which they came.
    pub(crate) signals: BTreeMap<Arc<str>, VecDeque<Payload>>,
    /// Who paused the run last, and why.
    pub(super) paused: Option<Order>,
    /// Who cancelled it, and why.
    pub(super) cancelled: Option<Order>,
    /// The timers that end a waiting for people, the first first.
    pub(super) timers: BTreeSet<(Timestamp, TimerId)>,
}

/// A request for an approval.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct ApprovalRequest {
    pub(crate) asked: Arc<ApprovalRequested>,
    pub(crate) at: Timestamp,
    /// The step that the request is about.
    pub(crate) place: StepIndex,
    /// The people who granted it, and what they said; only grants that count.
    pub(crate) granted: BTreeMap<Arc<str>, Option<String>>,
    /// What is to be changed of the work, or was changed of the output, one after the other.
    pub(crate) edits: Vec<Payload>,
    /// Points of its checklist that were looked at, from 1, and by whom.
    pub(crate) checked: BTreeMap<u32, Arc<str>>,
    pub(crate) answer: ApprovalState,
}

/// A point of a request's checklist that nobody has ticked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unticked {
    /// The request whose checklist it is.
    pub request: RequestId,
    /// The step that asks.
    pub step: StepId,
    /// The number of the point, from 1.
    pub point: u32,
    /// The point itself.
    pub says: String,
}

/// What has become of a request.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) enum ApprovalState {
    /// It can be answered.
    #[default]
    Open,
    Granted,
    Refused {
        by: Arc<str>,
        note: String,
    },
    Expired,
    /// The step is not to be done any more, or the run was about to end.
    Withdrawn,
}

impl People {
    /// Whether anybody is waited for.
    pub(super) fn are_awaited(&self) -> bool {
        !self.open.is_empty() || !self.waiting.is_empty()
    }

    /// The number of signals that no step has taken, whatever their names.
    pub(super) fn kept(&self) -> usize {
        self.signals.values().map(VecDeque::len).sum()
    }
}

impl Run {
    /// Who paused it, while it is paused; who cancelled it, from then on.
    pub fn stopped_by(&self) -> Option<&Order> {
        match self.status() {
            RunStatus::Paused => self.people.paused.as_ref(),
            _ => self.people.cancelled.as_ref(),
        }
    }
}

impl ApprovalRequest {
    /// The hash of exactly what a grant is for now: of what is asked, and of every change that was granted since.
    pub(crate) fn hash(&self) -> Hash {
        self.edits.iter().fold(self.asked.hash, |hash, edits| {
            let edits = match edits {
                Payload::Inline(json) => Hash::of(json.text().as_bytes()),
                Payload::Blob(blob) => blob.hash,
            };
            Hash::of(&[hash.0, edits.0].concat())
        })
    }

    /// The points of its checklist that nobody has ticked, from 1, with what they say.
    pub(crate) fn unticked(&self) -> impl Iterator<Item = (u32, &str)> {
        let points = (1..).zip(self.asked.checklist.iter().map(String::as_str));
        points.filter(|(point, _)| !self.checked.contains_key(point))
    }

    /// Whether so many have granted it as have to.
    pub(crate) fn is_granted(&self) -> bool {
        self.granted.len() >= self.asked.needed as usize
    }
}
