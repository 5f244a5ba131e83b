//! Limits of what a run spends.

use super::bad::check;
use super::*;
use crate::events::run::{OnLimit, SpendLimits};

#[test]
fn limits_of_what_a_run_spends_are_exact() {
    let spend = |limits: &str| good(&format!("limits: {limits}\nsteps: [{{id: a, run: x}}]")).limits.spend;
    let (calls, tokens, usd_nanos) = (Some(100), Some(500_000), Some(5_250_000_001));
    let all = SpendLimits { calls, tokens, usd_nanos };
    assert_eq!(spend("{calls: 100, tokens: 500000, usd: 5.250000001}"), all);
    assert_eq!(spend("{usd: '5.250000001'}"), SpendLimits { usd_nanos, ..SpendLimits::default() });
    assert!(spend("{parallel: 3}").is_empty());
    let fails = good("on_limit: fail\nlimits: {calls: 1}\nsteps: [{id: a, run: x}]");
    assert_eq!(fails.on_limit, OnLimit::Fail);
    assert_eq!(good("steps: [{id: a, run: x}]").on_limit, OnLimit::Wait);
    let again: Definition = serde_json::from_str(fails.to_json().text()).unwrap();
    assert_eq!(again, fails, "as a run records it");
}

#[test]
fn a_limit_that_is_none_is_refused_with_its_place() {
    check(&[
        ("limits: {calls: 0}\nsteps: [{id: a, run: x}]", Code::BadValue, 1, 17, "from 1 to 4294967295", ""),
        ("limits: {calls: -3}\nsteps: [{id: a, run: x}]", Code::BadValue, 1, 17, "from 1", ""),
        ("limits: {tokens: 1.5}\nsteps: [{id: a, run: x}]", Code::BadValue, 1, 18, "a whole number", ""),
        (
            "limits: {tokens: 9999999999999999}\nsteps: [{id: a, run: x}]",
            Code::BadValue,
            1,
            18,
            "to 1000000000000000",
            "",
        ),
        ("limits: {usd: -1}\nsteps: [{id: a, run: x}]", Code::BadValue, 1, 15, "less than zero", "2.50"),
        (
            "limits: {usd: .nan}\nsteps: [{id: a, run: x}]",
            Code::BadValue,
            1,
            15,
            "no amount of US dollars",
            "",
        ),
        ("limits: {usd: 5 EUR}\nsteps: [{id: a, run: x}]", Code::BadValue, 1, 15, "`5 EUR` is no amount", ""),
        ("limits: {usd: 0.0000000001}\nsteps: [{id: a, run: x}]", Code::BadValue, 1, 15, "finer than", ""),
        ("limits: {usd: 1e30}\nsteps: [{id: a, run: x}]", Code::BadValue, 1, 15, "more than 1000000000", ""),
        ("limits: {usd: 0}\nsteps: [{id: a, run: x}]", Code::BadValue, 1, 15, "nothing to spend", ""),
        ("limits: {eur: 5}\nsteps: [{id: a, run: x}]", Code::UnknownKey, 1, 10, "no key `eur`", ""),
        ("on_limit: stop\nsteps: [{id: a, run: x}]", Code::BadValue, 1, 11, "one of `wait`, `fail`", ""),
    ]);
}
