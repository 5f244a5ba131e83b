//! `reenact run FILE`: starts a run and sees it through.

use super::arguments::{GivenArguments, RunArguments, Show};
use super::see::{self, Exchange, Signals};
use super::text::terminal;
use super::{Exit, Scene, dry_run, goal, start};
use crate::aggregates::run::RunStatus;
use crate::api::new_run_id;
use crate::api::protocol::{Request, Response, Told};
use crate::api::spec::RunSpec;
use crate::events::ids::{RunId, StreamId, Version};
use crate::events::json::Json;
use crate::events::problem::{Code, Problem};
use crate::workflow::definition::Definition;

pub(super) async fn run(scene: &Scene, arguments: RunArguments) -> Result<Exit, Problem> {
    let run = id(&arguments.given)?;
    match (&arguments.file, &arguments.goal.goal) {
        (Some(file), _) => match start::of_file(run, file, &arguments) {
            Ok(spec) => begin(scene, spec, &arguments, start::input).await,
            Err(problems) => Ok(scene.say.problems(&problems)),
        },
        (None, Some(text)) => {
            let (spec, goal) = goal::prepare(scene, run, text, &arguments)?;
            let answers = match start::answers(&arguments.answers, None) {
                Ok(answers) => answers,
                Err(problems) => return Ok(scene.say.problems(&problems)),
            };
            let spec = RunSpec { answers, ..spec };
            begin(scene, spec, &arguments, |_, given| goal::input(&goal, given)).await
        }
        (None, None) => Err(Problem::new(Code::Usage, "nothing says what is to be run")),
    }
}

/// Starts a run of this and sees it through, or shows what would be done; `input` makes its input.
pub(super) async fn begin(
    scene: &Scene,
    spec: RunSpec,
    arguments: &RunArguments,
    input: impl FnOnce(&Definition, &GivenArguments) -> Result<Json, Vec<Problem>>,
) -> Result<Exit, Problem> {
    let resolved = start::resolve(scene, spec, &arguments.given, input).await;
    match resolved {
        Err(problems) => Ok(scene.say.problems(&problems)),
        Ok(spec) if arguments.dry.dry_run => dry_run::show(scene, &spec, &arguments.given).await,
        Ok(start) => see_through(scene, start, arguments.detach, arguments.show).await,
    }
}

/// The id of a run that is to start: the one that was said, else a new one.
pub(super) fn id(given: &GivenArguments) -> Result<RunId, Problem> {
    match &given.id {
        Some(id) => RunId::parse(id).map_err(|error| Problem::new(Code::BadRunId, error.to_string())),
        None => Ok(new_run_id()),
    }
}

/// Starts a run of what was resolved, which has an id, and sees it through; or, with `detach`, only records it.
pub(super) async fn see_through(
    scene: &Scene,
    start: RunSpec,
    detach: bool,
    show: Show,
) -> Result<Exit, Problem> {
    let run = start.id.clone().unwrap_or_else(new_run_id);
    // Who wants to hear all has to listen before anything goes on: seeing it through lets it.
    let drive = !detach && show.wants().is_none();
    let start = Box::new(RunSpec { id: Some(run.clone()), ..start });
    let begin = Request::Begin { start, drive, only_recorded: detach };
    begin.check_size()?;
    let mut signals = Signals::listen()?;
    let door = scene.house.open().await?;
    match see::ask(scene, door, &begin, &mut signals, &mut |_| {}).await? {
        Exchange::Interrupted => {
            see::left_at_start(scene, StreamId::of_run(&run).to_string(), &mut signals).await
        }
        Exchange::Response(_, door) if detach => {
            let report = Request::Report { run: run.to_string() };
            match see::ask(scene, door, &report, &mut signals, &mut |_| {}).await? {
                Exchange::Interrupted => Ok(Exit::Interrupted),
                Exchange::Response(Response::Report(report), door) => {
                    let exit = see::print(scene, &report);
                    see::leave(door, &mut signals).await?;
                    Ok(exit)
                }
                Exchange::Response(other, _) => Err(other.mismatch()),
            }
        }
        Exchange::Response(begun, door) => {
            let was = if let Response::Begun { was, .. } = begun { was } else { None };
            if !scene.say.is_json() && show != Show::Quiet {
                let there = if was.is_some() { ", which was there already" } else { "" };
                scene.say.note(&terminal!("run {}{}", run, there));
            }
            // How one came to its end that had ended is no news.
            let is_over = was.is_some_and(RunStatus::has_ended);
            let told = if is_over { Told::FromNow } else { Told::After(Version(0)) };
            see::through(scene, door, run, (told, show), signals).await
        }
    }
}
