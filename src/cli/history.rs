//! `reenact history RUN`: what happened, event by event, once or as it happens.

use super::arguments::HistoryArguments;
use super::see::{self, Exchange, Signals};
use super::text::terminal::fitted;
use super::{Exit, Scene, text};
use crate::api::facade::unknown_run;
use crate::api::folder::is_store;
use crate::api::protocol::{Frame, HistoryLine, Request, WhichEvents};
use crate::events::ids::Version;
use crate::events::problem::Problem;

pub(super) async fn history(scene: &Scene, arguments: HistoryArguments) -> Result<Exit, Problem> {
    let HistoryArguments { run, from, to, step, types, full, follow } = arguments;
    if !is_store(&scene.house.data) {
        return Err(unknown_run(&run));
    }
    let mut signals = Signals::listen()?;
    let door = scene.open().await?;
    let which = WhichEvents { from: from.map(Version), to: to.map(Version), step, types, follow };
    let request = Request::History { run, which };
    // What goes elsewhere than to a terminal is searched, and whole.
    let columns = scene.say.columns().filter(|_| !full);
    let line = |line: &HistoryLine| {
        let whole = text::event(line, usize::MAX);
        columns.map_or_else(|| whole.clone(), |columns| fitted(&whole, columns))
    };
    // If the holder goes in the middle, the next one is asked again and answers from the beginning.
    let mut shown = Version(0);
    let mut show = |frame| {
        if let Frame::Event(event) = frame
            && event.version > shown
        {
            shown = event.version;
            scene.say.result(&*event, line);
        }
    };
    match see::ask(scene, door, &request, &mut signals, &mut show).await? {
        Exchange::Interrupted => Ok(scene.left()),
        Exchange::Response(_, door) => {
            see::leave(door, &mut signals).await?;
            Ok(Exit::Good)
        }
    }
}
