//! How programs reach it. Every way in calls one facade.
//!
//! - [`protocol`]: what can be asked, and what is answered
//! - [`facade`]: answers it with an engine
//! - [`holder`]: the process that holds a store, and lets others in through its control socket
//! - `lines`: what is read of a connection, within a bound
//! - [`door`]: the store for a verb, be it held here or elsewhere
//! - `copy`: a private copy of a store that cannot be written, for who only looks
//! - [`folder`]: the data folder that is meant, and whose it is
//! - [`wording`]: the words of the command line for what can be done
//! - [`identity`]: which data folder it is, so that a copy is known for one

mod copy;
pub mod door;
pub mod facade;
pub mod folder;
pub mod holder;
pub mod identity;
mod lines;
pub mod protocol;
pub mod wording;
