//! The executor that an agent works with, and how much it does at once.

use std::sync::Arc;

use crate::events::agent::Rate;
use crate::events::ids::AgentName;
use crate::events::json::BlobRef;
use crate::events::problem::{Code, Problem};
use crate::executors::{AgentDefinition, Executor, ExecutorKind, Executors};
use crate::kernel::Blobs;
use crate::workflow::definition::SHELL_AGENT;

/// An agent as this process can run it.
pub struct Member {
    /// The executor that does its work.
    pub executor: Arc<dyn Executor>,
    /// How many attempts it makes at once.
    pub slots: u32,
    /// How many attempts it starts in a given time, if that is limited.
    pub rate: Option<Rate>,
}

/// Everything that makes agents of their definitions.
#[derive(Clone)]
pub struct Roster {
    /// How work can be done in this process.
    pub executors: Executors,
    /// The agent that does steps with `run`.
    pub shell: AgentDefinition,
    /// How many attempts a function makes at once.
    pub function_slots: u32,
}

impl Roster {
    /// The agent with that name, as the run has it defined if it does; else `shell`, or a function.
    ///
    /// # Errors
    /// When there is no such agent in this process, or its definition cannot be read or run.
    pub fn member(
        &self,
        name: &AgentName,
        definition: Option<BlobRef>,
        blobs: &dyn Blobs,
    ) -> Result<Member, Problem> {
        let definition = match definition {
            Some(recorded) => read(name, recorded, blobs)?,
            None if name.as_str() == SHELL_AGENT => self.shell.clone(),
            None => AgentDefinition {
                executor: ExecutorKind::Function,
                concurrency: Some(self.function_slots),
                ..AgentDefinition::named(name.clone())
            },
        };
        let (slots, rate) = (definition.slots(), definition.rate);
        Ok(Member { executor: self.executors.of(&definition)?, slots, rate })
    }
}

fn read(name: &AgentName, recorded: BlobRef, blobs: &dyn Blobs) -> Result<AgentDefinition, Problem> {
    let bytes = blobs.read(&recorded.hash).map_err(|unreadable| unreadable.problem())?;
    serde_json::from_slice(&bytes)
        .map_err(|error| Problem::new(Code::BadAgent, format!("agent `{name}` as recorded: {error}")))
}
