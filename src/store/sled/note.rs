//! What was found damaged, in a file of its own: as long as it is there, nothing is written to the store.
//!
//! Damage is met by whatever code happens to read there, and what follows must not depend on who reads next.
//! So it is noted durably, and only a verification that finds the store whole removes the note. What counts
//! is that the file exists; its text is for people.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::files;

/// The file's name, in the store's folder.
pub const NOTE: &str = "damaged";

/// How much of a note is read, in bytes: it is one line.
const NOTE_BYTES_MAX: u64 = 4 * 1024;

/// The note about damage to a store, if there is one.
#[derive(Debug)]
pub(super) struct DamageNote {
    folder: PathBuf,
    said: Mutex<Option<String>>,
}

impl DamageNote {
    /// Reads the note of the store in that folder.
    pub(super) fn open(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), said: Mutex::new(read(&folder.join(NOTE))) }
    }

    /// The text of the note, if there is one.
    pub(super) fn said(&self) -> Option<String> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Why nothing is stored, if there is a note.
    pub(super) fn refusal(&self) -> Option<String> {
        self.said().map(|what| {
            format!("the store was found damaged ({what}), and stays as it is until it is verified, and found whole")
        })
    }

    /// Notes damage, unless there is a note already.
    pub(super) fn write(&self, what: &str) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.is_some() {
            return;
        }
        if let Err(error) = write(&self.folder, what) {
            // Where nothing can be written the store is in no danger from us.
            tracing::warn!(what, %error, "damage to the store cannot be noted");
        }
        *said = Some(what.to_owned());
    }

    /// Removes the note: the store is whole.
    pub(super) fn remove(&self) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let removed =
            fs::remove_file(self.folder.join(NOTE)).and_then(|()| File::open(&self.folder)?.sync_all());
        match removed {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(%error, "the note that the store is damaged cannot be removed");
            }
            _ => *said = None,
        }
    }
}

fn read(path: &Path) -> Option<String> {
    let mut bytes = Vec::new();
    match files::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
        // Whatever it says, it is there.
        Err(_) => {}
        Ok(file) => drop(file.take(NOTE_BYTES_MAX).read_to_end(&mut bytes)),
    }
    let line = String::from_utf8_lossy(&bytes).lines().next().unwrap_or_default().trim().to_owned();
    Some(if line.is_empty() { "the note does not say what".to_owned() } else { line })
}

fn write(folder: &Path, what: &str) -> io::Result<()> {
    let mut file = files::create(&folder.join(NOTE))?;
    writeln!(file, "{}", what.replace(['\n', '\r'], " "))?;
    file.sync_all()?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damage_is_noted_once_and_stays_until_it_is_taken_back() {
        let folder = tempfile::tempdir().unwrap();
        let note = DamageNote::open(folder.path());
        assert_eq!(note.refusal(), None);
        note.write("the first\nthing");
        note.write("another");
        assert_eq!(note.said().as_deref(), Some("the first\nthing"));
        assert_eq!(DamageNote::open(folder.path()).said().as_deref(), Some("the first thing"));
        note.remove();
        note.remove();
        assert_eq!((note.said(), DamageNote::open(folder.path()).said()), (None, None));
    }

    #[test]
    fn a_note_that_says_nothing_is_one_all_the_same() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(NOTE), [0xff, 0xfe]).unwrap();
        assert!(DamageNote::open(folder.path()).said().is_some());
        fs::write(folder.path().join(NOTE), []).unwrap();
        assert!(DamageNote::open(folder.path()).said().is_some());
    }
}
