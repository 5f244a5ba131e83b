//! Limits of what random runs may spend, what their attempts report, and who raises them.

use super::pick;
use crate::aggregates::run::tests::play::Play;
use crate::aggregates::run::{Ask, Raise};
use crate::events::run::{SpendKind, SpendLimits, Usage};
use crate::testing::Dice;

/// An agent an attempt of which costs something.
pub(super) const BOB: &str = r#"{"budget":{"calls":2,"tokens":40,"usd_nanos":30}}"#;

/// What a run may spend: many have no limit, some fail at one.
pub(super) const LIMITS: &[&str] = &[
    "",
    "",
    "",
    "limits: {calls: 4}\n",
    "limits: {calls: 6, tokens: 100}\non_limit: fail\n",
    "limits: {tokens: 90, usd: 0.00000009}\n",
    "limits: {tokens: 120}\non_limit: fail\n",
];

/// What an attempt may report.
pub(super) fn any_usage(dice: &mut Dice) -> Usage {
    let (calls, input_tokens) = (dice.below(3) as u64, dice.below(30) as u64);
    match dice.below(3) {
        0 => Usage {
            calls,
            input_tokens,
            output_tokens: dice.below(50) as u64,
            usd_nanos: dice.below(60) as u64,
        },
        _ => Usage::default(),
    }
}

/// Somebody lets it spend more, or means to.
pub(super) fn any_raise(dice: &mut Dice, play: &mut Play) {
    let limits = play.state().budget().map(|budget| budget.limits).unwrap_or_default();
    let kind = *pick(dice, &SpendKind::ALL);
    let more = Some(limits.get(kind).unwrap_or(1) + dice.below(20) as u64);
    let limits = match kind {
        SpendKind::Calls => SpendLimits { calls: more, ..SpendLimits::default() },
        SpendKind::Tokens => SpendLimits { tokens: more, ..SpendLimits::default() },
        SpendKind::Usd => SpendLimits { usd_nanos: more, ..SpendLimits::default() },
    };
    play.try_ask(Ask::RaiseBudget(Box::new(Raise { limits, by: "ada".into(), reason: None })));
}

/// It may spend as much as it likes.
pub(super) fn let_go_on(play: &mut Play) {
    let limits = play.state().budget().map(|budget| budget.limits).unwrap_or_default();
    let more = |limit: Option<u64>| limit.map(|limit| limit + 1_000);
    let limits = SpendLimits {
        calls: more(limits.calls),
        tokens: more(limits.tokens),
        usd_nanos: more(limits.usd_nanos),
    };
    play.try_ask(Ask::RaiseBudget(Box::new(Raise { limits, by: "ada".into(), reason: None })));
}
