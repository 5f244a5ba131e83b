//! x
#![allow(missing_docs)]
pub mod events;
pub mod store;
pub mod workflow;
pub mod executors;
