//! `reenact retry RUN`: what failed is tried again, and the run seen through.

use super::arguments::RetryArguments;
use super::{Exit, Scene, control};
use crate::api::protocol::Control;
use crate::events::ids::StepId;
use crate::events::problem::Problem;

pub(super) async fn retry(scene: &Scene, arguments: RetryArguments) -> Result<Exit, Problem> {
    let RetryArguments { control: asked, step } = arguments;
    let step = step.as_deref().map(StepId::grown);
    control::and_see(scene, asked.run, Control::Retry { step }, asked.order).await
}
