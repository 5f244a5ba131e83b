//! Calls of models: they are recorded with what their attempt came to, whatever that is.

use std::time::Duration;

use super::play::Play;
use super::*;
use crate::workflow::work::ModelCall;

const YAML: &str = "
name: w
on_failure: stop
steps:
  - {id: a, agent: m, prompt: go, retry: {attempts: 3, initial: 1h, max: 1h, jitter: 0}}
  - {id: b, agent: m, prompt: go, schema: {type: integer}}";

fn start() -> Play {
    Play::eager_with(YAML, &[("m", "{}")], |_| {})
}

fn call(turn: u32, usd_nanos: u64) -> ModelCall {
    let tokens = Some(Tokens { input: 10, output: 2, cached: 1 });
    let text = Json::from(&serde_json::Value::from("long ".repeat(200)));
    let (messages, answer) = (vec![text.clone()], Some(text));
    ModelCall {
        turn,
        provider: "p".into(),
        model: "m".into(),
        messages,
        answer,
        tokens,
        usd_nanos,
        ..ModelCall::default()
    }
}

fn usage(calls: &[ModelCall]) -> Usage {
    calls.iter().fold(Usage::default(), |sum, call| sum.and(call.usage()))
}

/// The attempt at a step has answered after these calls.
fn answers(play: &mut Play, step: &str, answer: &str, calls: Vec<ModelCall>) -> Vec<String> {
    let open = play.open(step);
    let output = Json::parse(answer).unwrap();
    let output = Output { output, usage: usage(&calls), calls, ..Output::default() };
    play.ask(Ask::Completed { step: open.step.clone(), fence: open.fence, output })
}

fn turns(play: &Play) -> Vec<(String, u32, u32)> {
    let called = play.log.iter().filter_map(|event| match event {
        RunEvent::ModelCalled(called) => Some((called.step.to_string(), called.attempt, called.turn)),
        _ => None,
    });
    called.collect()
}

#[test]
fn calls_stand_before_what_their_attempt_came_to_and_are_counted_once() {
    let mut play = start();
    let words = answers(&mut play, "a", "1", vec![call(1, 5), call(2, 7)]);
    assert_eq!(words, ["model_called a", "model_called a", "step_completed a", "attempt_started b"]);
    // What it answers is not taken: it is paid for all the same.
    let words = answers(&mut play, "b", "\"no number\"", vec![call(1, 11)]);
    assert_eq!(words, ["model_called b", "attempt_failed b", "step_failed b", "run_failed b"]);
    assert_eq!(turns(&play), [("a".into(), 1, 1), ("a".into(), 1, 2), ("b".into(), 1, 1)]);
    let sum = play.state().nodes().iter().fold(Usage::default(), |sum, node| sum.and(node.usage));
    assert_eq!(sum, Usage { calls: 3, input_tokens: 30, output_tokens: 6, usd_nanos: 23 });
}

#[test]
fn whoever_fails_may_say_how_long_nobody_is_to_try_again() {
    let mut play = start();
    let busy = |retry_after: u64, calls: Vec<ModelCall>| Failure {
        usage: usage(&calls),
        ..Failure::new(Code::ModelBusy, "slow down")
            .with_calls(calls)
            .with_retry_after(Some(Duration::from_secs(retry_after)))
    };
    let words = play.fail("a", busy(3, vec![call(1, 5)]));
    assert_eq!(words, ["model_called a", "attempt_failed a", "retry_scheduled a"]);
    assert_eq!(play.sleep(Duration::from_millis(2_999)), [""; 0], "not earlier");
    assert_eq!(
        play.sleep(Duration::from_millis(1)),
        ["timer_fired", "attempt_started a"],
        "the policy says an hour"
    );
    // Without calls, too: the provider is left alone.
    assert_eq!(play.fail("a", busy(0, Vec::new())), ["attempt_failed a", "retry_scheduled a"]);
    assert_eq!(play.sleep(Duration::ZERO), ["timer_fired", "attempt_started a"]);
    // How often it is tried, the policy says.
    assert_eq!(play.fail("a", busy(3, Vec::new())), ["attempt_failed a", "step_failed a", "run_failed a"]);
}

#[test]
fn the_calls_of_an_attempt_that_is_over_are_not_taken() {
    let mut play = start();
    let old = play.open("a");
    play.recover();
    let (calls, output) = (vec![call(1, 5)], Json::parse("1").unwrap());
    let late = Output { output, calls, ..Output::default() };
    assert_eq!(play.ask(Ask::Completed { step: old.step.clone(), fence: old.fence, output: late }), [""; 0]);
    assert_eq!(turns(&play), []);
}
