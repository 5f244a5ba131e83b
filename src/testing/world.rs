//! What a simulated run acts on.

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

/// What a simulated run acts on: each attempt is one call, made when its `attempt_started` is durable. A closure is
/// one. What answers [`Failure::stopped`] with [`Stop::TimedOut`] was too slow: the simulated time passes its deadline.
pub trait World {
    /// Makes one attempt: does a step or undoes it (`task.purpose`), and how often under one
    /// `task.idempotency_key` is the world's to notice.
    ///
    /// # Errors
    /// Why it did not succeed.
    fn attempt(&mut self, task: &Task) -> Result<Output, Failure>;

    /// What somebody says who is asked for an approval, when these have granted it already. Without a word of its own a
    /// world grants everything, each time as another of those who may. None: nobody ever answers, and the run rests
    /// `waiting`.
    fn reply(&self, asked: &ApprovalRequested, granted: &[Arc<str>]) -> Option<Reply> {
        let by = match asked.approvers.iter().find(|by| !granted.contains(by)) {
            Some(by) => Arc::clone(by),
            None => format!("person {}", granted.len() + 1).into(),
        };
        Some(Reply::Grant { by, edits: None })
    }

    /// What a signal says that a step waits for; null without a word of its own. None: it never comes, and the run rests
    /// `waiting`.
    fn signal(&self, name: &str) -> Option<Json> {
        let _ = name;
        Some(Json::null())
    }

    /// What a run has to know of this world before it starts: its folder, its agents.
    ///
    /// # Errors
    /// When the world is not fit for the run.
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
    /// It is granted.
    Grant {
        /// By whom.
        by: Arc<str>,
        /// What of the arguments, or of the output, is to be changed: a map.
        edits: Option<Json>,
    },
    /// It is refused.
    Refuse {
        /// By whom.
        by: Arc<str>,
        /// Why.
        reason: String,
    },
}

/// An output of this JSON. What has no JSON form is null.
pub fn answer<T: serde::Serialize>(output: &T) -> Output {
    Output { output: Json::of(output).unwrap_or_default(), ..Output::default() }
}

/// The real thing: programs in a folder, and functions. Time in there is real, and no attempt takes longer than
/// [`Programs::PATIENCE`], whatever its step's `timeout` says.
pub struct Programs {
    executors: Executors,
    folder: PathBuf,
    catalog: Catalog,
    runtime: Runtime,
}

impl Programs {
    /// How long an attempt may take.
    pub const PATIENCE: Duration = Duration::from_secs(60);

    /// Runs programs in that folder, which is the workflow's: agents are found below it as they are for a run, and
    /// those that are not are functions.
    ///
    /// # Errors
    /// When the operating system has no reactor to give.
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
        let context = Context { stop: stopped, progress: watch::Sender::new(Progress::default()) };
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
