//! The process that holds a store. One does at a time: it has the lock on `DATA/lock`, and lets others in through
//! `DATA/control.sock`.
//!
//! - `serve`: lets clients in, and answers them
//! - `client`: their end

mod client;
mod serve;

use std::fs::{self, File, Permissions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;

pub use client::{Client, NoAnswer};

use super::facade::Facade;
use super::folder::{self, LOCK};
use crate::events::problem::{Code, Problem};
use crate::files;

const SOCKET: &str = "control.sock";

/// The socket before it may be used.
const UNNAMED_SOCKET: &str = "control.new";

/// The sockets that there may be in a data folder.
pub(super) const SOCKETS: [&str; 2] = [SOCKET, UNNAMED_SOCKET];

/// How much is read of what a holder says of itself.
const HOLDER_BYTES_MAX: u64 = 4 * 1024;

/// The right to hold a store, for as long as it lives.
#[derive(Debug)]
pub struct Lock {
    /// The true path of the data folder.
    data: PathBuf,
    /// The lock is held by the open file.
    file: File,
}

impl Lock {
    /// Takes the lock of a data folder, if nobody has it. Makes the folder if it is not there.
    ///
    /// # Errors
    /// When the folder cannot be made or written, or holds something else under the names of its files.
    pub fn try_take(data: &Path) -> Result<Option<Self>, Problem> {
        Self::take(data).map_err(|error| folder::problem(data, &error))
    }

    fn take(data: &Path) -> io::Result<Option<Self>> {
        let data = folder::make(data)?;
        let mut file = files::update(&data.join(LOCK))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        let command: Vec<String> = std::env::args().collect();
        file.set_len(0)?;
        file.rewind()?;
        write!(file, "{}\n{}\n", std::process::id(), command.join(" "))?;
        let lock = Self { data, file };
        // Somebody may have removed the folder since the file was opened.
        Ok(lock.is_in_place().then_some(lock))
    }

    /// The true path of the data folder.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// Whether the data folder still lies where it was. If it was removed, or another took its place, others hold what is
    /// there by now.
    pub fn is_in_place(&self) -> bool {
        let number = |file: &fs::Metadata| (file.dev(), file.ino());
        let there = fs::symlink_metadata(self.data.join(LOCK)).ok();
        there.is_some_and(|there| self.file.metadata().is_ok_and(|ours| number(&ours) == number(&there)))
    }
}

/// The process that holds the lock, for a person: its id and command.
pub fn holder_of(data: &Path) -> String {
    let mut text = String::new();
    let read = files::true_path(data).and_then(|data| files::read(&data.join(LOCK)));
    let read = read.and_then(|file| file.take(HOLDER_BYTES_MAX).read_to_string(&mut text));
    match (read, text.lines().next(), text.lines().nth(1)) {
        (Ok(_), Some(pid), Some(command)) => format!("process {pid} (`{command}`)"),
        _ => "another process".to_owned(),
    }
}

/// Connects to whoever listens in a data folder, if that is this user or root: whoever answers is told inputs and
/// environment, and believed.
///
/// # Errors
/// When nobody listens, or somebody else does.
pub async fn connect(data: &Path) -> Result<UnixStream, Problem> {
    let failed = |error: io::Error| folder::problem(data, &error);
    let data = files::true_path(data).map_err(failed)?;
    folder::check_socket(&data, &data.join(SOCKET))?;
    let (path, _folder) = socket_path(&data, SOCKET).map_err(failed)?;
    let stream = UnixStream::connect(path).await.map_err(failed)?;
    folder::check_owner(&data, stream.peer_cred().map_err(failed)?.uid())?;
    Ok(stream)
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
pub struct ControlSocket {
    socket: PathBuf,
    closed: watch::Sender<bool>,
    accepting: tokio::task::JoinHandle<()>,
}

impl ControlSocket {
    /// Opens the control socket of a data folder whose lock this process has.
    ///
    /// # Errors
    /// When it cannot be bound.
    pub fn open(lock: &Lock, facade: Arc<Facade>) -> Result<Self, Problem> {
        let data = lock.data();
        let socket = data.join(SOCKET);
        let failed = |error: io::Error| {
            Problem::new(Code::StoreUnreadable, format!("{} cannot be bound: {error}", socket.display()))
        };
        let unnamed = data.join(UNNAMED_SOCKET);
        files::if_there(fs::remove_file(&unnamed)).map_err(failed)?;
        let (path, _folder) = socket_path(data, UNNAMED_SOCKET).map_err(failed)?;
        let listener = UnixListener::bind(path).map_err(failed)?;
        // It takes the place of one that a dead process left, when nobody else may use it any more.
        fs::set_permissions(&unnamed, Permissions::from_mode(0o600)).map_err(failed)?;
        fs::rename(&unnamed, &socket).map_err(failed)?;
        let closed = watch::Sender::new(false);
        let accepting = actix::spawn(serve::accept(listener, facade, closed.subscribe()));
        Ok(Self { socket, closed, accepting })
    }

    /// Lets nobody in any more, and hangs up on those who are. What lies in the place of a data folder that is gone is
    /// another holder's.
    pub async fn close(self, lock: &Lock) {
        self.closed.send_replace(true);
        // The task only ends by itself; if it panicked, nobody is let in either.
        let _ = self.accepting.await;
        // Ends when the last connection has dropped its receiver.
        self.closed.closed().await;
        if lock.is_in_place()
            && let Err(error) = fs::remove_file(&self.socket)
        {
            tracing::debug!(%error, "the control socket is left behind");
        }
    }
}
