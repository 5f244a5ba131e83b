//! The whole life of an aggregate in a process, as a synchronous state machine: inputs go
//! in, outputs come out.
//!
//! It loads, decides, appends, evolves, answers, takes snapshots, and ends when nobody needs it. Commands
//! wait in an inbox while a commit is being stored; when it is durable, all of them are decided in one
//! draft and stored in one commit. The state is folded while deciding, but nothing is shown, neither an
//! answer nor an effect, before the store has answered. If another owner wrote to the stream, the state is
//! thrown away and loaded again.
//!
//! Its driver feeds an input, carries out the outputs in their order, and lets it decide for as long as it
//! wants to: see [`HostCore::feed`], [`HostCore::output`], [`HostCore::decide`].
//!
//! - `input`: what goes in and what comes out
//! - `round`: deciding what waits, and what follows from it
//! - `performers`: where each open effect is performed
//! - `driving`: who wants it to go on by itself; `timers`: when it is woken

mod driving;
mod input;
mod performers;
mod round;
#[cfg(test)]
mod tests;
mod timers;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

pub use self::driving::{Driving, Residency};
use self::input::Waiting;
pub use self::input::{Envelope, Environment, Input, Output};
use self::performers::Performers;
use self::round::Round;
use self::timers::Timers;
use super::aggregate::Aggregate;
use super::attention::{Attention, Own};
use super::clocks::Now;
use super::effect::{Effect, EffectChanges, Lasts};
use super::fold::{Fold, Tail};
use crate::events::commit::Head;
use crate::events::ids::{StreamId, Version};
use crate::events::problem::{Code, Problem};
use crate::events::time::Timestamp;

/// How many commands from outside may wait for one commit. Beyond it, senders are told to come back. Inputs
/// from inside (results, timers, slots) have no sender that could come back: there are never more of them
/// than the state has open effects.
const INBOX_MAX: usize = 1_024;

/// What is due within this time is awaited in memory, because loading it again would cost more.
const SOON: Duration = Duration::from_secs(1);

/// An aggregate in a process. `R` is the address to which an answer goes.
pub struct HostCore<A: Aggregate, R> {
    stream: StreamId,
    phase: Phase<A, R>,
    driving: Driving,
    /// The time since which it is driven, or is to be, by the steady clock.
    driven_since: Timestamp,
    inbox: VecDeque<Waiting<A, R>>,
    performers: Performers<A::Effect>,
    timers: Timers<A::Effect>,
    outputs: VecDeque<Output<A, R>>,
    /// What the state needed next when it was last the same as in the store.
    attention: Attention,
    /// Why it does not go on in this process, though it was to.
    left_alone: Option<Problem>,
    /// Whether a snapshot is being saved.
    saving: bool,
    /// When it was last asked something, by the steady clock.
    touched: Timestamp,
    passivate_after: Duration,
}

/// A copy that changes on its own: a test looks at several futures.
impl<A: Aggregate + Clone, R: Clone> Clone for HostCore<A, R>
where
    A::Command: Clone,
{
    fn clone(&self) -> Self {
        Self {
            stream: self.stream.clone(),
            phase: self.phase.clone(),
            driving: self.driving,
            driven_since: self.driven_since,
            inbox: self.inbox.clone(),
            performers: self.performers.clone(),
            timers: self.timers.clone(),
            outputs: self.outputs.clone(),
            attention: self.attention,
            left_alone: self.left_alone.clone(),
            saving: self.saving,
            touched: self.touched,
            passivate_after: self.passivate_after,
        }
    }
}

/// The phase of its life in this process.
#[derive(Clone)]
enum Phase<A: Aggregate, R> {
    /// The state is being folded from the store.
    Loading,
    /// The state is the same as in the store.
    Ready(Box<Fold<A>>),
    /// The state is the same as in the store, and what a dead process left running is being ended.
    Clearing(Box<Fold<A>>),
    /// A commit is being stored; the state is ahead of the store.
    Appending(Box<Fold<A>>, Round<A, R>),
    /// It cannot go on, for this reason.
    Parked(Problem),
}

impl<A: Aggregate, R> HostCore<A, R> {
    /// An aggregate that is not loaded yet: loading is the first output. If it is to go on by itself, it has
    /// done so in this process since `since`, even if it was put away in between.
    pub fn new(
        stream: StreamId,
        driving: Driving,
        since: Timestamp,
        now: Now,
        passivate_after: Duration,
    ) -> Self {
        Self {
            stream,
            phase: Phase::Loading,
            driving,
            driven_since: since,
            inbox: VecDeque::new(),
            performers: Performers::default(),
            timers: Timers::default(),
            outputs: VecDeque::from([Output::Load]),
            attention: Attention::default(),
            left_alone: None,
            saving: false,
            touched: now.steady,
            passivate_after,
        }
    }

    /// The next output to carry out, before anything else is fed.
    pub fn output(&mut self) -> Option<Output<A, R>> {
        self.outputs.pop_front()
    }

    /// The name of its stream.
    pub fn stream(&self) -> &StreamId {
        &self.stream
    }

    /// The state and its version, while the state is the same as in the store.
    pub fn durable(&self) -> Option<(&A, Version)> {
        match &self.phase {
            Phase::Ready(fold) | Phase::Clearing(fold) => Some((&fold.state, fold.head.version)),
            Phase::Loading | Phase::Appending(..) | Phase::Parked(_) => None,
        }
    }

    /// The root run, while the state is the same as in the store; none where the stream belongs to
    /// the root run itself.
    pub fn correlation(&self) -> Option<&Arc<str>> {
        match &self.phase {
            Phase::Ready(fold) | Phase::Clearing(fold) => fold.correlation.as_ref(),
            Phase::Loading | Phase::Appending(..) | Phase::Parked(_) => None,
        }
    }

    /// What the state needed next when it was last the same as in the store.
    pub fn attention(&self) -> Attention {
        self.attention
    }

    /// Whether it rests: nothing follows unless somebody acts. What is driven, or is about to be, though nothing follows but
    /// what people do is about to see that they are too late.
    pub fn is_at_rest(&self) -> bool {
        let is_wanted = self.driving.is_driven() || self.driving.is_asked();
        self.durable().is_some_and(|(_, version)| version > Version(0))
            && self.attention.is_at_rest()
            && !is_wanted
    }

    /// Whether somebody wants it to go on by itself, and for how long.
    pub fn driving(&self) -> Driving {
        self.driving
    }

    /// The time since which it is driven, or is to be driven, by the steady clock.
    pub fn driven_since(&self) -> Timestamp {
        self.driven_since
    }

    /// How many effects are performed in this process whose results count.
    pub fn in_flight(&self) -> usize {
        self.performers.in_flight()
    }

    /// Why it cannot go on; none if it can.
    pub fn parked(&self) -> Option<&Problem> {
        match &self.phase {
            Phase::Parked(problem) => Some(problem),
            _ => None,
        }
    }

    /// Why it does not go on in this process, if somebody wanted it to.
    pub fn left_alone(&self) -> Option<&Problem> {
        self.left_alone.as_ref()
    }

    /// Takes an input in, and does whatever follows from it at that time.
    pub fn feed(&mut self, input: Input<A, R>, now: Now) {
        match input {
            Input::Command { command, envelope, drives, reply } => {
                self.ask(Waiting::Command { command, envelope, drives, reply }, now);
            }
            Input::Recover { reply } => self.ask(Waiting::Recover { reply }, now),
            Input::Settled { effect, command } => self.settled(&effect, command, now),
            Input::Loaded(Ok(fold)) => self.loaded(fold, now),
            Input::Loaded(Err(problem)) if matches!(self.phase, Phase::Loading) => self.park(problem),
            Input::Loaded(Err(_)) => {}
            Input::Appended => self.appended(now),
            Input::Conflict(problem) => self.conflict(&problem),
            Input::Failed(problem) => self.failed(problem),
            Input::Cleared => self.cleared(),
            Input::LeaveAlone(problem) => {
                self.leave_alone(problem);
                self.when_ready(now);
            }
            Input::Drive { residency, since } => self.drive(residency, since, now),
            Input::LetGo => self.let_go(Driving::Nobody, now),
            Input::Close => self.let_go(Driving::Closed, now),
            Input::Tick => self.tick(now),
            Input::Saved => self.saving = false,
        }
    }

    /// Parks it: all who wait are told so, and nothing is decided any more.
    pub fn park(&mut self, problem: Problem) {
        if let Some((_, round)) = self.stop_appending() {
            self.refuse(round.answers, &problem);
        }
        for waiting in std::mem::take(&mut self.inbox) {
            if let Some(to) = waiting.reply() {
                self.outputs.push_back(Output::Reply { to, result: Err(problem.clone()) });
            }
        }
        self.stop_driving(Driving::Nobody);
        self.outputs.push_back(Output::Parked(problem.clone()));
        self.phase = Phase::Parked(problem);
    }

    fn ask(&mut self, waiting: Waiting<A, R>, now: Now) {
        self.touched = now.steady;
        let refusal = match &self.phase {
            Phase::Parked(problem) => problem.clone(),
            _ if waiting.has_reply() && self.inbox.len() >= INBOX_MAX => {
                Problem::new(Code::Busy, format!("{INBOX_MAX} commands wait for `{}`", self.stream))
            }
            _ => return self.inbox.push_back(waiting),
        };
        if let Some(to) = waiting.reply() {
            self.outputs.push_back(Output::Reply { to, result: Err(refusal) });
        }
    }

    /// An effect is not performed any more: `command` tells its result, or this process let go of it.
    fn settled(&mut self, effect: &<A::Effect as Effect>::Id, command: Option<A::Command>, now: Now) {
        match command {
            Some(command) if self.performers.counts(effect) => {
                let envelope = Envelope::default();
                self.ask(Waiting::Command { command, envelope, drives: false, reply: None }, now);
            }
            // Nobody hears it any more: it is to be recorded as lost, or is over.
            Some(_) => drop(self.performers.put_down(effect)),
            None => {
                if self.performers.put_down(effect) && self.driving.is_driven() {
                    self.inbox.push_back(Waiting::Recover { reply: None });
                }
                self.when_ready(now);
            }
        }
    }

    fn loaded(&mut self, fold: Box<Fold<A>>, now: Now) {
        if !matches!(self.phase, Phase::Loading) {
            return;
        }
        // If it was loaded before, somebody else wrote to it: what was decided is forgotten, and it is taken
        // over as if another process had driven it.
        if self.driving.reload() {
            self.driven_since = now.steady;
        }
        let let_go = self.performers.reload(fold.state.open());
        self.outputs.extend(let_go.into_iter().map(|effect| Output::Close { effect, given_up: true }));
        self.phase = Phase::Ready(fold);
        self.timers.clear();
        self.when_ready(now);
    }

    /// What follows each time when the state is the same as in the store.
    fn when_ready(&mut self, now: Now) {
        let Phase::Ready(fold) = &self.phase else { return };
        let attention = fold.state.attention();
        self.attention = attention;
        // Whether it can is asked before anything else is decided.
        if self.driving.is_asked() {
            return;
        }
        if self.driving.is_driven() {
            self.take_over(false);
            self.fire(now);
            if Self::rests(attention, now) {
                self.stop_driving(self.driving.at_rest());
            }
        }
        self.tell_wake();
        self.outputs.push_back(Output::Show);
    }

    /// It goes on by itself from here on, if it can in this process.
    fn begin_driving(&mut self, environment: &mut impl Environment<A>) {
        let now = environment.now();
        let Phase::Ready(fold) = &self.phase else { return };
        match environment.may_drive(&fold.state) {
            Err(problem) => self.leave_alone(problem),
            Ok(()) => {
                self.driving.begin();
                self.outputs.push_back(Output::Driven(true));
                if self.attention.own == Own::Now || self.performers.has_orphans() {
                    self.inbox.push_back(Waiting::Recover { reply: None });
                }
                self.take_over(true);
            }
        }
        self.when_ready(now);
    }

    /// It does not go on in this process: what is asked of it is recorded, and nothing starts.
    fn leave_alone(&mut self, problem: Problem) {
        if !matches!(self.phase, Phase::Parked(_)) {
            self.stop_driving(self.driving.at_rest());
            self.outputs.push_back(Output::LeftAlone(problem.clone()));
            self.left_alone = Some(problem);
        }
    }

    /// Performs what nobody performs; and after that, because it may be about it, what is told to every process anew.
    fn take_over(&mut self, begins: bool) {
        let unmade = self.performers.take_unmade();
        let Phase::Ready(fold) = &self.phase else { return };
        if !begins && unmade.is_empty() {
            return;
        }
        let open = fold.state.open();
        unmade.into_iter().for_each(|effect| self.perform(effect));
        for effect in open {
            match effect.lasts() {
                Lasts::Told => self.perform(effect),
                Lasts::Elsewhere if begins => self.perform(effect),
                Lasts::Until(deadline) if begins => self.timers.add(deadline, effect),
                Lasts::Until(_) | Lasts::Hint | Lasts::Process | Lasts::Answer | Lasts::Elsewhere => {}
            }
        }
    }

    /// Puts out that an effect is to be performed, for those that drive the stream now.
    fn perform(&mut self, effect: A::Effect) {
        self.outputs.push_back(Output::Perform { effect, residency: self.driving.residency() });
    }

    /// Whether it rests. What goes on only if somebody asks is then driven by nobody until that happens. Once
    /// a moment by which people had to answer has come, it does not rest.
    fn rests(attention: Attention, now: Now) -> bool {
        attention.is_at_rest() && !attention.due().has_come(now)
    }

    fn drive(&mut self, residency: Residency, since: Timestamp, now: Now) {
        let is_first = self.driving.ask(residency);
        if is_first {
            self.driven_since = since;
        }
        // Whoever waits for it to come to rest is not to see that it did before it was asked.
        if self.left_alone.take().is_some() || is_first && self.attention.is_at_rest() {
            self.outputs.push_back(Output::Show);
        }
        self.when_ready(now);
    }

    fn let_go(&mut self, to: Driving, now: Now) {
        self.stop_driving(to);
        self.when_ready(now);
    }

    fn stop_driving(&mut self, to: Driving) {
        if self.driving.end(to) && to != Driving::Closed {
            self.outputs.push_back(Output::Driven(false));
        }
        self.timers.clear();
        self.performers.forget_sent();
        self.tell_wake();
    }

    /// Lets timers fire whose moment has come, late rather than never, and never early. Then checks whether
    /// anybody still needs it.
    fn tick(&mut self, now: Now) {
        self.timers.forget_told();
        if self.driving.is_driven() {
            self.fire(now);
        }
        self.tell_wake();
        let is_unused = now.steady.since(self.touched) >= self.passivate_after;
        if is_unused && (self.is_idle() || self.parked().is_some()) {
            self.passivate();
        }
    }

    fn fire(&mut self, now: Now) {
        self.inbox.extend(self.timers.take_due(now).map(Waiting::Due));
    }

    fn tell_wake(&mut self) {
        if let Some(wake) = self.timers.change() {
            self.outputs.push_back(Output::Wake(wake));
        }
    }

    /// Whether nothing of it is under way in this process.
    fn is_idle(&self) -> bool {
        let goes_on = self.driving.is_driven() && self.attention.own == Own::Now;
        matches!(self.phase, Phase::Ready(_))
            && self.inbox.is_empty()
            && self.performers.are_quiet()
            && !goes_on
    }

    /// Puts it away if nothing follows any more, or if it was activated only because it was due, and will be
    /// again. Thousands of short lives may end in the time for which one that may be asked again is kept.
    pub fn go_if_over(&mut self, now: Now) {
        if !matches!(self.phase, Phase::Ready(_)) || self.wants_to_decide() {
            return;
        }
        let is_far = !self.attention.due().has_come(now.after(SOON));
        let is_left = self.driving == Driving::Left || self.driving.is_until_idle() && is_far;
        let is_over = self.attention.over && self.attention.is_at_rest();
        if is_over || is_left && self.is_idle() {
            self.passivate();
        }
    }

    fn passivate(&mut self) {
        if self.driving.is_until_idle() {
            self.stop_driving(Driving::Nobody);
        }
        self.outputs.push_back(Output::Passivate);
    }
}
