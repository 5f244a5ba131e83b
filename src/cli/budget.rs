//! `reenact budget`: what a run may spend, what it has spent, and how it is let spend more.

use super::arguments::{BudgetArguments, BudgetVerb, RaiseBudgetArguments, RaisedArguments};
use super::control;
use super::see::{self, Exchange, Signals};
use super::text::spend;
use super::{Exit, Scene};
use crate::api::protocol::{Control, Request, Response};
use crate::api::wording::Worded;
use crate::events::problem::Problem;
use crate::events::run::SpendLimits;
use crate::views::presenters::report::SpendReport;

impl Worded for SpendReport {}

pub(super) async fn budget(scene: &Scene, arguments: BudgetArguments) -> Result<Exit, Problem> {
    match arguments.verb {
        BudgetVerb::Show(arguments) => show(scene, arguments.run).await,
        BudgetVerb::Raise(arguments) => {
            let RaiseBudgetArguments { run, limits, order, then } = arguments;
            let RaisedArguments { calls, tokens, usd: usd_nanos } = limits;
            let limits = SpendLimits { calls, tokens, usd_nanos };
            control::order(scene, run, Control::RaiseBudget { limits }, order, then.into()).await
        }
    }
}

async fn show(scene: &Scene, run: String) -> Result<Exit, Problem> {
    let mut signals = Signals::listen()?;
    let request = Request::Report { run: run.clone() };
    match control::ask_about_a_run(scene, &run, &request, &mut signals).await? {
        Exchange::Interrupted => Ok(Exit::Interrupted),
        Exchange::Response(Response::Report(report), door) => {
            scene.say.result(&SpendReport::from(*report), |shown| spend::budget(shown, &scene.call));
            see::leave(door, &mut signals).await?;
            Ok(Exit::Good)
        }
        Exchange::Response(other, _) => Err(other.mismatch()),
    }
}
