//! What Reenact does, seen from outside. One binary, a module for each behaviour.
// A test may end so, and says how it can be done again.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr
)]

mod agent_files;
mod agents;
mod asking;
mod bad_input;
mod bindings;
mod budgets;
mod cache;
mod cassettes;
mod chains;
mod children;
mod contexts;
mod control;
mod conversations;
mod crash;
mod damage;
mod embed;
mod engine;
mod escaping;
mod examples;
mod folders;
mod full_disk;
mod goals;
mod golden;
mod handoffs;
mod handover;
mod hints;
mod hostile;
mod lacking;
mod logged;
mod logs;
mod looks;
mod mcp;
mod memory;
mod messages;
mod models;
mod notify;
mod odd_files;
mod older;
mod orchestration;
mod pictures;
mod power_cut;
mod programs;
mod projections;
mod reports;
mod resume_all;
mod routing;
mod saga;
mod screen;
mod secrets;
mod setup;
mod shutdown;
mod stepper;
mod streaming;
mod stuck;
mod support;
mod talk;
mod tasks;
mod tidy;
mod tiers;
mod tools;
mod unwritten;
mod values;
mod why;
mod words;
mod workflow_tests;
