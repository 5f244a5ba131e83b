//! Bounds on what one evaluation may make and look at. The engine's fuel counts instructions, but
//! one can make gigabytes.
//!
//! An evaluation runs on one thread from its beginning to its end, so the rest of its budget is kept in that
//! thread: the objects that the engine calls while it compares and prints do not get the engine's state.

use std::cell::Cell;

use minijinja::{Error, ErrorKind};

/// How much text an evaluation may make, in bytes, including intermediate results.
pub const MADE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// How much text it may take out of JSON, in bytes. What is passed on whole does not count.
pub const READ_BYTES_MAX: usize = 64 * 1024 * 1024;

/// How many items of lists and maps it may make or look at.
pub const ITEMS_MAX: usize = 1_000_000;

#[derive(Clone, Copy)]
struct Left {
    made: usize,
    read: usize,
    items: usize,
    /// What could not be granted, in a sentence; for places that cannot answer an error,
    /// and answer less instead.
    overdrawn: Option<fn() -> String>,
}

const ALL: Left = Left { made: MADE_BYTES_MAX, read: READ_BYTES_MAX, items: ITEMS_MAX, overdrawn: None };

thread_local! {
    static LEFT: Cell<Left> = const { Cell::new(ALL) };
}

/// Gives the thread a fresh budget for an evaluation.
pub(crate) fn begin() {
    LEFT.set(ALL);
}

/// What exceeded the budget of this evaluation, in a sentence.
pub(crate) fn overdrawn() -> Option<String> {
    LEFT.get().overdrawn.map(|why| why())
}

/// How many bytes of text may still be made.
pub(super) fn made_left() -> usize {
    LEFT.get().made
}

/// Charges for text that is about to be made, in bytes.
pub(super) fn make(bytes: usize) -> Result<(), Error> {
    take(bytes, |left| &mut left.made, too_much_text)
}

/// Charges for text that is about to be taken out of JSON, in bytes.
pub(crate) fn read(bytes: usize) -> Result<(), Error> {
    take(bytes, |left| &mut left.read, too_much_read)
}

/// Charges for items that are about to be made or looked at.
pub(crate) fn items(count: usize) -> Result<(), Error> {
    take(count, |left| &mut left.items, too_many_items)
}

fn take(amount: usize, of: fn(&mut Left) -> &mut usize, why: fn() -> String) -> Result<(), Error> {
    let mut left = LEFT.get();
    let there = of(&mut left);
    let rest = there.checked_sub(amount);
    *there = rest.unwrap_or_default();
    left.overdrawn = left.overdrawn.or(rest.is_none().then_some(why));
    LEFT.set(left);
    if rest.is_some() { Ok(()) } else { Err(Error::new(ErrorKind::InvalidOperation, why())) }
}

fn too_much_read() -> String {
    format!("it takes more than {READ_BYTES_MAX} bytes of text out of what it looks at")
}

pub(super) fn too_much_text() -> String {
    format!("it makes more than {MADE_BYTES_MAX} bytes of text")
}

fn too_many_items() -> String {
    format!("it makes or looks at more than {ITEMS_MAX} items")
}
