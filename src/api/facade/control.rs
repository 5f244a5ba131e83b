//! What people want of a run, and what a rollback would do.

use std::sync::Arc;

use super::Facade;
use crate::actors::runs::RunKind;
use crate::aggregates::run::{Ask, OfTask, Order, Raise, Run, RunStatus, TaskDoes};
use crate::api::protocol::{Control, Planned, Recorded};
use crate::events::ids::{CommandId, Fence, RequestId, RunId, StreamId, Version};
use crate::events::problem::{Code, Problem, Remedy, nearest};
use crate::kernel::core::Envelope;

impl Facade {
    /// Records what somebody wants of a run. A run that nobody drives is not driven for that.
    pub(super) async fn control(
        &self,
        run: &str,
        control: Control,
        order: Order,
        id: Option<CommandId>,
    ) -> Result<Recorded, Problem> {
        let run = self.resolve(run).await?;
        let named = named(&control).map(str::to_owned);
        let driven_by = self.system.is_driven(&run).then(std::process::id);
        let granted = named.clone().filter(|_| matches!(control, Control::Approve { .. }));
        let is_end = matches!(control, Control::Cancel { rollback: false });
        let is_of_task = matches!(
            control,
            Control::CompleteTask { .. } | Control::FailTask { .. } | Control::Heartbeat { .. }
        );
        let (stream, ask) = (StreamId::of_run(&run), ask(control, order)?);
        let envelope = Envelope { id, ..Envelope::default() };
        let asked = self.system.hosting().order::<RunKind>(&stream, &envelope, || ask.clone()).await;
        if is_end && asked.is_ok() {
            self.end_with_children(&run).await?;
        }
        if let (Some(version), true) = (asked.as_ref().ok(), is_of_task)
            && let Some(recorded) = self.seen_of(&run, *version)
        {
            return Ok(Recorded { driven_by, ..recorded });
        }
        let (state, head) = self.system.fold(&run).await?;
        asked.map_err(|problem| meant(problem, named.as_deref(), &state).of_run(&run))?;
        let unticked = granted.map(|request| state.unticked(&request)).unwrap_or_default();
        Ok(Recorded { run, version: head.version, status: state.status(), driven_by, unticked })
    }

    /// What is recorded of a run, as it is seen in memory; none where it is not. To fold it anew takes as long as it is large, and many
    /// answer the tasks of one run.
    fn seen_of(&self, run: &RunId, since: Version) -> Option<Recorded> {
        let watched = self.system.watch(run);
        let live = watched.borrow();
        let status = *RunStatus::ALL.iter().find(|status| status.text() == live.status)?;
        let (run, version) = (run.clone(), live.version);
        let is_current = live.loaded && version >= since;
        is_current.then(|| Recorded { run, version, status, driven_by: None, unticked: Vec::default() })
    }

    /// A run that is cancelled ends when its children have, which are cancelled for that. If nobody drives it, it is let go
    /// on so far: nothing of it starts any more.
    async fn end_with_children(&self, run: &RunId) -> Result<(), Problem> {
        let (state, _) = self.system.fold(run).await?;
        let waits = !state.status().has_ended() && state.open_children().next().is_some();
        if waits && !self.system.is_driven(run) {
            self.system.drive(run).await;
            self.system.ended(run).await?;
        }
        Ok(())
    }

    /// The plan of a rollback that would begin now. Nothing is recorded.
    pub(super) async fn plan(&self, run: &str, to: Option<&str>) -> Result<Planned, Problem> {
        let run = self.resolve(run).await?;
        let (state, _) = self.system.fold(&run).await?;
        let plan = state
            .rollback_plan(to)
            .map_err(|rejection| meant(rejection.problem(), to, &state).of_run(&run))?;
        Ok(Planned::of(run, plan))
    }
}

/// What of a run is named in what is wanted of it.
fn named(control: &Control) -> Option<&str> {
    match control {
        Control::Retry { step } => step.as_deref(),
        Control::Rollback { to } => to.as_deref(),
        Control::PauseAfter { until } => Some(until),
        Control::Resolve { step, .. } => Some(step.as_str()),
        Control::Approve { request, .. } | Control::Reject { request } | Control::Check { request, .. } => {
            Some(request)
        }
        Control::Pause
        | Control::Unpause
        | Control::Cancel { .. }
        | Control::Signal { .. }
        | Control::RaiseBudget { .. }
        | Control::Resend { .. }
        | Control::CompleteTask { .. }
        | Control::FailTask { .. }
        | Control::Heartbeat { .. } => None,
    }
}

/// The same problem; if a name is wrong, with the one of the run that is nearest to it.
fn meant(problem: Problem, named: Option<&str>, run: &Run) -> Problem {
    let steps = run.nodes().iter().map(|node| node.id().as_str());
    let phases = run.nodes().iter().filter_map(|node| node.added.phase.as_deref());
    let requests = run.people().open.iter().map(RequestId::as_str);
    let near = match problem.code {
        Code::NoSuchStep => named.and_then(|named| nearest(named, steps.chain(phases))),
        Code::UnknownRequest => named.and_then(|named| nearest(named, requests.chain(steps).chain(phases))),
        _ => None,
    };
    match near {
        // A step that asks nothing is there, and is not what was meant.
        Some(near) if Some(near) != named => problem.hint(format!("did you mean `{near}`?")),
        _ => problem,
    }
}

fn ask(control: Control, order: Order) -> Result<Ask, Problem> {
    Ok(match control {
        Control::Pause => Ask::Pause(order),
        Control::Unpause => Ask::Unpause(order),
        Control::PauseAfter { until } => Ask::PauseAfter { order, until },
        Control::Cancel { rollback } => Ask::Cancel { order, rollback },
        Control::Retry { step } => Ask::Retry { order, step },
        Control::Rollback { to } => Ask::Rollback { order, to },
        Control::Approve { request, note, edits, hash } => {
            Ask::Approve { request, by: order.by, note, edits, hash }
        }
        Control::Reject { request } => {
            let (by, reason) = reasoned(order, "nothing is refused without a reason")?;
            Ask::Reject { request, by, reason }
        }
        Control::Check { request, points } => Ask::Check { request, by: order.by, points },
        Control::RaiseBudget { limits } => {
            Ask::RaiseBudget(Box::new(Raise { limits, by: order.by, reason: order.reason }))
        }
        Control::Resend { number } => Ask::Resend { number, by: order.by },
        Control::CompleteTask { fence, lease, answer } => {
            of_task(fence, order.by, TaskDoes::Complete { lease, answer })
        }
        Control::FailTask { fence, lease, class } => {
            let (by, reason) = reasoned(order, "no task is given up without a reason")?;
            of_task(fence, by, TaskDoes::Fail { lease, class, reason })
        }
        Control::Heartbeat { fence, lease, length, percent, text } => {
            of_task(fence, order.by, TaskDoes::Heartbeat { lease, length, percent, text })
        }
        Control::Signal { name, data } => Ask::Signal { name, data, by: order.by },
        Control::Resolve { step, how } => {
            let (by, reason) = reasoned(order, "a compensation is not settled without a reason")?;
            Ask::Resolve { by, reason, step, how }
        }
    })
}

fn of_task(fence: Fence, by: Arc<str>, does: TaskDoes) -> Ask {
    Ask::OfTask(Box::new(OfTask { fence, by, does }))
}

/// The name and the reason of who wants it: without a reason, `without` says that there has to be one.
fn reasoned(order: Order, without: &str) -> Result<(Arc<str>, String), Problem> {
    match order.reason.filter(|reason| !reason.trim().is_empty()) {
        Some(reason) => Ok((order.by, reason)),
        None => Err(Problem::new(Code::Usage, without).hint(Remedy::GiveReason)),
    }
}
