//! `reenact tasks`: work that is handed out to people and programs outside; who takes it, and answers it.

use std::io::IsTerminal;
use std::time::Duration;

use serde::Serialize;

use super::arguments::{
    CompleteTaskArguments, FailTaskArguments, HeartbeatArguments, NextTaskArguments, OrderArguments,
    TakenTaskArguments, TasksArguments, TasksVerb,
};
use super::control::{self, Then};
use super::see::{self, Exchange, Signals};
use super::text::terminal::written;
use super::text::{self, Text, name, terminal};
use super::{Exit, Scene};
use crate::api::folder::is_store;
use crate::api::protocol::{
    Control, Frame, Request, Response, TaskGiven, TaskKnown, TaskTaken, TaskWanted, TasksWanted,
};
use crate::api::user::user;
use crate::api::wording::{Call, Worded};
use crate::api::{answer, new_command_id};
use crate::events::ids::{AgentName, StreamId, TaskId};
use crate::events::limits::TASK_LEASE;
use crate::events::problem::{Code, Problem};
use crate::events::run::Purpose;
use crate::events::time::Timestamp;

/// The JSON that `tasks --json` prints.
#[derive(Clone, Serialize)]
struct Listed {
    tasks: Vec<TaskKnown>,
}

impl Worded for Listed {}

impl Worded for TaskGiven {
    fn word(&mut self, call: &Call) {
        self.answer = format!("{} < answer", call.command(["tasks", "complete", &self.id]));
    }
}

pub(super) async fn tasks(scene: &Scene, arguments: TasksArguments) -> Result<Exit, Problem> {
    let TasksArguments { agent, verb } = arguments;
    match verb {
        None => list(scene, agent.as_deref().map(AgentName::new)).await,
        Some(TasksVerb::Next(arguments)) => next(scene, arguments).await,
        Some(TasksVerb::Complete(arguments)) => complete(scene, arguments).await,
        Some(TasksVerb::Fail(arguments)) => fail(scene, arguments).await,
        Some(TasksVerb::Heartbeat(arguments)) => heartbeat(scene, arguments).await,
    }
}

async fn list(scene: &Scene, agent: Option<AgentName>) -> Result<Exit, Problem> {
    let mut tasks: Vec<TaskKnown> = Vec::new();
    if is_store(&scene.house.data) {
        let mut show = |frame| {
            if let Frame::Task(task) = frame {
                tasks.push(*task);
            }
        };
        let mut signals = Signals::listen()?;
        let door = scene.open().await?;
        match see::ask(scene, door, &Request::Tasks(TasksWanted::List { agent }), &mut signals, &mut show)
            .await?
        {
            Exchange::Interrupted => return Ok(Exit::Interrupted),
            Exchange::Response(_, door) => see::leave(door, &mut signals).await?,
        }
        // If its holder went in the middle, the next one was asked again and answered from the beginning.
        let mut known = std::collections::HashSet::new();
        tasks.retain(|task| known.insert(task.id.clone()));
    }
    if tasks.is_empty() && !scene.say.is_json() {
        scene.say.note(&terminal!("no tasks are open"));
        return Ok(Exit::Good);
    }
    scene.say.result(&Listed { tasks }, |listed| Text::lines(listed.tasks.iter().map(line)));
    Ok(Exit::Good)
}

fn line(task: &TaskKnown) -> Text {
    let who = match (&task.by, task.lease_until) {
        (Some(by), Some(until)) => {
            let far = task.percent.map(|percent| terminal!(", {}%", percent)).unwrap_or_default();
            let doing = task.text.as_ref().map(|text| terminal!(", {}", name(text))).unwrap_or_default();
            terminal!("{} has it until {}{}{}", name(by), text::moment(until), far, doing)
        }
        _ => terminal!("open since {}", text::moment(task.since)),
    };
    let undo = if task.purpose == Purpose::Compensate { "undo " } else { "" };
    let what = terminal!("{}  {}  {}`{}`", name(&task.id), name(task.agent.as_str()), undo, task.step);
    terminal!("{}  {}  {}", what, who, name(&task.description))
}

async fn next(scene: &Scene, arguments: NextTaskArguments) -> Result<Exit, Problem> {
    let NextTaskArguments { agent, lease, wait, who } = arguments;
    let agent = AgentName::new(&agent);
    agent.check().map_err(|error| Problem::new(Code::Usage, error.to_string()))?;
    if wait.is_none() && !is_store(&scene.house.data) {
        // No data folder is made to find out that nothing is in it.
        nothing(scene, &agent, false);
        return Ok(Exit::Waiting);
    }
    let request = Request::Tasks(TasksWanted::Next(TaskWanted {
        agent: agent.clone(),
        by: who.by.unwrap_or_else(user).into(),
        length: lease.unwrap_or(TASK_LEASE),
        until: wait.map(|wait| now().after(wait)),
        id: Some(new_command_id()),
    }));
    let mut signals = Signals::listen()?;
    let door = scene.open().await?;
    match see::ask(scene, door, &request, &mut signals, &mut |_| {}).await? {
        Exchange::Interrupted => Ok(Exit::Interrupted),
        Exchange::Response(Response::TaskTaken(TaskTaken { task, paused }), door) => {
            let exit = match task {
                Some(task) => {
                    scene.say.result(&*task, |task| given(task, &scene.call));
                    Exit::Good
                }
                None => {
                    nothing(scene, &agent, paused);
                    Exit::Waiting
                }
            };
            see::leave(door, &mut signals).await?;
            Ok(exit)
        }
        Exchange::Response(other, _) => Err(other.mismatch()),
    }
}

/// Says why nothing is printed.
fn nothing(scene: &Scene, agent: &AgentName, paused: bool) {
    let agent = name(agent.as_str());
    scene.say.note(&match paused {
        true => terminal!("agent `{}` is paused: none of its tasks is handed out", agent),
        false => terminal!("no task of agent `{}` is open", agent),
    });
}

/// A task with all that is needed to do it, whole, and what can be said of it.
fn given(task: &TaskGiven, call: &Call) -> Text {
    let verb = |verb: &str, more: &[&str]| {
        let words = ["tasks", verb, &task.id].into_iter().chain(more.iter().copied());
        call.command(words.map(str::to_owned).collect::<Vec<_>>())
    };
    let purpose = if task.purpose == Purpose::Compensate { "undo" } else { "do" };
    let mut lines = vec![
        terminal!("task      {}", name(&task.id)),
        terminal!("agent     {}", name(task.agent.as_str())),
        terminal!("to {}     `{}` of run {}", purpose, task.step, task.run.as_str()),
        terminal!("yours     until {}", text::moment(task.lease_until)),
        terminal!("folder    {}", written(&task.work_folder)),
    ];
    if !task.input.is_null() {
        lines.push(terminal!("input     {}", written(task.input.text())));
    }
    lines.extend(task.files.iter().map(|file| terminal!("file      {}", written(file))));
    if let Some(undoes) = &task.undoes {
        lines.push(terminal!(
            "undoes    {}, which was {}",
            written(undoes.output.text()),
            name(&undoes.outcome)
        ));
    }
    if let Some(schema) = &task.schema {
        lines.push(terminal!("schema    {}", written(schema.text())));
    }
    let messages = task.messages.iter().map(|message| terminal!("message   {}", written(message.text())));
    lines.extend(messages);
    if let Some(prompt) = &task.prompt {
        lines.push(Text::default());
        lines.push(written(prompt.trim_end()));
        lines.push(Text::default());
    }
    lines.push(terminal!("answer:   {} < answer", verb("complete", &[])));
    lines.push(terminal!("give up:  {}", verb("fail", &["--reason", "R"])));
    lines.push(terminal!("go on:    {}", verb("heartbeat", &["--progress", "50", "TEXT"])));
    Text::lines(lines)
}

async fn complete(scene: &Scene, arguments: CompleteTaskArguments) -> Result<Exit, Problem> {
    let CompleteTaskArguments { task, then } = arguments;
    let (run, fence, lease) = taken(&task.id)?;
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        scene.say.note(&terminal!("write the answer; end it with ctrl-d on a line of its own"));
    }
    let answer = answer::read(stdin.lock())?;
    let control = Control::CompleteTask { fence, lease, answer };
    order(scene, run, control, task, None, then.into()).await
}

async fn fail(scene: &Scene, arguments: FailTaskArguments) -> Result<Exit, Problem> {
    let FailTaskArguments { task, reason, class, then } = arguments;
    let (run, fence, lease) = taken(&task.id)?;
    let control = Control::FailTask { fence, lease, class: class.into() };
    order(scene, run, control, task, Some(reason), then.into()).await
}

async fn heartbeat(scene: &Scene, arguments: HeartbeatArguments) -> Result<Exit, Problem> {
    let HeartbeatArguments { task, progress, lease: length } = arguments;
    let (run, fence, lease) = taken(&task.id)?;
    let percent = progress.first().map(|text| percent(text)).transpose()?;
    let (length, text) = (length.unwrap_or(TASK_LEASE), progress.get(1).cloned());
    let control = Control::Heartbeat { fence, lease, length, percent, text };
    order(scene, run, control, task, None, Then::Leave).await
}

fn percent(text: &str) -> Result<u8, Problem> {
    let percent = text.trim_end_matches('%').parse::<u8>().ok().filter(|percent| *percent <= 100);
    percent.ok_or_else(|| {
        let message = format!("`{}` is no progress: it is a number from 0 to 100", text.escape_debug());
        Problem::new(Code::Usage, message)
    })
}

/// The run, the number and the lease of a task that somebody has taken.
fn taken(id: &str) -> Result<(String, crate::events::ids::Fence, u32), Problem> {
    let id = TaskId::parse(id).map_err(|error| Problem::new(Code::NoSuchTask, error.to_string()))?;
    let Some(lease) = id.lease else {
        let message = format!("`{id}` names no lease: only who has taken a task can say something of it");
        return Err(Problem::new(Code::NoSuchTask, message));
    };
    // The run with just that id.
    Ok((StreamId::of_run(&id.run).to_string(), id.fence, lease))
}

async fn order(
    scene: &Scene,
    run: String,
    control: Control,
    task: TakenTaskArguments,
    reason: Option<String>,
    then: Then,
) -> Result<Exit, Problem> {
    control::order(scene, run, control, OrderArguments { who: task.who, reason }, then).await
}

/// What the wall clock shows.
fn now() -> Timestamp {
    let since = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap_or(Duration::ZERO);
    Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}
