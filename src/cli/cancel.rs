//! `reenact cancel RUN`: what runs is stopped, the run ends; with `--rollback` what was done is undone first.

use super::arguments::CancelArguments;
use super::control::Then;
use super::{Exit, Scene, control};
use crate::api::protocol::Control;
use crate::events::problem::Problem;

pub(super) async fn cancel(scene: &Scene, arguments: CancelArguments) -> Result<Exit, Problem> {
    let CancelArguments { control: asked, rollback } = arguments;
    control::order(scene, asked.run, Control::Cancel { rollback }, asked.order, Then::Leave).await
}
