//! What programs say, on stderr, while a run is seen through. A thread of its own writes it: a reader who has stopped reading,
//! as a pager does, stops that thread, and neither the run nor who else asks this process.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

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

/// How much is on its way to the thread that writes, in bytes. What this process itself hears is bounded before, by less;
/// from another process it comes as fast as it is read.
const WAY_BYTES_MAX: usize = 8 * 1024 * 1024;

/// How long a client waits for who reads what it writes, before it goes on without.
const PATIENCE: Duration = Duration::from_secs(2);

/// Shows what is heard.
pub(super) struct Shown {
    heard: Sender<Heard>,
    done: oneshot::Receiver<()>,
    way: Arc<Way>,
}

/// What is on its way to the thread that writes.
#[derive(Default)]
struct Way {
    state: Mutex<OnWay>,
    less: Condvar,
}

#[derive(Default)]
struct OnWay {
    bytes: usize,
    /// How many bytes were left out since it was told last.
    missed: u64,
    /// Whether nothing was written for long.
    is_stuck: bool,
}

impl Way {
    /// Takes so many bytes on the way, when there is room for them, and answers how many were left out before; none if there
    /// is no room for long.
    fn take(&self, bytes: usize) -> Option<u64> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let is_full = |state: &OnWay| state.bytes > 0 && state.bytes + bytes > WAY_BYTES_MAX;
        if is_full(&state) && !state.is_stuck {
            let waited = self.less.wait_timeout_while(state, PATIENCE, |state| is_full(state));
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        if is_full(&state) {
            state.is_stuck = true;
            state.missed += bytes as u64;
            return None;
        }
        state.bytes += bytes;
        Some(std::mem::take(&mut state.missed))
    }

    /// So many bytes are written.
    fn written(&self, bytes: usize) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        (state.bytes, state.is_stuck) = (state.bytes.saturating_sub(bytes), false);
        self.less.notify_all();
    }
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
        let (house, way) = (house.clone(), Arc::<Way>::default());
        let its_way = Arc::clone(&way);
        let write = move || {
            show_all(&house, &next, &its_way, names_runs);
            drop(end);
        };
        std::thread::Builder::new().name("shown".to_owned()).spawn(write).map_err(|error| {
            Problem::new(Code::Shortage, format!("the system has no threads left for this process: {error}"))
        })?;
        Ok(Some(Self { heard, done, way }))
    }

    /// Shows this, soon.
    pub(super) fn show(&self, mut heard: Heard) {
        if let Heard::Said(said) = &mut heard {
            let Some(missed) = self.way.take(said.bytes.len()) else { return };
            said.missed += missed;
        }
        // Without a thread there is no reader either.
        let _ = self.heard.send(heard);
    }

    /// Ends when all of it is written.
    pub(super) async fn finish(self) {
        drop(self.heard);
        let _ = self.done.await;
    }
}

fn show_all(house: &House, next: &Receiver<Heard>, way: &Way, names_runs: bool) {
    let (mut lines, mut page) = (Lines::default(), Page::default());
    while let Ok(first) = next.recv() {
        let (mut held, mut bytes) = (Vec::new(), 0);
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
                    bytes += said.bytes.len();
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
        way.written(bytes);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_reads_is_left_out_and_counted_and_it_goes_on_when_somebody_does() {
        let way = Way::default();
        assert_eq!(way.take(2 * WAY_BYTES_MAX), Some(0), "one piece is always taken");
        // The first has waited in vain, the others do not wait.
        assert_eq!((0..100).filter_map(|_| way.take(10)).count(), 0);
        way.written(2 * WAY_BYTES_MAX);
        assert_eq!((way.take(10), way.take(10)), (Some(1_000), Some(0)));
        std::thread::scope(|scope| {
            assert_eq!(way.take(WAY_BYTES_MAX - 20), Some(0));
            scope.spawn(|| way.written(WAY_BYTES_MAX));
            assert_eq!(way.take(10), Some(0), "who is slow is waited for");
        });
    }
}
