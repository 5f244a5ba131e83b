//! `reenact approve RUN REQUEST`: what a run asks people for is granted, perhaps with changes; with `--check` only points
//! of its checklist are ticked.

use super::arguments::{ApproveArguments, AskedArguments};
use super::{Exit, Scene, control};
use crate::api::protocol::Control;
use crate::events::problem::Problem;
use crate::workflow::approval::Edits;

pub(super) async fn approve(scene: &Scene, arguments: ApproveArguments) -> Result<Exit, Problem> {
    let ApproveArguments { asked, note, edits, hash, check } = arguments;
    let AskedArguments { run, request, who } = asked;
    if !check.is_empty() {
        return control::answer(scene, run, Control::Check { request, points: check }, who).await;
    }
    match Edits::from_arguments(&edits) {
        Ok(edits) => control::answer(scene, run, Control::Approve { request, note, edits, hash }, who).await,
        Err(problems) => Ok(scene.say.problems(&problems)),
    }
}
