//! What one evaluation may make and look at. The engine's fuel counts instructions, of which one can make gigabytes.
//!
//! An evaluation runs on one thread from its beginning to its end, so what is left is kept there: the objects that the
//! engine calls while it compares and prints are not given its state.

use std::cell::Cell;

use minijinja::{Error, ErrorKind};

/// How much text an evaluation may make, in bytes, parts of the result that it makes on the way too.
pub const MADE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// How much text it may take out of JSON, in bytes. What is passed on whole is not taken out.
pub const READ_BYTES_MAX: usize = 64 * 1024 * 1024;

/// How many items of lists and maps it may make and look at.
pub const ITEMS_MAX: usize = 1_000_000;

#[derive(Clone, Copy)]
struct Left {
    made: usize,
    read: usize,
    items: usize,
    /// What could not be had, in a sentence: where no error can be answered, less is.
    overdrawn: Option<fn() -> String>,
}

const ALL: Left = Left { made: MADE_BYTES_MAX, read: READ_BYTES_MAX, items: ITEMS_MAX, overdrawn: None };

thread_local! {
    static LEFT: Cell<Left> = const { Cell::new(ALL) };
}

/// Begins an evaluation.
pub(crate) fn begin() {
    LEFT.set(ALL);
}

/// What went beyond the budget of this evaluation, in a sentence.
pub(crate) fn overdrawn() -> Option<String> {
    LEFT.get().overdrawn.map(|why| why())
}

/// How much text may still be made, in bytes.
pub(super) fn made_left() -> usize {
    LEFT.get().made
}

/// Text is about to be made, of so many bytes.
pub(super) fn make(bytes: usize) -> Result<(), Error> {
    take(bytes, |left| &mut left.made, too_much_text)
}

/// Text is about to be taken out of JSON, of so many bytes.
pub(crate) fn read(bytes: usize) -> Result<(), Error> {
    take(bytes, |left| &mut left.read, too_much_read)
}

/// So many items are about to be made or looked at.
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
