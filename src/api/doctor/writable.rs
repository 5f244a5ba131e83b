//! Whether everything in a data folder can be written: one file that another user has made there, say with `sudo`, and no run goes on.

use std::fs::{self, DirEntry};
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

use super::Check;
use crate::api::folder::is_yours;

/// How deep it is looked: what a run keeps of each attempt lies deeper, and is written once.
const DEPTH_MAX: u32 = 2;

/// How much is looked at, at most: a look at more is not a quick one.
const LOOKED_MAX: usize = 10_000;

/// How many are named: whoever sees these knows where to look for the rest.
const NAMED_MAX: usize = 3;

/// Looks at it; none where the folder is not there, or somebody else's: then nothing is to be written.
pub(super) fn check(data: &Path) -> Option<Check> {
    if !is_yours(data) {
        return None;
    }
    let mut found = Vec::new();
    let mut left = LOOKED_MAX;
    look(data, DEPTH_MAX, &mut left, &mut found);
    found.sort_unstable();
    let named: Vec<_> = found.iter().take(NAMED_MAX).map(|path| path.display().to_string()).collect();
    let more = match found.len().saturating_sub(NAMED_MAX) {
        0 => String::new(),
        more => format!(", and {more} more"),
    };
    Some(if found.is_empty() {
        Check::good("files", "all that lies there can be written")
    } else {
        let says = format!("you cannot write to {}{more}", named.join(", "));
        Check::wrong(
            "files",
            says,
            "give them back to the owner of the folder (`chown -R`), who may write (`chmod -R u+rwX`)",
        )
    })
}

/// Adds what cannot be written of all that lies in a folder.
fn look(folder: &Path, depth: u32, left: &mut usize, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let Some(fewer) = left.checked_sub(1) else { return };
        *left = fewer;
        let Some(needs) = needs(&entry) else { continue };
        let path = entry.path();
        if access(&path, needs).is_err() {
            found.push(path);
        } else if needs.contains(Access::EXEC_OK) && depth > 0 {
            look(&path, depth - 1, left, found);
        }
    }
}

/// What one has to be able to do with it; none for what is neither a folder nor a plain file, of which others tell.
fn needs(entry: &DirEntry) -> Option<Access> {
    let kind = entry.file_type().ok()?;
    let of_all = Access::READ_OK | Access::WRITE_OK;
    match () {
        () if kind.is_dir() => Some(of_all | Access::EXEC_OK),
        () if kind.is_file() => Some(of_all),
        () => None,
    }
}
