//! The folders whose own programs may be run: those that the user has looked at and trusted.
//!
//! A `reenact.toml` comes with its folder, and so may everything else in a clone. So trust is given to a path
//! together with the hash of the file's content: when the content changes, it has to be trusted again. Trust
//! is stored in the user's own configuration folder, one file for each path, named by the path's hash; to
//! take trust back, remove the file.

use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::Project;
use crate::events::ids::Hash;
use crate::files;

/// The name of the folder with what is trusted, in the folder of the user's configuration.
const TRUSTED: &str = "trusted";

/// Whether the user has trusted the programs of this configuration, and it has not changed since.
pub fn is_trusted(user: &Path, project: &Project) -> bool {
    let kept = fs::read_to_string(path(user, &project.file));
    kept.is_ok_and(|kept| kept.lines().next() == Some(&project.hash.to_string()))
}

/// Stores that the programs of this configuration are trusted.
///
/// # Errors
/// When the file cannot be written.
pub fn trust(user: &Path, project: &Project) -> io::Result<()> {
    let path = path(user, &project.file);
    // The second line tells people what the file is about.
    let text = format!("{}\n{}\n", project.hash, project.file.display().to_string().escape_debug());
    files::folders(user)?;
    path.parent().map_or(Ok(()), files::folder)?;
    files::replace(&path, text.as_bytes())
}

fn path(user: &Path, file: &Path) -> PathBuf {
    user.join(TRUSTED).join(Hash::of(file.as_os_str().as_bytes()).to_string())
}
