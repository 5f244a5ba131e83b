//! Files that are there whole or not at all: they are written under another name, then renamed.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::files;

/// The prefix of the names of unfinished files.
const UNFINISHED: &str = ".unfinished-";

/// Writes and reads files below a folder.
#[derive(Debug)]
pub(super) struct WholeFiles {
    folder: PathBuf,
    /// Another such folder, in which files are read that are not in this one.
    beneath: Option<PathBuf>,
    unfinished: AtomicU64,
}

impl WholeFiles {
    /// Takes over the folder, and removes unfinished files.
    pub(super) fn open(folder: PathBuf, beneath: Option<PathBuf>) -> io::Result<Self> {
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(Self { folder, beneath, unfinished: AtomicU64::new(0) })
    }

    /// The folder under which all files lie.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The file at that path below the folder, or else at the same path below `beneath`; none
    /// if there is neither.
    pub(super) fn read(&self, path: &Path) -> io::Result<Option<File>> {
        let is_absent = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
        match (files::read(path), self.beneath(path)) {
            (Err(error), Some(beneath)) if is_absent(&error) => match files::read(&beneath) {
                Err(error) if is_absent(&error) => Ok(None),
                opened => opened.map(Some),
            },
            (Err(error), None) if is_absent(&error) => Ok(None),
            (opened, _) => opened.map(Some),
        }
    }

    /// The names in a folder, which is this one or lies in it, and in the same place below `beneath`:
    /// some may come twice.
    pub(super) fn names(&self, folder: &Path) -> io::Result<Vec<OsString>> {
        let mut names = Vec::new();
        for folder in [Some(folder.to_path_buf()), self.beneath(folder)].into_iter().flatten() {
            match files::is_folder(&folder).and_then(|()| fs::read_dir(&folder)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                entries => {
                    for entry in entries? {
                        names.push(entry?.file_name());
                    }
                }
            }
        }
        Ok(names)
    }

    fn beneath(&self, path: &Path) -> Option<PathBuf> {
        Some(self.beneath.as_ref()?.join(path.strip_prefix(&self.folder).ok()?))
    }

    /// Writes a file with that content. `settle` is called with it before it gets its final name.
    pub(super) fn write(
        &self,
        path: &Path,
        content: &[&[u8]],
        settle: impl FnOnce(&File) -> io::Result<()>,
    ) -> io::Result<()> {
        let number = self.unfinished.fetch_add(1, Ordering::Relaxed);
        let unfinished = self.folder.join(format!("{UNFINISHED}{number}"));
        let written = files::create(&unfinished).and_then(|mut file| {
            content.iter().try_for_each(|part| file.write_all(part))?;
            settle(&file)
        });
        written.and_then(|()| fs::rename(&unfinished, path)).inspect_err(|_| {
            // The room that it takes may be what the next one needs. If this fails too, the
            // next start removes it.
            let _ = fs::remove_file(&unfinished);
        })
    }
}
