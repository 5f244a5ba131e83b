//! What is looked at: read models, folded from all events. Each can be thrown away and made again.
//!
//! - [`runs`]: the list of runs
//! - [`history`]: an event, as people and programs read it
//! - [`report`]: one run, as people and programs see it
//! - [`rollback`]: what a person must undo by hand

pub mod history;
pub mod report;
pub mod rollback;
pub mod runs;
