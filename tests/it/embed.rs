//! The engine as programs embed it: from any runtime, beside the command line, and whatever becomes of it.

mod beside;
mod ends;
mod handoffs;
mod kit;
mod live;
mod messages;
mod minds;
mod outcomes;
mod refused;
mod requests;
mod runtimes;
mod specs;
mod undo;
