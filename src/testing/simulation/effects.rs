//! Which effects are open: as the changes told, and as the state says.

use std::collections::{BTreeSet, HashMap};

use crate::aggregates::run::{Run, RunEffect, RunEffectId};
use crate::kernel::{Aggregate, Effect, EffectChanges};

/// Notes what the changes of a commit told.
pub(super) fn keep(told: &mut HashMap<RunEffectId, RunEffect>, changes: &EffectChanges<RunEffect>) {
    for closed in changes.closed() {
        told.remove(closed);
    }
    told.extend(changes.still_open().map(|effect| (effect.id(), effect.clone())));
}

/// Whether what is open is not what the changes told. A step that could start is no promise to start it, so those are
/// left out.
pub(super) fn disagreement(state: &Run, told: &HashMap<RunEffectId, RunEffect>) -> Option<String> {
    let open = state.open();
    let lasting = |effect: &&RunEffect| !matches!(effect, RunEffect::Start { .. });
    let extra = open.iter().filter(lasting).find(|effect| told.get(&effect.id()) != Some(*effect));
    if let Some(effect) = extra {
        return Some(format!("{effect:?} is open, and no change told so"));
    }
    let expected = told.values().filter(lasting).count();
    let found = open.iter().filter(lasting).count();
    (expected > found).then(|| {
        let ids: BTreeSet<String> = open.iter().map(|effect| format!("{:?}", effect.id())).collect();
        let gone =
            told.values().filter(lasting).filter(|effect| !ids.contains(&format!("{:?}", effect.id())));
        format!("no change told that these are closed: {:?}", gone.collect::<Vec<_>>())
    })
}
