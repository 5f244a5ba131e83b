//! Who is where: the hosts of the streams that are in memory, one for each id, started when somebody asks; who goes on by
//! itself; and who is told what.

use std::any::Any;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use actix::{Actor, Addr, ArbiterHandle, Recipient};
use dashmap::{DashMap, DashSet};
use tokio::sync::{broadcast, oneshot, watch};

use super::context::HostContext;
use super::host::Host;
use super::kind::{AnyKind, Kind, Kinds};
use super::live::Live;
use super::messages::{Control, Recover, Submit};
use super::rest::Awaited;
use super::shell::Shell;
use super::wakes::Wakes;
use crate::events::ids::{StreamId, Version};
use crate::events::problem::{Code, Problem};
use crate::events::time::Timestamp;
use crate::kernel::Aggregate;
use crate::kernel::core::{Driving, Whose};

/// How many streams may wait to be looked at because somebody wanted something of them. Beyond it, all that are due are
/// looked at, which finds them too.
const NUDGES_MAX: usize = 1_024;

/// Messages that may wait in the mailbox of a stream's host: results, wake-ups and commands.
const MAILBOX: usize = 1_024;

/// The streams of a process.
pub struct Hosting {
    context: HostContext,
    kinds: OnceLock<Kinds>,
    streams: DashMap<StreamId, Entry>,
    /// Those that go on by themselves, and among them those that sleep and are not in memory. Whoever stops going on leaves.
    driven: DashSet<StreamId>,
    /// Streams of which somebody wanted something that nobody drives. Who drives all listens.
    nudges: broadcast::Sender<StreamId>,
    wakes: Wakes,
    pub(super) awaited: Awaited,
    arbiters: Vec<ArbiterHandle>,
    next_arbiter: AtomicUsize,
    closing: AtomicBool,
}

/// A host, and what is seen of it.
struct Entry {
    control: Recipient<Control>,
    recover: Recipient<Recover>,
    live: watch::Receiver<Live>,
    /// The [`Place`] of its kind.
    place: Arc<dyn Any + Send + Sync>,
}

/// A host of a kind, and what is seen of it.
pub struct Place<A: Aggregate, S: Shell<A>> {
    /// Where it is told what only its kind is told.
    pub address: Addr<Host<A, S>>,
    /// What is seen of it beside [`Live`].
    pub view: S::View,
}

impl<A: Aggregate, S: Shell<A>> Clone for Place<A, S> {
    fn clone(&self) -> Self {
        Self { address: self.address.clone(), view: self.view.clone() }
    }
}

impl Hosting {
    /// Hosts on these arbiters, or on the current one if there are none. It knows no kind yet.
    pub fn start(context: HostContext, arbiters: Vec<ArbiterHandle>) -> Arc<Self> {
        let hosting = Arc::new(Self {
            context,
            kinds: OnceLock::new(),
            streams: DashMap::new(),
            driven: DashSet::new(),
            nudges: broadcast::Sender::new(NUDGES_MAX),
            wakes: Wakes::default(),
            awaited: Awaited::default(),
            arbiters,
            next_arbiter: AtomicUsize::new(0),
            closing: AtomicBool::new(false),
        });
        let clock = Arc::clone(&hosting.context.clock);
        actix::spawn(hosting.wakes.wait(Arc::downgrade(&hosting), clock));
        hosting
    }

    /// The kinds that can be hosted, once.
    pub fn register(&self, kinds: Kinds) {
        // Whoever registers again registers the same.
        let _ = self.kinds.set(kinds);
    }

    /// What is known of the kind of a stream.
    ///
    /// # Errors
    /// When nothing is.
    pub fn kind(&self, stream: &StreamId) -> Result<&dyn AnyKind, Problem> {
        self.kinds.get().and_then(|kinds| kinds.of(stream)).ok_or_else(|| unknown(stream))
    }

    /// What every host has.
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

    /// What is seen of a stream, as it changes. It is loaded if it is not in memory.
    ///
    /// # Errors
    /// When its kind is not known.
    pub fn watch(self: &Arc<Self>, stream: &StreamId) -> Result<watch::Receiver<Live>, Problem> {
        self.with(stream, |entry| entry.live.clone())
    }

    /// The same of a stream that is in memory.
    pub fn live(&self, stream: &StreamId) -> Option<watch::Receiver<Live>> {
        let entry = self.streams.get(stream).filter(|entry| entry.control.connected())?;
        Some(entry.live.clone())
    }

    /// The host of a stream of a kind, which is started if there is none.
    ///
    /// # Errors
    /// When the kind is not known, or another than that of the stream.
    pub fn place<K: Kind>(
        self: &Arc<Self>,
        stream: &StreamId,
    ) -> Result<Place<K::Aggregate, K::Shell>, Problem> {
        let place = self.with(stream, |entry| Arc::clone(&entry.place))?;
        place.downcast_ref::<Place<K::Aggregate, K::Shell>>().cloned().ok_or_else(|| unknown(stream))
    }

    /// Asks a stream something, and answers the version after it, once that is durable.
    ///
    /// # Errors
    /// Why it refuses, or cannot answer.
    pub async fn ask<K: Kind>(
        self: &Arc<Self>,
        stream: &StreamId,
        command: impl Fn() -> <K::Aggregate as Aggregate>::Command,
        drives: bool,
    ) -> Result<Version, Problem> {
        let submit = |reply| Submit { command: command(), drives, reply: Some(reply) };
        loop {
            let (reply, answer) = oneshot::channel();
            let sent = self.place::<K>(stream)?.address.send(submit(reply)).await;
            if let Some(answer) = self.answer(stream, sent, answer).await {
                return answer;
            }
        }
    }

    /// Has a stream record as lost what a process left open that is gone, if there is such.
    ///
    /// # Errors
    /// Why it cannot.
    pub async fn recover(self: &Arc<Self>, stream: &StreamId) -> Result<Version, Problem> {
        loop {
            let (reply, answer) = oneshot::channel();
            let recover = self.with(stream, |entry| entry.recover.clone())?;
            let sent = recover.send(Recover(reply)).await;
            if let Some(answer) = self.answer(stream, sent, answer).await {
                return answer;
            }
        }
    }

    /// What comes of something that was sent to a host; none if the host was put away just now, and another can be started.
    async fn answer(
        &self,
        stream: &StreamId,
        sent: Result<(), actix::MailboxError>,
        answer: oneshot::Receiver<Result<Version, Problem>>,
    ) -> Option<Result<Version, Problem>> {
        match sent {
            Ok(()) => Some(match answer.await {
                Ok(answer) => answer,
                // Its host panicked over it, or ended.
                Err(_) => {
                    let parked = self.live(stream).and_then(|live| live.borrow().parked.clone());
                    Err(parked.unwrap_or_else(|| Problem::new(Code::ShuttingDown, "the stream's host ended")))
                }
            }),
            Err(error) if self.is_closing() => Some(Err(Problem::new(Code::ShuttingDown, error.to_string()))),
            Err(_) => None,
        }
    }

    /// Tells a stream something that any stream is told. One whose kind is not known is not told.
    pub async fn control(self: &Arc<Self>, stream: &StreamId, control: Control) {
        loop {
            let Ok(to) = self.with(stream, |entry| entry.control.clone()) else { return };
            // A host that was put away just now is started again.
            if to.send(control).await.is_ok() || self.is_closing() {
                return;
            }
        }
    }

    /// Lets a stream go on, now and by itself from here on.
    pub async fn drive(self: &Arc<Self>, stream: &StreamId) {
        self.control(stream, Control::Drive(Whose::Named)).await;
    }

    /// Lets a stream go on until it has nothing to do for now; then it is put away, and nobody drives it. What is seen of it
    /// ends with that.
    ///
    /// # Errors
    /// When its kind is not known.
    pub async fn lend(self: &Arc<Self>, stream: &StreamId) -> Result<watch::Receiver<Live>, Problem> {
        let live = self.watch(stream)?;
        self.control(stream, Control::Drive(Whose::Lent)).await;
        Ok(live)
    }

    /// Whether a stream goes on by itself in this process.
    pub fn is_driven(&self, stream: &StreamId) -> bool {
        self.driven.contains(stream)
    }

    pub(super) fn note_driven(&self, stream: &StreamId, driven: bool) {
        if driven {
            self.driven.insert(stream.clone());
        } else {
            self.driven.remove(stream);
        }
    }

    pub(super) fn wakes(&self) -> &Wakes {
        &self.wakes
    }

    /// Wakes a stream at that moment, and at no other.
    pub(super) fn wake_at(&self, stream: &StreamId, at: Option<Timestamp>) {
        self.wakes.set(stream, at);
    }

    /// Wakes a stream, if it is still to go on by itself.
    pub(super) async fn wake(self: &Arc<Self>, stream: &StreamId) {
        if self.is_driven(stream) && !self.is_closing() {
            self.control(stream, Control::Tick).await;
        }
    }

    /// Whether somebody drives all streams that can go on.
    pub fn drives_all(&self) -> bool {
        self.nudges.receiver_count() > 0
    }

    /// The streams of which somebody wants something from here on, and that nobody drives.
    pub fn nudged(&self) -> broadcast::Receiver<StreamId> {
        self.nudges.subscribe()
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
        self.wakes.clear();
    }

    /// Does something with the place of a stream in the book. Its host is started if there is none: one for each id.
    fn with<T>(self: &Arc<Self>, stream: &StreamId, act: impl FnOnce(&Entry) -> T) -> Result<T, Problem> {
        if let Some(entry) = self.streams.get(stream).filter(|entry| entry.control.connected()) {
            return Ok(act(&entry));
        }
        let kind = self.kind(stream)?;
        match self.streams.entry(stream.clone()) {
            dashmap::Entry::Occupied(entry) if entry.get().control.connected() => Ok(act(entry.get())),
            place => {
                let host = self.start_host(kind, stream).ok_or_else(|| unknown(stream))?;
                Ok(act(&place.insert(host)))
            }
        }
    }

    fn start_host(self: &Arc<Self>, kind: &dyn AnyKind, stream: &StreamId) -> Option<Entry> {
        self.awaited.is_there(stream);
        let driving = match (self.is_closing(), self.is_driven(stream)) {
            (true, _) => Driving::Closed,
            (false, true) => Driving::Asked(Whose::Named),
            (false, false) => Driving::Nobody,
        };
        kind.start(self, stream, driving).map(|started| started.0)
    }

    /// The arbiters in turn.
    pub fn arbiter(&self) -> ArbiterHandle {
        let turn = self.next_arbiter.fetch_add(1, Ordering::Relaxed) % self.arbiters.len().max(1);
        self.arbiters.get(turn).cloned().unwrap_or_else(actix::Arbiter::current)
    }
}

/// A host that was started, on its way into the book.
pub struct Started(Entry);

impl Started {
    /// Starts the host of a stream with that shell.
    pub(super) fn new<A: Aggregate, S: Shell<A>>(
        hosting: &Arc<Hosting>,
        stream: &StreamId,
        driving: Driving,
        shell: S,
    ) -> Self {
        let (live, seen) = watch::channel(Live::default());
        let view = shell.view();
        let (hosting, stream, arbiter) = (Arc::clone(hosting), stream.clone(), hosting.arbiter());
        let address = Host::start_in_arbiter(&arbiter, move |actor| {
            actor.set_mailbox_capacity(MAILBOX);
            Host::new(stream, driving, shell, hosting, live)
        });
        let (control, recover) = (address.clone().recipient(), address.clone().recipient());
        Self(Entry { control, recover, live: seen, place: Arc::new(Place { address, view }) })
    }
}

fn unknown(stream: &StreamId) -> Problem {
    Problem::new(Code::RunParked, format!("nothing is known of the kind of `{stream}`"))
}
