//! What programs say, on stderr, while a run is seen through. A thread of its own writes it: a reader who has stopped reading,
//! as a pager does, stops that thread, and neither the run nor who else asks this process.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use tokio::sync::oneshot;

use super::arguments::Show;
use super::say;
use super::text::lines::{Lines, damaged, ended, left_out, of_attempt, of_step, put_line};
use super::text::{Text, terminal};
use crate::api::house::House;
use crate::api::protocol::{Heard, Wants, Which};
use crate::events::ids::StepId;
use crate::events::problem::{Code, Problem};
use crate::executors::logs::Speaker;
use crate::executors::logs::line::{Ended, Head, Stream};
use crate::executors::logs::read::{Reader, Told};

/// How much is put together before it is written.
const WRITTEN_BYTES: usize = 128 * 1024;

/// Shows what is heard.
pub(super) struct Shown {
    heard: Sender<Heard>,
    done: oneshot::Receiver<()>,
}

impl Show {
    /// What has to be heard for that.
    pub(super) const fn wants(self) -> Option<Wants> {
        match self {
            Self::Prefixed => Some(Wants::Words),
            Self::Grouped => Some(Wants::Ends),
            Self::Live | Self::Quiet => None,
        }
    }
}

impl Shown {
    /// Begins to show what programs say; none where that is not shown. Of several runs each line names its own.
    ///
    /// # Errors
    /// [`Code::Shortage`] when there is no thread left to write it.
    pub(super) fn new(house: &House, show: Show, names_runs: bool) -> Result<Option<Self>, Problem> {
        if show.wants().is_none() {
            return Ok(None);
        }
        let ((heard, next), (end, done)) = (channel(), oneshot::channel::<()>());
        let house = house.clone();
        let write = move || {
            show_all(&house, &next, names_runs);
            drop(end);
        };
        std::thread::Builder::new().name("shown".to_owned()).spawn(write).map_err(|error| {
            Problem::new(Code::Shortage, format!("the system has no threads left for this process: {error}"))
        })?;
        Ok(Some(Self { heard, done }))
    }

    /// Shows this, soon.
    pub(super) fn show(&self, heard: Heard) {
        // Without a thread there is no reader either.
        let _ = self.heard.send(heard);
    }

    /// Ends when all of it is written.
    pub(super) async fn finish(self) {
        drop(self.heard);
        let _ = self.done.await;
    }
}

fn show_all(house: &House, next: &Receiver<Heard>, names_runs: bool) {
    let (mut lines, mut page) = (Lines::default(), Page::default());
    while let Ok(first) = next.recv() {
        let mut held = Vec::new();
        for heard in std::iter::once(first).chain(std::iter::from_fn(|| next.try_recv().ok())) {
            match heard {
                Heard::Said(said) => {
                    page.missed(said.missed);
                    let Speaker { run, step, purpose, attempt, .. } = &*said.speaker;
                    let source = (run.clone(), step.clone(), *purpose, *attempt, said.stream);
                    let prefix = of_way(&said.speaker, &said.way, names_runs);
                    lines.take(source, prefix.as_str(), &said.bytes, &mut page.text);
                    // It counts as on its way until it is written.
                    held.push(said.credit);
                }
                Heard::Ended { speaker, way, ended, missed, said, block } => {
                    page.missed(missed);
                    let Speaker { run, step, purpose, attempt, .. } = &*speaker;
                    if block && said {
                        let name =
                            of_run(&speaker, names_runs).and(of_attempt(&way, step, *purpose, *attempt));
                        page.block(house, &speaker, &name, &ended);
                    } else if !block {
                        let prefix = of_way(&speaker, &way, names_runs);
                        for stream in [Stream::Stdout, Stream::Stderr] {
                            let source = (run.clone(), step.clone(), *purpose, *attempt, stream);
                            lines.end(&source, prefix.as_str(), &mut page.text);
                        }
                    }
                }
            }
            if page.text.len() >= WRITTEN_BYTES {
                break;
            }
        }
        page.write();
    }
}

/// The run of a line, where it has to be named.
fn of_run(speaker: &Speaker, names_runs: bool) -> Text {
    if names_runs { terminal!("{} ", speaker.run) } else { Text::default() }
}

/// What stands before a line.
fn of_way(speaker: &Speaker, way: &[StepId], names_runs: bool) -> Text {
    of_run(speaker, names_runs).and(of_step(way, &speaker.step, speaker.purpose))
}

/// What is to be written next.
#[derive(Default)]
struct Page {
    text: String,
    /// Whether nobody reads it any more.
    is_unread: bool,
}

impl Page {
    /// Writes it. Who reads no more wants no more, and the run goes on.
    fn write(&mut self) {
        self.is_unread = self.is_unread || say::pour_err(self.text.as_bytes()).is_err();
        self.text.clear();
    }

    fn line(&mut self, line: &Text) {
        self.text.push_str(line.as_str());
        self.text.push('\n');
    }

    fn missed(&mut self, bytes: u64) {
        if bytes > 0 {
            self.line(&terminal!("… {} bytes are left out: nobody read them", bytes));
        }
    }

    /// What an attempt said, of which its log is whole by now.
    fn block(&mut self, house: &House, speaker: &Speaker, name: &Text, end: &Ended) {
        let Speaker { run, step, purpose, attempt, .. } = speaker;
        let which = Which { step: Some(step.clone()), purpose: Some(*purpose), attempt: Some(*attempt) };
        let mut reader = Reader::new(&house.runs(), run, which);
        self.line(&terminal!("── {}: {}", name, ended(end)));
        let mut is_kept = false;
        let mut tell = |_: &Arc<Head>, told: Told| {
            is_kept = true;
            match told {
                Told::Line { text, .. } => put_line(&mut self.text, "", &text),
                Told::LeftOut(bytes) => self.line(&left_out(bytes)),
                Told::Damaged(lines) => self.line(&damaged(lines)),
                Told::Ended(_) => {}
            }
            if self.text.len() >= WRITTEN_BYTES {
                self.write();
            }
        };
        // What cannot be read of it is kept in the transcript.
        let _ = reader.last(&mut tell);
        if !is_kept {
            self.line(&terminal!("… its log cannot be read, and its transcript has what it said"));
        }
    }
}
