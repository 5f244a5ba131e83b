//! Agents that use tools: turns, what they want, and what becomes of the whole.

use serde_json::{Value, json};

use super::people::{approve, reject};
use super::play::Play;
use super::*;
use crate::workflow::turns::CALLS_MAX;
use crate::workflow::work::{AgentRequest, ToolCall};

/// One that uses tools, in the spelling of others; one whose calls people have to allow, and who has three turns; and the tools.
const AGENTS: &[(&str, &str)] = &[
    ("a", r#"{"executor": "llm", "settings": {"tools": ["Read", "deploy_agent", "ask_agent", "nowhere"]}}"#),
    (
        "b",
        r#"{"executor": "llm", "settings": {"tools": ["read", "deploy"]}, "approve": ["dep*"], "max_turns": 3}"#,
    ),
    ("c", r#"{"executor": "llm"}"#),
    ("read", r#"{"executor": "tool"}"#),
    ("deploy", r#"{"executor": "subprocess", "compensate": "withdraw"}"#),
    ("withdraw", r#"{"executor": "subprocess"}"#),
    ("launch", r#"{"executor": "subprocess", "irreversible": true}"#),
    ("ask_agent", r#"{"executor": "tool"}"#),
    ("d", r#"{"executor": "llm", "settings": {"tools": ["launch"]}}"#),
    ("shell", "{}"),
];

const ONE: &str = "name: w\nsteps: [{id: s, agent: a, prompt: 'do {{ input }}', with: {n: 1}}, {id: t, run: 'x {{ steps.s.output.by }}'}]";

fn start(yaml: &str) -> Play {
    Play::eager_with(yaml, AGENTS, |_| ())
}

/// A turn answers that it wants tools to be used, each with these arguments.
fn want(play: &mut Play, step: &str, calls: &[(&str, Value)]) -> Vec<String> {
    let open = play.open(step);
    let calls = (1..).zip(calls).map(|(number, (name, arguments))| ToolCall {
        id: format!("call_{number}"),
        name: (*name).to_owned(),
        arguments: Json::from(arguments),
    });
    let calls: Vec<ToolCall> = calls.collect();
    let output = Json::of(&json!({ "text": "well", "tool_calls": calls })).unwrap();
    let requests = calls.into_iter().map(AgentRequest::Call).collect();
    let output = Output { output, requests, ..Output::default() };
    play.ask(Ask::Completed { step: open.step.clone(), fence: open.fence, output })
}

/// Why the last attempt failed.
fn failure(play: &Play) -> (Code, String) {
    let last = play.log.iter().rev().find_map(|event| match event {
        RunEvent::AttemptFailed(failed) => Some((failed.code, failed.message.clone())),
        _ => None,
    });
    last.unwrap()
}

#[test]
fn a_step_of_an_agent_with_tools_is_turns_and_calls_and_answers_what_the_last_turn_does() {
    let mut play = start(ONE);
    assert_eq!(play.status("s"), "running", "no attempt is made at the step itself");
    assert_eq!(play.work("s/turn[1]"), json!({ "prompt": "do {}", "with": { "n": 1 } }));
    let words =
        want(&mut play, "s/turn[1]", &[("read", json!({ "path": "{{ x }}" })), ("deploy", json!({}))]);
    let grown = ["step_added s/turn[1]/tool[1]", "step_added s/turn[1]/tool[2]", "step_completed s/turn[1]"];
    assert_eq!(words[..3], grown);
    assert_eq!(
        words[3..],
        ["attempt_started s/turn[1]/tool[2]", "attempt_started s/turn[1]/tool[1]"],
        "both at once"
    );
    assert_eq!(
        play.work("s/turn[1]/tool[1]"),
        json!({ "with": { "path": "{{ x }}" } }),
        "what a model says is data"
    );
    assert_eq!(play.open("s/turn[1]/tool[2]").agent.as_str(), "deploy");
    assert_eq!(play.complete("s/turn[1]/tool[2]", r#"{"ok": 1}"#), ["step_completed s/turn[1]/tool[2]"]);
    play.recover();
    let words = play.complete("s/turn[1]/tool[1]", r#""text""#);
    let next = ["step_completed s/turn[1]/tool[1]", "step_added s/turn[2]", "attempt_started s/turn[2]"];
    assert_eq!(words, next);
    let (number, before) = play.state().turn(&StepId::grown("s/turn[2]")).unwrap();
    assert_eq!((number, before.len()), (2, 1));
    let results: Vec<_> =
        before[0].results.iter().map(|result| play.json(result.as_ref().unwrap())).collect();
    assert_eq!(results, [json!("text"), json!({ "ok": 1 })], "in the order in which they were wanted");
    assert_eq!(play.work("s/turn[2]"), json!({ "prompt": "do {}", "with": { "n": 1 } }), "rendered once");
    let words = play.complete("s/turn[2]", r#"{"by": "a"}"#);
    assert_eq!(words, ["step_completed s/turn[2]", "step_completed s", "attempt_started t"]);
    assert_eq!(play.work("t")["run"], "x 'a'");
    play.complete("t", "1");
    assert_eq!(play.result(), (RunStatus::Completed, false));
}

#[test]
fn how_a_tool_failed_is_told_and_degrades_nothing() {
    let mut play = start(ONE);
    want(&mut play, "s/turn[1]", &[("deploy", json!({})), ("read", json!({}))]);
    play.fail("s/turn[1]/tool[1]", Failure::new(Code::ExitValidation, "no such place"));
    let words = play.complete("s/turn[1]/tool[2]", "null");
    assert_eq!(words.last().unwrap(), "attempt_started s/turn[2]");
    let (_, before) = play.state().turn(&StepId::grown("s/turn[2]")).unwrap();
    assert_eq!(before[0].results[0], Err("RE-3002: no such place".to_owned()));
    play.complete("s/turn[2]", r#"{"by": 1}"#);
    play.complete("t", "1");
    assert_eq!(play.result(), (RunStatus::Completed, false));
}

#[test]
fn only_the_tools_that_an_agent_names_and_its_run_knows_are_used() {
    for (step, tool) in
        [("s/turn[1]", "withdraw"), ("s/turn[1]", "nowhere"), ("s/turn[1]", "shell"), ("s/turn[1]", "c")]
    {
        let mut play = start(ONE);
        let words = want(&mut play, step, &[("read", json!({})), (tool, json!({}))]);
        assert_eq!(words[..2], ["attempt_failed s/turn[1]", "step_failed s/turn[1]"], "{tool}");
        let (code, message) = failure(&play);
        assert_eq!(code, Code::UnknownTool, "{message}");
        assert!(message.contains(tool), "{message}");
    }
    let mut play = start("name: w\nsteps: [{id: s, agent: c}]");
    want(&mut play, "s", &[("read", json!({}))]);
    assert_eq!(failure(&play).0, Code::UnknownTool, "who names no tools has none");
    let mut play = start(ONE);
    let many: Vec<_> = (0..=CALLS_MAX).map(|_| ("read", json!({}))).collect();
    want(&mut play, "s/turn[1]", &many);
    assert_eq!(failure(&play).0, Code::BadToolCall);
}

#[test]
fn another_agent_is_asked_by_a_tool_in_its_own_words() {
    let mut play = start(ONE);
    let asks = |agent: &str| json!({ "agent": agent, "prompt": "say {{ y }}", "input": { "k": 1 } });
    want(
        &mut play,
        "s/turn[1]",
        &[("ask_agent", asks("C")), ("ask_agent", asks("nobody")), ("ask_agent", asks("b"))],
    );
    assert_eq!(play.open("s/turn[1]/tool[1]").agent.as_str(), "c");
    assert_eq!(play.work("s/turn[1]/tool[1]"), json!({ "prompt": "say {{ y }}", "with": { "k": 1 } }));
    assert_eq!(play.open("s/turn[1]/tool[2]").agent.as_str(), "ask_agent", "which says that there is none");
    let inner = play.open("s/turn[1]/tool[3]/turn[1]");
    assert_eq!(inner.agent.as_str(), "b", "who works in turns does so here as well");
    play.complete("s/turn[1]/tool[1]", "1");
    play.complete("s/turn[1]/tool[2]", "2");
    let words = play.complete("s/turn[1]/tool[3]/turn[1]", "3");
    assert_eq!(words.last().unwrap(), "attempt_started s/turn[2]");
}

#[test]
fn people_allow_a_call_or_the_agent_is_told_that_they_do_not() {
    let mut play = start("name: w\nsteps: [{id: s, agent: b, prompt: p}]");
    let words = want(&mut play, "s/turn[1]", &[("deploy", json!({ "to": "x" })), ("read", json!({}))]);
    assert!(words.contains(&"approval_requested s/turn[1]/tool[1]".to_owned()), "{words:?}");
    assert!(words.contains(&"attempt_started s/turn[1]/tool[2]".to_owned()), "{words:?}");
    play.complete("s/turn[1]/tool[2]", "1");
    assert_eq!(play.result().0, RunStatus::Waiting);
    let words = play.ask(approve("s/turn[1]/tool[1]", "ada"));
    assert!(words.contains(&"attempt_started s/turn[1]/tool[1]".to_owned()), "{words:?}");
    play.complete("s/turn[1]/tool[1]", "1");
    want(&mut play, "s/turn[2]", &[("deploy", json!({}))]);
    let words = play.ask(reject("s/turn[2]/tool[1]"));
    assert_eq!(words.last().unwrap(), "attempt_started s/turn[3]", "{words:?}");
    let (_, before) = play.state().turn(&StepId::grown("s/turn[3]")).unwrap();
    assert!(before[1].results[0].as_ref().is_err_and(|why| why.contains("refused")), "{before:?}");
}

#[test]
fn who_has_no_turns_left_fails_and_a_retry_gives_as_many_again() {
    let mut play = start("name: w\non_failure: stop\nsteps: [{id: s, agent: b, prompt: p}]");
    let mut words = Vec::new();
    for number in 1..=3 {
        want(&mut play, &format!("s/turn[{number}]"), &[("read", json!({}))]);
        words = play.complete(&format!("s/turn[{number}]/tool[1]"), "1");
    }
    assert_eq!(words, ["step_completed s/turn[3]/tool[1]", "step_failed s", "run_failed s"]);
    let words = play.retry();
    assert_eq!(words.last().unwrap(), "attempt_started s/turn[4]", "{words:?}");
    play.complete("s/turn[4]", "1");
    assert_eq!(play.result().0, RunStatus::Completed);
}

#[test]
fn a_retry_goes_on_at_the_turn_that_failed() {
    let mut play = start("name: w\non_failure: stop\nsteps: [{id: s, agent: a, prompt: p}]");
    want(&mut play, "s/turn[1]", &[("read", json!({}))]);
    play.complete("s/turn[1]/tool[1]", "1");
    let words = play.fail("s/turn[2]", exit(Class::Validation));
    assert_eq!(words[..2], ["attempt_failed s/turn[2]", "step_failed s/turn[2]"]);
    assert_eq!(words.last().unwrap(), "run_failed s/turn[2]");
    let words = play.retry();
    assert_eq!(words, ["retry_requested", "attempt_started s/turn[2]"]);
    play.complete("s/turn[2]", "7");
    assert_eq!(play.output("s"), Some(json!(7)));
}

#[test]
fn a_failure_that_is_tolerated_is_that_of_the_whole() {
    for (policy, status) in [("continue", "failed"), ("retry_then_skip", "skipped")] {
        let mut play = start(&format!(
            "name: w\nsteps: [{{id: s, agent: a, prompt: p, on_error: {policy}}}, {{id: t, run: x}}]"
        ));
        want(&mut play, "s/turn[1]", &[("read", json!({}))]);
        play.complete("s/turn[1]/tool[1]", "1");
        play.fail("s/turn[2]", exit(Class::Validation));
        assert_eq!(play.status("s"), status);
        play.complete("t", "1");
        assert_eq!(play.result(), (RunStatus::Completed, true));
    }
}

#[test]
fn what_tools_did_is_undone_the_last_first_and_then_the_whole() {
    let file = "name: w\nsteps: [{id: s, agent: a, prompt: p, compensate: {run: undo s}}, {id: t, run: x}]";
    let mut play = start(file);
    want(&mut play, "s/turn[1]", &[("deploy", json!({ "to": 1 }))]);
    play.complete("s/turn[1]/tool[1]", r#"{"at": 1}"#);
    want(&mut play, "s/turn[2]", &[("deploy", json!({ "to": 2 }))]);
    play.complete("s/turn[2]/tool[1]", r#"{"at": 2}"#);
    play.complete("s/turn[3]", "1");
    let mut words = play.fail("t", exit(Class::Validation));
    for (step, arguments) in
        [("s/turn[2]/tool[1]", json!({ "to": 2 })), ("s/turn[1]/tool[1]", json!({ "to": 1 }))]
    {
        assert_eq!(words.last().unwrap(), &format!("attempt_started undo {step}"));
        assert_eq!((play.open(step).agent.as_str(), &play.work(step)["with"]), ("withdraw", &arguments));
        words = play.complete(step, "0");
    }
    assert_eq!(words.last().unwrap(), "attempt_started undo s");
    play.complete("s", "0");
    assert_eq!(play.result().0, RunStatus::Compensated);
}

#[test]
fn a_loop_that_is_broken_off_may_have_done_something_and_is_undone() {
    let file = "name: w\nsteps: [{id: s, agent: a, prompt: p, compensate: {run: undo s}}]";
    let mut play = start(file);
    want(&mut play, "s/turn[1]", &[("read", json!({}))]);
    play.complete("s/turn[1]/tool[1]", "1");
    let words = play.fail("s/turn[2]", exit(Class::Validation));
    assert_eq!(words.last().unwrap(), "attempt_started undo s", "{words:?}");
    assert_eq!(play.state().undoes(&StepId::grown("s")).unwrap().0, Undoes::Unknown);
}

#[test]
fn a_tool_that_cannot_be_undone_lets_nothing_be_undone_from_its_start_on() {
    let mut play =
        start("name: w\nsteps: [{id: b, run: x, compensate: {run: y}}, {id: s, agent: d, prompt: p}]");
    play.complete("b", "1");
    want(&mut play, "s/turn[1]", &[("launch", json!({}))]);
    play.complete("s/turn[1]/tool[1]", "1");
    play.fail("s/turn[2]", exit(Class::Validation));
    assert_eq!(play.result().0, RunStatus::Stuck);
}

#[test]
fn the_next_turn_starts_in_the_commit_of_the_last_call() {
    let mut play = start(ONE);
    want(&mut play, "s/turn[1]", &[("read", json!({})), ("deploy", json!({}))]);
    play.eager = false;
    assert_eq!(play.complete("s/turn[1]/tool[1]", "1"), ["step_completed s/turn[1]/tool[1]"]);
    let words = play.complete("s/turn[1]/tool[2]", "1");
    assert_eq!(words.last().unwrap(), "attempt_started s/turn[2]");
}
