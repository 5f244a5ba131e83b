//! What the decisions on a run borrow: the clock, and slots for attempts that may start.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Runs;
use super::shell::RunShell;
use super::slots::{Slots, brought};
use crate::actors::agents::communicator::Brought;
use crate::aggregates::run::{Ask, Grants, Run, RunEffect, StartRun};
use crate::events::ids::AgentName;
use crate::events::problem::Problem;
use crate::events::time::Timestamp;
use crate::kernel::core::Environment;
use crate::kernel::{Blobs, Now};

/// Each decision of this process has another seed.
static SEED: AtomicU64 = AtomicU64::new(0);

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

/// What a run brings of an agent that begins now.
fn begins_with(runs: &Runs, start: &StartRun, agent: &AgentName) -> Brought {
    let context = runs.context();
    let bound = start.agents.iter().find(|(name, _)| name == agent).map(|(_, blob)| blob);
    bound.into_iter().for_each(|blob| context.library.keep(blob));
    let now = context.clock.now().steady;
    let since = if start.parent.is_none() { now } else { Timestamp(0) };
    Brought { definition: bound.map(|blob| blob.reference), since }
}
