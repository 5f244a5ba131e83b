//! What people are asked in a simulated run, and what the world answers for them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Move, Simulation};
use crate::aggregates::run::{Ask, RunEffect, StepPhase};
use crate::events::json::{Json, Payload};
use crate::events::run::ApprovalRequested;
use crate::testing::broken::Broken;
use crate::testing::world::{Reply, World};

/// A request that can be answered.
#[derive(Debug, Clone)]
pub struct OpenRequest {
    /// The content of the request, and who may answer it.
    pub asked: Arc<ApprovalRequested>,
    /// The names of those who have granted it, if more than one must.
    pub granted: Vec<Arc<str>>,
    /// The points of its checklist that were looked at, from 1.
    pub checked: BTreeSet<u32>,
}

impl OpenRequest {
    /// The next point that has to be looked at before a grant counts, if one has to.
    fn to_tick(&self) -> Option<Vec<u32>> {
        let points = 1..=u32::try_from(self.asked.checklist.len()).unwrap_or(u32::MAX);
        let mut unticked = points.filter(|point| !self.checked.contains(point));
        unticked.next().filter(|_| self.asked.require_checklist).map(|point| vec![point])
    }
}

impl<W: World> Simulation<W> {
    /// The requests that can be answered now.
    pub fn requests(&self) -> impl Iterator<Item = OpenRequest> {
        let people = self.state().people();
        let open = people.open.iter().filter_map(|id| people.requests.get(id));
        open.map(|request| OpenRequest {
            asked: Arc::clone(&request.asked),
            granted: request.granted.keys().cloned().collect(),
            checked: request.checked.keys().copied().collect(),
        })
    }

    /// The ids of the requests that people are to be told about.
    pub fn open_asks(&self) -> BTreeSet<String> {
        let asks = self.hosted.open().filter_map(|effect| match effect {
            RunEffect::Ask { request, .. } => Some(request.to_string()),
            _ => None,
        });
        asks.collect()
    }

    /// The names of the signals that steps wait for.
    pub fn awaited_signals(&self) -> BTreeSet<Arc<str>> {
        let waits =
            self.state().nodes().iter().filter(|node| matches!(node.doing.phase, StepPhase::Awaiting(_)));
        waits.filter_map(|node| node.signal().cloned()).collect()
    }

    /// The data of the signals that no step has taken yet, by name, in the order in which they came.
    ///
    /// # Errors
    /// When the recorded data of one cannot be read.
    pub fn kept_signals(&self) -> Result<BTreeMap<Arc<str>, Vec<Json>>, Broken> {
        let mut kept = BTreeMap::new();
        for (name, signals) in &self.state().people().signals {
            let data = signals.iter().map(|data| self.json(data)).collect::<Result<_, _>>()?;
            kept.insert(Arc::clone(name), data);
        }
        Ok(kept)
    }

    /// What the agents of the run share by now: of each key the number of its newest value, and that value.
    ///
    /// # Errors
    /// When a value cannot be read.
    pub fn context(&self) -> Result<BTreeMap<String, (u64, Json)>, Broken> {
        let context = self.state().context().iter();
        context
            .map(|(key, known)| Ok((key.to_string(), (known.version.0, self.json(&known.value)?))))
            .collect()
    }

    /// The JSON of a payload of the history.
    ///
    /// # Errors
    /// When its blob cannot be read.
    pub fn json(&self, payload: &Payload) -> Result<Json, Broken> {
        let blobs = self.hosted.blobs();
        blobs.json(payload).map_err(|unreadable| self.broken(&unreadable.to_string()))
    }

    /// The command that somebody sends to the run with this move; none if nobody does before it is too late.
    pub fn said(&self, next: &Move) -> Option<Ask> {
        match next {
            Move::Answer(id) => {
                let open = self.requests().find(|open| open.asked.request == *id)?;
                if open.asked.expires.is_some_and(|at| at <= self.now()) {
                    return None;
                }
                let request = id.to_string();
                Some(match self.world.reply(&open.asked, &open.granted)? {
                    Reply::Grant { by, .. } if let Some(points) = open.to_tick() => {
                        Ask::Check { request, by, points }
                    }
                    Reply::Grant { by, edits } => {
                        let edits = edits.map(Into::into);
                        Ask::Approve { request, by, note: None, edits, hash: None }
                    }
                    Reply::Refuse { by, reason } => Ask::Reject { request, by, reason },
                })
            }
            Move::Signal(name) => {
                self.state().takes_signal(name, self.now()).ok()??;
                let (name, data) = (Arc::clone(name), self.world.signal(name)?);
                Some(Ask::Signal { name, data, by: "world".into() })
            }
            Move::Perform(_) | Move::Stop(_) | Move::Wake(_) => None,
        }
    }

    /// The answers and signals that may come next.
    pub(super) fn answers(&self) -> Vec<Move> {
        let answers = self.requests().map(|open| Move::Answer(open.asked.request.clone()));
        let signals = self.awaited_signals().into_iter().map(Move::Signal);
        answers.chain(signals).filter(|next| self.said(next).is_some()).collect()
    }
}
