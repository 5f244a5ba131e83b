//! The tools that only look.

use serde::Serialize;

use super::arguments::{History, ReplayAt, Route, RunStatus, RunsList, Why};
use crate::aggregates::run::RunStatus as Status;
use crate::api::facade::unknown_run;
use crate::api::mcp::answer::{ANSWER_BYTES_MAX, Answer, Failed};
use crate::api::mcp::desk::{Desk, whole};
use crate::api::protocol::{Frame, HistoryLine, Listed, Listing, Request, Response, Shown, WhichEvents};
use crate::api::routing::{Router, check, rules};
use crate::events::ids::{RunId, StepId, Version};
use crate::events::problem::{Code, Problem, nearest};
use crate::views::projections::runs::RunFilter;

/// Runs that nobody drives, as their status is named.
const INTERRUPTED: &str = "interrupted";

/// How many runs are listed where nobody says it, and at most.
const RUNS: (u16, u16) = (20, 500);

/// How many events of a history are told where nobody says it, and at most.
const EVENTS: (u16, u16) = (100, 1000);

/// How many of the runs that wait are asked what they ask people for.
const WAITING_MAX: usize = 100;

pub(super) async fn status(desk: &Desk, arguments: RunStatus) -> Result<Answer, Failed> {
    let RunStatus { run, inputs } = arguments;
    if !desk.has_store() {
        return Err(unknown_run(&run).into());
    }
    let request = if inputs { Request::Whole { run } } else { Request::Report { run } };
    match desk.ask(&request, &mut |_| {}).await? {
        Response::Report(report) => Ok(Answer::of(&*report, &desk.call)?),
        other => Err(other.mismatch().into()),
    }
}

/// One run, by its whole id.
pub(in crate::api::mcp) async fn one(desk: &Desk, run: &RunId) -> Result<Answer, Failed> {
    status(desk, RunStatus { run: exactly(desk, run)?, inputs: false }).await
}

fn exactly(desk: &Desk, run: &RunId) -> Result<String, Problem> {
    if desk.has_store() { Ok(whole(run)) } else { Err(unknown_run(run.as_str())) }
}

pub(super) async fn list(desk: &Desk, arguments: RunsList) -> Result<Answer, Failed> {
    let RunsList { status, workflow, tags, limit, after } = arguments;
    let interrupted = status.as_deref() == Some(INTERRUPTED);
    let status = status.filter(|_| !interrupted).map(|status| known_status(&status)).transpose()?;
    let limit = limit.unwrap_or(RUNS.0).clamp(1, RUNS.1);
    let filter = RunFilter {
        status,
        workflow,
        tags,
        unfinished: interrupted,
        no_children: false,
        limit: Some(limit.into()),
    };
    let listed = listed(desk, Listing { filter, interrupted, after, parents: false }).await?;
    Ok(Answer::plain(&listed)?)
}

fn known_status(text: &str) -> Result<Status, Problem> {
    Status::ALL.iter().copied().find(|status| status.text() == text).ok_or_else(|| {
        let problem = Problem::new(Code::BadValue, format!("`{text}` is no status of a run"));
        let names = Status::ALL.iter().map(|status| status.text()).chain([INTERRUPTED]);
        match nearest(text, names.clone()) {
            Some(near) => problem.hint(format!("did you mean `{near}`?")),
            None => problem.hint(format!("there are {}", names.collect::<Vec<_>>().join(", "))),
        }
    })
}

async fn listed(desk: &Desk, listing: Listing) -> Result<Listed, Problem> {
    if !desk.has_store() {
        // Where there is no store there is no such run.
        return listing.after.map_or_else(|| Ok(Listed::default()), |after| Err(unknown_run(&after)));
    }
    match desk.ask(&Request::Listing { listing, watch: false }, &mut |_| {}).await? {
        Response::Listed(listed) => Ok(listed),
        other => Err(other.mismatch()),
    }
}

/// The newest runs.
pub(in crate::api::mcp) async fn newest(desk: &Desk, limit: usize) -> Result<Answer, Failed> {
    let filter = RunFilter { limit: Some(limit), ..RunFilter::default() };
    Ok(Answer::plain(&listed(desk, Listing { filter, ..Listing::default() }).await?)?)
}

/// The runs that wait for somebody, some of them.
pub(super) async fn waiting(desk: &Desk) -> Result<Listed, Problem> {
    let filter =
        RunFilter { status: Some(Status::Waiting), limit: Some(WAITING_MAX), ..RunFilter::default() };
    listed(desk, Listing { filter, ..Listing::default() }).await
}

pub(super) async fn route(desk: &Desk, arguments: Route) -> Result<Answer, Failed> {
    let Route { query, explain } = arguments;
    check(&query)?;
    let house = desk.house();
    let rules = rules(&house.config, &desk.folder())?;
    let (mut registered, mut successes) = (Vec::new(), Vec::new());
    if desk.has_store() {
        registered = house.agents_of_holder().await;
        successes = match desk.ask(&Request::Successes, &mut |_| {}).await? {
            Response::Successes(successes) => successes,
            other => return Err(other.mismatch().into()),
        };
    }
    let catalog = house.config.catalog(&desk.folder(), &registered);
    let router = Router::new(&rules, &catalog, &successes)?;
    Ok(Answer::plain(&router.route(&query, &Default::default()).told(explain))?)
}

pub(super) async fn replay_at(desk: &Desk, arguments: ReplayAt) -> Result<Answer, Failed> {
    let ReplayAt { run, version } = arguments;
    if !desk.has_store() {
        return Err(unknown_run(&run).into());
    }
    let request = Request::StateAt { run, at: version.map(Version) };
    match desk.ask(&request, &mut |_| {}).await? {
        Response::State(state) => Ok(match &state.shown {
            Shown::Run(report) => Answer::of(&**report, &desk.call),
            Shown::Stream(report) => Answer::of(&**report, &desk.call),
        }?),
        other => Err(other.mismatch().into()),
    }
}

pub(super) async fn why(desk: &Desk, arguments: Why) -> Result<Answer, Failed> {
    let Why { run, step } = arguments;
    if !desk.has_store() {
        return Err(unknown_run(&run).into());
    }
    let request = Request::Why { run, step: step.as_deref().map(StepId::grown) };
    match desk.ask(&request, &mut |_| {}).await? {
        Response::Why(report) => Ok(Answer::of(&*report, &desk.call)?),
        other => Err(other.mismatch().into()),
    }
}

/// A part of a history.
#[derive(Serialize)]
struct Events {
    events: Vec<HistoryLine>,
    /// The version from which there are more; none if these are the last.
    next: Option<Version>,
}

pub(super) async fn history(desk: &Desk, arguments: History) -> Result<Answer, Failed> {
    let History { run, from, to, limit } = arguments;
    if !desk.has_store() {
        return Err(unknown_run(&run).into());
    }
    let from = from.unwrap_or(1).max(1);
    let limit = u64::from(limit.unwrap_or(EVENTS.0).clamp(1, EVENTS.1));
    // One more, which is not told, shows whether there are more.
    let last = to.unwrap_or(u64::MAX).min(from.saturating_add(limit));
    let which = WhichEvents { from: Some(Version(from)), to: Some(Version(last)), ..WhichEvents::default() };
    let (mut told, mut bytes) = (Events { events: Vec::new(), next: None }, 0);
    let mut show = |frame| {
        let Frame::Event(line) = frame else { return };
        // If the holder goes in the middle, the next one answers from the beginning.
        let is_new = told.events.last().is_none_or(|last| last.version < line.version);
        if !is_new || told.next.is_some() {
            return;
        }
        bytes += line.data.text().len() + LINE_BYTES;
        let is_full = told.events.len() as u64 >= limit || bytes > ANSWER_BYTES_MAX;
        if is_full && !told.events.is_empty() {
            told.next = Some(line.version);
        } else {
            told.events.push(*line);
        }
    };
    desk.ask(&Request::History { run, which }, &mut show).await?;
    Ok(Answer::plain(&told)?)
}

/// What a line of a history has beside its data, in bytes at most.
const LINE_BYTES: usize = 512;

/// The beginning of a run's history.
pub(in crate::api::mcp) async fn beginning(desk: &Desk, run: &RunId) -> Result<Answer, Failed> {
    let run = exactly(desk, run)?;
    let from_the_first = History { run, from: None, to: None, limit: None };
    history(desk, from_the_first).await
}
