//! The process that holds a store. One does at a time: it has the lock on `DATA/lock`, and lets others in through
//! `DATA/control.sock`.
//!
//! - `serve`: lets clients in, and answers them
//! - `client`: their end

mod client;
mod serve;

use std::fs::{self, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;

pub use client::{Client, NoAnswer};

use super::facade::Facade;
use crate::events::problem::{Code, Problem};

const LOCK: &str = "lock";
const SOCKET: &str = "control.sock";

/// The socket before it may be used.
const UNNAMED_SOCKET: &str = "control.new";

/// The right to hold a store, for as long as it lives.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "the lock is held by the open file")] File);

/// Takes the lock of a data folder, if nobody has it. Makes the folder if it is not there.
///
/// # Errors
/// When the folder cannot be made or written.
pub fn try_lock(data: &Path) -> Result<Option<Lock>, Problem> {
    let failed = |error: io::Error| {
        Problem::new(Code::StoreUnreadable, format!("{} cannot be used: {error}", data.display()))
    };
    make_folder(data).map_err(failed)?;
    let path = data.join(LOCK);
    let mut file =
        OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(None),
        Err(TryLockError::Error(error)) => return Err(failed(error)),
    }
    let command: Vec<String> = std::env::args().collect();
    let written = file.set_len(0).and_then(|()| file.rewind());
    written.and_then(|()| write!(file, "{}\n{}\n", std::process::id(), command.join(" "))).map_err(failed)?;
    Ok(Some(Lock(file)))
}

/// Who holds the lock, for a person: its process id and command.
pub fn holder_of(data: &Path) -> String {
    let mut text = String::new();
    let read = File::open(data.join(LOCK)).and_then(|mut file| file.read_to_string(&mut text));
    match (read, text.lines().next(), text.lines().nth(1)) {
        (Ok(_), Some(pid), Some(command)) => format!("process {pid} (`{command}`)"),
        _ => "another process".to_owned(),
    }
}

/// Makes a data folder, with a `.gitignore` that keeps everything in it but agents out of repositories.
fn make_folder(data: &Path) -> io::Result<()> {
    if data.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(data)?;
    fs::write(data.join(".gitignore"), "*\n!agents/\n!agents/**\n")
}

/// Connects to whoever listens in a data folder.
///
/// # Errors
/// When nobody does.
pub async fn connect(data: &Path) -> io::Result<UnixStream> {
    let (path, _folder) = socket_path(data, SOCKET)?;
    UnixStream::connect(path).await
}

/// The longest path that a socket can have, with its final zero.
const SOCKET_PATH_BYTES_MAX: usize = 108;

/// The socket's path; if that is too long, one through the open folder, which must live as long as the path is used.
fn socket_path(data: &Path, name: &str) -> io::Result<(PathBuf, Option<File>)> {
    let path = data.join(name);
    if path.as_os_str().len() < SOCKET_PATH_BYTES_MAX {
        return Ok((path, None));
    }
    let folder = File::open(data)?;
    let path = PathBuf::from(format!("/proc/self/fd/{}/{name}", folder.as_raw_fd()));
    Ok((path, Some(folder)))
}

/// Lets clients in until it is closed.
pub struct Gate {
    socket: PathBuf,
    closed: watch::Sender<bool>,
    accepting: tokio::task::JoinHandle<()>,
}

impl Gate {
    /// Opens the control socket of a data folder whose lock this process has.
    ///
    /// # Errors
    /// When it cannot be bound.
    pub fn open(data: &Path, facade: Arc<Facade>) -> Result<Self, Problem> {
        let socket = data.join(SOCKET);
        let failed = |error: io::Error| {
            Problem::new(Code::StoreUnreadable, format!("{} cannot be bound: {error}", socket.display()))
        };
        let unnamed = data.join(UNNAMED_SOCKET);
        match fs::remove_file(&unnamed) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
        let (path, _folder) = socket_path(data, UNNAMED_SOCKET).map_err(failed)?;
        let listener = UnixListener::bind(path).map_err(failed)?;
        // It takes the place of one that a dead process left, when nobody else may use it any more.
        fs::set_permissions(&unnamed, Permissions::from_mode(0o600)).map_err(failed)?;
        fs::rename(&unnamed, &socket).map_err(failed)?;
        let closed = watch::Sender::new(false);
        let accepting = actix::spawn(serve::accept(listener, facade, closed.subscribe()));
        Ok(Self { socket, closed, accepting })
    }

    /// Lets nobody in any more, and hangs up on those who are.
    pub async fn close(self) {
        self.closed.send_replace(true);
        // The task only ends by itself; if it panicked, nobody is let in either.
        let _ = self.accepting.await;
        // Ends when the last connection has dropped its receiver.
        self.closed.closed().await;
        if let Err(error) = fs::remove_file(&self.socket) {
            tracing::debug!(%error, "the control socket is left behind");
        }
    }
}
