//! What the agents of a run say to each other: who is given it when, and what becomes of it.

use super::play::{Play, order};
use super::*;
use crate::events::ids::MessageNumber;
use crate::events::limits::{MAILBOX_MAX, MESSAGES_GIVEN_MAX, MESSAGES_SENT_MAX};
use crate::kernel::At;
use crate::workflow::work::AgentRequest;

const AB: &str = "
name: w
steps:
  - {id: a, agent: ada, compensate: {agent: ada}}
  - {id: b, agent: bob, retry: {attempts: 9, initial: 1s, policy: fixed, jitter: 0}}
  - {id: c, agent: cyd, on_error: continue}";

/// A step is done, and sends that.
pub(super) fn sends(play: &mut Play, step: &str, messages: &[&str]) -> Vec<String> {
    let started = play.open(step);
    let request = |message: &&str| AgentRequest::Send(Json::parse(message).unwrap());
    let requests = messages.iter().map(request).collect();
    let output = Output { requests, ..Output::default() };
    play.ask(Ask::Completed { step: started.step.clone(), fence: started.fence, output })
}

/// The numbers of the messages that the open attempt at a step was given.
fn given_to(play: &Play, step: &str) -> Vec<u64> {
    let fence = play.open(step).fence;
    play.state().messages().given(fence).map(|sent| sent.message.number.0).collect()
}

/// How many messages wait for an agent, those among them that it was given.
fn waiting(play: &Play, agent: &str) -> usize {
    play.state().messages().waiting_for(&AgentName::new(agent))
}

fn last_expired(play: &Play) -> MessageExpired {
    let expired = play.log.iter().rev().find_map(|event| match event {
        RunEvent::MessageExpired(expired) => Some(expired.clone()),
        _ => None,
    });
    expired.expect("one expired")
}

fn error(play: &Play, step: &str) -> (Code, Class, String) {
    let error = play.state().node(&StepId::grown(step)).unwrap().1.doing.error.clone().unwrap();
    (error.code, error.class, error.message)
}

/// Agents that files define, with the topics that they hear of.
fn bound(yaml: &str, agents: &[(&str, &[&str])]) -> Play {
    let blob = |topics: &[&str]| {
        Blob::new(serde_json::json!({ "name": "x", "subscribes": topics }).to_string().as_bytes())
    };
    let bound: Vec<_> = agents.iter().map(|(name, topics)| (AgentName::new(name), blob(topics))).collect();
    let blobs: Vec<Blob> = bound.iter().map(|(_, blob)| blob.clone()).collect();
    let mut play = Play::start_as(yaml, |start| start.agents = bound);
    for blob in blobs {
        play.run = play.run.take().map(|run| run.blob(&blob));
    }
    play
}

#[test]
fn a_message_is_recorded_with_what_sent_it_and_handled_with_what_it_was_given_to() {
    let mut play = Play::start(AB);
    let words =
        sends(&mut play, "a", &[r#"{"to":"bob","kind":"task","body":1}"#, r#"{"to":"Bob","kind":"notice"}"#]);
    assert_eq!(words, ["message_sent a", "message_sent a", "step_completed a", "attempt_started b"]);
    assert_eq!(given_to(&play, "b"), [1, 2]);
    let words = sends(&mut play, "b", &[r#"{"to":"cyd","kind":"result"}"#]);
    assert_eq!(
        words,
        ["message_handled b", "message_handled b", "message_sent b", "step_completed b", "attempt_started c"]
    );
    assert_eq!((waiting(&play, "bob"), given_to(&play, "c")), (0, vec![3]));
    play.complete("c", "1");
    assert_eq!(play.state().messages().unhandled(), 0);
    assert_eq!(play.result(), (RunStatus::Completed, false));
}

#[test]
fn a_failed_attempt_sends_nothing_and_what_it_was_given_is_given_again() {
    let mut play = Play::start(AB);
    sends(&mut play, "a", &[r#"{"to":"bob","kind":"task"}"#]);
    for round in 1..=4 {
        assert_eq!(given_to(&play, "b"), [1], "round {round}");
        assert_eq!(play.fail("b", exit(Class::Transient)), ["attempt_failed b", "retry_scheduled b"]);
        assert_eq!(waiting(&play, "bob"), 1);
        play.sleep(Duration::from_secs(1));
    }
    // An end in order is nobody's fault.
    play.slots = 0;
    play.ask(Ask::Interrupt);
    play.slots = 1;
    play.ask(Ask::Go);
    assert_eq!(given_to(&play, "b"), [1]);
    assert_eq!(play.recover(), ["attempt_lost b", "message_expired", "attempt_started b"]);
    assert_eq!(given_to(&play, "b"), [0; 0], "five were enough");
    let expired = last_expired(&play);
    assert_eq!((expired.number.0, expired.receiver.as_str()), (1, "bob"));
    let ExpiredWhy::TriedTooOften { tries: 5, code: Code::LostTooOften, .. } = expired.why else {
        panic!("{expired:?}")
    };
    play.complete_all(&["b", "c"]);
    assert_eq!(play.result(), (RunStatus::Completed, false), "a dead message keeps no run from its end");
}

#[test]
fn the_last_error_is_what_a_message_died_of() {
    let mut play = Play::start(&AB.replace("attempts: 9", "attempts: 5"));
    sends(&mut play, "a", &[r#"{"to":"bob","kind":"task"}"#]);
    for _ in 0..4 {
        play.fail("b", exit(Class::Transient));
        play.sleep(Duration::from_secs(1));
    }
    let words = play.fail("b", exit(Class::Validation));
    assert_eq!(words[..3], ["attempt_failed b", "message_expired", "step_failed b"]);
    let ExpiredWhy::TriedTooOften { tries, code, message } = last_expired(&play).why else { panic!() };
    assert_eq!((tries, code, message.as_str()), (5, Code::ExitUnknown, "exit 1"));
}

#[test]
fn the_most_urgent_comes_first_and_among_those_the_oldest() {
    let mut play = Play::start(AB);
    let message = |priority: &str| format!(r#"{{"to":"bob","kind":"task","priority":"{priority}"}}"#);
    let messages: Vec<String> =
        ["low", "normal", "urgent", "normal", "high", "urgent", "low"].map(message).to_vec();
    let messages: Vec<&str> = messages.iter().map(String::as_str).collect();
    sends(&mut play, "a", &messages);
    assert_eq!(given_to(&play, "b"), [3, 6, 5, 2, 4, 1, 7]);
}

#[test]
fn an_attempt_is_given_no_more_than_one_may_be_and_only_one_of_an_agent_has_any() {
    let mut play = Play::start(
        "name: w\nsteps: [{id: a, agent: ada}, {id: b, needs: [a], agent: bob}, {id: c, needs: [a], agent: bob}, {id: d, needs: [b, c], agent: bob}]",
    );
    let message = r#"{"to":"bob","kind":"task"}"#;
    sends(&mut play, "a", &[message; MESSAGES_GIVEN_MAX + 7]);
    assert_eq!(given_to(&play, "b").len(), MESSAGES_GIVEN_MAX);
    assert_eq!(given_to(&play, "c"), [0; 0], "they would overtake those of the other");
    play.complete("c", "1");
    play.fail("b", exit(Class::Transient));
    let mut play =
        Play::start("name: w\nsteps: [{id: a, agent: ada}, {id: b, agent: bob}, {id: c, agent: bob}]");
    let long = format!(r#"{{"to":"bob","kind":"task","body":"{}"}}"#, "x".repeat(60_000));
    sends(&mut play, "a", &[&*long; 6]);
    assert_eq!(given_to(&play, "b"), [1, 2, 3, 4], "together they may not be too long");
    play.complete("b", "1");
    assert_eq!(given_to(&play, "c"), [5, 6]);
}

#[test]
fn whom_nobody_is_called_like_is_a_dead_letter_and_the_run_goes_on() {
    let mut play = Play::start(AB);
    let words =
        sends(&mut play, "a", &[r#"{"to":"bobb","kind":"task"}"#, r#"{"to":"zzzzzz","kind":"task"}"#]);
    assert_eq!(
        words,
        [
            "message_sent a",
            "message_expired",
            "message_sent a",
            "message_expired",
            "step_completed a",
            "attempt_started b"
        ]
    );
    let whys: Vec<_> = play
        .log
        .iter()
        .filter_map(|event| match event {
            RunEvent::MessageExpired(expired) => Some(expired.why.clone()),
            _ => None,
        })
        .collect();
    let nearest = |name: Option<&str>| ExpiredWhy::NoReceiver { nearest: name.map(AgentName::new) };
    assert_eq!(whys, [nearest(Some("bob")), nearest(None)]);
    assert_eq!(play.state().messages().unhandled(), 0);
}

#[test]
fn everyone_is_who_the_steps_name_but_the_sender_and_the_shell() {
    let mut play = bound(
        "name: w\nsteps: [{id: a, agent: ada}, {id: b, agent: bob}, {id: s, run: x, compensate: {agent: undoer}}, {id: t, workflow: child.yaml}]",
        &[("ada", &[]), ("bob", &[]), ("unused", &[])],
    );
    sends(
        &mut play,
        "a",
        &[
            r#"{"to":"*","kind":"notice"}"#,
            r#"{"to":"shell","kind":"notice"}"#,
            r#"{"to":"unused","kind":"notice"}"#,
        ],
    );
    let receivers = play.log.iter().filter_map(|event| match event {
        RunEvent::MessageSent(sent) => Some(sent.receivers.iter().map(AgentName::as_str).collect::<Vec<_>>()),
        _ => None,
    });
    assert_eq!(receivers.collect::<Vec<_>>(), [vec!["bob", "undoer"], vec!["shell"], vec!["unused"]]);
}

#[test]
fn a_topic_is_for_who_subscribes_and_one_that_nobody_does_is_no_mistake() {
    let mut play =
        bound(AB, &[("bob", &["build.*", "test.done"]), ("cyd", &["build.**"]), ("ada", &["build.done"])]);
    let about = |topic: &str| format!(r#"{{"to":"topic:{topic}","kind":"notice"}}"#);
    let messages = ["build.done", "build.linux.done", "nothing.of.the.kind"].map(about);
    let messages: Vec<&str> = messages.iter().map(String::as_str).collect();
    let words = sends(&mut play, "a", &messages);
    assert_eq!(words.iter().filter(|word| word.starts_with("message_expired")).count(), 0);
    assert_eq!(given_to(&play, "b"), [1]);
    play.complete("b", "1");
    assert_eq!(given_to(&play, "c"), [1, 2]);
    assert_eq!(waiting(&play, "ada"), 1, "who subscribes hears of it also from itself");
}

#[test]
fn what_is_late_is_given_to_nobody() {
    let mut play = Play::start(AB);
    play.slots = 0;
    let message = |deadline: &str| format!(r#"{{"to":"bob","kind":"task","deadline":"{deadline}"}}"#);
    let moment = Timestamp(play.now.0 + 5_000_000).to_string();
    let messages = [message("3s"), message(&moment), message("1h"), message("0s")];
    let messages: Vec<&str> = messages.iter().map(String::as_str).collect();
    let words = sends(&mut play, "a", &messages);
    assert_eq!(
        words[3..6],
        ["message_sent a", "message_expired", "step_completed a"],
        "one was late at once"
    );
    play.now = play.now.after(Duration::from_secs(3));
    play.slots = 1;
    assert_eq!(play.ask(Ask::Go), ["message_expired", "attempt_started b"]);
    assert_eq!(given_to(&play, "b"), [2, 3]);
    play.now = play.now.after(Duration::from_secs(3));
    play.fail("b", exit(Class::Transient));
    play.sleep(Duration::from_secs(1));
    assert_eq!(given_to(&play, "b"), [3], "the other was late when it was to be given again");
    assert_eq!(last_expired(&play).why, ExpiredWhy::Deadline);
}

#[test]
fn what_cannot_be_sent_fails_the_attempt_and_nothing_of_it_is_recorded() {
    for (bad, code) in [
        (r#"{"to":"bob"}"#, Code::BadMessage),
        (r#"{"to":"bob","kind":"gossip"}"#, Code::UnknownMessageKind),
        (r#"{"to":"topic:**","kind":"task"}"#, Code::BadTopic),
        (r#"{"to":"bob","kind":"task","deadline":"tomorrow"}"#, Code::BadMessageDeadline),
    ] {
        let mut play = Play::start(AB);
        let words = sends(&mut play, "a", &[r#"{"to":"bob","kind":"task"}"#, bad]);
        assert_eq!(words[..2], ["attempt_failed a", "step_failed a"], "{bad}");
        let (found, class, _) = error(&play, "a");
        assert_eq!((found, class), (code, Class::Validation));
        assert_eq!(play.state().messages().last, MessageNumber(0));
    }
    let mut play = Play::start(AB);
    sends(&mut play, "a", &[r#"{"to":"bob","kind":"task"}"#; MESSAGES_SENT_MAX + 1]);
    assert_eq!(error(&play, "a").0, Code::TooManyMessages);
}

/// The senders of a run, each a thousand messages.
fn flooded(count: usize) -> Play {
    let steps: Vec<String> = (0..count).map(|n| format!("{{id: s{n}, needs: [], agent: ada, retry: {{attempts: 2, initial: 1s, policy: fixed, jitter: 0}}}}")).collect();
    let mut play = Play::start_with(
        &format!(
            "name: w\nsteps: [{}, {{id: b, needs: [s0], agent: bob}}, {{id: z, agent: bob}}]",
            steps.join(", ")
        ),
        "{}",
        100,
    );
    play.slots = 0;
    let messages = [r#"{"to":"bob","kind":"task","deadline":"1h"}"#; MESSAGES_SENT_MAX];
    for n in 0..count {
        sends(&mut play, &format!("s{n}"), &messages);
    }
    play
}

#[test]
fn a_full_mailbox_pushes_back_until_there_is_room() {
    let mut play = flooded(MAILBOX_MAX / MESSAGES_SENT_MAX + 1);
    assert_eq!(waiting(&play, "bob"), MAILBOX_MAX);
    assert_eq!(play.status("s10"), "retrying");
    let (code, class, message) = error(&play, "s10");
    assert_eq!((code, class), (Code::MailboxFull, Class::Transient));
    assert!(message.contains("10000 messages wait for `bob`"), "{message}");
    // What is late takes nobody's place.
    play.slots = 1;
    play.paused.insert(AgentName::new("bob"));
    play.sleep(Duration::from_secs(3600));
    let words = sends(&mut play, "s10", &[r#"{"to":"bob","kind":"task"}"#]);
    assert_eq!(words.iter().filter(|word| *word == "message_expired").count(), MAILBOX_MAX);
    assert_eq!(waiting(&play, "bob"), 1);
}

#[test]
fn a_run_that_is_paused_gives_nobody_anything_and_one_that_ended_nobody_more() {
    let mut play = Play::start(AB);
    play.ask(Ask::Pause(order()));
    sends(&mut play, "a", &[r#"{"to":"bob","kind":"task"}"#, r#"{"to":"ada","kind":"task"}"#]);
    assert_eq!((play.state().status(), waiting(&play, "bob")), (RunStatus::Paused, 1));
    play.ask(Ask::Unpause(order()));
    assert_eq!(given_to(&play, "b"), [1]);
    play.fail("b", exit(Class::Validation));
    play.ask(Ask::Go);
    assert_eq!(given_to(&play, "a"), [2], "who undoes is an agent, too");
    let words = sends(&mut play, "a", &[r#"{"to":"cyd","kind":"notice"}"#]);
    assert_eq!(
        words,
        ["message_handled undo a", "message_sent undo a", "step_compensated a", "run_compensated"]
    );
    assert_eq!((waiting(&play, "bob"), waiting(&play, "cyd")), (1, 1), "a rollback takes none back");
    assert_eq!(play.refused(Ask::Resend { number: MessageNumber(1), by: "ada".into() }), Code::RunEnded);
}

#[test]
fn after_a_retry_what_was_not_handled_is_given_after_all() {
    let mut play = Play::start(
        "name: w\non_failure: stop\nsteps: [{id: a, agent: ada}, {id: b, agent: bob}, {id: c, agent: cyd}]",
    );
    sends(&mut play, "a", &[r#"{"to":"bob","kind":"task"}"#, r#"{"to":"cyd","kind":"task"}"#]);
    play.fail("b", exit(Class::Validation));
    assert_eq!(play.state().status(), RunStatus::Failed);
    play.retry();
    play.ask(Ask::Go);
    assert_eq!(given_to(&play, "b"), [1]);
    play.complete("b", "1");
    assert_eq!(given_to(&play, "c"), [2]);
}

#[test]
fn a_dead_message_is_sent_again_once_and_nothing_else_is() {
    let mut play = Play::start(AB);
    sends(
        &mut play,
        "a",
        &[r#"{"to":"zoe","kind":"task"}"#, r#"{"to":"bob","kind":"task","body":7,"deadline":"10m"}"#],
    );
    let again = |number| Ask::Resend { number: MessageNumber(number), by: "eve".into() };
    assert_eq!(play.refused(again(2)), Code::MessageNotDead, "it is on its way");
    assert_eq!(play.refused(again(0)), Code::NoSuchMessage);
    assert_eq!(play.refused(again(3)), Code::NoSuchMessage);
    assert_eq!(play.refused(again(1)), Code::NoSuchReceiver, "nobody is called so yet");
    play.fail("b", exit(Class::Transient));
    let words = play.sleep(Duration::from_secs(3600));
    assert_eq!(words, ["timer_fired", "message_expired", "attempt_started b"]);
    assert_eq!(play.ask(again(2)), ["message_sent a"]);
    assert_eq!(play.refused(again(2)), Code::MessageNotDead, "it was sent again");
    play.fail("b", exit(Class::Transient));
    play.sleep(Duration::from_secs(1));
    assert_eq!(given_to(&play, "b"), [3]);
    play.complete("b", "1");
    assert_eq!(play.refused(again(3)), Code::MessageNotDead, "it is handled");
    let Some(RunEvent::MessageSent(sent)) =
        play.log.iter().rev().find(|event| matches!(event, RunEvent::MessageSent(_)))
    else {
        panic!()
    };
    assert_eq!((sent.number.0, sent.causation, sent.by.as_deref()), (3, Some(MessageNumber(2)), Some("eve")));
    assert_eq!((sent.from.as_str(), sent.body.clone()), ("ada", Payload::Inline(Json::parse("7").unwrap())));
}

#[test]
fn what_is_sent_again_reaches_only_those_that_never_handled_it() {
    let mut play = Play::start(
        "name: w\nsteps: [{id: a, agent: ada}, {id: b, agent: bob}, {id: c, agent: cyd}, {id: d, agent: bob}, {id: e, agent: cyd}]",
    );
    play.slots = 0;
    sends(&mut play, "a", &[r#"{"to":"*","kind":"task","deadline":"10s"}"#]);
    play.slots = 1;
    play.ask(Ask::Go);
    assert_eq!(given_to(&play, "b"), [1]);
    play.now = play.now.after(Duration::from_secs(20));
    assert_eq!(
        play.complete("b", "1"),
        ["message_handled b", "step_completed b", "message_expired", "attempt_started c"]
    );
    assert_eq!(play.ask(Ask::Resend { number: MessageNumber(1), by: "eve".into() }), ["message_sent a"]);
    play.complete("c", "1");
    assert_eq!(given_to(&play, "d"), [0; 0]);
    play.complete("d", "1");
    assert_eq!(given_to(&play, "e"), [2], "however late it is");
}

#[test]
fn an_answer_says_what_it_answers() {
    let mut play = Play::start(AB);
    sends(
        &mut play,
        "a",
        &[r#"{"to":"bob","kind":"request"}"#, r#"{"to":"bob","kind":"request","correlation":"c1"}"#],
    );
    sends(
        &mut play,
        "b",
        &[
            r#"{"to":"cyd","kind":"response","correlation":"c1"}"#,
            r#"{"to":"cyd","kind":"response","correlation":"r/1"}"#,
            r#"{"to":"cyd","kind":"response","correlation":"other/1"}"#,
        ],
    );
    let causes = play.log.iter().filter_map(|event| match event {
        RunEvent::MessageSent(sent) => Some(sent.causation.map(|number| number.0)),
        _ => None,
    });
    assert_eq!(causes.collect::<Vec<_>>(), [None, None, Some(2), Some(1), None]);
}

#[test]
fn an_answer_that_is_not_taken_handles_nothing_and_sends_nothing() {
    let mut play = Play::start(
        "name: w\nsteps: [{id: a, agent: ada}, {id: b, agent: bob, schema: {type: object, required: [x]}, on_error: continue}, {id: c, agent: bob}]",
    );
    sends(&mut play, "a", &[r#"{"to":"bob","kind":"task"}"#]);
    let words = sends(&mut play, "b", &[r#"{"to":"ada","kind":"result"}"#]);
    assert_eq!(words, ["attempt_failed b", "step_failed b", "attempt_started c"]);
    assert_eq!(given_to(&play, "c"), [1]);
}

/// However many there were, what a run knows of those that are handled is how many.
#[test]
fn what_is_handled_leaves_nothing_behind_in_the_state() {
    let mut play = Play::start(AB);
    sends(&mut play, "a", &[r#"{"to":"bob","kind":"task"}"#; 3]);
    play.complete("b", "1");
    let few = play.state().snapshot().unwrap().len();
    let mut play = Play::start(AB);
    sends(&mut play, "a", &[r#"{"to":"bob","kind":"task"}"#; MESSAGES_GIVEN_MAX]);
    play.complete("b", "1");
    assert_eq!(play.state().snapshot().unwrap().len(), few);
}

#[test]
fn what_cannot_follow_of_messages_is_an_illegal_event() {
    let mut play = Play::start(AB);
    sends(&mut play, "a", &[r#"{"to":"bob","kind":"task"}"#]);
    let sent = play.log.iter().find_map(|event| match event {
        RunEvent::MessageSent(sent) => Some(sent.clone()),
        _ => None,
    });
    let sent = sent.unwrap();
    let handled = |number, receiver: &str, step: &str, attempt| {
        let (number, receiver, step) = (MessageNumber(number), AgentName::new(receiver), StepId::grown(step));
        let (purpose, delivery) = (Purpose::Do, None);
        RunEvent::from(MessageHandled { number, receiver, step, purpose, attempt, delivery })
    };
    let expired = |number, receiver: &str| {
        let (number, receiver) = (MessageNumber(number), AgentName::new(receiver));
        RunEvent::from(MessageExpired { number, receiver, why: ExpiredWhy::Deadline })
    };
    for illegal in [
        sent.clone().into(),
        MessageSent { number: MessageNumber(2), ..sent.clone() }.into(),
        MessageSent {
            number: MessageNumber(2),
            by: Some("eve".into()),
            causation: Some(MessageNumber(1)),
            ..sent
        }
        .into(),
        handled(1, "ada", "b", 1),
        handled(1, "bob", "b", 2),
        handled(1, "bob", "a", 1),
        handled(2, "bob", "b", 1),
        expired(1, "bob"),
        expired(2, "bob"),
    ] {
        let mut run = play.state().clone();
        let stream = crate::events::ids::StreamId::new("run", "r");
        let at = At { stream: &stream, version: Version(99), time: play.now };
        let folded = run.evolve(&illegal, &at, &mut crate::kernel::EffectChanges::default());
        assert!(folded.is_err(), "{illegal:?}");
    }
}
