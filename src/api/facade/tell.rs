//! Tells what happens to a run while it is seen through: all of it, or only what is done in a lesser way, as a step that
//! another agent takes over, that is left out because it failed, or that is degraded.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::{Facade, Frames};
use crate::actors::library::Library;
use crate::api::protocol::{Frame, HistoryLine, Tells, Told};
use crate::events::commit::Recorded;
use crate::events::ids::{RunId, StepId, StreamId, Version};
use crate::events::problem::Problem;
use crate::events::run::{Because, Handling, RunEvent, SkipReason, StepAdded};
use crate::kernel::Blobs;
use crate::store::EventStore;
use crate::workflow::definition::Definition;

/// How many events are read at once.
const PAGE: usize = 256;

/// How often a run is looked at most, be the store as busy as it may.
const EVERY: Duration = Duration::from_millis(100);

/// Sends frames for the events of one run that are of note, as they come.
pub(super) struct Teller<'a> {
    store: &'a dyn EventStore,
    stream: StreamId,
    after: Version,
    tells: Tells,
    frames: &'a Frames,
    library: &'a Arc<Library>,
    /// The steps of the run's workflow whose answer is no plan of tasks, once that is of interest.
    others: Option<BTreeSet<StepId>>,
}

impl Facade {
    pub(super) async fn teller<'a>(
        &'a self,
        run: &RunId,
        (from, tells): (Told, Tells),
        frames: &'a Frames,
    ) -> Result<Teller<'a>, Problem> {
        let after = match from {
            Told::After(version) => version,
            // A run that is not there is told of when it is seen through.
            Told::FromNow => self.newest(&StreamId::of_run(run)).await.unwrap_or_default(),
        };
        let (store, library) = (&**self.system.store(), self.system.library());
        let stream = StreamId::of_run(run);
        Ok(Teller { store, stream, after, tells, frames, library, others: None })
    }
}

impl Teller<'_> {
    /// Tells while something else is waited for.
    pub(super) async fn meanwhile<T>(&mut self, other: impl Future<Output = T>) -> T {
        let mut committed = self.store.committed();
        tokio::pin!(other);
        loop {
            committed.mark_unchanged();
            tokio::select! {
                biased;
                done = &mut other => return done,
                () = self.tell() => {}
            }
            let next = async {
                tokio::time::sleep(EVERY).await;
                // Nothing will be committed any more: then only the other thing can end.
                if committed.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
            };
            tokio::select! {
                done = &mut other => return done,
                () = next => {}
            }
        }
    }

    /// Tells what has happened since it was told last. What cannot be read now is told by whoever needs it.
    pub(super) async fn tell(&mut self) {
        loop {
            let Ok(page) = self.store.read_stream(&self.stream, self.after, PAGE).await else { return };
            let Some(last) = page.last() else { return };
            let last = last.version;
            for recorded in &page {
                if !is_told(recorded, self.tells) || self.is_of_another_plan(recorded).await {
                    continue;
                }
                // Without a listener the run goes on all the same.
                let _ = self.frames.send(Frame::Event(Box::new(HistoryLine::of(recorded)))).await;
                self.after = recorded.version;
            }
            self.after = last;
        }
    }
}

impl Teller<'_> {
    /// Whether an event adds a step by a plan in which nothing was assigned to anybody: who does it is told when it starts.
    async fn is_of_another_plan(&mut self, recorded: &Recorded) -> bool {
        if &*recorded.event.kind != "step_added" {
            return false;
        }
        let Ok(RunEvent::StepAdded(StepAdded { because: Because::Plan, inside: Some(planner), .. })) =
            recorded.decode()
        else {
            return false;
        };
        if self.others.is_none() {
            self.others = Some(self.without_tasks().await.unwrap_or_default());
        }
        self.others.as_ref().is_some_and(|others| others.contains(&planner))
    }

    /// The steps of the run's workflow whose answer is no plan of tasks; none if that cannot be read.
    async fn without_tasks(&self) -> Option<BTreeSet<StepId>> {
        let first = self.store.read_stream(&self.stream, Version(0), 1).await.ok()?;
        let RunEvent::RunStarted(began) = first.first()?.decode().ok()? else { return None };
        let (library, hash) = (Arc::clone(self.library), began.definition.hash);
        let reading = move || {
            let blobs: &dyn Blobs = &*library;
            blobs.value::<Definition>(&hash).ok()
        };
        let definition = tokio::task::spawn_blocking(reading).await.ok()??;
        let others = definition.steps.iter().filter(|step| step.plan.is_none());
        Some(others.map(|step| step.id.clone()).collect())
    }
}

/// Whether an event is told. What cannot be read is told by whoever needs it.
fn is_told(recorded: &Recorded, tells: Tells) -> bool {
    let event = recorded.decode::<RunEvent>();
    event.is_ok_and(|event| match tells {
        Tells::Lesser => is_lesser(&event),
        Tells::Everything => is_happening(&event),
    })
}

/// Whether an event says what a person would call something that happened. Of steps that were added those are told that grew:
/// so it is known since when a fan-out is done.
fn is_happening(event: &RunEvent) -> bool {
    use RunEvent as Run;
    match event {
        Run::StepAdded(added) => added.inside.is_some(),
        Run::AttemptStarted(_) | Run::AttemptFailed(_) | Run::AttemptLost(_) | Run::RetryScheduled(_) => true,
        Run::FallbackEngaged(_)
        | Run::RequestRouted(_)
        | Run::HandoffDeclared(_)
        | Run::Escalated(_)
        | Run::RepairAsked(_)
        | Run::ChildStarted(_)
        | Run::ChildRested(_)
        | Run::TimerSet(_) => true,
        Run::StepCompleted(_) | Run::StepSkipped(_) | Run::StepFailed(_) | Run::StepCancelled(_) => true,
        Run::ApprovalRequested(_) | Run::ApprovalGranted(_) | Run::ApprovalRefused(_) => true,
        Run::ApprovalExpired(_) | Run::SignalAwaited(_) | Run::SignalReceived(_) => true,
        Run::AgentAwaited(_) | Run::AgentAwaitEnded(_) | Run::MessageExpired(_) => true,
        Run::LockRequested(_) | Run::LockAcquired(_) => true,
        Run::BudgetExhausted(_) | Run::BudgetRaised(_) => true,
        Run::RunPaused(_) | Run::RunUnpaused(_) | Run::CancelRequested(_) | Run::RetryRequested(_) => true,
        Run::RollbackStarted(_) | Run::StepCompensated(_) | Run::CompensationFailed(_) => true,
        Run::CompensationResolved(_) => true,
        Run::RunCompleted(_) | Run::RunFailed(_) | Run::RunCompensated(_) => true,
        Run::RunCancelled(_) | Run::RunStuck(_) => true,
        _ => false,
    }
}

/// Whether an event says that something is done in a lesser way. That a step's `if` is not true is no such thing.
fn is_lesser(event: &RunEvent) -> bool {
    match event {
        RunEvent::FallbackEngaged(_) => true,
        RunEvent::StepSkipped(skipped) => skipped.reason != SkipReason::Condition,
        RunEvent::StepFailed(failed) => failed.handling == Handling::Tolerated,
        RunEvent::StepCompleted(completed) => completed.degraded,
        _ => false,
    }
}
