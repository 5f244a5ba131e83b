//! One run, as people and programs see it: made from its fold or its events when somebody
//! looks, and never stored.
//!
//! - [`report`]: where it is, step by step
//! - [`outcome`]: what came of it
//! - [`ways`]: what a person can do about a run that does not go on by itself
//! - [`request`]: what a person must know to answer a request for an approval
//! - [`rollback`]: what a person must undo by hand
//! - [`history`]: one event; [`whole`]: with all that is stored beside it; [`stream`]: a stream of any kind
//! - [`graph`]: the picture of a workflow, or of a run
//! - [`transcript`]: what was said during an attempt at a step
//! - [`why`]: the causes of how a run or a step is

pub mod graph;
pub mod history;
pub mod outcome;
pub mod report;
pub mod request;
pub mod rollback;
pub mod stream;
pub mod team;
pub mod transcript;
pub mod ways;
pub mod whole;
pub mod why;
