//! The two streams that a server speaks on. Whatever they are, a pipe, a socket or a terminal, each is copied by a thread of its
//! own: one that hangs in reading keeps nobody from ending.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream as Blocking;
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::sync::oneshot;

use crate::events::problem::{Code, Problem};

/// How long the last answers may take on their way to a client that does not read.
const LAST_WORD: Duration = Duration::from_secs(2);

/// The near ends of both.
pub(super) struct Pipes {
    pub(super) reader: UnixStream,
    pub(super) writer: UnixStream,
    pub(super) written: Written,
}

/// Tells when everything was written.
pub(super) struct Written(oneshot::Receiver<()>);

impl Written {
    /// Ends when everything was written, or nobody reads it.
    pub(super) async fn wait(self) {
        // Whoever does not read has gone, or will not.
        let _ = tokio::time::timeout(LAST_WORD, self.0).await;
    }
}

impl Pipes {
    /// Copies both from here on.
    ///
    /// # Errors
    /// When the system has no threads or sockets left.
    pub(super) fn open(
        mut input: impl Read + Send + 'static,
        mut output: impl Write + Send + 'static,
    ) -> Result<Self, Problem> {
        let (reader, mut from) = pair().map_err(shortage)?;
        let (writer, mut to) = pair().map_err(shortage)?;
        let thread = |name: &str| std::thread::Builder::new().name(name.to_owned());
        thread("mcp input")
            .spawn(move || {
                // However it ended, nothing more comes.
                let _ = io::copy(&mut input, &mut from);
                let _ = from.shutdown(Shutdown::Both);
            })
            .map_err(shortage)?;
        let (done, written) = oneshot::channel();
        thread("mcp output")
            .spawn(move || {
                let copied = io::copy(&mut to, &mut output).and_then(|_| output.flush());
                if let Err(error) = copied {
                    tracing::debug!(%error, "nobody reads the answers");
                }
                let _ = to.shutdown(Shutdown::Both);
                let _ = done.send(());
            })
            .map_err(shortage)?;
        Ok(Self { reader, writer, written: Written(written) })
    }
}

/// An end for this side, and one for a thread.
fn pair() -> io::Result<(UnixStream, Blocking)> {
    let (near, far) = Blocking::pair()?;
    near.set_nonblocking(true)?;
    Ok((UnixStream::from_std(near)?, far))
}

fn shortage(error: io::Error) -> Problem {
    Problem::new(Code::Shortage, format!("there is no way to a client: {error}"))
}
