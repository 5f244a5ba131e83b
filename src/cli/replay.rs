//! `reenact replay RUN`: the run as it was, at one version or step by step.

mod steps;

use super::arguments::ReplayArguments;
use super::control::ask_about_a_run;
use super::see::{self, Exchange, Signals};
use super::text::Text;
use super::{Exit, Scene, text};
use crate::api::door::Door;
use crate::api::protocol::{Request, Response, Shown, State};
use crate::events::ids::Version;
use crate::events::problem::Problem;
use steps::{Keyboard, Steps, Turn};

pub(super) async fn replay(scene: &Scene, arguments: ReplayArguments) -> Result<Exit, Problem> {
    let ReplayArguments { run, at } = arguments;
    let mut signals = Signals::listen()?;
    let request = Request::StateAt { run: run.clone(), at: at.map(Version) };
    let (state, door) = match ask_about_a_run(scene, &run, &request, &mut signals).await? {
        Exchange::Interrupted => return Ok(Exit::Interrupted),
        Exchange::Response(Response::State(state), door) => (*state, door),
        Exchange::Response(other, _) => return Err(other.mismatch()),
    };
    if at.is_none() && !scene.say.is_json() && Keyboard::is_there() {
        return step_through(scene, state, door, signals).await;
    }
    show(scene, &state);
    see::leave(door, &mut signals).await?;
    Ok(Exit::Good)
}

/// Prints the state, on stdout.
fn show(scene: &Scene, state: &State) {
    match &state.shown {
        Shown::Run(report) => scene.say.result(&**report, |report| {
            let answered = text::values::answered(report, &scene.call);
            Text::lines([text::state(state, &scene.call)].into_iter().chain(answered))
        }),
        Shown::Stream(report) => scene.say.result(&**report, |_| text::state(state, &scene.call)),
    }
}

/// Shows one version after another, as keys say. What is printed at the end stays on the terminal.
async fn step_through(
    scene: &Scene,
    mut state: State,
    mut door: Door,
    mut signals: Signals,
) -> Result<Exit, Problem> {
    let mut steps = Steps::new(state.event.version, state.newest);
    let mut keyboard = Keyboard::open()?;
    loop {
        keyboard.show(&text::state(&state, &scene.call), &steps.prompt());
        let key = tokio::select! {
            key = keyboard.key() => key,
            () = signals.came() => break,
        };
        match steps.press(key) {
            Turn::Stay => {}
            Turn::Quit => break,
            Turn::Show(at) => {
                let request = Request::StateAt { run: state.shown.name().to_owned(), at: Some(at) };
                match see::ask(scene, door, &request, &mut signals, &mut |_| {}).await? {
                    Exchange::Interrupted => return Ok(Exit::Interrupted),
                    Exchange::Response(Response::State(shown), same) => {
                        (state, door) = (*shown, same);
                        steps.newest(state.newest);
                    }
                    Exchange::Response(other, _) => return Err(other.mismatch()),
                }
            }
        }
    }
    drop(keyboard);
    show(scene, &state);
    see::leave(door, &mut signals).await?;
    Ok(Exit::Good)
}
