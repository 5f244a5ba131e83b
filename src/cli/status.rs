//! `reenact status RUN`: one run, once or as it changes.

use super::arguments::StatusArguments;
use super::progress::Screen;
use super::see::{self, Exchange, Signals};
use super::{Exit, Scene, text};
use crate::api::facade::unknown_run;
use crate::api::folder::is_store;
use crate::api::protocol::{Frame, Request, Response};
use crate::events::problem::Problem;

pub(super) async fn status(scene: &Scene, arguments: StatusArguments) -> Result<Exit, Problem> {
    let StatusArguments { run, watch, .. } = arguments;
    if !is_store(&scene.house.data) {
        return Err(unknown_run(&run));
    }
    let mut signals = Signals::listen()?;
    let door = scene.open().await?;
    let request = if watch { Request::Watch { run } } else { Request::Report { run } };
    let mut screen = Screen::new(&scene.say);
    let mut show = |frame| {
        if let Frame::Report(report) = frame {
            if scene.say.is_json() {
                scene.say.result(&*report, |report| text::run(report, scene.steps, Some(&scene.call)));
            } else {
                screen.show(&text::run(&report, scene.steps, Some(&scene.call)));
            }
        }
    };
    let asked = see::ask(scene, door, &request, &mut signals, &mut show).await;
    screen.clear();
    match asked? {
        Exchange::Interrupted => Ok(Exit::Interrupted),
        Exchange::Response(Response::Report(report), door) => {
            scene.say.result(&*report, |report| text::run(report, scene.steps, Some(&scene.call)));
            see::leave(door, &mut signals).await?;
            Ok(Exit::Good)
        }
        Exchange::Response(other, _) => Err(other.mismatch()),
    }
}
