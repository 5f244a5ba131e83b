//! `reenact approve RUN REQUEST`: what a run asks people for is granted, perhaps with changes; with `--check` only points
//! of its checklist are ticked.

use super::arguments::{ApproveArguments, AskedArguments};
use super::{Exit, Scene, control};
use crate::api::protocol::Control;
use crate::events::json::Json;
use crate::events::problem::Problem;
use crate::workflow::input::input_from_arguments;

pub(super) async fn approve(scene: &Scene, arguments: ApproveArguments) -> Result<Exit, Problem> {
    let ApproveArguments { asked, note, edits, check } = arguments;
    let AskedArguments { run, request, who } = asked;
    if !check.is_empty() {
        return control::answer(scene, run, Control::Check { request, points: check }, who).await;
    }
    let edits = match changes(&edits) {
        Ok(edits) => edits,
        Err(problems) => return Ok(scene.say.problems(&problems)),
    };
    control::answer(scene, run, Control::Approve { request, note, edits }, who).await
}

/// What is to be changed, read as inputs are; none if nothing is.
fn changes(arguments: &[String]) -> Result<Option<Json>, Vec<Problem>> {
    if arguments.is_empty() {
        return Ok(None);
    }
    input_from_arguments(None, None, arguments).map(Some)
}
