//! The one shape of a start: what somebody says who starts a run, before and after it is resolved. It is what the control
//! socket carries.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::events::ids::{AgentName, RunId};
use crate::events::json::Json;
use crate::events::problem::{Code, Problem};
use crate::events::run::{GrowthLimits, Routed, StuckLimits};
use crate::executors::AgentDefinition;
use crate::executors::rehearsal::Answers;
use crate::workflow::definition::{Definition, is_built_in};

/// The name of the workflow that has an agent do something, and of its one step.
pub const ASK: &str = "ask";

pub use crate::workflow::routing::QUERY;

/// Everything that may be said of a run that is to be started. What is left out, the workflow says, or else the configuration.
///
/// ```
/// use reenact::RunSpec;
///
/// let spec = RunSpec::text("steps: [{id: greet, run: [echo, \"{{ input.name }}\"]}]")
///     .input(&serde_json::json!({ "name": "Ada" }))?
///     .tag("team", "docs");
/// # Ok::<_, reenact::events::problem::Problem>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunSpec {
    /// The workflow, be it read already or not.
    pub workflow: Workflow,
    /// The run's id; without one it gets a new one. Started again with the same id and the same everything, it is the same
    /// run.
    #[serde(default)]
    pub id: Option<RunId>,
    /// The input. Defaults of the workflow's `input` schema are filled in.
    #[serde(default = "no_input")]
    pub input: Json,
    /// The names and values by which people find the run.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// How many attempts may run at once.
    #[serde(default)]
    pub parallel: Option<u32>,
    /// How long it may go on, without the time for which it waits for people.
    #[serde(default)]
    pub timeout: Option<Duration>,
    /// The step or the phase after which it pauses.
    #[serde(default)]
    pub until: Option<Arc<str>>,
    /// The absolute folder that relative paths mean; without one, that of the file, else the current one.
    #[serde(default)]
    pub work_folder: Option<PathBuf>,
    /// The values of `env.NAME`, by name; without it, what the configuration's `expressions.env` lets through of the
    /// environment of the process that resolves the workflow.
    #[serde(default)]
    pub environment: Option<BTreeMap<String, String>>,
    /// Agents beside those that are registered or have files. These are nearer than files.
    #[serde(default)]
    pub agents: Vec<AgentDefinition>,
    /// What was decided about the request that the run is for, where somebody asked and named no agent. It is recorded with the start;
    /// what is done says the workflow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub routed: Option<Routed>,
    /// Whether none of its steps takes an earlier answer, so that all are given anew.
    #[serde(default)]
    pub no_cache: bool,
    /// How what its steps ask for is answered, where not by those who do the work. Once it is resolved it stands with its agents.
    #[serde(default)]
    pub answers: Answers,
}

/// A workflow, from the name of a file to all that a run begins with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Workflow {
    /// The path of a workflow file.
    File(PathBuf),
    /// The text of a workflow, as a file would hold it.
    Text(String),
    /// A definition as it is recorded, whose steps name agents as they call themselves.
    Definition(Json),
    /// Read and checked, with everything that it names: nothing is read any more when a run begins with it.
    Resolved(Arc<Resolved>),
}

/// A workflow with everything that it names, as it was when it was read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Resolved {
    /// The workflow that is run.
    pub root: BoundWorkflow,
    /// The workflows that its steps start as runs of their own, and those that these start.
    #[serde(default)]
    pub children: Vec<BoundWorkflow>,
    /// How far the graph of a run may grow.
    #[serde(default)]
    pub growth: GrowthLimits,
    /// When an agent of the run is stuck, and who is asked then.
    #[serde(default)]
    pub stuck: StuckLimits,
}

/// A workflow, its agents found and its limits known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BoundWorkflow {
    /// The absolute path of its file, which is what a step that starts it calls it; empty where it has none.
    #[serde(default)]
    pub file: Arc<str>,
    /// Its definition as it is recorded.
    pub definition: Json,
    /// The absolute folder that its relative paths mean.
    pub work_folder: String,
    /// The agents that its steps name, where the program, files or the configuration define them.
    pub agents: Vec<(AgentName, Json)>,
    /// How many attempts may run at once.
    pub parallel: u32,
    /// How many lost attempts end a step.
    pub lost_limit: u32,
    /// How long it may go on, without the time for which it waits for people.
    #[serde(default)]
    pub duration_limit: Option<Duration>,
}

fn no_input() -> Json {
    Json::from(&serde_json::json!({}))
}

impl RunSpec {
    /// A run of this.
    pub fn new(workflow: Workflow) -> Self {
        Self {
            workflow,
            id: None,
            input: no_input(),
            tags: BTreeMap::new(),
            parallel: None,
            timeout: None,
            until: None,
            work_folder: None,
            environment: None,
            agents: Vec::new(),
            routed: None,
            no_cache: false,
            answers: Answers::default(),
        }
    }

    /// A run of a workflow file. A relative path means the current folder.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self::new(Workflow::File(path.into()))
    }

    /// A run of a workflow that is written as a file would be.
    pub fn text(yaml: impl Into<String>) -> Self {
        Self::new(Workflow::Text(yaml.into()))
    }

    /// A run of a definition that was read before, or made.
    pub fn of(definition: &Definition) -> Self {
        Self::new(Workflow::Definition(definition.to_json()))
    }

    /// A run of one step, in which that agent does what the input says: its [`QUERY`] is the prompt, all of it what the
    /// agent gets, and what the agent answers the output of the run. Nothing in the input is an expression.
    ///
    /// ```
    /// use reenact::RunSpec;
    /// use reenact::events::ids::AgentName;
    ///
    /// let spec = RunSpec::ask(&AgentName::new("writer"))?.input(&serde_json::json!({ "query": "a haiku on rust" }))?;
    /// # Ok::<_, reenact::events::problem::Problem>(())
    /// ```
    ///
    /// # Errors
    /// [`Code::BadValue`] for what is no name of an agent, or names one that is built in.
    pub fn ask(agent: &AgentName) -> Result<Self, Problem> {
        agent.check().map_err(|error| Problem::new(Code::BadValue, error.to_string()))?;
        if is_built_in(agent) {
            let message = format!("the agent `{agent}` is built in, and cannot be asked");
            return Err(Problem::new(Code::BadValue, message).hint("name another agent"));
        }
        let does = json!({"agent": {"agent": agent, "with": "{{ input }}", "prompt": format!("{{{{ input.{QUERY} }}}}")}});
        let definition = json!({
            "name": ASK,
            "input": {"type": "object", "required": [QUERY]},
            "steps": [{"id": ASK, "does": does}],
            "output": format!("{{{{ steps.{ASK}.output }}}}"),
        });
        Ok(Self::new(Workflow::Definition(Json::from(&definition))))
    }

    /// The same, with that id.
    ///
    /// # Errors
    /// [`Code::BadRunId`] for what is none: it is 1 to 64 letters, digits, `.`, `_` and `-`.
    pub fn id(mut self, id: impl AsRef<str>) -> Result<Self, Problem> {
        let id = RunId::parse(id.as_ref());
        self.id = Some(id.map_err(|error| Problem::new(Code::BadRunId, error.to_string()))?);
        Ok(self)
    }

    /// The same, with that input.
    ///
    /// # Errors
    /// [`Code::BadInput`] for what has no JSON form: map keys that are no texts, say.
    pub fn input<T: Serialize + ?Sized>(mut self, input: &T) -> Result<Self, Problem> {
        let json = Json::of(input)
            .map_err(|error| Problem::new(Code::BadInput, format!("the input has no JSON form: {error}")))?;
        self.input = Json::read(json.text()).map_err(|why| why.problem("the input"))?;
        Ok(self)
    }

    /// The same, with one more tag.
    #[must_use]
    pub fn tag(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.tags.insert(key.into(), value.into());
        self
    }

    /// The same, with so many attempts at once at most.
    #[must_use]
    pub fn parallel(mut self, attempts: u32) -> Self {
        self.parallel = Some(attempts);
        self
    }

    /// The same, that fails when it has gone on for so long.
    #[must_use]
    pub fn timeout(mut self, length: Duration) -> Self {
        self.timeout = Some(length);
        self
    }

    /// The same, that pauses after that step or phase.
    #[must_use]
    pub fn until(mut self, step_or_phase: &str) -> Self {
        self.until = Some(step_or_phase.into());
        self
    }

    /// The same, in which no step takes an earlier answer: all are given anew, and kept for other runs.
    #[must_use]
    pub fn no_cache(mut self) -> Self {
        self.no_cache = true;
        self
    }

    /// The same, whose steps are answered so: by a script, or from a cassette.
    #[must_use]
    pub fn answers(mut self, answers: Answers) -> Self {
        self.answers = answers;
        self
    }

    /// The same, in that folder: relative paths mean it, and agents are looked for in it.
    #[must_use]
    pub fn work_folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.work_folder = Some(folder.into());
        self
    }

    /// The same, with this as what `env.NAME` means.
    #[must_use]
    pub fn environment(mut self, environment: BTreeMap<String, String>) -> Self {
        self.environment = Some(environment);
        self
    }

    /// The same, with one more agent.
    #[must_use]
    pub fn agent(mut self, agent: AgentDefinition) -> Self {
        self.agents.push(agent);
        self
    }

    /// The same, with paths that mean the same from any folder.
    #[must_use]
    pub(super) fn absolute(mut self, cwd: &Path) -> Self {
        if let Workflow::File(path) = &mut self.workflow {
            *path = cwd.join(&*path);
        }
        if let Some(folder) = &mut self.work_folder {
            *folder = cwd.join(&*folder);
        }
        self
    }
}
