//! `reenact replay RUN`: the run as it was, at one version or step by step.
//!
//! - `screen`: the terminal, taken for as long as somebody walks
//! - `keys`: what each key does
//! - `walk`: where somebody is
//! - `view`: the screen as a whole; `panes`: its parts
//! - `tell`: events, steps and values as lines

mod keys;
mod panes;
mod screen;
mod tell;
mod view;
mod walk;

use super::arguments::ReplayArguments;
use super::control::ask_about_a_run;
use super::see::{self, Exchange, Signals};
use super::text::Text;
use super::{Exit, Scene, text};
use crate::api::door::Door;
use crate::api::protocol::{Frame, Request, Response, Shown, State, WhichEvents};
use crate::events::ids::Version;
use crate::events::problem::Problem;
use screen::{Input, Screen};
use view::{Turn, View};
use walk::Walk;

pub(super) async fn replay(scene: &Scene, arguments: ReplayArguments) -> Result<Exit, Problem> {
    let ReplayArguments { run, at } = arguments;
    let mut signals = Signals::listen()?;
    let request = Request::StateAt { run: run.clone(), at: at.map(Version) };
    let (state, door) = match ask_about_a_run(scene, &run, &request, &mut signals).await? {
        Exchange::Interrupted => return Ok(Exit::Interrupted),
        Exchange::Response(Response::State(state), door) => (*state, door),
        Exchange::Response(other, _) => return Err(other.mismatch()),
    };
    if at.is_none() && !scene.say.is_json() && Screen::is_there() {
        return Stepper { scene, signals, walk: Walk::new(state), view: View::new() }
            .step_through(door)
            .await;
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

/// What became of a question to the store.
enum Asked {
    /// It was answered: what follows from the keys that were pressed meanwhile, and the door to ask more.
    Answered(Turn, Door),
    /// Nobody waits for the answer any more.
    Left,
    /// A signal came.
    Interrupted,
}

/// Somebody who steps through the past of a stream.
struct Stepper<'s> {
    scene: &'s Scene,
    signals: Signals,
    walk: Walk,
    view: View,
}

impl Stepper<'_> {
    /// Shows one version after another, as keys say. A line is left on the terminal of what was looked at last.
    async fn step_through(mut self, door: Door) -> Result<Exit, Problem> {
        let Some(mut door) = self.read_events(door).await? else { return Ok(Exit::Interrupted) };
        self.walk.go_to_state();
        let mut screen = Screen::open()?;
        let mut turn = Turn::Draw;
        while turn != Turn::Leave {
            self.draw(&mut screen, turn);
            turn = if let Some(at) = self.walk.wanted() {
                match self.ask(&mut screen, door, at).await? {
                    Asked::Answered(next, same) => {
                        door = same;
                        next
                    }
                    Asked::Left => {
                        self.leave(screen);
                        return Ok(Exit::Good);
                    }
                    Asked::Interrupted => return Ok(Exit::Interrupted),
                }
            } else {
                tokio::select! {
                    input = screen.input() => self.take(&mut screen, input),
                    () = self.signals.came() => {
                        drop(screen);
                        see::leave(door, &mut self.signals).await?;
                        return Ok(Exit::Interrupted);
                    }
                }
            };
        }
        self.leave(screen);
        see::leave(door, &mut self.signals).await?;
        Ok(Exit::Good)
    }

    /// Gives the terminal back, and leaves a line there.
    fn leave(&self, screen: Screen) {
        drop(screen);
        self.scene.say.show(&tell::left(self.walk.state()));
    }

    fn draw(&mut self, screen: &mut Screen, turn: Turn) {
        if turn == Turn::DrawAnew {
            screen.forget();
        }
        screen.draw(|frame| self.view.draw(frame, &self.walk));
    }

    /// Does what keys say, all that were pressed by now: whoever holds one down sees where it leads, not each step there.
    fn take(&mut self, screen: &mut Screen, first: Input) -> Turn {
        let (mut turn, mut next) = (Turn::Draw, Some(first));
        while let Some(input) = next {
            let done = match input {
                Input::Key(key) => keys::action(key).map(|action| self.view.act(action, &mut self.walk)),
                Input::Resized => None,
                Input::Gone => Some(Turn::Leave),
            };
            match done {
                Some(Turn::Leave) => return Turn::Leave,
                Some(Turn::DrawAnew) => turn = Turn::DrawAnew,
                Some(Turn::Draw) | None => {}
            }
            next = screen.more();
        }
        turn
    }

    /// Asks for the state at a version, and does meanwhile what keys say. Another process may take its time to answer: who
    /// leaves does not wait for that.
    async fn ask(&mut self, screen: &mut Screen, door: Door, at: Version) -> Result<Asked, Problem> {
        let is_there = matches!(door, Door::There(_));
        let request = Request::StateAt { run: self.walk.state().shown.name().to_owned(), at: Some(at) };
        // Taken out of itself for as long: keys change all but the signals.
        let mut signals = std::mem::replace(&mut self.signals, Signals::listen()?);
        let mut turn = Turn::Draw;
        let asked = {
            let mut ignore = |_| {};
            let asking = see::ask(self.scene, door, &request, &mut signals, &mut ignore);
            tokio::pin!(asking);
            loop {
                tokio::select! {
                    biased;
                    asked = &mut asking => break Some(asked?),
                    input = screen.input(), if turn != Turn::Leave => {
                        turn = self.take(screen, input);
                        match turn {
                            Turn::Leave if is_there => break None,
                            Turn::Leave => {}
                            Turn::Draw | Turn::DrawAnew => self.draw(screen, turn),
                        }
                    }
                }
            }
        };
        // A signal that came meanwhile was for these.
        self.signals = signals;
        let Some(asked) = asked else { return Ok(Asked::Left) };
        match asked {
            Exchange::Interrupted => Ok(Asked::Interrupted),
            Exchange::Response(Response::State(state), door) => {
                self.walk.answered(*state);
                let Some(door) = self.read_events(door).await? else { return Ok(Asked::Interrupted) };
                self.view.answered(&mut self.walk);
                Ok(Asked::Answered(turn, door))
            }
            Exchange::Response(other, _) => Err(other.mismatch()),
        }
    }

    /// Reads the events that are there by now and not known. None when a signal came.
    async fn read_events(&mut self, door: Door) -> Result<Option<Door>, Problem> {
        let Some(from) = self.walk.missing() else { return Ok(Some(door)) };
        let run = self.walk.state().shown.name().to_owned();
        let which = WhichEvents { from: Some(from), ..WhichEvents::default() };
        let request = Request::History { run, which };
        let walk = &mut self.walk;
        let mut add = |frame| {
            if let Frame::Event(line) = frame {
                walk.add(&line);
            }
        };
        match see::ask(self.scene, door, &request, &mut self.signals, &mut add).await? {
            Exchange::Interrupted => Ok(None),
            Exchange::Response(_, door) => Ok(Some(door)),
        }
    }
}
