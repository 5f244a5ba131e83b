//! Files that are there whole or not at all: written under another name, then renamed.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Files whose names begin so are unfinished.
const UNFINISHED: &str = ".unfinished-";

/// Writes files below a folder.
#[derive(Debug)]
pub(super) struct WholeFiles {
    folder: PathBuf,
    unfinished: AtomicU64,
}

impl WholeFiles {
    /// Takes over the folder, and removes what nobody finished.
    pub(super) fn open(folder: PathBuf) -> io::Result<Self> {
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(Self { folder, unfinished: AtomicU64::new(0) })
    }

    /// The folder.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Writes a file of that content. `settle` is called before it gets its name.
    pub(super) fn write(
        &self,
        path: &Path,
        content: &[&[u8]],
        settle: impl FnOnce(&File) -> io::Result<()>,
    ) -> io::Result<()> {
        let number = self.unfinished.fetch_add(1, Ordering::Relaxed);
        let unfinished = self.folder.join(format!("{UNFINISHED}{number}"));
        let written = File::create(&unfinished).and_then(|mut file| {
            content.iter().try_for_each(|part| file.write_all(part))?;
            settle(&file)
        });
        written.and_then(|()| fs::rename(&unfinished, path)).inspect_err(|_| {
            // The room that it takes may be what the next one needs. If this fails too, the next start removes it.
            let _ = fs::remove_file(&unfinished);
        })
    }
}
