//! The tools that answer what runs ask of people, and end them.

use std::rc::Rc;

use serde::Serialize;
use serde_json::json;

use super::arguments::{Approvals, Approve, Cancel, Reject, Signal};
use super::look::waiting;
use crate::aggregates::run::Order;
use crate::api::answer::only_request;
use crate::api::facade::unknown_run;
use crate::api::mcp::answer::{Answer, Failed};
use crate::api::mcp::desk::Desk;
use crate::api::new_command_id;
use crate::api::protocol::{Control, Request, Response};
use crate::events::ids::RunId;
use crate::events::json::Json;
use crate::events::problem::Problem;
use crate::views::presenters::report::{RunReport, Waiting};
use crate::workflow::approval::Edits;

/// Who wants something of a run, and whether it is to go on then.
pub(super) struct Who<'a> {
    pub(super) by: &'a str,
    pub(super) reason: Option<String>,
    /// None means: if it went on for this client before.
    pub(super) resume: Option<bool>,
}

/// Records what is wanted of a run, and lets it go on if that is wanted too.
pub(super) async fn control(
    desk: &Rc<Desk>,
    run: String,
    control: Control,
    Who { by, reason, resume }: Who<'_>,
) -> Result<Answer, Failed> {
    if !desk.has_store() {
        return Err(unknown_run(&run).into());
    }
    let order = Order { by: by.into(), reason };
    // Its holder may die before it has answered, and be asked again, or this process in its place.
    let request = Request::Control { run, control, order, id: Some(new_command_id()) };
    let way = desk.open(false).await?;
    let recorded = match desk.ask(&request, &mut |_| {}).await? {
        Response::Recorded(recorded) => recorded,
        other => return Err(other.mismatch().into()),
    };
    if resume.unwrap_or_else(|| desk.drives(&recorded.run)) {
        desk.drive(&recorded.run, way)?;
    }
    Ok(Answer::of(&recorded, &desk.call)?)
}

pub(super) async fn cancel(desk: &Rc<Desk>, arguments: Cancel, by: &str) -> Result<Answer, Failed> {
    let Cancel { run, rollback, reason, by: named, resume } = arguments;
    let who = Who { by: named.as_deref().unwrap_or(by), reason, resume };
    control(desk, run, Control::Cancel { rollback }, who).await
}

pub(super) async fn signal(desk: &Rc<Desk>, arguments: Signal, by: &str) -> Result<Answer, Failed> {
    let Signal { run, name, data, by: named, resume } = arguments;
    let data = Json::read(&data.to_string()).map_err(|why| why.problem("what the signal says"))?;
    let who = Who { by: named.as_deref().unwrap_or(by), reason: None, resume };
    control(desk, run, Control::Signal { name: name.into(), data }, who).await
}

pub(super) async fn approve(desk: &Rc<Desk>, arguments: Approve, by: &str) -> Result<Answer, Failed> {
    let Approve { run, request, note, set, hash, check, by: named, resume } = arguments;
    let set: Vec<String> = set.iter().map(|(path, value)| format!("{path}:={value}")).collect();
    let edits = Edits::from_arguments(&set)?;
    let (run, request) = meant(desk, run, request).await?;
    let wanted = match check.is_empty() {
        true => Control::Approve { request, note, edits, hash },
        false => Control::Check { request, points: check },
    };
    let who = Who { by: named.as_deref().unwrap_or(by), reason: None, resume };
    control(desk, run, wanted, who).await
}

pub(super) async fn reject(desk: &Rc<Desk>, arguments: Reject, by: &str) -> Result<Answer, Failed> {
    let Reject { run, reason, request, by: named, resume } = arguments;
    let (run, request) = meant(desk, run, request).await?;
    let who = Who { by: named.as_deref().unwrap_or(by), reason: Some(reason), resume };
    control(desk, run, Control::Reject { request }, who).await
}

/// The request that is meant: the one that is named, else the only one that is open.
async fn meant(desk: &Desk, run: String, named: Option<String>) -> Result<(String, String), Problem> {
    if let Some(request) = named {
        return Ok((run, request));
    }
    if !desk.has_store() {
        return Err(unknown_run(&run));
    }
    let report = desk.report(&run).await?;
    // `last` may be another run by the time it is asked again.
    Ok((report.run.to_string(), only_request(&report)?))
}

pub(super) async fn approvals(desk: &Rc<Desk>, arguments: Approvals) -> Result<Answer, Failed> {
    let mut open = Vec::new();
    let mut next = None;
    match arguments.run {
        Some(run) if !desk.has_store() => return Err(unknown_run(&run).into()),
        Some(run) => open.extend(asked(desk.report(&run).await?)),
        None if desk.has_store() => {
            // Held over all of these questions.
            let _way = desk.open(true).await?;
            let waiting = waiting(desk).await?;
            for run in waiting.runs {
                open.extend(asked(desk.report(run.run.as_str()).await?));
            }
            next = waiting.next;
        }
        None => {}
    }
    Ok(Answer::plain(&json!({ "approvals": open, "next": next }))?)
}

/// Something that a run asks people for.
#[derive(Serialize)]
struct Open {
    run: RunId,
    workflow: String,
    /// The request as it stands in the run's report.
    #[serde(flatten)]
    asks: Waiting,
}

fn asked(report: RunReport) -> impl Iterator<Item = Open> {
    let RunReport { run, workflow, waiting_for, .. } = report;
    let open = waiting_for.into_iter().filter(|waiting| waiting.approval.is_some());
    open.map(move |asks| Open { run: run.clone(), workflow: workflow.clone(), asks })
}
