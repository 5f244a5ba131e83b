//! Agents: who makes attempts, as many at once as each has slots.
//!
//! - [`communicator`]: who is where; [`agent`]: makes attempts with an executor
//! - [`dispatcher`]: slots, and who waits for one; [`roster`]: which executor an agent works with

pub mod agent;
pub mod communicator;
pub mod dispatcher;
pub mod roster;
