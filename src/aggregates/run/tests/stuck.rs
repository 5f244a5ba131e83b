//! Agents that are stuck: what counts, who is asked, what the next attempt is told, and how it ends.

use serde_json::{Value, json};

use super::people::approve;
use super::play::{Play, order};
use super::*;
use crate::workflow::work::AgentRequest;

const AGENTS: &[(&str, &str)] = &[("a", "{}"), ("b", "{}"), ("boss", "{}"), ("shell", "{}")];

const LOOP: &str =
    "name: w\nsteps: [{id: draft, agent: a, prompt: write it, repeat: {until: output.done, max: 9}}]";

const CHAIN: &str = "name: w\nsteps: [{id: s, agent: a, prompt: do it}]";

/// A run whose agents are stuck with a third answer of a kind, and with a third handoff of one to the other.
fn start(yaml: &str, manager: Option<&str>) -> Play {
    Play::eager_with(yaml, AGENTS, |start| {
        start.stuck = StuckLimits {
            answers: 2,
            handoffs: 2,
            time_us: Some(60_000_000),
            manager: manager.map(AgentName::new),
        };
    })
}

fn hand_over(play: &mut Play, step: &str, to: &str, round: u32) -> Vec<String> {
    let open = play.open(step);
    let block = format!("HANDOFF DECLARATION:\nTo: {to}\nReason: your turn\nContext:\n- Round: {round}");
    let output = Output {
        output: Json::parse("{\"stdout\": \"\"}").unwrap(),
        requests: vec![AgentRequest::Handoff(block)],
        ..Output::default()
    };
    play.ask(Ask::Completed { step: open.step.clone(), fence: open.fence, output })
}

/// The last failure of a step: its code, its class, and what it says.
fn failure(play: &Play) -> (Code, Class, String) {
    let last = play.log.iter().rev().find_map(|event| match event {
        RunEvent::StepFailed(failed) => Some((failed.code, failed.class, failed.message.clone())),
        _ => None,
    });
    last.unwrap()
}

fn is_stuck(play: &Play) -> String {
    let (code, class, message) = failure(play);
    assert_eq!((code, class), (Code::AgentStuck, Class::Fatal), "{message}");
    assert_eq!(play.state().status(), RunStatus::Failed);
    message
}

const SAME: &str = r#"{"done": false, "text": "Not  yet"}"#;
const ALIKE: &str = r#"{"text": "not yet\n", "done": false}"#;

#[test]
fn rounds_with_the_same_answer_are_stuck_and_the_next_attempt_is_told_what_the_manager_says() {
    let mut play = start(LOOP, Some("boss"));
    play.complete("draft#1", SAME);
    let words = play.complete("draft#2", ALIKE);
    assert_eq!(
        words,
        ["answer_noted draft#2", "step_completed draft#2", "step_added draft#3", "attempt_started draft#3"]
    );
    let words = play.complete("draft#3", SAME);
    assert_eq!(
        words,
        [
            "answer_noted draft#3",
            "attempt_failed draft#3",
            "escalated draft#3",
            "step_added draft#3/guidance[1]",
            "attempt_started draft#3/guidance[1]"
        ]
    );
    assert_eq!(play.status("draft#3"), "running");
    let asked = play.work("draft#3/guidance[1]");
    assert_eq!(play.open("draft#3/guidance[1]").agent.as_str(), "boss");
    let with = &asked["with"];
    assert_eq!(
        (&with["step"], &with["agent"], &with["task"]),
        (&json!("draft#3"), &json!("a"), &json!("write it"))
    );
    assert_eq!(with["answered"]["output"], serde_json::from_str::<Value>(SAME).unwrap());
    let seen = "`a` gave the same answer 3 times, and no more than 2 may be";
    assert!(with["seen"].as_str().unwrap().starts_with(seen), "{with}");
    let prompt = asked["prompt"].as_str().unwrap();
    assert!(prompt.contains(seen) && prompt.contains("write it") && prompt.contains("Not  yet"), "{prompt}");
    play.recover();
    let words = play.complete("draft#3/guidance[1]", "\"leave out {{ the }} end\"");
    assert_eq!(words, ["step_completed draft#3/guidance[1]", "attempt_started draft#3"]);
    let told = play.work("draft#3");
    let prompt = told["prompt"].as_str().unwrap();
    assert!(prompt.starts_with("write it\n\n## Guidance\n"), "{prompt}");
    assert!(prompt.contains(seen) && prompt.contains("leave out {{ the }} end"), "{prompt}");
    assert_eq!(
        (&told["guidance"]["by"], &told["guidance"]["answer"]),
        (&json!("boss"), &json!("leave out {{ the }} end"))
    );
    let words = play.complete("draft#3", r#"{"done": false, "text": "nearly"}"#);
    assert_eq!(words.last().unwrap(), "attempt_started draft#4");
    assert!(
        play.work("draft#4")["prompt"].as_str().unwrap().contains("## Guidance"),
        "it holds for the loop"
    );
    play.complete("draft#4", r#"{"done": true}"#);
    assert_eq!(play.state().status(), RunStatus::Completed);
}

#[test]
fn the_same_seen_again_after_the_guidance_fails_for_good_and_says_what_was_seen() {
    let mut play = start(LOOP, Some("boss"));
    for step in ["draft#1", "draft#2", "draft#3"] {
        play.complete(step, SAME);
    }
    play.complete("draft#3/guidance[1]", "\"try harder\"");
    let words = play.complete("draft#3", SAME);
    assert_eq!(words[..3], ["answer_noted draft#3", "attempt_failed draft#3", "step_failed draft#3"]);
    let message = is_stuck(&play);
    assert!(
        message.contains("the same answer 4 times") && message.contains("`boss` was asked before"),
        "{message}"
    );
}

#[test]
fn without_a_manager_who_is_stuck_fails_at_once() {
    for manager in [None, Some("nobody that is there"), Some("A")] {
        let mut play = start(LOOP, manager);
        for step in ["draft#1", "draft#2", "draft#3"] {
            play.complete(step, SAME);
        }
        let message = is_stuck(&play);
        assert!(message.contains("`a` gave the same answer 3 times"), "{message}");
        assert!(!play.log.iter().any(|event| matches!(event, RunEvent::Escalated(_))));
    }
}

#[test]
fn a_failure_of_that_kind_is_never_tolerated_and_nobody_stands_in() {
    let file = LOOP.replace("prompt", "on_error: continue, fallback: {agent: b}, prompt");
    let mut play = start(&file, None);
    for step in ["draft#1", "draft#2", "draft#3"] {
        play.complete(step, SAME);
    }
    let (code, class, message) = failure(&play);
    assert_eq!((code, class), (Code::AgentStuck, Class::Fatal), "{message}");
}

#[test]
fn answers_that_differ_or_end_the_loop_and_polls_are_no_reason() {
    let mut play = start(LOOP, None);
    for round in 1..9 {
        play.complete(&format!("draft#{round}"), &format!(r#"{{"done": false, "left": {}}}"#, 9 - round));
    }
    play.complete("draft#9", r#"{"done": true}"#);
    assert_eq!(play.state().status(), RunStatus::Completed, "an answer that counts gets on");
    for does in ["run: look", "agent: a, with: {n: 1}"] {
        let file = format!("name: w\nsteps: [{{id: poll, {does}, repeat: {{until: output.done, max: 9}}}}]");
        let mut play = start(&file, Some("boss"));
        for round in 1..9 {
            play.complete(&format!("poll#{round}"), SAME);
        }
        play.complete("poll#9", r#"{"done": true}"#);
        assert_eq!(play.state().status(), RunStatus::Completed, "{does} polls");
        assert!(!play.log.iter().any(|event| matches!(event, RunEvent::AnswerNoted(_))));
    }
    let file = LOOP.replace("output.done", "round == 3");
    let mut play = start(&file, None);
    for step in ["draft#1", "draft#2", "draft#3"] {
        play.complete(step, SAME);
    }
    assert_eq!(
        play.state().status(),
        RunStatus::Completed,
        "the last answer ends it, so that nothing is stuck"
    );
}

#[test]
fn an_answer_that_is_refused_again_and_again_counts_and_one_that_is_not_tried_again_fails_as_ever() {
    let file = |attempts: u32| {
        format!(
            "name: w\nsteps: [{{id: s, agent: a, schema: {{type: object}}, retry: {{attempts: {attempts}, initial: 1s, jitter: 0, messages: [object]}}}}]"
        )
    };
    let mut play = start(&file(9), Some("boss"));
    for text in ["\"no\"", "\"No\"", "\"NO \""] {
        play.complete("s", text);
        play.sleep(Duration::from_secs(100));
    }
    assert_eq!(play.work("s/guidance[1]")["with"]["refused"], failure_of_attempt(&play));
    play.complete("s/guidance[1]", "\"give an object\"");
    let told = play.work("s");
    assert!(told["prompt"].as_str().unwrap().contains("give an object"), "{told}");
    play.complete("s", "{}");
    assert_eq!(play.state().status(), RunStatus::Completed);
    let mut play = start(&file(3), Some("boss"));
    for _ in 0..3 {
        play.complete("s", "\"no\"");
        play.sleep(Duration::from_secs(100));
    }
    assert_eq!(failure(&play).0, Code::OutputSchema, "there is no next attempt that could be told anything");
}

fn failure_of_attempt(play: &Play) -> Value {
    let last = play.log.iter().rev().find_map(|event| match event {
        RunEvent::AttemptFailed(failed) => Some(failed.message.clone()),
        _ => None,
    });
    last.unwrap().into()
}

/// `a` and `b` hand over back and forth, with something new each time, until the one hands over for the third time.
fn back_and_forth(play: &mut Play) -> Vec<String> {
    hand_over(play, "s", "b", 1);
    for number in 1..=3 {
        let to = if number % 2 == 1 { "a" } else { "b" };
        hand_over(play, &format!("s/handoff[{number}]"), to, number + 1);
    }
    hand_over(play, "s/handoff[4]", "b", 5)
}

#[test]
fn a_pair_that_hands_over_back_and_forth_is_stuck_though_it_tells_something_new() {
    let mut play = start(CHAIN, Some("boss"));
    let words = back_and_forth(&mut play);
    assert_eq!(
        words,
        [
            "attempt_failed s/handoff[4]",
            "escalated s/handoff[4]",
            "step_added s/handoff[4]/guidance[1]",
            "attempt_started s/handoff[4]/guidance[1]"
        ]
    );
    let with = play.work("s/handoff[4]/guidance[1]")["with"].clone();
    let hops = with["handoffs"].as_array().unwrap();
    assert_eq!((hops.len(), &hops[0]), (4, &json!({"from": "a", "to": "b", "reason": "your turn"})));
    assert!(with["seen"].as_str().unwrap().ends_with("a → b → a → b → a → b"), "{with}");
    play.complete("s/handoff[4]/guidance[1]", "\"a does it\"");
    assert!(play.work("s/handoff[4]")["prompt"].as_str().unwrap().contains("a does it"));
    let mut again = start(CHAIN, Some("boss"));
    back_and_forth(&mut again);
    again.complete("s/handoff[4]/guidance[1]", "\"a does it\"");
    hand_over(&mut again, "s/handoff[4]", "b", 6);
    let message = is_stuck(&again);
    assert!(
        message.contains("a → b → a → b → a → b") && message.contains("`boss` was asked before"),
        "{message}"
    );
    play.complete("s/handoff[4]", "\"done\"");
    assert_eq!((play.state().status(), play.output("s")), (RunStatus::Completed, Some(json!("done"))));
    let mut alone = start(CHAIN, None);
    back_and_forth(&mut alone);
    assert!(is_stuck(&alone).contains("3 times in one chain"));
}

#[test]
fn guidance_to_one_agent_is_not_part_of_the_task_that_it_hands_over() {
    let mut play = start("name: w\nsteps: [{id: s, agent: a, prompt: do it}]", Some("boss"));
    play.fail("s", Failure::stopped(Stop::TimedOut));
    play.complete("s/guidance[1]", "\"hand it over\"");
    assert!(play.work("s")["prompt"].as_str().unwrap().contains("hand it over"));
    hand_over(&mut play, "s", "b", 1);
    assert_eq!(play.work("s/handoff[1]")["with"]["task"], "do it");
}

#[test]
fn an_attempt_without_an_end_is_stuck_where_its_step_does_not_end_it_before() {
    let mut play = start("name: w\nsteps: [{id: s, agent: a}]", Some("boss"));
    assert_eq!(play.open("s").deadline, Some(play.now.after(Duration::from_secs(60))));
    let words = play.fail("s", Failure::stopped(Stop::TimedOut));
    assert_eq!(words[..2], ["attempt_failed s", "escalated s"]);
    assert_eq!(play.work("s/guidance[1]")["with"]["seen"], "`a` did not come to an end within 1m");
    play.complete("s/guidance[1]", "1");
    play.fail("s", Failure::stopped(Stop::TimedOut));
    assert!(is_stuck(&play).contains("`boss` was asked before"));
    let mut play = start("name: w\nsteps: [{id: s, agent: a, timeout: 5s}]", Some("boss"));
    assert_eq!(play.open("s").deadline, Some(play.now.after(Duration::from_secs(5))));
    play.fail("s", Failure::stopped(Stop::TimedOut));
    assert_eq!(failure(&play).0, Code::TimedOut, "its own timeout is its own affair");
    let play = start("name: w\nsteps: [{id: s, run: x}]", Some("boss"));
    assert_eq!(play.open("s").deadline, None, "a command is no agent that could be stuck");
}

#[test]
fn a_step_has_all_its_attempts_anew_once_it_is_told_what_to_do() {
    let file = "name: w\nsteps: [{id: s, agent: a, retry: {attempts: 2, initial: 1s, jitter: 0}}]";
    let mut play = start(file, Some("boss"));
    play.fail("s", exit(Class::Transient));
    play.sleep(Duration::from_secs(1));
    play.fail("s", Failure::stopped(Stop::TimedOut));
    play.complete("s/guidance[1]", "1");
    assert_eq!(play.fail("s", exit(Class::Transient)), ["attempt_failed s", "retry_scheduled s"]);
}

#[test]
fn a_manager_that_fails_leaves_the_step_stuck_and_is_not_asked_about_itself() {
    let mut play = start(
        "name: w\nsteps: [{id: s, agent: a, retry: {attempts: 2, initial: 1s, jitter: 0}}]",
        Some("boss"),
    );
    play.fail("s", Failure::stopped(Stop::TimedOut));
    play.fail("s/guidance[1]", Failure::stopped(Stop::TimedOut));
    play.sleep(Duration::from_secs(1));
    let words = play.fail("s/guidance[1]", Failure::stopped(Stop::TimedOut));
    assert_eq!(
        words,
        ["attempt_failed s/guidance[1]", "step_skipped s/guidance[1]", "step_failed s", "run_failed s"]
    );
    let message = is_stuck(&play);
    assert!(message.contains("`boss` was asked, and failed: it took longer"), "{message}");
}

#[test]
fn who_is_stuck_fails_without_being_asked_about_where_it_may_not_be_tried_again() {
    let mut play = start("name: w\nsteps: [{id: s, agent: a, at_most_once: true}]", Some("boss"));
    play.fail("s", Failure::stopped(Stop::TimedOut));
    is_stuck(&play);
}

#[test]
fn a_retry_of_a_stuck_run_asks_afresh_and_remembers_what_was_said() {
    let mut play = start(&format!("on_failure: stop\n{LOOP}"), Some("boss"));
    for step in ["draft#1", "draft#2", "draft#3"] {
        play.complete(step, SAME);
    }
    play.complete("draft#3/guidance[1]", "\"try harder\"");
    play.complete("draft#3", SAME);
    assert_eq!(play.state().status(), RunStatus::Failed);
    let words = play.retry();
    assert_eq!(words, ["retry_requested", "attempt_started draft#3"]);
    assert!(play.work("draft#3")["prompt"].as_str().unwrap().contains("try harder"));
    for step in ["draft#3", "draft#4"] {
        play.complete(step, SAME);
    }
    let words = play.complete("draft#5", SAME);
    assert_eq!(words[2], "escalated draft#5", "the same counts from the retry on");
    play.complete("draft#5/guidance[1]", "\"and harder\"");
    play.complete("draft#5", r#"{"done": true}"#);
    assert_eq!(play.state().status(), RunStatus::Completed);
    assert_eq!(play.state().progress(), (6 + 2, 6 + 2));
}

#[test]
fn a_run_that_ends_meanwhile_ends_and_goes_on_with_the_manager_when_it_is_tried_again() {
    let file = "name: w\non_failure: stop\nsteps: [{id: s, agent: a, needs: []}, {id: f, run: x, needs: []}]";
    let mut play = start(file, Some("boss"));
    play.fail("s", Failure::stopped(Stop::TimedOut));
    play.fail("f", exit(Class::Validation));
    let words = play.complete("s/guidance[1]", "\"go on\"");
    assert_eq!(words, ["step_completed s/guidance[1]", "step_cancelled s", "run_failed f"]);
    let words = play.retry();
    assert!(words.contains(&"attempt_started s".to_owned()), "{words:?}");
    assert!(play.work("s")["prompt"].as_str().unwrap().contains("go on"));
    let mut play = start(file, Some("boss"));
    play.fail("s", Failure::stopped(Stop::TimedOut));
    play.fail("f", exit(Class::Validation));
    play.fail("s/guidance[1]", exit(Class::Validation));
    assert_eq!(play.state().status(), RunStatus::Failed);
    let words = play.retry();
    assert!(words.contains(&"attempt_started s".to_owned()), "{words:?}");
}

#[test]
fn people_are_asked_again_about_what_a_manager_adds() {
    let mut play = start("name: w\nsteps: [{id: s, agent: a, prompt: do it, approve: before}]", Some("boss"));
    play.ask(approve("s", "ada"));
    play.fail("s", Failure::stopped(Stop::TimedOut));
    let words = play.complete("s/guidance[1]", "\"faster\"");
    assert_eq!(words, ["step_completed s/guidance[1]", "approval_requested s"]);
    play.ask(approve("s", "ada"));
    let told = play.work("s")["prompt"].as_str().unwrap().to_owned();
    assert_eq!(told.matches("faster").count(), 1, "{told}");
    play.complete("s", "1");
    assert_eq!(play.state().status(), RunStatus::Completed);
}

#[test]
fn a_step_that_begins_anew_after_a_rollback_is_not_stuck_any_more() {
    let file = "name: w\non_failure: stop\nsteps: [{id: first, run: x}, {id: s, agent: a}, {id: t, run: y}]";
    let mut play = start(file, Some("boss"));
    play.complete("first", "1");
    play.fail("s", Failure::stopped(Stop::TimedOut));
    play.complete("s/guidance[1]", "\"go on\"");
    play.complete("s", "1");
    play.fail("t", exit(Class::Validation));
    play.roll_back(Some("first"));
    let words = play.retry();
    assert_eq!(words, ["retry_requested", "attempt_started s"]);
    assert_eq!(play.work("s"), json!({}), "what was said was of the past");
    play.fail("s", Failure::stopped(Stop::TimedOut));
    play.complete("s/guidance[1]", "\"again\"");
    play.complete("s", "1");
    play.complete("t", "1");
    assert_eq!(play.state().status(), RunStatus::Completed);
}

#[test]
fn a_pause_holds_the_manager_too_and_a_cancelled_run_ends_with_it() {
    let mut play = start("name: w\nsteps: [{id: s, agent: a}]", Some("boss"));
    play.ask(Ask::Pause(order()));
    let words = play.fail("s", Failure::stopped(Stop::TimedOut));
    assert_eq!(words.last().unwrap(), "step_added s/guidance[1]");
    let words = play.ask(Ask::Unpause(order()));
    assert!(words.contains(&"attempt_started s/guidance[1]".to_owned()), "{words:?}");
    play.ask(Ask::Cancel { order: order(), rollback: false });
    play.fail("s/guidance[1]", Failure::stopped(Stop::Cancelled));
    assert_eq!(play.state().status(), RunStatus::Cancelled);
    assert_eq!(play.status("s"), "cancelled");
}

#[test]
fn a_run_without_limits_never_looks() {
    let mut play = Play::eager_with(LOOP, AGENTS, |_| ());
    for round in 1..9 {
        play.complete(&format!("draft#{round}"), SAME);
    }
    assert!(play.log.iter().all(|event| !matches!(event, RunEvent::AnswerNoted(_) | RunEvent::Escalated(_))));
    assert_eq!(play.open("draft#9").deadline, None);
}
