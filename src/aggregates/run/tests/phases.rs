//! People are asked about whole phases.

use std::time::Duration;

use super::exit;
use super::people::{approve, edit, reject};
use super::play::{Play, order};
use crate::aggregates::run::{Ask, RunStatus};
use crate::events::problem::{Class, Code};
use crate::events::run::RunEvent;
use crate::kernel::Blobs;
use crate::workflow::approval::{ApprovalSubject, SubjectStep};

const AFTER: &str = "
name: w
on_failure: stop
phases: {build: {approve: after, approvers: [ada, ben], expires: 1h}}
steps:
  - {id: first, run: x, compensate: {run: undo}}
  - {id: a, run: x, phase: build, compensate: {run: undo}}
  - {id: b, needs: [first], for_each: [1, 2], run: x, phase: build, compensate: {run: undo}}
  - {id: c, needs: [a], if: 'false', run: x, phase: build}
  - {id: beside, needs: [first], run: x}
  - {id: after, needs: [a], run: x}";

/// The subject of the newest request, be it open or not.
fn asked(play: &Play) -> ApprovalSubject {
    let what = play.log.iter().rev().find_map(|event| match event {
        RunEvent::ApprovalRequested(asked) => Some(asked.what.clone()),
        _ => None,
    });
    let what = play.run.as_ref().unwrap().blobs().json(&what.unwrap()).unwrap();
    serde_json::from_str(what.text()).unwrap()
}

fn rows(asked: &ApprovalSubject) -> Vec<(String, String, u32, Option<String>)> {
    let row =
        |row: &SubjectStep| (row.step.to_string(), row.status.clone(), row.attempts, row.output.clone());
    asked.phase.as_ref().unwrap().steps.iter().map(row).collect()
}

fn row(
    step: &str,
    status: &str,
    attempts: u32,
    output: Option<&str>,
) -> (String, String, u32, Option<String>) {
    (step.to_owned(), status.to_owned(), attempts, output.map(str::to_owned))
}

fn done(yaml: &str) -> Play {
    let mut play = Play::eager(yaml);
    play.complete_all(&["first", "a", "b[0]", "beside"]);
    assert_eq!(play.state().status(), RunStatus::Running, "an item is left");
    assert_eq!(play.status("after"), "pending");
    let last = play.complete("b[1]", "2");
    assert_eq!(
        last,
        [
            "step_completed b[1]",
            "step_completed b",
            "approval_requested phase:build",
            "step_completed phase:build"
        ]
    );
    play
}

#[test]
fn when_all_of_a_phase_is_done_with_people_are_asked_once_and_what_needs_any_of_it_waits() {
    let mut play = done(AFTER);
    assert_eq!(play.state().status(), RunStatus::Waiting);
    assert_eq!((play.status("after"), play.status("beside")), ("pending", "completed"));
    let what = asked(&play);
    assert_eq!(what.phase.as_ref().unwrap().name, "build");
    let expected = [
        row("a", "completed", 1, Some("1")),
        row("b", "completed", 0, Some("[1,2]")),
        row("b[0]", "completed", 1, Some("1")),
        row("b[1]", "completed", 1, Some("2")),
        row("c", "skipped", 0, None),
    ];
    assert_eq!(rows(&what), expected);
    assert_eq!(play.state().progress(), (7, 8), "what only asks is no step of anybody's");
    assert_eq!(play.recover(), [""; 0], "a crash changes nothing");
    assert_eq!(play.refused(approve("build", "cy")), Code::NotAnApprover);
    assert_eq!(play.refused(edit("build", "ada", "{\"x\": 1}")), Code::CannotEdit);
    assert_eq!(play.ask(approve("build", "ada")), ["approval_granted", "attempt_started after"]);
    assert_eq!(play.complete("after", "1"), ["step_completed after", "run_completed"]);
}

#[test]
fn a_phase_that_is_refused_or_not_answered_has_failed_and_all_of_it_is_undone() {
    let refused = ["approval_refused", "step_failed phase:build"];
    let rolls_back = AFTER.replace("on_failure: stop", "on_failure: rollback");
    let mut play = done(&rolls_back);
    let happened = play.ask(reject("build"));
    assert_eq!(happened[..2], refused);
    let mut undone = Vec::new();
    while let Some(undo) = play.attempts().first().cloned() {
        undone.push(undo.step.to_string());
        play.complete(undo.step.as_str(), "1");
    }
    undone[..3].sort();
    assert_eq!(undone, ["a", "b[0]", "b[1]", "first"]);
    assert_eq!(play.state().status(), RunStatus::Compensated);

    let mut play = done(AFTER);
    play.now = play.now.after(Duration::from_secs(3_600));
    assert_eq!(play.refused(approve("build", "ada")), Code::RequestClosed, "too late");
    let expired = play.sleep(Duration::ZERO);
    assert_eq!(
        expired,
        ["timer_fired", "approval_expired", "step_failed phase:build", "run_failed phase:build"]
    );
    let failed = play.log.iter().rev().find_map(|event| match event {
        RunEvent::RunFailed(failed) => Some(failed.class),
        _ => None,
    });
    assert_eq!(failed, Some(Class::Validation));
    assert_eq!(
        play.retry(),
        ["retry_requested", "approval_requested phase:build"],
        "nothing of it is done again"
    );
    assert_eq!(play.ask(approve("build", "ben")), ["approval_granted", "attempt_started after"]);
}

const BEFORE: &str = "
name: w
on_failure: stop
phases: {ship: {approve: before}}
steps:
  - {id: first, run: x}
  - {id: other, needs: [], run: x}
  - {id: a, needs: [first], run: 'x {{ steps.first.output }}', phase: ship}
  - {id: b, needs: [a], run: 'x {{ steps.a.output }}', phase: ship}
  - {id: c, needs: [other], run: x, phase: ship, compensate: {run: undo}}";

#[test]
fn before_a_phase_people_are_asked_once_and_see_what_is_known_of_it() {
    let mut play = Play::eager(BEFORE);
    assert_eq!(play.complete("first", "1"), ["step_completed first"], "another step of it needs `other`");
    assert_eq!(play.complete("other", "1"), ["step_completed other", "approval_requested phase:ship"]);
    let what = asked(&play);
    let expected = [row("a", "pending", 0, None), row("b", "pending", 0, None), row("c", "pending", 0, None)];
    assert_eq!(rows(&what), expected);
    let works: Vec<bool> = what.phase.unwrap().steps.iter().map(|step| step.work.is_some()).collect();
    assert_eq!(works, [true, false, true], "what `b` would do depends on `a`");
    let granted = play.ask(approve("ship", "ada"));
    assert_eq!(
        granted,
        ["approval_granted", "step_completed phase:ship", "attempt_started a", "attempt_started c"]
    );
    play.complete_all(&["a", "b", "c"]);
    assert_eq!(play.state().status(), RunStatus::Completed);

    let mut play = Play::eager(BEFORE);
    play.complete_all(&["first", "other"]);
    assert_eq!(play.ask(reject("ship"))[..2], ["approval_refused", "step_failed phase:ship"]);
    assert_eq!(play.status("a"), "pending");
    assert_eq!(play.retry(), ["retry_requested", "approval_requested phase:ship"]);
}

#[test]
fn a_phase_that_is_done_anew_is_asked_about_anew_and_one_that_is_kept_is_not() {
    let mut play = done(AFTER);
    play.ask(approve("build", "ada"));
    play.fail("after", exit(Class::Unknown));
    play.roll_back(Some("build"));
    assert_eq!(play.state().status(), RunStatus::Paused, "what was granted is kept");
    assert_eq!(play.ask(Ask::Unpause(order()))[1], "attempt_started after");
    play.fail("after", exit(Class::Unknown));
    play.roll_back(Some("first"));
    while let Some(undo) = play.attempts().first().cloned() {
        play.complete(undo.step.as_str(), "1");
    }
    let anew = play.ask(Ask::Unpause(order()));
    assert!(anew.contains(&"attempt_started a".to_owned()), "{anew:?}");
    play.complete_all(&["a", "b[0]", "b[1]", "beside"]);
    assert_eq!(play.state().status(), RunStatus::Waiting);
    assert_eq!(asked(&play).generation, 2);
    play.ask(approve("build", "ada"));
    play.complete("after", "1");
    assert_eq!(play.state().status(), RunStatus::Completed);
}

#[test]
fn a_step_of_a_phase_may_ask_too_and_then_the_phase_is_asked_about_after_it() {
    let mut play = Play::eager(
        "name: w\nphases: {build: {approve: after}}\nsteps: [{id: build, run: x, phase: build, approve: after}, {id: b, run: x}]",
    );
    assert_eq!(play.complete("build", "1")[0], "approval_requested build");
    assert_eq!(
        play.ask(approve("build", "ada")),
        ["approval_granted", "approval_requested phase:build", "step_completed phase:build"]
    );
    assert_eq!(
        play.refused(approve("build", "ada")),
        Code::RequestClosed,
        "a step's name wins over its phase's"
    );
    assert_eq!(play.ask(approve("phase:build", "ada")), ["approval_granted", "attempt_started b"]);

    let mut play = Play::eager(
        "name: w\nphases: {build: {approve: after}}\nsteps: [{id: build, run: x, phase: build}, {id: b, run: x}]",
    );
    play.complete("build", "1");
    assert_eq!(
        play.ask(approve("build", "ada"))[0],
        "approval_granted",
        "and hides nothing where it asks nothing"
    );
}

#[test]
fn a_plan_cannot_add_steps_to_a_phase_that_people_are_asked_about_unless_it_is_of_it() {
    let yaml = "
name: w
phases: {build: {approve: after}}
steps:
  - {id: a, run: x, phase: build}
  - {id: b, run: x}";
    let plan = r#"{"add_steps": [{"id": "more", "run": "x", "phase": "build"}]}"#;
    let mut play = Play::eager(yaml);
    assert_eq!(play.complete("a", plan)[0], "step_added a/more", "the phase is not done before it is");
    assert_eq!(play.state().status(), RunStatus::Running);
    play.complete("a/more", "2");
    let expected = [row("a", "completed", 1, None), row("a/more", "completed", 1, Some("2"))];
    let mut told = rows(&asked(&play));
    told[0].3 = None;
    assert_eq!(told, expected);
    play.ask(approve("build", "ada"));
    assert_eq!(play.complete("b", plan)[0], "attempt_failed b", "it was asked about as it was");
    let failed = play.log.iter().rev().find_map(|event| match event {
        RunEvent::AttemptFailed(failed) => Some((failed.code, failed.message.clone())),
        _ => None,
    });
    let (code, message) = failed.unwrap();
    assert_eq!(code, Code::BadPlan);
    assert!(message.contains("`more`") && message.contains("`build`"), "{message}");
}
