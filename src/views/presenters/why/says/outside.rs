//! What people and programs outside were asked, and did.

use super::{because, message, moment, until, value};
use crate::events::ids::StepId;
use crate::events::run::{ApprovalRequested, Gate, RunEvent};
use crate::events::time::Timestamp;
use crate::views::presenters::why::past::Past;

/// What became of a task, and who has it.
pub(super) fn of_task(event: &RunEvent, at: Timestamp) -> (Option<StepId>, String) {
    let attempt = |step: &StepId, purpose, number| super::attempt(step, purpose, number);
    match event {
        RunEvent::TaskOffered(task) => {
            let what = attempt(&task.step, task.purpose, task.attempt);
            let (agent, since) = (&task.agent, moment(at));
            (Some(task.step.clone()), format!("{what} is a task for {agent}, open since {since}"))
        }
        RunEvent::TaskTaken(task) => {
            let what = attempt(&task.step, task.purpose, task.attempt);
            let again = if task.lease > 1 { format!(", as number {}", task.lease) } else { String::new() };
            let says = format!("{} took {what}{again}, until {}", message(&task.by), moment(task.until));
            (Some(task.step.clone()), says)
        }
        RunEvent::TaskProgressed(task) => {
            let what = attempt(&task.step, task.purpose, task.attempt);
            let percent = task.percent.map(|percent| format!(": {percent} %")).unwrap_or_default();
            let text = because(task.text.as_deref());
            let until = moment(task.until);
            (Some(task.step.clone()), format!("who has {what} goes on with it, until {until}{percent}{text}"))
        }
        RunEvent::TaskLapsed(task) => {
            let what = attempt(&task.step, task.purpose, task.attempt);
            (Some(task.step.clone()), format!("who had {what} did not answer in time: anybody may take it"))
        }
        _ => (None, String::new()),
    }
}

/// What people were asked, and said.
pub(super) fn people(past: &Past<'_>, event: &RunEvent, at: Timestamp) -> (Option<StepId>, String) {
    let step = |request| past.request(request).map(|request| request.asked.step.clone());
    let named =
        |step: &Option<StepId>| step.as_ref().map_or("a request".to_owned(), |step| format!("`{step}`"));
    match event {
        RunEvent::ApprovalRequested(asked) => (Some(asked.step.clone()), asked_for(asked, at)),
        RunEvent::ApprovalGranted(granted) => {
            let step = step(&granted.request);
            let changed =
                granted.edits.as_ref().map(|edits| format!(", changed with {}", value(past, edits)));
            let (changed, note) = (changed.unwrap_or_default(), because(granted.note.as_deref()));
            let says = format!("{} granted {}{changed}{note}", granted.by, named(&step));
            (step, says)
        }
        RunEvent::ApprovalRefused(refused) => {
            let step = step(&refused.request);
            let says = format!("{} refused {}: {}", refused.by, named(&step), message(&refused.note));
            (step, says)
        }
        RunEvent::ApprovalExpired(expired) => {
            let step = step(&expired.request);
            let says = format!("nobody answered the request for {} in time", named(&step));
            (step, says)
        }
        _ => (None, String::new()),
    }
}

fn asked_for(asked: &ApprovalRequested, at: Timestamp) -> String {
    let what = match asked.gate {
        Gate::Before => "whether it may start",
        Gate::After => "about what it answered",
    };
    let who = if asked.approvers.is_empty() { "people".to_owned() } else { asked.approvers.join(" or ") };
    format!("{who} were asked about `{}`, {what}, since {}{}", asked.step, moment(at), until(asked.expires))
}
