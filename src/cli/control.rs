//! Recording what a person wants of a run, whoever holds the store.

use super::arguments::{AfterwardsArguments, OrderArguments, Show, WhoArguments};
use super::see::{self, Exchange, Signals};
use super::{Exit, Scene, text};
use crate::aggregates::run::Order;
use crate::api::answer::only_request;
use crate::api::door::Door;
use crate::api::facade::unknown_run;
use crate::api::folder::is_store;
use crate::api::new_command_id;
use crate::api::protocol::{Control, Recorded, Request, Response, Told};
use crate::api::user::user;
use crate::events::problem::Problem;

/// What follows when it is recorded what a person wants of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    /// Nothing: who drives the run goes on with it.
    Leave,
    /// The run goes on, and is seen through.
    See,
}

impl From<AfterwardsArguments> for Then {
    fn from(AfterwardsArguments { resume }: AfterwardsArguments) -> Self {
        if resume { Self::See } else { Self::Leave }
    }
}

/// Records what is wanted of a run.
pub(super) async fn order(
    scene: &Scene,
    run: String,
    control: Control,
    order: OrderArguments,
    then: Then,
) -> Result<Exit, Problem> {
    let mut signals = Signals::listen()?;
    let does = does(&control);
    let Some((recorded, door)) = record(scene, run, control, order, &mut signals).await? else {
        return Ok(Exit::Interrupted);
    };
    match then {
        Then::See => {
            let Some(door) = see::tell_of_changes(scene, door, &recorded.run, &mut signals).await? else {
                return see::left(scene, &recorded.run, &mut signals).await;
            };
            let (run, told) = (recorded.run, Told::After(recorded.version));
            see::through(scene, door, run, (told, Show::default()), signals).await
        }
        Then::Leave => {
            scene.say.result(&recorded, |recorded| text::recorded(recorded, does, &scene.call));
            see::leave(door, &mut signals).await?;
            Ok(Exit::Good)
        }
    }
}

/// What another process that drives the run does when it is told that.
const fn does(control: &Control) -> Option<&'static str> {
    match control {
        Control::Pause => Some("pauses it: what runs of it is let end, and nothing new starts"),
        Control::Cancel { .. } => Some("ends it: what runs of it is stopped"),
        _ => None,
    }
}

/// Records what somebody answers to what a run waits for.
pub(super) async fn answer(
    scene: &Scene,
    run: String,
    control: Control,
    who: WhoArguments,
    then: Then,
) -> Result<Exit, Problem> {
    order(scene, run, control, OrderArguments { who, reason: None }, then).await
}

/// Has a run pause when a step or a phase is done with, and answers its whole id; none when a signal came.
pub(super) async fn plan_pause(
    scene: &Scene,
    run: String,
    until: String,
    who: &WhoArguments,
) -> Result<Option<String>, Problem> {
    let mut signals = Signals::listen()?;
    let order = OrderArguments { who: who.clone(), reason: None };
    let control = Control::PauseAfter { until: until.into() };
    let Some((recorded, door)) = record(scene, run, control, order, &mut signals).await? else {
        return Ok(None);
    };
    see::leave(door, &mut signals).await?;
    Ok(Some(recorded.run.to_string()))
}

/// The request that is meant: the one that is named, else the only one that is open. None when a signal came.
pub(super) async fn meant(
    scene: &Scene,
    run: &str,
    named: Option<String>,
) -> Result<Option<(String, String)>, Problem> {
    if let Some(request) = named {
        return Ok(Some((run.to_owned(), request)));
    }
    let mut signals = Signals::listen()?;
    let request = Request::Report { run: run.to_owned() };
    match ask_about_a_run(scene, run, &request, &mut signals).await? {
        Exchange::Interrupted => Ok(None),
        Exchange::Response(Response::Report(report), door) => {
            see::leave(door, &mut signals).await?;
            let request = only_request(&report)?;
            // `last` may be another run by the time it is asked again.
            Ok(Some((report.run.to_string(), request)))
        }
        Exchange::Response(other, _) => Err(other.mismatch()),
    }
}

/// None when a signal came: the store was let go of then.
async fn record(
    scene: &Scene,
    run: String,
    control: Control,
    order: OrderArguments,
    signals: &mut Signals,
) -> Result<Option<(Recorded, Door)>, Problem> {
    match ask_about_a_run(scene, &run.clone(), &request(run, control, order), signals).await? {
        Exchange::Interrupted => Ok(None),
        Exchange::Response(Response::Recorded(recorded), door) => Ok(Some((recorded, door))),
        Exchange::Response(other, _) => Err(other.mismatch()),
    }
}

/// What records it.
pub(super) fn request(run: String, control: Control, order: OrderArguments) -> Request {
    let by = order.who.by.unwrap_or_else(user);
    let order = Order { by: by.into(), reason: order.reason };
    // Its holder may die before it has answered, and be asked again, or this process in its place.
    Request::Control { run, control, order, id: Some(new_command_id()) }
}

/// Asks something about a run. Where there is no store there is no run, and none is made.
pub(super) async fn ask_about_a_run(
    scene: &Scene,
    run: &str,
    request: &Request,
    signals: &mut Signals,
) -> Result<Exchange, Problem> {
    if !is_store(&scene.house.data) {
        return Err(unknown_run(run));
    }
    let door = scene.open().await?;
    see::ask(scene, door, request, signals, &mut |_| {}).await
}
