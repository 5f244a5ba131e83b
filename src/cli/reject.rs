//! `reenact reject RUN REQUEST --reason R`: what a run asks people for is refused, and its step fails.

use super::arguments::{AskedArguments, OrderArguments, RejectArguments};
use super::{Exit, Scene, control};
use crate::api::protocol::Control;
use crate::events::problem::Problem;

pub(super) async fn reject(scene: &Scene, arguments: RejectArguments) -> Result<Exit, Problem> {
    let RejectArguments { asked: AskedArguments { run, request, who }, reason } = arguments;
    let order = OrderArguments { who, reason: Some(reason) };
    control::only(scene, run, Control::Reject { request }, order).await
}
