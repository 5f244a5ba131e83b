//! The list of runs, as it is asked for and answered.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::aggregates::run::RunStatus;
use crate::events::ids::{RunId, Version};
use crate::events::time::Timestamp;
use crate::views::presenters::report::UsageReport;
use crate::views::projections::runs::{RunFilter, RunRow};

/// Which runs are to be listed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listing {
    /// The condition that each of them has to meet, and how many are listed at most.
    pub filter: RunFilter,
    /// Only those that have not ended and that nobody drives, though they could go on.
    #[serde(default)]
    pub interrupted: bool,
    /// Only those that come after this run, by its id or enough of it.
    #[serde(default)]
    pub after: Option<String>,
    /// Also the runs whose steps have started these, and theirs.
    #[serde(default)]
    pub parents: bool,
}

/// A part of the list of runs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Listed {
    /// The runs, newest first.
    pub runs: Vec<ListedRun>,
    /// The last of these runs, if there are more after it.
    pub next: Option<RunId>,
}

/// A run in the list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ListedRun {
    /// The id of the run.
    pub run: RunId,
    /// The name of the workflow, as much of it as a row has room for.
    pub workflow: String,
    /// The status of the run.
    pub status: RunStatus,
    /// Whether it has not ended, and would go on if somebody drove it, which nobody does. None where that is not known: this
    /// process may not ask who holds the store.
    pub interrupted: Option<bool>,
    /// When it was started.
    pub started_at: Timestamp,
    /// When it ended; none while it has not.
    pub ended_at: Option<Timestamp>,
    /// The time from its start to its end, or until now, in ms.
    pub duration_ms: u64,
    /// The number of its last event, from 1.
    pub version: Version,
    /// Names and values by which people find the run.
    pub tags: BTreeMap<String, String>,
    /// Whether something was done in a lesser way.
    pub degraded: bool,
    /// What its calls of models used up; not there where it called none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<UsageReport>,
    /// The run whose step started it; none if a person did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<RunId>,
}

impl ListedRun {
    /// A run as its row has it, at a moment.
    pub fn of(row: RunRow, interrupted: Option<bool>, now: Timestamp) -> Self {
        let RunRow { run, workflow, status, started_at, ended_at, version, tags, degraded, usage, parent } =
            row;
        let duration = ended_at.unwrap_or(now).since(started_at);
        let duration_ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Self {
            run,
            workflow,
            status,
            interrupted,
            started_at,
            ended_at,
            duration_ms,
            version,
            tags,
            degraded,
            usage: (usage.calls > 0).then(|| usage.into()),
            parent,
        }
    }

    /// Whether the same is to be said of the run, but for how long it has been going on.
    pub fn says_the_same(&self, other: &Self) -> bool {
        let said = |listed: &Self| (listed.run.clone(), listed.version, listed.status, listed.interrupted);
        said(self) == said(other)
    }
}
