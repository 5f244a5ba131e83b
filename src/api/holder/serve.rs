//! Lets clients in and answers them. Whatever a client does (says nothing, says half, says too much, never reads), it costs
//! the others nothing, and the holder's end is not held up by it.

use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::time::timeout;

use crate::api::facade::Facade;
use crate::api::lines::{Line, Lines};
use crate::api::protocol::{Frame, REQUEST_BYTES_MAX, Request, Response, WhichEvents};
use crate::events::ids::RunId;
use crate::events::problem::{Code, Problem};

/// Frames on their way to one client: beyond it, whoever makes them waits.
const FRAMES: usize = 64;

/// There are never more connections at once, however many files the process may have open: more clients of one store have
/// not been seen.
const CONNECTIONS_MAX: usize = 1024;

/// How long a new client may take for its first request. Every client begins at once.
const FIRST_REQUEST: Duration = Duration::from_secs(10);

/// How long a client may say nothing between two requests, as one does whose user looks at a run step by step. It connects
/// again when it has something to ask.
const NEXT_REQUEST: Duration = Duration::from_secs(600);

/// How long a client that is hung up on may take to read why.
const LAST_WORD: Duration = Duration::from_secs(5);

/// The first pause after a connection could not be accepted. What is missing then, file descriptors or memory, does not
/// come back by trying at once.
const PAUSE_MIN: Duration = Duration::from_millis(10);

/// No pause is longer: clients wait for five seconds.
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// How often it is told at most that clients cannot be let in, or are not.
const TOLD_EVERY: Duration = Duration::from_secs(60);

/// Lets clients in until it is closed.
pub(super) async fn accept(listener: UnixListener, facade: Arc<Facade>, mut closed: watch::Receiver<bool>) {
    let places = Arc::new(Semaphore::new(connections_max()));
    let (mut pause, mut failures, mut strangers) = (PAUSE_MIN, Told::default(), Told::default());
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = is_closed(&mut closed) => return,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                failures.tell(|| tracing::warn!(%error, "clients cannot be let in, and are asked to wait"));
                tokio::select! {
                    () = tokio::time::sleep(pause) => {}
                    () = is_closed(&mut closed) => return,
                }
                pause = (2 * pause).min(PAUSE_MAX);
                continue;
            }
        };
        pause = PAUSE_MIN;
        let peer = stream.peer_cred().ok();
        let (user, pid) = (peer.map(|peer| peer.uid()), peer.and_then(|peer| peer.pid()));
        if !user.is_some_and(|user| may_ask(user, rustix::process::geteuid().as_raw())) {
            strangers.tell(|| tracing::warn!(?user, "another user's process was not let in"));
            continue;
        }
        match Arc::clone(&places).try_acquire_owned() {
            Ok(place) => {
                tracing::debug!(pid, "a client is let in");
                let connection = Connection::new(stream, Arc::clone(&facade), closed.clone(), place);
                tokio::task::spawn_local(connection.serve());
            }
            Err(_) => turn_away(stream),
        }
    }
}

/// Whether a process of that user is answered: the holder's own user, and the one who may do everything anyway.
const fn may_ask(user: u32, own: u32) -> bool {
    user == own || user == 0
}

/// How many clients are let in at once: half of the files that the process may have open, so that the other half is there for
/// the store and for programs.
fn connections_max() -> usize {
    let files = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let half = files.map_or(CONNECTIONS_MAX, |files| usize::try_from(files / 2).unwrap_or(CONNECTIONS_MAX));
    half.clamp(1, CONNECTIONS_MAX)
}

/// Says that there is no place, as far as that can be said without waiting, and hangs up.
fn turn_away(stream: UnixStream) {
    let problem = Problem::new(Code::TooManyClients, "too many processes ask the one that holds the store");
    if let (Ok(mut stream), Ok(line)) = (stream.into_std(), line_of(&Frame::Problem(problem))) {
        // It does not wait. Who does not hear it sees that it is hung up on.
        let _ = stream.write(&line);
    }
}

/// Something that is told now and then, however often it happens.
#[derive(Default)]
struct Told(Option<Instant>);

impl Told {
    fn tell(&mut self, say: impl FnOnce()) {
        if self.0.is_none_or(|at| at.elapsed() >= TOLD_EVERY) {
            self.0 = Some(Instant::now());
            say();
        }
    }
}

/// Ends when nobody is let in any more, be that now or long ago.
async fn is_closed(closed: &mut watch::Receiver<bool>) {
    // An error means that the gate is gone, which is as closed as can be.
    let _ = closed.wait_for(|closed| *closed).await;
}

fn line_of(frame: &Frame) -> Result<Vec<u8>, HangUp> {
    let mut line = serde_json::to_vec(frame).map_err(|_| HangUp)?;
    line.push(b'\n');
    Ok(line)
}

/// The connection of one client, and what it asked to be driven.
struct Connection {
    lines: Lines<OwnedReadHalf>,
    writer: OwnedWriteHalf,
    facade: Arc<Facade>,
    closed: watch::Receiver<bool>,
    /// The run that the client wants driven: it may ask to interrupt it, also between its questions.
    run: Option<RunId>,
    /// Taken for as long as it lasts.
    _place: OwnedSemaphorePermit,
}

/// The connection ends, and its client is told nothing more.
struct HangUp;

impl Connection {
    fn new(
        stream: UnixStream,
        facade: Arc<Facade>,
        closed: watch::Receiver<bool>,
        place: OwnedSemaphorePermit,
    ) -> Self {
        let (reader, writer) = stream.into_split();
        let lines = Lines::new(reader, REQUEST_BYTES_MAX);
        Self { lines, writer, facade, closed, run: None, _place: place }
    }

    async fn serve(mut self) {
        let mut patience = FIRST_REQUEST;
        while let Ok(request) = self.request(patience).await {
            if self.answer(request).await.is_err() {
                return;
            }
            patience = NEXT_REQUEST;
        }
    }

    async fn request(&mut self, patience: Duration) -> Result<Request, HangUp> {
        let line = tokio::select! {
            line = timeout(patience, self.lines.next()) => line,
            () = is_closed(&mut self.closed) => return Err(HangUp),
        };
        let request = match line {
            Ok(Ok(Line::Whole(line))) => Request::read(&line),
            Ok(Ok(Line::TooLong)) => Err(Request::too_large(None)),
            Ok(Ok(Line::End) | Err(_)) | Err(_) => return Err(HangUp),
        };
        match request {
            Ok(request) => Ok(request),
            Err(problem) => {
                // What comes behind it means nothing any more.
                let _ = timeout(LAST_WORD, self.send(&Frame::Problem(problem))).await;
                Err(HangUp)
            }
        }
    }

    /// Answers one request. Meanwhile the client may ask to interrupt the run that it began or sees through.
    async fn answer(&mut self, request: Request) -> Result<(), HangUp> {
        let mut interrupted = matches!(request, Request::Interrupt);
        // Until then there is no answer.
        let sees = matches!(
            request,
            Request::See { .. }
                | Request::Watch { .. }
                | Request::Rest { .. }
                | Request::Listing { watch: true, .. }
                | Request::History { which: WhichEvents { follow: true, .. }, .. }
        );
        match &request {
            Request::See { run, .. } => self.run = Some(run.clone()),
            // A run that got its id here can be interrupted by who sees it through.
            Request::Begin { start, drive: true, .. } => self.run.clone_from(&start.id),
            _ => {}
        }
        let facade = Arc::clone(&self.facade);
        let (sender, mut frames) = mpsc::channel(FRAMES);
        let mut answering = Box::pin(facade.answer(request, &sender));
        let answer = loop {
            tokio::select! {
                biased;
                Some(frame) = frames.recv() => self.send(&frame).await?,
                answer = &mut answering => break answer,
                line = self.lines.next() => match line {
                    Ok(Line::Whole(_)) => {
                        interrupted = true;
                        if sees {
                            break Ok(Response::Done);
                        }
                    }
                    // The client is gone; what it asked for goes on.
                    Ok(Line::End | Line::TooLong) | Err(_) => return Err(HangUp),
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
        self.send(&answer.map_or_else(Frame::Problem, Frame::Response)).await
    }

    async fn send(&mut self, frame: &Frame) -> Result<(), HangUp> {
        let line = line_of(frame)?;
        // A client that does not read, as one whose pager is full, is not waited for at the end.
        tokio::select! {
            biased;
            written = self.writer.write_all(&line) => written.map_err(|_| HangUp),
            () = is_closed(&mut self.closed) => Err(HangUp),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_own_user_and_root_are_answered() {
        assert!(may_ask(1000, 1000) && may_ask(0, 1000) && may_ask(0, 0));
        assert!(!may_ask(1001, 1000) && !may_ask(1000, 0));
    }

    #[test]
    fn the_same_is_not_told_again_at_once() {
        let (mut told, mut said) = (Told::default(), 0);
        for _ in 0..1000 {
            told.tell(|| said += 1);
        }
        assert_eq!(said, 1);
    }
}
