//! The document that a program reads from stdin, and the name under which it can read it again.

use std::fs::{self, File};
use std::io::{self, Seek, Write};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::Stdio;

use rustix::fs::{MemfdFlags, OFlags, fcntl_setfl, memfd_create};

use crate::files;

/// The variable that names the file in which the document can be read.
pub(super) const INPUT_VARIABLE: &str = "REENACT_INPUT";

/// As much as a pipe holds. The kernel may give less to a user who has many.
const PIPE_BYTES: usize = 64 * 1024;

/// A document on its way to a program.
#[derive(Debug)]
pub(super) struct Input {
    /// What the program gets as stdin.
    pub(super) stdin: Stdio,
    /// What the program gets as [`INPUT_VARIABLE`].
    pub(super) name: PathBuf,
    /// Removed when the program has ended.
    pub(super) file: Option<InputFile>,
}

/// A file that is removed when this is dropped.
#[derive(Debug)]
pub(super) struct InputFile(PathBuf);

impl Drop for InputFile {
    fn drop(&mut self) {
        // If it cannot be removed, the next process tries it again.
        let _ = files::if_there(fs::remove_file(&self.0));
    }
}

/// Makes a stdin on which a program reads on while it runs, and the end on which that is written.
///
/// # Errors
/// When pipes run out.
pub(super) fn kept_open() -> io::Result<(Input, OwnedFd)> {
    let (read, write) = io::pipe()?;
    fcntl_setfl(&write, OFlags::WRONLY | OFlags::NONBLOCK)?;
    Ok((Input { stdin: read.into(), name: "/dev/stdin".into(), file: None }, write.into()))
}

/// Makes a document ready to be read: one that fits is in a pipe at once, so that nobody has to feed the program; a bigger
/// one is in that file, or in memory if there is none.
///
/// # Errors
/// When pipes or files run out, or the disk is full.
pub(super) fn ready(document: &[u8], file: Option<PathBuf>) -> io::Result<Input> {
    if document.len() <= PIPE_BYTES {
        let (read, mut write) = io::pipe()?;
        fcntl_setfl(&write, OFlags::WRONLY | OFlags::NONBLOCK)?;
        if write.write(document).is_ok_and(|count| count == document.len()) {
            return Ok(Input { stdin: read.into(), name: "/dev/stdin".into(), file: None });
        }
    }
    let Some(path) = file else {
        let mut memory = File::from(memfd_create("reenact-input", MemfdFlags::CLOEXEC)?);
        memory.write_all(document)?;
        memory.rewind()?;
        return Ok(Input { stdin: memory.into(), name: "/dev/stdin".into(), file: None });
    };
    let mut written = files::create(&path)?;
    let file = Some(InputFile(path.clone()));
    written.write_all(document)?;
    Ok(Input { stdin: files::read(&path)?.into(), name: path, file })
}
