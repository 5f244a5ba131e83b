//! How agents do work. An executor is given a task and answers an output or a failure; it never touches the store:
//! its result returns as a command.
//!
//! - [`children`]: the processes that this one is the parent of
//! - [`function`]: Rust closures by name
//! - [`subprocess`]: programs of their own, in process groups of their own
//! - [`scripted`]: answers that were written down before
//! - [`delivery`]: a document to a program or a URL, for notifications
//! - [`definition`]: what an agent's file says
//! - [`discovery`]: which agents there are

pub mod children;
pub mod definition;
pub mod delivery;
pub mod discovery;
pub mod function;
pub mod scripted;
pub mod subprocess;

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::aggregates::run::{About, Run};
use crate::events::ids::{AgentName, Fence, Hash, RunId, StepId};
use crate::events::json::{Json, Payload};
use crate::events::problem::{Code, Problem};
use crate::events::run::{AttemptStarted, Purpose, Undoes};
use crate::events::time::Timestamp;
use crate::kernel::Blobs;
use crate::workflow::work::Work;
pub use crate::workflow::work::{Failure, Output, Request, Stop};

pub use definition::{AgentDefinition, ExecutorKind};

/// One attempt at a step, as an executor gets it.
#[derive(Debug, Clone)]
pub struct Task {
    /// The run.
    pub run: RunId,
    /// The step.
    pub step: StepId,
    /// The try, from 1.
    pub attempt: u32,
    /// The generation, from 1.
    pub generation: u32,
    /// Whose result counts.
    pub fence: Fence,
    /// The same for all tries of this generation and purpose.
    pub idempotency_key: Arc<str>,
    /// Whether to do the step or to undo it.
    pub purpose: Purpose,
    /// Who was asked.
    pub agent: AgentName,
    /// The absolute folder that relative paths mean.
    pub work_folder: Arc<str>,
    /// What to do, rendered.
    pub work: Work,
    /// What is to be undone, if the purpose is to compensate.
    pub compensates: Option<Compensated>,
}

impl Task {
    /// What an attempt is to do, by what was recorded of it.
    ///
    /// # Errors
    /// As for [`Assignment::read`].
    pub fn of(run: &Run, started: &Arc<AttemptStarted>, blobs: &dyn Blobs) -> Result<Self, Problem> {
        Assignment::of(run, started)?.read(blobs)
    }
}

/// What an attempt is to do, before what it refers to is read.
#[derive(Debug, Clone)]
pub struct Assignment {
    about: Arc<About>,
    started: Arc<AttemptStarted>,
    /// What a compensation undoes.
    undoes: Option<(Undoes, Option<Payload>)>,
}

impl Assignment {
    /// What that run wants an attempt to do.
    ///
    /// # Errors
    /// When the run never began.
    pub fn of(run: &Run, started: &Arc<AttemptStarted>) -> Result<Self, Problem> {
        let about = run.about().ok_or_else(|| Problem::new(Code::Internal, "an attempt of no run"))?;
        let undoes = run.undoes(&started.step).filter(|_| started.purpose == Purpose::Compensate);
        let undoes = undoes.map(|(outcome, output)| (outcome, output.cloned()));
        Ok(Self { about: Arc::clone(about), started: Arc::clone(started), undoes })
    }

    /// The content that it refers to.
    pub fn content(&self) -> Vec<Hash> {
        let output = self.undoes.as_ref().and_then(|(_, output)| output.as_ref());
        let payloads = [Some(&self.started.input), output].into_iter().flatten();
        payloads.filter_map(Payload::blob).map(|blob| blob.hash).collect()
    }

    /// Reads what it refers to.
    ///
    /// # Errors
    /// When something of it cannot be read.
    pub fn read(self, blobs: &dyn Blobs) -> Result<Task, Problem> {
        let Self { about, started, undoes } = self;
        let json = |payload: &Payload| blobs.json(payload).map_err(|unreadable| unreadable.problem());
        let work: Work = serde_json::from_str(json(&started.input)?.text())
            .map_err(|error| Problem::new(Code::Internal, format!("an attempt's input: {error}")))?;
        let compensates = undoes.map(|(outcome, output)| {
            let output = output.as_ref().map(json).transpose()?.unwrap_or_default();
            Ok::<_, Problem>(Compensated { outcome, output })
        });
        Ok(Task {
            run: about.id.clone(),
            step: started.step.clone(),
            attempt: started.attempt,
            generation: started.generation,
            fence: started.fence,
            idempotency_key: Arc::clone(&started.idempotency_key),
            purpose: started.purpose,
            agent: started.agent.clone(),
            work_folder: Arc::clone(&about.started.work_folder),
            work,
            compensates: compensates.transpose()?,
        })
    }
}

/// How the attempt ended that a compensation undoes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compensated {
    /// Whether it is known what it did; if not, the compensation must cope.
    pub outcome: Undoes,
    /// The step's output; null if it has none.
    pub output: Json,
}

/// How far an attempt says it is; shown live, not recorded.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Progress {
    /// 0 to 100.
    pub percent: u8,
    /// What it does at the moment.
    pub text: String,
}

/// What an executor has beside its task.
#[derive(Debug, Clone)]
pub struct Context {
    /// Says when to stop, and why. See [`Context::stopped`].
    pub stop: watch::Receiver<Option<Stop>>,
    /// Where progress is shown.
    pub progress: watch::Sender<Progress>,
}

impl Context {
    /// Ends when the attempt has to stop, and says why. It may be awaited again and again.
    pub async fn stopped(&self) -> Stop {
        let mut stop = self.stop.clone();
        match stop.wait_for(Option::is_some).await {
            Ok(why) => why.unwrap_or(Stop::Cancelled),
            Err(_) => Stop::Cancelled,
        }
    }
}

/// The time by the machine's wall clock.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

/// How long an executor may take to clean up. It covers the grace that programs are given, and some more.
pub const CLEAN_UP_MAX: Duration = Duration::from_secs(60);

/// A way to do work. `execute` must end soon after [`Context::stopped`] does (with [`Failure::stopped`]), having
/// cleaned up; an executor that does not within its [`CLEAN_UP_MAX`] is dropped.
#[async_trait]
pub trait Executor: Send + Sync + 'static {
    /// Does one attempt.
    ///
    /// # Errors
    /// Why it did not succeed.
    async fn execute(&self, task: Task, context: Context) -> Result<Output, Failure>;

    /// Ends what an attempt at this step, at doing or at undoing it, left running when the process that made it died, and
    /// waits until it is gone. Nothing, where no work outlives its process.
    ///
    /// # Errors
    /// When it does not end.
    async fn end_leftover(&self, _run: &RunId, _step: &StepId) -> Result<(), Failure> {
        Ok(())
    }
}

/// The ways to do work that this process has.
#[derive(Clone, Default)]
pub struct Executors {
    /// The functions that are registered.
    pub functions: function::Functions,
    /// How programs are run.
    pub subprocess: Arc<subprocess::Options>,
}

impl Executors {
    /// What does the work of this agent.
    ///
    /// # Errors
    /// [`Code::NotBuilt`] for an executor that this version does not have, [`Code::BadAgent`] for a definition with
    /// which its executor cannot work, and [`Code::UnknownFunction`].
    pub fn of(&self, agent: &AgentDefinition) -> Result<Arc<dyn Executor>, Problem> {
        agent.check_usable()?;
        match agent.executor {
            ExecutorKind::Function => self.functions.executor(&agent.name),
            ExecutorKind::Scripted => {
                let script = agent.script.clone().unwrap_or_default();
                Ok(Arc::new(scripted::ScriptedExecutor::new(script)))
            }
            _ => Ok(Arc::new(subprocess::SubprocessExecutor::new(agent, Arc::clone(&self.subprocess)))),
        }
    }
}
