//! One run in the hands of a test: the real core, with its decisions, events, bytes and folds, on a store
//! in memory. The test makes the attempts, in any order; it sets the time; and it crashes the process
//! between any two outputs.

mod agents;
mod contexts;
mod conversations;
mod people;
mod slots;
mod start;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::broken::Broken;
use super::dice::Dice;
use super::hosted::Hosted;
use super::words::words;
use super::world::{Failure, Output, Stop, Task, World};
use crate::aggregates::run::child::is_made_by;
use crate::aggregates::run::{Ask, Run, RunEffect, RunEffectId, RunStatus, StartRun, Unwanted};
use crate::events::ids::{CommandId, Fence, RequestId, RunId, StreamId, TimerId};
use crate::events::problem::{Code, Problem};
use crate::events::run::{AttemptStarted, RunEvent};
use crate::events::time::Timestamp;
use crate::kernel::core::{Envelope, Residency};
use crate::kernel::{Aggregate, Blobs, Effect};
use crate::workflow::definition::Definition;

use contexts::Contexts;
use conversations::Conversations;
pub use people::OpenRequest;
use slots::Slots;
pub use start::{child_of, start_of};

/// Something that may happen next. The test chooses which of them does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Move {
    /// The attempt with this fence is made, and its result is reported.
    Perform(Fence),
    /// The attempt with this fence, which was told to stop, stops without having done anything.
    Stop(Fence),
    /// Somebody answers the request, as the world says.
    Answer(RequestId),
    /// The signal with this name comes, with the data that the world says; a step waits for it.
    Signal(Arc<str>),
    /// Time passes until this timer is due.
    Wake(TimerId),
}

/// How many commands a run may get. Runs in tests get a few hundred; one that gets more runs in a circle.
const ASKED_MAX: usize = 20_000;

/// How long everything takes that is neither a timer nor a timeout.
const TICK: Duration = Duration::from_millis(1);

/// A run that a test drives, and the world that it acts on. A clone has its own store and changes on its own.
pub struct Simulation<W> {
    run: RunId,
    hosted: Hosted<Run, Slots>,
    dice: Dice,
    /// How long it goes on when it is due: with an odd seed it is put away whenever it has nothing
    /// to do for now.
    residency: Residency,
    asked: usize,
    /// The last command, and its id.
    last: Option<(Ask, CommandId)>,
    contexts: Contexts,
    conversations: Conversations,
    /// The world that the run acts on.
    pub world: W,
}

impl<W: World> Simulation<W> {
    /// Starts a run. The seed determines the order in which [`Simulation::finish`] does things.
    ///
    /// # Errors
    /// When the run breaks a rule at once.
    pub fn start(run: RunId, start: StartRun, world: W, seed: u64) -> Result<Self, Broken> {
        let slots = Slots::new(start.definition_blob.reference.hash, Arc::clone(&start.definition));
        let hosted = Hosted::new(StreamId::of_run(&run), slots, Timestamp(1_800_000_000_000_000));
        let residency = if seed.is_multiple_of(2) { Residency::Pinned } else { Residency::UntilIdle };
        let mut simulation = Self {
            run,
            hosted,
            dice: Dice::of(seed),
            residency,
            asked: 0,
            last: None,
            contexts: Contexts::default(),
            conversations: Conversations::default(),
            world,
        };
        simulation.must(Ask::Start(Box::new(start)))?;
        Ok(simulation)
    }

    /// The state, folded from the store.
    pub fn state(&self) -> &Run {
        self.hosted.state()
    }

    /// The status of the run.
    pub fn status(&self) -> RunStatus {
        self.state().status()
    }

    /// All events that are stored, in order.
    pub fn history(&self) -> &[Arc<RunEvent>] {
        self.hosted.history()
    }

    /// For each commit the number of events after it.
    pub fn commits(&self) -> &[usize] {
        self.hosted.commits()
    }

    /// The definition of the workflow.
    pub fn definition(&self) -> &Definition {
        &self.hosted.supply.definition
    }

    /// The content that is stored.
    pub fn blobs(&self) -> Arc<dyn Blobs> {
        self.hosted.blobs()
    }

    /// The current time of the simulation.
    pub fn now(&self) -> Timestamp {
        self.hosted.now
    }

    /// Whether the run goes on by itself in this process.
    pub fn is_driven(&self) -> bool {
        self.hosted.is_driven()
    }

    /// The attempts that are being made, and for each whether it was told to stop.
    pub fn in_flight(&self) -> impl Iterator<Item = (&Arc<AttemptStarted>, bool)> {
        let attempts = self.hosted.performs().filter_map(|effect| match effect {
            RunEffect::Attempt(started) => Some((started.fence, started)),
            _ => None,
        });
        // An attempt that a child run makes goes on, whoever drives this run.
        let children = self.hosted.open().filter_map(|effect| match effect {
            RunEffect::Child { attempt, .. } => Some((attempt.fence, attempt)),
            _ => None,
        });
        let attempts: BTreeMap<_, _> = attempts.chain(children).collect();
        attempts.into_iter().map(|(fence, started)| (started, self.is_stopping(fence)))
    }

    /// The timers that fired since this was last called, in order.
    pub fn take_fired(&mut self) -> Vec<TimerId> {
        std::mem::take(&mut self.hosted.supply.fired)
    }

    /// Everything that may happen next.
    pub fn moves(&self) -> Vec<Move> {
        let mut moves = Vec::new();
        for (started, stopping) in self.in_flight() {
            moves.push(Move::Perform(started.fence));
            if stopping {
                moves.push(Move::Stop(started.fence));
            }
        }
        moves.extend(self.answers());
        moves.extend(self.next_timer().map(|(_, timer)| Move::Wake(timer)));
        moves
    }

    /// One of [`Simulation::moves`], chosen by the seed. Timers mostly wait until nothing else is left to do.
    pub fn next_move(&mut self) -> Option<Move> {
        let mut moves = self.moves();
        let patient = self.dice.below(8) > 0 && moves.len() > 1;
        if patient && matches!(moves.last(), Some(Move::Wake(_))) {
            moves.pop();
        }
        let which = self.dice.below(moves.len());
        moves.into_iter().nth(which)
    }

    /// Lets that move happen.
    ///
    /// # Errors
    /// When that breaks a rule.
    pub fn play(&mut self, next: &Move) -> Result<(), Broken> {
        match next {
            Move::Perform(fence) => match self.perform(*fence)? {
                Some(result) => self.report(*fence, result),
                None => Ok(()),
            },
            Move::Stop(fence) => self.report(*fence, Err(self.stopped(*fence))),
            Move::Answer(_) | Move::Signal(_) => self.said(next).map_or(Ok(()), |ask| self.must(ask)),
            Move::Wake(timer) => {
                self.count()?;
                let due = self.state().due_at(timer).unwrap_or(self.hosted.now);
                self.hosted.now = self.hosted.now.max(due);
                let woken =
                    if self.is_driven() { self.hosted.wake() } else { self.hosted.drive(self.residency) };
                self.follow(woken)
            }
        }
    }

    /// Makes moves until none is left.
    ///
    /// # Errors
    /// When a rule is broken, the run never ends, or it stops before its end although it waits for nobody.
    pub fn finish(&mut self) -> Result<RunStatus, Broken> {
        while let Some(next) = self.next_move() {
            self.play(&next)?;
        }
        let status = self.status();
        let rests = status.has_ended() || matches!(status, RunStatus::Paused | RunStatus::Waiting);
        if rests { Ok(status) } else { Err(self.broken("nothing more happens to it")) }
    }

    /// Makes an attempt in the world, without telling the run the result. None if it is not in flight.
    ///
    /// # Errors
    /// When the record of the attempt cannot be read.
    pub fn perform(&mut self, fence: Fence) -> Result<Option<Result<Output, Failure>>, Broken> {
        let Some(started) = self.attempt(fence) else { return Ok(None) };
        let task = Task::of(self.state(), &started, &*self.hosted.blobs());
        let task = task.map_err(|problem| self.broken(&problem.message))?;
        Ok(Some(self.world.attempt(&task)))
    }

    /// Tells the run the result of an attempt.
    ///
    /// # Errors
    /// When that breaks a rule.
    pub fn report(&mut self, fence: Fence, result: Result<Output, Failure>) -> Result<(), Broken> {
        let Some(started) = self.attempt(fence) else { return Ok(()) };
        self.count()?;
        self.hosted.now = self.reported_at(&started, &result);
        let step = started.step.clone();
        let told = match result {
            Ok(output) => Ask::Completed { step, fence, output },
            Err(failure) => Ask::Failed { step, fence, failure },
        };
        let id = RunEffectId::Attempt(fence);
        let settled = match is_made_by(&started.agent) {
            true => self.hosted.ask(told, false).map(drop),
            false => self.hosted.settle(&id, Some(told)),
        };
        self.follow(settled)?;
        let is_open = !self.is_dead() && self.hosted.open().any(|effect| effect.id() == id);
        if is_open { Err(self.broken(&format!("nobody heard of attempt {fence}"))) } else { Ok(()) }
    }

    /// When the result of an attempt comes: one tick later, or at its deadline if it timed out.
    pub fn reported_at(&self, started: &AttemptStarted, result: &Result<Output, Failure>) -> Timestamp {
        let timed_out = matches!(result, Err(failure) if failure.code == Code::TimedOut);
        let soon = self.now().after(TICK);
        started.deadline.filter(|_| timed_out).map_or(soon, |deadline| deadline.max(soon))
    }

    /// Sends the run a command, as a person does who wants it to go on. Answers how many events came of it,
    /// or why it was refused.
    ///
    /// # Errors
    /// When that breaks a rule.
    pub fn ask(&mut self, ask: Ask) -> Result<Result<usize, Problem>, Broken> {
        let before = self.history().len();
        if let Err(problem) = self.record_as_it_is(ask)? {
            return Ok(Err(problem));
        }
        if !self.is_driven() && !self.state().attention().is_at_rest() {
            let driven = self.hosted.drive(self.residency);
            self.follow(driven)?;
        }
        Ok(Ok(self.history().len() - before))
    }

    /// Sends the run a command that is only recorded, because nobody drives the run: nothing starts until
    /// [`Simulation::drive`]. Answers how many events came of it, or why it was refused.
    ///
    /// # Errors
    /// When that breaks a rule.
    pub fn record(&mut self, ask: Ask) -> Result<Result<usize, Problem>, Broken> {
        let before = self.history().len();
        let let_go = self.hosted.let_go();
        self.follow(let_go)?;
        Ok(self.record_as_it_is(ask)?.map(|()| self.history().len() - before))
    }

    /// Sends the last command again with the same id, as somebody does who was not answered because the
    /// process died. If it was decided, nothing happens, and the answer is the same.
    ///
    /// # Errors
    /// When it is decided a second time, or that breaks a rule.
    pub fn repeat(&mut self) -> Result<(), Broken> {
        let Some((ask, id)) = self.last.clone() else { return Ok(()) };
        let (decided, before) = (self.hosted.decided(&id), self.history().len());
        let name = ask.name();
        let answer = self.hosted.send(ask, Envelope { id: Some(id), ..Envelope::default() }, false);
        let answer = answer.map_err(|broken| self.broken(&broken.to_string()))?;
        match decided {
            Some(version) if answer != Some(Ok(version)) || self.history().len() != before => {
                let message =
                    format!("`{name}` was answered with {version}, and asked again with {answer:?}");
                Err(self.broken(&message))
            }
            _ => Ok(()),
        }
    }

    /// Lets the run go on after commands were only recorded. The attempts in flight go on.
    ///
    /// # Errors
    /// When going on breaks a rule.
    pub fn drive(&mut self) -> Result<(), Broken> {
        if self.status().has_ended() {
            return Ok(());
        }
        let driven = self.hosted.drive(self.residency);
        self.follow(driven)
    }

    /// Lets the process die before it carries out output number `nth` from here on, counted from 0. After
    /// that, everything that it is asked gets lost, until [`Simulation::crash`].
    pub fn die_before(&mut self, nth: usize) {
        self.hosted.die_before(nth);
    }

    /// Whether the process has died.
    pub fn is_dead(&self) -> bool {
        self.hosted.is_dead()
    }

    /// The names of the core's outputs since this was last called, in order: `append`, `perform`, `reply` …
    pub fn take_trail(&mut self) -> Vec<&'static str> {
        self.hosted.take_trail()
    }

    /// Ends the process, if it has not died yet, and lets another take over what the store holds: nothing is
    /// in flight then, except for what outlives a process.
    ///
    /// # Errors
    /// When the fold of the store differs from the state before, or going on breaks a rule.
    pub fn crash(self) -> Result<Self, Broken> {
        self.crash_before(None)
    }

    /// Ends the process; the one that takes over dies too, before output number `nth` of its core.
    ///
    /// # Errors
    /// When the fold of the store differs from the state before, or going on breaks a rule.
    pub fn crash_twice(self, nth: usize) -> Result<Self, Broken> {
        self.crash_before(Some(nth))
    }

    fn crash_before(mut self, nth: Option<usize>) -> Result<Self, Broken> {
        self.hosted.crash();
        self.hosted.take_trail();
        nth.into_iter().for_each(|nth| self.hosted.die_before(nth));
        self.hosted.supply.fired.clear();
        let driven = self.hosted.drive(self.residency);
        self.follow(driven)?;
        Ok(self)
    }

    /// Folds each prefix of the history, also those that end within a commit: each must be legal, and the
    /// effects open after it must be those that the changes told.
    ///
    /// # Errors
    /// The first prefix for which that does not hold.
    pub fn check_prefixes(&self) -> Result<(), Broken> {
        self.hosted.check_prefixes().map_err(|broken| self.broken(&broken.to_string()))
    }

    /// A failure with that description, followed by the whole history.
    pub fn broken(&self, what: &str) -> Broken {
        let status = self.status().text();
        Broken::new(format!("{what}\nthe run is {status}; its history:\n{}", words(self.history())))
    }

    fn count(&mut self) -> Result<(), Broken> {
        self.asked += 1;
        if self.asked > ASKED_MAX { Err(self.broken("it never ends")) } else { Ok(()) }
    }

    fn must(&mut self, ask: Ask) -> Result<(), Broken> {
        let name = ask.name();
        match self.ask(ask)? {
            Ok(_) => Ok(()),
            Err(problem) => Err(self.broken(&format!("`{name}` was refused: {problem}"))),
        }
    }

    /// The failure that an attempt reports when it is told to stop.
    pub fn stopped(&self, fence: Fence) -> Failure {
        let is_it = |attempt: &Arc<AttemptStarted>| attempt.fence == fence;
        let is_overdue = |node: &&crate::aggregates::run::Node| {
            node.doing.stop() == Some(Unwanted::Overdue) && node.open_attempt().is_some_and(is_it)
        };
        let why = match self.state().nodes().iter().find(is_overdue) {
            Some(_) => Stop::TimedOut,
            None => Stop::Cancelled,
        };
        Failure::stopped(why)
    }

    /// The attempt with that fence, if it is in flight.
    fn attempt(&self, fence: Fence) -> Option<Arc<AttemptStarted>> {
        let mut found = self.in_flight().filter(|(started, _)| started.fence == fence);
        found.next().map(|(started, _)| Arc::clone(started))
    }

    /// Whether an attempt was told to stop while it was being made.
    fn is_stopping(&self, fence: Fence) -> bool {
        let stop = self.hosted.began(&RunEffectId::Stop(fence));
        stop.is_some() && stop > self.hosted.began(&RunEffectId::Attempt(fence))
    }

    /// The first timer that will fire, and when. A run that nobody drives waits only for timers after which
    /// somebody will drive it.
    pub fn next_timer(&self) -> Option<(Timestamp, TimerId)> {
        if !self.is_driven() && !self.state().attention().is_due_later() {
            return None;
        }
        let timers = self.state().open_timers().into_iter();
        let timers = timers.filter_map(|effect| match effect {
            RunEffect::Wake { timer, at } => Some((at.at(), timer)),
            _ => None,
        });
        timers.min_by(|one, other| (one.0, one.1.as_str()).cmp(&(other.0, other.1.as_str())))
    }

    fn record_as_it_is(&mut self, ask: Ask) -> Result<Result<(), Problem>, Broken> {
        self.count()?;
        let drives = matches!(&ask, Ask::Start(start) if start.drive);
        let id = CommandId((self.asked as u128).to_le_bytes());
        self.last = Some((ask.clone(), id));
        let answer = self.hosted.send(ask, Envelope { id: Some(id), ..Envelope::default() }, drives);
        let (answer, told) = match answer {
            Ok(answer) => (answer, Ok(())),
            Err(broken) => (None, Err(broken)),
        };
        self.follow(told)?;
        Ok(answer.map_or(Ok(()), |answer| answer.map(drop)))
    }

    /// After a commit, starts in further commits what had no slot in it.
    fn follow(&mut self, before: Result<(), Broken>) -> Result<(), Broken> {
        before.map_err(|broken| self.broken(&broken.to_string()))?;
        loop {
            let length = self.history().len();
            self.answer_shared().map_err(|broken| self.broken(&broken.to_string()))?;
            if !self.is_dead() && self.tell_of_agents()? && self.history().len() > length {
                continue;
            }
            if !self.is_driven() || self.is_dead() || self.state().startable(&Ask::Go).0.is_empty() {
                return Ok(());
            }
            match self.hosted.ask(Ask::Go, false) {
                Ok(None | Some(Ok(_))) => {}
                Ok(Some(Err(problem))) => {
                    return Err(self.broken(&format!("it refuses to go on: {problem}")));
                }
                Err(broken) => return Err(self.broken(&broken.to_string())),
            }
            if self.history().len() == length {
                return Ok(());
            }
        }
    }
}

impl<W: Clone> Clone for Simulation<W> {
    fn clone(&self) -> Self {
        Self {
            run: self.run.clone(),
            hosted: self.hosted.clone(),
            dice: self.dice.clone(),
            residency: self.residency,
            asked: self.asked,
            last: self.last.clone(),
            contexts: self.contexts.clone(),
            conversations: self.conversations.clone(),
            world: self.world.clone(),
        }
    }
}

impl<W> fmt::Debug for Simulation<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Simulation").field("run", &self.run).finish_non_exhaustive()
    }
}
