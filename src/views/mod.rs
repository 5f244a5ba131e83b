//! What is looked at: read models, folded from all events. Each can be thrown away and made again.
//!
//! - [`escaped`]: texts from outside, on their way to what shows them
//! - [`runs`]: the list of runs
//! - [`history`]: an event, as people and programs read it
//! - [`transcript`]: what was said during an attempt at a step
//! - [`report`]: one run, as people and programs see it
//! - [`request`]: what a person must know to answer a request for an approval
//! - [`rollback`]: what a person must undo by hand
//! - [`stream`]: a stream of any kind
//! - [`ways`]: what a person can do about a run that does not go on by itself

pub mod escaped;
pub mod history;
mod markdown;
pub mod report;
pub mod request;
pub mod rollback;
pub mod runs;
pub mod stream;
pub mod transcript;
pub mod ways;

pub use markdown::{command_line, for_shell};
