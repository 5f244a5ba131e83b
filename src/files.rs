//! Files and folders that belong to the user alone: opened through no link, readable by their owner only.
//!
//! What lies in a data folder may have come with a repository or an archive that somebody else made. A link
//! in the place of a file would make Reenact empty or overwrite the file that it points to. So each file is
//! opened by its own name, and must be a plain file with no other name; the folder that it lies in must be a
//! folder and not a link. Folders further up are checked when the store is opened. The data folder itself may
//! be a link that the user named: its true path is taken first, see [`crate::api`].

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{OFlags, SeekFrom};

/// The mode of folders: nobody but the owner may look into them.
const FOLDER_MODE: u32 = 0o700;

/// The mode of files.
const FILE_MODE: u32 = 0o600;

/// How many levels of folders [`check_all`] looks into: more than any store makes.
const DEPTH_MAX: u32 = 4;

/// The thing at the path of a file or a folder is a link, has several names, or is of another kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{path}` is {what}")]
pub(crate) struct NotPlain {
    path: String,
    what: &'static str,
}

impl NotPlain {
    fn at(path: &Path, what: &'static str) -> io::Error {
        io::Error::other(Self { path: path.display().to_string(), what })
    }

    /// Whether that is why something could not be opened.
    pub(crate) fn is_why(error: &io::Error) -> bool {
        error.get_ref().is_some_and(|inner| inner.is::<Self>())
    }
}

/// Opens a file to read it.
///
/// # Errors
/// When it is not there, cannot be read, or is not a plain file.
pub(crate) fn read(path: &Path) -> io::Result<File> {
    open(path, OpenOptions::new().read(true))
}

/// Opens a file to read and to change it, and makes it if it is not there. It must have one name only: a file
/// with another name may belong to anybody.
///
/// # Errors
/// When it cannot be opened or made, or is not a plain file.
pub(crate) fn update(path: &Path) -> io::Result<File> {
    let file = open(path, OpenOptions::new().read(true).write(true).create(true).truncate(false))?;
    let found = file.metadata()?;
    if found.nlink() > 1 {
        return Err(NotPlain::at(path, "a file that has another name too (a hard link)"));
    }
    make_private(&file, &found, FILE_MODE)?;
    Ok(file)
}

/// Opens a file to write at its end, and makes it if it is not there. It must have one name only, as for [`update`].
///
/// # Errors
/// When it cannot be opened or made, or is not a plain file.
pub(crate) fn append(path: &Path) -> io::Result<File> {
    let file = open(path, OpenOptions::new().append(true).create(true))?;
    let found = file.metadata()?;
    if found.nlink() > 1 {
        return Err(NotPlain::at(path, "a file that has another name too (a hard link)"));
    }
    make_private(&file, &found, FILE_MODE)?;
    Ok(file)
}

/// Makes a new file in the place of whatever has that name. A link is removed, not followed.
///
/// # Errors
/// When it cannot be made.
pub(crate) fn create(path: &Path) -> io::Result<File> {
    if_there(fs::remove_file(path))?;
    let file = open(path, OpenOptions::new().write(true).create_new(true))?;
    make_private(&file, &file.metadata()?, FILE_MODE)?;
    Ok(file)
}

/// Writes a file if there is none: if several processes do so at once, only one does it.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn write_once(path: &Path, content: &[u8]) -> io::Result<()> {
    match open(path, OpenOptions::new().write(true).create_new(true)) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => {
            let mut file = made?;
            make_private(&file, &file.metadata()?, FILE_MODE)?;
            file.write_all(content)
        }
    }
}

/// Writes a whole file: a reader sees the old content or the new one, never a part.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    /// Several processes and threads may write one file at once.
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let aside = path.with_extension(format!("{}-{number}.new", std::process::id()));
    let written = create(&aside).and_then(|mut file| file.write_all(content));
    written.and_then(|()| fs::rename(&aside, path)).inspect_err(|_| {
        // If this fails too, the unfinished file stays there and means nothing.
        let _ = fs::remove_file(&aside);
    })
}

/// The text of a file, of which at most that many bytes are read.
///
/// # Errors
/// When it cannot be read, is not a plain file, or is not text.
pub(crate) fn read_text(path: &Path, bytes_max: u64) -> io::Result<String> {
    let mut text = String::new();
    read(path)?.take(bytes_max).read_to_string(&mut text).map(|_| text)
}

/// Copies a file without its holes: a damaged file may be longer than the disk.
///
/// # Errors
/// When one of the two cannot be opened, read or written.
pub(crate) fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let (mut from, mut to) = (read(from)?, create(to)?);
    let length = from.metadata()?.len();
    to.set_len(length)?;
    let mut at = 0;
    while at < length {
        let begin = match rustix::fs::seek(&from, SeekFrom::Data(at)) {
            // Nothing but a hole follows up to the end.
            Err(rustix::io::Errno::NXIO) => break,
            begin => begin?,
        };
        let end = rustix::fs::seek(&from, SeekFrom::Hole(begin))?;
        from.seek(io::SeekFrom::Start(begin))?;
        to.seek(io::SeekFrom::Start(begin))?;
        io::copy(&mut (&from).take(end - begin), &mut to)?;
        at = end;
    }
    Ok(())
}

/// Makes a folder for its owner only, if it is not there; its parent folder must be there. The mode of a
/// folder that is there is left as it is: see [`tighten`].
///
/// # Errors
/// When it cannot be made, or is a link or a file.
pub(crate) fn folder(path: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(FOLDER_MODE).create(path) {
        // Sets the mode whatever the umask is.
        Ok(()) => tighten(path),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => is_folder(path),
        Err(error) => Err(error),
    }
}

/// Makes a folder and all those above it that are missing, each for its owner only.
///
/// # Errors
/// When one cannot be made.
pub(crate) fn folders(path: &Path) -> io::Result<()> {
    let missing: Vec<_> = path.ancestors().take_while(|above| !is_there(above)).collect();
    missing.iter().rev().try_for_each(|folder| self::folder(folder))
}

/// The path without links of a folder that may not exist yet.
///
/// # Errors
/// When a folder on the way cannot be read.
pub(crate) fn true_path(path: &Path) -> io::Result<PathBuf> {
    match (fs::canonicalize(path), path.file_name()) {
        (Err(error), Some(name)) if error.kind() == io::ErrorKind::NotFound => {
            let above = path.parent().filter(|above| !above.as_os_str().is_empty());
            Ok(true_path(above.unwrap_or(Path::new(".")))?.join(name))
        }
        (found, _) => found,
    }
}

/// Whether something has that path. The empty path is the current folder.
fn is_there(path: &Path) -> bool {
    path.as_os_str().is_empty() || path.exists()
}

/// Fails for anything but a folder.
///
/// # Errors
/// When it is not there, or is a link or a file.
pub(crate) fn is_folder(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path)?.file_type() {
        kind if kind.is_dir() => Ok(()),
        kind if kind.is_symlink() => Err(NotPlain::at(path, "a link")),
        _ => Err(NotPlain::at(path, "no folder")),
    }
}

/// Takes access to a folder of this user away from all others.
///
/// # Errors
/// When its mode cannot be changed.
pub(crate) fn tighten(path: &Path) -> io::Result<()> {
    let folder = File::open(path)?;
    make_private(&folder, &folder.metadata()?, FOLDER_MODE)
}

/// Checks everything in a folder whose files other code opens: only folders and plain files with one name may
/// be in it. What belongs to this user is closed to others.
///
/// # Errors
/// When something else is found, or it cannot be looked at.
pub(crate) fn check_all(path: &Path) -> io::Result<()> {
    check_below(path, DEPTH_MAX)
}

fn check_below(path: &Path, depth: u32) -> io::Result<()> {
    is_folder(path)?;
    tighten(path)?;
    for entry in fs::read_dir(path)? {
        let path = entry?.path();
        let found = match fs::symlink_metadata(&path) {
            // It was removed in the meantime.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            found => found?,
        };
        if found.is_dir() && depth > 0 {
            check_below(&path, depth - 1)?;
        } else {
            check_plain(&path, &found)?;
            if found.nlink() > 1 {
                return Err(NotPlain::at(&path, "a file that has another name too (a hard link)"));
            }
            if is_open_to_others(&found, FILE_MODE) {
                fs::set_permissions(&path, Permissions::from_mode(FILE_MODE))?;
            }
        }
    }
    Ok(())
}

fn check_plain(path: &Path, found: &fs::Metadata) -> io::Result<()> {
    match found.file_type() {
        kind if kind.is_file() => Ok(()),
        kind if kind.is_symlink() => Err(NotPlain::at(path, "a link")),
        _ => Err(NotPlain::at(path, "no plain file")),
    }
}

fn open(path: &Path, how: &mut OpenOptions) -> io::Result<File> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        is_folder(folder)?;
    }
    // Without this, opening a pipe would wait for somebody at its other end.
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let flags = flags.bits().cast_signed();
    let opened = how.mode(FILE_MODE).custom_flags(flags).open(path);
    let file = opened.map_err(|error| match fs::symlink_metadata(path) {
        Ok(found) if !found.is_file() && error.kind() != io::ErrorKind::AlreadyExists => {
            NotPlain::at(path, if found.is_symlink() { "a link" } else { "no plain file" })
        }
        _ => error,
    })?;
    check_plain(path, &file.metadata()?)?;
    Ok(file)
}

/// Whether others may access what belongs to this user, or its mode differs from that with which it is made.
fn is_open_to_others(found: &fs::Metadata, mode: u32) -> bool {
    found.uid() == rustix::process::geteuid().as_raw() && found.mode() & 0o777 != mode
}

fn make_private(file: &File, found: &fs::Metadata, mode: u32) -> io::Result<()> {
    if is_open_to_others(found, mode) { file.set_permissions(Permissions::from_mode(mode)) } else { Ok(()) }
}

/// Succeeds also if what was to be removed is not there.
pub(crate) fn if_there(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

#[cfg(test)]
mod tests;
