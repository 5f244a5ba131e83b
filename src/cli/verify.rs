//! `reenact verify`: proves that the store is whole, or names what is not.

use super::see::{self, Asked, Signals};
use super::{Exit, Scene, text};
use crate::api::folder::is_store;
use crate::api::protocol::{Answer, Request, VerifyReport};
use crate::events::problem::Problem;

pub(super) async fn verify(scene: &Scene) -> Result<Exit, Problem> {
    if !is_store(&scene.house.data) {
        let empty = VerifyReport { ok: true, ..VerifyReport::default() };
        scene.say.result(&empty, text::verified);
        return Ok(Exit::Good);
    }
    let mut signals = Signals::listen()?;
    let door = scene.house.open_damaged().await?;
    match see::ask(scene, door, &Request::Verify, &mut signals, &mut |_| {}).await? {
        Asked::Interrupted => Ok(Exit::Interrupted),
        Asked::Answer(Answer::Verified(report), door) => {
            scene.say.result(&report, text::verified);
            see::leave(door, &mut signals).await?;
            Ok(if report.ok { Exit::Good } else { Exit::Failed })
        }
        Asked::Answer(other, _) => Err(other.mismatch()),
    }
}
