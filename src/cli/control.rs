//! Recording what a person wants of a run, whoever holds the store.

use super::arguments::{OrderArguments, Show, WhoArguments};
use super::see::{self, Asked, Signals};
use super::{Exit, Scene, text};
use crate::aggregates::run::Order;
use crate::api::door::Door;
use crate::api::folder::is_store;
use crate::api::new_command_id;
use crate::api::protocol::{Answer, Control, Recorded, Request, Told};
use crate::api::user::user;
use crate::events::problem::{Code, Problem};

/// Records what is wanted, and no more.
pub(super) async fn only(
    scene: &Scene,
    run: String,
    control: Control,
    order: OrderArguments,
) -> Result<Exit, Problem> {
    let mut signals = Signals::listen()?;
    let Some((recorded, door)) = record(scene, run, control, order, &mut signals).await? else {
        return Ok(Exit::Interrupted);
    };
    scene.say.result(&recorded, |recorded| text::recorded(recorded, &scene.call));
    see::leave(door, &mut signals).await?;
    Ok(Exit::Good)
}

/// Records what somebody answers to what a run waits for, and no more.
pub(super) async fn answer(
    scene: &Scene,
    run: String,
    control: Control,
    who: WhoArguments,
) -> Result<Exit, Problem> {
    only(scene, run, control, OrderArguments { who, reason: None }).await
}

/// Records what is wanted, and sees the run through.
pub(super) async fn and_see(
    scene: &Scene,
    run: String,
    control: Control,
    order: OrderArguments,
) -> Result<Exit, Problem> {
    let mut signals = Signals::listen()?;
    match record(scene, run, control, order, &mut signals).await? {
        Some((recorded, door)) => {
            let (run, told) = (recorded.run, Told::After(recorded.version));
            see::through(scene, door, run, (told, Show::default()), signals).await
        }
        None => Ok(Exit::Interrupted),
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
    let by = order.who.by.unwrap_or_else(user);
    let order = Order { by: by.into(), reason: order.reason };
    // Its holder may die before it has answered, and be asked again, or this process in its place.
    let request = Request::Control { run: run.clone(), control, order, id: Some(new_command_id()) };
    match ask_about_a_run(scene, &run, &request, signals).await? {
        Asked::Interrupted => Ok(None),
        Asked::Answer(Answer::Recorded(recorded), door) => Ok(Some((recorded, door))),
        Asked::Answer(other, _) => Err(other.mismatch()),
    }
}

/// Asks something about a run. Where there is no store there is no run, and none is made.
pub(super) async fn ask_about_a_run(
    scene: &Scene,
    run: &str,
    request: &Request,
    signals: &mut Signals,
) -> Result<Asked, Problem> {
    if !is_store(&scene.house.data) {
        return Err(Problem::new(Code::UnknownRun, format!("no run has the id `{run}`")));
    }
    let door = scene.open().await?;
    see::ask(scene, door, request, signals, &mut |_| {}).await
}
