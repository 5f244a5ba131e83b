//! The tools that are built in: what a model may call beside the agents of its run. A tool is an agent, of the executor `tool`: a
//! call of it is a step, with the call's arguments as its `with`.
//!
//! - `table`: which there are, what they take, and what they may do
//! - `call`: what a call is given, and how it answers; `folder`: the work folder, out of which nothing leads
//! - `read`, `write`, `look`, `search`: files; `walk`: looks through folders
//! - `programs`: programs; `git`: what git says
//! - `web`: what is asked over HTTP; `address`: which addresses are public; `page`: pages as text
//! - `share`: what the agents of a run share

mod address;
mod call;
mod folder;
mod git;
mod look;
mod page;
mod programs;
mod read;
mod search;
mod share;
mod table;
#[cfg(test)]
mod tests;
mod walk;
mod web;
mod write;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use serde_json::Value;

use super::inspection::Inspection;
use super::subprocess::{self, SubprocessExecutor};
use super::{AgentDefinition, Context, Executor, ExecutorKind, Failure, Output, Task};
use crate::events::ids::{AgentName, RunId, StepId};
use crate::events::json::Json;
use crate::events::problem::{Code, Problem};
use crate::workflow::output::Shape;
use crate::workflow::work::Command;
use call::{Call, answer};
use table::Work;
pub use table::{May, TOOLS, Tool};
use web::Web;

/// The section `[tools]` of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Settings {
    /// The command that the tool `test` runs.
    pub test: Option<Command>,
    /// Whether `fetch` and `http` may use addresses that are not public.
    pub private_addresses: bool,
}

/// What the calls of a process have in common.
#[derive(Debug, Default)]
pub struct Tools {
    settings: Settings,
    /// The data folder, which no tool touches.
    data: Option<PathBuf>,
    web: Web,
}

impl Tools {
    /// Tools that work by these settings, and leave the data folder alone, if there is one.
    pub fn new(settings: Settings, data: Option<&Path>) -> Self {
        let web = Web::new(settings.private_addresses);
        Self { settings, data: data.map(Path::to_path_buf), web }
    }
}

/// The tool that a name means: by its own name, as names of agents match, or by that which other programs have for it.
pub fn of(name: &str) -> Option<&'static Tool> {
    let key = AgentName::new(name).key();
    let is_one = |name: &&str| AgentName::new(name).key() == key;
    let by_name = TOOLS.iter().find(|tool| is_one(&tool.name));
    by_name.or_else(|| TOOLS.iter().find(|tool| tool.aliases.iter().any(&is_one)))
}

impl Tool {
    /// The tool as an agent.
    pub fn agent(&self) -> AgentDefinition {
        AgentDefinition {
            description: self.description.to_owned(),
            executor: ExecutorKind::Tool,
            input: Some(self.input()),
            ..AgentDefinition::named(AgentName::new(self.name))
        }
    }
}

/// Whether arguments are what an agent takes as a tool: an object, of the shape that its `input` says.
///
/// # Errors
/// [`Code::ToolInput`], with the first thing that does not fit.
pub fn check_arguments(agent: &AgentDefinition, arguments: &Json) -> Result<(), Failure> {
    let refused = |why: String| Err(Failure::new(Code::ToolInput, format!("`{}`: {why}", agent.name)));
    if !arguments.text().starts_with('{') {
        return refused("it takes an object".to_owned());
    }
    let Some(input) = &agent.input else { return Ok(()) };
    match Shape::new(input) {
        Ok(shape) => shape.misfit("input", arguments).map_or(Ok(()), refused),
        Err(why) => refused(format!("its `input` is no JSON Schema: {why}")),
    }
}

/// Makes the calls of one tool.
pub(super) struct ToolExecutor {
    tool: &'static Tool,
    agent: AgentDefinition,
    tools: Arc<Tools>,
    options: Arc<subprocess::Options>,
    programs: SubprocessExecutor,
}

impl ToolExecutor {
    /// For this agent, which is a tool.
    ///
    /// # Errors
    /// [`Code::NoSuchTool`], if this version does not have it.
    pub(super) fn new(
        agent: &AgentDefinition,
        tools: Arc<Tools>,
        options: Arc<subprocess::Options>,
    ) -> Result<Self, Problem> {
        let tool = TOOLS.iter().find(|tool| tool.name == agent.name.as_str()).ok_or_else(|| {
            Problem::new(Code::NoSuchTool, format!("this version has no tool `{}`", agent.name))
        })?;
        let programs = SubprocessExecutor::plain(Arc::clone(&options));
        Ok(Self { tool, agent: tool.agent(), tools, options, programs })
    }

    /// Does what blocks, and waits for its end also if it has to stop: what changes a file late would change it after somebody has
    /// undone that. What only looks ends soon then.
    async fn on_thread<T: Send + 'static>(
        &self,
        task: &Task,
        context: &Context,
        work: impl FnOnce(&Call, &Settings) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let stop = Stop(Arc::new(AtomicBool::new(false)));
        let (task, data, settings) = (task.clone(), self.tools.data.clone(), self.tools.settings.clone());
        let stopped = Arc::clone(&stop.0);
        let mut done = std::pin::pin!(call::on_thread(move || {
            work(&Call::new(task, data.as_deref(), stopped)?, &settings)
        }));
        tokio::select! {
            // An answer that is there when the deadline passes is there.
            biased;
            result = &mut done => result,
            why = context.stopped() => {
                drop(stop);
                let result = done.await;
                if self.tool.may == May::Change { result } else { Err(Failure::stopped(why)) }
            }
        }
    }

    async fn call(&self, task: Task, context: Context) -> Result<Output, Failure> {
        let made = |value: &Value| Output { output: answer(value), ..Output::default() };
        match self.tool.work() {
            Work::Files(work) => {
                let value = self.on_thread(&task, &context, move |call, _| work(call)).await?;
                Ok(made(&value))
            }
            Work::Programs { of, says } => {
                let program = self.on_thread(&task, &context, of).await?;
                let said = programs::see_through(&self.programs, task, context, program).await?;
                let transcript = Some(said.to_json());
                match says(&said) {
                    Ok(value) => Ok(Output { transcript, ..made(&value) }),
                    Err(failure) => Err(Failure { transcript, ..failure }),
                }
            }
            Work::Git { of, says } => {
                let arguments = self.on_thread(&task, &context, move |call, _| of(call)).await?;
                let (environment, masks) = (&self.options.environment, &self.options.masks);
                let inspection = Inspection { environment, masks };
                let ran = git::asked(inspection, Path::new(&*task.work_folder), arguments).await?;
                says(&ran).map(|value| made(&value))
            }
            Work::Fetch => self.tools.web.fetch(&task).await.map(|value| made(&value)),
            Work::Http => self.tools.web.http(&task).await.map(|value| made(&value)),
            Work::Shares(work) => work(&task),
            Work::Said => Ok(made(&serde_json::json!({ "sent": true }))),
            Work::Loop => {
                let message = "it asks another agent only where a model calls it in its turns, and only one that the run knows, and not the model's own";
                Err(Failure::new(Code::ToolOfLoop, message))
            }
        }
    }
}

/// Tells a thread that nobody waits for it any more, when it is dropped.
struct Stop(Arc<AtomicBool>);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[async_trait]
impl Executor for ToolExecutor {
    async fn execute(&self, task: Task, context: Context) -> Result<Output, Failure> {
        let none = Json::from(&Value::Object(serde_json::Map::new()));
        let arguments = if task.work.with.is_null() { &none } else { &task.work.with };
        check_arguments(&self.agent, arguments)?;
        if let Work::Files(_) | Work::Programs { .. } = self.tool.work() {
            // They hear themselves that they have to stop, and clean up first.
            return self.call(task, context).await;
        }
        let stopped = context.clone();
        tokio::select! {
            // An answer that is there when the deadline passes is there.
            biased;
            result = self.call(task, context) => result,
            why = stopped.stopped() => Err(Failure::stopped(why)),
        }
    }

    async fn end_leftover(&self, run: &RunId, step: &StepId) -> Result<(), Failure> {
        self.programs.end_leftover(run, step).await
    }
}
