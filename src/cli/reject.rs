//! `reenact reject RUN [REQUEST] --reason R`: what a run asks people for is refused, and its step fails.

use super::arguments::{AskedArguments, OrderArguments, RejectArguments};
use super::{Exit, Scene, control};
use crate::api::protocol::Control;
use crate::events::problem::Problem;

pub(super) async fn reject(scene: &Scene, arguments: RejectArguments) -> Result<Exit, Problem> {
    let RejectArguments { asked: AskedArguments { run, request, who }, reason, then } = arguments;
    let Some((run, request)) = control::meant(scene, &run, request).await? else {
        return Ok(Exit::Interrupted);
    };
    let order = OrderArguments { who, reason: Some(reason) };
    control::order(scene, run, Control::Reject { request }, order, then.into()).await
}
