//! Recording what a person wants of a run, whoever holds the store.

use super::arguments::{OrderArguments, WhoArguments};
use super::see::{self, Asked, Signals};
use super::{Exit, Scene, text};
use crate::aggregates::run::Order;
use crate::api::door::{Door, new_command_id};
use crate::api::folder::is_store;
use crate::api::protocol::{Answer, Control, Recorded, Request, Told};
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
            see::through(scene, door, recorded.run, Told::After(recorded.version), signals).await
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

/// Who calls this, as the operating system knows them.
pub(super) fn user() -> String {
    let uid = rustix::process::getuid().as_raw();
    let accounts = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let of_account = accounts.lines().find_map(|line| account_name(line, uid)).map(str::to_owned);
    // Accounts that a directory service keeps are not in that file.
    let of_session = || std::env::var("LOGNAME").or_else(|_| std::env::var("USER")).ok();
    of_account.or_else(of_session).unwrap_or_else(|| format!("uid {uid}"))
}

/// The name in a line of `passwd(5)`, `name:password:uid:…`, if it is of that user.
fn account_name(line: &str, uid: u32) -> Option<&str> {
    let mut fields = line.split(':');
    let (name, id) = (fields.next()?, fields.nth(1)?);
    (id.parse() == Ok(uid) && !name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::account_name;

    #[test]
    fn an_account_is_found_by_its_number_only() {
        assert_eq!(account_name("ada:x:1000:100:0:/home/ada:/bin/sh", 1000), Some("ada"));
        assert_eq!(account_name("ada:1000:1:100:0:/home/ada:/bin/sh", 1000), None);
        assert_eq!(account_name("# comment", 0), None);
    }
}
