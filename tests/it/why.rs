//! Why a run, or a step of it, is as it is.

mod command;
mod failure;
mod generated;
mod outside;
mod turns;
