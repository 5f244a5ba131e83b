//! The process group of an attempt: the program, and all that it started and that did not leave the group.

use std::fmt;
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};

use super::proc;

/// How long the kernel gets to carry out a KILL. A process that lives on after that hangs in the kernel.
pub(super) const KILL_WAIT: Duration = Duration::from_secs(5);

/// A process group that may be signalled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Group(Pid);

impl Group {
    /// The group of that number; never the one of this process, nor 1, which to kill(2) means every process that
    /// there is.
    pub(super) fn new(number: Pid) -> Option<Self> {
        (number != Pid::INIT && Some(number) != proc::own_group()).then_some(Self(number))
    }

    /// Its number, which is its first process's.
    pub(super) fn number(self) -> Pid {
        self.0
    }

    /// Ends it: TERM, after `grace` KILL. Answers whether nothing of it lives.
    pub(super) async fn end(self, grace: Duration) -> bool {
        if !self.lives() {
            return true;
        }
        self.signal(Signal::TERM);
        if tokio::time::timeout(grace, self.gone()).await.is_ok() {
            return true;
        }
        self.signal(Signal::KILL);
        tokio::time::timeout(KILL_WAIT, self.gone()).await.is_ok()
    }

    /// Ends when nothing of it lives. The kernel has no event for that, so this looks again and again.
    pub(super) async fn gone(self) {
        let mut pause = Duration::from_millis(1);
        // Listing processes takes milliseconds on a busy machine: not on a thread that hosts actors.
        while tokio::task::spawn_blocking(move || self.lives()).await.unwrap_or(true) {
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(50));
        }
    }

    /// The kernel gives a group's number to nobody else while one of its processes is left, its first one or another.
    pub(super) fn signal(self, signal: Signal) {
        // It fails when nobody is left, which is what is wanted.
        let _ = kill_process_group(self.0, signal);
    }

    /// Whether a process is left that has not ended. One that has ended counts for kill(2) until its parent looks,
    /// and in a container an orphan's new parent may never do.
    fn lives(self) -> bool {
        test_kill_process_group(self.0) != Err(Errno::SRCH)
            && proc::all()
                .is_none_or(|mut all| all.any(|process| process.group == Some(self.0) && !process.ended))
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0.as_raw_nonzero(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_processes_and_our_own_are_no_group_to_signal() {
        assert_eq!(Group::new(Pid::INIT), None);
        assert_eq!(proc::own_group().and_then(Group::new), None);
    }
}
