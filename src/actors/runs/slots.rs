//! Slots of agents for attempts that may start in the next commit of a run.

use std::collections::HashMap;

use super::Runs;
use crate::actors::agents::communicator::Brought;
use crate::actors::agents::dispatcher::Slot;
use crate::aggregates::run::{Run, RunEffect};
use crate::events::ids::AgentName;
use crate::events::time::Timestamp;

/// Slots for attempts that may start in the next commit.
#[derive(Default)]
pub(super) struct Slots {
    pub(super) held: HashMap<AgentName, Vec<Slot>>,
    /// How many of them attempts will take that start with this commit.
    spoken_for: HashMap<AgentName, usize>,
    /// Those that came while a commit was on its way.
    pub(super) granted: Vec<Slot>,
}

/// What a run brings of an agent.
pub(super) fn brought(state: &Run, agent: &AgentName) -> Brought {
    let about = state.about().filter(|_| state.parent().is_none());
    Brought { definition: state.agent(agent), since: about.map_or(Timestamp(0), |about| about.at) }
}

impl Slots {
    /// Attempts and deliveries that earlier commands of this commit started will take their slots when it is durable.
    pub(super) fn note(&mut self, opened: &[RunEffect]) {
        for slot in self.granted.drain(..) {
            self.held.entry(slot.agent().clone()).or_default().push(slot);
        }
        for effect in opened {
            let agent = match effect {
                RunEffect::Attempt(started) => &started.agent,
                RunEffect::Deliver(started) => &started.receiver,
                _ => continue,
            };
            *self.spoken_for.entry(agent.clone()).or_default() += 1;
        }
    }

    /// Answers how many of so many slots there are, which are held from here on.
    pub(super) fn acquire(&mut self, runs: &Runs, agent: &AgentName, brought: Brought, wanted: u32) -> u32 {
        let spoken_for = self.spoken_for.get(agent).copied().unwrap_or(0);
        let held = self.held.entry(agent.clone()).or_default();
        let left = u32::try_from(held.len().saturating_sub(spoken_for)).unwrap_or(u32::MAX);
        let missing = wanted.saturating_sub(left);
        let before = held.len();
        if missing > 0 {
            held.extend(runs.agents().slots(agent, brought, missing));
        }
        let acquired = u32::try_from(held.len() - before).unwrap_or(u32::MAX);
        wanted.min(left.saturating_add(acquired))
    }

    /// The commit is durable, and its attempts have their slots. Where nobody drives the run, none is for the next either.
    pub(super) fn give_back(&mut self, driven: bool) {
        self.held.clear();
        self.spoken_for.clear();
        if !driven {
            self.granted.clear();
        }
    }
}
