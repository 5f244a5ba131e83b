//! The built-in agent that does steps with `workflow`: an attempt starts a run of its own, or finds it, and sees it
//! through. The child's id follows from what it is for, so that whoever makes the next attempt, after a crash at any
//! moment, finds the same run. Nothing is ever stored in both streams at once: what the child came to is reported to the
//! parent like the result of any attempt.

use std::sync::{Arc, Weak};
use std::time::Duration;

use async_trait::async_trait;
use tokio::task::spawn_blocking;

use super::Runs;
use super::shell::ToRun;
use crate::actors::hosting::load::load;
use crate::aggregates::run::child;
use crate::aggregates::run::{Ask, Order, Run, RunStatus};
use crate::events::decision::Causation;
use crate::events::ids::{StreamId, Version};
use crate::events::problem::{Code, Problem};
use crate::events::run::{Parent, Purpose};
use crate::executors::{ChildTask, Context, Executor, Task};
use crate::kernel::Blobs;
use crate::kernel::core::Envelope;
use crate::workflow::work::{Failure, Output, Stop};

/// Sees children through.
pub struct Children {
    runs: Weak<Runs>,
}

impl Children {
    /// Among those runs.
    pub fn new(runs: Weak<Runs>) -> Self {
        Self { runs }
    }
}

#[async_trait]
impl Executor for Children {
    async fn execute(&self, task: Task, context: Context) -> Result<Output, Failure> {
        let Some(child) = task.child.as_deref() else {
            let message = format!("agent `{}` does steps with `workflow` only", task.agent);
            return Err(Failure::new(Code::BadAgent, message));
        };
        let Some(runs) = self.runs.upgrade() else { return std::future::pending().await };
        let charge = Charge { runs: &runs, task: &task, child };
        tokio::select! {
            // A child that has ended when the deadline passes has ended.
            biased;
            result = charge.see_through() => result,
            why = context.stopped() => charge.stop(why, &context).await,
        }
    }

    /// A child that is cancelled waits for what of it is irreversible, and its parent waits for it: it may be past the
    /// point of no return then.
    fn patience(&self) -> Option<Duration> {
        None
    }
}

/// A child, and the attempt that sees it through.
struct Charge<'a> {
    runs: &'a Arc<Runs>,
    task: &'a Task,
    child: &'a ChildTask,
}

/// Why there is no answer.
enum NoAnswer {
    /// This is why.
    Failure(Box<Failure>),
    /// The process ends: it lets go of this attempt, and the next process makes another.
    Closing,
}

impl From<Problem> for NoAnswer {
    fn from(problem: Problem) -> Self {
        match problem.code {
            Code::ShuttingDown => Self::Closing,
            _ => Self::Failure(Box::new(problem.into())),
        }
    }
}

impl From<Failure> for NoAnswer {
    fn from(failure: Failure) -> Self {
        Self::Failure(Box::new(failure))
    }
}

type Answer<T> = Result<T, NoAnswer>;

impl Charge<'_> {
    async fn see_through(&self) -> Result<Output, Failure> {
        let answer = async {
            match self.task.purpose {
                Purpose::Do => self.attach().await?,
                Purpose::Compensate if !self.roll_back().await? => return Ok(Output::default()),
                Purpose::Compensate => {}
            }
            self.ended().await
        };
        match answer.await {
            Ok(output) => Ok(output),
            Err(NoAnswer::Failure(failure)) => Err(*failure),
            Err(NoAnswer::Closing) => std::future::pending().await,
        }
    }

    /// Starts the child, or finds it. One that had ended when its end was last told goes on from there.
    async fn attach(&self) -> Answer<()> {
        let Some((run, version)) = self.look().await? else { return self.begin().await };
        if run.status().has_ended() && self.is_told(version) && child::may_go_on(run.status()) {
            let retry = Ask::Retry { order: self.order("its parent tries it again"), step: None };
            if let Err(problem) = self.runs.order(&self.child.run, retry, &self.envelope()).await {
                return Err(self.refused(&run, version, problem));
            }
        }
        Ok(())
    }

    async fn begin(&self) -> Answer<()> {
        let Some(binding) = &self.child.binding else {
            let file = self.task.work.workflow.as_deref().unwrap_or_default();
            let message = format!("the workflow `{file}` was not known when the run started");
            return Err(Failure::new(Code::ChildWorkflow, message).into());
        };
        let (parent, with) = (Arc::clone(&self.child.parent), self.task.work.with.clone());
        let (step, binding) = (self.task.step.clone(), binding.clone());
        let start = self.read(move |blobs| child::start(&parent, &step, &binding, &with, blobs)).await??;
        self.runs.begin_as(&self.child.run, start, &self.envelope()).await?;
        Ok(())
    }

    /// Has what the child did undone; answers whether there is such a run.
    async fn roll_back(&self) -> Answer<bool> {
        let Some((run, version)) = self.look().await? else { return Ok(false) };
        let is_news = run.status() == RunStatus::Stuck && !self.is_told(version);
        if is_news || matches!(run.status(), RunStatus::Compensating | RunStatus::Compensated) {
            return Ok(true);
        }
        let rollback = Ask::Rollback { order: self.order("its parent is rolled back"), to: None };
        match self.runs.order(&self.child.run, rollback, &self.envelope()).await {
            Ok(_) => Ok(true),
            // Somebody else has asked for it first, and may have paused it.
            Err(problem) if problem.code == Code::Compensating => Ok(true),
            Err(problem) => Err(self.refused(&run, version, problem)),
        }
    }

    /// Lets the child go on until it has ended, and answers what it came to.
    async fn ended(&self) -> Answer<Output> {
        let run = &self.child.run;
        loop {
            self.runs.drive(run).await;
            let seen = self.runs.at_rest(run).await?;
            if !seen.attention.over {
                self.rests(true).await;
                self.runs.stirs(run).await;
                self.rests(false).await;
            } else if let Some(result) = self.outcome().await? {
                return Ok(result?);
            }
        }
    }

    /// What the child came to; none if it has not ended, or somebody lets it go on.
    async fn outcome(&self) -> Answer<Option<Result<Output, Failure>>> {
        let Some((run, version)) = self.look().await? else { return Ok(None) };
        let purpose = self.task.purpose;
        let outcome = self.read(move |blobs| child::outcome(&run, version, purpose, blobs)).await?;
        outcome.map_err(|unreadable| unreadable.problem().into())
    }

    /// Does what reads content on a thread that may block.
    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&dyn Blobs) -> T + Send + 'static,
    ) -> Answer<T> {
        let library = Arc::clone(&self.runs.context().library);
        let done = spawn_blocking(move || read(&*library)).await;
        // A process that ends may not do it any more.
        done.map_err(|_| NoAnswer::Closing)
    }

    /// The child as the store has it; none if it never began.
    async fn look(&self) -> Answer<Option<(Run, Version)>> {
        let run = &self.child.run;
        let (state, head) = load::<Run>(&*self.runs.context().store, &StreamId::of_run(run)).await?;
        let Some(about) = state.about() else { return Ok(None) };
        let parent = Parent { run: self.task.run.clone(), step: self.task.step.clone() };
        if about.started.parent.as_ref() != Some(&parent) {
            let message = format!("run `{run}` is not of step `{}`, whose child it would be", parent.step);
            return Err(Failure::new(Code::RunIdTaken, message).into());
        }
        Ok(Some((state, head.version)))
    }

    /// Whether the parent has recorded what the child came to by that version.
    fn is_told(&self, version: Version) -> bool {
        self.child.after.is_some_and(|told| version <= told)
    }

    /// The child does not do what its parent wants of it.
    fn refused(&self, run: &Run, version: Version, problem: Problem) -> NoAnswer {
        if problem.code == Code::ShuttingDown {
            return NoAnswer::Closing;
        }
        let code = if run.status() == RunStatus::Stuck { Code::ChildStuck } else { Code::ChildFailed };
        let message =
            format!("child run `{}` is {}: {}", self.child.run, run.status().text(), problem.message);
        let class = if code == Code::ChildStuck { code.class() } else { problem.class };
        let failure = Failure::new(code, message).class(class);
        Failure { child: Some(child::seen(run, version)), ..failure }.into()
    }

    fn order(&self, reason: &str) -> Order {
        Order { by: format!("run {}", self.task.run).into(), reason: Some(reason.to_owned()) }
    }

    /// What the child is asked is part of this attempt, and of what the root run does.
    fn envelope(&self) -> Envelope {
        let (stream, effect) = (StreamId::of_run(&self.task.run), format!("attempt/{}", self.task.fence));
        let causation = Some(Causation { stream, effect: effect.into() });
        Envelope { id: None, causation, correlation: Some(self.runs.root(&self.task.run)) }
    }

    /// Tells the parent whether there is nothing to do but to wait for somebody.
    async fn rests(&self, rests: bool) {
        self.runs.tell_now(&self.task.run, ToRun::ChildRests { child: self.child.run.clone(), rests }).await;
    }

    /// Ends the attempt before the child has ended. What is being undone goes on; a child that is being done is cancelled.
    async fn stop(&self, why: Stop, context: &Context) -> Result<Output, Failure> {
        if why == Stop::LetGo || self.task.purpose == Purpose::Compensate {
            return Err(Failure::stopped(why));
        }
        let mut stop = context.stop.clone();
        let let_go = stop.wait_for(|why| *why == Some(Stop::LetGo));
        tokio::select! {
            biased;
            cancelled = self.cancel(why) => cancelled,
            _ = let_go => Err(Failure::stopped(Stop::LetGo)),
        }
    }

    async fn cancel(&self, why: Stop) -> Result<Output, Failure> {
        let run = &self.child.run;
        let order = self.order("its parent does not want it any more");
        let failure = Failure::stopped(why);
        let cancel = Ask::Cancel { order, rollback: false };
        match self.runs.order(run, cancel, &self.envelope()).await {
            // The attempt was stopped before there was a child.
            Err(problem) if problem.code == Code::UnknownRun => return Err(failure),
            // What has ended, or is being undone, cannot be cancelled: it is seen through as it is.
            Ok(_) | Err(_) => {}
        }
        self.runs.drive(run).await;
        if self.runs.at_rest(run).await.is_err() {
            return Err(failure);
        }
        let seen = match (self.outcome().await, self.look().await) {
            (Ok(Some(Ok(output))), _) => return Ok(output),
            (_, Ok(Some((run, version)))) => Some(child::seen(&run, version)),
            _ => None,
        };
        Err(Failure { child: seen, ..failure })
    }
}
