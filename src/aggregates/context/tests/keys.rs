//! Keys, their versions, and who wrote them.

use super::*;
use crate::events::limits::{CONTEXT_KEYS_MAX, CONTEXT_VALUE_BYTES_MAX};

fn written(key_name: &str, version: u64, value: &str) -> KeySet {
    KeySet { key: key(key_name), version: KeyVersion(version), value: Payload::Inline(json(value)) }
}

fn was_set(by: &str, keys: impl IntoIterator<Item = KeySet>) -> ContextEvent {
    ContextSet { keys: keys.into_iter().collect(), by: by.into(), held: None }.into()
}

fn value(state: &Context, name: &str) -> (u64, Option<String>, String) {
    let entry = &state.keys()[&key(name)];
    let text = |payload: &Payload| match payload {
        Payload::Inline(json) => json.text().to_owned(),
        Payload::Blob(_) => "blob".to_owned(),
    };
    (entry.version().0, entry.value.as_ref().map(text), entry.by.to_string())
}

#[test]
fn each_write_is_the_next_version_of_its_key_and_says_who_wrote_it() {
    let prices = prices()
        .when(set("ada", &[("a", "1", None), ("b", "\"x\"", Some(0))]))
        .then([was_set("ada", [written("a", 1, "1"), written("b", 1, "\"x\"")])]);
    let prices =
        prices.when(set("bob", &[("a", "1", Some(1))])).then([was_set("bob", [written("a", 2, "1")])]);
    assert_eq!(value(prices.state(), "a"), (2, Some("1".into()), "bob".into()));
    assert_eq!(value(prices.state(), "b"), (1, Some("\"x\"".into()), "ada".into()));
}

#[test]
fn a_conflict_writes_nothing_and_says_which_key_what_was_expected_what_is_there_and_who_wrote_it() {
    let prices =
        prices().events([was_set("ada", [written("a", 1, "1")]), was_set("ada", [written("a", 2, "2")])]);
    let stale = set("bob", &[("b", "1", None), ("a", "3", Some(1))]);
    prices.clone().when(stale).then_rejected(|refused| {
        let problem = Context::problem(refused);
        assert_eq!(
            problem.message,
            "`a` was expected to have version 1, and has version 2, written by `ada`"
        );
        code(refused) == Code::ContextConflict
    });
    prices.clone().when(set("bob", &[("a", "3", Some(0))])).then_rejected(|refused| {
        refused.to_string() == "`a` was expected not to be there, and has version 2, written by `ada`"
    });
    prices.clone().when(set("bob", &[("c", "3", Some(4))])).then_rejected(|refused| {
        refused.to_string() == "`c` was expected to have version 4, and was never set"
    });
    prices
        .when(set("bob", &[("a", "null", None)]))
        .then_events(|_| ())
        .when(set("eve", &[("a", "3", Some(2))]))
        .then_rejected(|refused| {
            refused.to_string() == "`a` was expected to have version 2, and was removed by `bob`"
        });
}

#[test]
fn null_removes_a_key_which_is_not_there_then_and_goes_on_with_its_versions_when_it_is_set_again() {
    let prices = prices().events([was_set("ada", [written("a", 1, "1")])]);
    let prices =
        prices.when(set("bob", &[("a", "null", Some(1))])).then([was_set("bob", [written("a", 0, "null")])]);
    assert_eq!(value(prices.state(), "a"), (0, None, "bob".into()));
    let prices = prices.when(set("bob", &[("a", "null", None), ("never", "null", None)])).then([]);
    let prices =
        prices.when(set("eve", &[("a", "2", Some(0))])).then([was_set("eve", [written("a", 2, "2")])]);
    prices
        .when(set("ada", &[("a", "3", Some(1))]))
        .then_rejected(|refused| code(refused) == Code::ContextConflict);
}

#[test]
fn what_cannot_be_written_is_refused() {
    let large = format!("\"{}\"", "x".repeat(CONTEXT_VALUE_BYTES_MAX - 1));
    prices()
        .when(set("ada", &[("a", &large, None)]))
        .then_rejected(|refused| code(refused) == Code::TooLarge);
    let fits = format!("\"{}\"", "x".repeat(CONTEXT_VALUE_BYTES_MAX - 2));
    let prices =
        prices().when(set("ada", &[("a", &fits, None)])).then_events(|events| assert_eq!(events.len(), 1));
    assert_eq!(value(prices.state(), "a").1.as_deref(), Some("blob"), "it is stored beside the event");
    let twice = set("ada", &[("a", "1", None), ("a", "2", None)]);
    prices.clone().when(twice).then_rejected(|refused| code(refused) == Code::Usage);
    prices.when(set("ada", &[])).then_rejected(|refused| code(refused) == Code::Usage);
}

#[test]
fn a_context_has_so_many_keys_and_no_more() {
    let names: Vec<String> = (0..CONTEXT_KEYS_MAX).map(|number| format!("k{number}")).collect();
    let all: Vec<_> = names.iter().map(|name| (name.as_str(), "1", None)).collect();
    let prices = prices().when(set("ada", &all)).then_events(|events| assert_eq!(events.len(), 1));
    let prices = prices.when(set("ada", &[("k0", "null", None)])).then_events(|_| ());
    let another = set("ada", &[("another", "1", None)]);
    prices.clone().when(another).then_rejected(|refused| code(refused) == Code::ContextFull);
    prices
        .when(set("ada", &[("k0", "2", None), ("k1", "2", None)]))
        .then_events(|events| assert_eq!(events.len(), 1));
}

#[test]
fn who_writes_under_a_lock_has_to_hold_it_by_that_grant() {
    let under = |fence| {
        ContextAsk::Set(Set {
            keys: vec![SetKey { key: key("a"), value: json("1"), expected: None }],
            by: "ada".into(),
            held: Some(held("build", fence)),
        })
    };
    let stale = |refused: &ContextRejection| code(refused) == Code::LockNotHeld;
    prices().when(under(1)).then_rejected(stale);
    let prices = prices().when(take("build", "ada")).then_events(|_| ());
    let prices = prices.when(under(1)).then_events(|events| assert_eq!(events.len(), 1));
    prices.clone().when(under(2)).then_rejected(stale);
    let late = prices.at(at(11));
    late.clone().when(under(1)).then_rejected(|refused| {
        refused.to_string() == "`ada` does not hold the lock `build` by grant 1: nobody holds it"
    });
    let late = late.when(take("build", "bob")).then_events(|_| ());
    late.clone()
        .when(under(1))
        .then_rejected(|refused| refused.to_string().ends_with("`bob` holds it by grant 2"));
    late.when(under(2)).then_events(|events| assert_eq!(events.len(), 1));
}

#[test]
fn an_event_that_contradicts_what_was_before_is_illegal() {
    for wrong in [written("a", 2, "1"), written("a", 0, "null")] {
        assert!(prices().fold(&was_set("ada", [wrong])).is_err());
    }
    let once = prices().events([was_set("ada", [written("a", 1, "1")])]);
    assert!(once.clone().fold(&was_set("ada", [written("a", 1, "1")])).is_err());
    assert!(once.clone().fold(&was_set("ada", [written("a", 0, "null")])).is_ok());
    let under =
        ContextSet { keys: vec![written("a", 2, "1")], by: "ada".into(), held: Some(held("build", 1)) };
    assert!(once.clone().fold(&under.into()).is_err(), "nobody holds that lock");
}

#[test]
fn what_is_recorded_of_a_write_is_enough_to_decide_it_again() {
    let long = format!("\"{}\"", "x".repeat(4_000));
    let ask = set("ada", &[("a", &long, Some(0)), ("b", "1", None), ("never", "null", None)]);
    let when = prices().when(ask);
    let again = when.redecided(Context::default()).unwrap().unwrap();
    when.then(again);
}
