//! A workflow as its file defines it, checked and with every default filled in.

mod cache;
mod micros;
mod names;
mod policy;
mod source;
mod steps;
mod tasks;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use cache::CacheRules;
pub use policy::{
    Approval, Compensate, Criticality, Fallback, OnError, Repeat, Retry, RetryPolicy, StepOutput,
};
pub use source::Source;
pub use steps::{StepLock, Steps};
pub use tasks::{Integrate, PlanOfTasks};

use super::schema::Schema;
use super::template::{Expression, Template};
use crate::events::ids::{AgentName, ContextName, StepId};
use crate::events::json::Json;
use crate::events::problem::{Code, Problem};
use crate::events::run::{Because, OnLimit, SpendLimits, StepAdded, StepKind, Undo, UndoWhen};
use crate::kernel::ReadBlob;

/// How many steps a workflow may have. A fan-out may still make one for each item.
pub const STEPS_MAX: usize = 10_000;

/// A workflow. A run records this as JSON, so that the file is never read again: a field that is added here
/// needs a default. Durations are whole microseconds there, as everywhere in events.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    /// The name of the workflow.
    pub name: String,
    /// What it is for, in words for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The author's version of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The JSON Schema of the input; without one, any input is taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Schema>,
    /// The bounds of a run of it.
    #[serde(default)]
    pub limits: Limits,
    /// What happens when a run fails.
    #[serde(default, skip_serializing_if = "is_default")]
    pub on_failure: OnFailure,
    /// What happens when a run may spend no more.
    #[serde(default, skip_serializing_if = "is_default")]
    pub on_limit: OnLimit,
    /// The contexts that its runs share with others, by the aliases that its expressions and agents use.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub contexts: BTreeMap<String, ContextName>,
    /// Rules for whole phases, by the names of the phases.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub phases: BTreeMap<String, PhaseRules>,
    /// The steps, in the order of the file.
    pub steps: Steps,
    /// The template of a run's output; null if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Template>,
    /// Where it stands, if it stands in a file. It is no part of what the workflow does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
}

/// Bounds of a run; for those that are none, the configuration's apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// How many attempts may run at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parallel: Option<u32>,
    /// How many lost attempts end a step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost: Option<u32>,
    /// How long it may go on, not counting the time for which it waits for people.
    #[serde(
        default,
        rename = "duration_us",
        with = "micros::optional",
        skip_serializing_if = "Option::is_none"
    )]
    pub duration: Option<Duration>,
    /// How much it may spend.
    #[serde(default, skip_serializing_if = "is_default")]
    pub spend: SpendLimits,
}

/// The rules for a phase.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PhaseRules {
    /// The approval that people must give.
    pub approval: Approval,
}

/// What happens when a run fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnFailure {
    /// What was done is undone, if there is anything to undo.
    #[default]
    Rollback,
    /// It stays as it is.
    Stop,
}

/// A step. The workflow's `defaults` are filled in already, and in a step without `needs` the step above it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// The id of the step.
    pub id: StepId,
    /// The work that it does.
    pub does: Does,
    /// The steps that must be done with before it starts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<StepId>,
    /// It is skipped unless this is true.
    #[serde(default, rename = "if", skip_serializing_if = "Option::is_none")]
    pub condition: Option<Expression>,
    /// The list of which each item gets a step of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub for_each: Option<ForEach>,
    /// How long an attempt may take; none for no limit.
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
    /// The environment variables that its programs get, beside the usual ones.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, Template>,
    /// The folder in which its programs run, relative to the work folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<Template>,
    /// How it is undone. Its programs get the same `env` and `cwd`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compensate: Option<Compensate>,
    /// Whether it does nothing that would have to be undone.
    #[serde(default, skip_serializing_if = "is_default")]
    pub nothing_to_undo: bool,
    /// The agent that does it when its own agent has failed for good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<Fallback>,
    /// The agents to which its own may hand it over, whatever that one says of handoffs; none where only that counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handoffs: Option<Vec<AgentName>>,
    /// Makes what its agent answers a plan of tasks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<Box<PlanOfTasks>>,
    /// How much it matters that it is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub criticality: Option<Criticality>,
    /// Makes it a loop: it is done again until an expression is true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeat: Option<Repeat>,
    /// The approval that people must give.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<Approval>,
    /// What its output is made of, if not all that it answered. Of a step that grows others, each of those.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<StepOutput>,
    /// The JSON Schema of its output, which each output must fit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<serde_json::Value>,
    /// The group of steps that it belongs to, by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
    /// The locks that it holds for each attempt, in the order in which it gets them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub locks: Vec<StepLock>,
    /// The conversation with which it goes on, by its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversation: Option<Template>,
    /// Lets it take an earlier answer in place of an attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache: Option<CacheRules>,
    /// Whether, once it has started, nothing of the run may be undone any more.
    #[serde(default, skip_serializing_if = "is_default")]
    pub irreversible: bool,
    /// Whether it is started at most once: an attempt whose end is not known counts as failed.
    #[serde(default, skip_serializing_if = "is_default")]
    pub at_most_once: bool,
}

/// What a step names an agent for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AgentRole {
    /// To do the step.
    Does,
    /// To do it when the first agent has failed for good.
    FallsBack,
    /// To undo the step.
    Undoes,
    /// To go on with it where its agent hands it over.
    TakesOver,
    /// To do tasks of its plan.
    DoesTasks,
    /// To bring together what the tasks of its plan came to.
    Integrates,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// The work of a step, by its kind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Does {
    /// It runs a program: a list is executed as it is, a text by `sh -c`. The agent is [`SHELL_AGENT`].
    Run(Template),
    /// An agent does it.
    Agent {
        /// The name of the agent.
        agent: AgentName,
        /// The arguments that the agent gets.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        with: Option<Template>,
        /// The prompt that the agent gets.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        prompt: Option<Template>,
    },
    /// It does nothing for that time.
    #[serde(rename = "sleep_us", with = "micros")]
    Sleep(Duration),
    /// It does nothing until a signal with that name comes, whose data is its output.
    WaitFor(String),
    /// It starts a run of another workflow. The agent is [`WORKFLOW_AGENT`].
    Workflow {
        /// The absolute path of the workflow's file, by which its binding is found in the run.
        file: String,
        /// The input of the child run.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        with: Option<Template>,
    },
    /// It does nothing: people are asked about its phase. No step of a file does this.
    AskOfPhase,
}

/// The name of the built-in agent that does steps with `run`.
pub const SHELL_AGENT: &str = "shell";

/// The name of the built-in agent that does steps with `workflow`, by child runs.
pub const WORKFLOW_AGENT: &str = "workflow";

/// The executor of what is built in for models to call, as definitions of agents are recorded with it.
pub(crate) const TOOL_EXECUTOR: &str = "tool";

/// Whether an agent of that name, in any spelling, is built in.
pub fn is_built_in(agent: &AgentName) -> bool {
    [SHELL_AGENT, WORKFLOW_AGENT].contains(&agent.key().as_str())
}

/// What makes a step a fan-out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ForEach {
    /// The list of items: an expression, or a list of templates.
    pub items: Items,
    /// How many of its steps may run at once; none for no limit of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_parallel: Option<u32>,
}

/// The source of the items of a fan-out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Items {
    /// A bare expression whose value is the list.
    Of(Expression),
    /// A YAML list whose texts may hold expressions.
    List(Template),
}

impl Definition {
    /// Steps that are added to a run that goes on, as it records them.
    pub(crate) fn grown(name: &str, steps: Steps) -> Self {
        Self {
            name: name.to_owned(),
            description: None,
            version: None,
            input: None,
            limits: Limits::default(),
            on_failure: OnFailure::default(),
            on_limit: OnLimit::default(),
            contexts: BTreeMap::new(),
            phases: BTreeMap::new(),
            steps,
            output: None,
            source: None,
        }
    }

    /// The step with that id.
    pub fn step(&self, id: &StepId) -> Option<&Arc<Step>> {
        self.steps.find(id)
    }

    /// The JSON that a run records. It is canonical: equal definitions have the same text.
    pub fn to_json(&self) -> Json {
        // Every part of a definition has a JSON form: keys are texts, and the numbers that a file
        // can hold are finite.
        Json::of(self).unwrap_or_default()
    }

    /// Reads a definition that this version or an older one has recorded.
    ///
    /// # Errors
    /// [`Code::RunParked`] when this version does not understand it.
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
    /// What happens when the step starts, as a run records it.
    pub fn kind(&self) -> StepKind {
        match (&self.for_each, &self.repeat, self.agent()) {
            (Some(fan_out), _, agent) => StepKind::FanOut { agent, max_parallel: fan_out.max_parallel },
            (None, Some(_), Some(agent)) => StepKind::Repeat { agent },
            _ => self.kind_of_one(),
        }
    }

    /// The same for one item of a fan-out, or one round of a loop.
    pub fn kind_of_one(&self) -> StepKind {
        match (&self.does, self.agent()) {
            (_, Some(agent)) => StepKind::Work { agent },
            (Does::WaitFor(signal), None) => StepKind::Wait { signal: signal.as_str().into() },
            (Does::AskOfPhase, None) => StepKind::AskOfPhase,
            (_, None) => StepKind::Sleep,
        }
    }

    /// Sets the agent that does or undoes the step to the agent that it names already, in the agent's own
    /// spelling. A step that names no agent for that stays as it is. Of those that may take it over, or do tasks of its plan, the one
    /// of that name is meant.
    pub fn set_agent(&mut self, role: AgentRole, name: &AgentName) {
        let of_plan = self.plan.as_deref_mut();
        let named = match role {
            AgentRole::DoesTasks => {
                let mut agents = of_plan.into_iter().flat_map(|plan| &mut plan.agents);
                agents.find(|named| named.key() == name.key())
            }
            AgentRole::Integrates => of_plan.and_then(|plan| match &mut plan.integrate {
                Integrate::By(agent) => Some(agent),
                Integrate::Planner | Integrate::Nobody => None,
            }),
            AgentRole::TakesOver => {
                self.handoffs.iter_mut().flatten().find(|named| named.key() == name.key())
            }
            AgentRole::Does => self.does.agent_mut(),
            AgentRole::Undoes => self.compensate.as_mut().and_then(|compensate| compensate.does.agent_mut()),
            AgentRole::FallsBack => self.fallback.as_mut().map(|fallback| &mut fallback.agent),
        };
        if let Some(named) = named {
            named.clone_from(name);
        }
    }

    /// Lets a critical step fail where its failure would be tolerated; answers whether that changed it.
    pub fn fail_if_critical(&mut self) -> bool {
        let tolerated = matches!(self.on_error, OnError::RetryThenSkip | OnError::Continue);
        let critical = self.criticality == Some(Criticality::Critical) && tolerated;
        if critical {
            self.on_error = OnError::RetryThenFail;
        }
        critical
    }

    /// Whether it grows other steps when it starts; each of those then does the work.
    pub fn grows(&self) -> bool {
        self.for_each.is_some() || self.repeat.is_some()
    }

    /// The event with which a step that does what this one says joins a graph. If this one grows others, only
    /// those can be undone.
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
            nothing_to_undo: self.nothing_to_undo,
            irreversible: self.irreversible && !is_whole,
            at_most_once: self.at_most_once,
            phase: self.phase.as_deref().map(Arc::from),
            planned: None,
        }
    }

    /// The agent that does it; none for a step that no agent does, such as a sleep.
    pub fn agent(&self) -> Option<AgentName> {
        self.does.agent()
    }

    /// The way in which it can be undone; none if it cannot. A fan-out is undone item by item, a loop round by round. A child
    /// run is rolled back, unless the step says otherwise.
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

    /// The agent that does it; none if no agent does.
    pub fn agent(&self) -> Option<AgentName> {
        match self {
            Self::Run(_) => Some(AgentName::new(SHELL_AGENT)),
            Self::Agent { agent, .. } => Some(agent.clone()),
            Self::Workflow { .. } => Some(AgentName::new(WORKFLOW_AGENT)),
            Self::Sleep(_) | Self::WaitFor(_) | Self::AskOfPhase => None,
        }
    }
}
