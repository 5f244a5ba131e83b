//! What a run may spend, and what it has spent.

use super::{Contradiction, Evolution};
use crate::aggregates::run::{Budget, Exhausted, Phase};
use crate::events::ids::StepId;
use crate::events::run::{
    BudgetExhausted, BudgetRaised, BudgetReserved, BudgetSet, BudgetSettled, Purpose, RunEvent, Spend, Usage,
};

impl Evolution<'_> {
    pub(super) fn of_budget(&mut self, event: &RunEvent) -> Result<(), Contradiction> {
        match event {
            RunEvent::BudgetSet(event) => self.budget_set(event),
            RunEvent::BudgetReserved(event) => self.budget_reserved(event),
            RunEvent::BudgetSettled(event) => self.budget_settled(event),
            RunEvent::BudgetExhausted(event) => self.budget_exhausted(event),
            RunEvent::BudgetRaised(event) => self.budget_raised(event),
            _ => Err("it is about nothing that is spent".to_owned()),
        }
    }

    fn budget_set(&mut self, event: &BudgetSet) -> Result<(), Contradiction> {
        if self.run.budget.is_some() || self.run.steps.len() > 0 {
            return Err("limits are set before there is anything to do".to_owned());
        }
        self.run.budget = Some(Box::new(Budget::new(event)));
        Ok(())
    }

    fn budget_reserved(&mut self, event: &BudgetReserved) -> Result<(), Contradiction> {
        let open = self.run.open_attempt(&event.step, event.fence);
        if open.is_none_or(|(_, attempt)| attempt.purpose != Purpose::Do) {
            return Err(format!("no attempt {} at step `{}` is open", event.fence, event.step));
        }
        match self.budget()?.reserve(event.fence, event.amount) {
            true => Ok(()),
            false => Err(format!("something is reserved for attempt {} already", event.fence)),
        }
    }

    fn budget_settled(&mut self, event: &BudgetSettled) -> Result<(), Contradiction> {
        let settled = self.budget()?.settle(event.fence, event.spent);
        settled.ok_or_else(|| format!("nothing is reserved for attempt {}", event.fence))
    }

    fn budget_exhausted(&mut self, event: &BudgetExhausted) -> Result<(), Contradiction> {
        let since = self.now;
        if self.run.phase != Phase::Going {
            return Err("nothing of it is about to start".to_owned());
        }
        let lacks = Exhausted { what: event.clone(), since };
        match self.budget()?.exhausted.replace(lacks) {
            None => Ok(()),
            Some(_) => Err("it has nothing left to spend already".to_owned()),
        }
    }

    fn budget_raised(&mut self, event: &BudgetRaised) -> Result<(), Contradiction> {
        let budget = self.budget()?;
        let is_higher =
            event.limits.set().all(|(kind, new)| budget.limits.get(kind).is_some_and(|old| old < new));
        if !is_higher {
            return Err("limits are raised that are not there, or are as high".to_owned());
        }
        budget.limits = budget.limits.replaced_by(event.limits);
        budget.exhausted = None;
        Ok(())
    }

    /// What an attempt has used up that is about to be over.
    pub(super) fn count_usage(&mut self, step: &StepId, purpose: Purpose, number: u32, usage: Usage) {
        if usage == Usage::default() {
            return;
        }
        if let Ok(attempt) = self.open_attempt(step, purpose, number) {
            let used = self.run.usage.entry(attempt.agent.clone()).or_default();
            *used = used.and(usage);
        }
        if purpose == Purpose::Compensate {
            self.spent_on_undoing(usage);
        }
    }

    /// What undoes something is not held up by a limit, and what it reports counts.
    fn spent_on_undoing(&mut self, usage: Usage) {
        if let Some(budget) = &mut self.run.budget {
            let spent = Spend { calls: usage.calls, ..Spend::of(usage) };
            budget.used = budget.used.and(spent);
        }
    }

    fn budget(&mut self) -> Result<&mut Budget, Contradiction> {
        self.run.budget.as_deref_mut().ok_or_else(|| "the run has no limit of what it spends".to_owned())
    }
}
