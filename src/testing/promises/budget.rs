//! What must hold of what a run spends, in every history: so much is reserved before an attempt begins that no limit is ever
//! overspent by a call, and each reservation is settled once, before its attempt is over.

use std::collections::BTreeMap;

use super::{Verdict, must};
use crate::events::ids::Fence;
use crate::events::run::*;

/// What is known of what a run may spend and has spent.
#[derive(Default)]
pub(crate) struct Purse {
    limits: Option<SpendLimits>,
    used: Spend,
    open: BTreeMap<Fence, Spend>,
    /// The attempt that has just begun: nothing is reserved for it yet.
    begun: Option<Fence>,
    exhausted: bool,
}

impl Purse {
    /// Takes in the next event.
    ///
    /// # Errors
    /// What it breaks.
    pub(crate) fn see(&mut self, event: &RunEvent) -> Result<(), String> {
        if let Some(fence) = self.begun.take() {
            let is_it = matches!(event, RunEvent::BudgetReserved(reserved) if reserved.fence == fence);
            must(is_it, || format!("attempt {fence} began, and nothing is reserved for it"))?;
        }
        match event {
            RunEvent::BudgetSet(set) => self.limits = Some(set.limits),
            RunEvent::AttemptStarted(began) if began.purpose == Purpose::Do && self.limits.is_some() => {
                must(!self.exhausted, || "an attempt begins where nothing is left to spend".to_owned())?;
                self.begun = Some(began.fence);
            }
            RunEvent::BudgetReserved(reserved) => {
                self.open.insert(reserved.fence, reserved.amount);
                self.fits()?;
            }
            RunEvent::BudgetSettled(settled) => {
                let was_open = self.open.remove(&settled.fence);
                let was_open = was_open.ok_or_else(|| format!("{} is settled twice", settled.fence))?;
                must(settled.spent.calls >= 1, || "an attempt is a call".to_owned())?;
                self.used = self.used.and(settled.spent);
                self.exhausted &= was_open.tokens == 0 && was_open.usd_nanos == 0;
            }
            RunEvent::BudgetExhausted(_) => {
                must(!self.exhausted, || "it says twice that nothing is left".to_owned())?;
                self.exhausted = true;
            }
            RunEvent::BudgetRaised(raised) => {
                self.limits = self.limits.map(|limits| limits.replaced_by(raised.limits));
                self.exhausted = false;
            }
            RunEvent::RetryRequested(_) => self.exhausted = false,
            RunEvent::RunUnpaused(_) => self.exhausted = false,
            RunEvent::RunCompleted(_)
            | RunEvent::RunFailed(_)
            | RunEvent::RunCompensated(_)
            | RunEvent::RunCancelled(_)
            | RunEvent::RunStuck(_) => {
                must(self.open.is_empty(), || "it ends, and something is still reserved".to_owned())?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Whether what is reserved goes over no limit. What attempts report may: then nothing more is reserved.
    fn fits(&self) -> Verdict {
        let held = self.open.values().fold(self.used, |sum, open| sum.and(*open));
        let limits = self.limits.unwrap_or_default();
        let over = limits.set().find(|(kind, limit)| held.get(*kind) > *limit);
        must(over.is_none(), || format!("more is reserved than a limit allows: {held:?}, {limits:?}"))
    }
}
