//! `reenact retry RUN`: what failed is tried again, and the run seen through.

use std::sync::Arc;

use super::arguments::RetryArguments;
use super::control::Then;
use super::{Exit, Scene, control};
use crate::api::protocol::Control;
use crate::events::problem::Problem;

pub(super) async fn retry(scene: &Scene, arguments: RetryArguments) -> Result<Exit, Problem> {
    let RetryArguments { control: asked, step, .. } = arguments;
    let step = step.as_deref().map(Arc::from);
    control::order(scene, asked.run, Control::Retry { step }, asked.order, Then::See).await
}
