//! Agents of the program itself, by name: Rust closures, and executors of any other kind. An attempt of a closure is a call
//! of it.
//!
//! - [`mind`]: closures that remember
//! - [`message`]: messages that are types, and closures that handle them as they come; [`outgoing`]: messages that closures send
//! - [`typed`]: closures that take what they work on as types of their own

pub mod message;
pub mod mind;
pub mod outgoing;
#[cfg(test)]
mod tests;
pub mod typed;

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use dashmap::DashMap;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::subprocess::OUTPUT_BYTES_MAX;
use super::usage;
use super::{
    AgentRequest, Context, ContextEntry, Executor, Failure, MessageGiven, Output, Progress, Task, now,
};
use crate::events::ids::{AgentName, KeyVersion, LockFence};
use crate::events::json::Json;
use crate::events::problem::{Code, Problem, nearest};
use crate::events::run::Usage;
use crate::events::time::Timestamp;
use crate::workflow::handoff::Handoff;
use crate::workflow::work::{Transcript, Written};
use message::Handlers;
use outgoing::Outgoing;

/// The argument with which a function is called.
#[derive(Debug, Clone)]
pub struct FunctionCall {
    /// The attempt to make. Pass `task.idempotency_key` on to services that recognize repetitions by a key.
    pub task: Task,
    /// Says when to stop. A function is then dropped at its next await; one that has to clean
    /// up must watch this.
    pub context: Context,
    said: Arc<Mutex<Said>>,
    requests: Arc<Mutex<Vec<AgentRequest>>>,
    used: Arc<Mutex<Usage>>,
}

impl FunctionCall {
    /// The step's `with`, decoded into the type that the function wants.
    ///
    /// # Errors
    /// A `validation` failure when it does not fit.
    pub fn input<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        serde_json::from_str(self.task.work.with.text()).map_err(|error| {
            Failure::new(
                Code::FunctionInput,
                format!("`with` is not what `{}` takes: {error}", self.task.agent),
            )
        })
    }

    /// Shows how far the attempt is; a `percent` above 100 counts as 100.
    pub fn progress(&self, percent: u8, text: impl Into<String>) {
        self.context.progress.send_replace(Progress { percent: percent.min(100), text: text.into() });
    }

    /// A value that the agents of the run share, with its version, as it was when the attempt began; none if nobody has
    /// written that key. `ALIAS/KEY` means a context that runs share: its value is known of keys that the step's expressions
    /// name, and has version 0 where the key was not there.
    ///
    /// # Errors
    /// A `validation` failure when it does not fit.
    pub fn context_get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<(T, KeyVersion)>, Failure> {
        let entry = match key.split_once('/') {
            Some((alias, key)) => self.task.contexts.get(alias).and_then(|keys| keys.get(key)),
            None => self.task.context.get(key),
        };
        known_as(entry, key, &self.task.agent)
    }

    /// The number of the grant by which the step holds a lock, of one named `CONTEXT/NAME`: who is told it can refuse what is
    /// written by an older one. None if it does not hold that lock.
    pub fn lock_fence(&self, lock: &str) -> Option<LockFence> {
        self.task.locks.get(lock).copied()
    }

    /// Writes a value that the agents of the run share, or runs (`ALIAS/KEY`), when the attempt succeeds. With `expected` it fails then, and is
    /// tried again where its step is retried, if the key has another version by then; 0 is that of a key that nobody has
    /// written.
    ///
    /// # Errors
    /// When the value has no JSON form that can be taken.
    pub fn context_set<T: Serialize>(
        &self,
        key: &str,
        value: &T,
        expected: Option<KeyVersion>,
    ) -> Result<(), Failure> {
        self.request(write_of(key, value, expected)?);
        Ok(())
    }

    /// Hands the work over, when the attempt succeeds: the agent of that name goes on, and is told why and what it has to
    /// know, beside the task and what this function answers. What that agent answers is then the step's output. An attempt
    /// may hand over once.
    ///
    /// # Errors
    /// A `validation` failure when the context is no object with a member, or the reason is empty. Whether it may hand over
    /// to that agent the run says, when the attempt succeeds.
    pub fn hand_off<T: Serialize>(&self, to: &str, reason: &str, context: &T) -> Result<(), Failure> {
        let handoff =
            Handoff { to: AgentName::new(to), reason: reason.to_owned(), context: json_of(context)? };
        let said = Handoff::read(&handoff.request())?.request();
        self.request(AgentRequest::Handoff(said));
        Ok(())
    }

    /// The messages from other agents that the attempt handles if it succeeds, the most urgent first. If it does not, they are
    /// given again, with the same ids.
    pub fn messages(&self) -> &[MessageGiven] {
        &self.task.messages
    }

    /// Sends a message to other agents of the run, when the attempt succeeds. It fails then, and nothing is sent, if the
    /// message is none or too many wait; whom nobody is called like it is dead, which fails nothing.
    pub fn send(&self, message: Outgoing) {
        self.request(AgentRequest::Send(message.into()));
    }

    fn request(&self, request: AgentRequest) {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).push(request);
    }

    /// Reports what the attempt has used up, beside what it has reported before; it counts also if the attempt fails then. More than
    /// [`CALLS_MAX`], [`TOKENS_MAX`] or [`DOLLARS_MAX`] fails the attempt.
    ///
    /// [`CALLS_MAX`]: crate::events::limits::CALLS_MAX
    /// [`TOKENS_MAX`]: crate::events::limits::TOKENS_MAX
    /// [`DOLLARS_MAX`]: crate::events::money::DOLLARS_MAX
    pub fn used(&self, usage: Usage) {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        *used = used.and(usage);
    }

    /// Adds a line to the transcript of the attempt. Of a transcript longer than [`OUTPUT_BYTES_MAX`] the
    /// rest is only counted.
    pub fn say(&self, line: &str) {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }
}

/// What a function has said so far.
#[derive(Debug, Default)]
struct Said {
    kept: Vec<u8>,
    /// How many bytes came after those that are kept.
    cut: u64,
}

impl Said {
    fn push(&mut self, line: &str) {
        self.kept.extend_from_slice(line.as_bytes());
        self.kept.push(b'\n');
        self.cut += self.kept.len().saturating_sub(OUTPUT_BYTES_MAX) as u64;
        self.kept.truncate(OUTPUT_BYTES_MAX);
    }
}

/// What the transcript of an attempt of a function tells.
struct Account {
    prompt: Option<String>,
    started_at: Timestamp,
    said: Arc<Mutex<Said>>,
}

impl Account {
    fn of(task: &Task) -> Self {
        Self { prompt: task.work.prompt.clone(), started_at: now(), said: Arc::default() }
    }

    /// The transcript; none if it would tell nothing that the run does not know: most functions
    /// compute, and say nothing.
    fn transcript(self) -> Option<Json> {
        let Said { kept, cut } =
            std::mem::take(&mut *self.said.lock().unwrap_or_else(PoisonError::into_inner));
        if self.prompt.is_none() && kept.is_empty() {
            return None;
        }
        let transcript = Transcript {
            prompt: self.prompt,
            stdout: Written::of(kept),
            stdout_cut: cut,
            started_at: self.started_at,
            ended_at: now(),
            ..Transcript::default()
        };
        Some(transcript.to_json())
    }
}

type Function = Arc<dyn Fn(FunctionCall) -> BoxFuture<'static, Result<Json, Failure>> + Send + Sync>;

/// The functions of this process, by name, and what else it does work with itself; a clone is the same registry. Names match
/// as those of agents do.
#[derive(Clone, Default)]
pub struct Functions {
    by_key: Arc<DashMap<String, Registered>>,
}

/// An agent of the program itself.
struct Registered {
    name: AgentName,
    executor: Arc<dyn Executor>,
    /// What handles messages to it, if anything does.
    handlers: Option<Arc<Handlers>>,
}

impl Functions {
    /// Registers a function, replacing one with that name. Its answer, as JSON, is the step's output.
    ///
    /// ```
    /// # use reenact::executors::function::{FunctionCall, Functions};
    /// # use reenact::executors::Failure;
    /// let functions = Functions::default();
    /// functions.register("double", |call: FunctionCall| async move {
    ///     let number: i64 = call.input()?;
    ///     Ok::<_, Failure>(number * 2)
    /// });
    /// ```
    pub fn register<F, R, O>(&self, name: &str, function: F)
    where
        F: Fn(FunctionCall) -> R + Send + Sync + 'static,
        R: Future<Output = Result<O, Failure>> + Send + 'static,
        O: Serialize,
    {
        let function = FunctionExecutor::new(move |call| {
            let answer = function(call);
            async move { json_of(&answer.await?) }
        });
        self.add(&AgentName::new(name), Arc::new(function));
    }

    /// Puts in what does the work of the agent of that name, in place of what did.
    pub fn add(&self, name: &AgentName, executor: Arc<dyn Executor>) {
        self.by_key.insert(name.key(), Registered { name: name.clone(), executor, handlers: None });
    }

    /// Puts in an agent of that name that handles messages, in place of what was there.
    pub fn add_handlers(&self, name: &AgentName, handlers: Handlers) {
        let handlers = Arc::new(handlers);
        let executor = Arc::clone(&handlers) as Arc<dyn Executor>;
        self.by_key.insert(name.key(), Registered { name: name.clone(), executor, handlers: Some(handlers) });
    }

    /// What handles messages to the agent of that name, if anything does, with its name as it was registered.
    pub fn handlers(&self, name: &AgentName) -> Option<(AgentName, Arc<Handlers>)> {
        let found = self.by_key.get(&name.key())?;
        Some((found.name.clone(), Arc::clone(found.handlers.as_ref()?)))
    }

    /// What does the work of the agent of that name. It holds the function, so that an attempt looks nothing up.
    ///
    /// # Errors
    /// [`Code::UnknownFunction`], with the nearest name.
    pub fn executor(&self, name: &AgentName) -> Result<Arc<dyn Executor>, Problem> {
        if let Some(found) = self.by_key.get(&name.key()) {
            return Ok(Arc::clone(&found.executor));
        }
        let problem = Problem::new(Code::UnknownFunction, format!("no function `{name}` is registered"));
        let names: Vec<AgentName> = self.names();
        Err(match nearest(name.as_str(), names.iter().map(AgentName::as_str)) {
            Some(near) => problem.hint(format!("did you mean `{near}`?")),
            None => problem,
        })
    }

    /// The names of all functions, sorted.
    pub fn names(&self) -> Vec<AgentName> {
        let mut names: Vec<_> = self.by_key.iter().map(|entry| entry.name.clone()).collect();
        names.sort_unstable();
        names
    }
}

/// A value of a context as the type that an agent wants, with its version; none of a key that nobody has written.
///
/// # Errors
/// A `validation` failure when it does not fit.
fn known_as<T: DeserializeOwned>(
    entry: Option<&ContextEntry>,
    key: &str,
    agent: &AgentName,
) -> Result<Option<(T, KeyVersion)>, Failure> {
    let Some(entry) = entry else { return Ok(None) };
    serde_json::from_str(entry.value.text()).map(|value| Some((value, entry.version))).map_err(|error| {
        let message = format!("`{key}` in the context is not what `{agent}` takes: {error}");
        Failure::new(Code::FunctionInput, message)
    })
}

/// The request to write a value into a context, if its key has the version that is expected.
///
/// # Errors
/// When the value has no JSON form that can be taken.
fn write_of<T: Serialize>(
    key: &str,
    value: &T,
    expected: Option<KeyVersion>,
) -> Result<AgentRequest, Failure> {
    let value = json_of(value)?;
    let key = expected.map_or_else(|| key.to_owned(), |version| format!("{key}@{version}"));
    Ok(AgentRequest::Context { key, value })
}

/// What a function answered, as the output of its step.
///
/// # Errors
/// A `validation` failure when it is no JSON that can be taken.
fn json_of<T: Serialize>(output: &T) -> Result<Json, Failure> {
    let json = Json::of(output).map_err(|error| {
        Failure::new(Code::FunctionFailed, format!("what it answered has no JSON form: {error}"))
    })?;
    Json::read(json.text())
        .map_err(|why| Failure::new(Code::BadAnswer, format!("it answered JSON that cannot be taken: {why}")))
}

/// The executor that calls one function.
#[derive(Clone)]
pub struct FunctionExecutor {
    function: Function,
}

impl FunctionExecutor {
    /// An executor that calls this function for each attempt.
    pub fn new<F, R>(function: F) -> Self
    where
        F: Fn(FunctionCall) -> R + Send + Sync + 'static,
        R: Future<Output = Result<Json, Failure>> + Send + 'static,
    {
        Self { function: Arc::new(move |call| function(call).boxed()) }
    }
}

#[async_trait]
impl Executor for FunctionExecutor {
    async fn execute(&self, task: Task, context: Context) -> Result<Output, Failure> {
        let (stopping, account) = (context.clone(), Account::of(&task));
        let said = Arc::clone(&account.said);
        let requests = Arc::<Mutex<Vec<_>>>::default();
        let used = Arc::<Mutex<Usage>>::default();
        let call =
            FunctionCall { task, context, said, requests: Arc::clone(&requests), used: Arc::clone(&used) };
        let result = tokio::select! {
            // In this order a function that is done at once never looks whether to stop.
            biased;
            answer = (self.function)(call) => answer,
            why = stopping.stopped() => Err(Failure::stopped(why)),
        };
        let transcript = account.transcript();
        let used = *used.lock().unwrap_or_else(PoisonError::into_inner);
        let result = result.and_then(|output| Ok((output, usage::sum(used, Usage::default())?)));
        match result {
            Ok((output, usage)) => {
                let requests = std::mem::take(&mut *requests.lock().unwrap_or_else(PoisonError::into_inner));
                Ok(Output { output, transcript, usage, requests, ..Output::default() })
            }
            Err(failure) if failure.code == Code::BadUsage => Err(Failure { transcript, ..failure }),
            Err(failure) => Err(Failure { transcript, usage: used, ..failure }),
        }
    }
}
