//! Runs that steps have started: parent and child die together, and go on together.

use serde_json::{Value, json};

use super::{RUN, Scene, awaited, step};

const PARENT: &str = "name: parent
steps:
  - {id: before, run: [./hangs, 'true'], compensate: {run: [./hangs, 'true']}}
  - {id: inner, workflow: child.yaml, with: {n: 2}}
  - {id: after, run: [./hangs, sh, -c, 'exit $(cat exit)']}
output: '{{ steps.inner.output }}'
";

const CHILD: &str = "name: child
steps:
  - {id: one, run: [./hangs, echo, '{{ input.n }}'], compensate: {run: [./hangs, 'true']}}
  - {id: two, run: [./hangs, echo, '{{ steps.one.output.stdout }}'], compensate: {run: [./hangs, 'true']}}
output: '{{ steps.two.output.stdout }}'
";

fn family(child: &str, exit: &str) -> Scene {
    Scene::of(PARENT).with("child.yaml", child).with("exit", exit)
}

/// The one child of a run: its id.
fn child(report: &Value) -> String {
    let [child] = report["children"].as_array().unwrap().as_slice() else { panic!("{report:#}") };
    child["run"].as_str().unwrap().to_owned()
}

#[test]
fn parent_and_child_go_on_where_they_were() {
    let mut scene = family(CHILD, "0");
    let report = scene.survive(0);
    assert_eq!(report["output"], "2");
    scene.check(&["before", "one", "two", "after"]);
    let below = scene.sandbox.status(&child(&report));
    assert_eq!((&below["status"], &below["parent"]["run"]), (&json!("completed"), &json!(RUN)));
    assert_eq!(scene.sandbox.json(0, &["list"])["runs"].as_array().unwrap().len(), 2, "it was started once");
    assert_eq!(scene.count("step_completed", Some("inner")), 1);
}

/// Each of both has its own events, so a kill may come when the child has ended and its parent does not know.
#[test]
fn a_child_that_went_on_without_its_parent_is_not_done_again() {
    let mut scene = interrupted();
    let inner = child(&scene.sandbox.status(RUN));
    let process = scene.spawn(&["resume", &inner]);
    scene.kill_when_it_hangs(process);
    assert_eq!(scene.sandbox.json(0, &["resume", &inner])["output"], "2");
    assert_eq!(scene.survive_from(&["resume", RUN], 0)["output"], "2");
    scene.check(&["before", "one", "two", "after"]);
}

#[test]
fn a_child_that_waits_for_somebody_is_answered_after_a_kill() {
    let mut scene = family(&CHILD.replace("'], compensate", "'], approve: before, compensate"), "0");
    let report = scene.survive(4);
    let inner = child(&report);
    assert_eq!(awaited(&report), [("child".to_owned(), "inner".to_owned(), inner.clone())]);
    let requests = ["one", "two"].map(|gated| {
        let waits = awaited(&scene.sandbox.status(&inner));
        assert_eq!((waits.len(), waits[0].1.as_str()), (1, gated));
        scene.sandbox.json(0, &["approve", &inner, &waits[0].2]);
        let code = if gated == "one" { 4 } else { 0 };
        scene.survive_from(&["resume", RUN], code);
        waits[0].2.clone()
    });
    assert_ne!(requests[0], requests[1]);
    scene.check(&["before", "one", "two", "after"]);
    assert_eq!(scene.sandbox.count(&inner, "approval_requested", None), 2);
}

#[test]
fn a_child_is_undone_with_its_parent() {
    let mut scene = family(CHILD, "65");
    let report = scene.survive(3);
    assert_eq!((&report["status"], &report["error"]["step"]), (&json!("compensated"), &json!("after")));
    scene.check(&["before", "one", "two", "after", "undo:two", "undo:one", "undo:before"]);
    assert_eq!(step(&report, "inner")["status"], "compensated");
    assert_eq!(scene.sandbox.status(&child(&report))["status"], "compensated");
}

#[test]
fn a_child_that_fails_undoes_itself_and_then_its_parent() {
    let fails = CHILD.replace("echo, '{{ steps.one.output.stdout }}'", "sh, -c, exit 65");
    let mut scene = family(&fails, "0");
    let report = scene.survive(3);
    assert_eq!((&report["error"]["step"], &report["error"]["code"]), (&json!("inner"), &json!("RE-3025")));
    // Of `two`, whose first attempt was killed, nobody knows what it did.
    scene.check(&["before", "one", "two", "undo:two", "undo:one", "undo:before"]);
    assert_eq!(scene.sandbox.status(&child(&report))["status"], "compensated");
}

/// A family that was killed while the child was at work.
fn interrupted() -> Scene {
    let mut scene = family(CHILD, "0");
    for arguments in [&["run", "w.yaml", "--id", RUN][..], &["resume", RUN]] {
        let process = scene.spawn(arguments);
        scene.kill_when_it_hangs(process);
    }
    assert_eq!(scene.done(), ["before", "one"]);
    scene
}

#[test]
fn a_child_is_undone_with_a_parent_that_is_cancelled_while_both_are_interrupted() {
    let mut scene = interrupted();
    scene.sandbox.json(0, &["cancel", RUN, "--rollback"]);
    let report = scene.survive_from(&["resume", RUN], 3);
    assert_eq!(scene.done(), ["before", "one", "undo:one", "undo:before"]);
    assert_eq!(scene.sandbox.status(&child(&report))["status"], "compensated");
}

/// Nothing of it goes on: a child that nobody sees through is not left to whoever resumes what is interrupted.
#[test]
fn a_child_is_cancelled_with_a_parent_that_is_cancelled_while_both_are_interrupted() {
    let scene = interrupted();
    scene.sandbox.json(0, &["cancel", RUN]);
    let report = scene.sandbox.json(6, &["resume", RUN]);
    assert_eq!(scene.sandbox.status(&child(&report))["status"], "cancelled");
    assert_eq!(scene.sandbox.json(2, &["resume"])["error"]["code"], "RE-1006", "nothing is interrupted");
    assert_eq!(scene.done(), ["before", "one"]);
}
