//! What Reenact does, seen from outside. One binary, a module for each behaviour.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // a test may end so

mod crash;
mod damage;
mod examples;
mod full_disk;
mod golden;
mod handover;
mod memory;
mod power_cut;
mod support;
mod tidy;
