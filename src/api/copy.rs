//! A private copy of a store that cannot be written, or is somebody else's, to be looked at. Only what sled would write
//! to is copied; blobs and snapshots are read where they are.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::folder;
use crate::events::problem::{Code, Problem};
use crate::files;
use crate::store::sled;

/// How often it is copied anew if its holder writes meanwhile, at most. Half of a write is told from a whole one when the
/// copy is opened, so the last one counts.
const TRIES: u32 = 5;

/// How many levels of folders are copied as such: those of sled are no deeper.
const DEPTH_MAX: u32 = 2;

/// The parts of a store that are copied, in this order: how far the store has come first, so that what is copied later goes at
/// least so far.
const PARTS: [&str; 3] = [sled::DAMAGE_NOTE, sled::MARK, "events"];

/// A copy, for as long as it lives. It lies in the folder for temporary files, for its owner only, under a name that
/// nobody can foresee.
#[derive(Debug)]
pub(super) struct PrivateCopy {
    folder: PathBuf,
    original: Arc<Original>,
    /// Whether the store was written to while it was copied, each time.
    is_torn: bool,
}

/// The store that a copy was made of, as far as it can be seen without asking its holder.
#[derive(Debug)]
pub(crate) struct Original {
    /// The true path of its data folder.
    data: PathBuf,
    /// What told how far it was written to, when it was copied.
    written: Vec<(u64, i64, i64)>,
}

impl Original {
    /// Whether a process holds it, as far as can be seen: that may drive any run, and a copy does not say which.
    pub(super) fn may_be_held(&self) -> bool {
        folder::is_held(&self.data) != Some(false)
    }

    /// Whether it was written to since it was copied.
    pub(super) fn has_changed(&self) -> bool {
        written(&self.data) != self.written
    }
}

/// How large the files are that a copy of a store is made of, but for small ones; 0 where they cannot be looked at.
pub(crate) fn size_bytes(data: &Path) -> u64 {
    let files = fs::read_dir(data.join("events")).into_iter().flatten().flatten();
    files.filter_map(|file| file.metadata().ok()).map(|found| found.len()).sum()
}

impl PrivateCopy {
    /// Copies the store in a folder, of which the true path is given.
    ///
    /// # Errors
    /// [`Code::NoRoomToLook`] when there is no room for it; when the store cannot be read, or is none.
    pub(super) fn of(data: &Path) -> Result<Self, Problem> {
        let mut tries = 0;
        loop {
            tries += 1;
            let original = Arc::new(Original { data: data.to_owned(), written: written(data) });
            let mut copy = Self::new(original).map_err(|error| no_room(&error))?;
            for part in PARTS {
                copy_all(&data.join(part), &copy.folder.join(part), DEPTH_MAX)
                    .map_err(|error| error.problem(data))?;
            }
            copy.is_torn = copy.original.has_changed();
            if tries >= TRIES || !copy.is_torn {
                return Ok(copy);
            }
        }
    }

    fn new(original: Arc<Original>) -> io::Result<Self> {
        // A third of its digits tell the time, the rest is random.
        let folder = std::env::temp_dir().join(format!("reenact-look-{}", uuid::Uuid::now_v7().simple()));
        DirBuilder::new().mode(0o700).create(&folder)?;
        Ok(Self { folder, original, is_torn: false })
    }

    /// The store that it was made of.
    pub(super) const fn original(&self) -> &Arc<Original> {
        &self.original
    }

    /// The folder of the copy, which is there for as long as this lives.
    pub(super) fn path(&self) -> &Path {
        &self.folder
    }

    /// What is said of a store whose copy is damaged: if it was written to all the while, it need not be so itself.
    pub(super) fn known(&self, data: &Path, problem: Problem) -> Problem {
        match problem.code {
            Code::StoreUnreadable | Code::StoreFailed => no_room(&problem),
            Code::StoreDamaged if self.is_torn => {
                let message =
                    format!("{} is written to all the while, and cannot be copied whole", data.display());
                Problem::new(Code::StoreHeld, message).hint("try again; its owner can look at any time")
            }
            _ => problem,
        }
    }
}

impl Drop for PrivateCopy {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.folder) {
            tracing::warn!(copy = %self.folder.display(), %error, "a private copy of a store is left behind");
        }
    }
}

/// The error of a copy, by the side that failed.
enum Failed {
    Read(io::Error),
    Write(io::Error),
}

impl Failed {
    fn problem(self, data: &Path) -> Problem {
        match self {
            Self::Read(error) => folder::problem(data, &error),
            Self::Write(error) => no_room(&error),
        }
    }
}

/// What people are told when there is no room.
pub(super) fn no_room(error: &dyn std::fmt::Display) -> Problem {
    let folder = std::env::temp_dir();
    let message = format!("the store cannot be written, and not be copied to {}: {error}", folder.display());
    Problem::new(Code::NoRoomToLook, message)
}

/// What tells that a store was written to: sizes and times of its files.
pub(super) fn written(data: &Path) -> Vec<(u64, i64, i64)> {
    let files = fs::read_dir(data.join("events")).into_iter().flatten().filter_map(Result::ok);
    let files = files.map(|entry| entry.path()).chain([data.join("mark")]);
    let mut stamps: Vec<_> = files
        .filter_map(|file| fs::symlink_metadata(file).ok())
        .map(|file| (file.size(), file.mtime(), file.mtime_nsec()))
        .collect();
    stamps.sort_unstable();
    stamps
}

/// Copies a file, or a folder with what is in it. What is not there is not copied.
fn copy_all(from: &Path, to: &Path, depth: u32) -> Result<(), Failed> {
    let found = match fs::symlink_metadata(from) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        found => found.map_err(Failed::Read)?,
    };
    if !found.is_dir() || depth == 0 {
        return copy_file(from, to);
    }
    files::folder(to).map_err(Failed::Write)?;
    let mut entries: Vec<_> = fs::read_dir(from)
        .and_then(Iterator::collect::<io::Result<Vec<_>>>)
        .map_err(Failed::Read)?
        .into_iter()
        .map(|entry| entry.file_name())
        .collect();
    // sled's log comes last: what its other files say of it is true then.
    entries.sort_by_key(|name| name == "db");
    entries.iter().try_for_each(|name| copy_all(&from.join(name), &to.join(name), depth - 1))
}

fn copy_file(from: &Path, to: &Path) -> Result<(), Failed> {
    files::copy(from, to).or_else(|error| match error.kind() {
        // A file of sled that another one has replaced meanwhile.
        io::ErrorKind::NotFound => Ok(()),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            Err(Failed::Write(error))
        }
        _ => Err(Failed::Read(error)),
    })
}
