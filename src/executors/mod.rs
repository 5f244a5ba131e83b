//! The ways in which agents do work. An executor is given a task and answers an output or a failure; it never touches the
//! store: its result returns as a command.
//!
//! - [`cassette`]: answers from outside, kept in a file and given again
//! - [`children`]: the processes that this one is the parent of
//! - [`function`]: Rust closures by name
//! - [`subprocess`]: programs, each in a process group of its own
//! - [`llm`]: language models, asked over the network
//! - [`logs`]: what programs say, while they say it
//! - [`rehearsal`]: how the work of agents is answered in place of themselves
//! - [`scripted`]: answers that were written down before
//! - [`tools`]: what is built in for models to call
//! - [`delivery`]: delivers a document to a program or a URL, for notifications
//! - [`definition`]: what an agent's file says
//! - [`discovery`]: which agents exist
//! - [`mask`]: keeps secrets out of what is told
//! - [`messages`]: the messages that an attempt is given, and that are delivered
//! - `inspection`: programs that only look at a work folder
//! - `http`: what all that is asked over HTTP has in common
//! - [`conversations`]: the conversation with which a step goes on
//! - `interposed`: a script that is asked before who does the work
//! - `turns`: what an agent that uses tools is told of its turns so far
//! - `usage`: what an attempt reports that it used up
//! - [`voice`]: what an attempt says while it goes on

pub mod cassette;
pub mod children;
pub mod conversations;
pub mod definition;
pub mod delivery;
pub mod discovery;
pub mod function;
mod http;
pub(crate) mod inspection;
mod interposed;
pub mod llm;
pub mod logs;
pub mod mask;
pub mod messages;
pub mod rehearsal;
pub mod scripted;
pub mod subprocess;
pub mod tools;
mod turns;
mod usage;
pub mod voice;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::watch;

use crate::aggregates::run::{About, Context as RunContext, Run, Sent};
use crate::events::ids::{
    AgentName, ContextKey, ContextName, Fence, Hash, KeyVersion, LockFence, RunId, StepId,
};
use crate::events::json::{BlobRef, Json, Payload};
use crate::events::problem::{Code, Problem};
use crate::events::run::{AttemptStarted, ConversationRead, Purpose, Undoes};
use crate::events::time::Timestamp;
use crate::kernel::Blobs;
use crate::workflow::definition::Definition;
use crate::workflow::goal;
use crate::workflow::work::Work;
pub use crate::workflow::work::{AgentRequest, Failure, Output, Stop, ToolCall};
pub use turns::{ToolOffer, Turn, TurnOver};

use conversations::ConversationGiven;
pub use definition::{AgentDefinition, ExecutorKind};
use mask::masked::Masked;
use messages::Incoming;
pub use messages::{Delivery, MessageGiven};
use turns::UnreadTurn;
use voice::Voice;

/// One attempt at a step, as an executor gets it.
#[derive(Debug, Clone)]
pub struct Task {
    /// The run that the step belongs to.
    pub run: RunId,
    /// The step that is tried.
    pub step: StepId,
    /// The attempt's number for that purpose at its step, from 1.
    pub attempt: u32,
    /// How often the step was to be done anew after being undone, from 1.
    pub generation: u32,
    /// The attempt's number in its run: only a result that names the step's newest fence counts.
    pub fence: Fence,
    /// The same for all tries of this generation and purpose.
    pub idempotency_key: Arc<str>,
    /// Whether to do the step or to undo it.
    pub purpose: Purpose,
    /// The agent that makes the attempt.
    pub agent: AgentName,
    /// The absolute folder that relative paths mean.
    pub work_folder: Arc<str>,
    /// The work to do, rendered.
    pub work: Work,
    /// What is to be undone, if the purpose is to compensate.
    pub compensates: Option<Compensated>,
    /// What the agents of the run share, by key, as it is when the attempt is made.
    pub context: BTreeMap<String, ContextEntry>,
    /// What the step has read of contexts that runs share, by alias and key; version 0 and null of a key that was not there.
    pub contexts: BTreeMap<String, BTreeMap<String, ContextEntry>>,
    /// The numbers of the grants by which it holds its locks, each by `CONTEXT/NAME`.
    pub locks: BTreeMap<String, LockFence>,
    /// The conversation with which the step goes on, if it goes on with one.
    pub conversation: Option<ConversationGiven>,
    /// The messages from other agents that the attempt handles if it succeeds, the most urgent first, and among those the
    /// oldest.
    pub messages: Vec<MessageGiven>,
    /// The shape that its answer is to have, as a JSON Schema, where the step's output is all that it answers.
    pub schema: Option<Value>,
    /// Which turn it is of an agent that uses tools, and what came before; none of other work.
    pub turn: Option<Box<Turn>>,
    /// Which of the attempts it is that can have a result, from 1: without those of this generation that a dead process took with it.
    pub nth: u32,
    /// The step of another run that its run is the child of, if it is one.
    pub within: Option<StepId>,
}

impl Task {
    /// The task of an attempt, made from what was recorded of it.
    ///
    /// # Errors
    /// The same as those of [`Assignment::read`].
    pub fn of(run: &Run, started: &Arc<AttemptStarted>, blobs: &dyn Blobs) -> Result<Self, Problem> {
        Assignment::of(run, started)?.read(blobs)
    }
}

/// What an attempt is to do, before the blobs that it refers to are read.
#[derive(Debug, Clone)]
pub struct Assignment {
    about: Arc<About>,
    started: Arc<AttemptStarted>,
    /// For a compensation: how the work that it undoes had ended, and the step's output.
    undoes: Option<(Undoes, Option<Payload>)>,
    /// What the agents of the run share.
    values: Arc<RunContext>,
    /// What the step has read of contexts that runs share.
    reads: Vec<(ContextName, ContextKey, KeyVersion, Payload)>,
    locks: BTreeMap<String, LockFence>,
    /// What is at hand of the conversation with which its step goes on.
    heard: Option<Arc<ConversationRead>>,
    /// The messages that it is given.
    messages: Vec<Arc<Sent>>,
    /// Where its step is defined, and as which: only what is to be done has a shape.
    template: Option<(Hash, StepId)>,
    turn: Option<UnreadTurn>,
    nth: u32,
}

impl Assignment {
    /// What that run wants an attempt to do.
    ///
    /// # Errors
    /// When the run never began.
    pub fn of(run: &Run, started: &Arc<AttemptStarted>) -> Result<Self, Problem> {
        let about = run.about().ok_or_else(|| Problem::new(Code::Internal, "an attempt of no run"))?;
        let undoes = run.undoes(&started.step).filter(|_| started.purpose == Purpose::Compensate);
        let undoes = undoes.map(|(outcome, output)| (outcome, output.cloned()));
        let values = Arc::clone(run.context());
        let (reads, held) = (run.reads_of(&started.step), run.held(&started.step).iter());
        let locks = held.map(|held| (format!("{}/{}", held.of.context, held.of.lock), held.fence)).collect();
        let heard = run.heard_by(&started.step).filter(|_| started.purpose == Purpose::Do).cloned();
        let messages = run.messages().given_at_start(started.fence).cloned().collect();
        let node = run.node(&started.step).filter(|_| started.purpose == Purpose::Do);
        let template = node.map(|(_, node)| {
            let definition = node.added.planned.unwrap_or(about.started.definition);
            (definition.hash, node.added.template.clone())
        });
        let turn = UnreadTurn::of(run, started);
        let nth = run.failed_attempts(&started.step, started.purpose) + 1;
        let (about, started) = (Arc::clone(about), Arc::clone(started));
        let assignment =
            Self { about, started, undoes, values, reads, locks, heard, messages, template: None, turn, nth };
        // Who is defined nowhere is a program of the file's own: nobody tells it of a shape.
        let template = template.filter(|_| assignment.agent_definition().is_some());
        Ok(Self { template, ..assignment })
    }

    /// What the run does, as it was recorded.
    pub fn definition(&self) -> BlobRef {
        self.about.started.definition
    }

    /// The definition of who is to make the attempt, if the run has one recorded.
    pub fn agent_definition(&self) -> Option<BlobRef> {
        let bound = self.about.started.agents.iter().find(|bound| bound.name == self.started.agent);
        bound.map(|bound| bound.definition)
    }

    /// The hashes of the blobs that it refers to.
    pub fn content(&self) -> Vec<Hash> {
        let output = self.undoes.as_ref().and_then(|(_, output)| output.as_ref());
        let payloads = [Some(&self.started.input), output].into_iter().flatten();
        let payloads = payloads.chain(self.values.values().map(|known| &known.value));
        let payloads = payloads.chain(self.reads.iter().map(|(.., value)| value));
        let payloads = payloads.chain(self.messages.iter().map(|sent| &sent.message.body));
        let heard = self.heard.iter().flat_map(|heard| heard.blobs()).map(|blob| blob.hash);
        let definition = (!self.reads.is_empty()).then_some(self.about.started.definition.hash);
        let template = self.template.as_ref().map(|(definition, _)| *definition);
        let of_turn = self.turn.iter().flat_map(UnreadTurn::content);
        let blobs = payloads.filter_map(Payload::blob).map(|blob| blob.hash);
        blobs.chain(heard).chain(definition).chain(template).chain(of_turn).collect()
    }

    /// Reads the blobs that it refers to.
    ///
    /// # Errors
    /// When one of them cannot be read.
    pub fn read(self, blobs: &dyn Blobs) -> Result<Task, Problem> {
        let Self { about, started, undoes, values, reads, locks, heard, messages, template, turn, nth } =
            self;
        let json = |payload: &Payload| blobs.json(payload).map_err(|unreadable| unreadable.problem());
        let work: Work = serde_json::from_str(json(&started.input)?.text())
            .map_err(|error| Problem::new(Code::Internal, format!("an attempt's input: {error}")))?;
        let compensates = undoes.map(|(outcome, output)| {
            let output = output.as_ref().map(json).transpose()?.unwrap_or_default();
            Ok::<_, Problem>(Compensated { outcome, output })
        });
        let mut contexts = BTreeMap::<String, BTreeMap<String, ContextEntry>>::new();
        if !reads.is_empty() {
            let definition = blobs.value::<Definition>(&about.started.definition.hash);
            let aliases = &definition.map_err(|unreadable| unreadable.problem())?.contexts;
            for (context, key, version, value) in &reads {
                let entry = ContextEntry { value: json(value)?, version: *version };
                for (alias, _) in aliases.iter().filter(|(_, named)| *named == context) {
                    contexts.entry(alias.clone()).or_default().insert(key.to_string(), entry.clone());
                }
            }
        }
        let schema = template.map(|(definition, step)| shape_of(&definition, &step, blobs)).transpose()?;
        let conversation = heard.map(|heard| ConversationGiven::of(&heard, blobs)).transpose();
        let conversation = conversation.map_err(|unreadable| unreadable.problem())?;
        let given =
            messages.iter().map(|sent| Ok(MessageGiven::of(&about.id, sent, json(&sent.message.body)?)));
        let given = given.collect::<Result<_, Problem>>()?;
        Ok(Task {
            run: about.id.clone(),
            step: started.step.clone(),
            attempt: started.attempt,
            generation: started.generation,
            fence: started.fence,
            idempotency_key: Arc::clone(&started.idempotency_key),
            purpose: started.purpose,
            agent: started.agent.clone(),
            work_folder: Arc::clone(&about.started.work_folder),
            work,
            compensates: compensates.transpose()?,
            context: messages::entries(&values, blobs)?,
            contexts,
            locks,
            conversation,
            messages: given,
            schema: schema.flatten(),
            turn: turn.map(|turn| turn.read(blobs)).transpose()?.map(Box::new),
            nth,
            within: about.started.parent.as_ref().map(|parent| parent.step.clone()),
        })
    }
}

/// The shape that the answer to a step is to have. What the step makes something else of has none.
fn shape_of(definition: &Hash, step: &StepId, blobs: &dyn Blobs) -> Result<Option<Value>, Problem> {
    let definition = blobs.value::<Definition>(definition).map_err(|unreadable| unreadable.problem())?;
    let whole = definition.step(step).filter(|step| step.output.is_none());
    Ok(whole.and_then(|step| if step.plan.is_some() { Some(goal::shape()) } else { step.schema.clone() }))
}

/// What is known of a key of a context.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ContextEntry {
    /// The newest value.
    pub value: Json,
    /// Its number among all values of the key, from 1: who writes the key anew may say which one it has read.
    pub version: KeyVersion,
}

/// The result of the attempt that a compensation undoes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compensated {
    /// Whether it is known what the attempt did; if not, the compensation must cope with both.
    pub outcome: Undoes,
    /// The output of the step; null if it has none.
    pub output: Json,
}

/// How far an attempt says that it is; shown live, not recorded.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Progress {
    /// The part that is done, from 0 to 100.
    pub percent: u8,
    /// What it is doing at the moment.
    pub text: String,
}

/// What an executor is given beside its task.
#[derive(Debug, Clone)]
pub struct Context {
    /// Tells when to stop, and why. See [`Context::stopped`].
    pub stop: watch::Receiver<Option<Stop>>,
    /// The channel in which the executor reports its progress.
    pub progress: watch::Sender<Progress>,
    /// The way to say something to other agents at once.
    pub voice: Voice,
    /// The messages that it is given while it goes on, if its agent is one whose programs converse.
    pub incoming: Incoming,
}

impl Context {
    /// A context in which nothing can be said.
    pub fn new(stop: watch::Receiver<Option<Stop>>, progress: watch::Sender<Progress>) -> Self {
        Self { stop, progress, voice: Voice::default(), incoming: Incoming::default() }
    }

    /// Waits until the attempt has to stop; answers why. It may be awaited again and again.
    pub async fn stopped(&self) -> Stop {
        let mut stop = self.stop.clone();
        match stop.wait_for(Option::is_some).await {
            Ok(why) => why.unwrap_or(Stop::Cancelled),
            Err(_) => Stop::Cancelled,
        }
    }
}

/// The current time by the machine's wall clock.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

/// The failure of an attempt that panicked.
pub(crate) fn panicked(panic: &(dyn std::any::Any + Send)) -> Failure {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    Failure::new(Code::Panicked, format!("it panicked: {}", text.unwrap_or("no message")))
}

/// How long an executor may take to clean up. It is longer than the grace that programs are given.
pub const CLEAN_UP_MAX: Duration = Duration::from_secs(60);

/// A way to do work. `execute` must end soon after [`Context::stopped`] does (with [`Failure::stopped`]),
/// having cleaned up; an executor that takes longer than [`CLEAN_UP_MAX`] is dropped.
#[async_trait]
pub trait Executor: Send + Sync + 'static {
    /// Makes one attempt; answers its output.
    ///
    /// # Errors
    /// Why the attempt did not succeed.
    async fn execute(&self, task: Task, context: Context) -> Result<Output, Failure>;

    /// Handles a message, of one of the types that the agent's definition names; answers what its sender is told, if that
    /// waits for an answer, and what is to be sent and changed with that.
    ///
    /// # Errors
    /// Why it is not handled.
    async fn deliver(&self, delivery: Delivery, _context: Context) -> Result<Output, Failure> {
        let message = format!("`{}` does not handle messages as they come", delivery.agent);
        Err(Failure::new(Code::WrongMessage, message))
    }

    /// Ends what an attempt at doing or undoing this step left running when its process died, and waits until
    /// it is gone. Does nothing where no work outlives its process.
    ///
    /// # Errors
    /// When what was left running does not end.
    async fn end_leftover(&self, _run: &RunId, _step: &StepId) -> Result<(), Failure> {
        Ok(())
    }
}

/// The executors that this process has.
#[derive(Clone, Default)]
pub struct Executors {
    /// The functions that are registered by name.
    pub functions: function::Functions,
    /// The options with which programs are run.
    pub subprocess: Arc<subprocess::Options>,
    /// The models that are asked.
    pub asking: Arc<llm::Asking>,
    /// The tools that are built in.
    pub tools: Arc<tools::Tools>,
    /// The cassettes that are in use.
    pub cassettes: Arc<cassette::Cassettes>,
}

impl Executors {
    /// The executor that does the work of this agent.
    ///
    /// # Errors
    /// [`Code::NotBuilt`] for an executor that this version does not have, [`Code::BadAgent`] for a
    /// definition with which its executor cannot work, [`Code::UnknownFunction`], [`Code::NoSuchTool`], and for a model that this process does not
    /// have those of [`llm::models::Models::choose`]; where its work is kept in a cassette or answered from one, those of
    /// the cassette.
    pub fn of(&self, agent: &AgentDefinition) -> Result<Arc<dyn Executor>, Problem> {
        let Some(rehearsal) = &agent.rehearsal else { return self.live(agent) };
        let answering = match &rehearsal.cassette {
            None => self.live(agent)?,
            Some(used) => self.cassettes.of(used, &self.subprocess.masks, || self.live(agent))?,
        };
        Ok(interposed::Interposed::over(answering, &rehearsal.script))
    }

    /// The executor that does the work itself.
    fn live(&self, agent: &AgentDefinition) -> Result<Arc<dyn Executor>, Problem> {
        agent.check_usable()?;
        let executor: Arc<dyn Executor> = match agent.executor {
            ExecutorKind::Function => self.functions.executor(&agent.name)?,
            ExecutorKind::Scripted => {
                let script = agent.script.clone().unwrap_or_default();
                Arc::new(scripted::ScriptedExecutor::new(script))
            }
            ExecutorKind::Llm => {
                let (asking, options) = (Arc::clone(&self.asking), &self.subprocess);
                let (masks, logs) = (options.masks.clone(), Arc::clone(&options.logs));
                Arc::new(llm::LlmExecutor::new(agent, asking, masks, logs)?)
            }
            ExecutorKind::Tool => {
                let (tools, options) = (Arc::clone(&self.tools), Arc::clone(&self.subprocess));
                Arc::new(tools::ToolExecutor::new(agent, tools, options)?)
            }
            // Its attempts are handed out, and none is made here.
            ExecutorKind::External => {
                let message = format!("agent `{}` is external: its work is handed out as tasks", agent.name);
                return Err(Problem::new(Code::NotBuilt, message));
            }
            // It masks what comes while it comes.
            ExecutorKind::Subprocess => {
                let options = Arc::clone(&self.subprocess);
                return Ok(Arc::new(subprocess::SubprocessExecutor::new(agent, options)));
            }
        };
        Ok(Masked::over(executor, &self.subprocess.masks))
    }
}
