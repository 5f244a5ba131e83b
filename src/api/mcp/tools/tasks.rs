//! The tools by which tasks are taken and answered.

use std::rc::Rc;
use std::time::Duration;

use serde_json::json;

use super::arguments::{
    FailureClass, TaskAnswer, TaskComplete, TaskFail, TaskHeartbeat, TaskNext, TasksList,
};
use super::people::{Who, control};
use crate::api::mcp::answer::{Answer, Failed};
use crate::api::mcp::desk::{Desk, whole};
use crate::api::protocol::{
    Control, Frame, Request, Response, TaskGiven, TaskKnown, TaskTaken, TaskWanted, TasksWanted,
};
use crate::api::{answer, new_command_id};
use crate::events::ids::{AgentName, Fence, TaskId};
use crate::events::limits::TASK_LEASE;
use crate::events::problem::{Class, Code, Problem};
use crate::events::time::Timestamp;

pub(super) async fn list(desk: &Rc<Desk>, arguments: TasksList) -> Result<Answer, Failed> {
    let mut tasks: Vec<TaskKnown> = Vec::new();
    if desk.has_store() {
        let agent = arguments.agent.as_deref().map(AgentName::new);
        let mut show = |frame| {
            if let Frame::Task(task) = frame {
                tasks.push(*task);
            }
        };
        desk.ask(&Request::Tasks(TasksWanted::List { agent }), &mut show).await?;
        // If its holder went in the middle, the next one was asked again and answered from the beginning.
        let mut known = std::collections::HashSet::new();
        tasks.retain(|task| known.insert(task.id.clone()));
    }
    Ok(Answer::plain(&json!({ "tasks": tasks }))?)
}

pub(super) async fn next(desk: &Rc<Desk>, arguments: TaskNext, by: &str) -> Result<Answer, Failed> {
    let TaskNext { agent, lease_seconds, wait_seconds, by: named } = arguments;
    let agent = AgentName::new(&agent);
    agent.check().map_err(|error| Problem::new(Code::BadValue, error.to_string()))?;
    let wait = wait_seconds.filter(|wait| !wait.is_none());
    let mut taken = TaskTaken { task: None, paused: false };
    if wait.is_some() || desk.has_store() {
        let wanted = TaskWanted {
            agent,
            by: named.as_deref().unwrap_or(by).into(),
            length: lease(lease_seconds),
            until: wait.map(|wait| now().after(wait.length())),
            id: Some(new_command_id()),
        };
        taken = match desk.ask(&Request::Tasks(TasksWanted::Next(wanted)), &mut |_| {}).await? {
            Response::TaskTaken(taken) => taken,
            other => return Err(other.mismatch().into()),
        };
    }
    let task = taken.task.map(|task| {
        let answer = format!("task_complete with the id `{}`", task.id);
        TaskGiven { answer, ..*task }
    });
    match task {
        Some(task) => Ok(Answer::plain(&task)?),
        None => Ok(Answer::plain(&json!({ "id": null, "paused": taken.paused }))?),
    }
}

pub(super) async fn complete(desk: &Rc<Desk>, arguments: TaskComplete, by: &str) -> Result<Answer, Failed> {
    let TaskComplete { id, answer, by: named, resume } = arguments;
    let (run, fence, lease) = taken(&id)?;
    let text = match answer {
        TaskAnswer::Text(text) => text,
        TaskAnswer::Object(members) => json!(members).to_string(),
        TaskAnswer::List(items) => json!(items).to_string(),
    };
    let answer = answer::of_text(&text)?;
    let who = Who { by: named.as_deref().unwrap_or(by), reason: None, resume };
    control(desk, run, Control::CompleteTask { fence, lease, answer }, who).await
}

pub(super) async fn fail(desk: &Rc<Desk>, arguments: TaskFail, by: &str) -> Result<Answer, Failed> {
    let TaskFail { id, reason, class, by: named, resume } = arguments;
    let (run, fence, lease) = taken(&id)?;
    let who = Who { by: named.as_deref().unwrap_or(by), reason: Some(reason), resume };
    control(desk, run, Control::FailTask { fence, lease, class: class.into() }, who).await
}

pub(super) async fn heartbeat(desk: &Rc<Desk>, arguments: TaskHeartbeat, by: &str) -> Result<Answer, Failed> {
    let TaskHeartbeat { id, percent, text, lease_seconds, by: named } = arguments;
    let (run, fence, number) = taken(&id)?;
    let control_it = Control::Heartbeat { fence, lease: number, length: lease(lease_seconds), percent, text };
    let who = Who { by: named.as_deref().unwrap_or(by), reason: None, resume: Some(false) };
    control(desk, run, control_it, who).await
}

impl From<FailureClass> for Class {
    fn from(class: FailureClass) -> Self {
        match class {
            FailureClass::Transient => Self::Transient,
            FailureClass::Validation => Self::Validation,
            FailureClass::Dependency => Self::Dependency,
            FailureClass::Fatal => Self::Fatal,
            FailureClass::Unknown => Self::Unknown,
        }
    }
}

fn lease(seconds: Option<u32>) -> Duration {
    seconds.map_or(TASK_LEASE, |seconds| Duration::from_secs(seconds.into()))
}

/// The run, the number and the lease of a task that somebody has taken.
fn taken(id: &str) -> Result<(String, Fence, u32), Problem> {
    let id = TaskId::parse(id).map_err(|error| Problem::new(Code::NoSuchTask, error.to_string()))?;
    let Some(lease) = id.lease else {
        let message = format!("`{id}` names no lease: only who has taken a task can say something of it");
        return Err(Problem::new(Code::NoSuchTask, message));
    };
    Ok((whole(&id.run), id.fence, lease))
}

/// What the wall clock shows.
fn now() -> Timestamp {
    let since = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap_or(Duration::ZERO);
    Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}
