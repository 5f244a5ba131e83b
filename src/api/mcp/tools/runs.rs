//! The tools that start runs, let them go on, and wait for them.

use std::rc::Rc;

use super::arguments::{Resume, RunStart, RunWait, Wait};
use crate::api::facade::unknown_run;
use crate::api::mcp::answer::{Answer, Failed};
use crate::api::mcp::desk::{Desk, whole};
use crate::api::mcp::way::Way;
use crate::api::new_run_id;
use crate::api::protocol::{Request, Response};
use crate::api::spec::RunSpec;
use crate::events::ids::RunId;
use crate::events::problem::{Code, Problem};

pub(super) async fn start(desk: &Rc<Desk>, arguments: RunStart) -> Result<Answer, Failed> {
    let RunStart { file, inputs, id, tags, wait_seconds } = arguments;
    let mut spec = RunSpec { tags, ..RunSpec::file(file) };
    if let Some(id) = id {
        spec = spec.id(id)?;
    }
    spec = spec.input(&inputs.unwrap_or_default())?;
    let (spec, warnings) = resolve(desk, spec).await?;
    desk.check_room()?;
    // Whoever is asked again knows it again.
    let run = spec.id.clone().unwrap_or_else(new_run_id);
    let start = Box::new(RunSpec { id: Some(run.clone()), ..spec });
    let begin = Request::Begin { start, drive: true, only_recorded: false };
    begin.check_size()?;
    let way = desk.open(false).await?;
    match desk.ask(&begin, &mut |_| {}).await? {
        Response::Begun { .. } => {}
        other => return Err(other.mismatch().into()),
    }
    let answer = go_on(desk, &run, way, wait_seconds).await?;
    if warnings.is_empty() {
        return Ok(answer);
    }
    Ok(answer.with("warnings", &desk.worded(warnings))?)
}

/// Reads and checks a workflow with all that it names. It is read elsewhere: what is driven here goes on meanwhile.
async fn resolve(desk: &Desk, spec: RunSpec) -> Result<(RunSpec, Vec<Problem>), Vec<Problem>> {
    let mut resolver = desk.house().resolver();
    let mut asks = true;
    loop {
        let (reading, of) = (resolver.clone(), spec.clone());
        let read = tokio::task::spawn_blocking(move || reading.resolve(of)).await;
        let read = read.map_err(|panic| vec![Problem::new(Code::Internal, panic.to_string())])?;
        let lacks = |problems: &[Problem]| problems.iter().any(|problem| problem.code == Code::UnknownAgent);
        match read {
            // It may be one of the program that holds the store.
            Err(problems) if std::mem::take(&mut asks) && lacks(&problems) => {
                resolver.registered = desk.house().agents_of_holder().await;
            }
            read => return read,
        }
    }
}

pub(super) async fn resume(desk: &Rc<Desk>, arguments: Resume) -> Result<Answer, Failed> {
    let Resume { run, wait_seconds } = arguments;
    if !desk.has_store() {
        return Err(unknown_run(&run).into());
    }
    let way = desk.open(false).await?;
    match desk.ask(&Request::Resolve { run }, &mut |_| {}).await? {
        Response::Resolved(run) => go_on(desk, &run, way, wait_seconds).await,
        other => Err(other.mismatch().into()),
    }
}

pub(super) async fn wait(desk: &Rc<Desk>, arguments: RunWait) -> Result<Answer, Failed> {
    let RunWait { run, wait_seconds } = arguments;
    if !desk.has_store() {
        return Err(unknown_run(&run).into());
    }
    let report = desk.rested(&run, wait_seconds.unwrap_or(Wait::USUAL).length()).await?;
    Ok(Answer::of(&report, &desk.call)?)
}

/// Lets a run go on in the background, and answers with it, after a while if that is wanted.
async fn go_on(desk: &Rc<Desk>, run: &RunId, way: Way, wait: Option<Wait>) -> Result<Answer, Failed> {
    desk.drive(run, way)?;
    let run = whole(run);
    let report = match wait.filter(|wait| !wait.is_none()) {
        Some(wait) => desk.rested(&run, wait.length()).await?,
        None => desk.report(&run).await?,
    };
    Ok(Answer::of(&report, &desk.call)?)
}
