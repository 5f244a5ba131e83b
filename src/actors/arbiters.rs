//! The threads on which actors live.

use std::sync::atomic::{AtomicUsize, Ordering};

use actix::{Arbiter, ArbiterHandle};

/// Threads that actors are spread over, one after the other.
pub struct Arbiters {
    handles: Vec<ArbiterHandle>,
    next: AtomicUsize,
}

impl Arbiters {
    /// These, or the current one if there are none.
    pub fn new(handles: Vec<ArbiterHandle>) -> Self {
        Self { handles, next: AtomicUsize::new(0) }
    }

    /// The thread on which the next actor is to live.
    pub fn next(&self) -> ArbiterHandle {
        let turn = self.next.fetch_add(1, Ordering::Relaxed) % self.handles.len().max(1);
        self.handles.get(turn).cloned().unwrap_or_else(Arbiter::current)
    }
}
