use std::time::Duration;

use super::messages::sends;
use super::people::{approve, edit, signal};
use super::play::{Play, order};
use crate::aggregates::run::snapshot::{SCHEMA, read, write};
use crate::aggregates::run::{Ask, Run, RunStatus};
use crate::events::ids::{AgentName, Hash, StepId};
use crate::events::problem::{Class, Code};
use crate::events::run::{Resolution, Usage};
use crate::testing::given;
use crate::workflow::work::{Failure, Output};

/// A run in which most of what can happen on the way forward happens. There is never more than one timer, for maps have
/// no order.
fn forward() -> Play {
    let mut play = Play::start_with(
        r#"
name: forward
steps:
  - {id: skipped, run: "true", if: input.never}
  - {id: tried, run: "false", retry: {attempts: 2, initial: 1s, jitter: 0}, on_error: retry_then_skip, needs: []}
  - {id: each, for_each: [1, 2, 3], max_parallel: 2, run: "echo {{ item }}", needs: []}
  - {id: nap, sleep: 1h, needs: [tried, each]}
  - {id: fails, run: "false", on_error: continue}
  - {id: last, run: "true"}
"#,
        r#"{"never": false}"#,
        16,
    );
    let failure = || Failure::new(Code::ExitUnknown, "no").class(Class::Transient);
    play.fail("tried", failure());
    play.sleep(Duration::from_secs(2));
    play.fail("tried", failure());
    for item in ["each[0]", "each[1]", "each[2]"] {
        play.recover();
        play.complete(item, "{\"x\": 1}");
    }
    play.sleep(Duration::from_secs(3600));
    play.fail("fails", failure());
    play.complete("last", "null");
    assert!(play.state().status().has_ended(), "{:?}", play.state());
    play
}

/// A run that is paused, undone, stuck, settled, and undone again.
fn back() -> Play {
    let mut play = Play::start_until(
        r#"
name: back
steps:
  - {id: first, run: "true", compensate: {run: undo}}
  - {id: second, run: "true", compensate: {run: undo, when: attempted, retry: {attempts: 2, initial: 1s, jitter: 0}}}
  - {id: third, run: "false", compensate: {run: undo}}
"#,
        "first",
    );
    let failure = |class| Failure::new(Code::ExitUnknown, "no").class(class);
    play.complete("first", r#"{"context": {"k": [1]}}"#);
    play.ask(Ask::Unpause(order()));
    play.complete("second", "{\"x\": 2}");
    play.fail("third", failure(Class::Validation));
    play.ask(Ask::Go);
    play.fail("second", failure(Class::Transient));
    play.sleep(Duration::from_secs(2));
    play.fail("second", failure(Class::Transient));
    assert_eq!(play.state().status(), RunStatus::Stuck);
    play.resolve("second", Resolution::Done);
    play.ask(Ask::Go);
    play.complete("first", "null");
    assert_eq!(play.state().status(), RunStatus::Compensated);
    play
}

/// The hash of all snapshots of these histories, one after each event.
const HASH: &str = "479910012a7071d58ad0d376c210f3b0d0aabfc62fcddf438caa5e00282a85f0";

/// Whoever changes the shape of the state, or the rules of the fold, learns it here.
/// A run that asks people, goes round, and grows.
fn asking() -> Play {
    let mut play = Play::eager(
        r#"
name: asking
steps:
  - {id: plan, agent: planner, approve: after, phase: one, checklist: [look], require_checklist: true}
  - {id: poll, agent: a, repeat: {until: output, max: 3}, fallback: {agent: b}}
  - {id: test, workflow: /test.yaml, phase: two}
  - {id: paid, wait_for: payment}
  - {id: ship, agent: a, approve: before, approvals: 2, expires: 1h}
"#,
    );
    play.complete("plan", r#"{"add_steps": [{"id": "one", "run": "x"}]}"#);
    play.ask(Ask::Check { request: "plan".to_owned(), by: "ada".into(), points: vec![1] });
    play.ask(approve("plan", "ada"));
    let to_a = r#"{"to":"a","kind":"task","priority":"high","deadline":"1h","body":[1]}"#;
    sends(
        &mut play,
        "plan/one",
        &[to_a, r#"{"to":"*","kind":"notice"}"#, r#"{"to":"nobody","kind":"task"}"#],
    );
    play.fail("poll#1", Failure::new(Code::ExitUnknown, "no"));
    play.complete("poll#1", "true");
    play.ask(signal("payment", "7"));
    play.ask(signal("other", "8"));
    play.complete("test", "2");
    play.ask(edit("ship", "ada", "{\"x\": 1}"));
    assert_eq!(play.state().status(), RunStatus::Waiting);
    play
}

/// A run whose work goes from agent to agent, the last of whom need not come through.
fn handing() -> Play {
    let file = "name: handing\nsteps: [{id: s, agent: a, on_error: continue}]";
    let mut play = Play::eager_with(file, &[("a", "{}"), ("b", "{}")], |_| ());
    let declared = |to: &str, item: &str| {
        serde_json::json!(format!("HANDOFF DECLARATION:\nTo: {to}\nReason: r\nContext:\n- {item}"))
            .to_string()
    };
    play.complete("s", &declared("b", "K: 1"));
    play.complete("s/handoff[1]", &declared("a", "L: 2"));
    play.fail("s/handoff[2]", Failure::new(Code::ExitUnknown, "no"));
    assert_eq!(play.result(), (RunStatus::Completed, true));
    play
}

/// A run whose agent is stuck twice: a manager is asked once.
fn lost() -> Play {
    let file = "name: lost\nsteps: [{id: s, agent: a, prompt: p, repeat: {until: output, max: 5}}]";
    let mut play = Play::eager_with(file, &[("a", "{}"), ("b", "{}")], |start| {
        start.stuck.answers = 1;
        start.stuck.manager = Some(AgentName::new("b"));
    });
    play.complete("s#1", "false");
    play.complete("s#2", "false");
    play.complete("s#2/guidance[1]", "\"look again\"");
    play.complete("s#2", "false");
    assert_eq!(play.state().status(), RunStatus::Failed);
    play
}

/// A run whose limit is met, with an attempt that is open.
fn spending() -> Play {
    let file = "name: spending\nlimits: {calls: 2, tokens: 500, usd: 1}\nsteps: [{id: s, agent: a, for_each: [1, 2, 3]}]";
    let dear = r#"{"budget":{"tokens":200,"usd_nanos":30}}"#;
    let mut play = Play::eager_with(file, &[("a", dear)], |_| ());
    let usage = Usage { calls: 1, input_tokens: 20, output_tokens: 30, usd_nanos: 40 };
    let fence = play.open("s[0]").fence;
    play.ask(Ask::Completed {
        step: StepId::grown("s[0]"),
        fence,
        output: Output { usage, ..Output::default() },
    });
    assert!(play.state().exhausted().is_some());
    play
}

#[test]
fn a_snapshot_of_another_shape_has_another_schema_number() {
    let mut all = Vec::new();
    for play in [forward(), back(), asking(), handing(), lost(), spending()] {
        let mut folded = given::<Run>("run/r");
        for (event, at) in play.log.iter().zip(&play.times) {
            folded = folded.at(*at).events([event.clone()]);
            all.extend(write(folded.state()).unwrap());
        }
    }
    let hash = Hash::of(&all).to_string();
    assert_eq!(hash, HASH, "what snapshots hold has changed: raise SCHEMA (now {SCHEMA}), then replace HASH");
}

#[test]
fn bytes_that_are_no_snapshot_are_an_error() {
    let bytes = write(forward().state()).unwrap();
    assert!(read(&bytes[..bytes.len() - 1]).is_err());
    assert!(read(&[bytes.as_slice(), &[0]].concat()).is_err());
    assert!(read(&[]).is_err());
}
