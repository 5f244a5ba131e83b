//! Read models: each is a [`Projection`](crate::kernel::projection::Projection), and whoever asks what it kept.
//!
//! - [`runs`]: the list of runs
//! - [`agents`]: what is known of agents, and which runs wait for them

pub mod agents;
pub mod runs;
