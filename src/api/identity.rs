//! The identity of a data folder. A store knows where it was made; a copy of it, be it a backup or a clone, is another
//! store, and what it says of running programs is said of the original's.
//!
//! `DATA/identity` holds a random id, and the folder's path, inode and time of birth. A folder that is moved keeps inode
//! and birth; a copy has others of its own, also one that takes the place of the original. (A file system may give the
//! inode of a folder that was removed to the next one: that is what the birth is for. The number of the device is not
//! looked at, as it may change when the machine starts anew.)

use std::ffi::OsStr;
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};

use super::folder::{PROCESSES, is_store};
use crate::files;

/// The file's name, in the data folder.
const IDENTITY: &str = "identity";

/// A file that is longer is not what was written.
const BYTES_MAX: u64 = 64 * 1024;

/// A data folder, as it is known again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Identity {
    /// Random; every folder has another.
    id: String,
    origin: Origin,
    #[serde(flatten)]
    place: FolderIdentity,
}

/// How a store came to be where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Origin {
    /// It was made there, by Reenact.
    Made,
    /// It was there, made by a version that did not write this down, or by nobody knows whom.
    Found,
    /// It was made elsewhere, and the whole folder was moved.
    Moved,
    /// It is a copy of another.
    Copied,
}

/// The place of a folder, and what tells it from others there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct FolderIdentity {
    /// Its true path in hexadecimal digits: any bytes may be in one.
    path: String,
    inode: u64,
    /// When it was made, in nanoseconds since 1970; none where the file system does not say.
    born_ns: Option<u64>,
}

impl FolderIdentity {
    fn of(data: &Path) -> io::Result<Self> {
        let path = fs::canonicalize(data)?;
        let path = path.as_os_str().as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        let (inode, born_ns) = made(&fs::metadata(data)?);
        Ok(Self { path, inode, born_ns })
    }

    /// Whether it is the same folder, wherever it lies.
    fn is_same_folder(&self, other: &Self) -> bool {
        (self.inode, self.born_ns) == (other.inode, other.born_ns)
    }

    fn path(&self) -> Option<PathBuf> {
        let digits = self.path.as_bytes().chunks(2).map(std::str::from_utf8);
        let bytes: Option<Vec<u8>> = digits.map(|pair| u8::from_str_radix(pair.ok()?, 16).ok()).collect();
        Some(PathBuf::from(OsStr::from_bytes(&bytes?)))
    }
}

fn made(folder: &Metadata) -> (u64, Option<u64>) {
    let born = folder.created().ok().and_then(|born| born.duration_since(UNIX_EPOCH).ok());
    (folder.ino(), born.and_then(|born| u64::try_from(born.as_nanos()).ok()))
}

/// What a data folder is to what its identity says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Relation {
    Same,
    Moved,
    Copy,
}

/// Where the original would be, something may be: this very folder, seen under two paths, or the original.
fn relation(known: &FolderIdentity, here: &FolderIdentity, data: &Path) -> io::Result<Relation> {
    if !known.is_same_folder(here) {
        return Ok(Relation::Copy);
    }
    if known.path == here.path {
        return Ok(Relation::Same);
    }
    let (ours, there) = (fs::metadata(data)?, known.path().and_then(|path| fs::metadata(path).ok()));
    Ok(match there {
        Some(there) if (there.ino(), there.dev()) == (ours.ino(), ours.dev()) => Relation::Same,
        // Of another file system, by chance of the same number, and the original is where it was.
        Some(there) if made(&there) == (known.inode, known.born_ns) => Relation::Copy,
        _ => Relation::Moved,
    })
}

/// Settles which store this is, before it is opened by who has its lock. In a copy nothing runs that the original started:
/// what it says of such programs is removed first, and the new identity is written when all of it is gone, so that a
/// crash in between has it all done again.
///
/// # Errors
/// When the folder cannot be read or written.
pub(super) fn settle(data: &Path) -> io::Result<()> {
    let here = FolderIdentity::of(data)?;
    let (known, is_there) = match read(data)? {
        Some(text) => (serde_json::from_slice::<Identity>(&text).ok(), true),
        None => (None, false),
    };
    let next = match known {
        Some(known) => match relation(&known.place, &here, data)? {
            Relation::Same => return Ok(()),
            Relation::Moved => Identity { origin: Origin::Moved, place: here, ..known },
            Relation::Copy => fresh(data, Origin::Copied, here)?,
        },
        None if is_there => fresh(data, Origin::Copied, here)?,
        // Also what an older version left running is its own.
        None if is_store(data) => Identity::new(Origin::Found, here),
        None => fresh(data, Origin::Made, here)?,
    };
    let file = data.join(IDENTITY);
    files::replace(&file, &serde_json::to_vec(&next)?)?;
    // Half an identity would be taken for that of a copy.
    files::read(&file)?.sync_all()?;
    File::open(data)?.sync_all()
}

/// The identity of a store that has started nothing yet, whatever came with its folder.
fn fresh(data: &Path, origin: Origin, place: FolderIdentity) -> io::Result<Identity> {
    forget_programs(&data.join(PROCESSES))?;
    Ok(Identity::new(origin, place))
}

/// Removes what is written down of running programs; a link is removed, not what it leads to.
fn forget_programs(processes: &Path) -> io::Result<()> {
    match fs::symlink_metadata(processes) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(found) if found.is_dir() => fs::remove_dir_all(processes),
        Ok(_) => fs::remove_file(processes),
    }
}

/// Whether a store was made by Reenact in this very folder, or would be, as there is none yet. It reads only.
pub fn is_made_here(data: &Path) -> bool {
    let known = match read(data) {
        Ok(None) => return !is_store(data),
        Ok(Some(text)) => serde_json::from_slice::<Identity>(&text).ok(),
        Err(error) => return error.kind() == io::ErrorKind::NotFound,
    };
    let is_here = |known: &Identity| FolderIdentity::of(data).is_ok_and(|here| here == known.place);
    known.is_some_and(|known| known.origin == Origin::Made && is_here(&known))
}

/// What the file says, if it is there.
fn read(data: &Path) -> io::Result<Option<Vec<u8>>> {
    let mut text = Vec::new();
    match files::read(&data.join(IDENTITY)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && data.exists() => Ok(None),
        Err(error) => Err(error),
        Ok(file) => file.take(BYTES_MAX).read_to_end(&mut text).map(|_| Some(text)),
    }
}

impl Identity {
    fn new(origin: Origin, place: FolderIdentity) -> Self {
        Self { id: uuid::Uuid::now_v7().to_string(), origin, place }
    }
}

#[cfg(test)]
mod tests;
