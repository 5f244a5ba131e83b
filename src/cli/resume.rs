//! `reenact resume`: goes on with what was interrupted.

use super::arguments::{OrderArguments, ResumeArguments, Show};
use super::see::{self, Exchange, Signals};
use super::shown::Shown;
use super::text::terminal::NAME_CHARS_MAX;
use super::text::{self, terminal};
use super::{Exit, Scene, control};
use crate::api::door::Door;
use crate::api::facade::unknown_run;
use crate::api::folder::is_store;
use crate::api::protocol::{Control, Frame, Request, Response, Told};
use crate::events::ids::RunId;
use crate::events::problem::{Code, Problem};
use crate::events::text::{shortened, some_of};

/// How many of several interrupted runs are named: as many as fit on a screen.
const NAMED_MAX: usize = 20;

pub(super) async fn resume(scene: &Scene, arguments: ResumeArguments) -> Result<Exit, Problem> {
    let all_runs = arguments.all && arguments.run.is_none();
    if all_runs && arguments.until.until.is_some() {
        let problem =
            Problem::new(Code::Usage, "--until is about one run, and --all about all that are interrupted");
        return Err(problem.hint("name the run that is meant"));
    }
    if !is_store(&scene.house.data) {
        return match arguments.run {
            Some(run) => Err(unknown_run(&run)),
            None if all_runs => {
                scene.say.note(&terminal!("no run is interrupted"));
                Ok(Exit::Good)
            }
            None => Err(Problem::new(Code::NothingToResume, "no run is interrupted")),
        };
    }
    let mut signals = Signals::listen()?;
    let door = scene.house.open().await?;
    if all_runs {
        return all(scene, door, arguments.show, &mut signals).await;
    }
    let request = match arguments.run.clone() {
        Some(run) => Request::Resolve { run },
        None => Request::Interrupted,
    };
    let (run, door) = match see::ask(scene, door, &request, &mut signals, &mut |_| {}).await? {
        Exchange::Interrupted => match arguments.run {
            Some(run) => return see::left_at_start(scene, run, &mut signals).await,
            None => return Ok(Exit::Interrupted),
        },
        Exchange::Response(answer, door) => match chosen(answer) {
            Ok(run) => (run, door),
            Err(problem) => {
                see::leave(door, &mut signals).await?;
                return Err(problem);
            }
        },
    };
    let Some(door) = see::tell_of_changes(scene, door, &run, &mut signals).await? else {
        return see::left(scene, &run, &mut signals).await;
    };
    let Some(until) = arguments.until.until else {
        return see::through(scene, door, run, (Told::FromNow, arguments.show), signals).await;
    };
    let plan = Control::PauseAfter { until: until.into() };
    let plan = control::request(run.to_string(), plan, OrderArguments::default());
    match see::ask(scene, door, &plan, &mut signals, &mut |_| {}).await? {
        Exchange::Interrupted => see::left(scene, &run, &mut signals).await,
        Exchange::Response(_, door) => {
            see::through(scene, door, run, (Told::FromNow, arguments.show), signals).await
        }
    }
}

/// The run that was meant, or the only one that could be.
fn chosen(answer: Response) -> Result<RunId, Problem> {
    let rows = match answer {
        Response::Resolved(run) => return Ok(run),
        Response::Runs(rows) => rows,
        other => return Err(other.mismatch()),
    };
    match rows.as_slice() {
        [] => Err(Problem::new(Code::NothingToResume, "no run is interrupted")),
        [row] => Ok(row.run.clone()),
        several => {
            let named = some_of(several, NAMED_MAX, |row| {
                format!("{} ({})", row.run, shortened(&row.workflow, NAME_CHARS_MAX))
            });
            let message = format!("{} runs are interrupted: {named}", several.len());
            Err(Problem::new(Code::AmbiguousRun, message).hint("name one, or resume them all with --all"))
        }
    }
}

async fn all(scene: &Scene, door: Door, show: Show, signals: &mut Signals) -> Result<Exit, Problem> {
    let shown = Shown::new(&scene.house, show, true)?;
    let request = Request::SeeAll { hears: show.wants() };
    let (mut exit, mut any) = (Exit::Good, false);
    let mut show = |frame| match frame {
        Frame::Report(report) => {
            any = true;
            exit = of_several(exit, Exit::of_run(&report));
            scene.say.result(&*report, text::one_line);
        }
        Frame::Parked { run, error } => {
            any = true;
            exit = Exit::Failed;
            scene.say.left(&run, &error, &scene.call);
        }
        Frame::Heard(heard) => {
            if let Some(shown) = &shown {
                shown.show(*heard);
            }
        }
        _ => {}
    };
    let asked = see::ask(scene, door, &request, signals, &mut show).await;
    if let Some(shown) = shown {
        shown.finish().await;
    }
    match asked? {
        Exchange::Interrupted => Ok(Exit::Interrupted),
        Exchange::Response(_, door) => {
            if !any {
                scene.say.note(&terminal!("no run is interrupted"));
            }
            see::leave(door, signals).await?;
            Ok(exit)
        }
    }
}

/// How a verb ends that saw several runs through: well if all completed, waiting if the others only wait.
const fn of_several(before: Exit, run: Exit) -> Exit {
    match (before, run) {
        (before, Exit::Good) => before,
        (Exit::Good | Exit::Waiting, Exit::Waiting) => Exit::Waiting,
        _ => Exit::Failed,
    }
}
