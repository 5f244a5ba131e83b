//! What an attempt of a run, or who was delivered a message of it, says while that goes on: each word is recorded before anybody hears
//! it.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::oneshot;

use super::Runs;
use super::told::ToRun;
use crate::actors::hosting::load::load;
use crate::actors::minds::MindKind;
use crate::aggregates::mind::{Mind, MindAsk, Take};
use crate::aggregates::run::Ask;
use crate::events::ids::{AgentName, Fence, MessageId, RunId, StepId, StreamId};
use crate::events::json::Json;
use crate::events::problem::{Code, Problem};
use crate::executors::voice::{Recalled, Speak, Voice};
use crate::kernel::core::Envelope;
use crate::kernel::{Blobs, Deadline, Unreadable};
use crate::workflow::work::Failure;

/// Says things in the name of an attempt or a delivery.
pub(super) struct Speech {
    runs: Weak<Runs>,
    run: RunId,
    step: StepId,
    fence: Fence,
    /// How many it has asked.
    asked: AtomicU32,
}

impl Speech {
    /// The voice of an attempt or a delivery.
    pub(super) fn voice(runs: &Weak<Runs>, run: &RunId, step: &StepId, fence: Fence) -> Voice {
        let (runs, run, step) = (Weak::clone(runs), run.clone(), step.clone());
        Voice::new(Self { runs, run, step, fence, asked: AtomicU32::new(0) })
    }

    fn runs(&self) -> Result<Arc<Runs>, Failure> {
        let gone = || Failure::new(Code::Cancelled, "the run is not driven here any more");
        self.runs.upgrade().ok_or_else(gone)
    }

    async fn send(&self, runs: &Runs, message: Json, asks: Option<u32>) -> Result<(), Failure> {
        let (step, fence) = (self.step.clone(), self.fence);
        let said = runs.ask(&self.run, Ask::Say { step, fence, message, asks }).await;
        said.map(drop).map_err(Failure::from)
    }
}

#[async_trait]
impl Speak for Speech {
    async fn say(&self, message: Json) -> Result<(), Failure> {
        let runs = self.runs()?;
        self.send(&runs, message, None).await
    }

    async fn handled(&self, message: &str) -> Result<(), Failure> {
        let runs = self.runs()?;
        let own = MessageId::parse(message).ok().filter(|id| id.run == self.run);
        let Some(MessageId { number, .. }) = own else {
            let message = format!("`{}` is the id of no message that it was given", message.escape_debug());
            return Err(Failure::new(Code::MessageNotGiven, message));
        };
        let (step, fence) = (self.step.clone(), self.fence);
        let said = runs.ask(&self.run, Ask::Handled { step, fence, number }).await;
        said.map(drop).map_err(Failure::from)
    }

    async fn ask(&self, message: Json, within: Duration) -> Result<Json, Failure> {
        let runs = self.runs()?;
        let nth = self.asked.fetch_add(1, Ordering::Relaxed);
        let (reply, answer) = oneshot::channel::<Result<Json, Problem>>();
        let clock = Arc::clone(&runs.context().clock);
        let until = Deadline::Steady(clock.now().steady.after(within));
        runs.tell(&self.run, ToRun::Waits { fence: self.fence, nth, reply });
        self.send(&runs, message, Some(nth)).await?;
        drop(runs);
        let late = async {
            while !until.has_come(clock.now()) {
                clock.wait_until(until.into()).await;
            }
        };
        tokio::select! {
            biased;
            answer = answer => match answer {
                Ok(answer) => answer.map_err(Failure::from),
                Err(_) => Err(Failure::new(Code::Cancelled, "the run is not driven here any more")),
            },
            () = late => {
                let within = crate::events::time::format_duration(within);
                Err(Failure::new(Code::AnswerLate, format!("nobody has answered within {within}")))
            }
        }
    }

    async fn recall(&self, mind: &AgentName, message: &str) -> Result<Recalled, Failure> {
        let runs = self.runs()?;
        let context = runs.context();
        let (state, _) =
            load::<Mind>(&*context.store, &StreamId::of_mind(mind)).await.map_err(Failure::from)?;
        let (library, message) = (Arc::clone(&context.library), message.to_owned());
        // Content may have to be read.
        let read = tokio::task::spawn_blocking(move || recalled(&state, &message, &*library));
        match read.await {
            Ok(recalled) => recalled.map_err(|unreadable| Failure::from(unreadable.problem())),
            Err(error) => Err(Failure::new(Code::Internal, error.to_string())),
        }
    }

    async fn remember(&self, mind: &AgentName, take: Take) -> Result<bool, Failure> {
        let runs = self.runs()?;
        let (stream, take) = (StreamId::of_mind(mind), Box::new(take));
        let ask = || MindAsk::Take(take.clone());
        match runs.hosting().order::<MindKind>(&stream, &Envelope::default(), ask).await {
            Ok(_) => Ok(true),
            Err(problem) if problem.code == Code::MindChanged => Ok(false),
            Err(problem) => Err(problem.into()),
        }
    }
}

fn recalled(state: &Mind, message: &str, blobs: &dyn Blobs) -> Result<Recalled, Unreadable> {
    let memory =
        state.memory().iter().filter_map(|(key, memory)| Some((key.clone(), memory.value.as_ref()?)));
    let memory = memory.map(|(key, value)| Ok((key, blobs.json(value)?)));
    let taken = state.taken(message).map(|taken| {
        let sends = taken.sends.iter().map(|message| blobs.json(message));
        Ok::<_, Unreadable>((blobs.json(&taken.answer)?, sends.collect::<Result<_, _>>()?))
    });
    let memory = memory.collect::<Result<_, Unreadable>>()?;
    Ok(Recalled { after: state.count(), memory, taken: taken.transpose()? })
}
