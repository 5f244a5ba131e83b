//! Whatever comes from outside, a file, a program's answer, a request, a name, a damaged disk, harms neither the store nor
//! who reads it, nor another run.
//!
//! Each case follows from a seed, which a failure prints: `REENACT_FUZZ_SEED=N` plays that one again, and
//! `REENACT_FUZZ_ROUNDS=N` plays N times as many cases as the suite does.

mod bounds;
mod files;
mod kit;
mod pages;
mod requests;
mod runs;
mod words;
