//! The streams of a process: the hosts of those in memory, which go on by themselves, and which are woken when. It
//! knows hosts only by what they can be sent.

use std::any::Any;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use actix::Recipient;
use dashmap::DashMap;
use tokio::sync::{broadcast, oneshot, watch};

use super::context::HostContext;
use super::live::Live;
use super::messages::{Control, Recover};
use super::turns::Turns;
use super::wakes::Wakes;
use crate::actors::arbiters::Arbiters;
use crate::events::ids::StreamId;
use crate::events::problem::Problem;
use crate::events::time::Timestamp;
use crate::kernel::Due;

/// How many streams may wait to be looked at because somebody wanted something of them. Beyond it, all that are due are
/// looked at, which finds them too.
const NUDGES_MAX: usize = 1_024;

/// The streams of a process.
pub struct Book {
    context: HostContext,
    streams: DashMap<StreamId, Entry>,
    /// The time since which each stream goes on by itself, for those that do, also while they sleep and are not in memory.
    /// Whoever stops going on leaves.
    driven: DashMap<StreamId, Timestamp>,
    /// Streams of which somebody wanted something that nobody drives. Who drives all listens.
    nudges: broadcast::Sender<StreamId>,
    /// The time since which somebody drives all, in µs, while somebody does.
    all_driven_since: AtomicI64,
    wakes: Wakes,
    /// How much of what streams say to others is on its way, by who says it.
    letters: watch::Sender<HashMap<StreamId, usize>>,
    turns: Arc<Turns>,
    /// The channels of those who wait for something of a stream that has not come yet, each by a number of its own.
    asking: DashMap<StreamId, HashMap<u64, oneshot::Sender<Problem>>>,
    asked: AtomicU64,
    arbiters: Arc<Arbiters>,
    closing: AtomicBool,
}

/// A host, and what is seen of it.
pub struct Entry {
    /// The addressee of what any stream is told.
    pub control: Recipient<Control>,
    /// The addressee of the order to record what is lost.
    pub recover: Recipient<Recover>,
    /// What can be seen of its stream from outside.
    pub live: watch::Receiver<Live>,
    /// The part that only its kind knows, as a value of any type.
    pub place: Arc<dyn Any + Send + Sync>,
}

/// Somebody who waits for something of a stream, until it is dropped.
pub(super) struct Asking<'b> {
    book: &'b Book,
    stream: &'b StreamId,
    number: u64,
    parked: oneshot::Receiver<Problem>,
}

impl Asking<'_> {
    /// Ends when the stream cannot go on, or could not since this began.
    pub(super) async fn cannot_go_on(mut self) -> Option<Problem> {
        if let Some(problem) = self.book.live(self.stream).and_then(|live| live.borrow().parked.clone()) {
            return Some(problem);
        }
        (&mut self.parked).await.ok()
    }
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        if let Some(mut asking) = self.book.asking.get_mut(self.stream) {
            asking.remove(&self.number);
        }
        self.book.asking.remove_if(self.stream, |_, asking| asking.is_empty());
    }
}

/// Something that a stream says to another.
#[derive(Debug)]
pub(super) struct OnItsWay {
    letters: watch::Sender<HashMap<StreamId, usize>>,
    from: StreamId,
}

impl Drop for OnItsWay {
    fn drop(&mut self) {
        self.letters.send_modify(|letters| {
            let left = letters.remove(&self.from).unwrap_or_default();
            if left > 1 {
                letters.insert(self.from.clone(), left - 1);
            }
        });
    }
}

impl Book {
    /// An empty book, of hosts on these arbiters.
    pub fn new(context: HostContext, arbiters: Arc<Arbiters>) -> Arc<Self> {
        Arc::new(Self {
            context,
            streams: DashMap::new(),
            driven: DashMap::new(),
            nudges: broadcast::Sender::new(NUDGES_MAX),
            all_driven_since: AtomicI64::new(0),
            wakes: Wakes::default(),
            letters: watch::Sender::new(HashMap::new()),
            turns: Arc::default(),
            asking: DashMap::new(),
            asked: AtomicU64::new(0),
            arbiters,
            closing: AtomicBool::new(false),
        })
    }

    /// Does something with the place of a stream. Its host is started if there is none: one for each id. None if it cannot be.
    pub(super) fn with<T>(
        &self,
        stream: &StreamId,
        start: impl FnOnce() -> Option<Entry>,
        act: impl FnOnce(&Entry) -> T,
    ) -> Option<T> {
        if let Some(entry) = self.streams.get(stream).filter(|entry| entry.control.connected()) {
            return Some(act(&entry));
        }
        match self.streams.entry(stream.clone()) {
            dashmap::Entry::Occupied(entry) if entry.get().control.connected() => Some(act(entry.get())),
            place => Some(act(&place.insert(start()?))),
        }
    }

    /// The threads on which its hosts live.
    pub(super) fn arbiters(&self) -> &Arbiters {
        &self.arbiters
    }

    /// Counts what a stream says to another as on its way, until that is dropped.
    pub(super) fn on_its_way(&self, from: &StreamId) -> OnItsWay {
        self.letters.send_modify(|letters| *letters.entry(from.clone()).or_default() += 1);
        OnItsWay { letters: self.letters.clone(), from: from.clone() }
    }

    /// The turns in which what streams say to each other is brought.
    pub(super) fn turns(&self) -> &Arc<Turns> {
        &self.turns
    }

    /// Ends when nothing is on its way that a stream says.
    pub async fn delivered(&self, from: &StreamId) {
        // The sender is this very book's.
        let _ = self.letters.subscribe().wait_for(|letters| !letters.contains_key(from)).await;
    }

    /// Somebody waits for something of a stream from here on: that it cannot go on is heard, also if it is put away for that
    /// at once.
    pub(super) fn asks<'b>(&'b self, stream: &'b StreamId) -> Asking<'b> {
        let (sender, parked) = oneshot::channel();
        let number = self.asked.fetch_add(1, Ordering::Relaxed);
        self.asking.entry(stream.clone()).or_default().insert(number, sender);
        Asking { book: self, stream, number, parked }
    }

    /// A stream cannot go on: whoever waits for something of it hears that.
    pub(super) fn note_parked(&self, stream: &StreamId, problem: &Problem) {
        let asking = self.asking.remove(stream).map(|(_, asking)| asking).unwrap_or_default();
        // Who does not listen any more waits for nothing.
        asking.into_values().for_each(|asks| drop(asks.send(problem.clone())));
    }

    /// Ends when nothing is on its way from one stream to another.
    pub async fn all_delivered(&self) {
        // The sender is this very book's.
        let _ = self.letters.subscribe().wait_for(HashMap::is_empty).await;
    }

    /// The means that every host has.
    pub fn context(&self) -> &HostContext {
        &self.context
    }

    /// Whether nothing new may start, because the process is ending.
    pub fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    /// From here on nothing starts; what runs goes on.
    pub fn close(&self) {
        self.closing.store(true, Ordering::Release);
        for entry in &self.streams {
            entry.control.do_send(Control::Close);
        }
    }

    /// The streams that are in memory.
    pub fn in_memory(&self) -> Vec<StreamId> {
        self.streams.iter().map(|entry| entry.key().clone()).collect()
    }

    /// What is seen of a stream that is in memory, as it changes.
    pub fn live(&self, stream: &StreamId) -> Option<watch::Receiver<Live>> {
        let entry = self.streams.get(stream).filter(|entry| entry.control.connected())?;
        Some(entry.live.clone())
    }

    /// Whether a stream goes on by itself in this process.
    pub fn is_driven(&self, stream: &StreamId) -> bool {
        self.driven.contains_key(stream)
    }

    /// The time since which a stream goes on by itself in this process, by the steady clock; none if it does not.
    pub(super) fn driven_since(&self, stream: &StreamId) -> Option<Timestamp> {
        self.driven.get(stream).map(|since| *since)
    }

    /// A stream goes on by itself since then, or does not any more.
    pub(super) fn note_driven(&self, stream: &StreamId, since: Option<Timestamp>) {
        match since {
            Some(since) => drop(self.driven.insert(stream.clone(), since)),
            None => drop(self.driven.remove(stream)),
        }
    }

    pub(super) fn wakes(&self) -> &Wakes {
        &self.wakes
    }

    /// Wakes a stream then, and at no other moment.
    pub(super) fn wake_at(&self, stream: &StreamId, due: Due) {
        self.wakes.set(stream, due);
    }

    /// Whether somebody drives all streams that can go on.
    pub fn drives_all(&self) -> bool {
        self.nudges.receiver_count() > 0
    }

    /// The streams of which somebody wants something from here on, and that nobody drives: for whoever drives all.
    pub fn nudged(&self) -> broadcast::Receiver<StreamId> {
        if !self.drives_all() {
            self.all_driven_since.store(self.context.clock.now().steady.0, Ordering::Release);
        }
        self.nudges.subscribe()
    }

    /// The time since which somebody drives all, by the steady clock.
    pub(super) fn all_driven_since(&self) -> Timestamp {
        Timestamp(self.all_driven_since.load(Ordering::Acquire))
    }

    /// Lets whoever drives all streams look at this one.
    pub fn nudge(&self, stream: &StreamId) {
        if !self.is_driven(stream) {
            // Without anybody who drives all, it waits until somebody drives it.
            let _ = self.nudges.send(stream.clone());
        }
    }

    /// A host was put away.
    pub(super) fn forget(&self, stream: &StreamId, live: &watch::Sender<Live>) {
        let seen = live.subscribe();
        self.streams.remove_if(stream, |_, entry| entry.live.same_channel(&seen));
    }

    /// Lets go of everybody.
    pub fn clear(&self) {
        self.streams.clear();
        self.driven.clear();
        self.wakes.close();
    }
}
