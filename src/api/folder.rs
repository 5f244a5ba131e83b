//! The data folder: which one is meant, how it is made, whose it is, and whether it is still there.

use std::fs::{self, Metadata, TryLockError};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use crate::events::problem::{Code, Problem, Remedy};
use crate::files::{self, NotPlain};
use crate::store::sled::MARK;

/// Its name, where nobody gives another.
pub const DATA: &str = ".reenact";

/// The folder in it where each run has one of its own.
pub const RUNS: &str = "runs";

/// The folder in it where it is written down which programs run.
pub(super) const PROCESSES: &str = "processes";

/// The folder in it that makes it a store.
const EVENTS: &str = "events";

/// The file in it that is written when it is made.
const GITIGNORE: &str = ".gitignore";

/// Keeps everything in it but agents out of repositories.
const IGNORED: &str = "*\n!agents/\n!agents/**\n";

/// The file in it that whoever holds its store has locked.
pub(super) const LOCK: &str = "lock";

/// Whether there is a store in a data folder.
pub fn is_store(data: &Path) -> bool {
    // A link counts, and what one may not look into: it is refused with words when the store is opened. So does the mark of
    // a store whose events are gone.
    [EVENTS, MARK].into_iter().any(|name| match fs::symlink_metadata(data.join(name)) {
        Ok(_) => true,
        Err(error) => !matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory),
    })
}

/// The data folder that somebody names: `option`, else the variable `REENACT_DATA` where it says anything.
pub fn named(option: Option<&Path>) -> Option<PathBuf> {
    let variable = || std::env::var_os("REENACT_DATA").filter(|name| !name.is_empty());
    option.map(Path::to_owned).or_else(|| variable().map(PathBuf::from))
}

/// The data folder that is meant in a folder, where one is `named` or none.
///
/// # Errors
/// As for [`find`].
pub fn meant(named: Option<&Path>, cwd: &Path) -> Result<PathBuf, Problem> {
    named.map_or_else(|| find(cwd), |named| Ok(cwd.join(named)))
}

/// The data folder for who is in a folder and names none: the nearest that holds a store and is this user's, here or
/// further up; else the one here, be it there or not. One that is a link is not used unless it is named.
///
/// # Errors
/// When the one here is a link.
pub fn find(cwd: &Path) -> Result<PathBuf, Problem> {
    let is_meant = |data: &PathBuf| {
        fs::symlink_metadata(data).is_ok_and(|found| found.is_dir() && is_own(&found)) && is_store(data)
    };
    if let Some(data) = cwd.ancestors().map(|folder| folder.join(DATA)).find(is_meant) {
        return Ok(data);
    }
    let here = cwd.join(DATA);
    match fs::symlink_metadata(&here) {
        Ok(found) if found.is_symlink() => {
            let message = format!("`{}` is a link, and was not named", here.display());
            Err(Problem::new(Code::StoreNotPlain, message).hint(Remedy::NameFolder))
        }
        _ => Ok(here),
    }
}

/// Whether a process holds the store of a data folder; none where that cannot be seen. The lock is shared for a moment, if nobody
/// has it: whoever wants it then tries again.
pub(super) fn is_held(data: &Path) -> Option<bool> {
    let file = match files::true_path(data).and_then(|data| files::read(&data.join(LOCK))) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Some(false),
        file => file.ok()?,
    };
    match file.try_lock_shared() {
        Ok(()) => Some(false),
        Err(TryLockError::WouldBlock) => Some(true),
        Err(TryLockError::Error(_)) => None,
    }
}

fn is_own(found: &Metadata) -> bool {
    found.uid() == rustix::process::geteuid().as_raw()
}

/// Whether something is this user's or root's, who may do anything anyway.
fn may_be_relied_on(uid: u32) -> bool {
    uid == 0 || uid == rustix::process::geteuid().as_raw()
}

/// Whether a data folder is somebody else's.
pub(super) fn is_of_another(data: &Path) -> bool {
    fs::metadata(data).is_ok_and(|found| !is_own(&found))
}

/// Whether a data folder is there, and is this user's.
pub fn is_yours(data: &Path) -> bool {
    fs::metadata(data).is_ok_and(|found| is_own(&found))
}

/// Refuses to record in somebody else's data folder.
pub(super) fn not_yours(data: &Path) -> Problem {
    let owner = fs::metadata(data)
        .map_or_else(|_| "somebody else".to_owned(), |found| format!("user {}", found.uid()));
    let message = format!("{} belongs to {owner}, who could not use what you record there", data.display());
    Problem::new(Code::NotYours, message).hint(vec![Remedy::plain("call it as that user"), Remedy::OwnFolder])
}

/// Makes a data folder if it is not there, for its owner only; one that Reenact made and that is this user's is closed to
/// others. A folder that was there before keeps its mode, as it may hold other things: what is made in it is closed.
/// Answers its true path.
///
/// # Errors
/// When it cannot be made or used.
pub(super) fn make(data: &Path) -> io::Result<PathBuf> {
    let data = files::true_path(data)?;
    let is_new = !data.is_dir();
    files::folders(&data)?;
    if is_new {
        files::write_once(&data.join(GITIGNORE), IGNORED.as_bytes())?;
    } else if !is_of_another(&data) {
        let inner = [RUNS, PROCESSES].map(|name| data.join(name));
        let there = inner.iter().filter(|folder| files::is_folder(folder).is_ok());
        there.chain(is_made(&data).then_some(&data)).try_for_each(|folder| files::tighten(folder))?;
    }
    Ok(data)
}

/// Whether Reenact made a data folder: it did not if somebody named one that was there.
fn is_made(data: &Path) -> bool {
    let bytes_max = IGNORED.len() as u64 + 1;
    files::read_text(&data.join(GITIGNORE), bytes_max).is_ok_and(|text| text == IGNORED)
}

/// Refuses a control socket behind which somebody else may be.
///
/// # Errors
/// When the folder or the socket is neither this user's nor root's, or there is none.
pub(super) fn check_socket(data: &Path, socket: &Path) -> Result<(), Problem> {
    let unreadable = |error: io::Error| problem(data, &error);
    let folder = fs::metadata(data).map_err(unreadable)?;
    let found = fs::symlink_metadata(socket).map_err(unreadable)?;
    if !found.file_type().is_socket() {
        let message = format!("`{}` is no socket", socket.display());
        return Err(Problem::new(Code::StoreNotPlain, message));
    }
    [folder.uid(), found.uid()].into_iter().try_for_each(|uid| check_owner(data, uid))
}

/// Refuses what is neither this user's nor root's.
///
/// # Errors
/// [`Code::NotYours`].
pub(super) fn check_owner(data: &Path, uid: u32) -> Result<(), Problem> {
    if may_be_relied_on(uid) {
        return Ok(());
    }
    let message = format!("`{}`, or who holds it, belongs to the user {uid}", data.display());
    Err(Problem::new(Code::NotYours, message))
}

/// What people are told when a data folder cannot be used.
pub(super) fn problem(data: &Path, error: &io::Error) -> Problem {
    let code = if NotPlain::is_why(error) { Code::StoreNotPlain } else { Code::StoreUnreadable };
    Problem::new(code, format!("{} cannot be used: {error}", data.display()))
}
