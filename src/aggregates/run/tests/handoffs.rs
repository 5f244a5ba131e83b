//! Handoffs: who goes on, with what it is told, and what becomes of the whole.

use serde_json::{Value, json};

use super::people::approve;
use super::play::{Play, order, word};
use super::*;
use crate::workflow::work::AgentRequest;

/// Agents that any may hand over to, one that may only hand over to `b`, and one that may to nobody.
const AGENTS: &[(&str, &str)] = &[
    ("a", "{}"),
    ("b_agent", "{}"),
    ("c", "{\"handoffs\": [\"B\"]}"),
    ("d", "{\"handoffs\": []}"),
    ("shell", "{}"),
];

const ONE: &str = "name: w\nsteps: [{id: s, agent: a, prompt: do it, with: {n: 1}}, {id: t, run: 'x {{ steps.s.output.by }}'}]";

fn start(yaml: &str) -> Play {
    Play::eager_with(yaml, AGENTS, |_| ())
}

fn declared(to: &str, context: &str) -> String {
    format!("HANDOFF DECLARATION:\nTo: {to}\nReason: better there\nContext:\n{context}")
}

/// A step answers so, and hands over.
fn hand_over(play: &mut Play, step: &str, answer: &str, block: &str) -> Vec<String> {
    let open = play.open(step);
    let output = Output {
        output: Json::parse(answer).unwrap(),
        requests: vec![AgentRequest::Handoff(block.to_owned())],
        ..Output::default()
    };
    play.ask(Ask::Completed { step: open.step.clone(), fence: open.fence, output })
}

/// Why the last attempt failed.
fn failure(play: &Play) -> (Code, Class, String) {
    let last = play.log.iter().rev().find_map(|event| match event {
        RunEvent::AttemptFailed(failed) => Some((failed.code, failed.class, failed.message.clone())),
        _ => None,
    });
    last.unwrap()
}

#[test]
fn the_next_agent_goes_on_in_a_step_of_its_own_and_its_output_is_that_of_the_whole() {
    let mut play = start(ONE);
    let words = hand_over(&mut play, "s", r#"{"by": "a"}"#, &declared("B", "  - Key data: {\"k\": [1]}"));
    assert_eq!(
        words,
        ["handoff_declared s", "step_added s/handoff[1]", "step_completed s", "attempt_started s/handoff[1]"]
    );
    let open = play.open("s/handoff[1]");
    assert_eq!(open.agent.as_str(), "b_agent", "as it calls itself");
    let told = json!({
        "task": "do it", "input": {"n": 1}, "work": [{"agent": "a", "output": {"by": "a"}}],
        "reason": "better there", "context": {"key_data": {"k": [1]}}, "handoff": {"chain": ["a", "b_agent"]},
    });
    assert_eq!(play.work("s/handoff[1]")["with"], told);
    let prompt = play.work("s/handoff[1]")["prompt"].as_str().unwrap().to_owned();
    assert!(prompt.starts_with("do it\n\n") && prompt.contains("better there"), "{prompt}");
    assert_eq!(play.status("t"), "pending", "who needs it waits for the last of the chain");
    let words = hand_over(&mut play, "s/handoff[1]", r#"{"by": "b"}"#, &declared("c", "- More: x"));
    assert_eq!(words[1..3], ["step_added s/handoff[2]", "step_completed s/handoff[1]"]);
    let chain = play.work("s/handoff[2]")["with"].clone();
    assert_eq!(chain["handoff"]["chain"], json!(["a", "b_agent", "c"]));
    assert_eq!((&chain["task"], &chain["input"]), (&json!("do it"), &json!({"n": 1})));
    assert_eq!(chain["work"].as_array().unwrap().len(), 2);
    play.recover();
    let words = play.complete("s/handoff[2]", r#"{"by": "c"}"#);
    assert_eq!(words, ["step_completed s/handoff[2]", "attempt_started t"]);
    assert_eq!(play.work("t")["run"], "x 'c'");
    assert_eq!(play.output("s"), Some(json!({"by": "c"})));
}

#[test]
fn a_declaration_in_what_is_answered_counts_wherever_it_was_said() {
    let block = declared("b", "- A: 1");
    for answer in
        [json!(block), json!({"text": block}), json!({"output": block, "n": 1}), json!({"stdout": block})]
    {
        let mut play = start(ONE);
        let words = play.complete("s", &answer.to_string());
        assert_eq!(words[0], "handoff_declared s", "{answer}");
        let work = play.work("s/handoff[1]")["with"]["work"].to_string();
        assert!(!work.contains("HANDOFF"), "{work}");
    }
    let mut play = start(ONE);
    let words = play.complete("s", &json!({"by": 1, "quoted": block}).to_string());
    assert_eq!(words[0], "step_completed s", "other members hold what is no saying of the agent's own");
    let mut play = start(ONE);
    let echo = json!({"idempotency_key": &*play.open("s").idempotency_key, "output": block, "by": 1});
    assert_eq!(play.complete("s", &echo.to_string())[0], "step_completed s", "nor does an echo");
}

/// What keeps a handoff from being made, with its code and what the message has to say.
fn refusals() -> Vec<(&'static str, String, Code, &'static str)> {
    let good = |to: &str| declared(to, "- A: 1");
    vec![
        ("a", "bob".to_owned(), Code::BadHandoff, "HANDOFF DECLARATION"),
        ("a", good("b").replace("Reason: better there\n", ""), Code::BadHandoff, "`Reason:`"),
        ("a", declared("b", ""), Code::BadHandoff, "no context"),
        ("a", good("b_agnt"), Code::UnknownHandoff, "did you mean `b_agent`?"),
        ("a", good("nobody at all"), Code::UnknownHandoff, "it may hand over to `b_agent`, `c`, `d`"),
        ("a", good("shell"), Code::UnknownHandoff, "does not know"),
        ("a", good("workflow"), Code::UnknownHandoff, "does not know"),
        ("c", good("a"), Code::HandoffNotAllowed, "only to `b_agent`"),
        ("d", good("a"), Code::HandoffNotAllowed, "to nobody"),
        ("d", good("e"), Code::UnknownHandoff, "it knows none"),
    ]
}

#[test]
fn what_may_not_be_handed_over_fails_for_good_and_says_why() {
    for (agent, block, code, says) in refusals() {
        let file = format!("name: w\nsteps: [{{id: s, agent: {agent}, retry: {{attempts: 3}}}}]");
        let mut play = start(&file);
        let words = hand_over(&mut play, "s", "1", &block);
        assert_eq!(words, ["attempt_failed s", "step_failed s", "run_failed s"], "{block}");
        let (found, class, message) = failure(&play);
        assert_eq!((found, class), (code, Class::Validation), "{message}");
        assert!(message.contains(says), "{message}");
    }
}

#[test]
fn one_answer_hands_over_once_and_not_beside_a_plan_and_nothing_does_that_undoes() {
    let block = declared("b", "- A: 1");
    let mut play = start(ONE);
    hand_over(&mut play, "s", &json!({"text": block}).to_string(), &block);
    assert_eq!(failure(&play).0, Code::HandoffMisplaced);
    let mut play = start(ONE);
    hand_over(&mut play, "s", r#"{"add_steps": [{"id": "p", "run": "x"}]}"#, &block);
    assert_eq!(failure(&play).0, Code::HandoffMisplaced);
    let mut play = start("name: w\nsteps: [{id: s, agent: a, compensate: {agent: a}}]");
    play.complete("s", "1");
    play.roll_back(None);
    hand_over(&mut play, "s", "1", &block);
    assert_eq!(failure(&play).0, Code::HandoffMisplaced);
}

#[test]
fn a_chain_has_so_many_handoffs_and_no_more_and_the_limit_is_the_runs_own() {
    for max in [0, 1, 5] {
        let mut play = Play::eager_with(ONE, AGENTS, |start| start.growth.handoffs = max);
        let mut step = "s".to_owned();
        for number in 1..=max {
            let to = if number % 2 == 1 { "b" } else { "a" };
            hand_over(&mut play, &step, "1", &declared(to, &format!("- Round: {number}")));
            step = format!("s/handoff[{number}]");
        }
        hand_over(&mut play, &step, "1", &declared("d", "- Last: 1"));
        let (code, class, message) = failure(&play);
        assert_eq!((code, class), (Code::TooManyHandoffs, Class::Validation));
        let chain = if max == 1 { "a → b_agent → d" } else { "d" };
        assert!(message.contains(&format!("no more than {max}")) && message.ends_with(chain), "{message}");
    }
}

#[test]
fn handing_back_takes_something_new() {
    let back = |context: &str| {
        let mut play = start(ONE);
        hand_over(&mut play, "s", "1", &declared("b", "- A: 1\n- Key data: {\"x\": 1, \"y\": 2}"));
        hand_over(&mut play, "s/handoff[1]", "1", &declared("a", context));
        play
    };
    for old in ["- A: 1", "- Key data: {\"y\": 2, \"x\": 1}", "- Key data: {\"x\":1,\"y\":2}\n- a: 1"] {
        let (code, class, message) = failure(&back(old));
        assert_eq!((code, class), (Code::HandoffLoop, Class::Validation), "{old}");
        assert!(message.contains("`a`"), "{message}");
    }
    for new in ["- A: 2", "- B: 1", "- A: 1\n- C: 1"] {
        assert_eq!(back(new).open("s/handoff[2]").agent.as_str(), "a", "{new}");
    }
}

#[test]
fn a_handed_over_step_is_tried_as_the_first_is() {
    let mut play = start(
        "name: w\nsteps: [{id: s, agent: a, timeout: 5s, env: {E: '{{ run.id }}'}, cwd: sub, retry: {attempts: 2, initial: 1s, jitter: 0}, schema: {type: object}, output: 'output.x'}]",
    );
    hand_over(&mut play, "s", "[\"no object, and nothing to make an output of\"]", &declared("b", "- A: 1"));
    let open = play.open("s/handoff[1]");
    assert_eq!(open.deadline, Some(play.now.after(Duration::from_secs(5))));
    let work = play.work("s/handoff[1]");
    assert_eq!((&work["env"]["E"], &work["cwd"]), (&json!("r"), &json!("sub")));
    play.fail("s/handoff[1]", exit(Class::Transient));
    play.sleep(Duration::from_secs(1));
    let words = play.complete("s/handoff[1]", r#"{"x": {"y": 1}}"#);
    assert_eq!(words, ["step_completed s/handoff[1]", "run_completed"]);
    assert_eq!(play.output("s"), Some(json!({"y": 1})));
    let mut play = start("name: w\nsteps: [{id: s, agent: a, schema: {type: object}}]");
    hand_over(&mut play, "s", "1", &declared("b", "- A: 1"));
    assert_eq!(play.complete("s/handoff[1]", "1")[0], "attempt_failed s/handoff[1]", "the last has to fit");
}

const SAGA: &str = "
name: w
steps:
  - {id: before, run: 'true', compensate: {run: undo}}
  - {id: s, agent: a, compensate: {run: 'undo {{ output.by }} {{ outcome }}'}}
  - {id: after, run: 'true'}
";

#[test]
fn the_whole_is_undone_at_once_and_told_what_was_answered_last() {
    for (fails, told) in [("after", "c"), ("s/handoff[2]", "b")] {
        let mut play = start(SAGA);
        play.complete("before", "1");
        hand_over(&mut play, "s", r#"{"by": "a"}"#, &declared("b", "- A: 1"));
        hand_over(&mut play, "s/handoff[1]", r#"{"by": "b"}"#, &declared("c", "- B: 1"));
        if fails == "after" {
            play.complete("s/handoff[2]", r#"{"by": "c"}"#);
        }
        let plan = play.state().rollback_plan(None).unwrap();
        assert!(plan.cannot.iter().all(|cannot| cannot.step.as_str() == "after"), "{plan:?}");
        play.fail(fails, exit(Class::Validation));
        assert_eq!(play.work("s")["run"], format!("undo '{told}' 'completed'"));
        play.complete("s", "1");
        play.complete("before", "1");
        assert_eq!(play.state().status(), RunStatus::Compensated);
    }
}

#[test]
fn a_chain_that_failed_goes_on_where_it_was_and_one_that_is_undone_begins_anew() {
    let mut play =
        start("name: w\non_failure: stop\nsteps: [{id: first, run: x}, {id: s, agent: a}, {id: t, run: y}]");
    play.complete("first", "1");
    hand_over(&mut play, "s", "1", &declared("b", "- A: 1"));
    hand_over(&mut play, "s/handoff[1]", "2", &declared("c", "- B: 1"));
    play.fail("s/handoff[2]", exit(Class::Validation));
    assert_eq!(play.state().status(), RunStatus::Failed);
    assert_eq!(play.retry(), ["retry_requested", "attempt_started s/handoff[2]"]);
    play.complete("s/handoff[2]", "3");
    play.fail("t", exit(Class::Validation));
    play.roll_back(Some("first"));
    let words = play.retry();
    assert_eq!(words, ["retry_requested", "attempt_started s"]);
    let words = hand_over(&mut play, "s", "4", &declared("c", "- A: 1"));
    assert_eq!(words[1], "step_added s/handoff[1]", "its handoffs are counted anew");
    let open = play.open("s/handoff[1]");
    assert_eq!((open.agent.as_str(), open.generation), ("c", 2));
    play.complete("s/handoff[1]", "5");
    assert_eq!(play.output("s"), Some(json!(5)));
    play.complete("t", "1");
    assert_eq!(play.state().status(), RunStatus::Completed);
    assert_eq!(play.state().progress(), (3 + 1, 3 + 1));
}

#[test]
fn a_failure_of_the_last_that_is_tolerated_leaves_the_whole_without_output() {
    for (on_error, ends) in
        [("continue", "step_failed s/handoff[1]"), ("retry_then_skip", "step_skipped s/handoff[1]")]
    {
        let file = format!(
            "name: w\nsteps: [{{id: s, agent: a, on_error: {on_error}}}, {{id: t, run: 'x {{{{ steps.s.output }}}}'}}]"
        );
        let mut play = start(&file);
        hand_over(&mut play, "s", "\"not the end\"", &declared("b", "- A: 1"));
        let words = play.fail("s/handoff[1]", exit(Class::Validation));
        assert_eq!(words, ["attempt_failed s/handoff[1]", ends, "step_skipped t", "run_completed"]);
        assert_eq!((play.output("s"), play.result()), (None, (RunStatus::Completed, true)));
    }
}

#[test]
fn items_and_rounds_hand_over_each_for_themselves() {
    let mut play = start(
        "name: w\nsteps: [{id: each, for_each: [7, 8], max_parallel: 1, agent: a, with: {i: '{{ item }}'}, output: '[output, item]', approve: after}, {id: poll, agent: a, repeat: {until: output == 2, max: 2}}]",
    );
    hand_over(&mut play, "each[0]", "0", &declared("b", "- A: 1"));
    assert_eq!(play.work("each[0]/handoff[1]")["with"]["input"], json!({"i": 7}));
    assert!(play.attempts().len() == 1, "an item is on its way until its chain is");
    play.complete("each[0]/handoff[1]", "1");
    play.complete("each[1]", "2");
    assert_eq!(play.output("each"), Some(json!([[1, 7], [2, 8]])), "an `output` may use the item");
    assert_eq!(play.state().status(), RunStatus::Waiting, "people are asked about the whole, once");
    play.ask(approve("each", "ada"));
    hand_over(&mut play, "poll#1", "2", &declared("b", "- A: 1"));
    let words = play.complete("poll#1/handoff[1]", "1");
    assert_eq!(words[1..], ["step_added poll#2", "attempt_started poll#2"], "what the last answered counts");
    play.complete("poll#2", "2");
    assert_eq!(play.state().status(), RunStatus::Completed);
}

#[test]
fn people_are_asked_before_each_of_a_chain_and_after_its_last() {
    let mut play = start("name: w\nsteps: [{id: s, agent: a, approve: before}]");
    play.ask(approve("s", "ada"));
    let words = hand_over(&mut play, "s", "1", &declared("b", "- A: 1"));
    assert_eq!(words.last().unwrap(), "approval_requested s/handoff[1]");
    play.ask(approve("s/handoff[1]", "ada"));
    play.complete("s/handoff[1]", "1");
    assert_eq!(play.state().status(), RunStatus::Completed);

    let file = "name: w\nsteps: [{id: s, agent: a, approve: after, compensate: {run: u}}, {id: t, run: 'x {{ steps.s.output.n }}'}]";
    let mut play = start(file);
    hand_over(&mut play, "s", "1", &declared("b", "- A: 1"));
    let words = play.complete("s/handoff[1]", "{\"n\": 2}");
    assert_eq!(words, ["approval_requested s/handoff[1]", "step_completed s/handoff[1]"]);
    play.ask(super::people::edit("s/handoff[1]", "ada", "{\"n\": 3}"));
    assert_eq!((play.output("s"), &play.work("t")["run"]), (Some(json!({"n": 3})), &json!("x '3'")));
}

#[test]
fn whoever_stands_in_hands_over_in_its_own_name() {
    let mut play = start("name: w\nsteps: [{id: s, agent: a, fallback: {agent: c}}]");
    play.fail("s", exit(Class::Validation));
    hand_over(&mut play, "s", "1", &declared("a", "- A: 1"));
    assert_eq!(failure(&play).0, Code::HandoffNotAllowed, "of `c`, which may hand over to `b` only");
}

#[test]
fn a_plan_of_the_last_is_part_of_the_whole() {
    let mut play = start(ONE);
    hand_over(&mut play, "s", "1", &declared("b", "- A: 1"));
    play.complete("s/handoff[1]", r#"{"by": "p", "add_steps": [{"id": "p", "run": "x"}]}"#);
    assert_eq!(play.status("t"), "pending");
    play.complete("s/handoff[1]/p", "1");
    assert_eq!(play.work("t")["run"], "x 'p'");
}

#[test]
fn what_is_handed_over_while_the_run_ends_is_not_begun_and_a_retry_goes_on_with_it() {
    let mut play =
        start("name: w\non_failure: stop\nsteps: [{id: s, agent: a, needs: []}, {id: f, run: x, needs: []}]");
    play.fail("f", exit(Class::Validation));
    let words = hand_over(&mut play, "s", "1", &declared("b", "- A: 1"));
    assert_eq!(words[1..], ["step_added s/handoff[1]", "step_completed s", "run_failed f"]);
    let words = play.retry();
    assert!(words.contains(&"attempt_started s/handoff[1]".to_owned()), "{words:?}");
}

#[test]
fn what_was_handed_over_is_known_of_the_run() {
    let mut play = start(ONE);
    hand_over(&mut play, "s", "1", &declared("b", "- A: 1"));
    let (_, node) = play.state().node(&StepId::grown("s")).unwrap();
    let hop = &node.handoffs[0];
    assert_eq!((hop.from.as_str(), hop.to.as_str(), &*hop.reason), ("a", "b_agent", "better there"));
    let words: Vec<_> = play.log.iter().map(word).collect();
    assert!(words.contains(&"handoff_declared s".to_owned()));
    play.ask(Ask::Pause(order()));
    let _: Value = play.work("s/handoff[1]");
}
