//! The program of an attempt at work, with the group that it leads and the record that it runs.

use std::io;
use std::os::fd::OwnedFd;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::{OFlags, fcntl_setfl, fstat};
use rustix::process::{Pid, Signal};
use tokio::process::Child;

use super::super::children::{self, Own};
use super::super::{Failure, Task};
use super::command::Ready;
use super::group::Group;
use super::input::{self, INPUT_VARIABLE, InputFile};
use super::proc;
use super::programs::{Programs, Ticket};
use super::traces::{KILL_WAIT, MARK_VARIABLE};
use crate::events::problem::{Class, Code};

/// The ends of the pipes from which a program's stdout and stderr are read.
pub(super) type Pipes = (OwnedFd, OwnedFd);

/// What a program reads on stdin.
pub(super) enum Stdin {
    /// This document, and no more.
    Document(Vec<u8>),
    /// What is written while it runs.
    KeptOpen,
}

/// A program at work. Dropped before it has ended or was left, its whole group is killed.
#[derive(Debug)]
pub(super) struct Running {
    child: Child,
    /// The group, for as long as it is ours to end.
    group: Option<Group>,
    ticket: Option<Ticket>,
    /// The file with its input, which is removed with it.
    _input: Option<InputFile>,
    _own: Own,
}

impl Running {
    /// Starts a program in a group of its own, written down before it is; with the end of its stdin, if that is kept open. It blocks.
    ///
    /// # Errors
    /// When it does not start, or cannot be written down: then nobody could end it if this process died.
    pub(super) fn start(
        mut command: Ready,
        stdin: &Stdin,
        programs: &Arc<Programs>,
        task: &Task,
    ) -> Result<(Self, Pipes, Option<OwnedFd>), Failure> {
        let pipes = || Ok::<_, io::Error>((pipe()?, pipe()?));
        let ((stdout, its_stdout), (stderr, its_stderr)) =
            pipes().map_err(|error| not_ready("there is no pipe for the program", &error))?;
        // Only where nobody else starts programs meanwhile: a process that is just being made holds all that this one does.
        let held = [&stdout, &stderr].into_iter().filter(|_| children::adopts());
        let inodes = held.filter_map(|pipe| fstat(pipe).ok()).map(|pipe| pipe.st_ino);
        let ticket = programs
            .announce(task, inodes.collect())
            .map_err(|error| not_ready("what runs cannot be written down in the data folder", &error))?;
        // A document is written after what it belongs to, so that a process which finds it knows whose it is.
        let input = match stdin {
            Stdin::Document(document) => {
                input::ready(document, programs.input_file(task)).map(|input| (input, None))
            }
            Stdin::KeptOpen => input::kept_open().map(|(input, end)| (input, Some(end))),
        };
        let started = input.map_err(|error| not_ready("its input cannot be written down", &error)).and_then(
            |(input, end)| {
                command.give(MARK_VARIABLE, programs.mark(task).as_ref());
                command.give(INPUT_VARIABLE, input.name.as_os_str());
                let stdio = [input.stdin, its_stdout.into(), its_stderr.into()];
                Ok((command.spawn(stdio)?, input.file, end))
            },
        );
        let ((child, own), file, end) = match started {
            Ok(started) => started,
            Err(failure) => {
                ticket.ended();
                return Err(failure);
            }
        };
        let group = child.id().and_then(|pid| Group::new(Pid::from_raw(i32::try_from(pid).ok()?)?));
        if let Some(leader) = group {
            ticket.started(leader.number());
        }
        let running = Self { child, group, ticket: Some(ticket), _input: file, _own: own };
        Ok((running, (stdout, stderr), end))
    }

    /// Ends when the program has. It may be dropped at any await and called again.
    pub(super) async fn wait(&mut self) -> io::Result<ExitStatus> {
        self.child.wait().await
    }

    /// Lets go of a program that has ended; what else it started is left alone.
    pub(super) fn leave(mut self) {
        self.group = None;
        self.ticket.take().into_iter().for_each(Ticket::ended);
    }

    /// Ends all that it started, wherever that is: TERM, after `grace` KILL.
    pub(super) async fn end(mut self, grace: Duration) {
        let Some(ticket) = &self.ticket else { return };
        if let Some(group) = self.group.filter(|_| !proc::is_there()) {
            // Without /proc nothing can be found, and the group is all that can be signalled.
            group.signal(Signal::TERM);
            let _ = tokio::time::timeout(grace, self.child.wait()).await;
            group.signal(Signal::KILL);
        }
        if ticket.end(grace).await {
            self.group = None;
            // The program is dead; this takes it off the kernel's list.
            let _ = tokio::time::timeout(KILL_WAIT, self.child.wait()).await;
            self.ticket.take().into_iter().for_each(Ticket::ended);
        } else {
            tracing::warn!("what an attempt started does not end, not even by KILL");
        }
    }
}

/// A pipe: the end from which it is read here, and does not block, and the one for the program.
fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let (read, write) = io::pipe()?;
    fcntl_setfl(&read, OFlags::RDONLY | OFlags::NONBLOCK)?;
    Ok((read.into(), write.into()))
}

/// The failure of an attempt for whose program something is missing: that passes, or a person makes room.
pub(super) fn not_ready(what: &str, error: &io::Error) -> Failure {
    Failure::new(Code::NotStarted, format!("{what}: {error}")).class(Class::Transient)
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(group) = self.group {
            group.signal(Signal::KILL);
        }
    }
}
