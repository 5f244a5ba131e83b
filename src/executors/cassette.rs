//! Cassettes: what agents, programs and functions answered is kept in a file, and given again to who asks the same. It is for tests
//! of workflows, which then need no model, no network and no money.
//!
//! - `request`: what an attempt is asked, in one form for the same
//! - `answer`: what came of it, as a cassette holds it
//! - `portable`: folders and ids that are others the next time
//! - `tape`: the file, read and added to
//! - `layout`: JSON on lines that are easy to compare
//! - `miss`: what is said where nothing was recorded

mod answer;
mod layout;
mod miss;
mod portable;
mod request;
mod tape;
#[cfg(test)]
mod tests;
mod voice;

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use async_trait::async_trait;

use self::answer::{Answered, Entry, Place};
use self::portable::Portable;
use self::request::Request;
use self::tape::{Recorder, Tape};
use self::voice::Heard;
use super::mask::Masks;
use super::rehearsal::{Answers, CassetteUse, Mode, Taping};
use super::voice::Voice;
use super::{Context, Delivery, Executor, Failure, Output, Task};
use crate::events::ids::{RunId, StepId};
use crate::events::problem::{Code, Problem};

/// A cassette, and the replay that it is read for: another one may find another file there.
type Played = (PathBuf, Arc<str>);

/// The cassettes that a process has in use: each is open once for all agents of its runs.
#[derive(Default)]
pub struct Cassettes {
    recorders: Mutex<HashMap<PathBuf, Weak<Recorder>>>,
    tapes: Mutex<HashMap<Played, Weak<Tape>>>,
}

impl fmt::Debug for Cassettes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cassettes").finish_non_exhaustive()
    }
}

/// Whether runs can be started so: the cassette is there and can be read, or what would be recorded over is one. It reads a file, so
/// it blocks for as long.
///
/// # Errors
/// [`Code::NoCassette`], [`Code::BadCassette`] and [`Code::CassetteVersion`]; for a file that may not be read [`Code::FileNotRead`].
pub fn check(answers: &Answers) -> Result<(), Problem> {
    match &answers.mode {
        Mode::Live | Mode::Scripted => Ok(()),
        Mode::Record(file) => tape::check_recordable(file),
        Mode::Replay(file) => Tape::read(file).map(drop),
    }
}

impl Cassettes {
    /// An executor that answers from a cassette, or adds to one what another answers, which `live` makes. It opens the cassette, so it
    /// blocks for as long.
    ///
    /// # Errors
    /// Those of [`check`]; [`Code::NotRecorded`] for one that cannot be written, or that another process adds to; those of `live`.
    pub(super) fn of(
        &self,
        used: &CassetteUse,
        masks: &Masks,
        live: impl FnOnce() -> Result<Arc<dyn Executor>, Problem>,
    ) -> Result<Arc<dyn Executor>, Problem> {
        let about = About { used: used.clone(), masks: masks.clone() };
        Ok(match used.does {
            Taping::Record => Arc::new(Recording { inner: live()?, recorder: self.recorder(used)?, about }),
            Taping::Replay => Arc::new(Replaying { tape: self.tape(used)?, about }),
        })
    }

    fn recorder(&self, used: &CassetteUse) -> Result<Arc<Recorder>, Problem> {
        let mut open = self.recorders.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|_, recorder| recorder.strong_count() > 0);
        if let Some(recorder) = open.get(&used.file).and_then(Weak::upgrade) {
            recorder.be_of(&used.take)?;
            return Ok(recorder);
        }
        let recorder = Arc::new(Recorder::open(&used.file, &used.take)?);
        open.insert(used.file.clone(), Arc::downgrade(&recorder));
        Ok(recorder)
    }

    fn tape(&self, used: &CassetteUse) -> Result<Arc<Tape>, Problem> {
        let mut open = self.tapes.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|_, tape| tape.strong_count() > 0);
        let key = (used.file.clone(), Arc::clone(&used.take));
        if let Some(tape) = open.get(&key).and_then(Weak::upgrade) {
            return Ok(tape);
        }
        let tape = Arc::new(Tape::read(&used.file)?);
        open.insert(key, Arc::downgrade(&tape));
        Ok(tape)
    }
}

/// What an agent has to do with a cassette, and what is kept out of it.
#[derive(Clone)]
struct About {
    used: CassetteUse,
    masks: Masks,
}

impl About {
    /// What an attempt is asked, and what of it is another the next time.
    fn asked(&self, task: &Task) -> Result<(Request, Portable), Failure> {
        let portable = Portable::of(task, &self.used.take);
        let request = Request::of(&self.used.asked, task, &portable, &self.masks)?;
        Ok((request, portable))
    }

    fn file(&self) -> &Path {
        &self.used.file
    }
}

/// Has another executor do the work, and keeps what came of it.
struct Recording {
    inner: Arc<dyn Executor>,
    recorder: Arc<Recorder>,
    about: About,
}

#[async_trait]
impl Executor for Recording {
    async fn execute(&self, task: Task, context: Context) -> Result<Output, Failure> {
        let (request, portable) = self.about.asked(&task)?;
        let place = Place::of(&task);
        let heard = Heard::default();
        let context = Context { voice: Voice::new(heard.of(context.voice.clone())), ..context };
        let result = self.inner.execute(task, context).await;
        let Some(answer) = Answered::of(&result) else { return result };
        let entry = Entry::new(place, request, heard.said(), answer);
        let text = entry.text(&portable, &self.about.masks)?;
        let recorder = Arc::clone(&self.recorder);
        let take = Arc::clone(&self.about.used.take);
        // Nothing goes on that is not kept: what comes after it could not be replayed.
        let kept = tokio::task::spawn_blocking(move || recorder.add(&take, &text)).await;
        kept.map_err(|error| Failure::new(Code::Internal, error.to_string()))?.map_err(Failure::from)?;
        result
    }

    async fn deliver(&self, delivery: Delivery, context: Context) -> Result<Output, Failure> {
        self.inner.deliver(delivery, context).await
    }

    async fn end_leftover(&self, run: &RunId, step: &StepId) -> Result<(), Failure> {
        self.inner.end_leftover(run, step).await
    }
}

/// Answers from a cassette, and asks nobody.
struct Replaying {
    tape: Arc<Tape>,
    about: About,
}

#[async_trait]
impl Executor for Replaying {
    async fn execute(&self, task: Task, context: Context) -> Result<Output, Failure> {
        let (request, portable) = self.about.asked(&task)?;
        let place = Place::of(&task);
        let Some(found) = self.tape.find(&request, &place) else {
            let (tape, file) = (Arc::clone(&self.tape), self.about.file().to_path_buf());
            // To look for what is nearest compares texts.
            let told = tokio::task::spawn_blocking(move || miss::told(&tape, &file, &request, &place)).await;
            let message = told.unwrap_or_else(|error| error.to_string());
            return Err(Failure::new(Code::NotInCassette, message));
        };
        let (said, answer) = found.answer(&portable).map_err(|why| {
            Failure::new(Code::BadCassette, format!("what a cassette holds cannot be given: {why}"))
        })?;
        for message in said {
            context.voice.say(message).await?;
        }
        answer.result()
    }

    async fn deliver(&self, delivery: Delivery, _: Context) -> Result<Output, Failure> {
        let message = format!("a cassette holds nothing of how `{}` handles messages", delivery.agent);
        Err(Failure::new(Code::NotInCassette, message))
    }
}
