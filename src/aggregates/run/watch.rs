//! What a run knows of how its agents get on: which answers were given how often, and what managers were asked and said.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{Run, StepIndex};
use crate::events::ids::{AgentName, Hash, StepId};
use crate::events::json::Payload;
use crate::events::run::{Because, StuckOn};

/// What is known of how the agents of a step get on; of a loop, those of its rounds, and of a chain of handoffs, those of all.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Watch {
    /// The answers that count, each with who gave it and how often.
    answers: Vec<(AgentName, Hash, u32)>,
    /// What managers were asked about, in order.
    pub(super) escalations: Vec<Escalation>,
    /// What the last of them said who answered.
    pub(super) said: Option<Said>,
    /// How often a plan was to be mended.
    pub(super) repairs: u32,
    /// The plan that is to be mended, or was last.
    pub(super) refused: Option<RefusedPlan>,
}

/// A plan that was refused, and why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct RefusedPlan {
    pub(super) answered: Payload,
    pub(super) refused: String,
}

/// A question to a manager.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Escalation {
    /// The step that was stuck, in which the manager is asked.
    pub(crate) at: StepIndex,
    pub(crate) to: AgentName,
    pub(super) why: StuckOn,
    pub(crate) seen: String,
}

/// What a manager said.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Said {
    /// The step in which it was asked.
    pub(super) in_step: StepIndex,
    pub(super) by: AgentName,
    pub(super) seen: String,
    pub(super) answer: Payload,
}

impl Watch {
    /// How often an agent gave an answer.
    pub(super) fn times(&self, agent: &AgentName, answer: Hash) -> u32 {
        let found = self.answers.iter().find(|(by, known, _)| by == agent && *known == answer);
        found.map_or(0, |(_, _, times)| *times)
    }

    /// An agent gave that answer.
    pub(super) fn note(&mut self, agent: &AgentName, answer: Hash) {
        match self.answers.iter_mut().find(|(by, known, _)| by == agent && *known == answer) {
            Some((_, _, times)) => *times = times.saturating_add(1),
            None => self.answers.push((agent.clone(), answer, 1)),
        }
    }

    /// What is seen from now on is seen for the first time; what was said still holds, and who is asked about some of these steps is
    /// still asked.
    pub(super) fn forget(&mut self, asked: &BTreeSet<StepIndex>) {
        self.answers.clear();
        (self.repairs, self.refused) = (0, None);
        self.escalations.retain(|escalation| asked.contains(&escalation.at));
    }

    /// What managers were asked about, in order.
    pub(crate) fn escalations(&self) -> impl Iterator<Item = &Escalation> {
        self.escalations.iter()
    }

    /// Whether a manager was asked about the same.
    pub(super) fn knows(&self, seen: &StuckOn) -> bool {
        self.escalations.iter().any(|asked| is_same(&asked.why, seen))
    }
}

/// Whether what was seen is the same again.
fn is_same(one: &StuckOn, other: &StuckOn) -> bool {
    match (one, other) {
        (
            StuckOn::Answer { agent, answer, .. },
            StuckOn::Answer { agent: other, answer: other_answer, .. },
        ) => agent == other && answer == other_answer,
        (StuckOn::Handoffs { from, to, .. }, StuckOn::Handoffs { from: other_from, to: other_to, .. }) => {
            (from, to) == (other_from, other_to) || (from, to) == (other_to, other_from)
        }
        (StuckOn::Time { .. }, StuckOn::Time { .. }) => true,
        (StuckOn::Blocked { blockers }, StuckOn::Blocked { blockers: other }) => blockers == other,
        _ => false,
    }
}

impl Run {
    /// The steps by which it may be known how this one gets on, the nearest first: itself, the one with which its chain of
    /// handoffs began, and the loop of which that is a round.
    pub(super) fn watched_in(&self, place: StepIndex) -> [StepIndex; 3] {
        let first = self.chain_begins(place);
        let round = self.steps.get(first).filter(|node| node.added.because == Because::Repeat);
        [place, first, round.and_then(|round| round.inside).unwrap_or(first)]
    }

    /// What a manager said for the next attempt at a step.
    pub(super) fn said_for(&self, place: StepIndex) -> Option<&Said> {
        let watched = self.watched_in(place);
        watched.into_iter().find_map(|at| self.steps.get(at)?.watch.as_ref()?.said.as_ref())
    }

    /// The step in which a manager said what the next attempt at this one is told.
    pub(crate) fn guided_by(&self, step: &StepId) -> Option<&StepId> {
        let said = self.said_for(self.steps.index(step)?)?;
        self.steps.get(said.in_step).map(|node| node.id())
    }

    /// What the manager is asked that is asked about a step, or was last.
    pub(crate) fn escalation(&self, place: StepIndex) -> Option<&Escalation> {
        self.watched_in(place).into_iter().find_map(|at| {
            let asked = &self.steps.get(at)?.watch.as_ref()?.escalations;
            asked.iter().rfind(|asked| asked.at == place)
        })
    }
}
