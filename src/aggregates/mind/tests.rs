//! What a mind takes in, and what it remembers of it.

use super::*;
use crate::testing::{Given, given};

fn json(text: &str) -> Json {
    Json::parse(text).unwrap()
}

fn key(name: &str) -> ContextKey {
    ContextKey::parse(name).unwrap()
}

fn take(message: &str, after: u64, remembers: &[(&str, &str)]) -> MindAsk {
    let remembers = remembers.iter().map(|(name, value)| (key(name), json(value))).collect();
    MindAsk::Take(Box::new(Take {
        message: message.into(),
        from: AgentName::new("buyer"),
        type_name: Some("quote".into()),
        body: json("{\"item\":\"tea\"}"),
        answer: json("7"),
        sends: vec![json("{\"to\":\"ledger\",\"kind\":\"notice\"}")],
        remembers,
        after,
    }))
}

fn takes(mind: Given<Mind>, ask: MindAsk) -> (Given<Mind>, usize) {
    let before = mind.state().clone();
    let mut count = 0;
    let when = mind.when(ask);
    let again = when.redecided(before).unwrap();
    let mind = when.then_events(|events| {
        count = events.len();
        if let Some(again) = again {
            assert_eq!(again, events, "decided again");
        }
    });
    assert_eq!(&Mind::restore(&mind.state().snapshot().unwrap()).unwrap(), mind.state());
    (mind, count)
}

fn remembered(mind: &Given<Mind>, name: &str) -> (u64, Option<String>) {
    let memory = &mind.state().memory()[&key(name)];
    (memory.last.0, memory.value.as_ref().map(|value| mind.json(value).text().to_owned()))
}

#[test]
fn a_message_is_taken_in_once_with_what_is_remembered_of_it() {
    let (mind, count) = takes(given("mind/pricing"), take("r/1", 0, &[("seen", "1"), ("none", "null")]));
    assert_eq!((count, mind.state().count()), (2, 1), "to forget what is not there is nothing");
    let again = mind.clone().when(take("r/1", 1, &[("seen", "9")]));
    again.then_rejected(|refused| *refused == MindRejection::Changed { is: 1, after: 1 });
    assert_eq!(remembered(&mind, "seen"), (1, Some("1".to_owned())), "it was taken in before");
    let taken = mind.state().taken("r/1").unwrap().clone();
    assert_eq!((mind.json(&taken.answer).text(), taken.sends.len()), ("7", 1));
    let (mind, _) = takes(mind, take("r/2", 1, &[("seen", "null")]));
    assert_eq!(remembered(&mind, "seen"), (1, None));
    let (mind, _) = takes(mind, take("s/1", 2, &[("seen", "5")]));
    assert_eq!(remembered(&mind, "seen"), (2, Some("5".to_owned())));
}

#[test]
fn what_was_thought_before_another_was_taken_in_is_thought_anew() {
    let (mind, _) = takes(given("mind/pricing"), take("r/1", 0, &[("seen", "1")]));
    mind.clone().when(take("r/2", 0, &[("seen", "1")])).then_rejected(|refused| {
        *refused == MindRejection::Changed { is: 1, after: 0 }
            && Mind::problem(refused).code == Code::MindChanged
    });
    let long = format!("\"{}\"", "x".repeat(CONTEXT_VALUE_BYTES_MAX));
    mind.when(take("r/2", 1, &[("long", &long)]))
        .then_rejected(|refused| Mind::problem(refused).code == Code::ContextFull);
}

#[test]
fn a_mind_remembers_so_many_keys_and_knows_so_many_messages_again() {
    let many: Vec<String> = (0..=CONTEXT_KEYS_MAX).map(|n| format!("k{n}")).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|name| (name.as_str(), "1")).collect();
    let mind = given::<Mind>("mind/pricing");
    mind.clone()
        .when(take("r/1", 0, &many))
        .then_rejected(|refused| *refused == MindRejection::TooManyKeys(CONTEXT_KEYS_MAX + 1));
    let none = || Payload::Inline(Json::null());
    let events = (0..=TAKEN_MAX).map(|n| {
        MindEvent::from(MessageTaken {
            message: format!("r/{n}").into(),
            from: AgentName::new("buyer"),
            type_name: None,
            body: none(),
            answer: none(),
            sends: Vec::new(),
        })
    });
    let mind = mind.events(events);
    assert!(mind.state().taken("r/0").is_none() && mind.state().taken("r/1").is_some());
    assert_eq!(mind.state().count(), TAKEN_MAX as u64 + 1);
}

#[test]
fn what_cannot_follow_is_an_illegal_event() {
    let (mind, _) = takes(given("mind/pricing"), take("r/1", 0, &[("seen", "1")]));
    let value = Payload::Inline(json("2"));
    let skipped = Remembered { key: key("seen"), version: KeyVersion(3), value };
    assert!(mind.clone().fold(&skipped.into()).is_err());
    let taken = mind.state().taken("r/1").unwrap().clone();
    let again = MessageTaken {
        message: "r/1".into(),
        from: AgentName::new("buyer"),
        type_name: None,
        body: taken.answer.clone(),
        answer: taken.answer,
        sends: Vec::new(),
    };
    assert!(mind.fold(&again.into()).is_err());
}
