//! What programs say, while they say it: kept in files as it comes, and brought to who listens.
//!
//! - [`mod@line`]: the lines of a log, written and read in one place
//! - `keeper`: the thread that writes logs
//! - [`live`]: who listens
//! - [`read`]: reads the logs of a run, again and again as they grow
//!
//! A log is a cache: what an attempt said is recorded with its end (the transcript), and nothing depends on a log. One that
//! cannot be written costs nothing but itself, and a program that says nothing has none.

mod keeper;
pub mod line;
pub mod live;
pub mod read;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::events::ids::{AgentName, Hash, RunId, StepId};
use crate::events::run::Purpose;
use crate::events::time::Timestamp;
use crate::executors::mask::Masks;
use keeper::{Keeper, Log};
use line::{Ended, Stream};
use live::{Hearing, Listeners, Wants};

/// The folder of the logs of a run, in the folder of that run.
const FOLDER: &str = "logs";

/// How long the name of a step may be in the name of a file. The rest of that name is short, and a file system takes 255
/// bytes.
const STEP_CHARS_MAX: usize = 180;

/// How long the end of an attempt waits until its log is written. A disk that hangs holds up nobody.
const WRITTEN_WAIT: Duration = Duration::from_millis(250);

/// The attempt that something was said in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Speaker {
    /// The run that it belongs to.
    pub run: RunId,
    /// The step that is tried.
    pub step: StepId,
    /// Whether it is done or undone.
    pub purpose: Purpose,
    /// The attempt's number for that purpose at its step, from 1.
    pub attempt: u32,
    /// How often the step was to be done anew after being undone, from 1.
    pub generation: u32,
    /// The agent that makes it.
    pub agent: AgentName,
}

/// What the programs of one process say: where it is kept, and who listens.
#[derive(Debug, Default)]
pub struct Logs {
    keeper: Option<Keeper>,
    listeners: Listeners,
}

impl Logs {
    /// Logs that are kept in that folder with a folder for each run; nowhere without one.
    pub fn in_folder(runs: Option<PathBuf>) -> Arc<Self> {
        Arc::new(Self { keeper: runs.map(Keeper::new), listeners: Listeners::default() })
    }

    /// A run was started by a step of another: who listens to that one hears it, too.
    pub fn begin_child(&self, child: &RunId, parent: &RunId, step: &StepId) {
        self.listeners.begin_child(child, parent, step);
    }

    /// A run goes on no more.
    pub fn end_child(&self, child: &RunId) {
        self.listeners.end_child(child);
    }

    /// Listens from now on: to one run and its children, or to all.
    pub fn listen(&self, run: Option<RunId>, wants: Wants) -> Hearing {
        self.listeners.listen(run, wants)
    }

    /// Where what an attempt says goes. Nothing is written or made before it says something.
    pub(super) fn tap(self: &Arc<Self>, speaker: Speaker) -> Tap {
        Tap { logs: Arc::clone(self), speaker: Arc::new(speaker), log: None, said: false, waits: true }
    }
}

/// Whether a log of that attempt was begun, in a folder with a folder for each run.
pub fn is_kept(runs: &Path, run: &RunId, step: &StepId, purpose: Purpose, attempt: u32) -> bool {
    let path = folder(runs, run).join(file_name(step, purpose, attempt));
    std::fs::symlink_metadata(path).is_ok_and(|found| found.is_file())
}

/// Where what one attempt says goes.
#[derive(Debug)]
pub(super) struct Tap {
    logs: Arc<Logs>,
    speaker: Arc<Speaker>,
    /// None before it said something, and where no logs are kept.
    log: Option<Arc<Log>>,
    /// Whether it said something.
    said: bool,
    /// Whether who listens is waited for.
    waits: bool,
}

impl Tap {
    /// Takes what was said. It waits for nobody.
    pub(super) fn say(&mut self, stream: Stream, bytes: &[u8]) {
        let at = super::now();
        self.said = true;
        if let Some(keeper) = &self.logs.keeper {
            let log = self.log.get_or_insert_with(|| keeper.log(Arc::clone(&self.speaker)));
            keeper.say(log, at, stream, bytes);
        }
        self.logs.listeners.say(&self.speaker, at, stream, bytes);
    }

    /// Ends when who listens has room for more; those who take nothing for long are not waited for. It may be dropped at any
    /// await and called again.
    pub(super) async fn room(&self) {
        if self.waits {
            self.logs.listeners.room(&self.speaker).await;
        }
    }

    /// From here on nobody is waited for: the program has ended, and what it said is to be heard out.
    pub(super) fn hurry(&mut self) {
        self.waits = false;
    }

    /// The attempt has ended. Ends when all of it is written, masked by what its program has named, or cannot be.
    pub(super) async fn end(self, at: Timestamp, ended: Ended, named: Option<Masks>) {
        if let (Some(keeper), Some(log)) = (&self.logs.keeper, &self.log) {
            let written = keeper.end(log, at, ended.clone(), named);
            // Who waits for too long, or for a thread that could not be made, goes on without.
            let _ = tokio::time::timeout(WRITTEN_WAIT, written).await;
        }
        self.logs.listeners.end(&self.speaker, ended, self.said);
    }
}

/// The folder of the logs of a run, in a folder with a folder for each run.
pub fn folder(runs: &Path, run: &RunId) -> PathBuf {
    runs.join(run.as_str()).join(FOLDER)
}

/// The name of the file in which the last of what an attempt said is kept.
pub fn file_name(step: &StepId, purpose: Purpose, attempt: u32) -> String {
    let (step, undo) = (step_name(step), if purpose == Purpose::Compensate { "undo." } else { "" });
    format!("{step}.{undo}{attempt}.log")
}

/// The name of the file to which it is moved when there is too much of it.
fn old_name(name: &str) -> String {
    format!("{name}.old")
}

/// The name of a step as a part of the name of a file, without a dot. A step that was planned has a slash; what no step has
/// today is written in hexadecimal digits like it. One that is too long is told from others by its hash.
fn step_name(step: &StepId) -> String {
    let mut name = String::with_capacity(step.as_str().len());
    for byte in step.as_str().bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'[' | b']' | b'#' => {
                name.push(char::from(byte));
            }
            _ => name.push_str(&format!("%{byte:02X}")),
        }
    }
    if name.len() > STEP_CHARS_MAX {
        let hash = Hash::of(step.as_str().as_bytes()).to_string();
        name.truncate(STEP_CHARS_MAX - 17);
        name.push('~');
        name.extend(hash.chars().take(16));
    }
    name
}

#[cfg(test)]
mod tests;
