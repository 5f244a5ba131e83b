//! Read models: each is a [`Projection`](crate::kernel::projection::Projection), and whoever asks what it kept.
//!
//! - [`runs`]: the list of runs

pub mod runs;
