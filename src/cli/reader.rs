//! Whoever reads what this process writes: a pipe or a terminal tells that they have gone, also while nothing is written.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::getsid;
use rustix::termios::tcgetsid;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// How much later than its own terminal goes a process hears of SIGHUP, which ends it then: whoever closes a terminal wakes its
/// readers before the signal is sent, and may be kept from its processor in between.
const HANG_UP_MAX: Duration = Duration::from_secs(2);

/// Errors and hang-ups are told whatever is asked for, and nothing is to be read.
const INTEREST: Interest = Interest::PRIORITY.add(Interest::ERROR);

/// The other end of what a process writes to.
pub(super) struct Reader {
    /// None for what has no other end, as a file.
    watched: Option<AsyncFd<OwnedFd>>,
    /// Whether SIGHUP tells of its end as well.
    is_own_terminal: bool,
}

impl Reader {
    /// Whoever reads what is written to there.
    pub(super) fn of(written: impl AsFd) -> Self {
        let is_own_terminal = tcgetsid(&written).is_ok_and(|session| getsid(None) == Ok(session));
        let own = written.as_fd().try_clone_to_owned().ok();
        Self { watched: own.and_then(watch), is_own_terminal }
    }

    /// Ends when nobody can read any more what is written.
    pub(super) async fn gone(&self) {
        let Some(watched) = &self.watched else { return std::future::pending().await };
        while let Ok(mut ready) = watched.ready(INTEREST).await
            && !(ready.ready().is_read_closed() || ready.ready().is_error())
        {
            ready.clear_ready();
        }
    }

    /// Gives the signal its time that tells of it as well.
    pub(super) async fn signalled(&self) {
        if self.is_own_terminal && !ignores_hang_up() {
            tokio::time::sleep(HANG_UP_MAX).await;
        }
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

/// Whether this process was started with SIGHUP ignored.
pub(super) fn ignores_hang_up() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    // SIGHUP is signal 1, the lowest bit.
    mask.is_some_and(|mask| mask & 1 == 1)
}
