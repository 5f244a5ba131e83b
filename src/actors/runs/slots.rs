//! What the decisions on a run borrow: slots of agents for attempts that may start in the next commit.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Runs;
use super::shell::RunShell;
use crate::actors::agents::communicator::Brought;
use crate::actors::agents::dispatcher::Slot;
use crate::aggregates::run::{Ask, Grants, Run, RunEffect, StartRun};
use crate::events::ids::AgentName;
use crate::events::problem::Problem;
use crate::events::time::Timestamp;
use crate::kernel::core::Environment;
use crate::kernel::{Blobs, Now};

/// Each decision of this process has another seed.
static SEED: AtomicU64 = AtomicU64::new(0);

/// Slots for attempts that may start in the next commit.
#[derive(Default)]
pub(super) struct Slots {
    pub(super) held: HashMap<AgentName, Vec<Slot>>,
    /// How many of them attempts will take that start with this commit.
    spoken_for: HashMap<AgentName, usize>,
    /// Those that came while a commit was on its way.
    pub(super) granted: Vec<Slot>,
}

impl Environment<Run> for RunShell {
    fn now(&mut self) -> Now {
        self.context.clock.now()
    }

    fn blobs(&self) -> Arc<dyn Blobs> {
        Arc::clone(&self.context.library) as Arc<dyn Blobs>
    }

    fn seed(&mut self) -> u64 {
        SEED.fetch_add(1, Ordering::Relaxed)
    }

    fn grant(&mut self, state: &Run, ask: &Ask, opened: &[RunEffect]) -> Option<Grants> {
        let runs = self.runs.upgrade().filter(|runs| !runs.hosting().book().is_closing())?;
        if let Some(start) = ask.begins().filter(|_| state.about().is_none()) {
            let needs = start.needs();
            let needs = needs.iter().map(|agent| (agent, begins_with(&runs, start, agent).definition));
            // It is recorded, and left alone.
            runs.agents().has_all(&self.run, needs).ok()?;
        }
        self.slots.note(opened);
        let mut grants = state.startable(ask);
        for (agent, wanted) in &mut grants.0 {
            let brought = match ask.begins().filter(|_| state.about().is_none()) {
                Some(start) => begins_with(&runs, start, agent),
                None => brought(state, agent),
            };
            *wanted = self.slots.acquire(&runs, agent, brought, *wanted);
        }
        Some(grants)
    }

    fn may_drive(&mut self, state: &Run) -> Result<(), Problem> {
        let Some(runs) = self.runs.upgrade() else { return Ok(()) };
        let needs = state.needs().into_iter().map(|agent| (agent, state.agent(agent)));
        runs.agents().has_all(&self.run, needs)
    }

    fn take_back(&mut self) {
        self.slots = Slots::default();
    }
}

/// What a run brings of an agent.
pub(super) fn brought(state: &Run, agent: &AgentName) -> Brought {
    let about = state.about().filter(|_| state.parent().is_none());
    Brought { definition: state.agent(agent), since: about.map_or(Timestamp(0), |about| about.at) }
}

/// What a run brings of an agent that begins now.
fn begins_with(runs: &Runs, start: &StartRun, agent: &AgentName) -> Brought {
    let context = runs.context();
    let bound = start.agents.iter().find(|(name, _)| name == agent).map(|(_, blob)| blob);
    bound.into_iter().for_each(|blob| context.library.keep(blob));
    let now = context.clock.now().steady;
    let since = if start.parent.is_none() { now } else { Timestamp(0) };
    Brought { definition: bound.map(|blob| blob.reference), since }
}

impl Slots {
    /// Attempts that earlier commands of this commit started will take their slots when it is durable.
    fn note(&mut self, opened: &[RunEffect]) {
        for slot in self.granted.drain(..) {
            self.held.entry(slot.agent().clone()).or_default().push(slot);
        }
        for effect in opened {
            if let RunEffect::Attempt(started) = effect {
                *self.spoken_for.entry(started.agent.clone()).or_default() += 1;
            }
        }
    }

    /// Answers how many of so many slots there are, which are held from here on.
    fn acquire(&mut self, runs: &Runs, agent: &AgentName, brought: Brought, wanted: u32) -> u32 {
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
