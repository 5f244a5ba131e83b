//! Which folders' own programs may be run: those that the user has looked at and said so.
//!
//! A `reenact.toml` comes with its folder, and so may all else in a clone. What is trusted is therefore a path together
//! with the hash of what the file says: once it says something else, it has to be trusted anew. It is kept in the user's
//! own configuration folder, one file for each path, named by the path's hash; to take trust back, remove the file.

use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::Project;
use crate::events::ids::Hash;
use crate::files;

/// The folder of what is trusted, in the folder of the user's configuration.
const TRUSTED: &str = "trusted";

/// Whether the user has said that the programs of this configuration may be run, and it is what it was then.
pub fn is_trusted(user: &Path, project: &Project) -> bool {
    let kept = fs::read_to_string(path(user, &project.file));
    kept.is_ok_and(|kept| kept.lines().next() == Some(&project.hash.to_string()))
}

/// Keeps that they may.
///
/// # Errors
/// When it cannot be written.
pub fn trust(user: &Path, project: &Project) -> io::Result<()> {
    let path = path(user, &project.file);
    // The second line is for who wants to know what the file is about.
    let text = format!("{}\n{}\n", project.hash, project.file.display().to_string().escape_debug());
    files::folders(user)?;
    path.parent().map_or(Ok(()), files::folder)?;
    files::replace(&path, text.as_bytes())
}

fn path(user: &Path, file: &Path) -> PathBuf {
    user.join(TRUSTED).join(Hash::of(file.as_os_str().as_bytes()).to_string())
}
