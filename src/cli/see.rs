//! Seeing a run through, whoever holds the store: if its holder goes, the door is opened again and the run goes on.

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::progress::Progress;
use super::text::{self, terminal};
use super::{Exit, Scene};
use crate::api::door::{Door, NoAnswer};
use crate::api::protocol::{Answer, Frame, Request};
use crate::events::ids::RunId;
use crate::events::problem::{Code, Problem};
use crate::views::report::RunReport;

/// SIGINT and SIGTERM.
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    pub(super) fn listen() -> Result<Self, Problem> {
        let failed = |error: std::io::Error| Problem::new(Code::Internal, format!("signals: {error}"));
        Ok(Self {
            interrupt: signal(SignalKind::interrupt()).map_err(failed)?,
            terminate: signal(SignalKind::terminate()).map_err(failed)?,
        })
    }

    /// Ends when one came.
    pub(super) async fn came(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// What came of asking.
pub(super) enum Asked {
    /// The answer, and the door to ask more.
    Answer(Answer, Door),
    /// A signal came; the store was let go of.
    Interrupted,
}

/// Asks until somebody answers, opening the door as often as its holder goes. A signal ends it.
pub(super) async fn ask(
    scene: &Scene,
    mut door: Door,
    request: &Request,
    signals: &mut Signals,
    show: &mut dyn FnMut(Frame),
) -> Result<Asked, Problem> {
    loop {
        let answer = tokio::select! {
            answer = door.ask(request, show) => answer,
            () = signals.came() => {
                let words = terminal!("interrupted: what runs may end; press ctrl-c again to stop it at once");
                scene.say.note(&words);
                door.interrupt(signals.came()).await?;
                return Ok(Asked::Interrupted);
            }
        };
        match answer {
            Ok(answer) => return Ok(Asked::Answer(answer, door)),
            // The disk is full, say: what can be read is shown all the same.
            Err(NoAnswer::Problem(problem))
                if scene.house.looks && problem.code == Code::StoreFailed && !door.is_to_copy() =>
            {
                leave(door, signals).await?;
                door = scene.house.open_to_look().await?;
            }
            Err(NoAnswer::Problem(problem)) => {
                leave(door, signals).await?;
                return Err(problem);
            }
            Err(NoAnswer::Gone) => {
                drop(door);
                door = scene.house.open().await?;
            }
        }
    }
}

/// Lets a run go on, shows how it does, prints its result, and goes.
pub(super) async fn through(
    scene: &Scene,
    door: Door,
    run: RunId,
    mut signals: Signals,
) -> Result<Exit, Problem> {
    let mut progress = Progress::new(&scene.say);
    let request = Request::See { run: run.clone(), live: progress.is_shown() };
    let mut show = |frame| {
        if let Frame::Live(live) = frame {
            progress.show(&live);
        }
    };
    let asked = ask(scene, door, &request, &mut signals, &mut show).await;
    progress.clear();
    match asked? {
        Asked::Answer(Answer::Report(report), door) => {
            let exit = print(scene, &report);
            leave(door, &mut signals).await?;
            Ok(exit)
        }
        Asked::Answer(other, _) => Err(other.mismatch()),
        Asked::Interrupted => {
            let command = scene.call.command(["resume", run.as_str()]);
            scene.say.note(&terminal!("interrupted: go on with `{}`", command));
            if scene.say.is_json() {
                print_as_left(scene, &run, &mut signals).await?;
            }
            Ok(Exit::Interrupted)
        }
    }
}

/// Prints a run as it was left: programs are promised a document, and what holds the store has let go of it.
async fn print_as_left(scene: &Scene, run: &RunId, signals: &mut Signals) -> Result<(), Problem> {
    let mut door = scene.house.open().await?;
    let request = Request::Report { run: run.to_string() };
    if let Ok(Answer::Report(report)) = door.ask(&request, &mut |_| {}).await {
        print(scene, &report);
    }
    leave(door, signals).await
}

/// Goes. If attempts for others have to be awaited, a signal ends that.
pub(super) async fn leave(door: Door, signals: &mut Signals) -> Result<(), Problem> {
    door.leave(signals.came()).await
}

/// Prints a run, and answers how a verb ends that saw it through.
pub(super) fn print(scene: &Scene, report: &RunReport) -> Exit {
    scene.say.result(report, |report| text::run(report, Some(&scene.call)));
    Exit::of_run(report)
}
