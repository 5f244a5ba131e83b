//! x
#![allow(missing_docs)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]
pub mod actors;
pub mod api;
pub mod cli;
pub mod config;
pub mod events;
pub mod executors;
pub mod store;
pub mod testing;
pub mod views;
pub mod workflow;
