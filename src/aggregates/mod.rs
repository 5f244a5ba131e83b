//! What lives: states that change only by events, each in a room of its own.
//!
//! - [`run`]: one execution of a workflow, a graph of steps that grows

pub mod run;
