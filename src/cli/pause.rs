//! `reenact pause RUN`: what runs ends, nothing new starts.

use super::arguments::ControlArguments;
use super::control::Then;
use super::{Exit, Scene, control};
use crate::api::protocol::Control;
use crate::events::problem::Problem;

pub(super) async fn pause(scene: &Scene, arguments: ControlArguments) -> Result<Exit, Problem> {
    control::order(scene, arguments.run, Control::Pause, arguments.order, Then::Leave).await
}
