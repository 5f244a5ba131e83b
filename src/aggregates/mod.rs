//! The aggregates: states that change only by events, each in a room of its own.
//!
//! - [`run`]: one execution of a workflow, a graph of steps that grows
//! - [`agent`]: whether an agent takes work, and with which definitions it was seen
//! - [`context`]: what streams and people share: keys with values, and locks
//! - [`conversation`]: what was said, of which as much is at hand as fits into a window
//! - [`mind`]: what an agent with a memory remembers
//! - [`cache`]: answers that steps take again, as far as people take them away

pub mod agent;
pub mod cache;
pub mod context;
pub mod conversation;
pub mod mind;
pub mod run;
