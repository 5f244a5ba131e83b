//! An agent: an actor that makes attempts with its executor, as many at once as it has slots.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, ActorFutureExt, AsyncContext, Context, Handler, Message, ResponseFuture, WrapFuture};
use futures_util::FutureExt;
use tokio::sync::watch;

use super::dispatcher::Slot;
use crate::actors::clock::Clock;
use crate::events::ids::{Fence, RunId, StepId};
use crate::events::problem::{Code, Problem};
use crate::events::time::Timestamp;
use crate::executors::messages::Incoming;
use crate::executors::voice::Voice;
use crate::executors::{self, CLEAN_UP_MAX, Delivery, Executor, Progress, Task, panicked};
use crate::kernel::Deadline;
use crate::workflow::work::{Failure, Output, Stop};

/// The result of an attempt.
pub type Attempted = Result<Output, Failure>;

/// Brings what an attempt came to where it belongs, and gives the slot back; none if the attempt was let go of before it
/// had succeeded.
pub type AttemptCallback = Box<dyn FnOnce(Option<Attempted>, Slot) + Send>;

/// What an agent is to do.
pub enum Job {
    /// To make an attempt at a step.
    Attempt(Box<Task>),
    /// To handle a message.
    Delivery(Box<Delivery>),
}

/// What an agent is to do, be it read already or not.
pub enum Assigned {
    /// A job that is read.
    Read(Job),
    /// A job that this reads from the store, which may block.
    Unread(Box<dyn FnOnce() -> Result<Job, Problem> + Send>),
}

/// Asks an agent for an attempt, or to handle a message.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Perform {
    /// The run that the attempt is of.
    pub run: RunId,
    /// The fence of the attempt in that run.
    pub fence: Fence,
    /// Whether nothing can undo what it does. Who lets go of all attempts does not let go of it.
    pub irreversible: bool,
    /// The job, or what reads it.
    pub job: Assigned,
    /// The moment when it has timed out, by the steady clock; none without a limit.
    pub deadline: Option<Timestamp>,
    /// The right to do it.
    pub slot: Slot,
    /// The channel in which progress is shown.
    pub progress: watch::Sender<Progress>,
    /// The way to say something to other agents meanwhile.
    pub voice: Voice,
    /// The messages that the attempt is given meanwhile.
    pub incoming: Incoming,
    /// The callback that takes its result, and the slot.
    pub report: AttemptCallback,
    /// Held until then: as long as it is, the agent is kept.
    pub used: Option<Arc<()>>,
}

/// Asks an agent to stop an attempt.
#[derive(Message)]
#[rtype(result = "()")]
pub struct StopAttempt {
    /// The run that the attempt is of.
    pub run: RunId,
    /// The fence of the attempt in that run.
    pub fence: Fence,
    /// The reason for which it is to stop.
    pub why: Stop,
}

/// Asks an agent to let go of all that it does, or of all that it does for one run; what is irreversible goes on.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct StopAll {
    /// For this run only.
    pub run: Option<RunId>,
}

/// Asks an agent to end what an attempt left running whose process died, and to answer when it is gone.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<(), Failure>")]
pub struct EndLeftover {
    /// The run that the attempt was of.
    pub run: RunId,
    /// The step that was tried.
    pub step: StepId,
}

/// The actor of an agent.
pub struct Agent {
    executor: Arc<dyn Executor>,
    clock: Arc<dyn Clock>,
    /// The attempts that are being made, by run and fence.
    attempts: HashMap<(RunId, Fence), AtWork>,
}

/// An attempt that is being made.
struct AtWork {
    /// The way to stop it, with the reason; none until then.
    stop: watch::Sender<Option<Stop>>,
    irreversible: bool,
}

impl Agent {
    /// An agent that works with this executor.
    pub fn new(executor: Arc<dyn Executor>, clock: Arc<dyn Clock>) -> Self {
        Self { executor, clock, attempts: HashMap::new() }
    }
}

impl Actor for Agent {
    type Context = Context<Self>;
}

impl Handler<Perform> for Agent {
    type Result = ();

    fn handle(&mut self, message: Perform, actor: &mut Context<Self>) {
        let Perform { run, fence, irreversible, job, deadline, slot, .. } = message;
        let (progress, voice, incoming, report, used) =
            (message.progress, message.voice, message.incoming, message.report, message.used);
        let (stop, stopped) = watch::channel(None);
        let key = (run, fence);
        let let_go = stopped.clone();
        self.attempts.insert(key.clone(), AtWork { stop: stop.clone(), irreversible });
        let context = executors::Context { stop: stopped, progress, voice, incoming };
        let (executor, clock) = (Arc::clone(&self.executor), Arc::clone(&self.clock));
        let attempt = async move {
            let result = match read(job, &context).await {
                Ok(job) => attempt(&*executor, job, context, stop, deadline, &*clock).await,
                Err(failure) => Err(failure),
            };
            // Whoever makes the attempt next finds out what becomes of it.
            let is_let_go = *let_go.borrow() == Some(Stop::LetGo);
            let result = Some(result).filter(|result| result.is_ok() || !is_let_go);
            report(result, slot);
            drop(used);
            key
        };
        actor.spawn(attempt.into_actor(self).map(|key, agent, _| {
            agent.attempts.remove(&key);
        }));
    }
}

impl Handler<StopAttempt> for Agent {
    type Result = ();

    fn handle(&mut self, message: StopAttempt, _: &mut Context<Self>) {
        if let Some(attempt) = self.attempts.get(&(message.run, message.fence)) {
            attempt.stop.send_replace(Some(message.why));
        }
    }
}

impl Handler<StopAll> for Agent {
    type Result = ();

    fn handle(&mut self, message: StopAll, _: &mut Context<Self>) {
        let meant = |run: &RunId| message.run.as_ref().is_none_or(|only| only == run);
        for (_, attempt) in self.attempts.iter().filter(|((run, _), _)| meant(run)) {
            if !attempt.irreversible {
                attempt.stop.send_replace(Some(Stop::LetGo));
            }
        }
    }
}

impl Handler<EndLeftover> for Agent {
    type Result = ResponseFuture<Result<(), Failure>>;

    fn handle(&mut self, EndLeftover { run, step }: EndLeftover, _: &mut Context<Self>) -> Self::Result {
        let executor = Arc::clone(&self.executor);
        Box::pin(async move {
            let ended = AssertUnwindSafe(async { executor.end_leftover(&run, &step).await }).catch_unwind();
            ended.await.unwrap_or_else(|panic| Err(panicked(&*panic)))
        })
    }
}

/// What to do, read if need be, unless the attempt has to stop before.
async fn read(job: Assigned, context: &executors::Context) -> Result<Job, Failure> {
    let read = match job {
        Assigned::Read(job) => return Ok(job),
        Assigned::Unread(read) => tokio::task::spawn_blocking(read),
    };
    tokio::select! {
        biased;
        why = context.stopped() => Err(Failure::stopped(why)),
        job = read => match job {
            Ok(job) => job.map_err(Failure::from),
            Err(error) => Err(Failure::new(Code::Internal, error.to_string())),
        },
    }
}

/// Makes an attempt: until it ends, panics, or has not ended long after it was told to stop.
async fn attempt(
    executor: &dyn Executor,
    job: Job,
    context: executors::Context,
    stop: watch::Sender<Option<Stop>>,
    deadline: Option<Timestamp>,
    clock: &dyn Clock,
) -> Attempted {
    let overdue = {
        let context = context.clone();
        async move {
            let why = context.stopped().await;
            until(clock, clock.now().steady.after(CLEAN_UP_MAX)).await;
            why
        }
    };
    let timer = async move {
        if let Some(deadline) = deadline {
            until(clock, deadline).await;
            stop.send_if_modified(|why| why.is_none() && why.replace(Stop::TimedOut).is_none());
        }
        std::future::pending::<()>().await
    };
    let work = async {
        match job {
            Job::Attempt(task) => executor.execute(*task, context).await,
            Job::Delivery(delivery) => {
                let waits = until(clock, clock.now().steady.after(wait_before(delivery.nth)));
                tokio::select! {
                    biased;
                    why = context.stopped() => return Err(Failure::stopped(why)),
                    () = waits => {}
                }
                executor.deliver(*delivery, context).await
            }
        }
    };
    let work = AssertUnwindSafe(work).catch_unwind();
    tokio::select! {
        biased;
        result = work => result.unwrap_or_else(|panic| Err(panicked(&*panic))),
        why = overdue => Err(Failure::stopped(why)),
        () = timer => Err(Failure::stopped(Stop::TimedOut)),
    }
}

/// How long a message waits before it is delivered for the nth time: not at all, then 1 s, 2 s, 4 s, and so on.
fn wait_before(nth: u32) -> Duration {
    let doubled = nth.checked_sub(2).map(|nth| Duration::from_secs(1).saturating_mul(1 << nth.min(6)));
    doubled.unwrap_or_default()
}

/// Ends when that moment of the steady clock has come.
async fn until(clock: &dyn Clock, at: Timestamp) {
    let due = Deadline::Steady(at);
    while !due.has_come(clock.now()) {
        clock.wait_until(due.into()).await;
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;

    use super::*;
    use crate::actors::clock::ManualClock;
    use crate::events::run::Purpose;
    use crate::workflow::work::Work;

    /// Does not care that it has to stop. It tells, by the end of the channel, when it is dropped.
    struct Deaf(watch::Sender<()>);

    #[async_trait]
    impl Executor for Deaf {
        async fn execute(&self, _: Task, _: executors::Context) -> Result<Output, Failure> {
            let _at_work = self.0.subscribe();
            std::future::pending().await
        }
    }

    fn task() -> Job {
        let task = Task {
            run: RunId::parse("r").unwrap(),
            step: crate::events::ids::StepId::grown("a"),
            attempt: 1,
            generation: 1,
            fence: Fence(1),
            idempotency_key: "key".into(),
            purpose: Purpose::Do,
            agent: crate::events::ids::AgentName::new("deaf"),
            work_folder: "/".into(),
            work: Work::default(),
            compensates: None,
            context: Default::default(),
            contexts: Default::default(),
            conversation: None,
            locks: Default::default(),
            messages: Vec::new(),
            schema: None,
            turn: None,
            nth: 1,
            within: None,
        };
        Job::Attempt(Box::new(task))
    }

    #[tokio::test]
    async fn an_executor_that_does_not_stop_is_dropped_after_a_while() {
        let (executor, clock) = (Deaf(watch::Sender::new(())), ManualClock::at(Timestamp(0)));
        let (stop, stopped) = watch::channel(None);
        let context = executors::Context::new(stopped, watch::Sender::new(Progress::default()));
        let mut attempt = Box::pin(attempt(&executor, task(), context, stop.clone(), None, &clock));
        assert!(attempt.as_mut().now_or_never().is_none());
        stop.send_replace(Some(Stop::Cancelled));
        assert!(attempt.as_mut().now_or_never().is_none());
        clock.advance(CLEAN_UP_MAX - Duration::from_micros(1));
        assert!(attempt.as_mut().now_or_never().is_none(), "it has time to clean up");
        clock.advance(Duration::from_micros(1));
        let result = attempt.as_mut().now_or_never().expect("it is waited for no longer");
        assert_eq!(result.unwrap_err().code, Code::Cancelled);
        drop(attempt);
        assert_eq!(executor.0.receiver_count(), 0);
    }

    /// It was told to stop while its content was read, nobody heard that, and what had been recorded as lost was done.
    #[tokio::test]
    async fn an_attempt_that_is_stopped_while_its_content_is_read_does_nothing() {
        let (stop, stopped) = watch::channel(None);
        let (done, wait) = std::sync::mpsc::channel();
        let context = executors::Context::new(stopped, watch::Sender::new(Progress::default()));
        let slow = Box::new(move || {
            wait.recv().unwrap();
            Ok(task())
        });
        let mut reads = Box::pin(read(Assigned::Unread(slow), &context));
        assert!(reads.as_mut().now_or_never().is_none());
        stop.send_replace(Some(Stop::LetGo));
        assert_eq!(reads.await.err().map(|failure| failure.code), Some(Code::Cancelled));
        done.send(()).unwrap();
    }
}
