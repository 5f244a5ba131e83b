//! What a request may hold, checked in one place: names from another process become keys and paths as those from the command
//! line do. And how it is written and read, within its bound.

mod shared;

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use super::{Control, Request, TaskWanted, TasksWanted, WhichEvents};
use crate::aggregates::run::Order;
use crate::api::spec::{BoundWorkflow, Resolved, RunSpec, Workflow};
use crate::events::ids::{AgentName, ContextName, ConversationName, InvalidId, RunId, StepId};
use crate::events::json::Json;
use crate::events::limits::{CALLS_MAX, TASK_ANSWER_JSON_BYTES_MAX, TASK_LEASE_MAX, TOKENS_MAX};
use crate::events::money::{DOLLARS_MAX, NANOS_A_DOLLAR};
use crate::events::problem::{Code, Problem};
use crate::events::run::{Routed, RoutedAgent, SpendKind, SpendLimits};
use crate::events::time::format_duration;
use crate::executors::AgentDefinition;
use crate::workflow::definition::Definition;
use crate::workflow::routing::AGENTS_MAX;

/// No request is longer, in bytes: the longest carries definitions, agents and an input. It holds for what is asked within
/// one process, too, so that the same can be asked whoever holds the store.
pub const REQUEST_BYTES_MAX: usize = 64 * 1024 * 1024;

/// The tags of a run stand in its row of the list, which is bounded, in bytes.
const TAGS_BYTES_MAX: usize = 2 * 1024;

/// What is said of a run, or names something of it, is typed by people, in bytes.
const WORDS_BYTES_MAX: usize = 64 * 1024;

impl Request {
    /// Reads a line.
    ///
    /// # Errors
    /// [`Code::BadRequest`]; [`Code::DuplicateKey`] or [`Code::TooDeep`] for one that, in it or in what it carries, would be
    /// one value to us and another to who reads it next.
    pub fn read(line: &[u8]) -> Result<Self, Problem> {
        let text = std::str::from_utf8(line)
            .map_err(|_| Problem::new(Code::BadRequest, "this is no request: it is not UTF-8"))?;
        Json::check_message(text).map_err(|why| match why.code() {
            Code::NotJson => Problem::new(Code::BadRequest, format!("this is no request: {why}")),
            _ => why.problem("the request"),
        })?;
        serde_json::from_str(text)
            .map_err(|error| Problem::new(Code::BadRequest, format!("this is no request: {error}")))
    }

    /// The line that asks it.
    ///
    /// # Errors
    /// [`Code::RequestTooLarge`].
    pub fn line(&self) -> Result<Vec<u8>, Problem> {
        let mut line = serde_json::to_vec(self)
            .map_err(|error| Problem::new(Code::Internal, format!("a request has no JSON form: {error}")))?;
        if line.len() > REQUEST_BYTES_MAX {
            return Err(Self::too_large(Some(line.len())));
        }
        line.push(b'\n');
        Ok(line)
    }

    /// Checks that it is not too long to be asked, whoever holds the store.
    ///
    /// # Errors
    /// [`Code::RequestTooLarge`].
    pub fn check_size(&self) -> Result<(), Problem> {
        let mut counted = Counted(0);
        // What has no JSON form is told when it is asked.
        let _ = serde_json::to_writer(&mut counted, self);
        if counted.0 > REQUEST_BYTES_MAX { Err(Self::too_large(Some(counted.0))) } else { Ok(()) }
    }

    /// Says of a request of so many bytes, where that is known, that it is too long.
    pub fn too_large(bytes: Option<usize>) -> Problem {
        let has = bytes.map_or_else(String::new, |bytes| format!(" has {bytes} bytes, which"));
        let message = format!(
            "what is asked, with definitions, agents and input,{has} is more than the {REQUEST_BYTES_MAX} bytes that are taken"
        );
        Problem::new(Code::RequestTooLarge, message)
    }

    /// Checks the names in it: what comes over the socket need not have been checked by a command line.
    ///
    /// # Errors
    /// [`Code::BadRunId`], [`Code::BadContextName`], [`Code::TooLarge`], [`Code::BadRequest`].
    pub fn check(&self) -> Result<(), Problem> {
        match self {
            Self::Begin { start, drive: _, only_recorded: _ } | Self::Foresee { start } => start.check(),
            Self::See { run, live: _, told: _, tells: _, hears: _ }
            | Self::Outcome { run }
            | Self::Rest { run }
            | Self::Follow { run, after: _ } => run_id(run),
            Self::SeeAll { hears: _ }
            | Self::Interrupt
            | Self::Hello
            | Self::Interrupted
            | Self::Handoffs
            | Self::Successes
            | Self::OwnAgents
            | Self::Conversations
            | Self::Verify => Ok(()),
            Self::History { run, which: WhichEvents { from: _, to: _, step, types, follow: _ } } => {
                words("the run", run)?;
                step.iter().try_for_each(|step| words("the step", step))?;
                types.iter().try_for_each(|kind| words("the type", kind))
            }
            Self::Report { run }
            | Self::Whole { run }
            | Self::Watch { run, inputs: _ }
            | Self::Resolve { run }
            | Self::Graph { run }
            | Self::StateAt { run, at: _ } => words("the run", run),
            Self::Listing { listing, watch: _ } => {
                listing.after.iter().try_for_each(|after| words("the run", after))?;
                Self::List { filter: listing.filter.clone() }.check()
            }
            Self::List { filter } => {
                filter.workflow.iter().try_for_each(|name| words("the workflow's name", name))?;
                tags(&filter.tags)
            }
            Self::Control { run, control, order, id: _ } => {
                words("the run", run)?;
                asked(order)?;
                control.check()
            }
            Self::Agents { named } => named.iter().try_for_each(agent),
            Self::TurnAgent { agent, to: _, known: _, order, id: _ } => {
                self::agent(agent)?;
                asked(order)
            }
            Self::Context { context, wants } => {
                ContextName::parse(context.as_str()).map_err(no_name)?;
                wants.check()
            }
            Self::Conversation { conversation, wants } => {
                let named = ConversationName::parse(conversation.as_str());
                named.map_err(|error| Problem::new(Code::BadConversationName, error.to_string()))?;
                wants.check()
            }
            Self::Messages { run, which } => {
                run.iter().try_for_each(|run| words("the run", run))?;
                which.check()
            }
            Self::Plan { run, to } => {
                words("the run", run)?;
                to.iter().try_for_each(|to| words("the step or phase", to))
            }
            Self::Logs { run, which } => of_step(run, which.step.as_ref()),
            Self::Tasks(wanted) => wanted.check(),
            Self::Cache(wants) => wants.check(),
            Self::Transcript { run, step, purpose: _, attempt: _ } => of_step(run, Some(step)),
            Self::Why { run, step } => of_step(run, step.as_ref()),
        }
    }
}

/// Checks the words for a run and for a step of it.
fn of_step(run: &str, step: Option<&StepId>) -> Result<(), Problem> {
    words("the run", run)?;
    step.into_iter().try_for_each(|step| words("the step", step.as_str()))
}

impl Control {
    fn check(&self) -> Result<(), Problem> {
        match self {
            Self::Pause | Self::Unpause | Self::Cancel { rollback: _ } | Self::Resend { number: _ } => Ok(()),
            Self::PauseAfter { until } => named("the step or phase", until),
            Self::Retry { step: named } | Self::Rollback { to: named } => {
                named.iter().try_for_each(|named| words("the step or phase", named))
            }
            // What its changes hold was looked at when the request was read.
            Self::Approve { request, note, edits: _, hash } => {
                self::named("the request", request)?;
                hash.iter().try_for_each(|hash| words("the hash", hash))?;
                note.iter().try_for_each(|note| words("the note", note))
            }
            Self::Reject { request } => named("the request", request),
            Self::Check { request, points } => {
                named("the request", request)?;
                match points.len() <= WORDS_BYTES_MAX {
                    true => Ok(()),
                    false => Err(Problem::new(Code::TooLarge, "there are too many points")),
                }
            }
            Self::Signal { name, data } => {
                named("the signal", name)?;
                whole("the signal's data", data)
            }
            Self::CompleteTask { fence: _, lease: _, answer } => {
                if answer.text().len() > TASK_ANSWER_JSON_BYTES_MAX {
                    let message = format!("the answer has {} bytes of JSON", answer.text().len());
                    return Err(Problem::new(Code::AnswerTooLong, message));
                }
                whole("the answer", answer)
            }
            Self::RaiseBudget { limits } => spend(*limits),
            Self::FailTask { fence: _, lease: _, class: _ } => Ok(()),
            Self::Heartbeat { fence: _, lease: _, length, percent, text } => {
                if percent.is_some_and(|percent| percent > 100) {
                    return Err(bad("no progress is beyond 100".to_owned()));
                }
                text.iter().try_for_each(|text| words("what is being done", text))?;
                lease(*length)
            }
            Self::Resolve { step, how: _ } => named("the step", step.as_str()),
        }
    }
}

/// Limits of what is spent are within what a file may say.
fn spend(limits: SpendLimits) -> Result<(), Problem> {
    let most = |kind| match kind {
        SpendKind::Calls => CALLS_MAX,
        SpendKind::Tokens => TOKENS_MAX,
        SpendKind::Usd => DOLLARS_MAX * NANOS_A_DOLLAR,
    };
    let absurd = limits.set().find(|(kind, limit)| !(1..=most(*kind)).contains(limit));
    absurd.map_or(Ok(()), |(kind, _)| Err(bad(format!("no limit of {kind} is so high, or nothing at all"))))
}

impl TasksWanted {
    fn check(&self) -> Result<(), Problem> {
        match self {
            Self::List { agent } => agent.iter().try_for_each(self::agent),
            Self::Next(TaskWanted { agent, by, length, until: _, id: _ }) => {
                self::agent(agent)?;
                named("who takes it", by)?;
                lease(*length)
            }
        }
    }
}

impl RunSpec {
    fn check(&self) -> Result<(), Problem> {
        // Lengths of time may be any.
        let Self {
            workflow,
            id,
            input,
            tags,
            parallel,
            timeout: _,
            until,
            work_folder,
            environment,
            agents,
            routed,
            no_cache: _,
            answers: _,
        } = self;
        id.iter().try_for_each(run_id)?;
        workflow.check()?;
        whole("the input", input)?;
        self::tags(tags)?;
        bounds(parallel.unwrap_or(1), 1)?;
        until.iter().try_for_each(|until| named("the step or phase", until))?;
        work_folder.iter().try_for_each(|path| whole_path(path))?;
        let names = environment.iter().flat_map(BTreeMap::keys);
        names.into_iter().try_for_each(|name| named("a name in the environment", name))?;
        routed.iter().try_for_each(self::routed)?;
        agents.iter().try_for_each(|agent| agent.name.check().map_err(|error| bad(error.to_string())))
    }
}

fn routed(routed: &Routed) -> Result<(), Problem> {
    let Routed { domain: _, category: _, complexity, confidence: _, strategy: _, agents } = routed;
    if !(1..=10).contains(complexity) || agents.len() > AGENTS_MAX {
        return Err(bad("what was decided about a request is nothing that could be".to_owned()));
    }
    agents.iter().try_for_each(|RoutedAgent { name, score: _ }| agent(name))
}

impl Workflow {
    fn check(&self) -> Result<(), Problem> {
        match self {
            Self::File(path) => whole_path(path),
            // What they say is checked by who reads them.
            Self::Text(_) | Self::Definition(_) => Ok(()),
            Self::Resolved(resolved) => {
                // The first definition is checked by who reads it; it may grow as far as it likes.
                let Resolved { root, children, growth: _, stuck } = &**resolved;
                if let Some(manager) = &stuck.manager {
                    manager.check().map_err(|error| bad(error.to_string()))?;
                }
                root.check_bounds()?;
                children.iter().try_for_each(BoundWorkflow::check)
            }
        }
    }
}

impl BoundWorkflow {
    fn check(&self) -> Result<(), Problem> {
        folder(&self.file)?;
        definition(&self.definition)?;
        self.check_bounds()
    }

    fn check_bounds(&self) -> Result<(), Problem> {
        let Self { file: _, definition: _, work_folder, agents, parallel, lost_limit, duration_limit: _ } =
            self;
        folder(work_folder)?;
        self::agents(agents)?;
        bounds(*parallel, *lost_limit)
    }
}

fn bad(message: String) -> Problem {
    Problem::new(Code::BadRequest, message)
}

/// Who asks, and why.
fn asked(Order { by, reason }: &Order) -> Result<(), Problem> {
    named("who asks", by)?;
    reason.iter().try_for_each(|reason| words("the reason", reason))
}

fn run_id(run: &RunId) -> Result<(), Problem> {
    let checked = RunId::parse(run.as_str());
    checked.map(drop).map_err(|error| Problem::new(Code::BadRunId, error.to_string()))
}

fn no_name(error: InvalidId) -> Problem {
    Problem::new(Code::BadContextName, error.to_string())
}

/// The name of an agent becomes that of its stream.
fn agent(name: &AgentName) -> Result<(), Problem> {
    name.check().map_err(|error| bad(error.to_string()))
}

/// Words about something, or what may name it: looked up, and found or not.
fn words(what: &str, text: &str) -> Result<(), Problem> {
    if text.len() > WORDS_BYTES_MAX {
        let message = format!("{what} has {} bytes, and at most {WORDS_BYTES_MAX} are taken", text.len());
        return Err(Problem::new(Code::TooLarge, message));
    }
    Ok(())
}

/// How long somebody wants to have a task.
fn lease(length: Duration) -> Result<(), Problem> {
    if length.is_zero() || length > TASK_LEASE_MAX {
        let longest = format_duration(TASK_LEASE_MAX);
        let message = format!("a task is somebody's for longer than no time, and for {longest} at most");
        return Err(Problem::new(Code::BadLease, message));
    }
    Ok(())
}

/// A name: it is recorded, or looked up among such names.
fn named(what: &str, text: &str) -> Result<(), Problem> {
    if text.is_empty() {
        return Err(bad(format!("{what} has no name")));
    }
    words(what, text)
}

/// The tags of a run, or those that it is looked for by.
///
/// # Errors
/// [`Code::TooLarge`] when they do not fit into its row; [`Code::BadRequest`] for one without a name.
pub fn tags(tags: &BTreeMap<String, String>) -> Result<(), Problem> {
    if tags.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>() > TAGS_BYTES_MAX {
        let message = format!("the tags are longer than {TAGS_BYTES_MAX} bytes together");
        return Err(Problem::new(Code::TooLarge, message));
    }
    tags.keys().try_for_each(|name| named("a tag", name))
}

/// Values are trees, not only texts that look like one: those nest so deep as everybody can read.
fn whole(what: &str, json: &Json) -> Result<(), Problem> {
    let read = serde_json::from_str::<Value>(json.text());
    read.map(drop).map_err(|error| bad(format!("{what} cannot be read: {error}")))
}

fn folder(path: &str) -> Result<(), Problem> {
    match Path::new(path).is_absolute() && !path.contains('\0') {
        true => words("a path", path),
        false => Err(bad(format!("`{}` is no absolute path", path.escape_debug()))),
    }
}

fn whole_path(path: &Path) -> Result<(), Problem> {
    folder(path.to_str().ok_or_else(|| bad(format!("the path `{}` is not UTF-8", path.display())))?)
}

fn bounds(parallel: u32, lost: u32) -> Result<(), Problem> {
    if parallel == 0 || lost == 0 { Err(bad("a limit of a run is 0".to_owned())) } else { Ok(()) }
}

fn definition(json: &Json) -> Result<(), Problem> {
    let read = serde_json::from_str::<Definition>(json.text());
    let definition = read.map_err(|error| bad(format!("a definition cannot be read: {error}")))?;
    definition.check_names()
}

/// Agents are recorded as they are, and read whenever the run is.
fn agents(agents: &[(AgentName, Json)]) -> Result<(), Problem> {
    agents.iter().try_for_each(|(name, json)| {
        let read = serde_json::from_str::<AgentDefinition>(json.text());
        let agent = read.map_err(|error| bad(format!("the agent `{name}` cannot be read: {error}")))?;
        if agent.name != *name {
            return Err(bad(format!("the agent `{name}` calls itself `{}`", agent.name)));
        }
        name.check().map_err(|error| bad(error.to_string()))
    })
}

/// Counts what is written, and keeps nothing of it.
struct Counted(usize);

impl io::Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signal(data: Json) -> Request {
        let order = Order { by: "x".into(), reason: None };
        Request::Control {
            run: "r".into(),
            control: Control::Signal { name: "go".into(), data },
            order,
            id: None,
        }
    }

    #[test]
    fn what_one_process_would_not_take_from_another_nobody_takes() {
        let fine = signal(Json::of(&"x".repeat(REQUEST_BYTES_MAX - 1000)).unwrap());
        assert_eq!(fine.check_size(), Ok(()));
        let line = fine.line().unwrap();
        assert!(line.len() <= REQUEST_BYTES_MAX + 1 && line.ends_with(b"\n"));
        let large = signal(Json::of(&"x".repeat(REQUEST_BYTES_MAX)).unwrap());
        assert_eq!(large.check_size().unwrap_err().code, Code::RequestTooLarge);
        assert_eq!(large.line().unwrap_err(), large.check_size().unwrap_err());
    }

    #[test]
    fn values_that_nobody_can_read_as_a_tree_are_refused() {
        let deep = format!("{}{}", "[".repeat(1000), "]".repeat(1000));
        let request = format!(
            r#"{{"control":{{"run":"r","control":{{"signal":{{"name":"go","data":{deep}}}}},"order":{{"by":"x","reason":null}}}}}}"#
        );
        let refused = Request::read(request.as_bytes()).and_then(|request| request.check());
        assert_eq!(refused.unwrap_err().code, Code::TooDeep);
        assert_eq!(signal(Json::null()).check(), Ok(()));
    }
}
