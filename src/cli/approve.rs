//! `reenact approve RUN [REQUEST]`: what a run asks people for is granted, perhaps with changes; with `--check` only points
//! of its checklist are ticked.

use super::arguments::{ApproveArguments, AskedArguments};
use super::{Exit, Scene, control};
use crate::api::protocol::Control;
use crate::events::problem::Problem;
use crate::workflow::approval::Edits;

pub(super) async fn approve(scene: &Scene, arguments: ApproveArguments) -> Result<Exit, Problem> {
    let ApproveArguments { asked, note, edits, hash, check, then } = arguments;
    let AskedArguments { run, request, who } = asked;
    let edits = match Edits::from_arguments(&edits) {
        Ok(edits) => edits,
        Err(problems) => return Ok(scene.say.problems(&problems)),
    };
    let Some((run, request)) = control::meant(scene, &run, request).await? else {
        return Ok(Exit::Interrupted);
    };
    let control = match check.is_empty() {
        true => Control::Approve { request, note, edits, hash },
        false => Control::Check { request, points: check },
    };
    control::answer(scene, run, control, who, then.into()).await
}
