//! Which executor an agent works with, and how much it does at once.

use std::sync::Arc;

use crate::events::ids::AgentName;
use crate::events::json::BlobRef;
use crate::events::problem::{Code, Problem};
use crate::executors::definition::{AgentDefinition, ExecutorKind};
use crate::executors::function::{FunctionExecutor, Functions};
use crate::executors::subprocess::{SubprocessExecutor, SubprocessOptions};
use crate::executors::{DEFAULT_CONCURRENCY, Executor};
use crate::workflow::aggregate::Blobs;
use crate::workflow::definition::SHELL_AGENT;

/// An agent as this process can run it.
#[derive(Clone)]
pub struct Member {
    /// How it works.
    pub executor: Arc<dyn Executor>,
    /// How many attempts it makes at once.
    pub concurrency: u32,
}

/// All agents that this process knows without a run's help, and what makes others of their definitions.
#[derive(Clone)]
pub struct Roster {
    /// Rust closures by name: each is an agent.
    pub functions: Functions,
    /// How many attempts a function makes at once.
    pub function_concurrency: u32,
    /// How programs are run.
    pub subprocess: SubprocessOptions,
    /// How many steps with `run` are done at once.
    pub shell_concurrency: u32,
}

impl Roster {
    /// The agent with that name, as the run has it defined if it does.
    ///
    /// # Errors
    /// When there is no such agent in this process, or its definition cannot be read or run.
    pub fn member(
        &self, name: &AgentName, definition: Option<BlobRef>, blobs: &dyn Blobs,
    ) -> Result<Member, Problem> {
        if let Some(definition) = definition {
            let bytes = blobs.read(&definition.hash).map_err(|unreadable| unreadable.problem())?;
            let definition: AgentDefinition = serde_json::from_slice(&bytes)
                .map_err(|error| Problem::new(Code::BadAgent, format!("agent `{name}`: {error}")))?;
            return self.defined(&definition);
        }
        if name.as_str() == SHELL_AGENT {
            let executor = Arc::new(SubprocessExecutor::shell(self.subprocess.clone()));
            return Ok(Member { executor, concurrency: self.shell_concurrency });
        }
        if self.functions.contains(name) {
            let executor = Arc::new(FunctionExecutor::new(self.functions.clone()));
            return Ok(Member { executor, concurrency: self.function_concurrency });
        }
        Err(Problem::new(Code::UnknownAgent, format!("this process has no agent `{name}`")))
    }

    fn defined(&self, definition: &AgentDefinition) -> Result<Member, Problem> {
        let concurrency = definition.concurrency.unwrap_or(DEFAULT_CONCURRENCY);
        let executor: Arc<dyn Executor> = match definition.executor {
            ExecutorKind::Function => Arc::new(FunctionExecutor::new(self.functions.clone())),
            ExecutorKind::Subprocess => {
                Arc::new(SubprocessExecutor::agent(self.subprocess.clone(), definition.command.clone()))
            }
            other => {
                let message = format!("agent `{}`: its executor `{other}` is not supported", definition.name);
                return Err(Problem::new(Code::NotBuilt, message));
            }
        };
        Ok(Member { executor, concurrency })
    }
}
