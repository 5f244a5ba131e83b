//! The tools: their names and what they say of themselves, which stay the same; what each takes, and what it does.
//!
//! - `arguments`: what they take
//! - `runs`: those that start runs, and let them go on
//! - `tasks`: those by which tasks are taken and answered
//! - `people`: those that answer what runs ask of people
//! - `look`: those that only look

mod arguments;
pub(super) mod look;
mod people;
mod runs;
mod tasks;

use std::any::Any;
use std::rc::Rc;
use std::sync::Arc;

use rmcp::handler::server::common::schema_for_input;
use rmcp::model::{JsonObject, Tool, ToolAnnotations};
use rmcp::schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;

use self::arguments::{
    Approvals, Approve, Cancel, History, Reject, ReplayAt, Resume, Route, RunStart, RunStatus, RunWait,
    RunsList, Signal, TaskComplete, TaskFail, TaskHeartbeat, TaskNext, TasksList, Why,
};
use super::answer::{Answer, Failed};
use super::desk::Desk;
use crate::events::text::printable;

/// What a tool does to a store, for who has to decide whether it may be used.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Does {
    /// It changes nothing.
    Looks,
    /// It records something; what is there stays.
    Adds,
    /// It starts programs, or ends what is there.
    Acts,
}

/// A tool.
struct Row {
    name: &'static str,
    title: &'static str,
    does: Does,
    says: &'static str,
    schema: fn() -> Result<Arc<JsonObject>, String>,
    read: fn(JsonObject) -> Result<Asked, serde_json::Error>,
}

/// The tools, each with what it takes; and how what somebody asks of them is read.
macro_rules! tools {
    ($($takes:ident = $name:literal, $title:literal, $does:ident, $says:literal;)*) => {
        /// What somebody asks of a tool.
        #[derive(Debug)]
        pub(super) enum Asked { $($takes($takes),)* }

        const TOOLS: &[Row] = &[$(Row {
            name: $name,
            title: $title,
            does: Does::$does,
            says: $says,
            schema: schema_of::<$takes>,
            read: |arguments| read_as::<$takes>(arguments).map(Asked::$takes),
        }),*];
    };
}

tools! {
    RunStart = "run_start", "Start a run", Acts,
        "Start a run of a workflow file (YAML, JSON or a Markdown chain). It goes on in the background; answers with the run, at once or after wait_seconds. The same id with the same file and inputs is the same run.";
    RunStatus = "run_status", "Look at a run", Looks,
        "One run: status, steps, what it waits for (waiting_for), output, error, and what can be done about it.";
    RunWait = "run_wait", "Wait for a run", Looks,
        "Wait until a run has ended, waits for somebody, or is driven by nobody; or until the time is over. Answers with the run.";
    RunsList = "runs_list", "List runs", Looks,
        "Runs, newest first. `next` names the run after which there are more.";
    TasksList = "tasks_list", "List open tasks", Looks,
        "The tasks that are handed out, and who has them.";
    TaskNext = "task_next", "Take a task", Adds,
        "Take the task of an agent that is open longest, with all that is needed to do it: prompt, input, files, schema. It is yours until lease_until. `id` is null where none is open.";
    TaskComplete = "task_complete", "Answer a task", Adds,
        "Answer a task that you took: a JSON object or list is the step's output as it is, any other text becomes {\"text\": …}.";
    TaskFail = "task_fail", "Give a task up", Acts,
        "Say that a task that you took cannot be done: its attempt has failed.";
    TaskHeartbeat = "task_heartbeat", "Keep a task", Adds,
        "Say that you go on with a task: its lease is renewed, and its progress shown.";
    Approvals = "approvals", "List what people are asked", Looks,
        "The requests for an approval that are open, of one run or of all: what would be done, who may answer, and the hash of exactly that.";
    Approve = "approve", "Grant an approval", Acts,
        "Grant what a run asks people for, as a person told you to. With `hash` it counts only for what was looked at; with `check` only points of its checklist are ticked.";
    Reject = "reject", "Refuse an approval", Acts,
        "Refuse what a run asks people for, as a person told you to: its step fails.";
    Signal = "signal", "Send a signal", Acts,
        "Send a run a signal, for the step that waits for it or will.";
    Route = "route", "Route a request", Looks,
        "How a request would be understood, and which agents fit it, the best first. Nothing is recorded.";
    ReplayAt = "replay_at", "Look at a run as it was", Looks,
        "A run as it was right after one of its events, with `effects`: what would have been done next.";
    Why = "why", "Ask why", Looks,
        "Why a run, or a step of it, is as it is: the chain of causes, the outcome first, the root last.";
    History = "history", "Read a history", Looks,
        "The events of a run in order, some at a time. `next` is the version from which there are more.";
    Cancel = "cancel", "Cancel a run", Acts,
        "End a run: what runs of it is stopped; with `rollback` what it did is undone first.";
    Resume = "resume", "Let a run go on", Acts,
        "Let a run go on that nobody drives, in the background; answers with the run, at once or after wait_seconds.";
}

fn schema_of<T: JsonSchema + Any>() -> Result<Arc<JsonObject>, String> {
    schema_for_input::<T>()
}

fn read_as<T: DeserializeOwned>(arguments: JsonObject) -> Result<T, serde_json::Error> {
    serde_json::from_value(Value::Object(arguments))
}

/// All tools, as clients are told of them.
pub(super) fn all() -> Vec<Tool> {
    let tool = |row: &Row| {
        // A test shows that each has one.
        let schema = (row.schema)().unwrap_or_default();
        let hints = ToolAnnotations::new().read_only(row.does == Does::Looks);
        let hints = hints.destructive(row.does == Does::Acts).open_world(row.does == Does::Acts);
        Tool::new(row.name, row.says, schema).with_title(row.title).with_annotations(hints)
    };
    TOOLS.iter().map(tool).collect()
}

/// What somebody asks of the tool of that name.
///
/// # Errors
/// What is wrong with it, in a line.
pub(super) fn read(name: &str, arguments: JsonObject) -> Result<Asked, String> {
    let row = TOOLS.iter().find(|row| row.name == name);
    let row = row.ok_or_else(|| format!("there is no tool `{}`", printable(name)))?;
    (row.read)(arguments)
        .map_err(|error| format!("the arguments of `{name}`: {}", printable(&error.to_string())))
}

/// Does what is asked.
///
/// # Errors
/// Everything because of which it is not done.
pub(super) async fn perform(desk: &Rc<Desk>, asked: Asked, by: &str) -> Result<Answer, Failed> {
    match asked {
        Asked::RunStart(arguments) => runs::start(desk, arguments).await,
        Asked::Resume(arguments) => runs::resume(desk, arguments).await,
        Asked::RunWait(arguments) => runs::wait(desk, arguments).await,
        Asked::Cancel(arguments) => people::cancel(desk, arguments, by).await,
        Asked::TasksList(arguments) => tasks::list(desk, arguments).await,
        Asked::TaskNext(arguments) => tasks::next(desk, arguments, by).await,
        Asked::TaskComplete(arguments) => tasks::complete(desk, arguments, by).await,
        Asked::TaskFail(arguments) => tasks::fail(desk, arguments, by).await,
        Asked::TaskHeartbeat(arguments) => tasks::heartbeat(desk, arguments, by).await,
        Asked::Approvals(arguments) => people::approvals(desk, arguments).await,
        Asked::Approve(arguments) => people::approve(desk, arguments, by).await,
        Asked::Reject(arguments) => people::reject(desk, arguments, by).await,
        Asked::Signal(arguments) => people::signal(desk, arguments, by).await,
        Asked::RunStatus(arguments) => look::status(desk, arguments).await,
        Asked::RunsList(arguments) => look::list(desk, arguments).await,
        Asked::Route(arguments) => look::route(desk, arguments).await,
        Asked::ReplayAt(arguments) => look::replay_at(desk, arguments).await,
        Asked::Why(arguments) => look::why(desk, arguments).await,
        Asked::History(arguments) => look::history(desk, arguments).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_tool_says_what_it_takes_and_takes_nothing_else() {
        for row in TOOLS {
            let schema = (row.schema)().unwrap();
            assert_eq!(schema["additionalProperties"], false, "{}", row.name);
            for (name, property) in schema["properties"].as_object().unwrap() {
                assert!(property["description"].is_string(), "{} {name}: {property}", row.name);
            }
            let odd = JsonObject::from_iter([("odd".to_owned(), Value::Null)]);
            let error = read(row.name, odd).unwrap_err();
            assert!(error.starts_with(&format!("the arguments of `{}`: ", row.name)), "{error}");
        }
        assert_eq!(read("run\u{1b}", JsonObject::new()).unwrap_err(), "there is no tool `run `");
    }
}
