//! What decisions on a simulated run borrow: as many slots as they can use, and the decoded definition.

use std::any::TypeId;
use std::collections::BTreeSet;
use std::sync::Arc;

use crate::aggregates::run::{Ask, Grants, Run};
use crate::events::ids::{AgentName, Hash, TimerId};
use crate::kernel::{Value, ValueKey};
use crate::testing::hosted::Supply;
use crate::workflow::definition::Definition;

/// Grants as many slots as can be used.
#[derive(Debug, Clone)]
pub(super) struct Slots {
    hash: Hash,
    /// Agents that start nothing.
    pub(super) paused: BTreeSet<AgentName>,
    pub(super) definition: Arc<Definition>,
    /// The timers that have fired.
    pub(super) fired: Vec<TimerId>,
}

impl Slots {
    pub(super) fn new(hash: Hash, definition: Arc<Definition>) -> Self {
        Self { hash, paused: BTreeSet::new(), definition, fired: Vec::new() }
    }
}

impl Supply<Run> for Slots {
    fn grants(&mut self, state: &Run, ask: &Ask) -> Grants {
        if let Ask::Due { timer } = ask {
            self.fired.push(timer.clone());
        }
        let mut grants = state.startable(ask);
        grants.0.retain(|agent, _| !self.paused.contains(agent));
        grants
    }

    fn remembered(&self) -> Option<(ValueKey, Value)> {
        Some(((self.hash, TypeId::of::<Definition>()), Arc::clone(&self.definition) as Value))
    }
}
