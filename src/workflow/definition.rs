//! A workflow as its file says it, checked and with every default filled in.

mod micros;
mod names;
mod policy;

use std::collections::{BTreeMap, HashMap};
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use policy::{Approval, Compensate, Criticality, Fallback, OnError, Repeat, Retry, RetryPolicy};

use super::schema::Schema;
use super::template::{Expression, Template};
use crate::events::ids::{AgentName, StepId};
use crate::events::json::Json;
use crate::events::problem::{Code, Problem};
use crate::events::run::{Because, StepAdded, StepKind, Undo, UndoWhen};
use crate::kernel::ReadBlob;

/// No workflow has more steps: a fan-out makes as many as there are items.
pub const STEPS_MAX: usize = 10_000;

/// A workflow. What a run records is the JSON of this, so that the file is never read again: a field that is added
/// here needs a default. Lengths of time are whole microseconds there, as everywhere in events.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    /// Its name.
    pub name: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The author's version of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The JSON Schema of the input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Schema>,
    /// Bounds of a run.
    #[serde(default)]
    pub limits: Limits,
    /// What becomes of a run that fails.
    #[serde(default, skip_serializing_if = "is_default")]
    pub on_failure: OnFailure,
    /// What is said about whole phases, by their names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub phases: BTreeMap<String, PhaseRules>,
    /// The steps, in the order of the file.
    pub steps: Steps,
    /// What a run answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Template>,
}

/// The steps of a workflow: a list, in which each is found by its id at once.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(from = "Vec<Step>")]
pub struct Steps {
    list: Vec<Arc<Step>>,
    places: HashMap<StepId, usize>,
}

impl Steps {
    /// The step with that id.
    pub fn find(&self, id: &StepId) -> Option<&Arc<Step>> {
        self.list.get(*self.places.get(id)?)
    }
}

impl Definition {
    /// Lets a step name an agent as that calls itself: see [`Step::set_agent`].
    pub fn set_agent(&mut self, step: &StepId, role: AgentRole, name: &AgentName) {
        if let Some(step) = self.step_mut(step) {
            step.set_agent(role, name);
        }
    }

    /// Lets a step that starts a workflow find its file by this absolute path.
    pub fn set_child(&mut self, step: &StepId, path: &str) {
        if let Some(Does::Workflow { file, .. }) = self.step_mut(step).map(|step| &mut step.does) {
            path.clone_into(file);
        }
    }

    /// The step with that id, to be completed with what its agent or the configuration says.
    pub fn step_mut(&mut self, step: &StepId) -> Option<&mut Step> {
        let place = self.steps.places.get(step).copied()?;
        self.steps.list.get_mut(place).map(Arc::make_mut)
    }
}

impl From<Vec<Step>> for Steps {
    fn from(list: Vec<Step>) -> Self {
        let places = list.iter().enumerate().map(|(place, step)| (step.id.clone(), place)).collect();
        Self { list: list.into_iter().map(Arc::new).collect(), places }
    }
}

impl Serialize for Steps {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.list.serialize(serializer)
    }
}

impl FromIterator<Step> for Steps {
    fn from_iter<I: IntoIterator<Item = Step>>(steps: I) -> Self {
        steps.into_iter().collect::<Vec<_>>().into()
    }
}

impl Deref for Steps {
    type Target = [Arc<Step>];

    fn deref(&self) -> &[Arc<Step>] {
        &self.list
    }
}

impl<'a> IntoIterator for &'a Steps {
    type Item = &'a Arc<Step>;
    type IntoIter = std::slice::Iter<'a, Arc<Step>>;

    fn into_iter(self) -> Self::IntoIter {
        self.list.iter()
    }
}

impl PartialEq for Steps {
    fn eq(&self, other: &Self) -> bool {
        self.list == other.list
    }
}

/// Bounds of a run; where there is none, the configuration's holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// How many attempts may run at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parallel: Option<u32>,
    /// How many lost attempts end a step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost: Option<u32>,
    /// How long it may go on, without the time for which it waits for people.
    #[serde(
        default,
        rename = "duration_us",
        with = "micros::optional",
        skip_serializing_if = "Option::is_none"
    )]
    pub duration: Option<Duration>,
}

/// What is said about a phase.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PhaseRules {
    /// What people have to grant.
    pub approval: Approval,
}

/// What becomes of a run that fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnFailure {
    /// What was done is undone, if there is anything to undo.
    #[default]
    Rollback,
    /// It stays as it is.
    Stop,
}

/// A step. The workflow's `defaults` are in it already, and so is the step above it where it names no `needs`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Its id.
    pub id: StepId,
    /// What it does.
    pub does: Does,
    /// What must be done with before it starts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<StepId>,
    /// It is skipped unless this is true.
    #[serde(default, rename = "if", skip_serializing_if = "Option::is_none")]
    pub condition: Option<Expression>,
    /// One step for each item of this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub for_each: Option<ForEach>,
    /// How long an attempt may take.
    #[serde(
        default,
        rename = "timeout_us",
        with = "micros::optional",
        skip_serializing_if = "Option::is_none"
    )]
    pub timeout: Option<Duration>,
    /// Whether and when it is tried again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
    /// What its failure does to the run.
    #[serde(default)]
    pub on_error: OnError,
    /// What its programs find in their environment.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, Template>,
    /// The folder of its programs, relative to the work folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<Template>,
    /// How it is undone; its programs get the same `env` and `cwd`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compensate: Option<Compensate>,
    /// Who does it when its agent has failed for good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<Fallback>,
    /// How much it matters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub criticality: Option<Criticality>,
    /// Done again and again, until something is true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeat: Option<Repeat>,
    /// What people have to grant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<Approval>,
    /// The JSON Schema of its output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<serde_json::Value>,
    /// The group of steps that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
    /// Whether, once it has started, nothing of the run may be undone any more.
    #[serde(default, skip_serializing_if = "is_default")]
    pub irreversible: bool,
    /// Whether it is started once at most: an attempt of which nobody knows how it ended counts as failed.
    #[serde(default, skip_serializing_if = "is_default")]
    pub at_most_once: bool,
}

/// What a step names an agent for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AgentRole {
    /// To do it.
    Does,
    /// To do it when the first has failed for good.
    FallsBack,
    /// To undo it.
    Undoes,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// What a step does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Does {
    /// A program: a list is executed as it is, a text by `sh -c`. The agent is [`SHELL_AGENT`].
    Run(Template),
    /// An agent's work.
    Agent {
        /// Who.
        agent: AgentName,
        /// With which arguments.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        with: Option<Template>,
        /// With which words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        prompt: Option<Template>,
    },
    /// Nothing, for so long.
    #[serde(rename = "sleep_us", with = "micros")]
    Sleep(Duration),
    /// Nothing, until a signal of that name comes; its data is the output.
    WaitFor(String),
    /// A run of another workflow. The agent is [`WORKFLOW_AGENT`].
    Workflow {
        /// The absolute path of its file, which names its binding in the run.
        file: String,
        /// Its input.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        with: Option<Template>,
    },
    /// Nothing: people are asked about the phase. No file has such a step.
    AskOfPhase,
}

/// The built-in agent that does steps with `run`.
pub const SHELL_AGENT: &str = "shell";

/// The built-in agent that does steps with `workflow`: it sees a child run through.
pub const WORKFLOW_AGENT: &str = "workflow";

/// A fan-out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ForEach {
    /// The list: an expression, or a list of templates.
    pub items: Items,
    /// How many of its steps may run at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_parallel: Option<u32>,
}

/// Where the items of a fan-out come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Items {
    /// A bare expression.
    Of(Expression),
    /// A YAML list, whose texts may be templates.
    List(Template),
}

impl Definition {
    /// The step with that id.
    pub fn step(&self, id: &StepId) -> Option<&Arc<Step>> {
        self.steps.find(id)
    }

    /// What a run records. It is canonical: equal definitions have the same text.
    pub fn to_json(&self) -> Json {
        // No part of a definition lacks a JSON form: keys are texts, and the numbers that a file can hold are finite.
        Json::of(self).unwrap_or_default()
    }

    /// Reads what this version or an older one recorded.
    ///
    /// # Errors
    /// [`Code::RunParked`] when it is what this version does not understand.
    pub fn from_json(text: &str) -> Result<Self, Problem> {
        serde_json::from_str(text).map_err(|why| {
            Problem::new(Code::RunParked, format!("the recorded definition cannot be read: {why}"))
        })
    }
}

impl ReadBlob for Definition {
    fn read_blob(bytes: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
        Self::from_json(text).map_err(|problem| problem.message)
    }
}

impl Step {
    /// What becomes of it when it starts.
    pub fn kind(&self) -> StepKind {
        match (&self.for_each, &self.repeat, self.agent()) {
            (Some(fan_out), _, agent) => StepKind::FanOut { agent, max_parallel: fan_out.max_parallel },
            (None, Some(_), Some(agent)) => StepKind::Repeat { agent },
            _ => self.kind_of_one(),
        }
    }

    /// The same, for one item of a fan-out, or one round of a loop.
    pub fn kind_of_one(&self) -> StepKind {
        match (&self.does, self.agent()) {
            (_, Some(agent)) => StepKind::Work { agent },
            (Does::WaitFor(signal), None) => StepKind::Wait { signal: signal.as_str().into() },
            (Does::AskOfPhase, None) => StepKind::AskOfPhase,
            (_, None) => StepKind::Sleep,
        }
    }

    /// Lets it be done, or undone, by that agent, which is the one that it names, in the agent's own spelling. A step that
    /// names none for it stays as it is.
    pub fn set_agent(&mut self, role: AgentRole, name: &AgentName) {
        let named = match role {
            AgentRole::Does => self.does.agent_mut(),
            AgentRole::Undoes => self.compensate.as_mut().and_then(|compensate| compensate.does.agent_mut()),
            AgentRole::FallsBack => self.fallback.as_mut().map(|fallback| &mut fallback.agent),
        };
        if let Some(named) = named {
            named.clone_from(name);
        }
    }

    /// Lets a critical step fail that its failure would let be left out; answers whether it was one.
    pub fn fail_if_critical(&mut self) -> bool {
        let tolerated = matches!(self.on_error, OnError::RetryThenSkip | OnError::Continue);
        let critical = self.criticality == Some(Criticality::Critical) && tolerated;
        if critical {
            self.on_error = OnError::RetryThenFail;
        }
        critical
    }

    /// Whether it grows others when it starts: what it does, each of those does.
    pub fn grows(&self) -> bool {
        self.for_each.is_some() || self.repeat.is_some()
    }

    /// The event with which a step joins a graph that does what this one says. Where this one grows others, each of them
    /// is what can be undone.
    pub fn added(&self, id: StepId, because: Because) -> StepAdded {
        let is_whole = self.grows() && matches!(because, Because::Definition | Because::Plan);
        StepAdded {
            step: id,
            because,
            template: self.id.clone(),
            kind: if is_whole { self.kind() } else { self.kind_of_one() },
            inside: None,
            needs: Vec::new(),
            item: None,
            undo: self.undo().filter(|_| !is_whole),
            irreversible: self.irreversible && !is_whole,
            at_most_once: self.at_most_once,
            phase: self.phase.as_deref().map(Arc::from),
            planned: None,
        }
    }

    /// Who does it; nobody does a sleep.
    pub fn agent(&self) -> Option<AgentName> {
        self.does.agent()
    }

    /// How it can be undone; a fan-out is undone item by item, a loop round by round. A child run is rolled back, unless
    /// the step says something else.
    pub fn undo(&self) -> Option<Undo> {
        match (&self.compensate, &self.does) {
            (Some(compensate), _) => Some(Undo { agent: compensate.does.agent()?, when: compensate.when }),
            (None, Does::Workflow { .. }) => {
                Some(Undo { agent: AgentName::new(WORKFLOW_AGENT), when: UndoWhen::Attempted })
            }
            (None, _) => None,
        }
    }
}

impl Does {
    fn agent_mut(&mut self) -> Option<&mut AgentName> {
        match self {
            Self::Agent { agent, .. } => Some(agent),
            Self::Run(_) | Self::Workflow { .. } | Self::Sleep(_) | Self::WaitFor(_) | Self::AskOfPhase => {
                None
            }
        }
    }

    fn agent(&self) -> Option<AgentName> {
        match self {
            Self::Run(_) => Some(AgentName::new(SHELL_AGENT)),
            Self::Agent { agent, .. } => Some(agent.clone()),
            Self::Workflow { .. } => Some(AgentName::new(WORKFLOW_AGENT)),
            Self::Sleep(_) | Self::WaitFor(_) | Self::AskOfPhase => None,
        }
    }
}
