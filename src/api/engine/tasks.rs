//! Work that is handed out, in the hands of a program.

use std::time::Duration;

use serde::Serialize;
use tokio::sync::mpsc;

use super::Engine;
use crate::aggregates::run::Order;
use crate::api::new_command_id;
use crate::api::protocol::{
    Control, Frame, Recorded, Request, Response, TaskGiven, TaskKnown, TaskWanted, TasksWanted,
};
use crate::events::ids::{AgentName, StreamId, TaskId};
use crate::events::json::Json;
use crate::events::limits::TASK_LEASE;
use crate::events::problem::{Class, Code, Problem};
use crate::executors;

/// How many tasks are on their way at once.
const TASKS: usize = 256;

/// Whose task is wanted, and for how long.
#[derive(Debug, Clone)]
pub struct NextTask {
    agent: AgentName,
    lease: Duration,
    wait: Option<Duration>,
    by: Option<String>,
}

impl NextTask {
    /// The next task of an agent, in whatever spelling; for half an hour, and without waiting for one.
    pub fn of(agent: &str) -> Self {
        Self { agent: AgentName::new(agent), lease: TASK_LEASE, wait: None, by: None }
    }

    /// The same, in that name: an engine asks in the name of the user of the operating system.
    #[must_use]
    pub fn by(self, name: &str) -> Self {
        Self { by: Some(name.to_owned()), ..self }
    }

    /// The same, for so long.
    #[must_use]
    pub fn lease(self, length: Duration) -> Self {
        Self { lease: length, ..self }
    }

    /// The same, waiting for so long until there is one.
    #[must_use]
    pub fn wait(self, length: Duration) -> Self {
        Self { wait: Some(length), ..self }
    }
}

impl Engine {
    /// The tasks that are open, of one agent or of all.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn tasks(&self, agent: Option<&str>) -> Result<Vec<TaskKnown>, Problem> {
        let request = Request::Tasks(TasksWanted::List { agent: agent.map(AgentName::new) });
        let (sender, mut frames) = mpsc::channel(TASKS);
        let reading = async {
            let mut tasks = Vec::new();
            while let Some(frame) = frames.recv().await {
                if let Frame::Task(task) = frame {
                    tasks.push(*task);
                }
            }
            tasks
        };
        let (answer, tasks) = tokio::join!(self.link.ask(request, Some(sender)), reading);
        answer.map(|_| tasks)
    }

    /// Takes the task of an agent that is open longest; none if there is none in time, or the agent is paused. Whoever drops the
    /// task answers it never: when its lease is over somebody else may have it.
    ///
    /// # Errors
    /// [`Code::BadLease`]; or when the store cannot be read or written.
    pub async fn next_task(&self, next: NextTask) -> Result<Option<TaskGiven>, Problem> {
        let NextTask { agent, lease: length, wait, by } = next;
        let by = by.map_or_else(|| self.by.clone(), |by| by.into());
        let until = wait.map(|wait| executors::now().after(wait));
        let wanted = TaskWanted { agent, by, length, until, id: Some(new_command_id()) };
        match self.link.ask(Request::Tasks(TasksWanted::Next(wanted)), None).await? {
            Response::TaskTaken(taken) => Ok(taken.task.map(|task| *task)),
            other => Err(other.mismatch()),
        }
    }

    /// Answers a task: what the step answers, as JSON.
    ///
    /// # Errors
    /// [`Code::LeaseOver`] when it is not theirs any more, [`Code::TaskOver`] when nobody waits for it; [`Code::NotJson`] for an
    /// answer that has no JSON form. Nothing of the answer is recorded then.
    pub async fn complete_task<T: Serialize + ?Sized>(
        &self,
        id: &str,
        answer: &T,
    ) -> Result<Recorded, Problem> {
        let answer = Json::of(answer)
            .map_err(|error| Problem::new(Code::NotJson, format!("the answer to a task: {error}")))?;
        self.of_task(id, None, |id, lease| Control::CompleteTask { fence: id.fence, lease, answer }).await
    }

    /// Says that a task cannot be done, why, and what the failure asks for.
    ///
    /// # Errors
    /// The same as those of [`Engine::complete_task`].
    pub async fn fail_task(&self, id: &str, reason: &str, class: Class) -> Result<Recorded, Problem> {
        let fail = |id: &TaskId, lease| Control::FailTask { fence: id.fence, lease, class };
        self.of_task(id, Some(reason.to_owned()), fail).await
    }

    /// Says that somebody goes on with a task, for so long from now, how far it is and what is being done.
    ///
    /// # Errors
    /// The same as those of [`Engine::complete_task`], and [`Code::BadLease`].
    pub async fn heartbeat(
        &self,
        id: &str,
        lease: Duration,
        progress: Option<(u8, &str)>,
    ) -> Result<Recorded, Problem> {
        let (percent, text) = progress.map_or((None, None), |(far, text)| (Some(far), Some(text.to_owned())));
        let length = lease;
        let beat = |id: &TaskId, lease| Control::Heartbeat { fence: id.fence, lease, length, percent, text };
        self.of_task(id, None, beat).await
    }

    async fn of_task(
        &self,
        id: &str,
        reason: Option<String>,
        control: impl FnOnce(&TaskId, u32) -> Control,
    ) -> Result<Recorded, Problem> {
        let id = TaskId::parse(id).map_err(|error| Problem::new(Code::NoSuchTask, error.to_string()))?;
        let lease = id.lease.ok_or_else(|| {
            Problem::new(Code::NoSuchTask, format!("`{id}` names no lease: the task was not taken under it"))
        })?;
        let (run, control) = (StreamId::of_run(&id.run).to_string(), control(&id, lease));
        let order = Order { by: self.by.clone(), reason };
        match self
            .link
            .ask(Request::Control { run, control, order, id: Some(new_command_id()) }, None)
            .await?
        {
            Response::Recorded(recorded) => Ok(recorded),
            other => Err(other.mismatch()),
        }
    }
}
