//! Drives all streams that can go on, a few at a time.
//!
//! Who is due when stands in [`Attentions`], on disk. Of that, the next few are read into a window; whoever is due is
//! loaded, goes on, and is put away as soon as it sleeps, waits or has ended. So the memory that this takes is that of the
//! runs in motion, and the time from the start to the first attempt does not depend on how many runs there are. What is not
//! driven and wanted by somebody meanwhile (an approval, a signal) is looked at when it is asked.

mod window;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::sync::{broadcast, mpsc, watch};

use super::Hosting;
use super::attentions::{Attentions, Due, Kind};
use super::live::Live;
use crate::events::ids::StreamId;
use crate::events::problem::{Code, Problem};
use crate::events::time::Timestamp;
use crate::kernel::{self, Own};
use crate::views::projector::ViewError;
use window::Window;

/// How many streams may be in memory because of this and wait to be loaded or for a slot: as many as keep everybody busy.
/// Those that an agent works for do not count: slots bound them.
const IDLE_MAX: usize = 256;

/// How many more may be of which somebody wanted something: people are not to wait behind what is due anyway.
const NUDGED_MAX: usize = 1_024;

/// How many entries of the list are read at once.
const PAGE: usize = 512;

/// A stream that was driven is over, or rests until somebody acts; or why it cannot go on.
#[derive(Debug, Clone)]
pub struct Rested {
    /// The stream that rests.
    pub stream: StreamId,
    /// Its status, in a word for people; or why it cannot go on.
    pub how: Result<&'static str, Problem>,
}

/// Drives all streams until none goes on by itself any more.
pub struct Waker {
    hosting: Arc<Hosting>,
    due: Arc<Attentions>,
    nudged: broadcast::Receiver<StreamId>,
    window: Window,
    moving: Moving,
    /// Streams that cannot go on, and why as it was told.
    parked: HashMap<StreamId, Code>,
    /// Streams that are looked at once more, and of which it was told that they rest.
    told: HashSet<StreamId>,
    rested: mpsc::Sender<Result<Rested, Problem>>,
    /// Whether it goes on when none goes on by itself any more: somebody may act.
    stays: bool,
}

/// Streams that are driven here and are in memory.
#[derive(Default)]
struct Moving {
    streams: HashMap<StreamId, Motion>,
    /// The number of those for which no agent works.
    idle: usize,
    /// How many of them wait for somebody to act: with all that an agent does for them, which is to wait as well.
    resting: usize,
}

/// The motion of a stream that goes on by itself.
#[derive(Clone, Copy, Default)]
struct Motion {
    /// Whether an agent works for it.
    at_work: bool,
    /// Whether it waits for somebody to act.
    rests: bool,
    /// Whether somebody wanted something of it since it was loaded.
    nudged: bool,
}

/// What became of a stream in motion.
enum Change {
    /// An agent works for it now, or none does any more.
    AtWork(bool),
    /// It waits for somebody to act, or does not any more: what it waits for is in memory, and so is it.
    Rests(bool),
    Parked(Problem),
    /// It was put away.
    Gone,
}

type Changed = (StreamId, watch::Receiver<Live>, Change);

impl Waker {
    /// One that tells of every stream that comes to rest, to whoever still listens.
    pub fn new(
        hosting: Arc<Hosting>,
        due: Arc<Attentions>,
        rested: mpsc::Sender<Result<Rested, Problem>>,
    ) -> Self {
        let nudged = hosting.book().nudged();
        let (window, moving) = (Window::default(), Moving::default());
        let (parked, told) = (HashMap::new(), HashSet::new());
        Self { hosting, due, nudged, window, moving, parked, told, rested, stays: false }
    }

    /// One that goes on until nothing may start any more, also while nothing goes on by itself.
    #[must_use]
    pub fn staying(self) -> Self {
        Self { stays: true, ..self }
    }

    /// Drives until no stream is in motion and none sleeps, or nothing may start any more.
    pub async fn run(mut self, closed: watch::Receiver<bool>) {
        if let Err(error) = self.drive(closed).await {
            let problem = match error {
                ViewError::Fold(problem) => problem,
                ViewError::Read(error) => Problem::new(error.code(), error.to_string()),
                ViewError::Save(error) => Problem::new(error.code(), error.to_string()),
            };
            // Without a listener nobody wants to know.
            let _ = self.rested.send(Err(problem)).await;
        }
    }

    async fn drive(&mut self, mut closed: watch::Receiver<bool>) -> Result<(), ViewError> {
        let mut moving: FuturesUnordered<BoxFuture<'static, Changed>> = FuturesUnordered::new();
        loop {
            while let Some(stream) = self.next().await? {
                moving.push(self.activate(stream));
            }
            if !self.stays && self.moving.streams.len() == self.moving.resting {
                if let Some(nudge) = self.heard_already() {
                    moving.extend(self.heard(nudge).map(|stream| self.activate(stream)));
                    continue;
                }
                if !self.anything_left().await? {
                    return Ok(());
                }
            }
            let clock = Arc::clone(&self.hosting.book().context().clock);
            let may_hear = self.moving.idle < IDLE_MAX + NUDGED_MAX;
            let wakes_at =
                if self.moving.idle < IDLE_MAX { self.window.wakes_at() } else { kernel::Due::NEVER };
            tokio::select! {
                biased;
                // Whoever listens asks the next process: there may be more to drive.
                _ = closed.wait_for(|closed| *closed) => {
                    return Err(ViewError::Fold(Problem::new(Code::ShuttingDown, "the process is ending")));
                }
                nudge = self.nudged.recv(), if may_hear => {
                    if let Some(stream) = self.heard(nudge) {
                        moving.push(self.activate(stream));
                    }
                }
                Some((stream, live, change)) = moving.next() => {
                    moving.extend(self.changed(stream, live, change).await);
                }
                () = clock.wait_until(wakes_at) => {}
            }
        }
    }

    /// The next stream that is to go on now, if there is room for one.
    async fn next(&mut self) -> Result<Option<StreamId>, ViewError> {
        if self.moving.idle >= IDLE_MAX {
            return Ok(None);
        }
        let now = self.hosting.book().context().clock.now();
        if self.window.is_used_up(now) {
            self.look().await?;
        }
        Ok(self.window.pop(now))
    }

    /// Lets a stream go on.
    fn activate(&mut self, stream: StreamId) -> BoxFuture<'static, Changed> {
        self.window.remove(&stream);
        self.moving.add(&stream);
        let rests = self.told.remove(&stream);
        let place = self.moving.set(&stream, |place| place.rests = rests);
        let hosting = Arc::clone(&self.hosting);
        let activate = async move {
            match hosting.drive_until_idle(&stream).await {
                Ok(live) => observe(stream, live, place).await,
                Err(problem) => {
                    (stream, watch::Sender::new(Live::default()).subscribe(), Change::Parked(problem))
                }
            }
        };
        activate.boxed()
    }

    /// What was wanted of a stream while another came to rest. Whoever ends does not leave that unheard: a stream that could
    /// not take what the last one in motion had told it would not be named.
    fn heard_already(&mut self) -> Option<Result<StreamId, RecvError>> {
        match self.nudged.try_recv() {
            Ok(stream) => Some(Ok(stream)),
            Err(TryRecvError::Lagged(missed)) => Some(Err(RecvError::Lagged(missed))),
            Err(TryRecvError::Empty | TryRecvError::Closed) => None,
        }
    }

    /// The stream of which somebody wants something, unless it is in motion already.
    fn heard(&mut self, nudge: Result<StreamId, RecvError>) -> Option<StreamId> {
        match nudge {
            Ok(stream) if self.moving.nudge(&stream) => {
                // It may have come to rest just now. If it is put away it is looked at again after that.
                if !self.hosting.book().is_driven(&stream) {
                    let hosting = Arc::clone(&self.hosting);
                    actix::spawn(async move { drop(hosting.drive_until_idle(&stream).await) });
                }
                None
            }
            Ok(stream) => Some(stream),
            // Whom too many wanted something of is found among those that are due.
            Err(_) => {
                self.window.begin_anew();
                None
            }
        }
    }

    /// Whether a stream goes on by itself some time that nobody else drives.
    async fn anything_left(&mut self) -> Result<bool, ViewError> {
        if self.window.has_own() {
            return Ok(true);
        }
        self.look().await?;
        // Thousands that are due sooner may leave it no room.
        Ok(self.window.has_own() || self.window.has_left_out_own())
    }

    /// Reads who is due next.
    async fn look(&mut self) -> Result<(), ViewError> {
        self.due.catch_up().await?;
        let mut window = Window::whole();
        for kind in Kind::ALL {
            let mut page = self.due.due(kind, None, PAGE).await?;
            while let Some(last) = page.last().cloned() {
                let free = page.into_iter().filter(|due| self.is_free(&due.stream));
                free.for_each(|due| window.insert(due, kind));
                if !window.reaches(last.at, kind) {
                    break;
                }
                page = self.due.due(kind, Some(&last), PAGE).await?;
            }
        }
        self.window = window;
        Ok(())
    }

    /// Whether nobody drives a stream, and it may be able to go on.
    fn is_free(&self, stream: &StreamId) -> bool {
        let is_ours = self.moving.streams.contains_key(stream) || self.parked.contains_key(stream);
        !is_ours && !self.hosting.book().is_driven(stream)
    }

    /// Takes note of what became of a stream; answers what tells of it further, if it is still in motion.
    async fn changed(
        &mut self,
        stream: StreamId,
        live: watch::Receiver<Live>,
        change: Change,
    ) -> Option<BoxFuture<'static, Changed>> {
        match change {
            Change::AtWork(at_work) => {
                let place = self.moving.set(&stream, |place| place.at_work = at_work);
                return Some(observe(stream, live, place).boxed());
            }
            Change::Rests(rests) => {
                let place = self.moving.set(&stream, |place| place.rests = rests);
                let status = live.borrow().status;
                if rests {
                    self.tell(Rested { stream: stream.clone(), how: Ok(status) }).await;
                }
                return Some(observe(stream, live, place).boxed());
            }
            Change::Parked(problem) => {
                self.moving.remove(&stream);
                // Whoever wants something of it lets it be tried again: what comes of that is told if it is news.
                if self.parked.insert(stream.clone(), problem.code) != Some(problem.code) {
                    self.tell(Rested { stream, how: Err(problem) }).await;
                }
            }
            Change::Gone => {
                let place = self.moving.remove(&stream);
                self.parked.remove(&stream);
                let seen = live.borrow().clone();
                if place.nudged {
                    // Whatever was wanted of it: that it rests is told once.
                    if seen.at_rest {
                        self.told.insert(stream.clone());
                    }
                    self.window.insert(Due { at: Timestamp(0), stream: stream.clone() }, Kind::Own);
                } else {
                    self.note_next(&stream, &seen);
                }
                if seen.at_rest && !place.rests {
                    self.tell(Rested { stream, how: Ok(seen.status) }).await;
                }
            }
        }
        None
    }

    /// Takes note of when a stream is due that was put away.
    fn note_next(&mut self, stream: &StreamId, seen: &Live) {
        if !seen.loaded || seen.attention.own == Own::Now {
            // Its host is gone, and it is not known where it is, or it goes on: that is read.
            return self.window.begin_anew();
        }
        for (kind, due) in Due::of(stream, &seen.attention) {
            self.window.insert(due, kind);
        }
    }

    async fn tell(&self, rested: Rested) {
        // Without a listener the streams go on all the same.
        let _ = self.rested.send(Ok(rested)).await;
    }
}

impl Moving {
    fn add(&mut self, stream: &StreamId) {
        self.remove(stream);
        self.streams.insert(stream.clone(), Motion::default());
        self.idle += 1;
    }

    /// Takes note that somebody wants something of a stream, if it is in motion.
    fn nudge(&mut self, stream: &StreamId) -> bool {
        let place = self.streams.get_mut(stream);
        place.map(|place| place.nudged = true).is_some()
    }

    fn set(&mut self, stream: &StreamId, change: impl FnOnce(&mut Motion)) -> Motion {
        let Some(place) = self.streams.get_mut(stream) else { return Motion::default() };
        self.idle -= usize::from(!place.at_work);
        self.resting -= usize::from(place.rests);
        change(place);
        self.idle += usize::from(!place.at_work);
        self.resting += usize::from(place.rests);
        *place
    }

    /// Answers how it was.
    fn remove(&mut self, stream: &StreamId) -> Motion {
        let Some(place) = self.streams.remove(stream) else { return Motion::default() };
        self.idle -= usize::from(!place.at_work);
        self.resting -= usize::from(place.rests);
        place
    }
}

/// Ends when something changes for a stream in motion that is known to be like this.
async fn observe(stream: StreamId, mut live: watch::Receiver<Live>, known: Motion) -> Changed {
    let at_work = |seen: &Live| seen.in_flight > 0;
    let changes = |seen: &Live| {
        seen.parked.is_some() || at_work(seen) != known.at_work || seen.loaded && seen.at_rest != known.rests
    };
    let change = match live.wait_for(changes).await {
        Err(_) => Change::Gone,
        Ok(seen) => match &seen.parked {
            Some(problem) => Change::Parked(problem.clone()),
            None if at_work(&seen) != known.at_work => Change::AtWork(!known.at_work),
            None => Change::Rests(!known.rests),
        },
    };
    (stream, live, change)
}
