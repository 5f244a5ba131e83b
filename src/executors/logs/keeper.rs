//! Keeps logs: one thread writes all of them, so that no attempt waits for a disk.
//!
//! A log has two files at most: the one that is written, and the one before it. When a file is full it takes the place of
//! the older one, so the end of what was said is always there. What comes faster than it is written is left out, the oldest
//! first, and the log says how much.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::fs;
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::line::{self, Ended, Entry, Head, Stream};
use super::{FOLDER, Speaker, file_name, old_name};
use crate::events::time::Timestamp;
use crate::executors::mask::Masks;
use crate::files;

/// How long a file may be: a log has two of them.
pub(super) const FILE_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// How much of a log waits to be written.
const QUEUE_BYTES_MAX: usize = 512 * 1024;

/// How much of all logs waits to be written.
const QUEUES_BYTES_MAX: usize = 4 * 1024 * 1024;

/// No piece is longer: one line is formatted at a time.
const PIECE_BYTES_MAX: usize = 64 * 1024;

/// What comes within so long, in µs, is written as one, with one time.
const PIECE_MICROS: i64 = 1_000;

/// The pause after something was written, so that who writes byte by byte costs no more than who writes line by line.
const PAUSE: Duration = Duration::from_millis(2);

/// The pause after much was written: nobody reads so fast, and the rest of the machine has other work.
const LONG_PAUSE: Duration = Duration::from_millis(20);

/// From there on it was much.
const MUCH_BYTES: usize = QUEUE_BYTES_MAX / 2;

/// The thread that writes, and the logs that wait for it.
#[derive(Debug)]
pub(super) struct Keeper(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// The folder with a folder for each run.
    runs: PathBuf,
    waiting: Mutex<Waiting>,
    woken: Condvar,
    /// How many bytes of all logs wait.
    bytes: AtomicUsize,
    /// Whether it was told that a log cannot be written.
    has_warned: AtomicBool,
}

#[derive(Debug, Default)]
struct Waiting {
    logs: Vec<Arc<Log>>,
    /// Whether somebody waits for what he has in there.
    urgent: bool,
    has_thread: bool,
    closed: bool,
}

/// The log of one attempt.
#[derive(Debug)]
pub(super) struct Log {
    speaker: Arc<Speaker>,
    queue: Mutex<Queue>,
    /// Only the thread that writes takes it.
    file: Mutex<Place>,
}

/// What of a log waits to be written.
#[derive(Debug, Default)]
struct Queue {
    pieces: VecDeque<Piece>,
    bytes: usize,
    /// How many bytes before those are left out, and when the last of them came.
    cut: Option<(Timestamp, u64)>,
    /// Whether the thread knows of it.
    is_waiting: bool,
    end: Option<End>,
}

#[derive(Debug)]
struct Piece {
    at: Timestamp,
    stream: Stream,
    bytes: Vec<u8>,
}

#[derive(Debug)]
struct End {
    at: Timestamp,
    ended: Ended,
    /// What the program named to be masked while it wrote: what it had said before is masked then.
    named: Option<Masks>,
    /// Told, by being dropped, when it is written.
    _written: oneshot::Sender<()>,
}

/// Where in its files a log is.
#[derive(Debug, Default)]
struct Place {
    /// The number of the file that is written; 0 before there is one.
    part: u64,
    bytes: u64,
    /// How much the program had said by there.
    said: u64,
    /// Whether something was written that may have no end.
    is_torn: bool,
}

impl Keeper {
    pub(super) fn new(runs: PathBuf) -> Self {
        Self(Arc::new(Shared {
            runs,
            waiting: Mutex::default(),
            woken: Condvar::new(),
            bytes: AtomicUsize::new(0),
            has_warned: AtomicBool::new(false),
        }))
    }

    /// The log of an attempt, of which nothing is there yet.
    pub(super) fn log(&self, speaker: Arc<Speaker>) -> Arc<Log> {
        Arc::new(Log { speaker, queue: Mutex::default(), file: Mutex::default() })
    }

    /// Takes what was said, to be written soon.
    pub(super) fn say(&self, log: &Arc<Log>, at: Timestamp, stream: Stream, bytes: &[u8]) {
        let mut queue = lock(&log.queue);
        for bytes in bytes.chunks(PIECE_BYTES_MAX) {
            while queue.bytes + bytes.len() > QUEUE_BYTES_MAX
                || self.0.bytes.load(Ordering::Relaxed) + bytes.len() > QUEUES_BYTES_MAX
            {
                if !queue.leave_out(&self.0.bytes) {
                    break;
                }
            }
            if self.0.bytes.load(Ordering::Relaxed) + bytes.len() > QUEUES_BYTES_MAX {
                // Others have taken all of it.
                let cut = queue.cut.map_or(0, |(_, cut)| cut);
                queue.cut = Some((at, cut + bytes.len() as u64));
                continue;
            }
            self.0.bytes.fetch_add(bytes.len(), Ordering::Relaxed);
            queue.bytes += bytes.len();
            match queue.pieces.back_mut() {
                Some(last)
                    if last.stream == stream
                        && at.0 - last.at.0 < PIECE_MICROS
                        && last.bytes.len() + bytes.len() <= PIECE_BYTES_MAX =>
                {
                    last.bytes.extend_from_slice(bytes);
                }
                _ => queue.pieces.push_back(Piece { at, stream, bytes: bytes.to_vec() }),
            }
        }
        self.wake(log, &mut queue, false);
    }

    /// The attempt has ended. What it answers ends when all of the log is written.
    pub(super) fn end(
        &self,
        log: &Arc<Log>,
        at: Timestamp,
        ended: Ended,
        named: Option<Masks>,
    ) -> oneshot::Receiver<()> {
        let (written, told) = oneshot::channel();
        let mut queue = lock(&log.queue);
        queue.end = Some(End { at, ended, named, _written: written });
        self.wake(log, &mut queue, true);
        told
    }

    /// Whether all that was said is written.
    #[cfg(test)]
    pub(super) fn is_idle(&self) -> bool {
        self.0.bytes.load(Ordering::Acquire) == 0
    }

    fn wake(&self, log: &Arc<Log>, queue: &mut Queue, urgent: bool) {
        if std::mem::replace(&mut queue.is_waiting, true) && !urgent {
            return;
        }
        let mut waiting = lock(&self.0.waiting);
        if !waiting.logs.iter().any(|other| Arc::ptr_eq(other, log)) {
            waiting.logs.push(Arc::clone(log));
        }
        waiting.urgent |= urgent;
        if !waiting.has_thread {
            let shared = Arc::clone(&self.0);
            let made = std::thread::Builder::new().name("logs".to_owned()).spawn(move || shared.write_all());
            match made {
                Ok(_) => waiting.has_thread = true,
                // The next one that has something to say tries again.
                Err(error) => self.0.warn(&log.speaker, &error),
            }
        }
        self.0.woken.notify_one();
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        lock(&self.0.waiting).closed = true;
        self.0.woken.notify_one();
    }
}

impl Queue {
    /// Leaves out the oldest piece that waits, if there is one.
    fn leave_out(&mut self, all: &AtomicUsize) -> bool {
        let Some(piece) = self.pieces.pop_front() else { return false };
        let bytes = piece.bytes.len();
        self.bytes -= bytes;
        all.fetch_sub(bytes, Ordering::Relaxed);
        let cut = self.cut.map_or(0, |(_, cut)| cut);
        self.cut = Some((piece.at, cut + bytes as u64));
        true
    }
}

impl Shared {
    /// Writes what there is to write, until nobody has anything to write any more.
    fn write_all(&self) {
        let mut text = Vec::new();
        loop {
            let logs = {
                let mut waiting = lock(&self.waiting);
                while waiting.logs.is_empty() {
                    if waiting.closed {
                        return;
                    }
                    waiting = self.woken.wait(waiting).unwrap_or_else(PoisonError::into_inner);
                }
                waiting.urgent = false;
                std::mem::take(&mut waiting.logs)
            };
            let written: usize = logs.iter().map(|log| self.write(log, &mut text)).sum();
            self.pause(if written >= MUCH_BYTES { LONG_PAUSE } else { PAUSE });
        }
    }

    /// Lets more come together, unless somebody waits.
    fn pause(&self, length: Duration) {
        let until = Instant::now() + length;
        let mut waiting = lock(&self.waiting);
        while !waiting.urgent && !waiting.closed {
            let Some(left) = until.checked_duration_since(Instant::now()) else { return };
            let woken = self.woken.wait_timeout(waiting, left).unwrap_or_else(PoisonError::into_inner);
            waiting = woken.0;
        }
    }

    /// Writes what waits of a log; answers how many bytes the program had said.
    fn write(&self, log: &Log, text: &mut Vec<u8>) -> usize {
        let mut place = lock(&log.file);
        let (pieces, cut, end) = {
            let mut queue = lock(&log.queue);
            queue.is_waiting = false;
            queue.bytes = 0;
            (std::mem::take(&mut queue.pieces), queue.cut.take(), queue.end.take())
        };
        let said: usize = pieces.iter().map(|piece| piece.bytes.len()).sum();
        text.clear();
        if let Some((at, cut)) = cut {
            line::put(text, at, &Entry::Cut(cut));
        }
        for Piece { at, stream, bytes } in &pieces {
            line::put_said(text, *at, *stream, bytes);
        }
        if let Some(End { at, ended, .. }) = &end {
            line::put(text, *at, &Entry::Ended(ended.clone()));
        }
        let at = pieces.front().map(|piece| piece.at).or_else(|| end.as_ref().map(|end| end.at));
        let at = at.unwrap_or_else(super::super::now);
        if let Err(error) = self.append(&log.speaker, &mut place, at, text) {
            place.is_torn = true;
            let lost = said as u64 + cut.map_or(0, |(_, cut)| cut);
            let mut queue = lock(&log.queue);
            let later = queue.cut.map_or(0, |(_, cut)| cut);
            queue.cut = Some((at, lost + later));
            self.warn(&log.speaker, &error);
        } else {
            place.said += said as u64 + cut.map_or(0, |(_, cut)| cut);
        }
        if let Some(named) = end.as_ref().and_then(|end| end.named.as_ref())
            && let Err(error) = self.mask(&log.speaker, named)
        {
            self.warn(&log.speaker, &error);
        }
        self.bytes.fetch_sub(said, Ordering::Release);
        said
    }

    fn append(&self, speaker: &Speaker, place: &mut Place, at: Timestamp, text: &[u8]) -> io::Result<()> {
        let name = file_name(&speaker.step, speaker.purpose, speaker.attempt);
        let folder = self.folder(speaker, place.bytes == 0)?;
        let path = folder.join(&name);
        let old = folder.join(old_name(&name));
        if place.part == 0 {
            // An older copy of the store had another attempt with this number, say.
            files::if_there(fs::remove_file(&old))?;
        } else if place.bytes + text.len() as u64 > FILE_BYTES_MAX {
            files::if_there(fs::rename(&path, &old))?;
            place.bytes = 0;
        }
        let mut head = Vec::new();
        let mut file = if place.bytes == 0 {
            line::put(&mut head, at, &Entry::Head(Head::of(speaker, place.part + 1, place.said)));
            let file = files::create(&path)?;
            place.part += 1;
            file
        } else {
            if place.is_torn {
                // What was not written to its end is a line of its own.
                head.push(b'\n');
            }
            files::append(&path)?
        };
        file.write_all(&head)?;
        file.write_all(text)?;
        place.is_torn = false;
        place.bytes += (head.len() + text.len()) as u64;
        Ok(())
    }

    /// Masks what is written of a log, of which the values were not known when it was.
    fn mask(&self, speaker: &Speaker, named: &Masks) -> io::Result<()> {
        let name = file_name(&speaker.step, speaker.purpose, speaker.attempt);
        let folder = self.folder(speaker, false)?;
        for path in [folder.join(old_name(&name)), folder.join(&name)] {
            let mut bytes = Vec::new();
            match files::read(&path) {
                Ok(mut file) => file.read_to_end(&mut bytes)?,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            if let Cow::Owned(masked) = named.bytes(&bytes) {
                files::replace(&path, &masked)?;
            }
        }
        Ok(())
    }

    /// The folder of the logs of a run. A data folder that is gone is not made again.
    fn folder(&self, speaker: &Speaker, make: bool) -> io::Result<PathBuf> {
        let run = self.runs.join(speaker.run.as_str());
        let folder = run.join(FOLDER);
        if make {
            [&self.runs, &run, &folder].into_iter().try_for_each(|folder: &PathBuf| files::folder(folder))?;
        }
        Ok(folder)
    }

    /// Says once that a log cannot be written: that the disk is full is no news for each line of each program.
    fn warn(&self, speaker: &Speaker, error: &io::Error) {
        if !self.has_warned.swap(true, Ordering::Relaxed) {
            let (run, step) = (&speaker.run, &speaker.step);
            tracing::warn!(%run, %step, %error, "what programs say cannot be kept while they say it");
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
