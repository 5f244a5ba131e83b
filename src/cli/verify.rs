//! `reenact verify`: proves that the store is whole, or names what is not.

use super::see::{self, Exchange, Signals};
use super::{Exit, Scene, text};
use crate::api::folder::is_store;
use crate::api::protocol::{Request, Response, VerifyProblem, VerifyReport};
use crate::events::problem::{Code, Problem};

pub(super) async fn verify(scene: &Scene) -> Result<Exit, Problem> {
    if !is_store(&scene.house.data) {
        let empty = VerifyReport { ok: true, ..VerifyReport::default() };
        scene.say.result(&empty, text::verified);
        return Ok(Exit::Good);
    }
    let mut signals = Signals::listen()?;
    let door = match scene.house.open().await {
        Ok(door) => door,
        // Not even a copy of it can be read: that is all that there is to report.
        Err(problem) if problem.code == Code::StoreDamaged => {
            let lost = VerifyProblem { position: 0, stream: None, version: None, what: problem.message };
            scene
                .say
                .result(&VerifyReport { problems: vec![lost], ..VerifyReport::default() }, text::verified);
            return Ok(Exit::Failed);
        }
        Err(problem) => return Err(problem),
    };
    match see::ask(scene, door, &Request::Verify, &mut signals, &mut |_| {}).await? {
        Exchange::Interrupted => Ok(Exit::Interrupted),
        Exchange::Response(Response::Verified(report), door) => {
            scene.say.result(&report, text::verified);
            see::leave(door, &mut signals).await?;
            Ok(if report.ok { Exit::Good } else { Exit::Failed })
        }
        Exchange::Response(other, _) => Err(other.mismatch()),
    }
}
