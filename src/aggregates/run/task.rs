//! Attempts that no process makes: tasks, which are open until somebody outside has answered them. Nothing of one is lost with a
//! process. Whoever takes one has it for a time, a lease, and may answer until that is over; then it is anybody's again, and
//! what comes under an older lease is refused.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::index::StepIndex;
use crate::events::ids::{Fence, TimerId};
use crate::events::json::Json;
use crate::events::problem::Class;
use crate::events::run::{AttemptStarted, Purpose};
use crate::events::time::Timestamp;
use crate::workflow::work::Work;

/// How much of a prompt says what a task is about, in characters.
const DESCRIPTION_CHARS: usize = 50;

/// The attempts of a run that are handed out.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Tasks {
    /// Those that are open, and the step of each.
    pub(super) open: BTreeMap<Fence, StepIndex>,
    /// Those of them that the run does not want any more: what becomes of them is said in the same commit.
    pub(super) unwanted: BTreeSet<Fence>,
    /// When leases end, by the wall clock.
    pub(super) leases: BTreeSet<(Timestamp, TimerId)>,
    /// When attempts time out, by the steady clock.
    pub(super) deadlines: BTreeSet<(Timestamp, TimerId)>,
}

impl Tasks {
    /// How many are open.
    pub(super) fn count(&self) -> u32 {
        u32::try_from(self.open.len()).unwrap_or(u32::MAX)
    }

    /// How many timers there are that go off only if whoever has a task, or should take it, takes too long.
    pub(super) fn timers(&self) -> usize {
        self.leases.len() + self.deadlines.len()
    }

    /// When the first of those timers is due, whichever clock that goes by.
    pub(super) fn first_due(&self) -> Option<Timestamp> {
        let first = |timers: &BTreeSet<(Timestamp, TimerId)>| timers.first().map(|(at, _)| *at);
        first(&self.leases).into_iter().chain(first(&self.deadlines)).min()
    }
}

/// An open attempt that is handed out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Task {
    /// What tells it from all other attempts of its run.
    pub(crate) fence: Fence,
    /// What it is for.
    pub(crate) purpose: Purpose,
    /// How often it was taken: the newest lease has this number.
    pub(crate) leases: u32,
    /// Who has it; none if nobody does.
    pub(crate) held: Option<Held>,
}

/// Who has a task, and until when.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Held {
    /// Their name.
    pub(crate) by: Arc<str>,
    /// When the lease ends, by the wall clock. At that very moment it is over.
    pub(crate) until: Timestamp,
    /// How far they said that they are, from 0 to 100.
    pub(crate) percent: Option<u8>,
    /// What they said that they are doing.
    pub(crate) text: Option<String>,
}

impl Task {
    pub(super) fn new(attempt: &AttemptStarted) -> Self {
        Self { fence: attempt.fence, purpose: attempt.purpose, leases: 0, held: None }
    }

    /// Whether anybody has ever had it: if not, nothing of it was done.
    pub(crate) const fn was_begun(&self) -> bool {
        self.leases > 0
    }

    /// Who has it at that time of the wall clock.
    pub(crate) fn holder_at(&self, wall: Timestamp) -> Option<&Held> {
        self.held.as_ref().filter(|held| held.until > wall)
    }
}

/// What somebody outside wants of a task.
#[derive(Debug, Clone)]
pub struct OfTask {
    /// The number of its attempt in the run.
    pub fence: Fence,
    /// The name of the person or program.
    pub by: Arc<str>,
    /// The thing that is wanted.
    pub does: TaskDoes,
}

/// The things that somebody outside may want of a task. All but taking it name the lease under which it was taken.
#[derive(Debug, Clone)]
pub enum TaskDoes {
    /// To take it, for so long.
    Take {
        /// How long it is theirs if they do not say that they go on with it.
        length: Duration,
    },
    /// To answer it: the attempt has succeeded.
    Complete {
        /// The number of the lease.
        lease: u32,
        /// What the step answers.
        answer: Json,
    },
    /// To say that it cannot be done: the attempt has failed.
    Fail {
        /// The number of the lease.
        lease: u32,
        /// What the failure asks for.
        class: Class,
        /// Why, for a person.
        reason: String,
    },
    /// To go on with it, for so long from now.
    Heartbeat {
        /// The number of the lease.
        lease: u32,
        /// How long it is theirs from now on.
        length: Duration,
        /// How far the work is, from 0 to 100.
        percent: Option<u8>,
        /// What is being done at the moment.
        text: Option<String>,
    },
}

impl OfTask {
    /// The name by which commits record it.
    pub(super) const fn name(&self) -> &'static str {
        match self.does {
            TaskDoes::Take { .. } => "task_take",
            TaskDoes::Complete { .. } => "task_complete",
            TaskDoes::Fail { .. } => "task_fail",
            TaskDoes::Heartbeat { .. } => "task_heartbeat",
        }
    }

    /// Whether it ends the attempt.
    pub(super) const fn ends(&self) -> bool {
        matches!(self.does, TaskDoes::Complete { .. } | TaskDoes::Fail { .. })
    }
}

/// What a task is about, in a few words: how its prompt begins, or what it is given where it has none.
pub(super) fn description(work: &Work) -> String {
    let given = || Some(work.with.text()).filter(|_| !work.with.is_null());
    let text = work.prompt.as_deref().or_else(given).unwrap_or_default();
    text.chars().take(DESCRIPTION_CHARS).collect()
}
