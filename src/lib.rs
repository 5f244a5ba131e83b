//! Reenact: durable workflows of agents, as event-sourced actors.
//!
//! Every state change of a run is an event, durable before anything acts on it. State is the fold of events, so
//! resuming after a crash and looking at what happened are one operation: enacting the events again.
//!
//! A program that embeds it begins with [`Engine`]: it opens a store, registers functions as agents, starts runs from a
//! [`RunSpec`] and holds each by a [`RunHandle`], whose [`Outcome`] has a type. [`prelude`] has what everybody needs, and
//! `docs/embedding.md` tells the rest.
//!
//! ```
//! use reenact::prelude::*;
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Problem> {
//! let engine = Engine::in_memory()
//!     .function("greet", |name: String| async move { Ok::<_, Failure>(format!("Hello, {name}")) })
//!     .start()
//!     .await?;
//! let spec = RunSpec::text("steps: [{id: a, agent: greet, with: '{{ input }}'}]\noutput: '{{ steps.a.output }}'");
//! let run = engine.run(spec.input("Ada")?).await?;
//! assert_eq!(run.outcome().await?.output::<String>()?, "Hello, Ada");
//! # engine.shut_down().await
//! # }
//! ```
//!
//! Whoever wants to test a workflow begins with [`testing::SagaTest`]; whoever wants a store of another kind with
//! [`store::EventStore`] and [`store::conformance`]; whoever wants more to live on events than runs with [`kernel::Aggregate`] and
//! [`actors::system::System`].
//!
//! - [`api`]: how programs reach it: the engine to embed, the control socket
//! - `cli`: how people run it, a feature that is on by default
//! - [`testing`]: tests of decisions, and of what any workflow promises whatever goes wrong
//! - [`events`]: what happened
//! - [`kernel`]: what keeps anything alive that lives on events; pure
//! - [`workflow`]: what a file says; pure
//! - [`aggregates`]: what lives; pure
//! - [`store`]: where events live
//! - [`executors`]: how agents do work
//! - [`actors`]: who does it
//! - [`views`]: what is looked at
//! - [`config`]: what can be set, and where it comes from
//! - `files`: files of a data folder, opened through no link
//!
//! Imports run one way: `cli`, `api` → `actors` → `executors`, `views` → `aggregates` → `workflow` →
//! `kernel` → `events`, and `store` → `events`. `ARCHITECTURE.md` has the map.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

pub mod actors;
pub mod aggregates;
pub mod api;
#[cfg(feature = "cli")]
pub mod cli;
pub mod config;
pub mod events;
pub mod executors;
mod files;
pub mod kernel;
pub mod prelude;
pub mod store;
pub mod testing;
mod text_file;
pub mod views;
pub mod workflow;

pub use api::engine::Engine;
pub use api::engine::handle::RunHandle;
pub use api::spec::RunSpec;
pub use events::ids::{RunId, Version};
pub use events::json::Json;
pub use events::problem::{Class, Code, Problem};
pub use executors::function::FunctionCall;
pub use executors::function::typed::Undo;
pub use executors::{AgentDefinition, Executor, Failure};
pub use views::presenters::outcome::Outcome;

/// The examples of the README are tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// So are those of the page on testing.
#[cfg(doctest)]
#[doc = include_str!("../docs/testing.md")]
struct TestingPage;

/// And those of the page on messages.
#[cfg(doctest)]
#[doc = include_str!("../docs/messages.md")]
struct MessagesPage;

/// And those of the page on embedding.
#[cfg(doctest)]
#[doc = include_str!("../docs/embedding.md")]
struct EmbeddingPage;
