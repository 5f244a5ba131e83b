//! What is looked at: read models, folded from all events. Each can be thrown away and made again.
//!
//! - [`runs`]: the list of runs
//! - [`history`]: an event, as people and programs read it
//! - [`transcript`]: what was said during an attempt at a step
//! - [`report`]: one run, as people and programs see it
//! - [`request`]: what a person must know to answer a request for an approval
//! - [`rollback`]: what a person must undo by hand

pub mod history;
mod markdown;
pub mod report;
pub mod request;
pub mod rollback;
pub mod runs;
pub mod transcript;

pub use markdown::for_shell;
