//! Hosts streams of any kind: who is in memory, who goes on by itself, who is woken when. It names no kind.
//!
//! - [`host`]: the actor that drives a core; [`context`]: what every host needs; [`messages`]: what it is sent
//! - [`shell`]: what is particular to a kind; [`live`]: what is seen of a stream that is in memory
//! - [`load`]: the state of a stream as of any version; `snapshots`: which are kept
//! - `memory`: whether what a decision may read is in memory
//! - [`book`]: who is where; `rest`: waiting for streams to come to rest; `wakes`: one heap for all wake-ups
//! - [`kind`]: what is to be known of a kind of streams, and the register of kinds
//! - [`waker`]: drives all streams, those that are due a few at a time

pub mod book;
pub mod context;
pub mod host;
pub mod kind;
pub mod live;
pub mod load;
mod memory;
pub mod messages;
mod rest;
pub mod shell;
mod snapshots;
pub mod states;
pub mod waker;
mod wakes;
