//! The actor around a core: it carries out what comes out of it, and feeds it what happens. All that is decided is decided
//! in the core.

mod handlers;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Weak};

use actix::{Actor, ActorContext, ActorFutureExt, AsyncContext, Context, WrapFuture};
use futures_util::FutureExt;
use tokio::sync::watch;
use tokio::task::spawn_blocking;

use super::book::Book;
use super::contain::{contained, panicked};
use super::context::{HostContext, append_problem};
use super::live::Live;
use super::load::load_upto;
use super::memory::Memory;
use super::messages::{LeaveAlone, Reply};
use super::post::{self, Letter, Outstanding};
use super::shell::{EffectId, Shell};
use super::{Hosting, snapshots};
use crate::events::commit::Commit;
use crate::events::decision::Causation;
use crate::events::ids::{StreamId, Version};
use crate::events::json::Blob;
use crate::events::problem::Problem;
use crate::kernel::core::{Driving, Envelope, HostCore, Input, Output, Residency};
use crate::kernel::fold::{Content, Fold};
use crate::kernel::{Aggregate, Effect, Lasts, Message, Now};
use crate::store::{AppendError, Snapshot};

/// The actor of an aggregate.
pub struct Host<A: Aggregate, S: Shell<A>> {
    stream: StreamId,
    /// None while a thread that may block decides: until then nothing else is handled.
    life: Option<Box<Life<A, S>>>,
    memory: Memory,
    asked: Outstanding<EffectId<A>>,
    hosting: Weak<Hosting>,
    book: Arc<Book>,
    live: watch::Sender<Live>,
}

/// The core that decides, and the shell that it borrows.
struct Life<A: Aggregate, S> {
    core: HostCore<A, Reply>,
    shell: S,
}

impl<A: Aggregate, S: Shell<A>> Host<A, S> {
    /// A host for that stream. It loads when it starts.
    pub fn new(
        stream: StreamId,
        driving: Driving,
        shell: S,
        hosting: &Arc<Hosting>,
        live: watch::Sender<Live>,
    ) -> Self {
        let book = Arc::clone(hosting.book());
        let HostContext { clock, passivate_after, .. } = book.context();
        let now = clock.now();
        // It may have been put away while it slept.
        let since = book.driven_since(&stream).unwrap_or(now.steady);
        let core = HostCore::new(stream.clone(), driving, since, now, *passivate_after);
        let life = Some(Box::new(Life { core, shell }));
        let (memory, asked, hosting) = (Memory::default(), Outstanding::default(), Arc::downgrade(hosting));
        Self { stream, life, memory, asked, hosting, book, live }
    }

    /// Takes something in, and carries out what follows.
    fn feed(&mut self, input: Input<A, Reply>, actor: &mut Context<Self>) {
        let now = self.book.context().clock.now();
        self.contain(actor, |host, life, actor| {
            life.core.feed(input, now);
            host.carry_out(life, actor);
        });
        self.go_on(now, actor);
    }

    /// Lets it decide as long as it wants to: here if all that it may read is in memory, else on a thread that may block.
    fn go_on(&mut self, now: Now, actor: &mut Context<Self>) {
        while self.life.as_ref().is_some_and(|life| life.core.wants_to_decide()) {
            if !self.memory.holds_all(&self.book.context().library) {
                return self.decide_elsewhere(actor);
            }
            self.contain(actor, |host, life, actor| {
                life.core.decide(&mut life.shell);
                host.carry_out(life, actor);
            });
        }
        self.contain(actor, |host, life, actor| {
            life.core.go_if_over(now);
            host.carry_out(life, actor);
        });
    }

    fn decide_elsewhere(&mut self, actor: &mut Context<Self>) {
        let Some(mut life) = self.life.take() else { return };
        let decided = spawn_blocking(move || {
            let decided = catch_unwind(AssertUnwindSafe(|| life.core.decide(&mut life.shell)));
            if let Err(panic) = decided {
                life.core.park(panicked(&*panic));
            }
            life
        });
        actor.wait(decided.into_actor(self).map(|life, host, actor| {
            // Without an answer the process ends.
            let Ok(life) = life else { return actor.stop() };
            host.life = Some(life);
            host.contain(actor, |host, life, actor| host.carry_out(life, actor));
            let now = host.book.context().clock.now();
            host.go_on(now, actor);
        }));
    }

    /// Whatever panics parks this stream, and no other.
    fn contain(
        &mut self,
        actor: &mut Context<Self>,
        act: impl FnOnce(&mut Self, &mut Life<A, S>, &mut Context<Self>),
    ) {
        let Some(mut life) = self.life.take() else { return };
        let done = catch_unwind(AssertUnwindSafe(|| act(self, &mut life, actor)));
        if let Err(panic) = done {
            life.core.park(panicked(&*panic));
            // What panics once more is left undone.
            let _ = catch_unwind(AssertUnwindSafe(|| self.carry_out(&mut life, actor)));
        }
        self.life = Some(life);
    }

    fn carry_out(&mut self, life: &mut Life<A, S>, actor: &mut Context<Self>) {
        let Life { core, shell } = life;
        while let Some(output) = core.output() {
            let state = core.durable().map(|(state, _)| state);
            match (output, state) {
                (Output::Load, _) => {
                    shell.take_back();
                    self.load(actor);
                }
                (Output::Append { commit, blobs }, _) => self.append(commit, blobs, actor),
                (Output::Clear(effects), Some(state)) => {
                    // What does not end in order is in the way of the next attempt, which says so.
                    let cleared = AssertUnwindSafe(shell.clear(state, effects)).catch_unwind();
                    self.then(cleared, |_| Input::Cleared, actor);
                }
                (Output::Perform { effect, residency }, Some(state)) => match state.message(&effect) {
                    Some(message) => self.say(effect, message, (core, residency), actor),
                    None => shell.perform(state, effect),
                },
                (Output::Close { effect, given_up }, Some(state)) => {
                    self.asked.forget(&effect);
                    shell.close(state, &effect, given_up);
                }
                (Output::Clear(_) | Output::Perform { .. } | Output::Close { .. }, None) => {}
                // Whoever asked may have gone; what happened is recorded all the same.
                (Output::Reply { to, result }, _) => drop(to.send(result)),
                (Output::Show, _) => self.show(core, shell),
                (Output::Driven(driven), _) => {
                    tracing::debug!(stream = %self.stream, driven, "goes on by itself, or does not any more");
                    self.book.note_driven(&self.stream, driven.then(|| core.driven_since()));
                }
                (Output::Wake(due), _) => self.book.wake_at(&self.stream, due),
                (Output::Snapshot { head, bytes }, _) => {
                    let schema = Fold::<A>::SNAPSHOT_SCHEMA;
                    let snapshot = Snapshot { version: head.version, hash: head.hash, schema, bytes };
                    let store = Arc::clone(&self.book.context().store);
                    let saved = snapshots::save(store, self.stream.clone(), snapshot);
                    self.then(saved, |()| Input::Saved, actor);
                }
                (Output::LeftAlone(problem), _) => {
                    tracing::warn!(stream = %self.stream, %problem, "left alone");
                    self.cannot_go_on(&problem);
                }
                (Output::Parked(problem), _) => {
                    tracing::error!(stream = %self.stream, %problem, "parked");
                    shell.take_back();
                    shell.parked();
                    self.cannot_go_on(&problem);
                }
                (Output::Passivate, _) => {
                    tracing::trace!(stream = %self.stream, "put away");
                    actor.stop();
                }
            }
        }
    }

    /// Whoever sees it through, or waits for something of it, hears why that does not come.
    fn cannot_go_on(&self, problem: &Problem) {
        self.live.send_modify(|live| live.parked = Some(problem.clone()));
        self.book.note_parked(&self.stream, problem);
    }

    /// Says something to another stream. That outlives this host: what it says last it says when it is over.
    fn say(
        &mut self,
        effect: A::Effect,
        message: Message,
        (core, residency): (&HostCore<A, Reply>, Option<Residency>),
        actor: &Context<Self>,
    ) {
        let root = core.correlation().cloned();
        let root = root.unwrap_or_else(|| self.stream.parts().map_or("", |(_, id)| id).into());
        let (id, lasts) = (effect.id(), effect.lasts() == Lasts::Answer);
        let (asks, insists) = (message.asks, message.insists);
        let drives = residency.filter(|_| asks);
        let (hosting, stream) = (Weak::clone(&self.hosting), self.stream.clone());
        let causation = Some(Causation { stream: stream.clone(), effect: Arc::clone(&message.effect) });
        let envelope = Envelope { id: message.id, causation, correlation: Some(root), asks };
        let letter = Letter::new(&self.book, &self.stream, message, envelope, drives);
        let (book, host) = (Arc::clone(&self.book), actor.address());
        let on_its_way = book.on_its_way(&self.stream);
        let told = actix::spawn(async move {
            let to = letter.message.to.clone();
            let follows = |answer| (asks || insists).then(|| A::answered(&effect, answer)).flatten();
            let asking = lasts.then(|| book.asks(&to));
            let Some(mut answer) = letter.bring(&hosting).await else { return };
            if let Ok(version) = answer {
                if let Some(command) = follows(Ok(version)) {
                    post::tell::<A>(&hosting, &stream, command).await;
                    if asks {
                        return;
                    }
                }
                if !asks {
                    // What follows from it for others is said too.
                    return book.delivered(&to).await;
                }
                let Some(asking) = asking else { return };
                drop(on_its_way);
                let Some(problem) = asking.cannot_go_on().await else { return };
                answer = Err(problem);
            }
            let Err(problem) = answer else { return };
            match follows(Err(problem.clone())) {
                Some(command) => post::tell::<A>(&hosting, &stream, command).await,
                None if lasts || insists => drop(host.send(LeaveAlone(problem)).await),
                None => tracing::debug!(%stream, %to, %problem, "what was said is not heard"),
            }
        });
        if lasts {
            self.asked.note(id, told);
        }
    }

    /// Shows what is durable. Whoever waits is woken at milestones only.
    fn show(&self, core: &HostCore<A, Reply>, shell: &mut S) {
        let Some((state, version)) = core.durable() else {
            return self.stirs();
        };
        let (attention, driven) = (core.attention(), core.driving().is_driven());
        let mut live = self.live.borrow().clone();
        let before = live.milestones();
        (live.version, live.loaded, live.parked) = (version, true, core.left_alone().cloned());
        (live.status, live.attention) = (state.status(), attention);
        live.at_rest = core.is_at_rest();
        live.in_flight = core.in_flight();
        live.busy = live.in_flight > 0;
        shell.show(state, driven, &mut live);
        let is_news = live.milestones() != before;
        self.live.send_if_modified(|seen| {
            *seen = live;
            is_news
        });
    }

    /// Shows that it does not rest, while it is not known how it is.
    fn stirs(&self) {
        self.live.send_if_modified(|live| std::mem::replace(&mut live.at_rest, false));
    }

    fn load(&self, actor: &mut Context<Self>) {
        let (store, stream) = (Arc::clone(&self.book.context().store), self.stream.clone());
        tracing::trace!(%stream, "is loaded");
        let fold = async move { load_upto::<A>(&*store, &stream, Version(u64::MAX), Content::none()).await };
        actor.spawn(contained(fold).into_actor(self).map(|mut loaded, host, actor| {
            if let Ok(fold) = &mut loaded {
                host.memory = Memory::of(std::mem::take(&mut fold.content));
            }
            let loaded = loaded.map(Box::new);
            host.feed(Input::Loaded(loaded), actor);
        }));
    }

    fn append(&mut self, commit: Commit, blobs: Vec<Blob>, actor: &mut Context<Self>) {
        self.memory.keep(&blobs, &self.book.context().library);
        let (store, stream) = (Arc::clone(&self.book.context().store), self.stream.clone());
        let (first, events) = (commit.header.first.0, commit.events.len());
        tracing::trace!(%stream, first, events, blobs = blobs.len(), "commits");
        let appended = async move { store.append(commit, blobs).await };
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

    /// Feeds what comes of something.
    fn then<T: 'static>(
        &self,
        future: impl Future<Output = T> + 'static,
        input: impl FnOnce(T) -> Input<A, Reply> + 'static,
        actor: &mut Context<Self>,
    ) {
        actor.spawn(future.into_actor(self).map(|result, host, actor| host.feed(input(result), actor)));
    }
}

// Nothing in a host is ever pinned.
impl<A: Aggregate, S: Shell<A>> Unpin for Host<A, S> {}

impl<A: Aggregate, S: Shell<A>> Actor for Host<A, S> {
    type Context = Context<Self>;

    fn started(&mut self, actor: &mut Context<Self>) {
        let address = actor.address().recipient();
        self.contain(actor, |host, life, actor| {
            life.shell.started(address);
            host.carry_out(life, actor);
        });
        let every = self.book.context().passivate_after;
        actor.run_interval(every, |host, actor| host.feed(Input::Tick, actor));
    }

    fn stopped(&mut self, _: &mut Context<Self>) {
        self.book.forget(&self.stream, &self.live);
    }
}
