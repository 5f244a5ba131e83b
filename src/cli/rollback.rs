//! `reenact rollback RUN`: what was done is undone, and the run seen through; `--dry-run` only says in which order.
//! `reenact rollback resolve RUN STEP`: a compensation that failed for good is settled.

use std::sync::Arc;

use super::arguments::{
    OrderArguments, ResolutionArguments, ResolveArguments, RollbackArguments, RollbackVerb,
};
use super::control::Then;
use super::see::{self, Exchange, Signals};
use super::{Exit, Scene, control, text};
use crate::api::protocol::{Control, Request, Response};
use crate::events::ids::StepId;
use crate::events::problem::Problem;
use crate::events::run::Resolution;

pub(super) async fn rollback(scene: &Scene, arguments: RollbackArguments) -> Result<Exit, Problem> {
    let RollbackArguments { run, to, dry_run, order, settle } = arguments;
    if let Some(RollbackVerb::Resolve(arguments)) = settle {
        return resolve(scene, arguments).await;
    }
    // Required, unless it is settled.
    let run = run.unwrap_or_default();
    let to = to.as_deref().map(Arc::from);
    if dry_run {
        return plan(scene, run, to).await;
    }
    control::order(scene, run, Control::Rollback { to }, order, Then::See).await
}

async fn plan(scene: &Scene, run: String, to: Option<Arc<str>>) -> Result<Exit, Problem> {
    let mut signals = Signals::listen()?;
    let request = Request::Plan { run: run.clone(), to };
    match control::ask_about_a_run(scene, &run, &request, &mut signals).await? {
        Exchange::Interrupted => Ok(Exit::Interrupted),
        Exchange::Response(Response::Planned(planned), door) => {
            scene.say.result(&planned, text::planned);
            see::leave(door, &mut signals).await?;
            Ok(Exit::Good)
        }
        Exchange::Response(other, _) => Err(other.mismatch()),
    }
}

async fn resolve(scene: &Scene, arguments: ResolveArguments) -> Result<Exit, Problem> {
    let ResolveArguments { run, step, how, who, reason, then } = arguments;
    // Exactly one of them is given.
    let how = match how {
        ResolutionArguments { retry: true, .. } => Resolution::Retry,
        ResolutionArguments { skip: true, .. } => Resolution::Skip,
        ResolutionArguments { .. } => Resolution::Done,
    };
    let order = OrderArguments { who, reason: Some(reason) };
    let control = Control::Resolve { step: StepId::grown(&step), how };
    control::order(scene, run, control, order, then.into()).await
}
