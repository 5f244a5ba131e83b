//! What is looked at: read models, folded from all events. Each can be thrown away and made again.
//!
//! - [`runs`]: the list of runs
//! - [`transcript`]: what was said during an attempt at a step
//! - [`report`]: one run, as people and programs see it
//! - [`rollback`]: what a person must undo by hand

pub mod report;
pub mod rollback;
pub mod runs;
pub mod transcript;
