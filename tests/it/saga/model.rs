//! Workflows that follow from a seed, in few words: what the oracle understands, and what a file says.

mod generate;
mod phases;
mod written;

use std::sync::Arc;

pub(super) use phases::Vertex;

/// A workflow.
#[derive(Debug, Clone)]
pub(super) struct Model {
    pub(super) steps: Vec<Arc<Step>>,
    pub(super) stops: bool,
    pub(super) lost_limit: u32,
    pub(super) duration: bool,
    /// The step or the phase after which it pauses.
    pub(super) until: Option<String>,
    /// Whether answers may be plans.
    pub(super) plans: bool,
    /// Whether agents may hand over.
    pub(super) hands: bool,
    /// The phases that people are asked about.
    pub(super) phases: Vec<(&'static str, ApprovalRule)>,
}

/// A step. Others are meant by their place.
#[derive(Debug, Clone)]
pub(super) struct Step {
    pub(super) needs: Vec<usize>,
    pub(super) does: Does,
    pub(super) grows: Grows,
    pub(super) condition: Condition,
    /// The step whose output it is given.
    pub(super) uses: Option<usize>,
    /// How many tries it has.
    pub(super) tries: u32,
    pub(super) on_error: OnError,
    /// Whether another agent does it when the first has failed for good.
    pub(super) fallback: bool,
    pub(super) gate: Option<ApprovalRule>,
    /// Whether its output has to be `ok`.
    pub(super) schema: bool,
    pub(super) phase: Option<&'static str>,
    pub(super) undo: Option<Undo>,
    /// Whether it says that there is nothing to undo, which changes nothing but what people are told.
    pub(super) harmless: bool,
    pub(super) irreversible: bool,
    pub(super) at_most_once: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Does {
    Work,
    Sleep,
    /// For a signal, perhaps not for long.
    Wait {
        signal: &'static str,
        timeout: bool,
    },
    /// A run of another workflow.
    Child,
    /// Nothing: people are asked about its phase. No file has such a step.
    AskOfPhase,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Grows {
    Nothing,
    /// A step for each of so many items, so many of which may be on their way.
    Items {
        count: usize,
        width: usize,
    },
    /// A step for each round, so many at most.
    Rounds {
        until: Until,
        max: usize,
    },
}

/// When a loop ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Until {
    /// After that round.
    Round(usize),
    /// When a round answers so.
    Ok,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Condition {
    Always,
    Never,
    /// When that step is completed.
    After(usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OnError {
    FailFast,
    Continue,
    Fail,
    Skip,
}

/// What people have to grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ApprovalRule {
    /// Its work; else its output.
    pub(super) before: bool,
    /// Whether only [`APPROVERS`] may.
    pub(super) closed: bool,
    pub(super) needed: usize,
    pub(super) expires: bool,
    /// Whether a grant counts only when all points of the checklist are ticked.
    pub(super) ticked: bool,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Undo {
    pub(super) tries: u32,
    pub(super) when_attempted: bool,
}

/// The steps that an answer adds to its run.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) steps: Vec<Arc<Step>>,
    pub(super) fault: Option<Fault>,
}

/// What is wrong with a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// Two steps have one id.
    Twice,
    /// A step needs itself.
    Circle,
    /// It has a step that the run has.
    Taken,
    /// It starts a workflow.
    Workflow,
}

/// Who may answer where not everybody may.
pub(super) const APPROVERS: [&str; 2] = ["ada", "bob"];
/// The points of every checklist.
pub(super) const POINTS: u32 = 2;
/// How long a retry, a sleep, a wait and a request take, and the whole run, in µs.
pub(super) const RETRY: i64 = 1_000_000;
pub(super) const SLEEP: i64 = 3_000_000;
pub(super) const WAIT: i64 = 4_000_000;
pub(super) const EXPIRY: i64 = 5_000_000;
pub(super) const DURATION: i64 = 20_000_000;
pub(super) const TIMEOUT: i64 = 10_000_000;
/// How often a fallback agent is tried at most.
pub(super) const FALLBACK_TRIES: u32 = 2;
/// How far plans may grow a graph.
pub(super) const DEPTH: usize = 2;
pub(super) const WIDTH: usize = 3;
pub(super) const TOTAL: usize = 6;
/// How many handoffs a chain may have.
pub(super) const HANDOFFS: usize = 2;

/// The name of the step at a place of the file.
pub(super) fn name(place: usize) -> String {
    format!("s{place}")
}

/// The name of the step at a place of a plan.
pub(super) fn planned_name(place: usize) -> String {
    format!("p{place}")
}
