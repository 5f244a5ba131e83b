//! `reenact logs RUN [STEP]`: what programs say, while they say it. It is read from the run's folder, beside whoever drives the
//! run, and after whoever did.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::arguments::LogsArguments;
use super::see::{self, Exchange, Signals};
use super::text::lines::{damaged, ended, left_out, of_attempt, of_step, put_line};
use super::text::{Text, terminal};
use super::{Exit, Scene, say};
use crate::api::facade::unknown_run;
use crate::api::folder::is_store;
use crate::api::protocol::{Frame, Request, Response, Which};
use crate::events::ids::{RunId, StepId};
use crate::events::problem::{Code, Problem};
use crate::events::run::Purpose;
use crate::events::text::json_line;
use crate::executors::logs::Speaker;
use crate::executors::logs::line::{Ended, Entry, Head, Stream};
use crate::executors::logs::read::{Reader, Told};
use crate::views::presenters::transcript::AttemptReport;
use crate::workflow::work::Written;

/// How often it is looked for what came. Half of what people take for at once.
const LOOK: Duration = Duration::from_millis(25);

/// How much is put together before it is written.
const WRITTEN_BYTES: usize = 128 * 1024;

/// How much is held of what was said in attempts without a log.
const HELD_BYTES_MAX: usize = 64 * 1024 * 1024;

pub(super) async fn logs(scene: &Scene, arguments: LogsArguments) -> Result<Exit, Problem> {
    let LogsArguments { run, step, attempt, undo, follow } = arguments;
    if !is_store(&scene.house.data) {
        return Err(unknown_run(&run));
    }
    // Numbers are those of attempts at doing, as long as nobody says otherwise.
    let purpose = if undo { Some(Purpose::Compensate) } else { attempt.map(|_| Purpose::Do) };
    let which = Which { step: step.as_deref().map(StepId::grown), purpose, attempt };
    let mut signals = Signals::listen()?;
    let door = scene.open().await?;
    let mut unkept = Unkept::default();
    let request = Request::Logs { run, which: which.clone() };
    let asked = see::ask(scene, door, &request, &mut signals, &mut |frame| unkept.take(frame)).await?;
    let (run, mut door) = match asked {
        Exchange::Interrupted => return Ok(scene.left()),
        Exchange::Response(Response::Resolved(run), door) => (run, door),
        Exchange::Response(other, _) => return Err(other.mismatch()),
    };
    let mut reading = Reading::new(scene, &run, which.clone());
    let mut children = unkept.give(&mut reading.reader);
    if follow {
        let (rest, again) =
            (Request::Rest { run: run.clone() }, Request::Logs { run: format!("run/{run}"), which });
        let mut ignore = |_| {};
        let resting = see::ask(scene, door, &rest, &mut signals, &mut ignore);
        let (read, rested) = reading.until(scene, resting).await?;
        reading = read;
        door = match rested? {
            Exchange::Interrupted => return Ok(scene.left()),
            Exchange::Response(_, door) => door,
        };
        // Those that ended meanwhile may have had no log.
        let mut unkept = Unkept::default();
        match see::ask(scene, door, &again, &mut signals, &mut |frame| unkept.take(frame)).await? {
            Exchange::Interrupted => return Ok(scene.left()),
            Exchange::Response(_, then) => door = then,
        }
        children = unkept.give(&mut reading.reader);
    }
    let reading = reading.pass(true).await?;
    for (step, child) in children {
        let command = scene.call.command(["logs", &child]);
        scene.say.note(&terminal!("`{}` is done by a run of its own: {}", step, command));
    }
    scene.say.written(reading.wrote);
    see::leave(door, &mut signals).await?;
    Ok(Exit::Good)
}

/// What was said in attempts without a log.
#[derive(Default)]
struct Unkept {
    attempts: Vec<AttemptReport>,
    bytes: usize,
    /// The steps that runs of their own do, with those.
    children: Vec<(String, String)>,
}

impl Unkept {
    fn take(&mut self, frame: Frame) {
        let mut report = match frame {
            Frame::Attempt(report) => report,
            Frame::Event(line) => {
                let data = line.data.value();
                let text = |key: &str| data.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
                self.children.push((text("step"), text("run")));
                return;
            }
            _ => return,
        };
        let texts = [&report.stdout, &report.stdout_base64, &report.stderr, &report.stderr_base64];
        let bytes = texts.into_iter().flatten().map(String::len).sum::<usize>();
        if self.bytes + bytes > HELD_BYTES_MAX {
            // What is not held counts as not kept: its transcript can be looked at alone.
            report.stdout_cut = Some(report.stdout_cut.unwrap_or(0) + bytes as u64);
            (report.stdout, report.stdout_base64, report.stderr, report.stderr_base64) =
                (None, None, None, None);
        } else {
            self.bytes += bytes;
        }
        self.attempts.push(*report);
    }

    /// Gives what was said to a reader; answers which children there are.
    fn give(self, reader: &mut Reader) -> Vec<(String, String)> {
        for report in self.attempts {
            let (at, head) = (report.ended_at.unwrap_or(report.started_at), head(&report));
            reader.add(at, head, says(&report).into_iter().map(|entry| (at, entry)));
        }
        self.children
    }
}

fn head(report: &AttemptReport) -> Head {
    let speaker = Speaker {
        run: report.run.clone(),
        step: report.step.clone(),
        purpose: report.purpose,
        attempt: report.attempt,
        generation: report.generation,
        agent: report.agent.clone(),
    };
    Head { format: 0, speaker, part: 1, before: 0 }
}

/// What a transcript says, as a log would.
fn says(report: &AttemptReport) -> Vec<Entry> {
    let bytes = |text: &Option<String>, base64: &Option<String>| match (text, base64) {
        (Some(text), _) => text.clone().into_bytes(),
        (None, Some(base64)) => Written::Base64(base64.clone()).bytes().into_owned(),
        (None, None) => Vec::new(),
    };
    let lines = |stream, bytes: Vec<u8>| {
        let lines = bytes.split_inclusive(|byte| *byte == b'\n').map(|line| {
            let text = line.strip_suffix(b"\n").unwrap_or(line).to_vec();
            Entry::Said { stream, text, ends: true }
        });
        lines.collect::<Vec<_>>()
    };
    let duration = report.ended_at.map(|at| at.since(report.started_at)).unwrap_or_default();
    let ended = Ended {
        exit: report.exit_code,
        signal: report.signal,
        error: report.error.as_ref().map(|error| error.code.to_string()),
        duration_ms: u64::try_from(duration.as_millis()).unwrap_or(u64::MAX),
        artifacts: Vec::new(),
    };
    lines(Stream::Stdout, bytes(&report.stdout, &report.stdout_base64))
        .into_iter()
        .chain(report.stdout_cut.map(Entry::Cut))
        .chain(report.stderr_cut.map(Entry::Cut))
        .chain(lines(Stream::Stderr, bytes(&report.stderr, &report.stderr_base64)))
        .chain([Entry::Ended(ended)])
        .collect()
}

/// Reads logs and writes what they say to stdout, on a thread where that may take as long as it takes.
struct Reading {
    reader: Reader,
    writing: Writing,
    wrote: io::Result<()>,
}

/// How lines are written.
struct Writing {
    json: bool,
    /// Whether a line stands behind its step.
    prefixed: bool,
    text: String,
}

impl Reading {
    fn new(scene: &Scene, run: &RunId, which: Which) -> Self {
        let (json, prefixed) = (scene.say.is_json(), which.step.is_none());
        let writing = Writing { json, prefixed, text: String::new() };
        Self { reader: Reader::new(&scene.house.runs(), run, which), writing, wrote: Ok(()) }
    }

    /// Reads again and again, until something else is done.
    async fn until<T>(mut self, scene: &Scene, other: impl Future<Output = T>) -> Result<(Self, T), Problem> {
        tokio::pin!(other);
        loop {
            self = self.pass(false).await?;
            scene.say.written(std::mem::replace(&mut self.wrote, Ok(())));
            tokio::select! {
                biased;
                done = &mut other => return Ok((self, done)),
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    async fn pass(mut self, is_last: bool) -> Result<Self, Problem> {
        let read = move || {
            self.read(is_last);
            self
        };
        let read = tokio::task::spawn_blocking(read).await;
        read.map_err(|panic| Problem::new(Code::Internal, panic.to_string()))
    }

    fn read(&mut self, is_last: bool) {
        let Self { reader, writing, wrote } = self;
        let mut tell = |head: &Arc<Head>, told: Told| {
            if let Some(note) = writing.take(head, told) {
                writing.write(wrote);
                writing.note(&note);
            } else if writing.text.len() >= WRITTEN_BYTES {
                writing.write(wrote);
            }
        };
        let read = if is_last { reader.last(&mut tell) } else { reader.pass(&mut tell) };
        writing.write(wrote);
        if let Some(error) = read.err().filter(|_| is_last) {
            writing.note(&terminal!("the logs of the run cannot be read: {}", error));
        }
    }
}

impl Writing {
    /// Takes a line; answers what else there is to tell.
    fn take(&mut self, head: &Head, told: Told) -> Option<Text> {
        let Speaker { step, purpose, attempt, .. } = &head.speaker;
        let note = match told {
            Told::Line { at, stream, text } if self.json => {
                let text = String::from_utf8_lossy(&text);
                let line = json!({
                    "at": at, "step": step, "attempt": attempt, "purpose": purpose, "stream": stream, "text": text,
                });
                self.text.push_str(&json_line(&line.to_string()));
                self.text.push('\n');
                return None;
            }
            Told::Line { text, .. } => {
                let prefix = if self.prefixed { of_step(&[], step, *purpose) } else { Text::default() };
                put_line(&mut self.text, prefix.as_str(), &text);
                return None;
            }
            Told::LeftOut(bytes) => left_out(bytes),
            Told::Damaged(lines) => damaged(lines),
            Told::Ended(how) => ended(&how),
        };
        Some(terminal!("{}: {}", of_attempt(&[], step, *purpose, *attempt), note))
    }

    /// Tells a person something beside the lines. If that cannot be written there is nobody to tell.
    fn note(&self, note: &Text) {
        let _ = say::pour_err(format!("{}\n", note.as_str()).as_bytes());
    }

    /// Writes what was put together, unless nothing can be written any more.
    fn write(&mut self, wrote: &mut io::Result<()>) {
        if wrote.is_ok() {
            *wrote = say::pour_out(self.text.as_bytes());
        }
        self.text.clear();
    }
}
