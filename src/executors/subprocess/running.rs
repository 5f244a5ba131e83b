//! The program of an attempt at work, with the group that it leads and the record that it runs.

use std::io;
use std::process::ExitStatus;
use std::time::Duration;

use rustix::process::{Pid, Signal};
use tokio::process::Child;

use super::super::Failure;
use super::command::Ready;
use super::group::{Group, KILL_WAIT};
use super::lost::Record;
use super::streams::Pipes;
use crate::events::problem::{Class, Code};

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
