//! What was said during an attempt at a step: found in the run's events, which are looked at one by one.

mod calls;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::events::ids::{AgentName, Hash, RunId, StepId};
use crate::events::json::Payload;
use crate::events::problem::Problem;
use crate::events::run::{AttemptStarted, ModelCalled, Purpose, RunEvent};
use crate::events::time::Timestamp;
use crate::kernel::{Blobs, Unreadable};
use crate::workflow::work::{Command, Transcript, Work, Written};
pub use calls::CallReport;

/// An attempt and what was said during it: what `transcript --json` prints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptReport {
    /// The run that the attempt belongs to.
    pub run: RunId,
    /// The step that was tried.
    pub step: StepId,
    /// What it was for: `do` or `compensate`.
    pub purpose: Purpose,
    /// The attempt's number for that purpose at its step, from 1.
    pub attempt: u32,
    /// How many attempts for that purpose there are so far.
    pub attempts: u32,
    /// How often the step was to be done anew after being undone, from 1.
    pub generation: u32,
    /// The agent that made it.
    pub agent: AgentName,
    /// How it ended: `completed`, `failed` or `lost`; `running` until it has.
    pub status: String,
    /// The error with which it failed; none if it did not.
    pub error: Option<Problem>,
    /// When it was recorded as started.
    pub started_at: Timestamp,
    /// When it was recorded as ended.
    pub ended_at: Option<Timestamp>,
    /// What it executed, for a step with `run`: a list of words, or a text for the shell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<Command>,
    /// The folder in which it did so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<String>,
    /// The names of the variables that the step gave it; what they hold is shown nowhere.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub variables: Vec<String>,
    /// What its agent was told, if it has a prompt.
    pub prompt: Option<String>,
    /// What its program wrote to stdout; null if nothing was kept, or if it is not UTF-8.
    pub stdout: Option<String>,
    /// The bytes of stdout in Base64, if they are not UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stdout_base64: Option<String>,
    /// How many further bytes of stdout were not kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stdout_cut: Option<u64>,
    /// What its program wrote to stderr, as for `stdout`.
    pub stderr: Option<String>,
    /// The bytes of stderr in Base64, if they are not UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stderr_base64: Option<String>,
    /// How many earlier bytes of stderr were not kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stderr_cut: Option<u64>,
    /// The status with which its program exited; none if it did not.
    pub exit_code: Option<i32>,
    /// The number of the signal that ended its program.
    pub signal: Option<i32>,
    /// The calls of models that it made, which are a conversation.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<CallReport>,
}

/// Looks for an attempt in the events of a run.
#[derive(Debug)]
pub struct Search {
    step: StepId,
    purpose: Purpose,
    attempt: Option<u32>,
    attempts: u32,
    found: Option<FoundAttempt>,
    work_folder: Option<Arc<str>>,
}

/// An attempt, as far as its events were read.
#[derive(Debug)]
struct FoundAttempt {
    started: AttemptStarted,
    at: Timestamp,
    calls: Vec<ModelCalled>,
    end: Option<End>,
}

/// The end of an attempt, as its event says it.
#[derive(Debug)]
struct End {
    at: Timestamp,
    status: &'static str,
    error: Option<Problem>,
    transcript: Option<Payload>,
}

/// Which attempt: of which step, for what, and its number.
pub type Key = (StepId, Purpose, u32);

/// What an event says of an attempt.
enum Change {
    Started(AttemptStarted),
    Called(Key, ModelCalled),
    Ended(Key, End),
}

impl Change {
    /// What an event says that was recorded at `at`; none if it is about no attempt.
    fn of(event: RunEvent, at: Timestamp) -> Option<Self> {
        let completed = |transcript| End { at, status: "completed", error: None, transcript };
        Some(match event {
            RunEvent::AttemptStarted(started) => Self::Started(started),
            RunEvent::ModelCalled(called) => {
                Self::Called((called.step.clone(), called.purpose, called.attempt), called)
            }
            RunEvent::StepCompleted(done) => {
                Self::Ended((done.step, Purpose::Do, done.attempt), completed(done.transcript))
            }
            RunEvent::StepCompensated(done) => {
                Self::Ended((done.step, Purpose::Compensate, done.attempt), completed(done.transcript))
            }
            RunEvent::AttemptFailed(failed) => {
                let error = Problem::new(failed.code, failed.message).class(failed.class).step(&failed.step);
                let end = End { at, status: "failed", error: Some(error), transcript: failed.transcript };
                Self::Ended((failed.step, failed.purpose, failed.attempt), end)
            }
            RunEvent::AttemptLost(lost) => {
                let end = End { at, status: "lost", error: None, transcript: None };
                Self::Ended((lost.step, lost.purpose, lost.attempt), end)
            }
            _ => return None,
        })
    }
}

/// Goes through all attempts of a run, each of which is there once it has ended.
#[derive(Debug, Default)]
pub struct Attempts {
    open: HashMap<Key, FoundAttempt>,
}

/// An attempt that has ended, and of which it was kept what was said.
#[derive(Debug)]
pub struct Finished(FoundAttempt);

impl Attempts {
    /// Takes in the next event, which was recorded at `at`; answers the attempt that ended with it, if something that was said
    /// during it is kept.
    pub fn see(&mut self, event: RunEvent, at: Timestamp) -> Option<Finished> {
        match Change::of(event, at)? {
            Change::Started(started) => {
                let key = (started.step.clone(), started.purpose, started.attempt);
                self.open.insert(key, FoundAttempt { started, at, calls: Vec::new(), end: None });
                None
            }
            Change::Called(key, called) => {
                if let Some(found) = self.open.get_mut(&key) {
                    found.calls.push(called);
                }
                None
            }
            Change::Ended(key, end) => {
                let found = self.open.remove(&key)?;
                let end = Some(end).filter(|end| end.transcript.is_some())?;
                Some(Finished(FoundAttempt { end: Some(end), ..found }))
            }
        }
    }
}

impl Finished {
    /// Which it is.
    pub fn key(&self) -> Key {
        self.0.key()
    }

    /// What was said.
    ///
    /// # Errors
    /// When it is in a blob that cannot be read, or is no transcript.
    pub fn report(self, run: RunId, blobs: &dyn Blobs) -> Result<AttemptReport, Unreadable> {
        let attempts = self.0.started.attempt;
        self.0.report(run, attempts, None, blobs)
    }
}

impl Search {
    /// Looks for the attempt with that number at that step; without a number, for the last.
    pub const fn new(step: StepId, purpose: Purpose, attempt: Option<u32>) -> Self {
        Self { step, purpose, attempt, attempts: 0, found: None, work_folder: None }
    }

    /// Takes in the next event, which was recorded at `at`.
    pub fn see(&mut self, event: RunEvent, at: Timestamp) {
        if let RunEvent::RunStarted(started) = &event {
            self.work_folder = Some(Arc::clone(&started.work_folder));
        }
        match Change::of(event, at) {
            Some(Change::Started(started))
                if started.purpose == self.purpose && started.step == self.step =>
            {
                self.attempts = self.attempts.max(started.attempt);
                if self.attempt.is_none_or(|wanted| wanted == started.attempt) {
                    self.found = Some(FoundAttempt { started, at, calls: Vec::new(), end: None });
                }
            }
            Some(Change::Called(key, called)) => {
                if let Some(found) = self.found.as_mut().filter(|found| found.key() == key) {
                    found.calls.push(called);
                }
            }
            Some(Change::Ended(key, end)) => {
                if let Some(found) = self.found.as_mut().filter(|found| found.key() == key) {
                    found.end = Some(end);
                }
            }
            _ => {}
        }
    }

    /// The number of attempts that were seen, at that step for that purpose.
    pub const fn attempts(&self) -> u32 {
        self.attempts
    }

    /// The attempt that was looked for; none if there is none.
    ///
    /// # Errors
    /// When what was said is in a blob that cannot be read, or is no transcript.
    pub fn report(self, run: RunId, blobs: &dyn Blobs) -> Result<Option<AttemptReport>, Unreadable> {
        let Self { found, attempts, work_folder, .. } = self;
        found.map(|found| found.report(run, attempts, work_folder.as_deref(), blobs)).transpose()
    }
}

impl FoundAttempt {
    fn key(&self) -> Key {
        (self.started.step.clone(), self.started.purpose, self.started.attempt)
    }

    fn report(
        self,
        run: RunId,
        attempts: u32,
        work_folder: Option<&str>,
        blobs: &dyn Blobs,
    ) -> Result<AttemptReport, Unreadable> {
        let Self { started, at, calls, end } = self;
        let calls = calls.iter().map(|called| CallReport::of(called, blobs)).collect::<Result<_, _>>()?;
        let said = end.as_ref().and_then(|end| end.transcript.as_ref());
        let said = said.map(|payload| read::<Transcript>(blobs, payload)).transpose()?;
        let Work { run: command, prompt, env, cwd, .. } = read::<Work>(blobs, &started.input)?;
        let prompt = said.as_ref().and_then(|said| said.prompt.clone()).or(prompt);
        let folder = command.as_ref().and(work_folder).map(|work| match &cwd {
            Some(cwd) => Path::new(work).join(cwd).display().to_string(),
            None => work.to_owned(),
        });
        let (stdout, stdout_base64) = written(said.as_ref().map(|said| &said.stdout));
        let (stderr, stderr_base64) = written(said.as_ref().map(|said| &said.stderr));
        let cut = |bytes: u64| (bytes > 0).then_some(bytes);
        Ok(AttemptReport {
            run,
            step: started.step,
            purpose: started.purpose,
            attempt: started.attempt,
            attempts,
            generation: started.generation,
            agent: started.agent,
            status: end.as_ref().map_or("running", |end| end.status).to_owned(),
            started_at: at,
            ended_at: end.as_ref().map(|end| end.at),
            error: end.and_then(|end| end.error),
            variables: command.iter().flat_map(|_| env.keys().cloned()).collect(),
            command,
            folder,
            prompt,
            stdout,
            stdout_base64,
            stdout_cut: said.as_ref().and_then(|said| cut(said.stdout_cut)),
            stderr,
            stderr_base64,
            stderr_cut: said.as_ref().and_then(|said| cut(said.stderr_cut)),
            exit_code: said.as_ref().and_then(|said| said.exit_code),
            signal: said.as_ref().and_then(|said| said.signal),
            calls,
        })
    }
}

/// The output of a program: first as text, if it is UTF-8, else second in Base64.
fn written(said: Option<&Written>) -> (Option<String>, Option<String>) {
    match said {
        None => (None, None),
        Some(Written::Text(text)) => (Some(text.clone()), None),
        Some(Written::Base64(bytes)) => (None, Some(bytes.clone())),
    }
}

fn read<T: DeserializeOwned>(blobs: &dyn Blobs, payload: &Payload) -> Result<T, Unreadable> {
    let json = blobs.json(payload)?;
    serde_json::from_str(json.text()).map_err(|why| {
        let hash = payload.blob().map_or_else(|| Hash::of(json.text().as_bytes()), |blob| blob.hash);
        Unreadable { hash, why: why.to_string() }
    })
}

#[cfg(test)]
mod tests;
