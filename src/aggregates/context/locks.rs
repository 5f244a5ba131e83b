//! A lock: who holds it, and who waits for it, in order. What is late counts as over as soon as its moment has come, whenever
//! that is recorded.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::events::context::Held;
use crate::events::ids::{LockFence, LockName, StreamId};
use crate::events::time::Timestamp;

/// A lock that somebody holds or waits for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lock {
    /// Who holds it; somebody does wherever a decision ends.
    pub holder: Option<Holder>,
    /// Who waits for it, the next first.
    pub waiting: VecDeque<Waiter>,
}

/// The holder of a lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The name by which it was acquired.
    pub owner: Arc<str>,
    /// The number of the grant.
    pub fence: LockFence,
    /// When it was granted.
    pub since: Timestamp,
    /// When the lease ends, by the steady clock.
    pub until: Timestamp,
    /// The stream that is told of it.
    pub tells: Option<StreamId>,
}

/// Somebody who waits for a lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiter {
    /// The name by which it is to be acquired.
    pub owner: Arc<str>,
    /// How long it is theirs once it is granted.
    pub lease: Duration,
    /// Since when they wait.
    pub since: Timestamp,
    /// When they do not wait any longer, by the steady clock.
    pub until: Timestamp,
    /// The stream that is told what comes of it.
    pub tells: Option<StreamId>,
}

impl Lock {
    /// Who holds it at that time: nobody whose lease is over.
    pub fn holder_at(&self, now: Timestamp) -> Option<&Holder> {
        self.holder.as_ref().filter(|holder| holder.until > now)
    }

    /// Who still waits for it at that time, in order.
    pub fn waiting_at(&self, now: Timestamp) -> impl Iterator<Item = &Waiter> {
        self.waiting.iter().filter(move |waiter| waiter.until > now)
    }

    /// Whether somebody holds it at that time by that grant.
    pub(super) fn is_held_by(&self, owner: Option<&str>, fence: LockFence, now: Timestamp) -> bool {
        let is_theirs = |holder: &Holder| owner.is_none_or(|owner| *holder.owner == *owner);
        self.holder_at(now).is_some_and(|holder| holder.fence == fence && is_theirs(holder))
    }

    /// When something of it ends that somebody waits for; none while nobody waits.
    pub(super) fn due(&self) -> Option<Timestamp> {
        let waits = self.waiting.iter().map(|waiter| waiter.until).min()?;
        // One that is free is granted at once.
        let lease = self.holder.as_ref().map_or(Timestamp(0), |holder| holder.until);
        Some(waits.min(lease))
    }

    /// Whether nobody holds it and nobody waits for it.
    pub(super) fn is_forgotten(&self) -> bool {
        self.holder.is_none() && self.waiting.is_empty()
    }

    /// Its grant, while somebody has it.
    pub(super) fn held(&self, lock: &LockName) -> Option<Held> {
        self.holder.as_ref().map(|holder| Held { lock: lock.clone(), fence: holder.fence })
    }
}
