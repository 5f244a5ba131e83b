//! What a run may spend, and what of that is used and reserved: a call is reserved before it is made, so that no limit is ever
//! overspent by one. What undoes something is neither counted as a call nor held up: a rollback that stops half way for want of
//! money would leave the world in a state that nobody wanted.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::advance::Advance;
use super::budget::{Exhausted, Raise, may_come_back};
use super::rejection::NotRaised;
use super::{End, Ended, Phase, Run, RunRejection, StepIndex};
use crate::events::ids::AgentName;
use crate::events::problem::Code;
use crate::events::run::*;
use crate::workflow::estimate::{Costs, estimate};
use crate::workflow::work::Work;

/// A call, of which nothing else is known: the least that an attempt wants.
const ONE_CALL: Spend = Spend { calls: 1, tokens: 0, usd_nanos: 0 };

impl Run {
    /// What each agent has used up, of those that report something.
    pub fn usage_by_agent(&self) -> &BTreeMap<AgentName, Usage> {
        &self.usage
    }

    /// What it may spend, and what it has spent; none if it has no limit.
    pub fn budget(&self) -> Option<&super::Budget> {
        self.budget.as_deref()
    }

    /// Why no attempt starts, if what is left to spend is not enough for the next.
    pub fn exhausted(&self) -> Option<&Exhausted> {
        self.budget.as_ref()?.exhausted.as_ref()
    }

    pub(super) fn is_out_of_budget(&self) -> bool {
        self.exhausted().is_some()
    }

    /// Whether steps could start if they were allowed to spend something.
    pub fn lacks_spend(&self) -> bool {
        let is_ready = || self.ready.wanted().any(|(agent, _)| agent.is_some());
        self.phase == Phase::Going && self.is_out_of_budget() && is_ready()
    }

    /// Whether it is to be let spend more.
    ///
    /// # Errors
    /// When it has ended for good, has no such limit, or has one that is as high.
    pub(super) fn may_raise(&self, limits: SpendLimits) -> Result<(), NotRaised> {
        match &self.phase {
            Phase::Ended(Ended { how: End::Failed(_) | End::Stuck(_, None), .. }) => {}
            Phase::Ended(_) => return Err(NotRaised::Ended(self.status())),
            _ => {}
        }
        if limits.is_empty() {
            return Err(NotRaised::Nothing);
        }
        let now = self.budget.as_ref().map(|budget| budget.limits).unwrap_or_default();
        for (kind, wanted) in limits.set() {
            match now.get(kind) {
                None => return Err(NotRaised::NoLimit(kind)),
                Some(limit) if limit >= wanted => return Err(NotRaised::NotHigher { kind, limit, wanted }),
                Some(_) => {}
            }
        }
        Ok(())
    }
}

impl Advance<'_, '_> {
    /// Lets the run spend more.
    pub(super) fn raise(&mut self, raise: Raise) -> Result<(), RunRejection> {
        let Raise { limits, by, reason } = raise;
        self.draft.state().may_raise(limits)?;
        self.draft.emit(BudgetRaised { limits, by, reason });
        self.look_at_all();
        Ok(())
    }

    /// Whether a step is held up because an attempt at it would spend more than is left: then nothing starts any more, or the run
    /// fails. Before its work is rendered, `work` is none, and it wants a call at least.
    ///
    /// # Errors
    /// When what is recorded of its agent cannot be read.
    pub(super) fn exceeds_budget(
        &mut self,
        place: StepIndex,
        agent: &AgentName,
        work: Option<&Work>,
    ) -> Result<bool, RunRejection> {
        if self.draft.state().budget.is_none() {
            return Ok(false);
        }
        let wanted = match work {
            Some(work) => self.estimated(agent, work)?,
            None => ONE_CALL,
        };
        let step = self.node(place)?.id();
        let budget = self.draft.state().budget.as_ref();
        let Some(budget) = budget else { return Ok(false) };
        let Some(lacks) = budget.lacks(wanted, step) else { return Ok(false) };
        let fails = budget.on_limit == OnLimit::Fail && !may_come_back(&lacks);
        let (step, message) = (lacks.step.clone(), lacks.says());
        self.draft.emit(lacks);
        // Locks that steps hold or wait for are others' to have meanwhile.
        for step in self.draft.state().prepared() {
            self.draft.emit(PreparationWithdrawn { step });
        }
        if fails {
            let code = Code::SpendExceeded;
            let (class, handling) = (code.class(), Handling::Fails);
            self.draft.emit(StepFailed { step, class, code, message, handling });
        }
        Ok(true)
    }

    /// What an attempt of an agent spends at most.
    fn estimated(&self, agent: &AgentName, work: &Work) -> Result<Spend, RunRejection> {
        let costs = match self.draft.state().agent(agent) {
            Some(definition) => self.draft.value::<Costs, _>(&definition.hash, self.moment)?,
            None => Arc::default(),
        };
        Ok(estimate(&costs, work))
    }

    /// What is reserved for an attempt at doing a step, if the run has limits.
    pub(super) fn reservation(&self, agent: &AgentName, work: &Work) -> Result<Option<Spend>, RunRejection> {
        self.draft.state().budget.as_ref().map(|_| self.estimated(agent, work)).transpose()
    }

    /// Settles what was reserved for an attempt that is about to end. Where nobody can know what it has spent it counts as what was
    /// reserved: a limit that forgot it could be overspent.
    pub(super) fn settle_budget(&mut self, attempt: &AttemptStarted, came_to: Option<(Outcome, Usage)>) {
        let fence = attempt.fence;
        let budget = self.draft.state().budget.as_ref();
        let Some(reserved) = budget.and_then(|budget| budget.reserved_for(fence)) else { return };
        let spent = match came_to {
            None => reserved,
            Some((Outcome::Unknown, usage)) => reserved.at_least(Spend::of(usage)),
            Some((Outcome::Known, usage)) if usage == Usage::default() => reserved,
            Some((Outcome::Known, usage)) => Spend::of(usage),
        };
        self.draft.emit(BudgetSettled { step: attempt.step.clone(), fence, spent });
    }
}
