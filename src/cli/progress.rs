//! What runs, line by line, on a terminal: as many lines as fit, each as long as fits.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use super::arguments::Show;
use super::region::Size;
use super::say::{LiveArea, Say};
use super::text::colour::Tone;
use super::text::terminal::fitted;
use super::text::{Text, name, terminal};
use crate::api::protocol::{Live, LiveAttempt};
use crate::events::time::{Timestamp, format_duration};

/// How often lines are drawn at most: as often as one can be read.
const EVERY: Duration = Duration::from_millis(200);

/// How many bytes a second are drawn, on average: steps that last no longer than a glance are not worth more, and a
/// terminal may be far away.
const BYTES_PER_SECOND: u32 = 2_500;

/// How many attempts have a line of their own at most: more are not looked at one by one.
const ATTEMPTS_MAX: usize = 32;

/// The columns in which no name is shown whole: of a narrower terminal it takes at most half.
const NAME_COLUMNS_MIN: usize = 12;

/// A line for each attempt that runs, and one for all of it.
pub(super) struct ProgressLines {
    renderer: Option<Renderer>,
}

impl ProgressLines {
    /// Lines on stderr, if that is a terminal and a person wants them.
    pub(super) fn new(say: &Say, show: Show) -> Self {
        let area = say.live_area().filter(|_| show == Show::Live);
        Self { renderer: area.and_then(Renderer::start) }
    }

    /// Whether anybody sees it.
    pub(super) const fn is_shown(&self) -> bool {
        self.renderer.is_some()
    }

    /// Shows how far a run is.
    pub(super) fn show(&mut self, live: Live) {
        if let Some(renderer) = &self.renderer {
            renderer.latest.lock().live = Some(live);
        }
    }

    /// Takes all lines away.
    pub(super) fn clear(&mut self) {
        self.renderer = None;
    }
}

/// The thread that draws: clocks move on though nothing was sent, and a terminal that takes its time keeps nobody waiting.
struct Renderer {
    latest: Arc<Latest>,
    area: LiveArea,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Latest {
    state: Mutex<State>,
    over: Condvar,
}

/// What is to be drawn.
#[derive(Default)]
struct State {
    live: Option<Live>,
    is_over: bool,
}

impl Latest {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Renderer {
    /// None without a thread for it: the run goes on all the same.
    fn start(area: LiveArea) -> Option<Self> {
        let latest = Arc::<Latest>::default();
        let (its_latest, its_area) = (Arc::clone(&latest), area.clone());
        let render = move || render(&its_latest, &its_area);
        let thread = std::thread::Builder::new().name("progress".to_owned()).spawn(render).ok()?;
        Some(Self { latest, area, thread: Some(thread) })
    }
}

impl Drop for Renderer {
    fn drop(&mut self) {
        self.latest.lock().is_over = true;
        self.latest.over.notify_all();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        self.area.clear();
    }
}

fn render(latest: &Latest, area: &LiveArea) {
    let began = Instant::now();
    let mut pause = EVERY;
    loop {
        let waited = latest.over.wait_timeout_while(latest.lock(), pause, |state| !state.is_over);
        let state = waited.unwrap_or_else(PoisonError::into_inner).0;
        if state.is_over {
            return;
        }
        let live = state.live.clone();
        drop(state);
        if let Some(live) = live {
            let size = area.size();
            let bytes = area.draw(&view(&live, now(), began.elapsed(), size), size);
            pause = EVERY
                .max(Duration::from_secs(1) * u32::try_from(bytes).unwrap_or(u32::MAX) / BYTES_PER_SECOND);
        }
    }
}

/// The wall clock, by which it is told since when something runs.
fn now() -> Timestamp {
    let since = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

/// The lines for a terminal of that size; the last says how far all of it is.
fn view(live: &Live, now: Timestamp, seen: Duration, size: Size) -> Vec<Text> {
    let room = size.lines().saturating_sub(1).min(ATTEMPTS_MAX);
    let fits = live.running.len() <= room;
    let shown = live.running.get(..if fits { room } else { room.saturating_sub(1) }).unwrap_or(&live.running);
    let columns = |of: fn(&LiveAttempt) -> Text| shown.iter().map(|attempt| of(attempt).width()).max();
    let names = columns(what).unwrap_or(0).min((size.width() / 2).max(NAME_COLUMNS_MIN));
    let clocks = shown.iter().map(|attempt| clock(now.since(attempt.since)).width()).max().unwrap_or(0);
    let mut lines: Vec<Text> = shown.iter().map(|attempt| line(attempt, now, names, clocks)).collect();
    let left = live.running.len() - shown.len();
    if left > 0 && room > 0 {
        lines.push(Tone::Minor.of(&terminal!("  +{} more", left)));
    }
    lines.push(sum(live, now, seen));
    lines.iter().map(|line| fitted(line, size.width())).collect()
}

/// An attempt: the step, since when, how far it says that it is, and who makes it.
fn line(attempt: &LiveAttempt, now: Timestamp, names: usize, clocks: usize) -> Text {
    let clock = clock(now.since(attempt.since));
    let margin = " ".repeat(clocks.saturating_sub(clock.width()));
    let who = match attempt.attempt {
        1 => terminal!("  {}", name(attempt.agent.as_str())),
        again => terminal!("  {}, attempt {}", name(attempt.agent.as_str()), again),
    };
    Tone::Active
        .of(&terminal!("{} ", if attempt.undoes { '◂' } else { '▸' }))
        .and(fitted(&what(attempt), names).padded(names))
        .and(terminal!("  {}{}", margin, clock))
        .and(how_far(attempt))
        .and(Tone::Minor.of(&who))
}

fn what(attempt: &LiveAttempt) -> Text {
    let undo = if attempt.undoes { "undo " } else { "" };
    terminal!("{}{}", undo, name(attempt.step.as_str()))
}

fn how_far(attempt: &LiveAttempt) -> Text {
    if attempt.percent == 0 && attempt.text.is_empty() {
        return Text::default();
    }
    terminal!("  {}% {}", attempt.percent, name(&attempt.text)).trimmed()
}

/// How far all of it is.
fn sum(live: &Live, now: Timestamp, seen: Duration) -> Text {
    let done = terminal!("{} of {} steps done", live.done, live.total);
    let done = if live.done > 0 { Tone::Good.of(&done) } else { done };
    let running = match live.running.len() {
        0 => Text::default(),
        running => terminal!(", {} running", running),
    };
    let wakes = live.wakes_at.map(|at| terminal!(", goes on in {}", clock(at.since(now))));
    done.and(running).and(wakes).and(Tone::Minor.of(&terminal!("  {}", clock(seen))))
}

/// A length of time in whole seconds.
fn clock(length: Duration) -> Text {
    terminal!("{}", format_duration(Duration::from_secs(length.as_secs())))
}
