//! Answers that cannot be are refused: exit 2, a code, what can be instead, and nothing changed.

use super::{GATED, RELEASE, first, waiting};
use crate::support::Sandbox;

/// Asserts that it is refused with that code, and that nothing is recorded for it. Answers the hint.
fn assert_refused(sandbox: &Sandbox, arguments: &[&str], code: &str) -> String {
    let before = sandbox.history("r").len();
    let error = sandbox.json(2, arguments)["error"].clone();
    assert_eq!(error["code"], code, "{arguments:?}: {error}");
    let hint = error["hint"].as_str().unwrap();
    assert!(!hint.contains(" RUN"), "a command to copy: {arguments:?}: {error}");
    assert_eq!(sandbox.history("r").len(), before, "{arguments:?} recorded something");
    hint.to_owned()
}

#[test]
fn a_request_is_answered_once() {
    let (sandbox, report) = waiting(GATED);
    let id = first(&report);
    sandbox.json(0, &["approve", "r", &id]);
    for named in [&id, "a"] {
        assert_refused(&sandbox, &["approve", "r", named], "RE-2014");
        assert_refused(&sandbox, &["approve", "r", named, "--check", "1"], "RE-2014");
        assert_refused(&sandbox, &["reject", "r", named, "--reason", "late"], "RE-2014");
    }
    sandbox.json(0, &["resume", "r"]);
    assert_refused(&sandbox, &["approve", "r", &id], "RE-2014");
}

#[test]
fn a_request_that_nobody_made_or_that_another_run_made_is_unknown() {
    let (sandbox, _) = waiting(GATED);
    let other = sandbox.json(4, &["run", "w.yaml", "--id", "other"]);
    let of_other = first(&other);
    for named in [of_other.as_str(), "0123456789ab", "nowhere"] {
        assert_refused(&sandbox, &["approve", "r", named], "RE-2013");
        assert_refused(&sandbox, &["reject", "r", named, "--reason", "no"], "RE-2013");
    }
    assert_eq!(sandbox.status("other")["status"], "waiting");
    assert_eq!(sandbox.json(2, &["approve", "gone", "a"])["error"]["code"], "RE-1003");
}

#[test]
fn a_name_that_is_nearly_right_is_named() {
    let (sandbox, _) = waiting(RELEASE);
    let hint = assert_refused(&sandbox, &["approve", "r", "publihs", "--by", "ada"], "RE-2013");
    assert_eq!(hint, "did you mean `publish`?");
    let hint = assert_refused(&sandbox, &["rollback", "r", "--dry-run", "--to", "mkae"], "RE-2009");
    assert_eq!(hint, "did you mean `make`?");
    let hint = assert_refused(&sandbox, &["transcript", "r", "biuld"], "RE-2009");
    assert_eq!(hint, "did you mean `build`?");
}

#[test]
fn only_who_is_asked_may_answer_and_each_of_them_once() {
    let (sandbox, _) = waiting(RELEASE);
    assert_refused(&sandbox, &["approve", "r", "publish", "--by", "eve"], "RE-2015");
    assert_refused(&sandbox, &["reject", "r", "publish", "--by", "eve", "--reason", "no"], "RE-2015");
    assert_refused(&sandbox, &["approve", "r", "publish", "--by", "eve", "--check", "1"], "RE-2015");
    sandbox.json(0, &["approve", "r", "publish", "--by", "ada"]);
    assert_refused(&sandbox, &["approve", "r", "publish", "--by", "ada"], "RE-2014");
    assert_eq!(sandbox.status("r")["waiting_for"][0]["granted"], serde_json::json!(["ada"]));
}

#[test]
fn what_has_no_arguments_cannot_be_changed() {
    let (sandbox, _) = waiting(GATED);
    assert_refused(&sandbox, &["approve", "r", "a", "--set", "x=1"], "RE-2016");
    assert_refused(&sandbox, &["approve", "r", "a", "--set", "x"], "RE-1203");
    assert_refused(&sandbox, &["approve", "r", "a", "--set", "x:={"], "RE-1203");
}

#[test]
fn a_command_that_makes_no_sense_is_bad_usage() {
    let (sandbox, _) = waiting(GATED);
    assert_refused(&sandbox, &["reject", "r", "a"], "RE-1001");
    assert_refused(&sandbox, &["reject", "r", "a", "--reason", "  "], "RE-1001");
    assert_refused(&sandbox, &["approve", "r", "a", "--by", ""], "RE-1001");
    assert_refused(&sandbox, &["approve", "r", "a", "--check", "0"], "RE-1001");
    assert_refused(&sandbox, &["approve", "r", "a", "--check", "1", "--note", "x"], "RE-1001");
    assert_refused(&sandbox, &["approve", "r", "a", "--check", "-1"], "RE-1001");
    for json in ["{", "yes", "1 2", "{\"a\": }"] {
        let hint = assert_refused(&sandbox, &["signal", "r", "go", json], "RE-1001");
        assert!(hint.contains("quote"), "{hint}");
    }
    assert_refused(&sandbox, &["signal", "r", ""], "RE-1001");
    let deep = "[".repeat(1_000) + &"]".repeat(1_000);
    assert_refused(&sandbox, &["signal", "r", "go", &deep], "RE-1001");
}

/// One who asks for its whole checklist, and one who only lists it; and a phase that asks for all of its own.
const TICKED: &str = "name: ticked
phases: {ship: {approve: after, checklist: [Was it sent?], require_checklist: true}}
steps:
  - {id: a, run: 'true', approve: before, checklist: [Is it built?, Is it signed?], require_checklist: true}
  - {id: b, run: 'true', approve: before, checklist: [Is it late?, Is it dear?], phase: ship}
";

#[test]
fn a_grant_before_the_whole_checklist_is_ticked_is_refused_and_says_how_it_is() {
    let (sandbox, report) = waiting(TICKED);
    let id = first(&report);
    let asked = &report["waiting_for"][0];
    assert_eq!((&asked["unticked"], &asked["require_checklist"]), (&serde_json::json!([1, 2]), &true.into()));
    let shown = sandbox.reenact(&["status", "r"]).stdout;
    assert!(shown.contains(&format!("  tick:   reenact approve r {id} --check 1,2")), "{shown}");
    // A grant would be refused: it is told of when it would not be.
    assert!(!shown.contains("grant:"), "{shown}");

    let hint = assert_refused(&sandbox, &["approve", "r", "a"], "RE-2019");
    assert_eq!(hint, format!("look at each, then `reenact approve r {id} --check 1,2` ticks them"));
    sandbox.json(0, &["approve", "r", "a", "--check", "2", "--by", "bob"]);
    let refused = sandbox.reenact(&["approve", "r", "a"]);
    assert_eq!(refused.code(), Some(2), "{refused}");
    assert!(refused.stderr.contains("and 1 point is not: 1. Is it built?"), "{refused}");
    assert!(refused.stderr.contains(&format!("`reenact approve r {id} --check 1`")), "{refused}");
    sandbox.json(0, &["approve", "r", "a", "--check", "1"]);
    assert!(sandbox.reenact(&["status", "r"]).stdout.contains(&format!("grant:  reenact approve r {id}\n")));
    assert_eq!(sandbox.json(0, &["approve", "r", "a"])["unticked"], serde_json::Value::Null);

    // What need not be ticked is told, and granted.
    sandbox.json(4, &["resume", "r"]);
    sandbox.json(0, &["approve", "r", "b", "--check", "1"]);
    let granted = sandbox.reenact(&["approve", "r", "b"]);
    assert_eq!(granted.code(), Some(0), "{granted}");
    assert!(granted.stdout.contains("granted with this unticked in `b`: 2. Is it dear?\n"), "{granted}");

    // A phase as well.
    sandbox.json(4, &["resume", "r"]);
    assert_refused(&sandbox, &["approve", "r", "ship"], "RE-2019");
    sandbox.json(0, &["approve", "r", "ship", "--check", "1"]);
    sandbox.json(0, &["approve", "r", "ship", "--resume"]);
}

#[test]
fn a_program_is_told_which_points_nobody_ticked() {
    let (sandbox, report) = waiting(RELEASE);
    let granted = sandbox.json(0, &["approve", "r", "publish", "--by", "ada"]);
    let (request, step) = (first(&report), "publish");
    let point = |point: u32, says: &str| serde_json::json!({"request": request, "step": step, "point": point, "says": says});
    let both = serde_json::json!([point(1, "Is it built?"), point(2, "Is it signed?")]);
    assert_eq!(granted["unticked"], both);
}
