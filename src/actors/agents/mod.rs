//! Agents: who makes attempts, as many at once as each has slots.
//!
//! - [`communicator`]: who is where; [`agent`]: makes attempts with an executor
//! - [`dispatcher`]: slots, and who waits for one; `pace`: how fast they are given; [`roster`]: which executor an agent works with
//! - [`inbox`]: messages to them that need not survive the process; [`shell`]: the streams of agents

pub mod agent;
pub mod communicator;
pub mod dispatcher;
pub mod inbox;
mod pace;
pub mod roster;
pub mod shell;
