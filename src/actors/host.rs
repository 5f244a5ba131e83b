//! One actor for every aggregate: it loads, decides, appends, evolves, answers, and goes when nobody needs it.
//!
//! Commands wait in an inbox while a commit is on its way. When the store answers, all of them are decided in one
//! draft and stored in one commit. The state is folded while deciding, but nothing is shown, neither an answer nor
//! an effect, before the store has answered. If the append fails, the state is thrown away and loaded again.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, ActorContext, ActorFutureExt, Addr, AsyncContext, Context, Handler, Message, WrapFuture};
use futures_util::future::BoxFuture;
use tokio::sync::oneshot;

use super::clock::Clock;
use super::library::Library;
use super::load::{Fold, load_upto};
use super::snapshots::{self, Tail};
use crate::events::commit::{Header, Sealing};
use crate::events::ids::{StreamId, Version};
use crate::events::limits::COMMIT_BYTES_FULL;
use crate::events::problem::{Code, Problem};
use crate::events::time::Timestamp;
use crate::kernel::{Aggregate, Decided, Draft, EffectChanges, Moment};
use crate::store::{AppendError, EventStore, Head, ReadError, Snapshot};

/// Commands from outside that wait for one commit. Beyond it, senders are told to come back. What comes from inside
/// (results, timers, slots) has nobody to come back: of that there is never more than the state has open.
const INBOX_MAX: usize = 1_024;

/// How many commands are decided in one commit at most. It is full sooner if they are long: see [`COMMIT_BYTES_FULL`].
const DECIDED_AT_ONCE: usize = 256;

/// What is particular to an aggregate's host: how its effects are performed.
pub trait Shell<A: Aggregate>: Sized + Unpin + 'static {
    /// What has to be over before any of these commands is decided on this state, if anything has. It is asked once more
    /// when that is over.
    fn first<'a>(
        &mut self,
        state: &A,
        commands: impl Iterator<Item = &'a A::Command>,
    ) -> Option<BoxFuture<'static, ()>>
    where
        A::Command: 'a;

    /// Completes a command with what only the shell has, right before it is decided on this state.
    fn prepare(&mut self, state: &A, command: &mut A::Command, now: Timestamp) -> Option<A::Grants>;

    /// What a commit says that it answers.
    fn causation(command: &A::Command) -> &'static str;

    /// What people are told of a rejection.
    fn problem(rejection: &A::Rejection) -> Problem;

    /// Whether after that rejection the aggregate cannot go on.
    fn is_fatal(rejection: &A::Rejection) -> bool;

    /// What was decided is not stored: what was prepared for it is void.
    fn abandoned(&mut self);

    /// What was decided is durable: these effects were opened and closed.
    fn committed(
        &mut self,
        state: &A,
        changes: EffectChanges<A::Effect>,
        version: Version,
        actor: &mut Context<Host<A, Self>>,
    );

    /// The state was folded from the store.
    fn loaded(&mut self, state: &A, version: Version, actor: &mut Context<Host<A, Self>>);

    /// The aggregate cannot go on.
    fn parked(&mut self, problem: &Problem);

    /// Whether it may be put away until it is asked again.
    fn is_idle(&self, state: &A) -> bool;

    /// Whether nothing follows any more, so that it need not wait to be asked again.
    fn is_over(&self, state: &A) -> bool;

    /// It is put away; this is the address that nobody answers at any more.
    fn stopped(&mut self, address: &Addr<Host<A, Self>>);
}

/// Asks the aggregate something.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Submit<A: Aggregate> {
    /// What.
    pub command: A::Command,
    /// Where the answer goes, once it is durable.
    pub reply: Option<Reply>,
}

/// Where the answer to a command goes: the version after it, or why it was refused.
pub type Reply = oneshot::Sender<Result<Version, Problem>>;

/// What every host needs.
#[derive(Clone)]
pub struct HostContext {
    /// Where events live.
    pub store: Arc<dyn EventStore>,
    /// Content by its hash.
    pub library: Arc<Library>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// How long nobody needs an aggregate before it is put away.
    pub passivate_after: Duration,
    /// The folder with a folder for each run, if there is one.
    pub runs: Option<Arc<Path>>,
}

/// The actor of an aggregate.
pub struct Host<A: Aggregate, S: Shell<A>> {
    stream: StreamId,
    context: HostContext,
    state: A,
    head: Head,
    tail: Tail,
    /// Whether a snapshot is being saved.
    saving: bool,
    inbox: VecDeque<Submit<A>>,
    phase: Phase,
    shell: S,
    /// When it was last asked something.
    touched: Timestamp,
}

enum Phase {
    /// The state is being folded from the store.
    Loading,
    /// The state is what the store holds.
    Ready,
    /// The state is what the store holds, and something has to be over before the next decision.
    Waiting,
    /// A commit is on its way; the state is ahead of the store.
    Appending,
    /// It cannot go on.
    Parked(Problem),
}

impl<A: Aggregate, S: Shell<A>> Host<A, S> {
    /// A host for that stream. It loads when it starts.
    pub fn new(stream: StreamId, context: HostContext, shell: S) -> Self {
        let touched = context.clock.now();
        Self {
            stream,
            context,
            state: A::default(),
            head: Head::default(),
            tail: Tail::default(),
            saving: false,
            inbox: VecDeque::new(),
            phase: Phase::Loading,
            shell,
            touched,
        }
    }

    /// What performs its effects.
    pub fn shell(&mut self) -> &mut S {
        &mut self.shell
    }

    /// Does something with the shell and the state, if that is what the store holds.
    pub fn when_ready(&mut self, act: impl FnOnce(&mut S, &A, Version)) {
        if matches!(self.phase, Phase::Ready) {
            act(&mut self.shell, &self.state, self.head.version);
        }
    }

    fn load(&mut self, actor: &mut Context<Self>) {
        self.phase = Phase::Loading;
        let (store, stream) = (Arc::clone(&self.context.store), self.stream.clone());
        let loading = async move { load_upto(&*store, &stream, Version(u64::MAX)).await };
        actor.spawn(loading.into_actor(self).map(|loaded, host, actor| match loaded {
            Ok(Fold { state, head, tail }) => {
                (host.state, host.head, host.tail, host.phase) = (state, head, tail, Phase::Ready);
                host.shell.loaded(&host.state, host.head.version, actor);
                host.work(actor);
            }
            Err(problem) => host.park(problem),
        }));
    }

    /// Thousands of short runs may end in the time for which one that may be asked again is kept.
    pub(super) fn go_if_over(&self, actor: &mut Context<Self>) {
        if matches!(self.phase, Phase::Ready) && self.shell.is_over(&self.state) {
            actor.stop();
        }
    }

    fn park(&mut self, problem: Problem) {
        tracing::error!(stream = %self.stream, %problem, "parked");
        self.shell.parked(&problem);
        for waiting in self.inbox.drain(..) {
            answer(waiting.reply, Err(problem.clone()));
        }
        self.phase = Phase::Parked(problem);
    }

    /// Decides everything that waits, if nothing is on its way.
    fn work(&mut self, actor: &mut Context<Self>) {
        while matches!(self.phase, Phase::Ready) && !self.inbox.is_empty() {
            let next = self.inbox.iter().take(DECIDED_AT_ONCE).map(|waiting| &waiting.command);
            if let Some(first) = self.shell.first(&self.state, next) {
                return self.wait(first, actor);
            }
            let now = self.context.clock.now();
            let round = self.decide(now);
            if let Some(problem) = round.broken {
                round.answers.into_iter().for_each(|(reply, _)| answer(reply, Err(problem.clone())));
                self.shell.abandoned();
                return self.park(problem);
            }
            if round.sealing.count() == 0 {
                let version = self.head.version;
                self.shell.committed(&self.state, round.decided.changes, version, actor);
                round.answers.into_iter().for_each(|(reply, result)| answer(reply, result.map(|()| version)));
            } else {
                self.append(round, actor);
            }
        }
        self.go_if_over(actor);
    }

    fn wait(&mut self, first: BoxFuture<'static, ()>, actor: &mut Context<Self>) {
        self.phase = Phase::Waiting;
        actor.spawn(first.into_actor(self).map(|(), host, actor| {
            host.phase = Phase::Ready;
            host.work(actor);
        }));
    }

    fn decide(&mut self, now: Timestamp) -> Round<A> {
        let library = Arc::clone(&self.context.library);
        let mut sealing = Sealing::new(self.header(now), self.head.hash);
        let (mut answers, mut broken) = (Vec::new(), None);
        let mut draft = Draft::new(&mut self.state, &self.stream, self.head.version, now);
        while answers.len() < DECIDED_AT_ONCE && sealing.size_bytes() < COMMIT_BYTES_FULL && broken.is_none()
        {
            let Some(Submit { mut command, reply }) = self.inbox.pop_front() else { break };
            let grants = self.shell.prepare(draft.state(), &mut command, now);
            let moment = Moment { now, blobs: &*library, seed: 0, grants: grants.as_ref() };
            let emitted = draft.emitted();
            let result = A::decide(&mut draft, command, &moment).map_err(|rejection| {
                let problem = S::problem(&rejection);
                if draft.emitted() > emitted || S::is_fatal(&rejection) {
                    broken.get_or_insert(problem.clone());
                }
                problem
            });
            answers.push((reply, result));
            let fresh = draft.events().get(sealing.count()..).unwrap_or_default();
            if let Err(error) = fresh.iter().try_for_each(|event| sealing.push(event)) {
                let why = format!("what follows from that cannot be stored: {error}");
                broken.get_or_insert_with(|| Problem::new(Code::CommitRefused, why));
            }
        }
        let decided = draft.finish();
        if let Some(illegal) = &decided.illegal {
            broken = Some(Problem::new(Code::Internal, format!("an illegal decision: {illegal}")));
        }
        Round { decided, sealing, answers, broken }
    }

    /// Of the commit that answers what waits: it says what waited longest.
    fn header(&self, now: Timestamp) -> Header {
        Header {
            stream: self.stream.clone(),
            first: self.head.version.next(),
            recorded_at: now,
            correlation: None,
            causation: self.inbox.front().map_or("", |first| S::causation(&first.command)).into(),
            code_version: env!("CARGO_PKG_VERSION").into(),
            origin: None,
        }
    }

    fn append(&mut self, round: Round<A>, actor: &mut Context<Self>) {
        let Round { decided: Decided { blobs, changes, .. }, sealing, answers, .. } = round;
        let commit = sealing.finish();
        blobs.iter().for_each(|blob| self.context.library.keep(blob));
        let head = Head { version: commit.last(), hash: commit.last_hash() };
        commit.events.iter().for_each(|event| self.tail.grow(event.payload.len()));
        self.phase = Phase::Appending;
        let store = Arc::clone(&self.context.store);
        let appended = async move { store.append(commit, blobs).await };
        actor.spawn(appended.into_actor(self).map(move |result, host, actor| {
            host.appended(result.map(|_| head), changes, answers, actor);
        }));
    }

    fn appended(
        &mut self,
        result: Result<Head, AppendError>,
        changes: EffectChanges<A::Effect>,
        answers: Answers,
        actor: &mut Context<Self>,
    ) {
        match result {
            Ok(head) => {
                (self.head, self.phase) = (head, Phase::Ready);
                self.shell.committed(&self.state, changes, head.version, actor);
                answers.into_iter().for_each(|(reply, result)| answer(reply, result.map(|()| head.version)));
                self.take_snapshot(actor);
                self.work(actor);
            }
            Err(error) => {
                let problem = append_problem(&error);
                answers.into_iter().for_each(|(reply, _)| answer(reply, Err(problem.clone())));
                self.shell.abandoned();
                if matches!(error, AppendError::Conflict { .. }) {
                    tracing::warn!(stream = %self.stream, %error, "loading again");
                    self.load(actor);
                } else {
                    self.park(problem);
                }
            }
        }
    }

    /// Saves the state, if that is due and the last one is saved. Only the encoding is done here, at the speed of memory,
    /// when everybody has their answers; no commit waits for the rest.
    fn take_snapshot(&mut self, actor: &mut Context<Self>) {
        if self.saving || !self.tail.is_long() {
            return;
        }
        let bytes = match self.state.snapshot() {
            Ok(bytes) => bytes,
            Err(error) => {
                tracing::debug!(stream = %self.stream, %error, "no snapshot is taken");
                self.tail = Tail::default();
                return;
            }
        };
        self.tail = Tail::after(bytes.len());
        self.saving = true;
        let Head { version, hash } = self.head;
        let snapshot = Snapshot { version, hash, schema: A::SNAPSHOT_SCHEMA, bytes };
        let saved = snapshots::save(Arc::clone(&self.context.store), self.stream.clone(), snapshot);
        actor.spawn(saved.into_actor(self).map(|(), host, _| host.saving = false));
    }
}

/// What one round of deciding came to.
struct Round<A: Aggregate> {
    decided: Decided<A>,
    /// The commit of its events.
    sealing: Sealing,
    answers: Answers,
    /// Why nothing of it may be stored.
    broken: Option<Problem>,
}

type Answers = Vec<(Option<Reply>, Result<(), Problem>)>;

// Nothing in a host is ever pinned.
impl<A: Aggregate, S: Shell<A>> Unpin for Host<A, S> {}

impl<A: Aggregate, S: Shell<A>> Actor for Host<A, S> {
    type Context = Context<Self>;

    fn started(&mut self, actor: &mut Context<Self>) {
        self.load(actor);
        let every = self.context.passivate_after;
        actor.run_interval(every, |host, actor| {
            let unused = host.context.clock.now().since(host.touched) >= host.context.passivate_after;
            let idle = match host.phase {
                Phase::Ready => host.inbox.is_empty() && host.shell.is_idle(&host.state),
                Phase::Parked(_) => true,
                Phase::Loading | Phase::Waiting | Phase::Appending => false,
            };
            if unused && idle {
                actor.stop();
            }
        });
    }

    fn stopped(&mut self, actor: &mut Context<Self>) {
        self.shell.stopped(&actor.address());
    }
}

impl<A: Aggregate, S: Shell<A>> Handler<Submit<A>> for Host<A, S> {
    type Result = ();

    fn handle(&mut self, message: Submit<A>, actor: &mut Context<Self>) {
        self.touched = self.context.clock.now();
        if let Phase::Parked(problem) = &self.phase {
            return answer(message.reply, Err(problem.clone()));
        }
        if message.reply.is_some() && self.inbox.len() >= INBOX_MAX {
            let busy = Problem::new(Code::Busy, format!("{INBOX_MAX} commands wait for `{}`", self.stream));
            return answer(message.reply, Err(busy));
        }
        self.inbox.push_back(message);
        self.work(actor);
    }
}

/// What people are told when a commit was not stored.
pub fn append_problem(error: &AppendError) -> Problem {
    Problem::new(error.code(), error.to_string())
}

/// What people are told when something could not be read.
pub fn read_problem(error: &ReadError) -> Problem {
    Problem::new(error.code(), error.to_string())
}

fn answer(reply: Option<Reply>, result: Result<Version, Problem>) {
    if let Some(reply) = reply {
        // Whoever asked may have gone; what happened is recorded all the same.
        let _ = reply.send(result);
    }
}
