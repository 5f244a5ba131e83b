//! `reenact history RUN`: what happened, event by event.

use super::arguments::HistoryArguments;
use super::see::{self, Exchange, Signals};
use super::{Exit, Scene, text};
use crate::api::facade::unknown_run;
use crate::api::folder::is_store;
use crate::api::protocol::{Frame, Request};
use crate::events::ids::Version;
use crate::events::problem::Problem;

pub(super) async fn history(scene: &Scene, arguments: HistoryArguments) -> Result<Exit, Problem> {
    let HistoryArguments { run, from, to } = arguments;
    if !is_store(&scene.house.data) {
        return Err(unknown_run(&run));
    }
    let mut signals = Signals::listen()?;
    let door = scene.open().await?;
    let request = Request::History { run, from: from.map(Version), to: to.map(Version) };
    // If the holder goes in the middle, the next one is asked again and answers from the beginning.
    let mut shown = Version(0);
    let mut show = |frame| {
        if let Frame::Event(line) = frame
            && line.version > shown
        {
            shown = line.version;
            scene.say.result(&*line, text::event);
        }
    };
    match see::ask(scene, door, &request, &mut signals, &mut show).await? {
        Exchange::Interrupted => Ok(Exit::Interrupted),
        Exchange::Response(_, door) => {
            see::leave(door, &mut signals).await?;
            Ok(Exit::Good)
        }
    }
}
