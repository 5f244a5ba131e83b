//! The means that every host needs, whatever it hosts.

use std::sync::Arc;
use std::time::Duration;

use crate::actors::clock::Clock;
use crate::actors::library::Library;
use crate::events::problem::Problem;
use crate::store::{AppendError, EventStore, ReadError};

/// The means that every host needs: store, content, clock.
#[derive(Clone)]
pub struct HostContext {
    /// The store in which events live.
    pub store: Arc<dyn EventStore>,
    /// The content of the store, by hash.
    pub library: Arc<Library>,
    /// The clock by which everything here goes.
    pub clock: Arc<dyn Clock>,
    /// How long nobody needs an aggregate before it is put away.
    pub passivate_after: Duration,
}

/// What people are told when a commit was not stored.
pub fn append_problem(error: &AppendError) -> Problem {
    Problem::new(error.code(), error.to_string())
}

/// What people are told when something could not be read.
pub fn read_problem(error: &ReadError) -> Problem {
    Problem::new(error.code(), error.to_string())
}
