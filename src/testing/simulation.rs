//! One run, in the hands of a test: the real decisions, events, bytes and folds, on a store in memory. The test makes
//! the attempts, in any order; it makes the time; and it crashes the process.

mod effects;
mod people;
mod shelf;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;

use super::broken::Broken;
use super::dice::Dice;
use super::words::words;
use super::world::{Failure, Output, Stop, Task, World};
use crate::aggregates::run::{Ask, Run, RunEffect, RunEffectId, RunRejection, RunStatus, StartRun};
use crate::events::commit::{Commit, Header};
use crate::events::ids::{Fence, Hash, RequestId, RunId, StreamId, TimerId, Version};
use crate::events::json::{Blob, Json};
use crate::events::problem::Code;
use crate::events::run::{AttemptStarted, GrowthLimits, RunEvent};
use crate::events::time::Timestamp;
use crate::kernel::{Aggregate, At, Decided, Draft, Effect, EffectChanges, Moment};
use crate::store::memory::MemoryStore;
use crate::store::{EventStore, Head};
use crate::workflow::definition::Definition;

use effects::{disagreement, keep};
pub use people::OpenRequest;
use shelf::Shelf;

/// What may happen next. Which of them does is the test's to choose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Move {
    /// This attempt is made, and its result reported.
    Perform(Fence),
    /// This attempt, which was told to stop, stops without having done anything.
    Stop(Fence),
    /// Somebody answers this request, as the world says.
    Answer(RequestId),
    /// The signal comes for which a step waits, with what the world says.
    Signal(Arc<str>),
    /// It gets so late that this timer is due.
    Wake(TimerId),
}

/// How much may be asked of a run. Runs of tests are asked some hundred times; one that is asked more goes in a circle.
const ASKED_MAX: usize = 20_000;

/// How long everything takes that is not a timer or a timeout.
const TICK: Duration = Duration::from_millis(1);

/// A run that a test drives, and the world that it acts on. A clone goes its own way, its store too.
pub struct Simulation<W> {
    begun: Arc<Begun>,
    store: MemoryStore,
    state: Run,
    head: Head,
    now: Timestamp,
    dice: Dice,
    asked: usize,
    history: Vec<Arc<RunEvent>>,
    /// How many events there were after each commit.
    commits: Vec<usize>,
    /// Attempts that this process makes, and whether they were told to stop.
    in_flight: BTreeMap<Fence, (Arc<AttemptStarted>, bool)>,
    /// Effects that are open, as the changes told.
    told: HashMap<RunEffectId, RunEffect>,
    /// What it acts on.
    pub world: W,
}

/// What of a run never changes.
#[derive(Debug)]
struct Begun {
    run: RunId,
    stream: StreamId,
    definition: (Hash, Arc<Definition>),
}

/// What a run begins with, for tests: everything else is as small as it can be.
pub fn start_of(definition: Definition, input: Json) -> StartRun {
    StartRun {
        definition_blob: Blob::new(definition.to_json().text().as_bytes()),
        parallel: definition.limits.parallel.unwrap_or(16),
        lost_limit: definition.limits.lost.unwrap_or(5),
        duration_limit: definition.limits.duration,
        definition: Arc::new(definition),
        input,
        tags: BTreeMap::new(),
        work_folder: "/".into(),
        parent: None,
        environment: BTreeMap::new(),
        agents: Vec::new(),
        until: None,
        children: Vec::new(),
        growth: GrowthLimits::USUAL,
        insists: Default::default(),
        drive: true,
    }
}

impl<W: World> Simulation<W> {
    /// Starts a run. The seed decides the order in which [`Simulation::finish`] does things.
    ///
    /// # Errors
    /// When it breaks at once.
    pub fn start(run: RunId, start: StartRun, world: W, seed: u64) -> Result<Self, Broken> {
        let definition = (start.definition_blob.reference.hash, Arc::clone(&start.definition));
        let stream = StreamId::of_run(&run);
        let mut simulation = Self {
            begun: Arc::new(Begun { run, stream, definition }),
            store: MemoryStore::new(),
            state: Run::default(),
            head: Head::default(),
            now: Timestamp(1_800_000_000_000_000),
            dice: Dice::of(seed),
            asked: 0,
            history: Vec::new(),
            commits: Vec::new(),
            in_flight: BTreeMap::new(),
            told: HashMap::new(),
            world,
        };
        simulation.must(Ask::Start(Box::new(start)))?;
        Ok(simulation)
    }

    /// The state, folded so far.
    pub fn state(&self) -> &Run {
        &self.state
    }

    /// Where the run is.
    pub fn status(&self) -> RunStatus {
        self.state.status()
    }

    /// Everything that happened.
    pub fn history(&self) -> &[Arc<RunEvent>] {
        &self.history
    }

    /// How many events there were after each commit that this process knows of.
    pub fn commits(&self) -> &[usize] {
        &self.commits
    }

    /// The workflow.
    pub fn definition(&self) -> &Definition {
        &self.begun.definition.1
    }

    /// The simulated time.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// The attempts that are being made, and whether they were told to stop.
    pub fn in_flight(&self) -> impl Iterator<Item = (&Arc<AttemptStarted>, bool)> {
        self.in_flight.values().map(|(started, stopping)| (started, *stopping))
    }

    /// Everything that may happen next.
    pub fn moves(&self) -> Vec<Move> {
        let mut moves = Vec::new();
        for (fence, (_, stopping)) in &self.in_flight {
            moves.push(Move::Perform(*fence));
            if *stopping {
                moves.push(Move::Stop(*fence));
            }
        }
        moves.extend(self.answers());
        moves.extend(self.next_timer().map(|(_, timer)| Move::Wake(timer)));
        moves
    }

    /// The one of [`Simulation::moves`] that the seed says. Timers mostly wait until nothing else is left to do.
    pub fn next_move(&mut self) -> Option<Move> {
        let mut moves = self.moves();
        let patient = self.dice.below(8) > 0 && moves.len() > 1;
        if patient && matches!(moves.last(), Some(Move::Wake(_))) {
            moves.pop();
        }
        let which = self.dice.below(moves.len());
        moves.into_iter().nth(which)
    }

    /// Lets one thing happen.
    ///
    /// # Errors
    /// When it breaks something.
    pub fn play(&mut self, next: &Move) -> Result<(), Broken> {
        match next {
            Move::Perform(fence) => match self.perform(*fence)? {
                Some(result) => self.report(*fence, result),
                None => Ok(()),
            },
            Move::Stop(fence) => self.report(*fence, Err(Failure::stopped(Stop::Cancelled))),
            Move::Answer(_) | Move::Signal(_) => self.said(next).map_or(Ok(()), |ask| self.must(ask)),
            Move::Wake(timer) => {
                let due = self.state.due_at(timer).unwrap_or(self.now);
                self.now = self.now.max(due);
                self.must(Ask::Due { timer: timer.clone() })
            }
        }
    }

    /// Lets things happen until nothing does.
    ///
    /// # Errors
    /// When it breaks something, never ends, or stops short of an end though nobody is waited for.
    pub fn finish(&mut self) -> Result<RunStatus, Broken> {
        while let Some(next) = self.next_move() {
            self.play(&next)?;
        }
        let status = self.status();
        let rests = status.has_ended() || matches!(status, RunStatus::Paused | RunStatus::Waiting);
        if rests { Ok(status) } else { Err(self.broken("nothing more happens to it")) }
    }

    /// Makes an attempt in the world, and keeps what came of it from the run. None if it is not in flight.
    ///
    /// # Errors
    /// When what was recorded of it cannot be read.
    pub fn perform(&mut self, fence: Fence) -> Result<Option<Result<Output, Failure>>, Broken> {
        let Some((started, _)) = self.in_flight.get(&fence).cloned() else { return Ok(None) };
        let shelf = Shelf { store: &self.store, definition: &self.begun.definition };
        let task = Task::of(&self.state, &started, &shelf);
        let task = task.map_err(|problem| self.broken(&problem.message))?;
        Ok(Some(self.world.attempt(&task)))
    }

    /// Tells the run what came of an attempt.
    ///
    /// # Errors
    /// When that breaks something.
    pub fn report(&mut self, fence: Fence, result: Result<Output, Failure>) -> Result<(), Broken> {
        let Some((started, _)) = self.in_flight.remove(&fence) else { return Ok(()) };
        let step = started.step.clone();
        let timed_out = matches!(&result, Err(failure) if failure.code == Code::TimedOut);
        self.now = self.now.after(TICK);
        if let Some(deadline) = started.deadline.filter(|_| timed_out) {
            self.now = self.now.max(deadline);
        }
        self.must(match result {
            Ok(output) => Ask::Completed { step, fence, output },
            Err(failure) => Ask::Failed { step, fence, failure },
        })
    }

    /// Asks the run something, as a person does. Answers how many events came of it, or why it refused.
    ///
    /// # Errors
    /// When that breaks something.
    pub fn ask(&mut self, ask: Ask) -> Result<Result<usize, RunRejection>, Broken> {
        let before = self.history.len();
        self.count()?;
        if let Err(rejection) = self.commit(ask, true)? {
            return Ok(Err(rejection));
        }
        // What had no slot in that commit starts in one of its own.
        loop {
            let length = self.history.len();
            if self.state.startable(&Ask::Go).0.is_empty() {
                break;
            }
            if let Err(rejection) = self.commit(Ask::Go, true)? {
                return Err(self.broken(&format!("it refuses to go on: {rejection}")));
            }
            if self.history.len() == length {
                break;
            }
        }
        Ok(Ok(self.history.len() - before))
    }

    /// Asks the run something that is recorded while nobody drives it: nothing starts before somebody does, see
    /// [`Simulation::drive`]. Answers how many events came of it, or why it refused.
    ///
    /// # Errors
    /// When that breaks something.
    pub fn record(&mut self, ask: Ask) -> Result<Result<usize, RunRejection>, Broken> {
        let before = self.history.len();
        self.count()?;
        Ok(self.commit(ask, false)?.map(|()| self.history.len() - before))
    }

    /// Whoever drives the run sees what was recorded meanwhile, and goes on. The attempts are still made.
    ///
    /// # Errors
    /// When going on breaks something.
    pub fn drive(&mut self) -> Result<(), Broken> {
        if self.status().has_ended() {
            return Ok(());
        }
        let in_flight = self.in_flight.keys().copied().collect();
        self.must(Ask::Recover { in_flight })
    }

    /// The process dies, and another takes over what the store holds: nothing is in flight any more.
    ///
    /// # Errors
    /// When the fold of what is stored is not what was, or going on breaks something.
    pub fn crash(mut self) -> Result<Self, Broken> {
        self.reload()?;
        if !self.status().has_ended() {
            self.must(Ask::Recover { in_flight: BTreeSet::new() })?;
        }
        Ok(self)
    }

    /// Folds each prefix of the history, those within a commit too: each must be legal, and what is open then must be
    /// what the changes told.
    ///
    /// # Errors
    /// The first prefix of which that does not hold.
    pub fn check_prefixes(&self) -> Result<(), Broken> {
        let (mut state, mut told) = (Run::default(), HashMap::new());
        for (event, version) in self.history.iter().zip(1..) {
            let mut changes = EffectChanges::default();
            let at = At { stream: &self.begun.stream, version: Version(version), time: self.now };
            let folded = state.evolve(event, &at, &mut changes);
            folded.map_err(|illegal| self.broken(&illegal.to_string()))?;
            keep(&mut told, &changes);
            disagreement(&state, &told)
                .map_or(Ok(()), |what| Err(self.broken(&format!("after version {version}: {what}"))))?;
        }
        Ok(())
    }

    /// What is broken, with all that happened.
    pub fn broken(&self, what: &str) -> Broken {
        let status = self.status().text();
        Broken::new(format!("{what}\nthe run is {status}; its history:\n{}", words(&self.history)))
    }

    fn count(&mut self) -> Result<(), Broken> {
        self.asked += 1;
        if self.asked > ASKED_MAX { Err(self.broken("it never ends")) } else { Ok(()) }
    }

    fn must(&mut self, ask: Ask) -> Result<(), Broken> {
        let name = ask.name();
        match self.ask(ask)? {
            Ok(_) => Ok(()),
            Err(rejection) => Err(self.broken(&format!("`{name}` was refused: {rejection}"))),
        }
    }

    fn next_timer(&self) -> Option<(Timestamp, TimerId)> {
        let timers = self.state.open_timers().into_iter();
        let timers = timers.filter_map(|effect| match effect {
            RunEffect::Wake { timer, at } => Some((at, timer)),
            _ => None,
        });
        timers.min_by(|one, other| (one.0, one.1.as_str()).cmp(&(other.0, other.1.as_str())))
    }

    fn commit(&mut self, ask: Ask, drives: bool) -> Result<Result<(), RunRejection>, Broken> {
        let causation = ask.name();
        let decided = match self.decide(ask, drives) {
            (Ok(()), decided) => decided,
            (Err(rejection), decided) if decided.events.is_empty() => return Ok(Err(rejection)),
            (Err(rejection), _) => {
                return Err(self.broken(&format!("it refused `{causation}` after events: {rejection}")));
            }
        };
        if let Some(illegal) = &decided.illegal {
            self.history.extend(decided.events.into_iter().map(Arc::new));
            return Err(self.broken(&format!("an illegal decision on `{causation}`: {illegal}")));
        }
        if !decided.events.is_empty() {
            self.append(&decided, causation)?;
        }
        self.take(decided)?;
        Ok(Ok(()))
    }

    fn decide(&mut self, ask: Ask, drives: bool) -> (Result<(), RunRejection>, Decided<Run>) {
        let shelf = Shelf { store: &self.store, definition: &self.begun.definition };
        let grants = drives.then(|| self.state.startable(&ask));
        let moment = Moment { now: self.now, blobs: &shelf, seed: 0, grants: grants.as_ref() };
        let mut draft = Draft::new(&mut self.state, &self.begun.stream, self.head.version, self.now);
        let result = Run::decide(&mut draft, ask, &moment);
        (result, draft.finish())
    }

    fn append(&mut self, decided: &Decided<Run>, causation: &str) -> Result<(), Broken> {
        let header = Header {
            stream: self.begun.stream.clone(),
            first: self.head.version.next(),
            recorded_at: self.now,
            correlation: None,
            causation: causation.into(),
            code_version: env!("CARGO_PKG_VERSION").into(),
            origin: None,
        };
        let sealed = Commit::seal(header, &decided.events, self.head.hash);
        let commit = sealed.map_err(|error| self.broken(&error.to_string()))?;
        self.head = Head { version: commit.last(), hash: commit.last_hash() };
        let appended = at_once(self.store.append(commit, decided.blobs.clone()))?;
        appended.map_err(|error| self.broken(&error.to_string()))?;
        Ok(())
    }

    /// What was decided is durable: its effects are this process's to perform.
    fn take(&mut self, decided: Decided<Run>) -> Result<(), Broken> {
        if !decided.events.is_empty() {
            self.history.extend(decided.events.into_iter().map(Arc::new));
            self.commits.push(self.history.len());
        }
        keep(&mut self.told, &decided.changes);
        if let Some(what) = disagreement(&self.state, &self.told) {
            return Err(self.broken(&what));
        }
        for closed in decided.changes.closed() {
            if let RunEffectId::Attempt(fence) = closed {
                self.in_flight.remove(fence);
            }
        }
        for effect in decided.changes.still_open() {
            match effect {
                RunEffect::Attempt(started) => {
                    self.in_flight.insert(started.fence, (Arc::clone(started), false));
                }
                RunEffect::Stop { fence, .. } => {
                    if let Some((_, stopping)) = self.in_flight.get_mut(fence) {
                        *stopping = true;
                    }
                }
                RunEffect::Start { .. } | RunEffect::Wake { .. } | RunEffect::Ask { .. } => {}
            }
        }
        Ok(())
    }

    fn reload(&mut self) -> Result<(), Broken> {
        let stored = at_once(self.store.read_stream(&self.begun.stream, Version(0), usize::MAX))?;
        let stored = stored.map_err(|error| self.broken(&error.to_string()))?;
        let mut state = Run::default();
        for (recorded, known) in stored.iter().zip(&self.history) {
            let event: RunEvent = recorded.decode().map_err(|error| self.broken(&error.to_string()))?;
            if event != **known {
                return Err(self.broken(&format!("version {} is read back as another", recorded.version)));
            }
            let time = recorded.header.recorded_at;
            let at = At { stream: &self.begun.stream, version: recorded.version, time };
            let folded = state.evolve(&event, &at, &mut EffectChanges::default());
            folded.map_err(|illegal| self.broken(&illegal.to_string()))?;
        }
        if stored.len() != self.history.len() || state != self.state {
            return Err(self.broken("the fold of what is stored is not what was"));
        }
        self.told = state.open().into_iter().map(|effect| (effect.id(), effect)).collect();
        self.in_flight.clear();
        self.state = state;
        Ok(())
    }
}

impl<W: Clone> Clone for Simulation<W> {
    fn clone(&self) -> Self {
        Self {
            begun: Arc::clone(&self.begun),
            store: self.store.copy(),
            state: self.state.clone(),
            head: self.head,
            now: self.now,
            dice: self.dice.clone(),
            asked: self.asked,
            history: self.history.clone(),
            commits: self.commits.clone(),
            in_flight: self.in_flight.clone(),
            told: self.told.clone(),
            world: self.world.clone(),
        }
    }
}

impl<W> fmt::Debug for Simulation<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Simulation").field("run", &self.begun.run).finish_non_exhaustive()
    }
}

/// The store in memory answers at once.
fn at_once<T>(future: impl Future<Output = T>) -> Result<T, Broken> {
    future.now_or_never().ok_or_else(|| Broken::new("the store in memory made somebody wait"))
}
