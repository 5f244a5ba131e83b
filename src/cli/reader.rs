//! Whoever reads what this process writes: a pipe or a terminal tells that they have gone, also while nothing is written.

use std::io::{self, IsTerminal};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::io::Errno;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// How much later than a terminal goes SIGHUP may come, which tells of it as well: if it comes, the process ends by that.
const HANG_UP_TAKES: Duration = Duration::from_millis(100);

/// Errors and hang-ups are told whatever is asked for, and nothing is to be read.
const INTEREST: Interest = Interest::PRIORITY.add(Interest::ERROR);

/// The other end of what a process writes to.
pub(super) struct Reader {
    /// None for what has no other end, as a file.
    watched: Option<AsyncFd<OwnedFd>>,
    /// How long it is waited for what else tells of its end.
    takes: Duration,
}

impl Reader {
    /// Whoever reads what is written to there.
    pub(super) fn of(written: impl AsFd + IsTerminal) -> Self {
        let takes = if written.is_terminal() { HANG_UP_TAKES } else { Duration::ZERO };
        let own = written.as_fd().try_clone_to_owned().ok();
        Self { watched: own.and_then(watch), takes }
    }

    /// Ends when nobody can read any more what is written.
    pub(super) async fn gone(&self) {
        let Some(watched) = &self.watched else { return std::future::pending().await };
        while let Ok(mut ready) = watched.ready(INTEREST).await
            && !(ready.ready().is_read_closed() || ready.ready().is_error())
        {
            ready.clear_ready();
        }
        tokio::time::sleep(self.takes).await;
    }
}

#[expect(
    deprecated,
    reason = "what replaces it is unsafe for descriptors that may change: an owned one does not"
)]
fn watch(own: OwnedFd) -> Option<AsyncFd<OwnedFd>> {
    AsyncFd::with_interest(own, INTEREST).ok()
}

/// Whether that is how writing fails to what nobody reads any more: a pipe, or a terminal.
pub(super) fn is_unread(error: &io::Error, to_terminal: bool) -> bool {
    error.kind() == io::ErrorKind::BrokenPipe
        || to_terminal && error.raw_os_error() == Some(Errno::IO.raw_os_error())
}
