//! An agent of this program, in the hands of the program: messages to it that need not survive the process.

use std::time::Duration;

use super::Engine;
use super::link::Link;
use crate::actors::agents::inbox::Inbox;
use crate::events::ids::AgentName;
use crate::events::problem::{Code, Problem, nearest};
use crate::executors::function::message::Message;

/// An agent of this program that handles messages. What is said to it through this is not recorded: it is handled while the engine
/// lives, at most once, in the order in which one thread sends it, and by no other process. What agents say to each other within a
/// run is recorded: see [`crate::FunctionCall::ask`] and [`crate::FunctionCall::send`].
#[derive(Clone)]
pub struct AgentHandle {
    link: Link,
    inbox: Inbox,
}

impl Engine {
    /// An agent that [`super::builder::Builder::on`] has given messages to handle.
    ///
    /// # Errors
    /// [`Code::UnknownFunction`] for one that handles none, or is not of this process; [`Code::ShuttingDown`].
    pub fn agent(&self, name: &str) -> Result<AgentHandle, Problem> {
        let name = AgentName::new(name);
        let inbox = self.link.agents()?.and_then(|agents| agents.inbox(&name));
        let Some(inbox) = inbox else {
            let message = format!("no agent `{name}` of this program handles messages");
            let problem = Problem::new(Code::UnknownFunction, message);
            let known = self.link.agents()?.map(|agents| agents.inboxes()).unwrap_or_default();
            let near = nearest(name.as_str(), known.iter().map(|inbox| inbox.agent().as_str()));
            return Err(match near {
                Some(near) => problem.hint(format!("did you mean `{near}`?")),
                None => problem.hint("give it a type of messages with `Builder::on`"),
            });
        };
        Ok(AgentHandle { link: self.link.clone(), inbox })
    }

    /// Says something to every agent of this program that handles messages of that type. Answers to how many.
    ///
    /// # Errors
    /// The first error of [`AgentHandle::tell`]; the others are told all the same.
    pub fn broadcast<M: Message + Clone>(&self, message: &M) -> Result<usize, Problem> {
        let all = self.link.agents()?.map(|agents| agents.inboxes()).unwrap_or_default();
        let handling: Vec<Inbox> = all.into_iter().filter(Inbox::handles::<M>).collect();
        let told: Vec<_> = handling.iter().map(|inbox| inbox.tell(message.clone())).collect();
        told.into_iter().collect::<Result<Vec<()>, _>>().map(|told| told.len())
    }
}

impl AgentHandle {
    /// Says something to the agent, without waiting until it is handled. What becomes of it nobody hears.
    ///
    /// # Errors
    /// [`Code::WrongMessage`] for a type that the agent does not handle, or handles only within runs; [`Code::MailboxFull`];
    /// [`Code::ShuttingDown`].
    pub fn tell<M: Message>(&self, message: M) -> Result<(), Problem> {
        self.inbox.tell(message)
    }

    /// Asks the agent and waits for the answer, for so long.
    ///
    /// # Errors
    /// The same; [`Code::AnswerLate`]; whatever the agent fails with.
    pub async fn ask<M: Message>(&self, message: M, within: Duration) -> Result<M::Answer, Problem> {
        let inbox = self.inbox.clone();
        self.link.within(async move { inbox.ask(message, within).await }).await
    }
}
