//! `reenact doctor`: what is wrong with this set-up.

use super::text::{Text, terminal};
use super::{Exit, Scene};
use crate::api::doctor::{Check, Checkup, Patient, State, examine};
use crate::events::problem::Problem;

/// How wide the names of checks are, most often.
const NAME_WIDTH: usize = 14;

pub(super) async fn doctor(scene: &Scene) -> Result<Exit, Problem> {
    let patient = Patient {
        data: scene.data(),
        sources: scene.sources.clone(),
        untrusted: scene.untrusted(),
        call: scene.call.clone(),
    };
    let checkup = examine(&patient).await;
    scene.say.result(&checkup, text);
    Ok(if checkup.ok { Exit::Good } else { Exit::Failed })
}

fn text(checkup: &Checkup) -> Text {
    let of_state = |wanted: State| checkup.checks.iter().filter(|check| check.state == wanted).count();
    let (wrong, warnings) = (of_state(State::Wrong), of_state(State::Warning));
    let last = match (wrong, warnings) {
        (0, 0) => terminal!("all is well"),
        (0, _) => terminal!("nothing is wrong; {} to look at", warnings),
        _ => terminal!("{} wrong, {} to look at", wrong, warnings),
    };
    Text::lines(checkup.checks.iter().map(line).chain([last]))
}

fn line(check: &Check) -> Text {
    let mark = match check.state {
        State::Good => "✓",
        State::Warning => "!",
        State::Wrong => "✗",
    };
    let line = terminal!("{} {}  {}", mark, terminal!("{}", &check.name).padded(NAME_WIDTH), &check.says);
    line.and(
        check.hint.as_ref().map(|hint| terminal!("\n  {}  → {}", Text::default().padded(NAME_WIDTH), hint)),
    )
}
