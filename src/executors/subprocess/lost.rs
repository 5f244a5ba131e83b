//! What an attempt left running when the process that ran it died. Each running group is a file in a folder beside
//! the store; the next attempt of that step ends the group before it starts anything.
//!
//! A process is known by its number *and* when it started, or by a mark in its environment, never by
//! its number alone: that may be somebody else's by now.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::super::{Failure, Task};
use super::group::Group;
use super::proc;
use crate::events::ids::{Hash, RunId, StepId};
use crate::events::problem::Code;
use crate::files;

/// The variable by which a program and what it started can be told from all others. The idempotency key would not do:
/// runs of one name in two data folders share it.
pub(super) const MARK_VARIABLE: &str = "REENACT_MARK";

/// The file of a running group.
#[derive(Debug)]
pub(super) struct Record {
    path: PathBuf,
    written: Written,
}

/// What the file says, as JSON.
#[derive(Debug, Serialize, Deserialize)]
struct Written {
    run: RunId,
    step: StepId,
    attempt: u32,
    /// What its processes have as [`MARK_VARIABLE`].
    mark: String,
    /// The start of the machine that it belongs to.
    boot: String,
    /// The group's first process; none in the moment before it is started.
    leader: Option<Leader>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Leader {
    /// Also the number of the group.
    pid: i32,
    /// When it started, in clock ticks since the machine did.
    started_ticks: u64,
}

impl Record {
    /// The record of an attempt, not written yet.
    pub(super) fn of(folder: &Path, task: &Task) -> Self {
        let written = Written {
            run: task.run.clone(),
            step: task.step.clone(),
            attempt: task.attempt,
            mark: mark(folder, task),
            boot: proc::boot(),
            leader: None,
        };
        Self { path: path(folder, &task.run, &task.step), written }
    }

    /// What the program has to be given as [`MARK_VARIABLE`].
    pub(super) fn mark(&self) -> &str {
        &self.written.mark
    }

    /// Writes down that a program is about to start.
    pub(super) fn announce(&self) -> io::Result<()> {
        if let Some(folder) = self.path.parent() {
            files::folder(folder)?;
        }
        // Half a record would say nothing. It need not survive a power cut, which leaves no process.
        files::replace(&self.path, &serde_json::to_vec(&self.written)?)
    }

    /// Writes down which process it became.
    pub(super) fn started(&mut self, leader: Group) {
        let started = proc::process(leader.number());
        self.written.leader = started.map(|process| Leader {
            pid: leader.number().as_raw_nonzero().get(),
            started_ticks: process.started_ticks,
        });
        // If it fails, the group is still known by its mark.
        if let Err(error) = self.announce() {
            tracing::warn!(%error, "a process group cannot be written down");
        }
    }

    /// Takes the record away.
    pub(super) fn remove(&self) {
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::debug!(%error, "the record of a process group is not there any more");
        }
    }
}

/// Names one attempt of one run in one data folder. (It is no secret, so it may be as short as it is unique.)
fn mark(folder: &Path, task: &Task) -> String {
    let named = format!("{}\0{}\0{}\0{}", folder.display(), task.run, task.step, task.fence);
    let mut mark = Hash::of(named.as_bytes()).to_string();
    mark.truncate(32);
    mark
}

/// A grown step's id has characters that a file's name may not have, and any length.
fn path(folder: &Path, run: &RunId, step: &StepId) -> PathBuf {
    let step = Hash::of(step.as_str().as_bytes()).to_string();
    folder.join(format!("{run}~{}.json", step.get(..32).unwrap_or(&step)))
}

/// Ends what an earlier attempt of this step left running (TERM, after `grace` KILL), and waits until it is gone.
/// Nothing is done, in microseconds, if no attempt of it was lost.
///
/// # Errors
/// [`Code::LeftoverLives`] when it does not end: nothing may be started beside it.
pub async fn end_leftover(folder: &Path, run: &RunId, step: &StepId, grace: Duration) -> Result<(), Failure> {
    let path = path(folder, run, step);
    let text = match read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(lives(&format!("`{}` cannot be read: {error}", path.display()))),
    };
    let Ok(left) = serde_json::from_slice::<Written>(&text) else {
        return Err(lives(&format!("`{}` is not what this version writes", path.display())));
    };
    let attempt = left.attempt;
    let found = tokio::task::spawn_blocking(move || left.find()).await;
    if let Some(group) = found.map_err(|error| lives(&error.to_string()))? {
        tracing::info!(%run, %step, attempt, %group, "ending what a lost attempt left running");
        if !group.end(grace).await {
            return Err(lives(&format!("process group {group} outlives KILL")));
        }
    }
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(lives(&error.to_string())),
        _ => Ok(()),
    }
}

/// Far more than any record has.
const RECORD_BYTES_MAX: u64 = 64 * 1024;

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    files::read(path)?.take(RECORD_BYTES_MAX).read_to_end(&mut text).map(|_| text)
}

fn lives(why: &str) -> Failure {
    Failure::new(Code::LeftoverLives, format!("an earlier attempt may still be at work: {why}"))
}

impl Written {
    /// The group, if it is proven to be this attempt's and something in it lives. It is one group at most, whatever
    /// the file says: the worst mistake that can be made here must stay small.
    fn find(&self) -> Option<Group> {
        if self.boot != proc::boot() || self.mark.is_empty() {
            return None;
        }
        let leader = self.leader.and_then(|leader| Some((proc::pid(leader.pid)?, leader.started_ticks)));
        if let Some((pid, started_ticks)) = leader
            && proc::process(pid).is_some_and(|now| now.started_ticks == started_ticks && !now.ended)
        {
            return Group::new(pid);
        }
        // The first process has ended, or was not written down: the others are known by what they were given.
        let ours = |process: &proc::Process| {
            !process.ended
                && leader.is_none_or(|(pid, _)| process.group == Some(pid))
                && proc::was_given(process.pid, MARK_VARIABLE, &self.mark)
        };
        proc::all()?.find(ours).and_then(|process| Group::new(process.group?))
    }
}
