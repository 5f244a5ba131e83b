//! How programs reach it. Every way in calls one facade.
//!
//! - [`protocol`]: what can be asked, and what is answered
//! - [`facade`]: answers it with an engine
//! - [`holder`]: the process that holds a store, and lets others in through its control socket
//! - `lines`: what is read of a connection, within a bound
//! - [`door`]: the store for a verb, be it held here or elsewhere

pub mod door;
pub mod facade;
pub mod holder;
mod lines;
pub mod protocol;
