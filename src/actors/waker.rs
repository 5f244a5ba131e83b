//! Drives all runs that can go on, a few at a time.
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
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, mpsc, watch};

use super::attentions::{Attentions, Due, Kind};
use super::communicator::Communicator;
use super::glance::Glance;
use crate::aggregates::run::RunStatus;
use crate::events::ids::{RunId, StreamId};
use crate::events::problem::Problem;
use crate::events::time::Timestamp;
use crate::kernel::Own;
use crate::views::projector::ViewError;
use window::Window;

/// How many runs may be in memory because of this and wait to be loaded or for a slot: as many as keep everybody busy.
/// Those that an agent works for do not count: slots bound them.
const IDLE_MAX: usize = 256;

/// How many more may be of which somebody wanted something: people are not to wait behind what is due anyway.
const NUDGED_MAX: usize = 1_024;

/// How many entries of the list are read at once.
const PAGE: usize = 512;

/// A run that was driven has ended, or rests until somebody acts; or why it cannot go on.
#[derive(Debug, Clone)]
pub struct Rested {
    /// Which.
    pub run: RunId,
    /// Where it is now.
    pub how: Result<RunStatus, Problem>,
}

/// Drives all runs until none goes on by itself any more.
pub(super) struct Waker {
    communicator: Arc<Communicator>,
    attentions: Arc<Attentions>,
    nudged: broadcast::Receiver<RunId>,
    window: Window,
    moving: Moving,
    /// Runs that cannot go on.
    parked: HashSet<RunId>,
    /// Runs that are looked at once more, and of which it was told that they rest.
    told: HashSet<RunId>,
    rested: mpsc::Sender<Result<Rested, Problem>>,
}

/// Runs that are driven here and are in memory.
#[derive(Default)]
struct Moving {
    runs: HashMap<RunId, Place>,
    /// For how many of them no agent works.
    idle: usize,
    /// How many of them wait for somebody to act: with all that an agent does for them, which is to wait as well.
    resting: usize,
}

/// How a run in motion is.
#[derive(Clone, Copy, Default)]
struct Place {
    /// Whether an agent works for it.
    at_work: bool,
    /// Whether it waits for somebody to act.
    rests: bool,
    /// Whether somebody wanted something of it since it was loaded.
    nudged: bool,
}

/// What became of a run in motion.
enum Change {
    /// An agent works for it now, or none does any more.
    AtWork(bool),
    /// It waits for somebody to act, or does not any more: what it waits for is in memory, and so is it.
    Rests(bool),
    Parked(Problem),
    /// It was put away.
    Gone,
}

type Changed = (RunId, watch::Receiver<Glance>, Change);

impl Waker {
    /// One that tells of every run that comes to rest, to whoever still listens.
    pub(super) fn new(
        communicator: Arc<Communicator>,
        attentions: Arc<Attentions>,
        rested: mpsc::Sender<Result<Rested, Problem>>,
    ) -> Self {
        let nudged = communicator.nudged();
        let (window, moving) = (Window::default(), Moving::default());
        let (parked, told) = (HashSet::new(), HashSet::new());
        Self { communicator, attentions, nudged, window, moving, parked, told, rested }
    }

    /// Drives until no run is in motion and none sleeps, or nothing may start any more.
    pub(super) async fn run(mut self, closed: watch::Receiver<bool>) {
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
            while let Some(run) = self.next().await? {
                moving.push(self.activate(run));
            }
            if self.moving.runs.len() == self.moving.resting && !self.anything_left().await? {
                return Ok(());
            }
            let clock = Arc::clone(&self.communicator.host().clock);
            let may_hear = self.moving.idle < IDLE_MAX + NUDGED_MAX;
            let wakes_at = self.window.wakes_at().filter(|_| self.moving.idle < IDLE_MAX);
            tokio::select! {
                biased;
                _ = closed.wait_for(|closed| *closed) => return Ok(()),
                nudge = self.nudged.recv(), if may_hear => {
                    if let Some(run) = self.heard(nudge) {
                        moving.push(self.activate(run));
                    }
                }
                Some((run, glance, change)) = moving.next() => {
                    moving.extend(self.changed(run, glance, change).await);
                }
                () = clock.wait_until(wakes_at.unwrap_or_default()), if wakes_at.is_some() => {}
            }
        }
    }

    /// The next run that is to go on now, if there is room for one.
    async fn next(&mut self) -> Result<Option<RunId>, ViewError> {
        if self.moving.idle >= IDLE_MAX {
            return Ok(None);
        }
        let now = self.communicator.host().clock.now();
        if self.window.is_used_up(now) {
            self.look().await?;
        }
        Ok(self.window.pop(now).and_then(|stream| stream.run()))
    }

    /// Lets a run go on.
    fn activate(&mut self, run: RunId) -> BoxFuture<'static, Changed> {
        self.window.remove(&StreamId::of_run(&run));
        self.parked.remove(&run);
        self.moving.add(&run);
        let rests = self.told.remove(&run);
        let place = self.moving.set(&run, |place| place.rests = rests);
        let communicator = Arc::clone(&self.communicator);
        let activate = async move {
            let glance = communicator.lend(&run).await;
            observe(run, glance, place).await
        };
        activate.boxed()
    }

    /// The run of which somebody wants something, unless it is in motion already.
    fn heard(&mut self, nudge: Result<RunId, RecvError>) -> Option<RunId> {
        match nudge {
            Ok(run) if self.moving.nudge(&run) => {
                // What is lent is about to be put away, and is looked at again after that. What somebody else let go on stays
                // in memory for a while.
                if !self.communicator.is_lent(&run) {
                    let communicator = Arc::clone(&self.communicator);
                    actix::spawn(async move { drop(communicator.lend(&run).await) });
                }
                None
            }
            Ok(run) => Some(run),
            // Whom too many wanted something of is found among those that are due.
            Err(_) => {
                self.window.begin_anew();
                None
            }
        }
    }

    /// Whether a run goes on by itself some time that nobody else drives.
    async fn anything_left(&mut self) -> Result<bool, ViewError> {
        if self.window.has_own() {
            return Ok(true);
        }
        self.look().await?;
        // Thousands that people are to answer sooner may leave it no room.
        Ok(self.window.has_own() || self.window.has_left_out_own())
    }

    /// Reads who is due next.
    async fn look(&mut self) -> Result<(), ViewError> {
        self.attentions.catch_up().await?;
        let mut window = Window::whole();
        for kind in [Kind::Own, Kind::Expiry] {
            let mut page = self.attentions.due(kind, None, PAGE).await?;
            while let Some(last) = page.last().cloned() {
                let is_free = |due: &Due| due.stream.run().is_some_and(|run| self.is_free(&run));
                let free = page.into_iter().filter(is_free);
                free.for_each(|due| window.insert(due, kind));
                if !window.reaches(last.at) {
                    break;
                }
                page = self.attentions.due(kind, Some(&last), PAGE).await?;
            }
        }
        self.window = window;
        Ok(())
    }

    /// Whether nobody drives a run, and it may be able to go on.
    fn is_free(&self, run: &RunId) -> bool {
        let is_ours = self.moving.runs.contains_key(run) || self.parked.contains(run);
        !is_ours && !self.communicator.is_driven(run)
    }

    /// Takes note of what became of a run; answers what tells of it further, if it is still in motion.
    async fn changed(
        &mut self,
        run: RunId,
        glance: watch::Receiver<Glance>,
        change: Change,
    ) -> Option<BoxFuture<'static, Changed>> {
        match change {
            Change::AtWork(at_work) => {
                let place = self.moving.set(&run, |place| place.at_work = at_work);
                return Some(observe(run, glance, place).boxed());
            }
            Change::Rests(rests) => {
                let place = self.moving.set(&run, |place| place.rests = rests);
                let status = glance.borrow().status;
                if let Some(status) = status.filter(|_| rests) {
                    self.tell(Rested { run: run.clone(), how: Ok(status) }).await;
                }
                return Some(observe(run, glance, place).boxed());
            }
            Change::Parked(problem) => {
                self.moving.remove(&run);
                self.parked.insert(run.clone());
                self.tell(Rested { run, how: Err(problem) }).await;
            }
            Change::Gone => {
                let place = self.moving.remove(&run);
                let seen = glance.borrow().clone();
                if place.nudged {
                    // Whatever was wanted of it: that it rests is told once.
                    if seen.at_rest {
                        self.told.insert(run.clone());
                    }
                    self.window.insert(Due { at: Timestamp(0), stream: StreamId::of_run(&run) }, Kind::Own);
                } else {
                    self.note_next(&run, &seen);
                }
                if let Some(status) = seen.status.filter(|_| seen.at_rest && !place.rests) {
                    self.tell(Rested { run, how: Ok(status) }).await;
                }
            }
        }
        None
    }

    /// Takes note of when a run is due that was put away.
    fn note_next(&mut self, run: &RunId, seen: &Glance) {
        let is_known = seen.status.is_some();
        match seen.attention.due() {
            // Its host is gone, and it is not known where it is: that is read.
            _ if !is_known || seen.attention.own == Own::Now => self.window.begin_anew(),
            Some(due) => {
                let due = Due { at: due.at(), stream: StreamId::of_run(run) };
                self.window.insert(due, Kind::of(&seen.attention));
            }
            None => {}
        }
    }

    async fn tell(&self, rested: Rested) {
        // Without a listener the runs go on all the same.
        let _ = self.rested.send(Ok(rested)).await;
    }
}

impl Moving {
    fn add(&mut self, run: &RunId) {
        self.remove(run);
        self.runs.insert(run.clone(), Place::default());
        self.idle += 1;
    }

    /// Takes note that somebody wants something of a run, if it is in motion.
    fn nudge(&mut self, run: &RunId) -> bool {
        let place = self.runs.get_mut(run);
        place.map(|place| place.nudged = true).is_some()
    }

    fn set(&mut self, run: &RunId, change: impl FnOnce(&mut Place)) -> Place {
        let Some(place) = self.runs.get_mut(run) else { return Place::default() };
        self.idle -= usize::from(!place.at_work);
        self.resting -= usize::from(place.rests);
        change(place);
        self.idle += usize::from(!place.at_work);
        self.resting += usize::from(place.rests);
        *place
    }

    /// Answers how it was.
    fn remove(&mut self, run: &RunId) -> Place {
        let Some(place) = self.runs.remove(run) else { return Place::default() };
        self.idle -= usize::from(!place.at_work);
        self.resting -= usize::from(place.rests);
        place
    }
}

/// Ends when something changes for a run in motion that is known to be like this.
async fn observe(run: RunId, mut glance: watch::Receiver<Glance>, known: Place) -> Changed {
    let at_work = |seen: &Glance| !seen.attempts.is_empty();
    let changes = |seen: &Glance| {
        let is_loaded = seen.status.is_some();
        seen.parked.is_some() || at_work(seen) != known.at_work || is_loaded && seen.at_rest != known.rests
    };
    let change = match glance.wait_for(changes).await {
        Err(_) => Change::Gone,
        Ok(seen) => match &seen.parked {
            Some(problem) => Change::Parked(problem.clone()),
            None if at_work(&seen) != known.at_work => Change::AtWork(!known.at_work),
            None => Change::Rests(!known.rests),
        },
    };
    (run, glance, change)
}
