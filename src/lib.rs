//! x
#![allow(missing_docs)]
pub mod events;
pub mod executors;
pub mod store;
pub mod workflow;
