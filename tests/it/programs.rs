//! Programs as steps: how they start, how they end, and what of them is left.

mod context;
mod ends;
mod input;
mod shared;
mod shortage;
mod strays;
