//! `reenact unpause RUN`: a paused run may go on. Who drives it goes on with it; else `resume` does.

use super::arguments::{ControlArguments, UnpauseArguments};
use super::{Exit, Scene, control};
use crate::api::protocol::Control;
use crate::events::problem::Problem;

pub(super) async fn unpause(scene: &Scene, arguments: UnpauseArguments) -> Result<Exit, Problem> {
    let UnpauseArguments { control: ControlArguments { mut run, order }, until, then } = arguments;
    if let Some(until) = until.until {
        // First how far, so that nothing goes further meanwhile.
        let Some(planned) = control::plan_pause(scene, run, until, &order.who).await? else {
            return Ok(Exit::Interrupted);
        };
        run = planned;
    }
    control::order(scene, run, Control::Unpause, order, then.into()).await
}
