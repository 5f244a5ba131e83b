//! `reenact mcp`, as an assistant uses it: the real binary over its pipes, asked by a small client of these tests and by the
//! official ones.

mod client;
mod ends;
mod official;
mod page;
mod protocol;
mod shared;
mod tools;
mod work;
