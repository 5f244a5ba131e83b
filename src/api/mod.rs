//! The ways in for programs. Each of them calls one facade.
//!
//! - [`protocol`]: what can be asked, and what is answered
//! - [`spec`]: what runs are started with; [`start`]: reading and checking it
//! - [`facade`]: answers it with an engine
//! - [`holder`]: the process that holds a store, and lets others in through its control socket
//! - `lines`: what is read of a connection, within a bound
//! - [`doctor`]: what is wrong with a set-up
//! - [`door`]: the store for a verb, be it held here or elsewhere; [`house`]: a data folder, which opens it
//! - `copy`: a private copy of a store that cannot be written, for who only looks
//! - `mcp`: a server of the Model Context Protocol, for assistants; a part of the feature `cli`
//! - `patience`: how far it makes sense to ask a process again that does not answer
//! - [`engine`]: the engine to embed, and handles of its runs
//! - [`routing`]: where a request goes, and the run that is made of it
//! - [`user`]: who wants something, where nobody says so
//! - [`folder`]: the data folder that is meant, and whose it is
//! - [`project`]: new projects, from templates
//! - [`wording`]: the words of the command line for what can be done
//! - [`identity`]: which data folder it is, so that a copy is known for one

pub mod answer;
pub(crate) mod copy;
pub mod doctor;
pub mod door;
pub mod engine;
pub mod facade;
pub mod folder;
pub mod goal;
pub mod holder;
pub mod house;
pub mod identity;
mod lines;
#[cfg(feature = "cli")]
pub mod mcp;
#[cfg(feature = "cli")]
pub(crate) mod patience;
pub mod project;
pub mod protocol;
pub mod routing;
pub mod spec;
pub mod start;
pub mod user;
pub mod wording;

use crate::events::ids::{CommandId, RunId};

/// A new id for a run.
pub fn new_run_id() -> RunId {
    RunId::from_uuid(uuid::Uuid::now_v7())
}

/// A new id for a command that is asked until it is answered.
pub fn new_command_id() -> CommandId {
    CommandId::from_uuid(uuid::Uuid::now_v7())
}
