//! The work folder as tools see it: nothing outside of it can be named, and nothing of the data folder.
//!
//! A path is walked name by name, each from the folder that is open, and no link is followed by the kernel: a link is read, and
//! its names are walked in the same way. So what is opened in the end is what was looked at, whoever changes names meanwhile,
//! and `..` leads back to the folder that was open before, wherever that has been moved to.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use super::super::Failure;
use crate::events::problem::Code;

/// How many links one path may lead through: as many as Linux follows.
const LINKS_MAX: usize = 40;

/// How many names a path may have, those that its links stand for among them. The kernel takes no longer paths.
const NAMES_MAX: usize = 2_048;

/// How the data folder is called where nothing names another.
const DATA: &[u8] = b".reenact";

/// The folder in which git keeps what it runs and trusts.
const GIT: &[u8] = b".git";

/// A folder that is opened only to find something in it.
const ON_THE_WAY: OFlags =
    OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// A folder whose names are read.
const TO_LIST: OFlags = OFlags::DIRECTORY.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// The folder of a file or a folder, whatever it is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity {
    device: u64,
    inode: u64,
}

impl Identity {
    pub(super) fn of(stat: &Stat) -> Self {
        Self { device: stat.st_dev, inode: stat.st_ino }
    }
}

/// A work folder that is open.
#[derive(Debug)]
pub(super) struct Folder {
    root: OwnedFd,
    /// What absolute paths in it begin with: as it is recorded, and without links.
    paths: Vec<PathBuf>,
    data: Option<Identity>,
}

/// What a path is walked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum For {
    /// To look at what is there.
    Reading,
    /// To change it, or to make it with all the folders that are missing.
    Writing,
}

/// A name in a folder that is open.
#[derive(Debug)]
pub(super) struct Place {
    folder: OwnedFd,
    name: OsString,
    /// The path from the work folder, without links and `..`.
    pub(super) path: PathBuf,
    /// What it was called, for messages.
    shown: String,
}

impl Folder {
    /// Opens a work folder; nothing of the folder `data` is found in it.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub(super) fn open(work_folder: &Path, data: Option<&Path>) -> Result<Self, Failure> {
        let failed = |error: io::Error| {
            let message = format!("the work folder `{}` cannot be opened: {error}", work_folder.display());
            Failure::new(Code::ToolFailed, message)
        };
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root =
            rustix::fs::open(work_folder, flags, Mode::empty()).map_err(|errno| failed(errno.into()))?;
        let true_path = fs::canonicalize(work_folder).map_err(failed)?;
        let data = data.and_then(|data| rustix::fs::stat(data).ok()).map(|stat| Identity::of(&stat));
        Ok(Self { root, paths: vec![work_folder.to_path_buf(), true_path], data })
    }

    /// Walks a path, which may lead to what is not there.
    ///
    /// # Errors
    /// When it leads out of the work folder, or to what tools may not touch; when a folder on the way is not there or may not
    /// be entered.
    pub(super) fn place(&self, path: &str, wanted: For) -> Result<Place, Failure> {
        let mut open: Vec<(OwnedFd, OsString)> = Vec::new();
        let mut todo = self.names(Path::new(path)).ok_or_else(|| outside(path))?;
        let (mut links, mut names) = (0, 0);
        while let Some(name) = todo.pop() {
            names += 1;
            if names > NAMES_MAX {
                return Err(Failure::new(Code::ToolPath, format!("`{path}` has too many names")));
            }
            if name == ".." {
                open.pop().ok_or_else(|| outside(path))?;
                continue;
            }
            check_name(&name, wanted, path)?;
            let here = open.last().map_or(self.root.as_fd(), |(folder, _)| folder.as_fd());
            if let Some(target) = link(here, &name, path)? {
                links += 1;
                if links > LINKS_MAX {
                    return Err(Failure::new(
                        Code::ToolPath,
                        format!("`{path}` leads through too many links"),
                    ));
                }
                if target.is_absolute() {
                    open.clear();
                }
                todo.extend(self.names(&target).ok_or_else(|| outside(path))?);
                continue;
            }
            if todo.is_empty() {
                return self.placed(&open, name, path);
            }
            let next = match rustix::fs::openat(here, &name, ON_THE_WAY, Mode::empty()) {
                Err(Errno::NOENT) if wanted == For::Writing => make(here, &name)
                    .and_then(|()| rustix::fs::openat(here, &name, ON_THE_WAY, Mode::empty())),
                next => next,
            };
            let next = next.map_err(|errno| failed(path, errno))?;
            self.check_folder(&next, path)?;
            open.push((next, name));
        }
        self.placed(&open, OsString::from("."), path)
    }

    /// A path from the work folder as it is spelled, for who walks it itself and follows no link.
    ///
    /// # Errors
    /// When it would lead out of the work folder, or to what tools may not touch.
    pub(super) fn spelled(&self, path: &str) -> Result<String, Failure> {
        let mut names = self.names(Path::new(path)).ok_or_else(|| outside(path))?;
        names.reverse();
        if names.iter().any(|name| name == "..") {
            return Err(outside(path));
        }
        names.iter().try_for_each(|name| check_name(name, For::Reading, path))?;
        let spelled: PathBuf = if names.is_empty() { ".".into() } else { names.iter().collect() };
        Ok(spelled.display().to_string())
    }

    /// Opens a folder to read its names.
    ///
    /// # Errors
    /// Those of [`Folder::place`]; when it is no folder, or may not be read.
    pub(super) fn open_folder(&self, place: &Place) -> Result<OwnedFd, Failure> {
        self.open_folder_in(place.folder.as_fd(), &place.name, &place.shown)
    }

    /// The same, of a name in a folder that is open.
    pub(super) fn open_folder_in(
        &self,
        folder: BorrowedFd<'_>,
        name: &OsStr,
        shown: &str,
    ) -> Result<OwnedFd, Failure> {
        let found = rustix::fs::openat(folder, name, TO_LIST, Mode::empty());
        let found = found.map_err(|errno| failed(shown, errno))?;
        self.check_folder(&found, shown)?;
        Ok(found)
    }

    /// The path from the work folder, in names from the last to the first; none of an absolute path that is not in it.
    fn names(&self, path: &Path) -> Option<Vec<OsString>> {
        let inside = match path.is_absolute() {
            true => self.paths.iter().find_map(|own| path.strip_prefix(own).ok())?,
            false => path,
        };
        let names = inside.components().filter_map(|part| match part {
            Component::Normal(name) => Some(name.to_owned()),
            Component::ParentDir => Some(OsString::from("..")),
            Component::CurDir | Component::RootDir | Component::Prefix(_) => None,
        });
        let mut names: Vec<_> = names.collect();
        names.reverse();
        Some(names)
    }

    fn placed(&self, open: &[(OwnedFd, OsString)], name: OsString, shown: &str) -> Result<Place, Failure> {
        let folder = open.last().map_or(self.root.as_fd(), |(folder, _)| folder.as_fd());
        let folder = folder.try_clone_to_owned().map_err(|error| not_done(shown, &error))?;
        let path = open.iter().map(|(_, name)| name).chain((name != ".").then_some(&name)).collect();
        Ok(Place { folder, name, path, shown: shown.to_owned() })
    }

    /// Refuses the data folder, whatever it is called.
    fn check_folder(&self, folder: &OwnedFd, shown: &str) -> Result<(), Failure> {
        let stat = rustix::fs::fstat(folder).map_err(|errno| failed(shown, errno))?;
        if self.data == Some(Identity::of(&stat)) { Err(of_data(shown)) } else { Ok(()) }
    }
}

impl Place {
    /// What is there; none if nothing is. No link is followed.
    pub(super) fn stat(&self) -> Result<Option<Stat>, Failure> {
        match rustix::fs::statat(&self.folder, &self.name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(stat)),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(failed(&self.shown, errno)),
        }
    }

    /// Opens a plain file to read it.
    ///
    /// # Errors
    /// When it is not there, is no plain file, or may not be read.
    pub(super) fn open_file(&self) -> Result<(File, Stat), Failure> {
        open_file_in(self.folder.as_fd(), &self.name, &self.shown)
    }

    /// Writes a whole file: who reads it sees the old content or the new one, never a part, also after a power cut. `aside` names the
    /// file in which the content is made, and is the same for all who try the same; `was` is what was there when it was read.
    ///
    /// # Errors
    /// When it cannot be written, or is not what it was any more.
    pub(super) fn replace(&self, content: &[u8], aside: &str, was: Option<&Stat>) -> Result<(), Failure> {
        let failed = |errno| failed(&self.shown, errno);
        let not_done = |error: &io::Error| not_done(&self.shown, error);
        match rustix::fs::unlinkat(&self.folder, aside, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(errno) => return Err(failed(errno)),
        }
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let made =
            rustix::fs::openat(&self.folder, aside, flags, Mode::from_raw_mode(0o666)).map_err(failed)?;
        let written = (|| {
            let mut made = File::from(made);
            if let Some(was) = was {
                let mode = Mode::from_raw_mode(was.st_mode & 0o777);
                rustix::fs::fchmod(&made, mode).map_err(failed)?;
            }
            made.write_all(content).and_then(|()| made.sync_all()).map_err(|error| not_done(&error))?;
            let is = self.stat()?;
            if is.as_ref().map(unchanged) != was.map(unchanged) {
                let message = format!("`{}` was changed by somebody else meanwhile", self.shown);
                return Err(Failure::new(Code::ToolFailed, message));
            }
            rustix::fs::renameat(&self.folder, aside, &self.folder, &self.name).map_err(failed)?;
            let folder = rustix::fs::openat(&self.folder, ".", TO_LIST, Mode::empty()).map_err(failed)?;
            rustix::fs::fsync(&folder).map_err(failed)
        })();
        written.inspect_err(|_| {
            // If this fails too, the next try takes it away.
            let _ = rustix::fs::unlinkat(&self.folder, aside, AtFlags::empty());
        })
    }
}

/// Opens a plain file in a folder that is open. What could block, or act, when it is opened is not.
pub(super) fn open_file_in(
    folder: BorrowedFd<'_>,
    name: &OsStr,
    shown: &str,
) -> Result<(File, Stat), Failure> {
    let failed = |errno| failed(shown, errno);
    let looked = rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW).map_err(failed)?;
    check_plain(&looked, shown)?;
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = rustix::fs::openat(folder, name, flags, Mode::empty()).map_err(failed)?;
    let stat = rustix::fs::fstat(&file).map_err(failed)?;
    check_plain(&stat, shown)?;
    Ok((File::from(file), stat))
}

/// Refuses all but plain files.
pub(super) fn check_plain(stat: &Stat, shown: &str) -> Result<(), Failure> {
    let what = match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => return Ok(()),
        FileType::Directory => "a folder",
        FileType::Symlink => "a link that was put there meanwhile",
        FileType::Fifo => "a pipe",
        FileType::Socket => "a socket",
        _ => "a device",
    };
    Err(Failure::new(Code::ToolNotThere, format!("`{shown}` is {what}, and no file")))
}

/// Whether tools pass over a name when they look through a folder.
pub(super) fn is_passed_over(name: &OsStr) -> bool {
    [DATA, GIT].contains(&name.as_bytes())
}

fn check_name(name: &OsStr, wanted: For, shown: &str) -> Result<(), Failure> {
    if name.as_bytes() == DATA {
        return Err(of_data(shown));
    }
    // What stands there git runs. Some file systems know no case.
    if wanted == For::Writing && name.as_bytes().eq_ignore_ascii_case(GIT) {
        let message = format!("`{shown}` is git's own, and no tool writes there");
        return Err(Failure::new(Code::ToolPath, message));
    }
    if name.as_bytes().contains(&0) {
        return Err(Failure::new(Code::ToolPath, "a path has no zero bytes"));
    }
    Ok(())
}

/// Where a link leads; none of what is no link, or not there.
fn link(folder: BorrowedFd<'_>, name: &OsStr, shown: &str) -> Result<Option<PathBuf>, Failure> {
    match rustix::fs::readlinkat(folder, name, Vec::new()) {
        Ok(target) => Ok(Some(PathBuf::from(OsString::from_vec(target.into_bytes())))),
        Err(Errno::INVAL | Errno::NOENT) => Ok(None),
        Err(errno) => Err(failed(shown, errno)),
    }
}

/// Makes a folder, if nobody else did so meanwhile.
fn make(folder: BorrowedFd<'_>, name: &OsStr) -> Result<(), Errno> {
    match rustix::fs::mkdirat(folder, name, Mode::from_raw_mode(0o777)) {
        Err(Errno::EXIST) => Ok(()),
        made => made,
    }
}

/// What of a file is another when somebody has changed it.
fn unchanged(stat: &Stat) -> (Identity, i64, i64, i64) {
    (Identity::of(stat), stat.st_size, stat.st_mtime, stat.st_mtime_nsec as i64)
}

fn outside(path: &str) -> Failure {
    Failure::new(Code::ToolPath, format!("`{path}` leads out of the work folder"))
}

fn of_data(path: &str) -> Failure {
    Failure::new(Code::ToolPath, format!("`{path}` is in the data folder of Reenact, which no tool touches"))
}

/// The failure that an answer of the kernel stands for.
pub(super) fn failed(path: &str, errno: Errno) -> Failure {
    let (code, why) = match errno {
        Errno::NOENT => (Code::ToolNotThere, "is not there"),
        Errno::NOTDIR => (Code::ToolNotThere, "is not there: something on the way is no folder"),
        Errno::ISDIR => (Code::ToolNotThere, "is a folder"),
        Errno::NAMETOOLONG => (Code::ToolNotThere, "is longer than a name may be"),
        Errno::ACCESS | Errno::PERM => (Code::ToolNotAllowed, "may not be used by this process"),
        Errno::ROFS => (Code::ToolNotAllowed, "lies on what cannot be written"),
        Errno::LOOP => (Code::ToolPath, "became a link meanwhile"),
        _ => return not_done(path, &errno.into()),
    };
    Failure::new(code, format!("`{path}` {why}"))
}

/// The failure that something went wrong with a file.
pub(super) fn not_done(path: &str, error: &io::Error) -> Failure {
    Failure::new(Code::ToolFailed, format!("`{path}`: {error}"))
}
