//! The world that a simulated run acts on.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, io};

use tokio::runtime::Runtime;
use tokio::sync::watch;

use crate::aggregates::run::StartRun;
use crate::events::ids::AgentName;
use crate::events::json::{Blob, Json};
use crate::events::problem::{Code, Problem};
use crate::events::run::ApprovalRequested;
use crate::executors::discovery::Catalog;
use crate::executors::{AgentDefinition, Context, Executor, ExecutorKind, Executors, Progress};
use crate::workflow::definition::Step;

pub use crate::executors::{Compensated, Failure, Output, Stop, Task};

/// The world that a simulated run acts on: each attempt is one call, made once its `attempt_started` is
/// durable. A closure is a world. An attempt that answers [`Failure::stopped`] with [`Stop::TimedOut`] was
/// too slow: the simulated time passes its deadline.
pub trait World {
    /// Makes one attempt: does a step or undoes it (`task.purpose`). It is up to the world to notice that an
    /// attempt with the same `task.idempotency_key` was made before.
    ///
    /// # Errors
    /// Why the attempt did not succeed.
    fn attempt(&mut self, task: &Task) -> Result<Output, Failure>;

    /// The answer of somebody who is asked for an approval that `granted` have granted already. By default
    /// everything is granted, each time in the name of another of those who may. None if nobody ever answers:
    /// the run then rests as `waiting`.
    fn reply(&self, asked: &ApprovalRequested, granted: &[Arc<str>]) -> Option<Reply> {
        let by = match asked.approvers.iter().find(|by| !granted.contains(by)) {
            Some(by) => Arc::clone(by),
            None => format!("person {}", granted.len() + 1).into(),
        };
        Some(Reply::Grant { by, edits: None })
    }

    /// The data of a signal that a step waits for; null by default. None if it never comes: the run
    /// then rests as `waiting`.
    fn signal(&self, name: &str) -> Option<Json> {
        let _ = name;
        Some(Json::null())
    }

    /// Puts into `start` what a run must know about this world before it begins: its folder, its agents.
    ///
    /// # Errors
    /// When the world cannot be used for the run.
    fn stage(&self, start: &mut StartRun) -> Result<(), Problem> {
        let _ = start;
        Ok(())
    }
}

impl<F: FnMut(&Task) -> Result<Output, Failure>> World for F {
    fn attempt(&mut self, task: &Task) -> Result<Output, Failure> {
        self(task)
    }
}

/// An answer to a request for an approval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// The request is granted.
    Grant {
        /// The name of the person who grants it.
        by: Arc<str>,
        /// The changes to the arguments, or to the output: a JSON object.
        edits: Option<Json>,
    },
    /// The request is refused.
    Refuse {
        /// The name of the person who refuses it.
        by: Arc<str>,
        /// Their reason for refusing it.
        reason: String,
    },
}

/// An output with the JSON of a value; null if it has no JSON form.
pub fn answer<T: serde::Serialize>(output: &T) -> Output {
    Output { output: Json::of(output).unwrap_or_default(), ..Output::default() }
}

/// The real world: programs in a folder, and functions. Time passes there as usual, and no attempt takes
/// longer than [`Programs::PATIENCE`], whatever its step's `timeout` says.
pub struct Programs {
    executors: Executors,
    folder: PathBuf,
    catalog: Catalog,
    runtime: Runtime,
}

impl Programs {
    /// How long an attempt may take, at most.
    pub const PATIENCE: Duration = Duration::from_secs(60);

    /// Runs programs in that folder, which is the workflow's: agents are found below it as they are for a
    /// run, and agents that are not found there are functions.
    ///
    /// # Errors
    /// When the operating system refuses the resources of a runtime.
    pub fn in_folder(folder: &Path, executors: Executors) -> io::Result<Self> {
        let folder = folder.canonicalize()?;
        let catalog = Catalog::discover(&folder, &[], &[], &BTreeMap::new());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Self { executors, folder, catalog, runtime })
    }

    fn agent(&self, name: &AgentName) -> Result<AgentDefinition, Problem> {
        match self.catalog.find(name) {
            Ok(found) => Ok(found.definition.clone()),
            Err(_) if self.executors.functions.executor(name).is_ok() => Ok(AgentDefinition {
                executor: ExecutorKind::Function,
                ..AgentDefinition::named(name.clone())
            }),
            Err(problem) => Err(problem),
        }
    }

    async fn perform(&self, executor: &dyn Executor, task: &Task) -> Result<Output, Failure> {
        let (stop, stopped) = watch::channel(None);
        let context = Context::new(stopped, watch::Sender::new(Progress::default()));
        let mut work = executor.execute(task.clone(), context);
        if let Ok(result) = tokio::time::timeout(Self::PATIENCE, &mut work).await {
            return result;
        }
        stop.send_replace(Some(Stop::TimedOut));
        work.await
    }
}

impl World for Programs {
    fn attempt(&mut self, task: &Task) -> Result<Output, Failure> {
        let executor = self.agent(&task.agent).and_then(|agent| self.executors.of(&agent));
        let executor = executor.map_err(|problem| Failure::new(problem.code, problem.message))?;
        self.runtime.block_on(self.perform(&*executor, task))
    }

    fn stage(&self, start: &mut StartRun) -> Result<(), Problem> {
        start.work_folder = self.folder.display().to_string().into();
        let undo = |step: &Step| step.undo().map(|undo| undo.agent);
        let named = start.definition.steps.iter().flat_map(|step| step.agent().into_iter().chain(undo(step)));
        let mut agents = BTreeMap::new();
        for name in named {
            let agent = self.agent(&name)?;
            let json = Json::of(&agent).map_err(|error| Problem::new(Code::BadAgent, error.to_string()))?;
            agents.insert(name.key(), (name, Blob::new(json.text().as_bytes())));
        }
        start.agents = agents.into_values().collect();
        Ok(())
    }
}

impl fmt::Debug for Programs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Programs").field("folder", &self.folder).finish_non_exhaustive()
    }
}
