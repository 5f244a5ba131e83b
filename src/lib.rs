//! Reenact: durable workflows of agents, as event-sourced actors.
//!
//! Every state change of a run is an event, durable before anything acts on it. State is the fold of events, so
//! resuming after a crash and looking at what happened are one operation: enacting the events again.
//!
//! - [`events`]: what happened
//! - [`kernel`]: what keeps anything alive that lives on events; pure
//! - [`workflow`]: what a file says; pure
//! - [`aggregates`]: what lives; pure
//! - [`store`]: where events live
//! - [`executors`]: how agents do work
//! - [`actors`]: who does it; start here for an engine: [`actors::system::System`]
//! - [`views`]: what is looked at
//! - [`api`]: how programs reach it
//! - [`cli`]: how people run it
//! - [`config`]: what can be set, and where it comes from
//! - `files`: files of a data folder, opened through no link
//! - [`testing`]: tests of decisions, and of what any workflow promises whatever goes wrong
//!
//! Imports run one way: `cli`, `api` → `actors` → `executors`, `views` → `aggregates` → `workflow` →
//! `kernel` → `events`, and `store` → `events`. `ARCHITECTURE.md` has the map.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

pub mod actors;
pub mod aggregates;
pub mod api;
pub mod cli;
pub mod config;
pub mod events;
pub mod executors;
mod files;
pub mod kernel;
pub mod store;
pub mod testing;
mod text_file;
pub mod views;
pub mod workflow;

/// The examples of the README are tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// So are those of the page on testing.
#[cfg(doctest)]
#[doc = include_str!("../docs/testing.md")]
struct TestingPage;
