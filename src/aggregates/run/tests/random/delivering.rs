//! Messages that are said at once, and delivered as soon as they come, at random.

use super::super::play::Play;
use super::{any_failure, pick};
use crate::aggregates::run::{Ask, RunEffect};
use crate::events::ids::Fence;
use crate::events::json::Json;
use crate::kernel::Aggregate;
use crate::testing::Dice;
use crate::workflow::work::{AgentRequest, Output};

/// An agent whose programs converse.
pub(super) const ADA: &str = r#"{"name":"ada","stream":true}"#;

/// An agent that handles messages.
pub(super) const CYD: &str = r#"{"name":"cyd","handles":[{"name":"quote"}],"subscribes":["a"]}"#;

/// A message for it, that of the others it may be.
pub(super) fn any_message(dice: &mut Dice) -> Json {
    let to = pick::<&str>(dice, &["cyd", "Cyd", "cyd", "*", "topic:a", "ada"]);
    let more = pick::<&str>(
        dice,
        &["", r#","priority":"high""#, r#","deadline":"3s""#, r#","type_name":"no""#, r#","deadline":"1s""#],
    );
    let name = if more.contains("type_name") { "" } else { r#","type_name":"quote""# };
    let kind = pick::<&str>(dice, &["request", "notice"]);
    Json::parse(&format!(r#"{{"to":"{to}","kind":"{kind}"{name}{more},"body":[1]}}"#)).unwrap()
}

/// Somebody says something, or what was delivered comes to something.
pub(super) fn any_word(dice: &mut Dice, play: &mut Play) {
    if dice.one_in(2) && converse(dice, play) {
        return;
    }
    let open = deliveries(play);
    if open.is_empty() || dice.one_in(3) {
        return say(dice, play);
    }
    let fence = *pick(dice, &open);
    if dice.one_in(3) {
        return drop(play.ask(Ask::NotDelivered { fence, failure: any_failure(dice) }));
    }
    let mut requests = Vec::new();
    if dice.one_in(2) {
        requests.push(AgentRequest::Context { key: "k".to_owned(), value: Json::parse("3").unwrap() });
    }
    if dice.one_in(2) {
        requests.push(AgentRequest::Send(any_message(dice)));
    }
    let output = Json::parse(pick::<&str>(dice, &["1", "null"])).unwrap();
    play.ask(Ask::Delivered { fence, output: Output { output, requests, ..Output::default() } });
}

/// Who converses has handled a message, or says something to others who do. Answers whether anybody does.
pub(super) fn converse(dice: &mut Dice, play: &mut Play) -> bool {
    let attempts = play.attempts();
    let given = attempts.iter().flat_map(|open| {
        let given = play.state().messages().given(open.fence).map(|sent| sent.message.number);
        given.map(|number| (open.step.clone(), open.fence, number)).collect::<Vec<_>>()
    });
    let given: Vec<_> = given.collect();
    if !given.is_empty() && !dice.one_in(4) {
        let (step, fence, number) = pick(dice, &given).clone();
        play.try_ask(Ask::Handled { step, fence, number });
        return true;
    }
    if !attempts.iter().any(|open| open.agent.as_str() == "ada") {
        return false;
    }
    let by = pick(dice, &attempts);
    let more = pick::<&str>(dice, &["", r#","priority":"urgent""#, r#","deadline":"2s""#]);
    let message = Json::parse(&format!(r#"{{"to":"Ada","kind":"task"{more},"body":[2]}}"#)).unwrap();
    play.try_ask(Ask::Say { step: by.step.clone(), fence: by.fence, message, asks: None });
    true
}

fn deliveries(play: &Play) -> Vec<Fence> {
    let open = play.state().open().into_iter();
    let open = open.filter_map(|effect| match effect {
        RunEffect::Deliver(started) => Some(started.fence),
        _ => None,
    });
    open.collect()
}

fn say(dice: &mut Dice, play: &mut Play) {
    let attempts = play.attempts();
    if attempts.is_empty() {
        return;
    }
    let by = pick(dice, &attempts);
    let nth = play.log.len() as u32;
    let asks = dice.one_in(2).then_some(nth);
    let (step, fence) = (by.step.clone(), by.fence);
    play.try_ask(Ask::Say { step, fence, message: any_message(dice), asks });
}
