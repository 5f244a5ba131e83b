//! `reenact unpause RUN`: a paused run may go on. Who drives it goes on with it; else `resume` does.

use super::arguments::ControlArguments;
use super::{Exit, Scene, control};
use crate::api::protocol::Control;
use crate::events::problem::Problem;

pub(super) async fn unpause(scene: &Scene, arguments: ControlArguments) -> Result<Exit, Problem> {
    control::only(scene, arguments.run, Control::Unpause, arguments.order).await
}
