//! The actors that do it: the shell around the pure core. The only room that names actix.
//!
//! - [`hosting`]: hosts streams of any kind
//! - [`runs`]: what performs the effects of runs, and what may be wanted of them
//! - [`agents`]: who makes attempts
//! - [`contexts`]: what streams and people share; [`minds`]: what agents with a memory remember;
//!   [`conversations`]: what was said, and how it is kept within a window; [`caches`]: answers that are taken away
//! - [`pages`]: files for people in a run's folder
//! - [`notify`]: tells others of events; [`subscribe`]: and programs that use the crate
//! - [`arbiters`]: the threads on which actors live; [`blocking`]: work that blocks
//! - [`library`]: content by its hash, in memory; [`clock`]: the time, which a test can hold
//! - [`system`]: starts and stops all of it in order; [`thread`]: where that is done for a program that has no actors

pub mod agents;
pub mod arbiters;
pub mod blocking;
pub mod caches;
pub mod clock;
pub mod contexts;
pub mod conversations;
pub mod hosting;
pub mod library;
pub mod minds;
pub mod notify;
pub mod pages;
pub mod runs;
mod send;
pub mod subscribe;
pub mod system;
pub mod thread;
