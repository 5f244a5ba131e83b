//! The process that holds a store. One does at a time: it has the lock on `DATA/lock`, and lets others in through
//! `DATA/control.sock`.

use std::fs::{self, File, Permissions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, watch};

use super::facade::Facade;
use super::folder;
use super::protocol::{Answer, Frame, Request};
use crate::events::ids::RunId;
use crate::events::problem::{Code, Problem};
use crate::files;

/// Frames on their way to one client: beyond it, whoever makes them waits.
const FRAMES: usize = 64;

/// A request is a line; the longest carries a definition and an input.
const REQUEST_BYTES_MAX: usize = 64 * 1024 * 1024;

const LOCK: &str = "lock";
const SOCKET: &str = "control.sock";

/// The socket before it may be used.
const UNNAMED_SOCKET: &str = "control.new";

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

/// Who holds the lock, for a person: its process id and command.
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
        let accepting = actix::spawn(accept(listener, facade, closed.subscribe()));
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

async fn accept(listener: UnixListener, facade: Arc<Facade>, mut closed: watch::Receiver<bool>) {
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => accepted,
            () = is_closed(&mut closed) => return,
        };
        match stream {
            Ok((stream, _)) => {
                let connection = Connection::new(stream, Arc::clone(&facade), closed.clone());
                actix::spawn(connection.serve());
            }
            Err(error) => tracing::warn!(%error, "a client could not be let in"),
        }
    }
}

/// Ends when nobody is let in any more, be that now or long ago.
async fn is_closed(closed: &mut watch::Receiver<bool>) {
    // An error means that the gate is gone, which is as closed as can be.
    let _ = closed.wait_for(|closed| *closed).await;
}

/// One client.
struct Connection {
    lines: tokio::io::Lines<BufReader<OwnedReadHalf>>,
    writer: OwnedWriteHalf,
    facade: Arc<Facade>,
    closed: watch::Receiver<bool>,
    /// The run that the client wants driven: it may ask to interrupt it, also between its questions.
    run: Option<RunId>,
}

/// Why a connection ends.
struct HangUp;

impl Connection {
    fn new(stream: UnixStream, facade: Arc<Facade>, closed: watch::Receiver<bool>) -> Self {
        let (reader, writer) = stream.into_split();
        Self { lines: BufReader::new(reader).lines(), writer, facade, closed, run: None }
    }

    async fn serve(mut self) {
        while let Ok(request) = self.request().await {
            if self.answer(request).await.is_err() {
                return;
            }
        }
    }

    async fn request(&mut self) -> Result<Request, HangUp> {
        let line = tokio::select! {
            line = self.lines.next_line() => line,
            () = is_closed(&mut self.closed) => return Err(HangUp),
        };
        let line = line.ok().flatten().filter(|line| line.len() <= REQUEST_BYTES_MAX).ok_or(HangUp)?;
        match Request::read(&line) {
            Ok(request) => Ok(request),
            Err(problem) => {
                self.send(&Frame::Problem(problem)).await?;
                Err(HangUp)
            }
        }
    }

    /// Answers one request. Meanwhile the client may ask to interrupt the run that it began or sees through.
    async fn answer(&mut self, request: Request) -> Result<(), HangUp> {
        let mut interrupted = matches!(request, Request::Interrupt);
        let sees = matches!(request, Request::See { .. });
        if let Request::See { run, .. } | Request::Begin { run, drive: true, .. } = &request {
            self.run = Some(run.clone());
        }
        let facade = Arc::clone(&self.facade);
        let (sender, mut frames) = mpsc::channel(FRAMES);
        let mut answering = Box::pin(facade.answer(request, &sender));
        let answer = loop {
            tokio::select! {
                biased;
                Some(frame) = frames.recv() => self.send(&frame).await?,
                answer = &mut answering => break answer,
                line = self.lines.next_line() => match line {
                    Ok(Some(_)) => {
                        interrupted = true;
                        if sees {
                            break Ok(Answer::Done);
                        }
                    }
                    // The client is gone; what it asked for goes on.
                    Ok(None) | Err(_) => return Err(HangUp),
                },
                () = is_closed(&mut self.closed) => return Err(HangUp),
            }
        };
        // From here on this client does not count among those that see the run through.
        drop(answering);
        if let Some(run) = self.run.as_ref().filter(|_| interrupted) {
            facade.interrupt(run).await;
        }
        while let Ok(frame) = frames.try_recv() {
            self.send(&frame).await?;
        }
        self.send(&answer.map_or_else(Frame::Problem, Frame::Answer)).await
    }

    async fn send(&mut self, frame: &Frame) -> Result<(), HangUp> {
        let mut line = serde_json::to_vec(frame).map_err(|_| HangUp)?;
        line.push(b'\n');
        // A client that does not read, as one whose pager is full, is not waited for at the end.
        tokio::select! {
            biased;
            written = self.writer.write_all(&line) => written.map_err(|_| HangUp),
            () = is_closed(&mut self.closed) => Err(HangUp),
        }
    }
}

/// A client's end of a connection.
pub struct Client {
    lines: tokio::io::Lines<BufReader<OwnedReadHalf>>,
    writer: OwnedWriteHalf,
}

/// The holder hung up before it answered.
#[derive(Debug, Clone, Copy)]
pub struct Gone;

impl Client {
    /// A client on a connection.
    pub fn new(stream: UnixStream) -> Self {
        let (reader, writer) = stream.into_split();
        Self { lines: BufReader::new(reader).lines(), writer }
    }

    /// Ends when the holder has answered: the kernel alone lets clients connect to a process that is stopped.
    ///
    /// # Errors
    /// When the holder hangs up instead.
    pub async fn greet(&mut self) -> Result<(), Gone> {
        self.ask(&Request::Hello).await?;
        self.frame().await.map(drop)
    }

    /// Asks.
    pub async fn ask(&mut self, request: &Request) -> Result<(), Gone> {
        let mut line = serde_json::to_vec(request).map_err(|_| Gone)?;
        line.push(b'\n');
        self.writer.write_all(&line).await.map_err(|_| Gone)
    }

    /// Asks to let go of the run that is seen through, and waits until that is done.
    pub async fn interrupt(mut self) {
        if self.ask(&Request::Interrupt).await.is_err() {
            return;
        }
        // The last frame tells that it is done, or the end of the connection.
        while let Ok(frame) = self.frame().await {
            if matches!(frame, Frame::Answer(_) | Frame::Problem(_)) {
                return;
            }
        }
    }

    /// The next frame.
    pub async fn frame(&mut self) -> Result<Frame, Gone> {
        let line = self.lines.next_line().await.ok().flatten().ok_or(Gone)?;
        serde_json::from_str(&line).map_err(|_| Gone)
    }
}

impl Answer {
    /// The answer to a question that has no other.
    ///
    /// # Errors
    /// When the holder is of another version and answers something else.
    pub fn mismatch(self) -> Problem {
        Problem::new(Code::Internal, format!("an unexpected answer: {self:?}"))
    }
}
