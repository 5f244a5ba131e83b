//! Messages from one agent of this process to another that need not survive it: none of them is recorded.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use actix::dev::SendError;
use actix::dev::channel::channel;
use actix::{Actor, Addr, ArbiterHandle, AsyncContext, Context, Handler, Message, WrapFuture};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::oneshot;

use crate::events::ids::AgentName;
use crate::events::problem::{Code, Problem};
use crate::executors::function::message::{self, Alone, Handlers};
use crate::executors::{Failure, panicked};

/// Messages that may wait for an agent; beyond it who sends is told so.
const MAILBOX: usize = 4_096;

/// The way to an agent for messages that need not survive this process. It handles one after the other.
#[derive(Clone)]
pub struct Inbox {
    agent: AgentName,
    handlers: Arc<Handlers>,
    address: Addr<Receiver>,
}

/// The actor that handles them.
struct Receiver;

/// What handles one message.
#[derive(Message)]
#[rtype(result = "()")]
struct Ephemeral(Box<dyn FnOnce() -> BoxFuture<'static, ()> + Send>);

impl Actor for Receiver {
    type Context = Context<Self>;
}

impl Handler<Ephemeral> for Receiver {
    type Result = ();

    fn handle(&mut self, Ephemeral(handle): Ephemeral, actor: &mut Context<Self>) {
        let mut work = handle();
        // Most are done at once. The others keep those behind them waiting: that keeps all in order.
        if (&mut work).now_or_never().is_none() {
            actor.wait(work.into_actor(self));
        }
    }
}

impl Inbox {
    /// The inbox of an agent, that lives on this thread.
    pub(super) fn start(agent: AgentName, handlers: Arc<Handlers>, arbiter: &ArbiterHandle) -> Self {
        // Its mailbox has its size before the thread comes to start it.
        let (sender, mailbox) = channel(MAILBOX);
        arbiter.spawn_fn(move || drop(actix::spawn(Context::with_receiver(mailbox).into_future(Receiver))));
        Self { agent, handlers, address: Addr::new(sender) }
    }

    /// The agent.
    pub fn agent(&self) -> &AgentName {
        &self.agent
    }

    /// Whether the agent handles messages of that type.
    pub fn handles<M: message::Message>(&self) -> bool {
        self.handlers.alone::<M>().is_some()
    }

    /// Sends a message, and does not wait until it is handled. What becomes of it nobody hears.
    ///
    /// # Errors
    /// [`Code::WrongMessage`] for a type that the agent does not handle, or handles only within runs; [`Code::MailboxFull`];
    /// [`Code::ShuttingDown`].
    pub fn tell<M: message::Message>(&self, message: M) -> Result<(), Problem> {
        let handle = self.handlers.alone::<M>().ok_or_else(|| self.wrong::<M>())?;
        let agent = self.agent.clone();
        let work = move || {
            let work = caught(handle, message);
            let told = async move {
                if let Err(failure) = work.await {
                    tracing::warn!(%agent, message = M::NAME, %failure, "a message was not handled");
                }
            };
            told.boxed()
        };
        self.send(Ephemeral(Box::new(work)))
    }

    /// Sends a message and waits for the answer, for so long. Needs a tokio runtime with a clock.
    ///
    /// # Errors
    /// The same; [`Code::AnswerLate`]; whatever the agent fails with.
    pub async fn ask<M: message::Message>(&self, message: M, within: Duration) -> Result<M::Answer, Problem> {
        let handle = self.handlers.alone::<M>().ok_or_else(|| self.wrong::<M>())?;
        let (reply, answer) = oneshot::channel();
        let work = move || {
            let work = caught(handle, message);
            // Nobody waits any more for an answer that comes too late.
            async move { drop(reply.send(work.await)) }.boxed()
        };
        self.send(Ephemeral(Box::new(work)))?;
        match tokio::time::timeout(within, answer).await {
            Ok(Ok(answer)) => answer.map_err(|failure| Problem::new(failure.code, failure.message)),
            Ok(Err(_)) => Err(self.gone()),
            Err(_) => {
                let within = crate::events::time::format_duration(within);
                let message = format!("`{}` has not answered within {within}", self.agent);
                Err(Problem::new(Code::AnswerLate, message))
            }
        }
    }

    fn send(&self, message: Ephemeral) -> Result<(), Problem> {
        self.address.try_send(message).map_err(|error| match error {
            SendError::Full(_) => {
                let message = format!("{MAILBOX} messages wait for `{}`", self.agent);
                Problem::new(Code::MailboxFull, message)
            }
            SendError::Closed(_) => self.gone(),
        })
    }

    fn gone(&self) -> Problem {
        Problem::new(Code::ShuttingDown, format!("`{}` handles no messages any more", self.agent))
    }

    fn wrong<M: message::Message>(&self) -> Problem {
        let why = match self.handlers.types().iter().any(|known| *known.name == *M::NAME) {
            true => "only within runs: what handles them takes a `MessageCall`",
            false => "not",
        };
        let message = format!("`{}` handles messages of the type `{}` {why}", self.agent, M::NAME);
        Problem::new(Code::WrongMessage, message)
    }
}

/// Handles a message. A closure that panics has failed at it, and goes on with the next.
fn caught<M: message::Message>(
    handle: Alone<M>,
    message: M,
) -> impl Future<Output = Result<M::Answer, Failure>> + Send {
    let work = async move { handle.call(message).await };
    AssertUnwindSafe(work).catch_unwind().map(|done| done.unwrap_or_else(|panic| Err(panicked(&*panic))))
}
