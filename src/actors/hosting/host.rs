//! The actor around a core: it carries out what comes out of it, and feeds it what happens. All that is decided is decided
//! in the core.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, ActorContext, ActorFutureExt, Addr, AsyncContext, Context, Handler, Message, WrapFuture};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::{oneshot, watch};

use super::book::Hosting;
use super::live::Live;
use super::load::load_upto;
use super::snapshots;
use crate::actors::clock::Clock;
use crate::actors::library::Library;
use crate::events::commit::Commit;
use crate::events::ids::{StreamId, Version};
use crate::events::json::Blob;
use crate::events::problem::{Code, Problem};
use crate::kernel::core::{Driving, HostCore, Input, Lender, Output, Whose};
use crate::kernel::{Aggregate, Effect};
use crate::store::{AppendError, EventStore, ReadError, Snapshot};

/// The id of an effect of an aggregate.
pub type EffectId<A> = <<A as Aggregate>::Effect as Effect>::Id;

/// What is particular to a kind of streams: how effects are performed, and what decisions borrow.
pub trait Shell<A: Aggregate>: Lender<A> + Sized + Send + Unpin + 'static {
    /// What is seen of it beside [`Live`].
    type View: Clone + Send + Sync + 'static;
    /// What it is told, beside what the aggregate is asked.
    type Message: Send + 'static;

    /// What is seen of it, as it changes.
    fn view(&self) -> Self::View;

    /// Its host is there.
    fn started(&mut self, host: Addr<Host<A, Self>>);

    /// Performs an effect. What lasts is reported by a [`Heard::Settled`].
    fn perform(&mut self, state: &A, effect: A::Effect);

    /// An effect is not open any more, or not performed here any more. If it was given up it is to be stopped.
    fn close(&mut self, state: &A, effect: &EffectId<A>, given_up: bool);

    /// Ends what these effects left running, whose process is gone.
    fn clear(&mut self, state: &A, effects: Vec<A::Effect>) -> BoxFuture<'static, ()>;

    /// What a message means for the aggregate.
    fn told(&mut self, message: Self::Message) -> Heard<A>;

    /// This state is durable. It may say more of what is seen.
    fn show(&mut self, state: &A, driven: bool, live: &mut Live);

    /// It cannot go on.
    fn parked(&mut self, problem: &Problem);
}

/// What a message means for an aggregate.
pub enum Heard<A: Aggregate> {
    /// Something else is to be seen of it.
    Seen,
    /// It is asked this.
    Command(A::Command),
    /// An effect that lasts is over: with the command that tells what came of it, or because this process let go of it.
    Settled(EffectId<A>, Option<A::Command>),
}

/// Asks the aggregate something.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Submit<A: Aggregate> {
    /// What.
    pub command: A::Command,
    /// Whether it goes on by itself from this command on, if the command begins it.
    pub drives: bool,
    /// Where the answer goes, once it is durable.
    pub reply: Option<Reply>,
}

/// Tells the shell something.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Tell<M: Send>(pub M);

/// What any stream is asked, whatever its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub enum Control {
    /// To go on by itself.
    Drive(Whose),
    /// To stay as it is: nothing starts any more, and what runs goes on.
    LetGo,
    /// The same, whoever asks it to go on after that: the process ends.
    Close,
    /// To look at the time.
    Tick,
}

/// Asks to record as lost what a process left open that is gone.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Recover(pub Reply);

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
    core: HostCore<A, Reply>,
    shell: S,
    hosting: Arc<Hosting>,
    live: watch::Sender<Live>,
}

impl<A: Aggregate, S: Shell<A>> Host<A, S> {
    /// A host for that stream. It loads when it starts.
    pub fn new(
        stream: StreamId,
        driving: Driving,
        shell: S,
        hosting: Arc<Hosting>,
        live: watch::Sender<Live>,
    ) -> Self {
        let context = hosting.context();
        let core = HostCore::new(stream, driving, context.clock.now(), context.passivate_after);
        Self { core, shell, hosting, live }
    }

    /// Takes something in, and carries out what follows. Whatever panics in it parks this stream, and no other.
    fn feed(&mut self, input: Input<A, Reply>, actor: &mut Context<Self>) {
        let now = self.hosting.context().clock.now();
        self.contain(actor, |host, actor| {
            host.core.feed(input, now);
            host.carry_out(actor);
            while host.core.wants_to_decide() {
                host.core.decide(&mut host.shell);
                host.carry_out(actor);
            }
            host.core.go_if_over(now);
            host.carry_out(actor);
        });
    }

    fn contain(&mut self, actor: &mut Context<Self>, act: impl FnOnce(&mut Self, &mut Context<Self>)) {
        let Err(panic) = catch_unwind(AssertUnwindSafe(|| act(self, actor))) else { return };
        self.core.park(panicked(&*panic));
        // What panics once more is left undone.
        let _ = catch_unwind(AssertUnwindSafe(|| self.carry_out(actor)));
    }

    fn carry_out(&mut self, actor: &mut Context<Self>) {
        while let Some(output) = self.core.output() {
            match output {
                Output::Load => self.load(actor),
                Output::Append { commit, blobs } => self.append(commit, blobs, actor),
                Output::Clear(effects) => self.clear(effects, actor),
                Output::Perform(effect) => self.with_state(|shell, state| shell.perform(state, effect)),
                Output::Close { effect, given_up } => {
                    self.with_state(|shell, state| shell.close(state, &effect, given_up));
                }
                // Whoever asked may have gone; what happened is recorded all the same.
                Output::Reply { to, result } => drop(to.send(result)),
                Output::Show => self.show(),
                Output::Driven(driven) => self.hosting.note_driven(self.core.stream(), driven),
                Output::Wake(at) => self.hosting.wake_at(self.core.stream(), at),
                Output::Snapshot { head, bytes } => {
                    let (store, stream) = (self.store(), self.core.stream().clone());
                    let snapshot = Snapshot {
                        version: head.version,
                        hash: head.hash,
                        schema: A::SNAPSHOT_SCHEMA,
                        bytes,
                    };
                    self.then(snapshots::save(store, stream, snapshot), |()| Input::Saved, actor);
                }
                Output::Parked(problem) => {
                    tracing::error!(stream = %self.core.stream(), %problem, "parked");
                    self.shell.take_back();
                    self.shell.parked(&problem);
                    self.live.send_modify(|live| live.parked = Some(problem));
                }
                Output::Passivate => actor.stop(),
            }
        }
    }

    fn with_state(&mut self, act: impl FnOnce(&mut S, &A)) {
        if let Some((state, _)) = self.core.durable() {
            act(&mut self.shell, state);
        }
    }

    /// Shows what is durable. Whoever waits is woken at milestones only.
    fn show(&mut self) {
        let Some((state, version)) = self.core.durable() else { return };
        let attention = state.attention();
        let driven = self.core.driving().is_driven();
        // What is driven though nothing follows but what people do is about to see that they are too late.
        let at_rest = version > Version(0) && attention.is_at_rest() && !driven;
        let (in_flight, shell) = (self.core.in_flight(), &mut self.shell);
        self.live.send_if_modified(|live| {
            let before = live.milestones();
            (live.version, live.loaded, live.parked) = (version, true, None);
            (live.status, live.attention) = (state.status(), attention);
            (live.at_rest, live.in_flight) = (at_rest, in_flight);
            shell.show(state, driven, live);
            live.milestones() != before
        });
    }

    fn load(&mut self, actor: &mut Context<Self>) {
        self.shell.take_back();
        let (store, stream) = (self.store(), self.core.stream().clone());
        let fold = async move { load_upto(&*store, &stream, Version(u64::MAX)).await.map(Box::new) };
        let fold = AssertUnwindSafe(fold).catch_unwind();
        let fold = fold.map(|folded| folded.unwrap_or_else(|panic| Err(panicked(&*panic))));
        self.then(fold, Input::Loaded, actor);
    }

    fn append(&mut self, commit: Commit, blobs: Vec<Blob>, actor: &mut Context<Self>) {
        blobs.iter().for_each(|blob| self.hosting.context().library.keep(blob));
        let store = self.store();
        let appended = async move { store.append(commit, blobs).await };
        let stream = self.core.stream().clone();
        let input = move |result| match result {
            Ok(_) => Input::Appended,
            Err(error @ AppendError::Conflict { .. }) => {
                tracing::warn!(%stream, %error, "loading again");
                Input::Conflict(append_problem(&error))
            }
            Err(error) => Input::Failed(append_problem(&error)),
        };
        self.then(appended, input, actor);
    }

    fn clear(&mut self, effects: Vec<A::Effect>, actor: &mut Context<Self>) {
        let Some((state, _)) = self.core.durable() else { return };
        let cleared = self.shell.clear(state, effects);
        self.then(cleared, |()| Input::Cleared, actor);
    }

    /// Feeds what comes of something.
    fn then<T: 'static>(
        &self,
        future: impl Future<Output = T> + 'static,
        input: impl FnOnce(T) -> Input<A, Reply> + 'static,
        actor: &mut Context<Self>,
    ) {
        actor.spawn(future.into_actor(self).map(|result, host, actor| host.feed(input(result), actor)));
    }

    fn store(&self) -> Arc<dyn EventStore> {
        Arc::clone(&self.hosting.context().store)
    }
}

fn panicked(panic: &(dyn Any + Send)) -> Problem {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    Problem::new(Code::Internal, format!("it panicked: {}", text.unwrap_or("no message")))
}

// Nothing in a host is ever pinned.
impl<A: Aggregate, S: Shell<A>> Unpin for Host<A, S> {}

impl<A: Aggregate, S: Shell<A>> Actor for Host<A, S> {
    type Context = Context<Self>;

    fn started(&mut self, actor: &mut Context<Self>) {
        self.shell.started(actor.address());
        self.contain(actor, Self::carry_out);
        let every = self.hosting.context().passivate_after;
        actor.run_interval(every, |host, actor| host.feed(Input::Tick, actor));
    }

    fn stopped(&mut self, _: &mut Context<Self>) {
        self.hosting.forget(self.core.stream(), &self.live);
    }
}

impl<A: Aggregate, S: Shell<A>> Handler<Submit<A>> for Host<A, S> {
    type Result = ();

    fn handle(&mut self, Submit { command, drives, reply }: Submit<A>, actor: &mut Context<Self>) {
        self.feed(Input::Command { command, drives, reply }, actor);
    }
}

impl<A: Aggregate, S: Shell<A>> Handler<Recover> for Host<A, S> {
    type Result = ();

    fn handle(&mut self, Recover(reply): Recover, actor: &mut Context<Self>) {
        self.feed(Input::Recover { reply: Some(reply) }, actor);
    }
}

impl<A: Aggregate, S: Shell<A>> Handler<Control> for Host<A, S> {
    type Result = ();

    fn handle(&mut self, control: Control, actor: &mut Context<Self>) {
        let input = match control {
            Control::Drive(whose) => Input::Drive(whose),
            Control::LetGo => Input::LetGo,
            Control::Close => Input::Close,
            Control::Tick => Input::Tick,
        };
        self.feed(input, actor);
    }
}

impl<A: Aggregate, S: Shell<A>> Handler<Tell<S::Message>> for Host<A, S> {
    type Result = ();

    fn handle(&mut self, Tell(message): Tell<S::Message>, actor: &mut Context<Self>) {
        match self.shell.told(message) {
            Heard::Seen => self.show(),
            Heard::Command(command) => {
                self.feed(Input::Command { command, drives: false, reply: None }, actor)
            }
            Heard::Settled(effect, command) => self.feed(Input::Settled { effect, command }, actor),
        }
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
