//! `reenact run FILE`: starts a run and sees it through.

use super::arguments::{RunArguments, Show};
use super::see::{self, Exchange, Signals};
use super::text::terminal;
use super::{Exit, Scene, dry_run, start};
use crate::aggregates::run::RunStatus;
use crate::api::new_run_id;
use crate::api::protocol::{Request, Response, Told};
use crate::events::ids::{RunId, Version};
use crate::events::problem::{Code, Problem};

pub(super) async fn run(scene: &Scene, arguments: RunArguments) -> Result<Exit, Problem> {
    let run = match &arguments.id {
        Some(id) => RunId::parse(id).map_err(|error| Problem::new(Code::BadRunId, error.to_string()))?,
        None => new_run_id(),
    };
    if arguments.dry.dry_run {
        return dry_run::show(scene, run, &arguments).await;
    }
    let start = match start::resolve(scene, run.clone(), &arguments).await {
        Ok(start) => start,
        Err(problems) => return Ok(scene.say.problems(&problems)),
    };
    // Who wants to hear all has to listen before anything goes on: seeing it through lets it.
    let drive = !arguments.detach && arguments.show.wants().is_none();
    let begin = Request::Begin { start: Box::new(start), drive, only_recorded: arguments.detach };
    begin.check_size()?;
    let mut signals = Signals::listen()?;
    let door = scene.house.open().await?;
    match see::ask(scene, door, &begin, &mut signals, &mut |_| {}).await? {
        Exchange::Interrupted => Ok(Exit::Interrupted),
        Exchange::Response(_, door) if arguments.detach => {
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
            if !scene.say.is_json() && arguments.show != Show::Quiet {
                let there = if was.is_some() { ", which was there already" } else { "" };
                scene.say.note(&terminal!("run {}{}", run, there));
            }
            // How one came to its end that had ended is no news.
            let is_over = was.is_some_and(RunStatus::has_ended);
            let told = if is_over { Told::FromNow } else { Told::After(Version(0)) };
            see::through(scene, door, run, (told, arguments.show), signals).await
        }
    }
}
