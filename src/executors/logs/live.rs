//! Who listens to what programs say. A listener who reads more slowly than a program writes is waited for, as it is where one
//! program's output is another's input; one who takes nothing for long is not, and is told how much was left out.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::Speaker;
use super::line::{Ended, Stream};
use crate::events::ids::{RunId, StepId};
use crate::events::time::Timestamp;

/// How much may be on its way to one listener, in bytes.
const WAY_BYTES_MAX: usize = 1024 * 1024;

/// How much at most, where several programs had room for one, and where nobody is waited for.
const ALL_BYTES_MAX: usize = 8 * 1024 * 1024;

/// How much is heard as one: what is said line by line is brought many lines at a time to who is slow.
const HEARD_BYTES_MAX: usize = 64 * 1024;

/// How long a listener is waited for who takes nothing.
const PATIENCE: Duration = Duration::from_secs(2);

/// What a listener wants to hear.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wants {
    /// All that is said.
    Words,
    /// Only when an attempt has ended.
    Ends,
}

/// Something heard.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Heard {
    /// A program wrote this.
    Said(Said),
    /// An attempt has ended, and all of it was said.
    Ended {
        /// The attempt.
        speaker: Arc<Speaker>,
        /// As for [`Said::way`].
        way: Vec<StepId>,
        /// How.
        ended: Ended,
        /// As for [`Said::missed`].
        missed: u64,
        /// Whether it said something.
        said: bool,
        /// Whether nothing of it was heard before.
        block: bool,
    },
}

/// What a program wrote, as it came: lines, parts of lines, anything.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Said {
    /// In which attempt.
    pub speaker: Arc<Speaker>,
    /// If it is one of a child: the steps on the way to that, from the run that was named.
    pub way: Vec<StepId>,
    /// When the first of it came.
    pub at: Timestamp,
    /// To where.
    pub stream: Stream,
    /// What.
    #[serde(with = "as_written")]
    pub bytes: Vec<u8>,
    /// How many bytes of this or other attempts before it are left out, because nobody took them.
    pub missed: u64,
    /// Held until it was shown or dropped.
    #[serde(skip)]
    pub credit: Arc<Credit>,
}

/// So many bytes are on their way to a listener, until this is dropped.
#[derive(Debug, Default)]
pub struct Credit {
    bytes: AtomicUsize,
    queue: Weak<Queue>,
}

impl Drop for Credit {
    fn drop(&mut self) {
        if let Some(queue) = self.queue.upgrade() {
            queue.bytes.fetch_sub(*self.bytes.get_mut(), Ordering::Release);
            queue.is_deaf.store(false, Ordering::Relaxed);
            *lock(&queue.full_since) = None;
            queue.room.notify_waiters();
        }
    }
}

/// What is on its way to a listener.
#[derive(Debug)]
struct Queue {
    run: Option<RunId>,
    wants: Wants,
    heard: Mutex<VecDeque<Heard>>,
    /// How many bytes are on their way, in the queue and beyond.
    bytes: AtomicUsize,
    missed: AtomicUsize,
    /// Since when there is no room, and nothing was taken.
    full_since: Mutex<Option<Instant>>,
    /// Whether it has taken nothing for long.
    is_deaf: AtomicBool,
    /// Told when there is something to hear.
    news: Notify,
    /// Told when something was taken.
    room: Notify,
}

/// All listeners of a process.
#[derive(Debug, Default)]
pub(super) struct Listeners {
    count: AtomicUsize,
    all: Mutex<Vec<Weak<Queue>>>,
    /// Whose step started a run, of those that are children and go on.
    parents: Mutex<HashMap<RunId, (RunId, StepId)>>,
}

/// No child is further from the first of its family: workflows that name each other are not so many.
const DEPTH_MAX: usize = 64;

/// The end of a listener. Dropped, it listens no more.
#[derive(Debug)]
pub struct Hearing(Arc<Queue>);

impl Hearing {
    /// What is heard next.
    pub async fn next(&mut self) -> Heard {
        loop {
            if let Some(heard) = self.try_next() {
                return heard;
            }
            self.0.news.notified().await;
        }
    }

    /// What was heard and not taken yet.
    pub fn try_next(&mut self) -> Option<Heard> {
        lock(&self.0.heard).pop_front()
    }
}

impl Listeners {
    pub(super) fn listen(&self, run: Option<RunId>, wants: Wants) -> Hearing {
        let queue = Arc::new(Queue {
            run,
            wants,
            heard: Mutex::default(),
            bytes: AtomicUsize::new(0),
            missed: AtomicUsize::new(0),
            full_since: Mutex::default(),
            is_deaf: AtomicBool::new(false),
            news: Notify::new(),
            room: Notify::new(),
        });
        let mut all = lock(&self.all);
        all.retain(|queue| queue.strong_count() > 0);
        all.push(Arc::downgrade(&queue));
        self.count.store(all.len(), Ordering::Release);
        Hearing(queue)
    }

    pub(super) fn begin_child(&self, child: &RunId, parent: &RunId, step: &StepId) {
        lock(&self.parents).entry(child.clone()).or_insert_with(|| (parent.clone(), step.clone()));
    }

    pub(super) fn end_child(&self, child: &RunId) {
        lock(&self.parents).remove(child);
    }

    /// Those who listen to that run, each with the steps on the way to it from the run that they named.
    fn of(&self, run: &RunId) -> Vec<(Arc<Queue>, Vec<StepId>)> {
        if self.count.load(Ordering::Acquire) == 0 {
            return Vec::new();
        }
        let queues: Vec<_> = {
            let mut all = lock(&self.all);
            all.retain(|queue| queue.strong_count() > 0);
            self.count.store(all.len(), Ordering::Release);
            all.iter().filter_map(Weak::upgrade).collect()
        };
        let way = |queue: &Arc<Queue>| queue.run.as_ref().map_or(Some(Vec::new()), |to| self.way(to, run));
        queues.into_iter().filter_map(|queue| way(&queue).map(|way| (queue, way))).collect()
    }

    /// The steps on the way from a run down to another of its family; none if that is of another family.
    fn way(&self, from: &RunId, to: &RunId) -> Option<Vec<StepId>> {
        if from == to {
            return Some(Vec::new());
        }
        let (parents, mut way, mut at) = (lock(&self.parents), Vec::new(), to.clone());
        while way.len() < DEPTH_MAX {
            let (parent, step) = parents.get(&at)?;
            way.insert(0, step.clone());
            if parent == from {
                return Some(way);
            }
            at = parent.clone();
        }
        None
    }

    pub(super) fn say(&self, speaker: &Arc<Speaker>, at: Timestamp, stream: Stream, bytes: &[u8]) {
        let heard_by = self.of(&speaker.run).into_iter().filter(|(queue, _)| queue.wants == Wants::Words);
        for (queue, way) in heard_by {
            bytes.chunks(HEARD_BYTES_MAX).for_each(|bytes| queue.say((speaker, &way), at, stream, bytes));
        }
    }

    pub(super) fn end(&self, speaker: &Arc<Speaker>, ended: Ended, said: bool) {
        for (queue, way) in self.of(&speaker.run) {
            let (speaker, ended, missed) = (Arc::clone(speaker), ended.clone(), queue.missed());
            let block = queue.wants == Wants::Ends;
            lock(&queue.heard).push_back(Heard::Ended { speaker, way, ended, missed, said, block });
            queue.news.notify_one();
        }
    }

    /// Ends when all who listen to that attempt have room.
    pub(super) async fn room(&self, speaker: &Speaker) {
        for (queue, _) in self.of(&speaker.run) {
            queue.has_room().await;
        }
    }
}

impl Queue {
    /// How many bytes were left out and not told of yet.
    fn missed(&self) -> u64 {
        self.missed.swap(0, Ordering::Relaxed) as u64
    }

    fn say(
        self: &Arc<Self>,
        (speaker, way): (&Arc<Speaker>, &[StepId]),
        at: Timestamp,
        stream: Stream,
        bytes: &[u8],
    ) {
        let on_way = self.bytes.load(Ordering::Relaxed) + bytes.len();
        if self.is_deaf.load(Ordering::Relaxed) || on_way > ALL_BYTES_MAX {
            self.missed.fetch_add(bytes.len(), Ordering::Relaxed);
            return;
        }
        self.bytes.fetch_add(bytes.len(), Ordering::Relaxed);
        let mut heard = lock(&self.heard);
        match heard.back_mut() {
            Some(Heard::Said(last))
                if last.stream == stream
                    && Arc::ptr_eq(&last.speaker, speaker)
                    && last.bytes.len() + bytes.len() <= HEARD_BYTES_MAX =>
            {
                last.bytes.extend_from_slice(bytes);
                last.credit.bytes.fetch_add(bytes.len(), Ordering::Relaxed);
            }
            _ => {
                let missed = self.missed();
                let credit = Credit { bytes: AtomicUsize::new(bytes.len()), queue: Arc::downgrade(self) };
                let credit = Arc::new(credit);
                let (speaker, way, bytes) = (Arc::clone(speaker), way.to_vec(), bytes.to_vec());
                heard.push_back(Heard::Said(Said { speaker, way, at, stream, bytes, missed, credit }));
            }
        }
        drop(heard);
        self.news.notify_one();
    }

    async fn has_room(&self) {
        loop {
            let mut taken = std::pin::pin!(self.room.notified());
            // From here on it hears of what is taken.
            taken.as_mut().enable();
            if self.bytes.load(Ordering::Acquire) < WAY_BYTES_MAX || self.is_deaf.load(Ordering::Relaxed) {
                return;
            }
            // Whoever waits may be dropped and wait again: it counts since when anybody does.
            let since = *lock(&self.full_since).get_or_insert_with(Instant::now);
            if tokio::time::timeout_at(since + PATIENCE, taken).await.is_err() {
                self.is_deaf.store(true, Ordering::Relaxed);
            }
        }
    }
}

/// Bytes as a text, or in Base64 where they are none.
mod as_written {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::workflow::work::Written;

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        Written::of(bytes.to_vec()).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        Written::deserialize(deserializer).map(|written| written.bytes().into_owned())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
