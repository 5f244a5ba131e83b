//! What was said during an attempt at a step: found in the run's events, which are looked at one by one.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::events::ids::{AgentName, Hash, RunId, StepId};
use crate::events::json::Payload;
use crate::events::problem::Problem;
use crate::events::run::{AttemptStarted, Purpose, RunEvent};
use crate::events::time::Timestamp;
use crate::kernel::{Blobs, Unreadable};
use crate::workflow::work::{Transcript, Work, Written};

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
}

/// Looks for an attempt in the events of a run.
#[derive(Debug)]
pub struct Search {
    step: StepId,
    purpose: Purpose,
    attempt: Option<u32>,
    attempts: u32,
    found: Option<FoundAttempt>,
}

/// An attempt, as far as its events were read.
#[derive(Debug)]
struct FoundAttempt {
    started: AttemptStarted,
    at: Timestamp,
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

impl Search {
    /// Looks for the attempt with that number at that step; without a number, for the last.
    pub const fn new(step: StepId, purpose: Purpose, attempt: Option<u32>) -> Self {
        Self { step, purpose, attempt, attempts: 0, found: None }
    }

    /// Takes in the next event, which was recorded at `at`.
    pub fn see(&mut self, event: RunEvent, at: Timestamp) {
        match event {
            RunEvent::AttemptStarted(started) if started.purpose == self.purpose => {
                if started.step != self.step {
                    return;
                }
                self.attempts = self.attempts.max(started.attempt);
                if self.attempt.is_none_or(|wanted| wanted == started.attempt) {
                    self.found = Some(FoundAttempt { started, at, end: None });
                }
            }
            RunEvent::StepCompleted(done) => {
                let end = End { at, status: "completed", error: None, transcript: done.transcript };
                self.end(&done.step, Purpose::Do, done.attempt, end);
            }
            RunEvent::StepCompensated(done) => {
                let end = End { at, status: "completed", error: None, transcript: done.transcript };
                self.end(&done.step, Purpose::Compensate, done.attempt, end);
            }
            RunEvent::AttemptFailed(failed) => {
                let error = Problem::new(failed.code, failed.message).class(failed.class).step(&failed.step);
                let end = End { at, status: "failed", error: Some(error), transcript: failed.transcript };
                self.end(&failed.step, failed.purpose, failed.attempt, end);
            }
            RunEvent::AttemptLost(lost) => {
                let end = End { at, status: "lost", error: None, transcript: None };
                self.end(&lost.step, lost.purpose, lost.attempt, end);
            }
            _ => {}
        }
    }

    fn end(&mut self, step: &StepId, purpose: Purpose, attempt: u32, end: End) {
        let is_it = |FoundAttempt { started, .. }: &&mut FoundAttempt| {
            (&started.step, started.purpose, started.attempt) == (step, purpose, attempt)
        };
        if let Some(found) = self.found.as_mut().filter(is_it) {
            found.end = Some(end);
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
        let Some(FoundAttempt { started, at, end }) = self.found else { return Ok(None) };
        let said = end.as_ref().and_then(|end| end.transcript.as_ref());
        let said = said.map(|payload| read::<Transcript>(blobs, payload)).transpose()?;
        let prompt = match said.as_ref().and_then(|said| said.prompt.clone()) {
            Some(prompt) => Some(prompt),
            None => read::<Work>(blobs, &started.input)?.prompt,
        };
        let (stdout, stdout_base64) = written(said.as_ref().map(|said| &said.stdout));
        let (stderr, stderr_base64) = written(said.as_ref().map(|said| &said.stderr));
        let cut = |bytes: u64| (bytes > 0).then_some(bytes);
        Ok(Some(AttemptReport {
            run,
            step: started.step,
            purpose: started.purpose,
            attempt: started.attempt,
            attempts: self.attempts,
            generation: started.generation,
            agent: started.agent,
            status: end.as_ref().map_or("running", |end| end.status).to_owned(),
            started_at: at,
            ended_at: end.as_ref().map(|end| end.at),
            error: end.and_then(|end| end.error),
            prompt,
            stdout,
            stdout_base64,
            stdout_cut: said.as_ref().and_then(|said| cut(said.stdout_cut)),
            stderr,
            stderr_base64,
            stderr_cut: said.as_ref().and_then(|said| cut(said.stderr_cut)),
            exit_code: said.as_ref().and_then(|said| said.exit_code),
            signal: said.as_ref().and_then(|said| said.signal),
        }))
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
