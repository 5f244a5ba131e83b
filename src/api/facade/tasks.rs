//! Tasks: which are open, and who takes the next.

use std::sync::Arc;

use super::{Facade, Frames, view_problem};
use crate::actors::blocking::blocking;
use crate::actors::runs::RunKind;
use crate::actors::runs::tasks::Handed;
use crate::aggregates::run::{Ask, OfTask, TaskDoes};
use crate::api::protocol::{
    Frame, Response, TaskGiven, TaskKnown, TaskTaken, TaskWanted, TasksWanted, UndoesTask,
};
use crate::events::ids::{AgentName, Hash, StreamId, TaskId};
use crate::events::json::Json;
use crate::events::problem::{Code, Problem};
use crate::events::run::StepAdded;
use crate::events::time::Timestamp;
use crate::executors::{AgentDefinition, Task};
use crate::kernel::core::Envelope;
use crate::kernel::{Blobs, Due};
use crate::views::projections::tasks::TaskRow;
use crate::workflow::definition::Definition;

/// How many more rows are read than there are others who take tasks: each of them takes one away.
const ROWS: usize = 4;

/// How much of a prompt says what a task is about, in characters.
const DESCRIPTION_CHARS: usize = 50;

impl Facade {
    /// Answers what somebody wants of tasks.
    pub(super) async fn tasks(&self, wanted: TasksWanted, frames: &Frames) -> Result<Response, Problem> {
        match wanted {
            TasksWanted::List { agent } => self.list_tasks(agent.as_ref(), frames).await,
            TasksWanted::Next(wanted) => self.take_task(&wanted).await.map(Response::TaskTaken),
        }
    }

    /// Sends the tasks that are open, of an agent if one is named.
    async fn list_tasks(&self, agent: Option<&AgentName>, frames: &Frames) -> Result<Response, Problem> {
        let rows = self.system.tasks().list(agent).await.map_err(|error| view_problem(&error))?;
        let wall = self.system.clock().now().wall;
        for row in rows {
            if frames.send(Frame::Task(Box::new(known(row, wall)))).await.is_err() {
                break;
            }
        }
        Ok(Response::Done)
    }

    /// Takes the next task of an agent for somebody, as soon as there is one.
    async fn take_task(&self, wanted: &TaskWanted) -> Result<TaskTaken, Problem> {
        // Only then it is known which agents are paused.
        self.system.live().ready().await?;
        if let Some(task) = self.taken_before(wanted).await? {
            return Ok(TaskTaken { task: Some(Box::new(task)), paused: false });
        }
        let (mut committed, mut closing) = (self.system.store().committed(), self.system.closing());
        loop {
            committed.mark_unchanged();
            let paused = self.system.live().agents().dispatcher().is_paused(&wanted.agent);
            let (task, next_end) = if paused { (None, None) } else { self.try_to_take(wanted).await? };
            let wall = self.system.clock().now().wall;
            let Some(until) = wanted.until.filter(|until| task.is_none() && *until > wall) else {
                return Ok(TaskTaken { task, paused });
            };
            let due = Due { steady: None, wall: next_end.into_iter().chain([until]).min() };
            tokio::select! {
                changed = committed.changed() => changed.map_err(|_| ending())?,
                () = self.system.clock().wait_until(due) => {}
                _ = closing.wait_for(|closing| *closing) => return Err(ending()),
            }
        }
    }

    /// The task that was taken when this was asked before, by a process that died before it answered: who asks again means the
    /// same, as long as it is theirs.
    async fn taken_before(&self, wanted: &TaskWanted) -> Result<Option<TaskGiven>, Problem> {
        let Some(command) = &wanted.id else { return Ok(None) };
        let row = self.system.tasks().taken_by(command).await.map_err(|error| view_problem(&error))?;
        let wall = self.system.clock().now().wall;
        let is_theirs = |row: &TaskRow| row.held.as_ref().is_some_and(|held| held.until > wall);
        let Some(row) = row.filter(is_theirs) else { return Ok(None) };
        match Handed::of(&self.system.fold(&row.run).await?.0, row.fence)? {
            Some(handed) if handed.until > wall => self.given(&row, handed).await.map(Some),
            _ => Ok(None),
        }
    }

    /// Takes a task that may be taken now, if there is one; else answers when the next lease ends. The run decides, whatever
    /// the rows say.
    async fn try_to_take(
        &self,
        wanted: &TaskWanted,
    ) -> Result<(Option<Box<TaskGiven>>, Option<Timestamp>), Problem> {
        let mut count = ROWS;
        loop {
            let wall = self.system.clock().now().wall;
            let seen = count + self.system.live().takers();
            let next = self.system.tasks().next(&wanted.agent, wall, seen).await;
            let next = next.map_err(|error| view_problem(&error))?;
            let found = next.rows.len();
            for row in next.rows {
                if let Some(task) = self.take(&row, wanted).await? {
                    return Ok((Some(Box::new(task)), None));
                }
            }
            if found < seen {
                return Ok((None, next.next_end));
            }
            // All of these were taken meanwhile, or are not to be had.
            count = count.saturating_mul(2);
        }
    }

    /// Takes that task; none if it is not to be had.
    async fn take(&self, row: &TaskRow, wanted: &TaskWanted) -> Result<Option<TaskGiven>, Problem> {
        let Some(taking) = self.system.live().taking(&row.run, row.fence) else { return Ok(None) };
        let (stream, by) = (StreamId::of_run(&row.run), Arc::clone(&wanted.by));
        let asked = OfTask { fence: row.fence, by, does: TaskDoes::Take { length: wanted.length } };
        let envelope = Envelope { id: wanted.id, ..Envelope::default() };
        let ask = || Ask::OfTask(Box::new(asked.clone()));
        match self.system.hosting().order::<RunKind>(&stream, &envelope, ask).await {
            Ok(_) => {}
            Err(problem) if is_passed_over(problem.code) => return Ok(None),
            Err(problem) => return Err(problem.of_run(&row.run)),
        }
        let handed = match taking.handed() {
            Some(handed) => Some(handed),
            // It was recorded before, by a process that did not answer; or its lease was over, and with that the attempt.
            None => Handed::of(&self.system.fold(&row.run).await?.0, row.fence)?,
        };
        let Some(handed) = handed.filter(|handed| handed.by == wanted.by) else { return Ok(None) };
        self.given(row, handed).await.map(Some)
    }

    /// A task with all that is needed to do it.
    async fn given(&self, row: &TaskRow, handed: Handed) -> Result<TaskGiven, Problem> {
        let Handed { assignment, added, lease, by: _, until } = handed;
        let library = Arc::clone(self.system.library());
        let (definition, agent) = (assignment.definition(), assignment.agent_definition());
        let read = blocking(move || {
            let blobs: &dyn Blobs = &*library;
            let schema = schema(&added, definition.hash, blobs);
            let system = agent.and_then(|agent| {
                let bytes = blobs.read(&agent.hash).ok()?;
                serde_json::from_slice::<AgentDefinition>(&bytes).ok()
            });
            let system = system.map(|agent| agent.system_prompt).unwrap_or_default();
            assignment.read(blobs).map(|task| (task, schema, system))
        });
        let (task, schema, system) = read.await??;
        let id = TaskId { run: row.run.clone(), fence: row.fence, lease: Some(lease) }.to_string();
        let Task { work, .. } = task;
        Ok(TaskGiven {
            id,
            run: task.run,
            step: task.step,
            description: row.description.chars().take(DESCRIPTION_CHARS).collect(),
            prompt: work.prompt,
            subagent_type: task.agent.clone(),
            agent: task.agent,
            files: files(&work.with.value()),
            input: work.with,
            lease_until: until,
            answer: String::new(),
            system,
            schema,
            purpose: task.purpose,
            attempt: task.attempt,
            idempotency_key: task.idempotency_key.to_string(),
            work_folder: task.work_folder.to_string(),
            conversation: task.conversation,
            undoes: task.compensates.map(UndoesTask::of),
            messages: task.messages.iter().map(|given| Json::of(given).unwrap_or_default()).collect(),
        })
    }
}

fn ending() -> Problem {
    Problem::new(Code::ShuttingDown, "the process is ending")
}

/// Whether a task is not to be had for that reason, and another may be.
const fn is_passed_over(code: Code) -> bool {
    matches!(
        code,
        Code::TaskHeld
            | Code::TaskOver
            | Code::TaskNotHandedOut
            | Code::NoSuchTask
            | Code::RunParked
            | Code::UnknownRun
    )
}

fn known(row: TaskRow, wall: Timestamp) -> TaskKnown {
    let id = TaskId { run: row.run.clone(), fence: row.fence, lease: None }.to_string();
    // One whose lease is over is anybody's, whether or not that is recorded.
    let held = row.held.filter(|held| held.until > wall);
    let (by, lease_until) = (held.as_ref().map(|held| held.by.clone()), held.as_ref().map(|held| held.until));
    let (percent, text) = held.map_or((None, None), |held| (held.percent, held.text));
    TaskKnown {
        id,
        run: row.run,
        step: row.step,
        purpose: row.purpose,
        attempt: row.attempt,
        agent: row.agent,
        description: row.description,
        since: row.since,
        by,
        lease_until,
        percent,
        text,
    }
}

/// What an answer has to look like, if the step says so.
fn schema(added: &StepAdded, definition: Hash, blobs: &dyn Blobs) -> Option<Json> {
    let hash = added.planned.map_or(definition, |planned| planned.hash);
    let definition = blobs.value::<Definition>(&hash).ok()?;
    definition.step(&added.template)?.schema.as_ref().map(Json::from)
}

/// The files that the step gives, where it names them.
fn files(with: &serde_json::Value) -> Vec<String> {
    let named = with.get("files").and_then(|files| files.as_array());
    named.into_iter().flatten().filter_map(|file| file.as_str().map(str::to_owned)).collect()
}
