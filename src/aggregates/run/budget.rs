//! What a run may spend, and what of that is used and reserved, as numbers.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::events::ids::{Fence, StepId};
use crate::events::run::{BudgetExhausted, BudgetSet, OnLimit, Spend, SpendKind, SpendLimits};
use crate::events::time::Timestamp;

/// What a run may spend, and what of that is used and reserved.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Budget {
    /// How much it may spend, of each kind.
    pub limits: SpendLimits,
    /// What becomes of it when that is not enough.
    pub on_limit: OnLimit,
    /// What attempts that are over have spent.
    pub used: Spend,
    /// What is reserved for those that are open, all together.
    pub reserved: Spend,
    /// The same for each.
    open: BTreeMap<Fence, Spend>,
    /// Why nothing starts, if nothing does.
    pub exhausted: Option<Exhausted>,
}

/// That what is left is not enough for the next attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exhausted {
    /// What happened.
    pub what: BudgetExhausted,
    /// When that was recorded.
    pub since: Timestamp,
}

/// Somebody wants to let a run spend more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Raise {
    /// The new limits, of the kinds that are to be raised.
    pub limits: SpendLimits,
    /// The name of the person or program that wants it.
    pub by: Arc<str>,
    /// Their reason; none if they gave none.
    pub reason: Option<String>,
}

impl Budget {
    /// One of which nothing is used.
    pub(super) fn new(set: &BudgetSet) -> Self {
        Self { limits: set.limits, on_limit: set.on_limit, ..Self::default() }
    }

    /// Reserves that for an attempt; answers whether nothing was.
    pub(super) fn reserve(&mut self, fence: Fence, amount: Spend) -> bool {
        let before = self.open.insert(fence, amount);
        self.reserved = self.open.values().fold(Spend::default(), |sum, open| sum.and(*open));
        before.is_none()
    }

    /// What an attempt has spent is used from here on. None if nothing is reserved for it.
    pub(super) fn settle(&mut self, fence: Fence, spent: Spend) -> Option<()> {
        let amount = self.open.remove(&fence)?;
        self.reserved = self.open.values().fold(Spend::default(), |sum, open| sum.and(*open));
        self.used = self.used.and(spent);
        // Of calls nothing comes back: an attempt is one, whatever it reports.
        let may_be_enough = |lacks: &Exhausted| {
            let kind = lacks.what.kind;
            kind != SpendKind::Calls && amount.get(kind) > 0
        };
        if self.exhausted.as_ref().is_some_and(may_be_enough) {
            self.exhausted = None;
        }
        Some(())
    }

    /// What is reserved for an attempt, if anything is.
    pub(super) fn reserved_for(&self, fence: Fence) -> Option<Spend> {
        self.open.get(&fence).copied()
    }

    /// What keeps an attempt from starting at that step, which wants so much. A limit that is met stops also what wants nothing of
    /// that kind, for nobody knows what it will report.
    pub(super) fn lacks(&self, wanted: Spend, step: &StepId) -> Option<BudgetExhausted> {
        let lacking = self.limits.set().filter_map(|(kind, limit)| {
            let (used, reserved, wanted) = (self.used.get(kind), self.reserved.get(kind), wanted.get(kind));
            let held = used.saturating_add(reserved);
            let fits = held.saturating_add(wanted.max(1)) <= limit;
            let step = step.clone();
            (!fits).then_some(BudgetExhausted { step, kind, used, reserved, wanted, limit })
        });
        let lacking: Vec<_> = lacking.collect();
        let for_good = lacking.iter().find(|lacks| !may_come_back(lacks));
        for_good.or(lacking.first()).cloned()
    }
}

/// Whether attempts that are open may give back as much as is lacking.
pub(super) fn may_come_back(lacks: &BudgetExhausted) -> bool {
    let without = lacks.used.saturating_add(lacks.wanted.max(1));
    lacks.kind != SpendKind::Calls && lacks.reserved > 0 && without <= lacks.limit
}
