//! Seeing a run through, whoever holds the store: if its holder goes, the door is opened again and the run goes on.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::arguments::Show;
use super::happens::Happens;
use super::progress::ProgressLines;
use super::reader;
use super::shown::Shown;
use super::text::colour::Tone;
use super::text::{self, terminal};
use super::{Exit, Scene};
use crate::aggregates::run::RunStatus;
use crate::api::door::{Door, NoAnswer};
use crate::api::patience::{ASKED_LONG, Patience};
use crate::api::protocol::{Frame, Request, Response, Tells, Told, WhichEvents};
use crate::events::ids::{RunId, StreamId};
use crate::events::problem::{Code, Problem};
use crate::views::presenters::report::RunReport;

/// SIGINT, SIGTERM, and SIGHUP where whoever started this process did not ask to ignore it, as `nohup` does.
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Option<Signal>,
}

impl Signals {
    pub(super) fn listen() -> Result<Self, Problem> {
        let failed = |error: std::io::Error| Problem::new(Code::Internal, format!("signals: {error}"));
        let hang_up = (!reader::ignores_hang_up()).then(|| signal(SignalKind::hangup()));
        Ok(Self {
            interrupt: signal(SignalKind::interrupt()).map_err(failed)?,
            terminate: signal(SignalKind::terminate()).map_err(failed)?,
            hang_up: hang_up.transpose().map_err(failed)?,
        })
    }

    /// Ends when one came.
    pub(super) async fn came(&mut self) {
        let Self { interrupt, terminate, hang_up } = self;
        let hung_up = async {
            match hang_up {
                Some(hang_up) => drop(hang_up.recv().await),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            () = hung_up => {}
        }
    }
}

/// After so many pauses a person is told what is waited for.
const TOLD_AFTER: u32 = 10;

/// How often it is looked whether a process that was asked answers anybody. It is so quick that nobody notices.
const LISTENED_EVERY: Duration = Duration::from_secs(2);

/// The result of a question to whoever holds the store.
pub(super) enum Exchange {
    /// The answer, and the door to ask more.
    Response(Response, Door),
    /// A signal came, or nobody got any more what was told meanwhile; the store was let go of.
    Interrupted,
}

/// Asks until somebody answers, opening the door as often as its holder goes. A signal ends it; where something is followed,
/// so does that nobody gets any more what is told of it.
pub(super) async fn ask(
    scene: &Scene,
    mut door: Door,
    request: &Request,
    signals: &mut Signals,
    show: &mut dyn FnMut(Frame),
) -> Result<Exchange, Problem> {
    let mut patience = Patience::default();
    loop {
        let (since, mut shown) = (Instant::now(), false);
        let is_there = matches!(door, Door::There(_));
        let mut show = |frame| {
            shown = true;
            show(frame);
        };
        let answer = tokio::select! {
            answer = door.ask(request, &mut show) => answer,
            () = signals.came() => {
                // Who only looks at what another process holds has nothing to let go of.
                if !(scene.house.looks && is_there) {
                    let_go(scene, door, signals).await?;
                }
                return Ok(Exchange::Interrupted);
            }
            () = unheard(scene, request) => {
                leave(door, signals).await?;
                return Ok(Exchange::Interrupted);
            }
            never = tell_of_silence(scene), if is_there => match never {},
        };
        match answer {
            Ok(answer) => return Ok(Exchange::Response(answer, door)),
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
            Err(again) => {
                if shown || since.elapsed() >= ASKED_LONG {
                    patience = Patience::default();
                }
                let hung_up = matches!(again, NoAnswer::Gone);
                match reopen(scene, door, &mut patience, hung_up, signals).await? {
                    Some(next) => door = next,
                    None => return Ok(Exchange::Interrupted),
                }
            }
        }
    }
}

/// The answer to one question, after which nothing more is asked. None when a signal came.
pub(super) async fn answer(
    scene: &Scene,
    request: &Request,
    show: &mut dyn FnMut(Frame),
) -> Result<Option<Response>, Problem> {
    let mut signals = Signals::listen()?;
    let door = scene.open().await?;
    match ask(scene, door, request, &mut signals, show).await? {
        Exchange::Interrupted => Ok(None),
        Exchange::Response(response, door) => {
            leave(door, &mut signals).await?;
            Ok(Some(response))
        }
    }
}

/// Lets go after a signal of what was asked for. What another process drives it goes on with, if anybody else wants that.
async fn let_go(scene: &Scene, door: Door, signals: &mut Signals) -> Result<(), Problem> {
    if !scene.house.looks {
        let words = match &door {
            Door::Here(_) => "interrupted: what runs may end; press ctrl-c again to stop it at once",
            Door::There(_) => "interrupted: letting go of it; press ctrl-c again to leave at once",
        };
        scene.say.note(&Tone::Warning.of(&terminal!("{}", words)));
    }
    door.interrupt(signals.came()).await
}

/// The process that goes on with a run of which this one has let go; none if nobody is known to.
async fn driver(scene: &Scene, run: &RunId, signals: &mut Signals) -> Option<i32> {
    let asked = async {
        let mut door = Door::There(scene.house.connect_in_time().await.ok()?);
        let request = Request::Report { run: StreamId::of_run(run).to_string() };
        let Ok(Response::Report(report)) = door.ask(&request, &mut |_| {}).await else { return None };
        let goes_on = matches!(report.status, RunStatus::Running | RunStatus::Compensating);
        door.holder().filter(|_| goes_on && report.driven == Some(true))
    };
    tokio::select! {
        driver = asked => driver,
        () = signals.came() => None,
    }
}

/// Says when another process, which was asked, answers nobody any more: it may have been stopped. Others may still be told
/// something by it, so it is gone on.
pub(super) async fn tell_of_silence(scene: &Scene) -> Infallible {
    let mut is_silent = false;
    loop {
        tokio::time::sleep(LISTENED_EVERY).await;
        match scene.house.connect_in_time().await {
            Err(NoAnswer::Problem(problem)) if problem.code == Code::StoreHeld => {
                if !std::mem::replace(&mut is_silent, true) {
                    scene.say.warnings(&[problem]);
                }
            }
            _ => is_silent = false,
        }
    }
}

/// Opens the door again, whose holder goes, or of which only a copy was seen. None when a signal came.
async fn reopen(
    scene: &Scene,
    door: Door,
    patience: &mut Patience,
    hung_up: bool,
    signals: &mut Signals,
) -> Result<Option<Door>, Problem> {
    tracing::debug!(pid = door.holder(), "the process that holds the store goes: the door is opened again");
    let pause = patience.again(door.holder(), hung_up)?;
    if door.is_to_copy() {
        leave(door, signals).await?;
    } else {
        drop(door);
    }
    if patience.asked() == TOLD_AFTER {
        scene.say.note(&terminal!("waiting for the process that holds the store, which is ending"));
    }
    if let Some(pause) = pause {
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = signals.came() => return Ok(None),
        }
    }
    scene.house.open().await.map(Some)
}

/// Ends when nobody gets any more what is told of something that is followed.
async fn unheard(scene: &Scene, request: &Request) {
    match request {
        // Whoever reads nothing may still want to know how it ends, by the exit code.
        Request::Watch { .. } => scene.say.unheard(false).await,
        Request::History { which: WhichEvents { follow: true, .. }, .. } | Request::Rest { .. } => {
            scene.say.unheard(true).await;
        }
        _ => std::future::pending().await,
    }
}

/// Lets a run go on, shows how it does, as `show` says, prints its result, and goes. What happens is told from `told` on.
pub(super) async fn through(
    scene: &Scene,
    door: Door,
    run: RunId,
    (told, show): (Told, Show),
    mut signals: Signals,
) -> Result<Exit, Problem> {
    let mut progress = ProgressLines::new(&scene.say, show);
    let live = progress.is_shown();
    let shown = Shown::new(&scene.house, show, false)?;
    let tells = if show == Show::Live && !live { Tells::Everything } else { Tells::Lesser };
    let warns = scene.house.config.run.warn_on_fallback && show != Show::Quiet;
    let mut happens = Happens::new(&scene.say, &run, tells, warns);
    let told = happens.as_ref().map(|_| told);
    let request = Request::See { run: run.clone(), live, told, tells, hears: show.wants() };
    let mut show = |frame| match frame {
        Frame::Live(live) => progress.show(live),
        Frame::Event(line) => {
            if let Some(happens) = &mut happens {
                happens.tell(&line);
            }
        }
        Frame::Heard(heard) => {
            if let Some(shown) = &shown {
                shown.show(*heard);
            }
        }
        _ => {}
    };
    let asked = ask(scene, door, &request, &mut signals, &mut show).await;
    progress.clear();
    if let Some(shown) = shown {
        shown.finish().await;
    }
    match asked? {
        Exchange::Response(Response::Report(report), door) => {
            let exit = print(scene, &report);
            leave(door, &mut signals).await?;
            Ok(exit)
        }
        Exchange::Response(other, _) => Err(other.mismatch()),
        Exchange::Interrupted => left(scene, &run, &mut signals).await,
    }
}

/// Says how a run goes on of which this process has let go. It prints it where programs are promised a document.
pub(super) async fn left(scene: &Scene, run: &RunId, signals: &mut Signals) -> Result<Exit, Problem> {
    let command = scene.call.command(["resume", run.as_str()]);
    match driver(scene, run, signals).await {
        Some(driver) => {
            scene.say.note(&terminal!("process {} goes on with it; see it again with `{}`", driver, command));
        }
        None => {
            let interrupted = Tone::Warning.of(&terminal!("interrupted:"));
            scene.say.note(&terminal!("{} go on with `{}`", interrupted, command));
        }
    }
    if scene.say.is_json() {
        print_as_left(scene, run, signals).await?;
    }
    Ok(Exit::Interrupted)
}

/// The same of a run that was about to begin, or to be found: whether it is there is not known before the store is asked.
pub(super) async fn left_at_start(
    scene: &Scene,
    run: String,
    signals: &mut Signals,
) -> Result<Exit, Problem> {
    let mut door = scene.house.open().await?;
    let request = Request::Report { run };
    let mut unheard = |_| {};
    let there = tokio::select! {
        answer = door.ask(&request, &mut unheard) => match answer {
            Ok(Response::Report(report)) => Some(report.run),
            _ => None,
        },
        () = signals.came() => return Ok(Exit::Interrupted),
    };
    leave(door, signals).await?;
    if let Some(run) = there {
        return left(scene, &run, signals).await;
    }
    scene.say.note(&Tone::Warning.of(&terminal!("interrupted: nothing was started")));
    Ok(Exit::Interrupted)
}

/// Says which files of a run have changed since it began. None when a signal came.
pub(super) async fn tell_of_changes(
    scene: &Scene,
    door: Door,
    run: &RunId,
    signals: &mut Signals,
) -> Result<Option<Door>, Problem> {
    let request = Request::Report { run: StreamId::of_run(run).to_string() };
    match ask(scene, door, &request, signals, &mut |_| {}).await? {
        Exchange::Response(Response::Report(report), door) => {
            if let Some(words) = text::changed(&report, Some(&scene.call)) {
                scene.say.note(&words);
            }
            Ok(Some(door))
        }
        Exchange::Response(other, _) => Err(other.mismatch()),
        Exchange::Interrupted => Ok(None),
    }
}

/// Prints a run as it was left: programs are promised a document, and what holds the store has let go of it.
async fn print_as_left(scene: &Scene, run: &RunId, signals: &mut Signals) -> Result<(), Problem> {
    let mut door = scene.house.open().await?;
    let request = Request::Report { run: run.to_string() };
    if let Ok(Response::Report(report)) = door.ask(&request, &mut |_| {}).await {
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
    scene.say.result(report, |report| text::run(report, scene.steps, Some(&scene.call)));
    Exit::of_run(report)
}
