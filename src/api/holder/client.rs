//! A client's end of a connection.

use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

use crate::api::lines::{Line, Lines};
use crate::api::protocol::{Frame, Request, Response};
use crate::events::problem::{Code, Problem};

/// A holder's frames are as long as what is asked for: it is the user's own process, and no bound holds for what a run's
/// report has.
const FRAME_BYTES_MAX: usize = usize::MAX;

/// A client of the process that holds a store.
pub struct Client {
    lines: Lines<OwnedReadHalf>,
    writer: OwnedWriteHalf,
    /// The number of the holder's process.
    holder: Option<i32>,
}

/// The ways in which a question may end without an answer.
#[derive(Debug)]
pub enum NoAnswer {
    /// The problem that stands in place of the answer.
    Problem(Problem),
    /// The holder says that it is ending: the next one answers.
    Ending,
    /// The holder hung up before it answered: the next one may, or the same again.
    Gone,
}

impl From<Problem> for NoAnswer {
    fn from(problem: Problem) -> Self {
        if problem.code == Code::ShuttingDown { Self::Ending } else { Self::Problem(problem) }
    }
}

impl Client {
    /// A client on a connection.
    pub fn new(stream: UnixStream) -> Self {
        let holder = stream.peer_cred().ok().and_then(|peer| peer.pid());
        let (reader, writer) = stream.into_split();
        Self { lines: Lines::new(reader, FRAME_BYTES_MAX), writer, holder }
    }

    /// The number of the process that holds the store, as far as the kernel tells it.
    pub const fn holder(&self) -> Option<i32> {
        self.holder
    }

    /// Ends when the holder has answered: the kernel alone lets clients connect to a process that is stopped.
    ///
    /// # Errors
    /// When the holder lets nobody in, or hangs up.
    pub async fn greet(&mut self) -> Result<(), NoAnswer> {
        self.ask(&Request::Hello).await?;
        match self.frame().await? {
            Frame::Problem(problem) => Err(problem.into()),
            _ => Ok(()),
        }
    }

    /// Asks.
    ///
    /// # Errors
    /// [`Code::RequestTooLarge`] for what no holder takes; what the holder said when it stopped reading.
    pub async fn ask(&mut self, request: &Request) -> Result<(), NoAnswer> {
        let line = request.line()?;
        if self.writer.write_all(&line).await.is_ok() {
            return Ok(());
        }
        // Who stops reading may have said why before.
        match self.frame().await {
            Ok(Frame::Problem(problem)) => Err(problem.into()),
            _ => Err(NoAnswer::Gone),
        }
    }

    /// Asks to let go of the run that is seen through, and waits until that is done.
    pub async fn interrupt(mut self) {
        if self.ask(&Request::Interrupt).await.is_err() {
            return;
        }
        // The last frame tells that it is done, or the end of the connection.
        while let Ok(frame) = self.frame().await {
            if matches!(frame, Frame::Response(_) | Frame::Problem(_)) {
                return;
            }
        }
    }

    /// The next frame.
    ///
    /// # Errors
    /// [`NoAnswer::Gone`], also for what is no frame.
    pub async fn frame(&mut self) -> Result<Frame, NoAnswer> {
        match self.lines.next().await {
            Ok(Line::Whole(line)) => serde_json::from_slice(&line).map_err(|_| NoAnswer::Gone),
            Ok(Line::End | Line::TooLong) | Err(_) => Err(NoAnswer::Gone),
        }
    }
}

impl Response {
    /// The answer to a question that has no other.
    ///
    /// # Errors
    /// When the holder is of another version and answers something else.
    pub fn mismatch(self) -> Problem {
        Problem::new(Code::Internal, format!("an unexpected answer: {self:?}"))
    }
}
