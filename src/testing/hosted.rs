//! An aggregate in the hands of a test: the same core that keeps it alive in the engine, on a store in
//! memory. The test performs the effects, sets the time, and lets the process die between any two outputs.
//!
//! Only what is stored is true. Everything that comes out of the core is compared with a fold of the store:
//! nobody is answered and nothing is performed before it is durable, no effect is performed twice or
//! forgotten, nor is a wake-up, and what a dead process left running is ended before it counts as lost. The
//! record of each decision must be enough to decide it again.

mod process;
mod said;
mod snapshots;
mod stored;
mod supply;

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;

use super::broken::Broken;
use crate::events::commit::{Commit, Head};
use crate::events::ids::{CommandId, Position, StreamId, Version};
use crate::events::json::Blob;
use crate::events::problem::Problem;
use crate::events::time::Timestamp;
use crate::kernel::core::{Driving, HostCore, Input, Output, Residency};
use crate::kernel::fold::Fold;
use crate::kernel::{Aggregate, At, Blobs, Due, Effect, EffectChanges, Now};
use crate::store::memory::MemoryStore;
use crate::store::{AppendError, EventStore};

use process::Process;
pub use said::Saying;
use stored::Stored;
pub use supply::Supply;
use supply::{Shelf, Supplied};

/// How many outputs may follow from one input. A core that puts out more runs in a circle.
const OUTPUTS_MAX: usize = 10_000;

/// So long that nothing is put away only because nobody has asked for it.
const PATIENCE: Duration = Duration::from_secs(u32::MAX as u64);

/// The number of a command, to which its answer goes.
type Ticket = u64;

/// An aggregate, its store, and the process that it is in.
pub struct Hosted<A: Aggregate, L = ()> {
    stream: StreamId,
    store: Arc<MemoryStore>,
    /// What decisions need, as the test wants it.
    pub supply: L,
    /// The time now, by both clocks.
    pub now: Timestamp,
    seed: u64,
    core: Option<HostCore<A, Ticket>>,
    stored: Stored<A>,
    process: Process<A::Effect>,
    /// The messages that it has sent to other streams, and that the test has not taken.
    said: Vec<Saying<A::Effect>>,
    answers: HashMap<Ticket, Result<Version, Problem>>,
    /// The ids of commands that were sent with an id.
    ids: HashMap<Ticket, CommandId>,
    tickets: Ticket,
    /// The newest version with which a command was answered.
    answered: Version,
    /// How many more outputs are carried out before the process dies; none if it does not.
    lives_for: Option<usize>,
    is_dead: bool,
    trail: Vec<&'static str>,
}

impl<A, L> Hosted<A, L>
where
    A: Aggregate + PartialEq,
    A::Effect: PartialEq,
    L: Supply<A>,
{
    /// An aggregate to which nothing has happened, in an empty store, and not in memory.
    pub fn new(stream: StreamId, lends: L, now: Timestamp) -> Self {
        Self::on(Arc::new(MemoryStore::new()), stream, lends, now)
    }

    /// The aggregate of that stream in a store, and not in memory.
    pub fn on(store: Arc<MemoryStore>, stream: StreamId, lends: L, now: Timestamp) -> Self {
        Self {
            stream,
            store,
            supply: lends,
            now,
            seed: 0,
            core: None,
            stored: Stored::default(),
            process: Process::default(),
            said: Vec::new(),
            answers: HashMap::new(),
            ids: HashMap::new(),
            tickets: 0,
            answered: Version(0),
            lives_for: None,
            is_dead: false,
            trail: Vec::new(),
        }
    }

    /// Tells it the result of an effect; with none, this process lets go of the effect.
    ///
    /// # Errors
    /// When that breaks a rule.
    pub fn settle(
        &mut self,
        effect: &<A::Effect as Effect>::Id,
        command: Option<A::Command>,
    ) -> Result<(), Broken> {
        self.process.settle(effect, command.is_none());
        self.feed(Input::Settled { effect: effect.clone(), command })
    }

    /// Lets it go on by itself. If it is not in memory, it is loaded and taken over.
    ///
    /// # Errors
    /// When that breaks a rule.
    pub fn drive(&mut self, residency: Residency) -> Result<(), Broken> {
        if self.core.is_some() {
            return self.feed(Input::Drive { residency, since: self.now });
        }
        self.activate(Driving::Asked(residency));
        self.pump()
    }

    /// Lets nothing more of it start.
    ///
    /// # Errors
    /// When that breaks a rule.
    pub fn let_go(&mut self) -> Result<(), Broken> {
        if self.core.is_some() { self.feed(Input::LetGo) } else { Ok(()) }
    }

    /// Wakes it at the moment that it asked for.
    ///
    /// # Errors
    /// When it asked for none, or that breaks a rule.
    pub fn wake(&mut self) -> Result<(), Broken> {
        if !self.is_dead && !self.process.wake.has_come(self.clocks()) {
            return Err(Broken::new(format!(
                "it is to be woken at {:?}, and not by then",
                self.process.wake
            )));
        }
        // A wake-up that was told is used up.
        self.process.wake = Due::NEVER;
        self.feed(Input::Tick)
    }

    /// Lets the process die before it carries out output number `nth` from here on, counted from 0. After
    /// that, everything that it is asked gets lost, until [`Hosted::crash`].
    pub fn die_before(&mut self, nth: usize) {
        self.lives_for = Some(nth);
    }

    /// Whether the process has died.
    pub fn is_dead(&self) -> bool {
        self.is_dead
    }

    /// Ends the process, if it has not died yet, and with it all that is not stored. [`Hosted::drive`] then
    /// lets another process take over.
    pub fn crash(&mut self) {
        (self.core, self.is_dead, self.lives_for) = (None, false, None);
        self.said.clear();
        self.process.die();
    }

    /// The names of the outputs since this was last called, in order.
    pub fn take_trail(&mut self) -> Vec<&'static str> {
        std::mem::take(&mut self.trail)
    }

    /// The fold of the stored events.
    pub fn state(&self) -> &A {
        &self.stored.state
    }

    /// The name of its stream.
    pub fn stream(&self) -> &StreamId {
        &self.stream
    }

    /// The last event that is stored.
    pub fn head(&self) -> Head {
        self.stored.head
    }

    /// All events that are stored, in order.
    pub fn history(&self) -> &[Arc<A::Event>] {
        &self.stored.history
    }

    /// For each commit the number of events after it.
    pub fn commits(&self) -> &[usize] {
        &self.stored.commits
    }

    /// The version with which a command was answered; none if it was not decided.
    pub fn decided(&self, id: &CommandId) -> Option<Version> {
        self.stored.decided.get(id).copied()
    }

    /// The effects that are open, according to the changes of the folds.
    pub fn open(&self) -> impl Iterator<Item = &A::Effect> {
        self.stored.told.values()
    }

    /// The effects that this process performs and has not settled.
    pub fn performs(&self) -> impl Iterator<Item = &A::Effect> {
        self.process.performs()
    }

    /// A number that is larger the later performing the effect began; none if it is not performed.
    pub fn began(&self, effect: &<A::Effect as Effect>::Id) -> Option<u64> {
        self.process.began(effect)
    }

    /// Whether it goes on by itself.
    pub fn is_driven(&self) -> bool {
        self.process.driven
    }

    /// Whether it is loaded in memory.
    pub fn is_active(&self) -> bool {
        self.core.is_some()
    }

    /// Reads blobs by their hashes.
    pub fn blobs(&self) -> Arc<dyn Blobs> {
        Arc::new(Shelf { store: Arc::clone(&self.store), remembered: self.supply.remembered() })
    }

    /// Folds each prefix of the history, also those that end within a commit: each must be legal, and the
    /// effects open after it must be those that the changes told.
    ///
    /// # Errors
    /// The first prefix for which that does not hold.
    pub fn check_prefixes(&self) -> Result<(), Broken> {
        let mut fold = Stored::<A>::default();
        for (event, version) in self.history().iter().zip(1..) {
            let at = At { stream: &self.stream, version: Version(version), time: self.now };
            fold.event(event, &at).map_err(|what| Broken::new(format!("version {version}: {what}")))?;
            fold.check().map_err(|what| Broken::new(format!("after version {version}: {what}")))?;
        }
        Ok(())
    }

    /// The two clocks, which nobody sets: both show the same.
    fn clocks(&self) -> Now {
        Now::at(self.now)
    }

    fn activate(&mut self, driving: Driving) {
        if !self.is_dead {
            let (since, now) = (self.now, self.clocks());
            self.core = Some(HostCore::new(self.stream.clone(), driving, since, now, PATIENCE));
        }
    }

    fn feed(&mut self, input: Input<A, Ticket>) -> Result<(), Broken> {
        if self.core.is_none() {
            self.activate(Driving::Nobody);
        }
        let now = self.clocks();
        let Some(core) = &mut self.core else { return Ok(()) };
        core.feed(input, now);
        self.pump()
    }

    /// Carries out outputs until no more come.
    fn pump(&mut self) -> Result<(), Broken> {
        for _ in 0..OUTPUTS_MAX {
            let Some(output) = self.next() else { return self.check() };
            let name = output.name();
            self.trail.push(name);
            if self.lives_for == Some(0) {
                (self.core, self.is_dead) = (None, true);
                return Ok(());
            }
            self.lives_for = self.lives_for.map(|left| left - 1);
            self.carry_out(output).map_err(|what| Broken::new(format!("{name}: {what}")))?;
        }
        Err(Broken::new("it never comes to rest"))
    }

    /// The next output; before it says that there is none, all that waits is decided.
    fn next(&mut self) -> Option<Output<A, Ticket>> {
        let (blobs, now) = (self.blobs(), self.clocks());
        let core = self.core.as_mut()?;
        loop {
            if let Some(output) = core.output() {
                return Some(output);
            }
            if !core.wants_to_decide() {
                core.go_if_over(now);
                return core.output();
            }
            let (seed, lends) = (&mut self.seed, &mut self.supply);
            core.decide(&mut Supplied { now, seed, blobs: Arc::clone(&blobs), lends });
        }
    }

    fn carry_out(&mut self, output: Output<A, Ticket>) -> Result<(), String> {
        let now = self.clocks();
        let answer = match output {
            Output::Load => Input::Loaded(Ok(Box::new(self.load()?))),
            Output::Append { commit, blobs } => self.append(commit, blobs)?,
            Output::Clear(effects) => {
                effects.iter().try_for_each(|effect| self.process.clear(effect, &self.stored.told))?;
                Input::Cleared
            }
            Output::Perform { effect, residency } => return self.perform(effect, residency),
            Output::Close { effect, given_up } => return self.process.close(&effect, given_up),
            Output::Reply { to, result } => return self.reply(to, result),
            Output::Show => return self.is_durable(),
            Output::Driven(driven) => return self.process.drive(driven),
            Output::Wake(due) => {
                self.process.wake = due;
                return Ok(());
            }
            Output::Snapshot { head, bytes } => {
                self.save(head, bytes)?;
                Input::Saved
            }
            Output::LeftAlone(problem) | Output::Parked(problem) => return Err(problem.to_string()),
            Output::Passivate => {
                self.is_durable()?;
                self.core = None;
                return self.process.is_over();
            }
        };
        if let Some(core) = &mut self.core {
            core.feed(answer, now);
        }
        Ok(())
    }

    fn load(&mut self) -> Result<Fold<A>, String> {
        self.process.forget_sent();
        let error = |error: crate::store::ReadError| error.to_string();
        let known = self.stored.head.version;
        for recorded in at_once(self.store.read_stream(&self.stream, known, usize::MAX))?.map_err(error)? {
            self.stored.recorded(&self.stream, &recorded)?;
        }
        self.stored.check()?;
        let mut fold = self.saved()?.unwrap_or_default();
        let after = fold.head.version;
        for recorded in at_once(self.store.read_stream(&self.stream, after, usize::MAX))?.map_err(error)? {
            fold.event(&self.stream, &recorded).map_err(|error| error.to_string())?;
        }
        if fold.head != self.stored.head || fold.state != self.stored.state {
            return Err("the fold of what is stored is not what was".to_owned());
        }
        if self.answered > fold.head.version {
            return Err(format!("version {} was answered, and is not stored", self.answered));
        }
        Ok(fold)
    }

    fn append(&mut self, commit: Commit, blobs: Vec<Blob>) -> Result<Input<A, Ticket>, String> {
        match at_once(self.store.append(commit.clone(), blobs))? {
            Ok(appended) => {
                let count = commit.count();
                let first = Position((appended.position.0 + 1).saturating_sub(count));
                let mut changes = EffectChanges::default();
                let events: Vec<_> = commit.into_recorded(first).collect();
                self.stored.redecide(&self.stream, &events, &*self.blobs())?;
                for recorded in events {
                    self.stored.fold_in(&self.stream, &recorded, &mut changes)?;
                }
                changes.closed().try_for_each(|closed| self.process.may_close(closed, &self.stored.told))?;
                self.stored.keep(&changes);
                self.stored.commits.push(self.stored.history.len());
                self.stored.check()?;
                Ok(Input::Appended)
            }
            Err(error @ AppendError::Conflict { .. }) => {
                Ok(Input::Conflict(Problem::new(error.code(), error.to_string())))
            }
            Err(error) => Ok(Input::Failed(Problem::new(error.code(), error.to_string()))),
        }
    }

    fn reply(&mut self, to: Ticket, result: Result<Version, Problem>) -> Result<(), String> {
        if let Ok(version) = &result {
            self.is_durable()?;
            // A command that was decided before gets the same answer as then.
            let decided = self.ids.get(&to).and_then(|id| self.stored.decided.get(id).copied());
            let stored = decided.unwrap_or(self.stored.head.version);
            if *version != stored {
                return Err(format!("version {version} is answered, and {stored} is stored"));
            }
            self.answered = self.answered.max(*version);
        }
        match self.answers.insert(to, result) {
            None => Ok(()),
            Some(_) => Err("somebody is answered twice".to_owned()),
        }
    }

    /// Fails if something is shown while the state is ahead of the store.
    fn is_durable(&self) -> Result<(), String> {
        let shown = self.core.as_ref().and_then(HostCore::durable).map(|(_, version)| version);
        if shown == Some(self.stored.head.version) {
            return Ok(());
        }
        Err(format!("version {} is stored, and {shown:?} is durable", self.stored.head.version))
    }

    /// Checks what must hold when no more outputs come.
    fn check(&self) -> Result<(), Broken> {
        if self.is_dead {
            return Ok(());
        }
        if let Some(core) = &self.core {
            let is_stored = core.durable().is_some_and(|(state, version)| {
                version == self.stored.head.version && *state == self.stored.state
            });
            if !is_stored {
                return Err(Broken::new("its state is not the fold of what is stored"));
            }
        }
        self.process.check(self.core.is_some(), &self.stored.told).map_err(Broken::new)
    }
}

impl<A, L: Clone> Clone for Hosted<A, L>
where
    A: Aggregate + Clone,
    A::Command: Clone,
{
    fn clone(&self) -> Self {
        Self {
            stream: self.stream.clone(),
            store: Arc::new(self.store.copy()),
            supply: self.supply.clone(),
            now: self.now,
            seed: self.seed,
            core: self.core.clone(),
            stored: self.stored.clone(),
            process: self.process.clone(),
            said: self.said.clone(),
            answers: self.answers.clone(),
            ids: self.ids.clone(),
            tickets: self.tickets,
            answered: self.answered,
            lives_for: self.lives_for,
            is_dead: self.is_dead,
            trail: self.trail.clone(),
        }
    }
}

impl<A: Aggregate, L> fmt::Debug for Hosted<A, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hosted").field("stream", &self.stream).finish_non_exhaustive()
    }
}

/// The result of a future that is ready at once, as those of the store in memory are.
fn at_once<T>(future: impl Future<Output = T>) -> Result<T, String> {
    future.now_or_never().ok_or_else(|| "the store in memory made somebody wait".to_owned())
}
