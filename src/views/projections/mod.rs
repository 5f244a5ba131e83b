//! Read models: each is a [`Projection`](crate::kernel::projection::Projection), with the code that
//! answers from its rows.
//!
//! - [`runs`]: the list of runs
//! - [`handoffs`]: how often agents handed over to each other
//! - [`successes`]: how often agents did what they were to do
//! - [`conversations`]: which conversations there are
//! - [`tasks`]: what is handed out
//! - [`cache`]: answers that are kept
//! - [`agents`]: what is known of agents, and which runs wait for them

pub mod agents;
pub mod cache;
pub mod conversations;
pub mod handoffs;
pub mod runs;
pub mod successes;
pub mod tasks;
