//! What is looked at: read models, folded from all events. Each can be thrown away and made again.
//!
//! - [`runs`]: the list of runs
//! - [`report`]: one run, as people and programs see it

pub mod report;
pub mod runs;
