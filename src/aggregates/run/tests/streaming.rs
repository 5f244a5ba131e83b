//! Agents whose programs converse: they are given messages while they run, and say themselves which they have handled.

use super::play::{Play, order};
use super::*;
use crate::events::ids::{AgentName, Fence, MessageNumber};
use crate::events::limits::{MESSAGES_GIVEN_MAX, UNHEARD_MAX};
use crate::kernel::Aggregate;
use crate::workflow::work::AgentRequest;

const TWO: &str = "
name: w
steps:
  - {id: a, agent: ada, needs: []}
  - {id: b, agent: bob, needs: []}";

const NOTE: &str = r#"{"to":"ada","kind":"task","body":1}"#;

/// A run that began with an agent `ada` that converses, and one `bob` that does not.
fn play(yaml: &str) -> Play {
    let agents = [("ada", r#"{"name":"ada","stream":true}"#), ("bob", r#"{"name":"bob"}"#)];
    Play::start_as(yaml, |start| {
        let bound = agents.map(|(name, said)| (AgentName::new(name), Blob::new(said.as_bytes())));
        start.agents = bound.into();
    })
}

fn say(play: &mut Play, step: &str, message: &str) -> Vec<String> {
    let open = play.open(step);
    let (step, fence, message) = (open.step.clone(), open.fence, Json::parse(message).unwrap());
    play.ask(Ask::Say { step, fence, message, asks: None })
}

fn handled(play: &Play, step: &str, number: u64) -> Ask {
    let open = play.open(step);
    Ask::Handled { step: open.step.clone(), fence: open.fence, number: MessageNumber(number) }
}

fn handle(play: &mut Play, step: &str, number: u64) -> Vec<String> {
    let ask = handled(play, step, number);
    play.ask(ask)
}

/// What open attempts are to be given: by whom, and which.
fn gives(play: &Play) -> Vec<(Fence, u64)> {
    let open = play.state().open().into_iter();
    let open = open.filter_map(|effect| match effect {
        RunEffect::Give { fence, number } => Some((fence, number.0)),
        _ => None,
    });
    open.collect()
}

/// What an open attempt was given, and has not handled.
fn given(play: &Play, step: &str) -> Vec<u64> {
    let given = play.state().messages().given(play.open(step).fence);
    given.map(|sent| sent.message.number.0).collect()
}

#[test]
fn what_is_sent_to_who_converses_is_given_in_the_same_commit_and_handled_while_it_goes_on() {
    let mut play = play(TWO);
    let fence = play.open("a").fence;
    assert_eq!(say(&mut play, "b", NOTE), ["message_sent b", "message_given a"]);
    assert_eq!(gives(&play), [(fence, 1)]);
    assert_eq!(handle(&mut play, "a", 1), ["message_handled a"]);
    assert_eq!((gives(&play), play.state().messages().unhandled()), (vec![], 0));
    assert_eq!(
        say(&mut play, "a", r#"{"to":"bob","kind":"result"}"#),
        ["message_sent a"],
        "who does not waits"
    );
    assert_eq!(say(&mut play, "a", r#"{"to":"*","kind":"notice"}"#), ["message_sent a"]);
    assert_eq!(play.fail("a", exit(Class::Validation)).first().unwrap(), "attempt_failed a");
    assert_eq!(play.state().messages().waiting_for(&AgentName::new("ada")), 0, "it stays handled");
}

#[test]
fn what_is_sent_with_a_success_is_given_in_that_commit_too() {
    let mut play = play(TWO);
    let fence = play.open("b").fence;
    let requests = vec![AgentRequest::Send(Json::parse(NOTE).unwrap())];
    let output = Output { requests, ..Output::default() };
    let done = play.ask(Ask::Completed { step: StepId::grown("b"), fence, output });
    assert_eq!(done, ["message_sent b", "step_completed b", "message_given a"]);
}

#[test]
fn what_it_does_not_handle_waits_again_however_it_ends() {
    let yaml = "
name: w
steps:
  - {id: b, agent: bob, needs: []}
  - {id: a, agent: ada, needs: [], retry: {attempts: 9, initial: 1s, jitter: 0}}
  - {id: c, agent: ada, needs: [a]}";
    let mut play = play(yaml);
    say(&mut play, "b", NOTE);
    say(&mut play, "b", NOTE);
    assert_eq!(given(&play, "a"), [1, 2]);
    handle(&mut play, "a", 2);
    assert_eq!(play.fail("a", exit(Class::Transient)), ["attempt_failed a", "retry_scheduled a"]);
    assert_eq!(gives(&play), [], "it has ended");
    assert_eq!(play.sleep(Duration::from_secs(2)), ["timer_fired", "attempt_started a"]);
    assert_eq!(
        (given(&play, "a"), gives(&play)),
        (vec![1], vec![]),
        "what waits at its start is in its document"
    );
    assert_eq!(play.recover()[..2], ["attempt_lost b", "attempt_lost a"]);
    assert_eq!(given(&play, "a"), [1], "the same, once more");
    assert_eq!(play.complete("a", "1"), ["step_completed a", "attempt_started c"], "that handles nothing");
    assert_eq!(given(&play, "c"), [1]);
    assert_eq!(handle(&mut play, "c", 1), ["message_handled c"], "it can be handled, too");
}

#[test]
fn what_nobody_handles_who_converses_is_dead_in_the_end() {
    let steps: String = (0..6).map(|n| format!("\n  - {{id: a{n}, agent: ada}}")).collect();
    let mut play = play(&format!("name: w\nsteps:{steps}\n  - {{id: b, agent: bob, needs: []}}"));
    say(&mut play, "b", NOTE);
    for n in 0..4 {
        play.complete(&format!("a{n}"), "1");
    }
    let fifth = play.complete("a4", "1");
    assert_eq!(fifth, ["step_completed a4", "message_expired", "attempt_started a5"]);
    let Some(RunEvent::MessageExpired(expired)) = play.log.iter().rev().nth(1) else {
        panic!("{:?}", play.log)
    };
    assert!(matches!(
        &expired.why,
        ExpiredWhy::TriedTooOften { tries: 5, code: Code::MessageNotHandled, .. }
    ));
}

#[test]
fn a_paused_run_gives_nothing_and_goes_on_with_it_afterwards() {
    let mut play = play(TWO);
    play.ask(Ask::Pause(order()));
    assert_eq!(say(&mut play, "b", NOTE), ["message_sent b"]);
    assert_eq!(play.ask(Ask::Unpause(order())), ["run_unpaused", "message_given a"]);
}

#[test]
fn of_several_attempts_by_one_agent_one_converses_and_the_next_when_that_has_ended() {
    let mut play = play(
        "
name: w
steps:
  - {id: b, agent: bob, needs: []}
  - {id: a1, agent: ada, needs: []}
  - {id: a2, agent: ada, needs: []}",
    );
    assert_eq!(say(&mut play, "b", NOTE), ["message_sent b", "message_given a1"]);
    handle(&mut play, "a1", 1);
    assert_eq!(
        say(&mut play, "b", NOTE),
        ["message_sent b", "message_given a1"],
        "also when it has handled the first"
    );
    assert_eq!(play.complete("a1", "1"), ["step_completed a1", "message_given a2"]);
    assert_eq!(given(&play, "a2"), [2]);
}

#[test]
fn no_more_is_given_at_a_time_than_may_be_and_the_most_urgent_come_next() {
    let mut play = play(TWO);
    for _ in 0..=MESSAGES_GIVEN_MAX {
        say(&mut play, "b", NOTE);
    }
    let urgent = r#"{"to":"ada","kind":"control","priority":"urgent"}"#;
    assert_eq!(say(&mut play, "b", urgent), ["message_sent b"], "there is no room");
    assert_eq!(given(&play, "a").len(), MESSAGES_GIVEN_MAX);
    assert_eq!(handle(&mut play, "a", 7), ["message_handled a", "message_given a"]);
    assert_eq!(given(&play, "a").last(), Some(&(MESSAGES_GIVEN_MAX as u64 + 2)));
    let mut play = self::play(TWO);
    let big = format!(r#"{{"to":"ada","kind":"task","body":"{}"}}"#, "x".repeat(60_000));
    for _ in 0..6 {
        say(&mut play, "b", &big);
    }
    assert_eq!(given(&play, "a"), [1, 2, 3, 4], "256 KiB at a time");
    assert_eq!(handle(&mut play, "a", 1), ["message_handled a", "message_given a"]);
}

#[test]
fn what_is_late_is_not_given() {
    let mut play = play(TWO);
    play.ask(Ask::Pause(order()));
    say(&mut play, "b", r#"{"to":"ada","kind":"task","deadline":"2s"}"#);
    play.sleep(Duration::from_secs(3));
    assert_eq!(play.ask(Ask::Unpause(order())), ["run_unpaused", "message_expired"]);
}

#[test]
fn what_it_was_not_given_it_has_not_handled() {
    let mut play = play(TWO);
    assert_eq!(play.refused(handled(&play, "a", 1)), Code::MessageNotGiven);
    say(&mut play, "b", NOTE);
    say(&mut play, "a", r#"{"to":"bob","kind":"task"}"#);
    assert_eq!(play.refused(handled(&play, "a", 2)), Code::MessageNotGiven, "it is another's");
    assert_eq!(play.refused(handled(&play, "b", 1)), Code::MessageNotGiven);
    handle(&mut play, "a", 1);
    assert_eq!(play.refused(handled(&play, "a", 1)), Code::MessageNotGiven, "twice");
    let old = Ask::Handled { step: StepId::grown("a"), fence: Fence(99), number: MessageNumber(1) };
    assert_eq!(play.refused(old), Code::Cancelled);
}

#[test]
fn who_is_told_to_stop_is_given_nothing() {
    let mut play = play(TWO);
    play.ask(Ask::Cancel { order: order(), rollback: false });
    assert_eq!(say(&mut play, "b", NOTE), ["message_sent b"]);
}

#[test]
fn what_nobody_hears_is_recorded_up_to_a_bound_and_what_somebody_hears_goes_on() {
    const UNHEARD: &str = r#"{"to":"topic:dull","kind":"notice"}"#;
    let mut play = play(TWO);
    for _ in 0..UNHEARD_MAX {
        say(&mut play, "a", UNHEARD);
    }
    let said = |play: &Play, step: &str, message: &str| {
        let (open, message) = (play.open(step), Json::parse(message).unwrap());
        Ask::Say { step: open.step.clone(), fence: open.fence, message, asks: None }
    };
    assert_eq!(play.refused(said(&play, "a", UNHEARD)), Code::TooManyMessages);
    assert_eq!(play.refused(said(&play, "a", r#"{"to":"nobody","kind":"task"}"#)), Code::TooManyMessages);
    assert_eq!(say(&mut play, "a", r#"{"to":"bob","kind":"task"}"#), ["message_sent a"]);
    assert_eq!(say(&mut play, "b", UNHEARD), ["message_sent b"], "it is counted for each attempt");
}
