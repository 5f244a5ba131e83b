//! The process group of an attempt: the program, and all that it started and that did not leave the group.

use std::process::ExitStatus;
use std::time::Duration;
use std::{fmt, io};

use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
use tokio::process::Child;

use super::super::Failure;
use super::command::Ready;
use super::lost::Record;
use super::proc;
use super::streams::Pipes;
use crate::events::problem::{Class, Code};

/// How long the kernel gets to carry out a KILL. A process that lives on after that hangs in the kernel.
const KILL_WAIT: Duration = Duration::from_secs(5);

/// A program at work. Dropped before it has ended or was left, its whole group is killed.
#[derive(Debug)]
pub(super) struct Running {
    child: Child,
    /// The group, for as long as it is ours to end.
    group: Option<Group>,
    record: Option<Record>,
}

impl Running {
    /// Starts a program in a group of its own, and writes down that it runs.
    ///
    /// # Errors
    /// When it does not start, or cannot be written down: then nobody could end it if this process died.
    pub(super) fn start(command: Ready, mut record: Option<Record>) -> Result<(Self, Pipes), Failure> {
        if let Some(record) = &record {
            record.announce().map_err(|error| {
                let message = format!("what runs cannot be written down in the data folder: {error}");
                Failure::new(Code::NotStarted, message).class(Class::Transient)
            })?;
        }
        let mut child = match command.spawn() {
            Ok(child) => child,
            Err(failure) => {
                record.iter().for_each(Record::remove);
                return Err(failure);
            }
        };
        let group = child.id().and_then(|pid| Group::new(Pid::from_raw(i32::try_from(pid).ok()?)?));
        if let Some((record, leader)) = record.as_mut().zip(group) {
            record.started(leader);
        }
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        Ok((Self { child, group, record }, pipes))
    }

    /// Ends when the program has. It may be dropped at any await and called again.
    pub(super) async fn wait(&mut self) -> io::Result<ExitStatus> {
        self.child.wait().await
    }

    /// Lets go of a program that has ended; what else is in the group is left alone.
    pub(super) async fn leave(mut self) {
        self.group = None;
        self.forget().await;
    }

    /// Ends all of the group: TERM, after `grace` KILL.
    pub(super) async fn end(mut self, grace: Duration) {
        let Some(group) = self.group else { return };
        if group.end(grace).await {
            self.group = None;
            // The program is dead; this takes it off the kernel's list.
            let _ = tokio::time::timeout(KILL_WAIT, self.child.wait()).await;
            self.forget().await;
        } else {
            tracing::warn!(%group, "a process group does not end, not even by KILL");
        }
    }

    async fn forget(mut self) {
        if let Some(record) = self.record.take() {
            // Touches the disk. That it may fail is no harm: the record names a process that is no more.
            let _ = tokio::task::spawn_blocking(move || record.remove()).await;
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(group) = self.group {
            group.signal(Signal::KILL);
        }
    }
}

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
    fn signal(self, signal: Signal) {
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
