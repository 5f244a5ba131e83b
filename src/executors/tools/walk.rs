//! Looks through a folder and those in it, by folders that are open: a name that becomes a link meanwhile leads nowhere.

use std::ffi::{OsStr, OsString};
use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use ignore::gitignore::{Gitignore, GitignoreBuilder};
use rustix::fs::{AtFlags, Dir, FileType};

use super::super::Failure;
use super::call::Call;
use super::folder::{self, Place, failed, is_passed_over};

/// How many names are looked at: those of a very large project without what it generates.
const NAMES_MAX: usize = 500_000;

/// How many names of one folder are looked at: they are sorted in memory.
const NAMES_OF_ONE_MAX: usize = 100_000;

/// How many folders may lie one inside another: each is held open.
const DEPTH_MAX: usize = 128;

/// How much of a `.gitignore` is read: more than anybody writes.
const IGNORE_BYTES_MAX: u64 = 256 * 1024;

/// A name that is looked at.
pub(super) struct Found<'a> {
    pub(super) folder: BorrowedFd<'a>,
    pub(super) name: &'a OsStr,
    /// The path from the work folder.
    pub(super) path: &'a Path,
    pub(super) kind: FileType,
}

/// What is looked through.
#[derive(Debug, Clone, Copy)]
pub(super) struct Looks {
    /// How deep, from 1: names of the folder itself alone.
    pub(super) depth: usize,
    /// Whether what a `.gitignore` names is looked at, too.
    pub(super) ignored: bool,
}

/// A folder that is being looked through.
struct Level {
    folder: OwnedFd,
    path: PathBuf,
    /// Its names that are left, the next one last.
    names: Vec<(OsString, FileType)>,
    ignore: Option<Gitignore>,
}

/// Shows all names of a folder, and of those in it, in their order, until `visit` says that it is enough. Answers why it was left
/// before its end, if it was.
///
/// # Errors
/// When the folder itself cannot be read. One in it that cannot is passed over, and counted.
pub(super) fn walk(
    call: &Call,
    place: &Place,
    looks: Looks,
    visit: &mut dyn FnMut(&Found<'_>) -> Result<bool, Failure>,
) -> Result<Option<String>, Failure> {
    let first = call.folder.open_folder(place)?;
    let mut cuts = Cuts::default();
    let above = if looks.ignored { Vec::new() } else { ignores_above(call, &place.path) };
    let first = Level::open(first, place.path.clone(), looks, &mut cuts)?;
    let (mut levels, mut seen) = (vec![first], 0);
    while let Some(level) = levels.last_mut() {
        let Some((name, kind)) = level.names.pop() else {
            levels.pop();
            continue;
        };
        seen += 1;
        if call.is_over() || seen > NAMES_MAX {
            cuts.left = Some(match seen > NAMES_MAX {
                true => format!("{NAMES_MAX} names were looked at: there may be more"),
                false => Call::too_long(),
            });
            break;
        }
        let path = level.path.join(&name);
        let ignores = levels.iter().rev().filter_map(|level| level.ignore.as_ref()).chain(&above);
        if is_ignored(ignores, &path, kind) {
            continue;
        }
        let Some(level) = levels.last() else { break };
        let found = Found { folder: level.folder.as_fd(), name: &name, path: &path, kind };
        if !visit(&found)? {
            break;
        }
        if kind != FileType::Directory || levels.len() >= looks.depth {
            continue;
        }
        if levels.len() >= DEPTH_MAX {
            cuts.deep += 1;
            continue;
        }
        let shown = path.display().to_string();
        let opened = call.folder.open_folder_in(level.folder.as_fd(), &name, &shown);
        match opened.and_then(|folder| Level::open(folder, path, looks, &mut cuts)) {
            Ok(inner) => levels.push(inner),
            Err(_) => cuts.unread += 1,
        }
    }
    Ok(cuts.says())
}

impl Level {
    fn open(folder: OwnedFd, path: PathBuf, looks: Looks, cuts: &mut Cuts) -> Result<Self, Failure> {
        let shown = path.display().to_string();
        let mut names = Vec::new();
        for entry in Dir::read_from(&folder).map_err(|errno| failed(&shown, errno))? {
            let entry = entry.map_err(|errno| failed(&shown, errno))?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if name == "." || name == ".." || is_passed_over(name) {
                continue;
            }
            if names.len() >= NAMES_OF_ONE_MAX {
                cuts.wide += 1;
                break;
            }
            let kind = match entry.file_type() {
                FileType::Unknown => kind_of(&folder, name),
                kind => kind,
            };
            names.push((name.to_owned(), kind));
        }
        names.sort_unstable_by(|(one, _), (other, _)| other.cmp(one));
        let ignore = if looks.ignored { None } else { gitignore(folder.as_fd(), &path) };
        Ok(Self { folder, path, names, ignore })
    }
}

/// Not all file systems tell the kind of a name with it.
fn kind_of(folder: &OwnedFd, name: &OsStr) -> FileType {
    rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)
        .map_or(FileType::Unknown, |stat| FileType::from_raw_mode(stat.st_mode))
}

/// Whether a `.gitignore` says that a name is left out: the nearest that says anything of it.
fn is_ignored<'a>(mut ignores: impl Iterator<Item = &'a Gitignore>, path: &Path, kind: FileType) -> bool {
    ignores
        .find_map(|ignore| {
            let says = ignore.matched(path, kind == FileType::Directory);
            (!says.is_none()).then(|| says.is_ignore())
        })
        .unwrap_or(false)
}

/// What the `.gitignore` of each folder says in which a folder lies, the nearest first.
fn ignores_above(call: &Call, path: &Path) -> Vec<Gitignore> {
    let above = path.ancestors().skip(1);
    let read = |path: &Path| {
        let shown = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        let place = call.folder.place(shown.to_str()?, folder::For::Reading).ok()?;
        gitignore(call.folder.open_folder(&place).ok()?.as_fd(), path)
    };
    above.filter_map(read).collect()
}

/// What the `.gitignore` of a folder says, if it has one that can be read.
fn gitignore(folder: BorrowedFd<'_>, path: &Path) -> Option<Gitignore> {
    let name = OsStr::new(".gitignore");
    let (file, _) = folder::open_file_in(folder, name, "").ok()?;
    let mut bytes = Vec::new();
    file.take(IGNORE_BYTES_MAX).read_to_end(&mut bytes).ok()?;
    let mut builder = GitignoreBuilder::new(path);
    for line in String::from_utf8_lossy(&bytes).lines() {
        // Git takes no notice of a line either that is no glob.
        let _ = builder.add_line(None, line);
    }
    builder.build().ok()
}

/// What was not looked at.
#[derive(Default)]
struct Cuts {
    left: Option<String>,
    deep: usize,
    wide: usize,
    unread: usize,
}

impl Cuts {
    fn says(self) -> Option<String> {
        let count = |count: usize, why: &str| (count > 0).then(|| format!("{count} folders {why}"));
        let says = [
            self.left,
            count(self.deep, "lie too deep, and were not looked into"),
            count(self.wide, &format!("have more than {NAMES_OF_ONE_MAX} names, and were looked at in part")),
            count(self.unread, "could not be read"),
        ];
        let says: Vec<String> = says.into_iter().flatten().collect();
        (!says.is_empty()).then(|| says.join("; "))
    }
}
