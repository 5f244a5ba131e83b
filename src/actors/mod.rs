//! Who does it: the shell around the pure core. The only room that names actix.
//!
//! - [`glance`]: what can be seen of a run that is in memory
//! - [`host`]: one actor for every aggregate: loads, decides, appends, answers
//! - [`load`]: the state of a stream as of any version; `snapshots`: when they are taken, which are kept
//! - [`run`]: what performs a run's effects
//! - [`page`]: files for people: what to undo by hand
//! - `scribe`: writes what people are asked, with what `inspect` finds in the work folder
//! - `leftovers`: what attempts of a process that is gone may have left running
//! - [`agent`]: makes attempts with an executor
//! - [`children`]: the agent that sees runs through which steps of other runs start
//! - [`communicator`]: who is where, and the messages between runs and agents
//! - [`dispatcher`]: slots, and who waits for one
//! - [`notify`]: tells others of events; [`subscribe`]: and programs that use the crate
//! - [`timer`]: one queue for the wake-ups of what is in memory
//! - [`waker`]: drives all runs, those that are due a few at a time; [`attentions`]: who is due when; `standings`: where
//!   streams are
//! - [`roster`]: which executor an agent works with
//! - [`library`]: content by its hash, in memory
//! - [`clock`]: the time, which a test can hold
//! - [`system`]: starts and stops all of it in order

pub mod agent;
pub mod attentions;
pub mod children;
pub mod clock;
pub mod communicator;
pub mod dispatcher;
pub mod glance;
pub mod host;
mod inspect;
mod leftovers;
pub mod library;
pub mod load;
pub mod notify;
pub mod page;
pub mod roster;
pub mod run;
mod scribe;
mod snapshots;
mod standings;
pub mod subscribe;
pub mod system;
pub mod timer;
pub mod waker;
