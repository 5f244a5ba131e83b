//! What the tools take. Their schemas are made of this, so that what stands here is what clients are told.

use std::collections::BTreeMap;
use std::time::Duration;

use rmcp::schemars::{self, JsonSchema};
use serde::Deserialize;
use serde::de::{Deserializer, Error};
use serde_json::{Map, Value};

/// The longest wait of a tool, in seconds. Clients give up before that.
const WAIT_SECONDS_MAX: u32 = 600;

/// How long a tool waits that is there to wait, where nobody says it: the shortest patience of known clients is a minute.
const WAIT_SECONDS: u32 = 30;

/// A wait, in whole seconds.
#[derive(Debug, Clone, Copy, JsonSchema)]
#[schemars(inline)]
pub(super) struct Wait(#[schemars(range(max = 600))] u32);

impl<'de> Deserialize<'de> for Wait {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let seconds = u32::deserialize(deserializer)?;
        if seconds > WAIT_SECONDS_MAX {
            return Err(D::Error::custom(format!("a wait is {WAIT_SECONDS_MAX} seconds long at most")));
        }
        Ok(Self(seconds))
    }
}

impl Wait {
    /// That of a tool which is there to wait.
    pub(super) const USUAL: Self = Self(WAIT_SECONDS);

    pub(super) const fn length(self) -> Duration {
        Duration::from_secs(self.0 as u64)
    }

    pub(super) const fn is_none(self) -> bool {
        self.0 == 0
    }
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::api::mcp) struct RunStart {
    /// The workflow file; a relative path means the folder in which the server was started
    pub(super) file: String,
    /// The run's input, as the workflow's `input` schema wants it
    pub(super) inputs: Option<Map<String, Value>>,
    /// An id for the run: 1 to 64 letters, digits, `.`, `_` and `-`
    pub(super) id: Option<String>,
    /// Names and values by which the run is found
    #[serde(default)]
    pub(super) tags: BTreeMap<String, String>,
    /// How long to wait for the run to end, or to wait for somebody [default: not at all]
    pub(super) wait_seconds: Option<Wait>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::api::mcp) struct Resume {
    /// The run: its id, a unique beginning or end of it, or `last`
    pub(super) run: String,
    /// How long to wait for the run to end, or to wait for somebody [default: not at all]
    pub(super) wait_seconds: Option<Wait>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::api::mcp) struct RunStatus {
    /// The run: its id, a unique beginning or end of it, or `last`
    pub(super) run: String,
    /// Whether what the run and its steps were given is wanted as well
    #[serde(default)]
    pub(super) inputs: bool,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::api::mcp) struct RunWait {
    /// The run: its id, a unique beginning or end of it, or `last`
    pub(super) run: String,
    /// How long to wait at most [default: 30]
    pub(super) wait_seconds: Option<Wait>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::api::mcp) struct RunsList {
    /// Only those with this status: pending, running, waiting, paused, completed, failed, compensating, compensated, cancelled, stuck; or `interrupted`, which nobody drives
    pub(super) status: Option<String>,
    /// Only those of the workflow with this name
    pub(super) workflow: Option<String>,
    /// Only those with these tags
    #[serde(default)]
    pub(super) tags: BTreeMap<String, String>,
    /// How many at most [default: 20]
    #[schemars(range(min = 1, max = 500))]
    pub(super) limit: Option<u16>,
    /// Only those after this run, as `next` named it
    pub(super) after: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::api::mcp) struct TasksList {
    /// Only those of this agent
    pub(super) agent: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::api::mcp) struct TaskNext {
    /// The agent in whose name it is done
    pub(super) agent: String,
    /// How long it is yours before somebody else may take it, in seconds [default: 1800]
    pub(super) lease_seconds: Option<u32>,
    /// How long to wait for one if none is open [default: not at all]
    pub(super) wait_seconds: Option<Wait>,
    /// Who takes it [default: this client, for its user]
    pub(super) by: Option<String>,
}

/// An answer: JSON as it is, or a text.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
pub(in crate::api::mcp) enum TaskAnswer {
    /// A text
    Text(String),
    /// An object
    Object(Map<String, Value>),
    /// A list
    List(Vec<Value>),
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::api::mcp) struct TaskComplete {
    /// The task: its id, as task_next answered it
    pub(super) id: String,
    /// What the step answers
    pub(super) answer: TaskAnswer,
    /// Who answers [default: this client, for its user]
    pub(super) by: Option<String>,
    /// Whether the run is to go on in the background [default: if this client started or resumed it]
    pub(super) resume: Option<bool>,
}

/// What a failure asks for.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(in crate::api::mcp) enum FailureClass {
    /// To try again
    Transient,
    /// Never to try again
    Validation,
    /// Not to try again: something else is missing
    Dependency,
    /// To fail the run
    Fatal,
    /// Nothing that is known: it is tried again
    #[default]
    Unknown,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::api::mcp) struct TaskFail {
    /// The task: its id, as task_next answered it
    pub(super) id: String,
    /// Why it cannot be done
    pub(super) reason: String,
    /// What the failure asks for [default: unknown]
    #[serde(default)]
    pub(super) class: FailureClass,
    /// Who answers [default: this client, for its user]
    pub(super) by: Option<String>,
    /// Whether the run is to go on in the background [default: if this client started or resumed it]
    pub(super) resume: Option<bool>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::api::mcp) struct TaskHeartbeat {
    /// The task: its id, as task_next answered it
    pub(super) id: String,
    /// How far it is, in percent
    #[schemars(range(max = 100))]
    pub(super) percent: Option<u8>,
    /// What is being done
    pub(super) text: Option<String>,
    /// How long it is yours from now on, in seconds [default: 1800]
    pub(super) lease_seconds: Option<u32>,
    /// Who goes on with it [default: this client, for its user]
    pub(super) by: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::api::mcp) struct Approvals {
    /// Only those of this run
    pub(super) run: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::api::mcp) struct Approve {
    /// The run: its id, a unique beginning or end of it, or `last`
    pub(super) run: String,
    /// The request, or the step that asks [default: the only one that is open]
    pub(super) request: Option<String>,
    /// A remark, which is recorded
    pub(super) note: Option<String>,
    /// What of the arguments, or of the output, is to be changed: each value by its path, as in {"to.host": "b"}
    #[serde(default)]
    pub(super) set: Map<String, Value>,
    /// The hash of what was looked at: for anything else it is refused
    pub(super) hash: Option<String>,
    /// Only tick these points of the checklist, from 1
    #[serde(default)]
    pub(super) check: Vec<u32>,
    /// The person who grants it [default: this client, for its user]
    pub(super) by: Option<String>,
    /// Whether the run is to go on in the background [default: if this client started or resumed it]
    pub(super) resume: Option<bool>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::api::mcp) struct Reject {
    /// The run: its id, a unique beginning or end of it, or `last`
    pub(super) run: String,
    /// Why it is refused
    pub(super) reason: String,
    /// The request, or the step that asks [default: the only one that is open]
    pub(super) request: Option<String>,
    /// The person who refuses it [default: this client, for its user]
    pub(super) by: Option<String>,
    /// Whether the run is to go on in the background [default: if this client started or resumed it]
    pub(super) resume: Option<bool>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::api::mcp) struct Signal {
    /// The run: its id, a unique beginning or end of it, or `last`
    pub(super) run: String,
    /// The name of the signal
    pub(super) name: String,
    /// What the step that waits for it answers: any JSON
    #[serde(default)]
    pub(super) data: Value,
    /// Who sends it [default: this client, for its user]
    pub(super) by: Option<String>,
    /// Whether the run is to go on in the background [default: if this client started or resumed it]
    pub(super) resume: Option<bool>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::api::mcp) struct Route {
    /// What somebody asks for
    pub(super) query: String,
    /// Whether it is wanted as well by what that was told
    #[serde(default)]
    pub(super) explain: bool,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::api::mcp) struct ReplayAt {
    /// The run: its id, a unique beginning or end of it, or `last`
    pub(super) run: String,
    /// The number of the event, from 1 [default: the newest]
    pub(super) version: Option<u64>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::api::mcp) struct Why {
    /// The run: its id, a unique beginning or end of it, or `last`
    pub(super) run: String,
    /// The step [default: the run as a whole]
    pub(super) step: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::api::mcp) struct History {
    /// The run: its id, a unique beginning or end of it, or `last`; or another stream, as `agent/NAME`
    pub(super) run: String,
    /// The version of the first event [default: 1]
    pub(super) from: Option<u64>,
    /// The version of the last event [default: the newest]
    pub(super) to: Option<u64>,
    /// How many at most [default: 100]
    #[schemars(range(min = 1, max = 1000))]
    pub(super) limit: Option<u16>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::api::mcp) struct Cancel {
    /// The run: its id, a unique beginning or end of it, or `last`
    pub(super) run: String,
    /// Whether what it did is undone first
    #[serde(default)]
    pub(super) rollback: bool,
    /// Why
    pub(super) reason: Option<String>,
    /// Who ends it [default: this client, for its user]
    pub(super) by: Option<String>,
    /// Whether the run is to go on in the background, to be undone say [default: if this client started or resumed it]
    pub(super) resume: Option<bool>,
}
