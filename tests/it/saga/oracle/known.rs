//! What is known of a step.

use std::sync::Arc;

use serde_json::Value;

use super::handoffs::Hop;
use super::{ChildEnd, Does, Grows, Step};
use crate::saga::model::Undo;

/// What is known of a step.
#[derive(Debug, Clone)]
pub(in crate::saga) struct Known {
    pub(in crate::saga) id: String,
    pub(in crate::saga) rules: Arc<Step>,
    /// Where the steps are that its rules mean by their place in the file, or in the plan.
    pub(super) locals: Arc<[usize]>,
    /// What it waits for beside that.
    pub(super) waits_for: Vec<usize>,
    /// The step that it grew in.
    pub(super) inside: Option<usize>,
    pub(super) part: Part,
    pub(super) state: State,
    /// What people have to say about it.
    pub(super) gate: Gated,
    /// The request whose grant holds for its work.
    pub(super) granted: Option<usize>,
    /// Whether an item's turn has come, where not all may be on their way at once.
    pub(super) admitted: bool,
    /// Whether its `if` was true, and anything came of it.
    pub(super) begun: bool,
    pub(in crate::saga) generation: u32,
    /// The number of its last try.
    pub(super) attempt: u32,
    /// Failures that count against its tries, and tries whose process died.
    pub(super) failures: u32,
    pub(super) lost: u32,
    /// Whether the other agent does it.
    pub(super) fallen_back: bool,
    /// How its work was handed over, if the chain began with it, and whether the last agent of that did not come through.
    pub(super) handoffs: Vec<Hop>,
    pub(super) in_vain: bool,
    /// What it is given, and who does it, if others handed it over.
    pub(super) handed: Value,
    pub(super) taken_over_by: Option<&'static str>,
    /// How many rounds a loop had before it was tried again.
    pub(super) rounds_before: usize,
    /// When it goes on, if that is a matter of time.
    pub(super) wakes: i64,
    /// When its attempt has taken too long, where a run of its own makes that, and whether it has.
    pub(super) deadline: i64,
    pub(super) overdue: bool,
    /// What it answered, also if that was refused.
    pub(in crate::saga) output: Option<Value>,
    pub(super) refused: bool,
    /// How its child ended last.
    pub(super) child: Option<ChildEnd>,
    /// Tries of this generation: whether there was one, whether one of them failed, or ended nobody knows how.
    pub(in crate::saga) tried: bool,
    pub(super) failed: bool,
    pub(super) unknown: bool,
    pub(in crate::saga) undo: Undoing,
    pub(super) undo_attempt: u32,
    pub(super) undo_failures: u32,
    pub(super) undo_lost: u32,
    pub(super) undo_wakes: i64,
}

/// Why a step is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// The file has it.
    Whole,
    /// It does an item of a fan-out.
    Item(usize),
    /// It does a round of a loop.
    Round,
    /// A plan has it.
    Planned,
    /// An agent has handed it over.
    Handed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::saga) enum State {
    Pending,
    /// People are asked whether it may start.
    Asking,
    Running {
        stopping: bool,
    },
    Retrying,
    Sleeping,
    /// For a signal.
    Awaiting,
    /// What grew in it is being done.
    Open,
    Completed,
    Skipped {
        dependency: bool,
    },
    Failed {
        tolerated: bool,
    },
    Cancelled,
    /// What it grew in is done anew, and may grow other steps.
    Left,
}

/// What people have to say about what a step answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gated {
    No,
    Asked,
    /// They were asked until the run was about to end.
    Again,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::saga) enum Undoing {
    No,
    /// It is its turn, and no try is open.
    Ready,
    Running,
    Retrying,
    Failed,
    Settled,
}

impl Known {
    pub(super) fn new(
        id: String,
        rules: Arc<Step>,
        locals: Arc<[usize]>,
        inside: Option<usize>,
        part: Part,
    ) -> Self {
        Self {
            id,
            rules,
            locals,
            waits_for: Vec::new(),
            inside,
            part,
            state: State::Pending,
            gate: Gated::No,
            granted: None,
            admitted: false,
            begun: false,
            generation: 1,
            attempt: 0,
            failures: 0,
            lost: 0,
            fallen_back: false,
            handoffs: Vec::new(),
            in_vain: false,
            handed: Value::Null,
            taken_over_by: None,
            rounds_before: 0,
            wakes: 0,
            deadline: 0,
            overdue: false,
            output: None,
            refused: false,
            child: None,
            tried: false,
            failed: false,
            unknown: false,
            undo: Undoing::No,
            undo_attempt: 0,
            undo_failures: 0,
            undo_lost: 0,
            undo_wakes: 0,
        }
    }

    /// Whether others grow in it and do what it says.
    pub(super) fn is_whole(&self) -> bool {
        self.rules.grows != Grows::Nothing && matches!(self.part, Part::Whole | Part::Planned)
    }

    pub(super) fn is_part(&self) -> bool {
        matches!(self.part, Part::Item(_) | Part::Round)
    }

    pub(super) fn is_running(&self) -> bool {
        matches!(self.state, State::Running { .. })
    }

    pub(super) fn has_timeout(&self) -> bool {
        matches!(self.rules.does, Does::Wait { timeout: true, .. })
    }

    pub(super) fn signal(&self) -> Option<&'static str> {
        match self.rules.does {
            Does::Wait { signal, .. } => Some(signal),
            _ => None,
        }
    }

    /// What others may use of it.
    pub(super) fn answer(&self) -> Option<&Value> {
        self.output.as_ref().filter(|_| self.state == State::Completed && !self.in_vain)
    }

    /// Who does it.
    pub(super) fn agent(&self) -> &'static str {
        match self.rules.does {
            Does::Child => "workflow",
            _ if self.fallen_back => "other",
            _ => self.taken_over_by.unwrap_or("world"),
        }
    }

    /// How it is undone. A child run is rolled back, once, where nothing else is said.
    pub(super) fn undoing(&self) -> Option<Undo> {
        let child = self.rules.does == Does::Child;
        self.rules.undo.or_else(|| child.then_some(Undo { tries: 1, when_attempted: true }))
    }

    pub(super) fn undo_agent(&self) -> &'static str {
        if self.rules.undo.is_some() { "world" } else { "workflow" }
    }

    pub(super) fn status(&self) -> &'static str {
        match (self.undo, self.state) {
            (Undoing::Settled, _) => "compensated",
            (Undoing::Ready | Undoing::Running | Undoing::Retrying, _) => "compensating",
            (_, State::Pending) => "pending",
            (_, State::Running { .. } | State::Open) => "running",
            (_, State::Retrying) => "retrying",
            (_, State::Sleeping | State::Asking | State::Awaiting) => "waiting",
            (_, State::Completed) => "completed",
            (_, State::Skipped { .. }) => "skipped",
            (_, State::Failed { .. }) => "failed",
            (_, State::Cancelled | State::Left) => "cancelled",
        }
    }
}
