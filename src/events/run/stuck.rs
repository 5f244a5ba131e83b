//! Agents that do not get on: what shows it, and who is asked then.

use serde::{Deserialize, Serialize};

use crate::events::ids::{AgentName, Hash, StepId};
use crate::events::json::Payload;
use crate::events::problem::Code;

/// When a run takes an agent for stuck, and who is asked then.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct StuckLimits {
    /// How often an agent may give the same answer; 0 for as often as it likes.
    pub answers: u32,
    /// How often the same agent may hand over to the same other that hands back, in one chain; 0 for as often as they like.
    pub handoffs: u32,
    /// How long an attempt of an agent may take without coming to an end, in µs; none for no limit.
    pub time_us: Option<u64>,
    /// The agent that is asked, as it calls itself; none if nobody is.
    pub manager: Option<AgentName>,
}

/// An open attempt has answered in a way that counts if it is the same again. What becomes of the attempt follows in the same
/// commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnswerNoted {
    /// The step whose attempt answered.
    pub step: StepId,
    /// The attempt's number at its step, from 1.
    pub attempt: u32,
    /// The step whose answers are compared: the loop of a round, the first of a chain of handoffs, or the step itself.
    pub within: StepId,
    /// The hash of the answer, normalised: see `workflow::stuck::fingerprint`.
    pub answer: Hash,
}

/// What shows that an agent is stuck.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StuckOn {
    /// The same answer, again and again.
    Answer {
        /// The agent that gave it.
        agent: AgentName,
        /// The hash of the answer, normalised.
        answer: Hash,
        /// How often it was given.
        times: u32,
    },
    /// Two agents hand the work over to each other, back and forth.
    Handoffs {
        /// The agent that handed over, or was about to.
        from: AgentName,
        /// The agent that would go on.
        to: AgentName,
        /// How often the one has handed over to the other, with this time.
        times: u32,
    },
    /// An attempt did not come to an end.
    Time {
        /// How long it was waited for, in µs.
        waited_us: u64,
    },
    /// The agent of a task says what keeps it from going on.
    Blocked {
        /// The hash of what it says, normalised.
        blockers: Hash,
    },
    /// A task has failed for good.
    Failed {
        /// The code of its last failure.
        code: Code,
    },
}

/// An attempt has failed, or what it answered is not taken, and a manager is asked what to do: after this comes the step in
/// which it is. What the manager answers, the next attempt at the stuck step is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Escalated {
    /// The step that is stuck.
    pub step: StepId,
    /// The number of its attempt that showed it, from 1.
    pub attempt: u32,
    /// The step in which the same counts as seen again: the loop of a round, the first of a chain of handoffs, or the step
    /// itself.
    pub within: StepId,
    /// The agent that is asked.
    pub to: AgentName,
    /// What showed it.
    pub why: StuckOn,
    /// The same in a sentence for a person.
    pub seen: String,
}

/// An attempt has failed because the plan of tasks that it answered is refused, and the next one is to mend it: it is told both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepairAsked {
    /// The step whose plan it is.
    pub step: StepId,
    /// The number of the attempt that answered it, from 1.
    pub attempt: u32,
    /// What it answered.
    pub answered: Payload,
    /// Why that is refused.
    pub refused: String,
}
