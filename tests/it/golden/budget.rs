//! What a run may spend, what it has spent, and who lets it spend more.

use reenact::aggregates::run::{Ask, Raise};
use reenact::events::ids::Fence;
use reenact::events::run::*;

use super::step;

const LIMITS: SpendLimits =
    SpendLimits { calls: Some(300), tokens: Some(70_000), usd_nanos: Some(5_000_000_000) };

const SPEND: Spend = Spend { calls: 2, tokens: 300, usd_nanos: 70_000 };

pub(super) fn events() -> Vec<RunEvent> {
    let (step, fence) = (step("review"), Fence(70_000));
    let (by, reason) = ("ada".into(), Some("it is worth it".to_owned()));
    vec![
        BudgetSet { limits: LIMITS, on_limit: OnLimit::Fail }.into(),
        BudgetReserved { step: step.clone(), fence, amount: SPEND }.into(),
        BudgetSettled { step: step.clone(), fence, spent: SPEND }.into(),
        BudgetExhausted {
            step,
            kind: SpendKind::Usd,
            used: 300,
            reserved: 70_000,
            wanted: 1,
            limit: 5_000_000_000,
        }
        .into(),
        BudgetRaised { limits: SpendLimits { tokens: None, ..LIMITS }, by, reason }.into(),
    ]
}

pub(super) fn commands() -> Vec<Ask> {
    let (by, reason) = ("ada".into(), Some("it is worth it".to_owned()));
    vec![Ask::RaiseBudget(Box::new(Raise { limits: LIMITS, by, reason }))]
}
