//! Messages that their receivers handle as soon as they come, and answers for which somebody waits.

use super::play::{Play, order};
use super::*;
use crate::events::ids::{AgentName, Fence, MessageNumber};
use crate::kernel::Aggregate;
use crate::workflow::work::AgentRequest;

const TWO: &str = "
name: w
steps:
  - {id: a, agent: ada, needs: []}
  - {id: b, agent: bob, needs: []}";

/// A run that began with an agent `pricing` that handles quotes, and orders of more than nothing.
fn play(yaml: &str) -> Play {
    let schema =
        serde_json::json!({"type": "object", "required": ["n"], "properties": {"n": {"minimum": 1}}});
    let pricing = serde_json::json!({
        "name": "pricing",
        "handles": [{"name": "quote"}, {"name": "order", "schema": schema}],
        "subscribes": ["market.*"],
    });
    let blob = Blob::new(pricing.to_string().as_bytes());
    let bound = vec![(AgentName::new("Pricing"), blob.clone())];
    let mut play = Play::start_as(yaml, |start| start.agents = bound);
    play.run = play.run.take().map(|run| run.blob(&blob));
    play
}

fn say(play: &mut Play, step: &str, message: &str, asks: Option<u32>) -> Vec<String> {
    let open = play.open(step);
    let (step, message) = (open.step.clone(), Json::parse(message).unwrap());
    play.ask(Ask::Say { step, fence: open.fence, message, asks })
}

fn refused(play: &Play, step: &str, message: &str) -> Code {
    let open = play.open(step);
    let (step, message) = (open.step.clone(), Json::parse(message).unwrap());
    play.refused(Ask::Say { step, fence: open.fence, message, asks: Some(0) })
}

/// The deliveries that are to be made: of which message, with the fence and how often it was delivered.
fn deliveries(play: &Play) -> Vec<(u64, Fence, u32)> {
    let open = play.state().open().into_iter();
    let open = open.filter_map(|effect| match effect {
        RunEffect::Deliver(started) => Some((started.number.0, started.fence, started.nth)),
        _ => None,
    });
    open.collect()
}

/// The answers that are to be told: to whom, and how many they had asked before.
fn answers(play: &Play) -> Vec<(Fence, u32, String)> {
    let open = play.state().open().into_iter();
    let open = open.filter_map(|effect| match effect {
        RunEffect::Answer { fence, nth, answer: Payload::Inline(answer) } => {
            Some((fence, nth, answer.text().to_owned()))
        }
        _ => None,
    });
    open.collect()
}

fn handle(play: &mut Play, answer: &str, requests: Vec<AgentRequest>) -> Vec<String> {
    let fence = deliveries(play)[0].1;
    let output = Output { output: Json::parse(answer).unwrap(), requests, ..Output::default() };
    play.ask(Ask::Delivered { fence, output })
}

fn fail(play: &mut Play, class: Class) -> Vec<String> {
    let fence = deliveries(play)[0].1;
    play.ask(Ask::NotDelivered { fence, failure: exit(class) })
}

fn quote(to: &str) -> String {
    format!(r#"{{"to":"{to}","kind":"request","type_name":"quote","body":1}}"#)
}

#[test]
fn what_an_attempt_says_is_recorded_and_delivered_while_it_goes_on() {
    let mut play = play(TWO);
    assert_eq!(say(&mut play, "a", &quote("pricing"), None), ["message_sent a", "delivery_started"]);
    assert_eq!(say(&mut play, "b", &quote("pricing"), None), ["message_sent b"], "one after the other");
    let wrote = AgentRequest::Context { key: "seen".into(), value: Json::parse("1").unwrap() };
    let tells = AgentRequest::Send(Json::parse(r#"{"to":"bob","kind":"notice"}"#).unwrap());
    assert_eq!(
        handle(&mut play, "7", vec![wrote, tells]),
        ["context_changed a", "message_sent a", "message_sent a", "message_handled a", "delivery_started"],
        "what it changes and sends, its answer among that, is in the commit in which it has handled it"
    );
    assert_eq!(deliveries(&play)[0].0, 2);
    assert_eq!(handle(&mut play, "null", vec![]), ["message_handled b"]);
    assert_eq!(play.complete("b", "1"), ["step_completed b"]);
    assert_eq!(play.complete("a", "1"), ["step_completed a", "run_completed"]);
}

#[test]
fn an_answer_is_told_to_who_waits_for_it_and_to_nobody_afterwards() {
    let mut play = play(TWO);
    let fence = play.open("a").fence;
    assert_eq!(say(&mut play, "a", &quote("pricing"), Some(3)), ["message_sent a", "delivery_started"]);
    assert_eq!(
        handle(&mut play, "{\"eur\":7}", vec![]),
        ["message_sent a", "message_handled a", "message_handled a"]
    );
    assert_eq!(answers(&play), [(fence, 3, "{\"eur\":7}".to_owned())]);
    play.complete("a", "1");
    assert_eq!(answers(&play), [], "its attempt is over");
    assert_eq!(play.state().messages().unhandled(), 0);
}

#[test]
fn an_answer_that_comes_too_late_is_recorded_and_dropped() {
    let mut play = play(TWO);
    let asks = r#"{"to":"pricing","kind":"request","type_name":"quote","deadline":"2s","body":1}"#;
    say(&mut play, "a", asks, Some(0));
    play.sleep(Duration::from_secs(3));
    assert_eq!(handle(&mut play, "7", vec![]), ["message_sent a", "message_expired", "message_handled a"]);
    assert_eq!((answers(&play), play.state().messages().unhandled()), (vec![], 0));
}

#[test]
fn of_an_attempt_that_was_lost_the_answer_waits_for_the_next() {
    let mut play = play("name: w\nsteps: [{id: a, agent: ada}]");
    say(&mut play, "a", &quote("pricing"), Some(0));
    let lost = play.recover();
    assert_eq!(lost, ["attempt_lost a", "delivery_lost", "attempt_started a", "delivery_started"]);
    assert_eq!(deliveries(&play)[0].2, 2, "the same message, once more");
    assert_eq!(handle(&mut play, "7", vec![]), ["message_sent a", "message_handled a"]);
    assert_eq!(play.state().messages().waiting_for(&AgentName::new("ada")), 1);
}

#[test]
fn a_wrong_message_is_refused_at_the_door() {
    let play = play(TWO);
    for (message, code) in [
        (r#"{"to":"pricing","kind":"request","type_name":"invoice"}"#, Code::WrongMessage),
        (r#"{"to":"pricing","kind":"request"}"#, Code::WrongMessage),
        (r#"{"to":"pricing","kind":"request","type_name":"order","body":{"n":0}}"#, Code::WrongMessage),
        (r#"{"to":"pricing","kind":"request","type_name":"order"}"#, Code::WrongMessage),
        (r#"{"to":"pricng","kind":"request","type_name":"order"}"#, Code::NoSuchReceiver),
        (r#"{"to":"pricing","kind":"whim","type_name":"quote"}"#, Code::UnknownMessageKind),
    ] {
        assert_eq!(refused(&play, "a", message), code, "{message}");
    }
    let old = Ask::Say { step: StepId::grown("a"), fence: Fence(99), message: Json::null(), asks: None };
    assert_eq!(play.refused(old), Code::Cancelled);
}

#[test]
fn a_broadcast_and_a_topic_reach_who_handles_such_messages() {
    let mut play = play(TWO);
    let receivers =
        |play: &Play| match play.log.iter().rev().find(|event| matches!(event, RunEvent::MessageSent(_))) {
            Some(RunEvent::MessageSent(sent)) => {
                let names = |all: &[AgentName]| all.iter().map(AgentName::to_string).collect::<Vec<_>>();
                (names(&sent.receivers), names(&sent.live))
            }
            _ => panic!("nothing was sent"),
        };
    say(&mut play, "a", &quote("*"), None);
    let pricing = || vec!["Pricing".to_owned()];
    assert_eq!(receivers(&play), (vec!["bob".to_owned(), "Pricing".to_owned()], pricing()));
    say(&mut play, "a", &quote("topic:market.open"), None);
    assert_eq!(receivers(&play), (pricing(), pricing()));
    say(&mut play, "a", r#"{"to":"topic:market.open","kind":"notice","type_name":"weather"}"#, None);
    assert_eq!(receivers(&play), (vec![], vec![]), "it does not take such messages");
}

#[test]
fn what_fails_is_delivered_again_under_its_name_and_is_dead_in_the_end() {
    let mut play = play(TWO);
    say(&mut play, "a", &quote("pricing"), None);
    for nth in 2..=5 {
        assert_eq!(fail(&mut play, Class::Transient), ["delivery_failed", "delivery_started"]);
        assert_eq!((deliveries(&play)[0].0, deliveries(&play)[0].2), (1, nth));
    }
    assert_eq!(fail(&mut play, Class::Transient), ["delivery_failed", "message_expired"]);
    say(&mut play, "a", &quote("pricing"), None);
    assert_eq!(fail(&mut play, Class::Validation), ["delivery_failed", "message_expired"], "in vain");
    let resend = Ask::Resend { number: MessageNumber(2), by: "eve".into() };
    assert_eq!(play.ask(resend), ["message_sent a"]);
    assert_eq!(play.ask(Ask::Go), ["delivery_started"], "it is delivered as the first was");
    assert_eq!(handle(&mut play, "null", vec![]), ["message_handled a"]);
}

#[test]
fn what_a_receiver_may_not_do_fails_its_delivery() {
    let mut play = play(TWO);
    for request in [
        AgentRequest::Handoff("HANDOFF".to_owned()),
        AgentRequest::Context { key: "other/key".into(), value: Json::null() },
        AgentRequest::Send(Json::parse(r#"{"to":"pricing","kind":"task"}"#).unwrap()),
    ] {
        say(&mut play, "a", &quote("pricing"), None);
        assert_eq!(handle(&mut play, "1", vec![request]), ["delivery_failed", "message_expired"]);
    }
}

#[test]
fn a_paused_run_delivers_nothing_and_one_that_ends_lets_go_of_what_is_delivered() {
    let mut play = play(TWO);
    play.ask(Ask::Pause(order()));
    assert_eq!(say(&mut play, "a", &quote("pricing"), None), ["message_sent a"]);
    assert_eq!(play.ask(Ask::Unpause(order())), ["run_unpaused", "delivery_started"]);
    let fence = deliveries(&play)[0].1;
    play.complete("a", "1");
    assert_eq!(play.complete("b", "1"), ["step_completed b", "run_completed"], "no message keeps it");
    assert_eq!(deliveries(&play), []);
    let output = Output::default();
    assert_eq!(play.ask(Ask::Delivered { fence, output }), [""; 0], "nobody hears of it any more");
}

#[test]
fn without_a_slot_a_message_waits_and_a_paused_agent_is_waited_for() {
    let mut play = play("name: w\nsteps: [{id: a, agent: ada}]");
    play.slots = 0;
    assert_eq!(say(&mut play, "a", &quote("pricing"), None), ["message_sent a"]);
    assert!(play.state().wants_driving());
    assert_eq!(play.pause_agent("Pricing"), ["agent_awaited"]);
    assert_eq!(play.free_agent("Pricing"), ["agent_await_ended"]);
    play.slots = 1;
    assert_eq!(play.ask(Ask::Go), ["delivery_started"]);
    play.slots = 0;
    assert_eq!(play.ask(Ask::Interrupt), ["attempt_lost a", "delivery_lost"]);
    play.slots = 1;
    assert_eq!(play.ask(Ask::Go), ["attempt_started a", "delivery_started"]);
    assert_eq!(deliveries(&play)[0].2, 1, "an end in order is nobody's fault");
}

/// Cancelled, the run let the attempt end, and what it asked nobody heard.
#[test]
fn a_run_that_is_about_to_end_lets_what_still_runs_have_its_answers() {
    let mut play = play("name: w\nsteps: [{id: a, agent: ada, irreversible: true}]");
    play.ask(Ask::Cancel { order: order(), rollback: false });
    assert_eq!(say(&mut play, "a", &quote("pricing"), Some(0)), ["message_sent a", "delivery_started"]);
    handle(&mut play, "7", vec![]);
    assert_eq!(answers(&play).len(), 1);
    play.complete("a", "1");
    assert!(play.state().status().has_ended());
}

#[test]
fn an_attempt_waits_for_so_many_answers_and_no_more() {
    let play = play(TWO);
    let (step, message) = (StepId::grown("a"), Json::parse(&quote("pricing")).unwrap());
    let ask = Ask::Say { step, fence: play.open("a").fence, message, asks: Some(10_000) };
    assert_eq!(play.refused(ask), Code::TooManyMessages);
}
