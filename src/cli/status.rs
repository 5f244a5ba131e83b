//! `reenact status RUN`: one run, once or as it changes.

use super::arguments::StatusArguments;
use super::screen::Screen;
use super::see::{self, Exchange, Signals};
use super::text::{Text, values};
use super::{Exit, Scene, text};
use crate::api::facade::unknown_run;
use crate::api::folder::is_store;
use crate::api::protocol::{Frame, Request, Response};
use crate::events::problem::Problem;
use crate::views::presenters::report::RunReport;

pub(super) async fn status(scene: &Scene, arguments: StatusArguments) -> Result<Exit, Problem> {
    let StatusArguments { run, watch, verbose, each: _ } = arguments;
    if !is_store(&scene.house.data) {
        return Err(unknown_run(&run));
    }
    let mut signals = Signals::listen()?;
    let door = scene.open().await?;
    let request = match (watch, verbose) {
        (true, inputs) => Request::Watch { run, inputs },
        (false, true) => Request::Whole { run },
        (false, false) => Request::Report { run },
    };
    let mut screen = Screen::new(&scene.say);
    let mut show = |frame| {
        if let Frame::Report(report) = frame {
            if scene.say.is_json() {
                scene.say.result(&*report, |report| text(scene, report));
            } else {
                let shown = text(scene, &report);
                screen.show(move |_| shown.clone(), timeless(scene, &report));
            }
        }
    };
    let asked = see::ask(scene, door, &request, &mut signals, &mut show).await;
    if matches!(asked, Ok(Exchange::Interrupted)) {
        screen.leave();
    }
    screen.clear();
    match asked? {
        Exchange::Interrupted => Ok(Exit::Interrupted),
        Exchange::Response(Response::Report(report), door) => {
            if scene.say.is_json() || !screen.stands(&timeless(scene, &report)) {
                scene.say.result(&*report, |report| text(scene, report));
            }
            see::leave(door, &mut signals).await?;
            Ok(if watch { at_rest(&report) } else { Exit::Good })
        }
        Exchange::Response(other, _) => Err(other.mismatch()),
    }
}

/// How watching a run ends: as seeing it through would, if it came to rest.
fn at_rest(report: &RunReport) -> Exit {
    if report.interrupted == Some(true) { Exit::Interrupted } else { Exit::of_run(report) }
}

/// The text without how long the run has been going on, which changes though nothing happens.
fn timeless(scene: &Scene, report: &RunReport) -> Text {
    text(scene, &RunReport { duration_ms: 0, waiting_ms: 0, ..report.clone() })
}

fn text(scene: &Scene, report: &RunReport) -> Text {
    let values = values::given_and_answered(report, &scene.call);
    Text::lines([text::run(report, scene.steps, Some(&scene.call))].into_iter().chain(values))
}
