//! Messages that are delivered for a run, and the answers for which its attempts wait.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use tokio::sync::{oneshot, watch};

use super::slots::{Slots, brought};
use super::speech::Speech;
use super::told::ToRun;
use super::{InFlight, Runs};
use crate::actors::agents::agent::{Assigned, AttemptCallback, Attempted, Job, Perform, StopAttempt};
use crate::actors::hosting::shell::Heard;
use crate::actors::library::Library;
use crate::aggregates::run::{Ask, Run, RunEffectId};
use crate::events::ids::{AgentName, Fence, MessageNumber, RunId, StepId};
use crate::events::json::{BlobRef, Json, Payload};
use crate::events::problem::Problem;
use crate::events::run::DeliveryStarted;
use crate::executors::Progress;
use crate::executors::messages::{Incoming, MessageGiven, Undelivered};
use crate::kernel::Blobs;
use crate::workflow::work::Stop;

/// A delivery that an agent makes.
pub(super) struct AtWork {
    agent: AgentName,
    definition: Option<BlobRef>,
}

/// The deliveries of a run, and who waits for answers: open attempts and open deliveries.
pub(super) struct Deliveries {
    run: RunId,
    runs: Weak<Runs>,
    library: Arc<Library>,
    at_work: HashMap<Fence, AtWork>,
    waiters: HashMap<(Fence, u32), oneshot::Sender<Result<Json, Problem>>>,
}

impl Deliveries {
    /// None yet, of that run.
    pub(super) fn new(run: RunId, runs: Weak<Runs>, library: Arc<Library>) -> Self {
        Self { run, runs, library, at_work: HashMap::new(), waiters: HashMap::new() }
    }

    /// One more waits. Those that have gone are forgotten.
    pub(super) fn wait(&mut self, fence: Fence, nth: u32, reply: oneshot::Sender<Result<Json, Problem>>) {
        self.waiters.retain(|_, reply| !reply.is_closed());
        self.waiters.insert((fence, nth), reply);
    }

    /// Nobody waits for that answer any more.
    pub(super) fn wait_no_longer(&mut self, fence: Fence, nth: u32) {
        self.waiters.remove(&(fence, nth));
    }

    /// Has an agent handle a message, with a slot that the run has.
    pub(super) fn deliver(&mut self, state: &Run, started: &Arc<DeliveryStarted>, slots: &mut Slots) {
        let Some(runs) = self.runs.upgrade() else { return };
        let (agents, fence, run) = (runs.agents(), started.fence, self.run.clone());
        let brought = brought(state, &started.receiver);
        let held = slots.held.get_mut(&started.receiver).and_then(Vec::pop);
        // One that was begun by another process goes on without having waited for its turn.
        let Some(slot) = held.or_else(|| agents.slots(&started.receiver, brought, 1).pop()) else {
            tracing::error!(%run, message = %started.number, "a message is delivered without a slot");
            return;
        };
        runs.register(&started.receiver, brought);
        let report = self.reporter(fence, runs.in_flight());
        let (job, step) = match self.job(state, started) {
            Ok(job) => job,
            Err(problem) => return report(Some(Err(problem.into())), slot),
        };
        let (agent, definition) = (started.receiver.clone(), brought.definition);
        self.at_work.insert(fence, AtWork { agent: agent.clone(), definition });
        let (progress, _) = watch::channel(Progress::default());
        let voice = Speech::voice(&self.runs, &run, &step, fence);
        let (deadline, irreversible, used) = (Some(started.deadline), false, None);
        let incoming = Incoming::default();
        let perform = Perform {
            run,
            fence,
            irreversible,
            job,
            deadline,
            slot,
            progress,
            voice,
            incoming,
            report,
            used,
        };
        agents.perform(&agent, definition, perform);
    }

    /// What an agent is to do, and the step whose attempt sent the message, or what led to it.
    fn job(&self, state: &Run, started: &DeliveryStarted) -> Result<(Assigned, StepId), Problem> {
        let message = Undelivered::of(state, started)?;
        let (step, library) = (message.step().clone(), Arc::clone(&self.library));
        let is_held = library.holds(&message.content()).is_some();
        let read = move || message.read(&*library).map(Box::new).map(Job::Delivery);
        // What has to be read first holds up nobody else.
        let job = if is_held { Assigned::Read(read()?) } else { Assigned::Unread(Box::new(read)) };
        Ok((job, step))
    }

    /// What brings the result of a delivery to its run, whoever hosts it by then.
    fn reporter(&self, fence: Fence, in_flight: InFlight) -> AttemptCallback {
        let (runs, run): (Weak<Runs>, _) = (Weak::clone(&self.runs), self.run.clone());
        Box::new(move |result, slot| {
            if let Some(runs) = runs.upgrade() {
                runs.tell(&run, ToRun::Delivered { fence, result, slot, in_flight });
            }
        })
    }

    /// What came of a delivery.
    pub(super) fn came_to(&mut self, fence: Fence, result: Option<Attempted>) -> Heard<Run> {
        self.at_work.remove(&fence);
        let ask = result.map(|result| match result {
            Ok(output) => Ask::Delivered { fence, output },
            Err(failure) => Ask::NotDelivered { fence, failure },
        });
        Heard::Settled(RunEffectId::Deliver(fence), ask)
    }

    /// A delivery is not open any more: if it is still made nobody wants to hear of it, and the message may be delivered again.
    pub(super) fn end(&mut self, fence: Fence) {
        let Some(AtWork { agent, definition }) = self.at_work.remove(&fence) else { return };
        if let Some(runs) = self.runs.upgrade() {
            let stop = StopAttempt { run: self.run.clone(), fence, why: Stop::LetGo };
            runs.agents().stop(&agent, definition, stop);
        }
    }

    /// None is made any more.
    pub(super) fn end_all(&mut self) {
        let open: Vec<Fence> = self.at_work.keys().copied().collect();
        open.into_iter().for_each(|fence| self.end(fence));
        self.waiters.clear();
    }

    /// Whether one is made.
    pub(super) fn is_at_work(&self) -> bool {
        !self.at_work.is_empty()
    }

    /// Gives a message to an attempt that is being made here.
    pub(super) fn give(&self, state: &Run, fence: Fence, number: MessageNumber) {
        let sent = state.messages().sent(number).cloned();
        if let (Some(runs), Some(sent)) = (self.runs.upgrade(), sent) {
            let message = MessageGiven::unread(self.run.clone(), sent, Arc::clone(&self.library) as _);
            runs.conversations().give(&self.run, fence, number, message);
        }
    }

    /// Tells the answer to who waits for it, if that is here.
    pub(super) fn answer(&mut self, (fence, nth): (Fence, u32), answer: Payload) {
        let Some(reply) = self.waiters.remove(&(fence, nth)) else { return };
        let library = Arc::clone(&self.library);
        let read = move || library.json(&answer).map_err(|unreadable| unreadable.problem());
        // Whoever waits may have gone meanwhile.
        tokio::task::spawn_blocking(move || drop(reply.send(read())));
    }
}
