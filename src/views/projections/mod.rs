//! Read models: each is a [`Projection`](crate::kernel::projection::Projection), with the code that
//! answers from its rows.
//!
//! - [`runs`]: the list of runs

pub mod runs;
