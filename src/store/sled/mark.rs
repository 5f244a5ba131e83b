//! How far the store has come, in a file of its own.
//!
//! When the end of sled's log is damaged, sled takes it for a write that a crash cut short, drops it, and
//! opens without a word. What tells the two apart is the mark: the position of the last event that was
//! synced. It is written after each sync and never synced itself, so it may be behind, and is never ahead
//! of what is durable.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use crate::events::ids::{Hash, Position};
use crate::files;

/// The file's name, in the store's folder.
pub const MARK: &str = "mark";

/// A position and eight bytes of its hash: a mark that was torn or damaged says nothing.
const MARK_BYTES: usize = 16;

/// The file that says how far the store has come.
#[derive(Debug)]
pub(super) struct Mark {
    file: File,
    path: PathBuf,
}

impl Mark {
    /// Opens the mark of a store; answers also the position in it, 0 if there is none.
    pub(super) fn open(folder: &Path) -> io::Result<(Self, Position)> {
        let path = folder.join(MARK);
        let file = files::update(&path)?;
        let mut bytes = [0; MARK_BYTES];
        let said = match file.read_exact_at(&mut bytes, 0) {
            Ok(()) => read(bytes),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => None,
            Err(error) => return Err(error),
        };
        Ok((Self { file, path }, said.unwrap_or_default()))
    }

    /// Records that everything up to this position is durable.
    pub(super) fn set(&self, position: Position) -> io::Result<()> {
        self.file.write_all_at(&write(position), 0)
    }

    /// Whether the file is still where it was opened.
    pub(super) fn is_in_place(&self) -> bool {
        is_in_place(&self.file, &self.path)
    }
}

/// Whether a file still lies where it was opened. If the store's folder was removed, or another took its
/// place, what is written from then on is lost.
pub(super) fn is_in_place(file: &File, path: &Path) -> bool {
    let is_same = |ours: &fs::Metadata, there: &fs::Metadata| {
        (ours.ino(), ours.dev()) == (there.ino(), there.dev()) && ours.nlink() > 0
    };
    let there = fs::symlink_metadata(path);
    file.metadata().is_ok_and(|ours| there.is_ok_and(|there| is_same(&ours, &there)))
}

fn write(position: Position) -> [u8; MARK_BYTES] {
    let (number, check) = (position.0.to_le_bytes(), Hash::of(&position.0.to_le_bytes()));
    let mut bytes = [0; MARK_BYTES];
    bytes.iter_mut().zip(number.iter().chain(&check.0)).for_each(|(to, from)| *to = *from);
    bytes
}

fn read(bytes: [u8; MARK_BYTES]) -> Option<Position> {
    let number = bytes.first_chunk::<8>().map(|number| Position(u64::from_le_bytes(*number)))?;
    (write(number) == bytes).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_that_is_damaged_says_nothing() {
        let whole = write(Position(4711));
        assert_eq!(read(whole), Some(Position(4711)));
        for place in 0..MARK_BYTES {
            let mut damaged = whole;
            damaged[place] ^= 1;
            assert_eq!(read(damaged), None, "{place}");
        }
    }
}
