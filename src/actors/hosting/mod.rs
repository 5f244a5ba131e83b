//! Hosts streams of any kind: who is in memory, who goes on by itself, who is woken when. It names no kind.
//!
//! - [`kind`]: what is to be known of a kind of streams, and the register of kinds; [`shell`]: what is particular to one;
//!   [`quiet`]: of those for which nothing is done in the world
//! - [`host`]: the actor that drives a core; [`context`]: what every host needs; [`messages`]: what it is sent; [`live`]: what
//!   is seen of it; `memory`: whether what a decision may read is in memory
//! - [`book`]: who is where; `wakes`: one heap for all wake-ups; `rest`: waiting for streams to come to rest
//! - `post`: what streams say to each other; `turns`: in which order
//! - `contain`: what panics over one stream parks no other
//! - [`load`]: the state of a stream as of any version; `snapshots`: which are kept; [`past`]: one version after another
//! - [`attentions`]: who is due when; [`standings`]: where streams are
//! - [`waker`]: drives all streams, those that are due a few at a time

pub mod attentions;
pub mod book;
mod contain;
pub mod context;
pub mod host;
pub mod kind;
pub mod live;
pub mod load;
mod memory;
pub mod messages;
pub mod past;
mod post;
pub mod quiet;
mod rest;
pub mod shell;
mod snapshots;
pub mod standings;
mod turns;
pub mod waker;
mod wakes;

use std::sync::{Arc, OnceLock, Weak};

use tokio::sync::{oneshot, watch};

use self::book::{Book, Entry};
use self::context::HostContext;
use self::kind::{AnyKind, HostHandle, Kind, Kinds};
use self::live::Live;
use self::messages::{Control, Recover, Submit};
use crate::actors::arbiters::Arbiters;
use crate::events::ids::{StreamId, Version};
use crate::events::problem::{Code, Problem};
use crate::kernel::Aggregate;
use crate::kernel::core::{Driving, Envelope, Residency};

/// What may be wanted of the streams of a process.
pub struct Hosting {
    book: Arc<Book>,
    kinds: OnceLock<Kinds>,
    /// Itself, for those who outlive a call.
    this: Weak<Self>,
}

impl Hosting {
    /// Hosts on these arbiters. It knows no kind yet.
    pub fn start(context: HostContext, arbiters: Arc<Arbiters>) -> Arc<Self> {
        let book = Book::new(context, arbiters);
        let hosting = Arc::new_cyclic(|this| Self { book, kinds: OnceLock::new(), this: Weak::clone(this) });
        actix::spawn(wake_all(Arc::clone(&hosting.book), Arc::downgrade(&hosting)));
        hosting
    }

    /// The streams that are in memory or go on by themselves.
    pub fn book(&self) -> &Arc<Book> {
        &self.book
    }

    /// The kinds that can be hosted, once.
    pub fn register(&self, kinds: Kinds) {
        // Whoever registers again registers the same.
        let _ = self.kinds.set(kinds);
    }

    /// The kinds that can be hosted.
    pub fn kinds(&self) -> Option<&Kinds> {
        self.kinds.get()
    }

    /// What is known of the kind of a stream.
    ///
    /// # Errors
    /// When nothing is.
    pub fn kind(&self, stream: &StreamId) -> Result<&dyn AnyKind, Problem> {
        self.kinds.get().and_then(|kinds| kinds.of(stream)).ok_or_else(|| unknown(stream))
    }

    /// What is seen of a stream, as it changes. It is loaded if it is not in memory.
    ///
    /// # Errors
    /// When its kind is not known.
    pub fn watch(&self, stream: &StreamId) -> Result<watch::Receiver<Live>, Problem> {
        self.with(stream, |entry| entry.live.clone())
    }

    /// The host of a stream of a kind, which is started if there is none.
    ///
    /// # Errors
    /// When the kind is not known, or another than that of the stream.
    pub fn place<K: Kind>(&self, stream: &StreamId) -> Result<HostHandle<K::Aggregate, K::Shell>, Problem> {
        let place = self.with(stream, |entry| Arc::clone(&entry.place))?;
        place.downcast_ref::<HostHandle<K::Aggregate, K::Shell>>().cloned().ok_or_else(|| unknown(stream))
    }

    /// Asks a stream something, and answers the version after it, once that is durable.
    ///
    /// # Errors
    /// Why it refuses, or cannot answer.
    pub async fn ask<K: Kind>(
        &self,
        stream: &StreamId,
        command: impl Fn() -> <K::Aggregate as Aggregate>::Command,
        drives: bool,
    ) -> Result<Version, Problem> {
        self.send::<K>(stream, &Envelope::default(), command, drives).await
    }

    /// The same, with what comes with the command: one with an id that was answered is answered the same again.
    ///
    /// # Errors
    /// Why it refuses, or cannot answer.
    pub async fn send<K: Kind>(
        &self,
        stream: &StreamId,
        envelope: &Envelope,
        command: impl Fn() -> <K::Aggregate as Aggregate>::Command,
        drives: bool,
    ) -> Result<Version, Problem> {
        let submit = |reply| {
            let (command, envelope) = (command(), envelope.clone());
            Submit { command, envelope, drives, reply: Some(reply) }
        };
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
    pub async fn recover(&self, stream: &StreamId) -> Result<Version, Problem> {
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
    pub(super) async fn answer(
        &self,
        stream: &StreamId,
        sent: Result<(), actix::MailboxError>,
        answer: oneshot::Receiver<Result<Version, Problem>>,
    ) -> Option<Result<Version, Problem>> {
        match sent {
            Ok(()) => Some(match answer.await {
                Ok(answer) => answer,
                // Its host panicked over it, and is about to say so; or it ended.
                Err(_) => {
                    let ended = || Problem::new(Code::ShuttingDown, "the stream's host ended");
                    let Some(mut live) = self.book.live(stream) else { return Some(Err(ended())) };
                    let parked = live.wait_for(|live| live.parked.is_some()).await;
                    Err(parked.ok().and_then(|live| live.parked.clone()).unwrap_or_else(ended))
                }
            }),
            Err(error) if self.book.is_closing() => {
                Some(Err(Problem::new(Code::ShuttingDown, error.to_string())))
            }
            Err(_) => None,
        }
    }

    /// Asks a stream what somebody wants of it who does not drive it, and answers the version after it, once that is durable.
    /// If nobody drives it, what a process left open that is gone counts as lost first, so that it need not be awaited; it is
    /// not driven for that. Who drives all streams looks at it after that.
    ///
    /// # Errors
    /// Why it refuses, or cannot answer.
    pub async fn order<K: Kind>(
        &self,
        stream: &StreamId,
        envelope: &Envelope,
        command: impl Fn() -> <K::Aggregate as Aggregate>::Command,
    ) -> Result<Version, Problem> {
        if !self.book.is_driven(stream) {
            self.recover(stream).await?;
        }
        let version = self.send::<K>(stream, envelope, command, false).await?;
        self.book.nudge(stream);
        // Whoever looks at other streams after this sees what follows for them.
        self.book.delivered(stream).await;
        Ok(version)
    }

    /// Tells a stream something that any stream is told. One whose kind is not known is not told.
    pub async fn control(&self, stream: &StreamId, control: Control) {
        loop {
            let Ok(to) = self.with(stream, |entry| entry.control.clone()) else { return };
            // A host that was put away just now is started again.
            if to.send(control).await.is_ok() || self.book.is_closing() {
                return;
            }
        }
    }

    /// Lets a stream go on, now and by itself from here on.
    pub async fn drive(&self, stream: &StreamId) {
        let since = self.book.context().clock.now().steady;
        self.control(stream, Control::Drive { residency: Residency::Pinned, since }).await;
    }

    /// Lets a stream go on until it has nothing to do for now; then it is put away, and nobody drives it. What is seen of it
    /// ends with that.
    ///
    /// # Errors
    /// When its kind is not known.
    pub async fn drive_until_idle(&self, stream: &StreamId) -> Result<watch::Receiver<Live>, Problem> {
        let drive = Control::Drive { residency: Residency::UntilIdle, since: self.book.all_driven_since() };
        loop {
            let (control, live) = self.with(stream, |entry| (entry.control.clone(), entry.live.clone()))?;
            // A host that was put away just now is started again.
            if control.send(drive).await.is_ok() || self.book.is_closing() {
                return Ok(live);
            }
        }
    }

    /// Wakes a stream, if it is still to go on by itself.
    pub(super) async fn wake(&self, stream: &StreamId) {
        if self.book.is_driven(stream) && !self.book.is_closing() {
            self.control(stream, Control::Tick).await;
        }
    }

    /// Does something with the place of a stream in the book, whose host is started if there is none.
    fn with<T>(&self, stream: &StreamId, act: impl FnOnce(&Entry) -> T) -> Result<T, Problem> {
        let start = || {
            let kind = self.kind(stream).ok()?;
            let driving = match (self.book.is_closing(), self.book.is_driven(stream)) {
                (true, _) => Driving::Closed,
                (false, true) => Driving::Asked(Residency::Pinned),
                (false, false) => Driving::Nobody,
            };
            kind.start(&self.this.upgrade()?, stream, driving)
        };
        self.book.with(stream, start, act).ok_or_else(|| unknown(stream))
    }
}

fn unknown(stream: &StreamId) -> Problem {
    Problem::new(Code::RunParked, format!("nothing is known of the kind of `{stream}`"))
}

/// Wakes whoever is due, until the book is closed.
async fn wake_all(book: Arc<Book>, hosting: Weak<Hosting>) {
    while let Some(due) = book.wakes().due(&*book.context().clock).await {
        for stream in due {
            let Some(hosting) = hosting.upgrade() else { return };
            actix::spawn(async move { hosting.wake(&stream).await });
        }
    }
}
