//! What a run asks people, what they answer, and how it waits for them.

use std::time::Duration;

use super::exit;
use super::play::{Play, order};
use crate::aggregates::run::{Ask, RunEffect, RunStatus};
use crate::events::json::{Json, Payload};
use crate::events::problem::{Class, Code};
use crate::events::run::RunEvent;
use crate::kernel::Aggregate;

/// Somebody grants what a step asks.
pub(super) fn approve(request: &str, by: &str) -> Ask {
    Ask::Approve { request: request.to_owned(), by: by.into(), note: None, edits: None, hash: None }
}

pub(super) fn edit(request: &str, by: &str, edits: &str) -> Ask {
    let edits = Some(Json::parse(edits).unwrap().into());
    Ask::Approve { request: request.to_owned(), by: by.into(), note: None, edits, hash: None }
}

pub(super) fn reject(request: &str) -> Ask {
    Ask::Reject { request: request.to_owned(), by: "ada".into(), reason: "no".to_owned() }
}

pub(super) fn signal(name: &str, data: &str) -> Ask {
    Ask::Signal { name: name.into(), data: Json::parse(data).unwrap(), by: "ada".into() }
}

const GATED: &str = "
name: gated
steps:
  - {id: build, run: make}
  - {id: publish, agent: publisher, with: {version: '1', to: {host: a}}, approve: before, retry: {attempts: 2, initial: 1s, jitter: 0}}
  - {id: tell, run: 'echo {{ steps.publish.output }}'}";

fn request_of(play: &Play, step: &str) -> String {
    let open = play.state().open().into_iter().find_map(|effect| match effect {
        RunEffect::Ask { request, step: asks } if asks.as_str() == step => Some(request.to_string()),
        _ => None,
    });
    open.unwrap_or_else(|| panic!("`{step}` asks for nothing"))
}

#[test]
fn a_step_that_needs_an_approval_starts_when_it_is_granted_and_does_exactly_what_was_asked() {
    let mut play = Play::eager(GATED);
    assert_eq!(play.complete("build", "1"), ["step_completed build", "approval_requested publish"]);
    assert_eq!(play.state().status(), RunStatus::Waiting);
    assert!(!play.state().wants_driving());
    assert_eq!((play.status("publish"), play.status("tell")), ("waiting", "pending"));
    let request = request_of(&play, "publish");
    assert_eq!(play.ask(Ask::Go), [""; 0]);
    assert_eq!(play.recover(), [""; 0], "a crash changes nothing: what was done is not done again");

    assert_eq!(play.ask(approve(&request, "ada")), ["approval_granted", "attempt_started publish"]);
    let asked = play.log.iter().find_map(|event| match event {
        RunEvent::ApprovalRequested(asked) => Some(asked.clone()),
        _ => None,
    });
    let Payload::Inline(what) = asked.unwrap().what else { unreachable!() };
    assert_eq!(what.value()["work"], play.work("publish"));
    assert_eq!(play.refused(approve(&request, "ben")), Code::RequestClosed);
    assert_eq!(play.refused(reject(&request)), Code::RequestClosed);
    assert_eq!(play.refused(approve("0123456789ab", "ben")), Code::UnknownRequest);

    // A retry is of what was granted.
    play.fail("publish", exit(Class::Transient));
    assert_eq!(play.sleep(Duration::from_secs(1)), ["timer_fired", "attempt_started publish"]);
    play.complete("publish", "2");
    play.complete("tell", "3");
    assert_eq!(play.result(), (RunStatus::Completed, false));
}

#[test]
fn an_answer_may_change_the_arguments() {
    let mut play = Play::eager(GATED);
    play.complete("build", "1");
    assert_eq!(play.refused(edit("publish", "ada", "3")), Code::CannotEdit);
    assert_eq!(play.ask(edit("publish", "ada", r#"{"to": {"port": 1}, "version": "2"}"#)).len(), 2);
    let with = &play.work("publish")["with"];
    assert_eq!(*with, serde_json::json!({"version": "2", "to": {"host": "a", "port": 1}}));

    let mut play = Play::eager("name: w\nsteps: [{id: a, run: x, approve: before}]");
    assert_eq!(play.refused(edit("a", "ada", "{\"x\": 1}")), Code::CannotEdit);
    assert_eq!(play.ask(approve("a", "ada")), ["approval_granted", "attempt_started a"]);
}

#[test]
fn several_people_have_to_grant_the_same_and_a_change_voids_what_was_granted() {
    let mut play = Play::eager(
        "name: w\nsteps: [{id: a, agent: x, approve: before, approvers: [ada, ben, cy], approvals: 2}]",
    );
    assert_eq!(play.refused(approve("a", "dan")), Code::NotAnApprover);
    assert_eq!(play.ask(approve("a", "ada")), ["approval_granted"]);
    assert_eq!(play.refused(approve("a", "ada")), Code::RequestClosed);
    assert_eq!(play.ask(edit("a", "ben", "{\"x\": 1}")), ["approval_granted"]);
    assert_eq!(play.state().status(), RunStatus::Waiting, "ada granted something else");
    assert_eq!(play.ask(approve("a", "ada")), ["approval_granted", "attempt_started a"]);
    assert_eq!(play.work("a")["with"], serde_json::json!({"x": 1}));
}

#[test]
fn a_refused_step_has_failed_and_a_retry_asks_again() {
    let mut play = Play::eager(GATED);
    play.complete("build", "1");
    let first = request_of(&play, "publish");
    assert_eq!(
        play.ask(reject("publish")),
        ["approval_refused", "step_failed publish", "run_failed publish"]
    );
    assert_eq!(play.refused(approve(&first, "ada")), Code::RequestClosed);
    assert_eq!(play.retry(), ["retry_requested", "approval_requested publish"]);
    assert_ne!(request_of(&play, "publish"), first);

    let optional = GATED.replace("approve: before,", "approve: before, optional: true,");
    let mut play = Play::eager(&optional);
    play.complete("build", "1");
    assert_eq!(
        play.ask(reject("publish")),
        ["approval_refused", "step_skipped publish", "step_skipped tell", "run_completed"]
    );
    assert_eq!(play.result(), (RunStatus::Completed, true));
}

#[test]
fn a_request_that_nobody_answers_in_time_is_refused_by_itself_and_time_does_not_count_while_it_is_open() {
    let mut play = Play::start_limited(
        "name: w\nsteps: [{id: a, run: x, approve: before, expires: 1h}, {id: b, run: y}]",
        Duration::from_secs(60),
    );
    assert_eq!(play.state().status(), RunStatus::Waiting);
    assert_eq!(play.sleep(Duration::from_secs(3_599)), [""; 0]);
    assert!(!play.state().is_too_late(play.now));
    assert_eq!(play.state().wakes_at(), None, "nobody has to be there for it");
    let before = play.now;
    play.now = before.after(Duration::from_secs(1));
    assert_eq!(play.refused(approve("a", "ada")), Code::RequestClosed, "nobody was there to record it");
    assert_eq!(play.refused(reject("a")), Code::RequestClosed);
    play.now = before;
    let wanted = ["timer_fired", "approval_expired", "step_failed a", "run_failed a"];
    assert_eq!(play.sleep(Duration::from_secs(1)), wanted);

    let mut play = Play::start_limited(
        "name: w\nsteps: [{id: a, run: x, approve: before}, {id: b, run: y}]",
        Duration::from_secs(60),
    );
    play.now = play.now.after(Duration::from_secs(3_600));
    play.ask(approve("a", "ada"));
    assert_eq!(play.sleep(Duration::from_secs(59)), [""; 0]);
    assert_eq!(play.sleep(Duration::from_secs(1)), ["timer_fired"], "its own minute is over");
}

const AFTER: &str = "
name: after
steps:
  - {id: draft, agent: writer, approve: after, compensate: {run: undo}}
  - {id: send, run: 'send {{ steps.draft.output.text }}'}";

#[test]
fn what_a_step_answered_can_be_approved_changed_and_refused() {
    let mut play = Play::eager(AFTER);
    let done = play.complete("draft", r#"{"text": "a", "n": 1}"#);
    assert_eq!(done, ["approval_requested draft", "step_completed draft"]);
    assert_eq!((play.status("draft"), play.state().status()), ("waiting", RunStatus::Waiting));
    assert_eq!(
        play.ask(edit("draft", "ada", r#"{"text": "b"}"#)),
        ["approval_granted", "attempt_started send"]
    );
    assert_eq!(play.work("send")["run"], "send 'b'");

    let mut play = Play::eager(AFTER);
    play.complete("draft", "{\"text\": \"a\"}");
    let refused = play.ask(reject("draft"));
    let wanted = [
        "approval_refused",
        "step_failed draft",
        "rollback_started",
        "compensation_started draft",
        "attempt_started undo draft",
    ];
    assert_eq!(refused, wanted, "what it did is undone");
    play.complete("draft", "1");
    assert_eq!(play.state().status(), RunStatus::Compensated);
}

#[test]
fn work_that_was_refused_is_not_done_again_by_a_retry() {
    let mut play = Play::eager(&format!("{AFTER}\non_failure: stop"));
    play.complete("draft", "{\"text\": \"a\"}");
    play.ask(reject("draft"));
    assert_eq!(play.state().status(), RunStatus::Failed);
    assert_eq!(play.retry(), ["retry_requested", "approval_requested draft"]);
    assert_eq!(play.ask(approve("draft", "ada")), ["approval_granted", "attempt_started send"]);
    assert_eq!(play.work("send")["run"], "send 'a'");
}

#[test]
fn a_request_about_an_output_is_withdrawn_when_the_run_fails_and_made_again_by_a_retry() {
    let mut play = Play::eager(&format!("{AFTER}\n  - {{id: other, run: x, needs: []}}\non_failure: stop"));
    play.complete("draft", "{\"text\": \"a\"}");
    let first = request_of(&play, "draft");
    play.fail("other", exit(Class::Validation));
    assert_eq!(play.state().status(), RunStatus::Failed);
    assert_eq!(play.refused(approve(&first, "ada")), Code::RequestClosed);
    let again = play.retry();
    assert_eq!(again, ["retry_requested", "approval_requested draft", "attempt_started other"]);
    assert_ne!(request_of(&play, "draft"), first);
}

#[test]
fn several_requests_are_open_at_once_and_answered_in_any_order_or_by_their_phase() {
    let text = "name: w\nsteps: [{id: a, run: x, approve: before, needs: [], phase: ship}, {id: b, run: x, approve: before, needs: [], phase: ship}, {id: c, run: x, approve: before, needs: []}]";
    let mut play = Play::eager(text);
    assert_eq!(play.ask(approve("c", "ada")), ["approval_granted", "attempt_started c"]);
    assert_eq!(play.ask(approve("a", "ada")), ["approval_granted", "attempt_started a"]);
    assert_eq!(
        play.ask(approve("ship", "ada")),
        ["approval_granted", "attempt_started b"],
        "only what is open"
    );
    assert_eq!(play.refused(approve("ship", "ada")), Code::RequestClosed);
}

#[test]
fn points_of_the_checklist_are_recorded_and_grant_nothing() {
    let mut play = Play::eager("name: w\nsteps: [{id: a, run: x, approve: before, checklist: [one, two]}]");
    let check =
        |points: &[u32]| Ask::Check { request: "a".to_owned(), by: "ada".into(), points: points.to_vec() };
    assert_eq!(play.ask(check(&[2])), ["approval_checked"]);
    assert_eq!(play.refused(check(&[3])), Code::UnknownRequest);
    assert_eq!(play.refused(check(&[0])), Code::UnknownRequest);
    assert_eq!(play.state().status(), RunStatus::Waiting);
}

#[test]
fn a_grant_counts_only_when_the_whole_checklist_is_ticked_that_has_to_be() {
    let text = "name: w
steps:
  - {id: a, run: x, approve: before, checklist: [one, two], require_checklist: true, approvals: 2}";
    let mut play = Play::eager(text);
    let check = |point| Ask::Check { request: "a".to_owned(), by: "ada".into(), points: vec![point] };
    let refused = |play: &Play| play.refusal(&approve("a", "ada")).unwrap();
    let of_both = refused(&play);
    assert_eq!(of_both.code, Code::NotTicked);
    assert!(of_both.message.ends_with("2 points are not: 1. one; 2. two"), "{}", of_both.message);
    play.ask(check(2));
    assert!(refused(&play).message.ends_with("1 point is not: 1. one"));
    // Who ticks a point and who grants need not be one.
    play.ask(check(1));
    assert_eq!(play.ask(approve("a", "bob")), ["approval_granted"]);
    assert_eq!(play.ask(approve("a", "ada")), ["approval_granted", "attempt_started a"]);
}

#[test]
fn points_that_nobody_has_ticked_are_known_of_the_newest_request_of_each_step() {
    let mut play = Play::eager("name: w\nsteps: [{id: a, run: x, approve: before, checklist: [one, two]}]");
    play.ask(Ask::Check { request: "a".to_owned(), by: "ada".into(), points: vec![1] });
    play.ask(approve("a", "ada"));
    let unticked = play.state().unticked("a");
    assert_eq!(unticked.len(), 1);
    assert_eq!((unticked[0].point, &*unticked[0].says), (2, "two"));
    assert_eq!(play.state().unticked("b"), []);
}

#[test]
fn a_paused_run_takes_answers_and_starts_nothing() {
    let mut play = Play::eager(GATED);
    play.complete("build", "1");
    play.ask(Ask::Pause(order()));
    assert_eq!(play.ask(approve("publish", "ada")), ["approval_granted"]);
    assert_eq!(play.ask(Ask::Unpause(order())), ["run_unpaused", "attempt_started publish"]);
}

#[test]
fn a_fan_out_asks_once_and_does_the_items_that_were_granted() {
    let mut play =
        Play::eager("name: w\nsteps: [{id: a, for_each: [1, 2], run: 'x {{ item }}', approve: before}]");
    assert_eq!(play.state().status(), RunStatus::Waiting);
    let started = play.ask(approve("a", "ada"));
    assert_eq!(
        started,
        [
            "approval_granted",
            "step_added a[0]",
            "step_added a[1]",
            "attempt_started a[0]",
            "attempt_started a[1]"
        ]
    );
    let mut play =
        Play::eager("name: w\nsteps: [{id: a, for_each: [1], run: x, approve: after}, {id: b, run: y}]");
    assert_eq!(
        play.complete("a[0]", "1"),
        ["step_completed a[0]", "approval_requested a", "step_completed a"]
    );
    assert_eq!(play.ask(approve("a", "ada")), ["approval_granted", "attempt_started b"]);
}

#[test]
fn signals_are_taken_by_those_that_wait_and_kept_for_those_that_will() {
    let text = "name: w\nsteps: [{id: a, run: x, needs: []}, {id: first, wait_for: go, needs: []}, {id: second, wait_for: go, needs: [a]}, {id: b, run: 'y {{ steps.second.output.n }}'}]";
    let mut play = Play::eager(text);
    assert_eq!(play.state().status(), RunStatus::Running);
    assert_eq!(play.ask(signal("other", "0")), ["signal_received"]);
    assert_eq!(play.ask(signal("go", "{\"n\": 1}")), ["signal_received", "step_completed first"]);
    assert_eq!(play.ask(signal("go", "{\"n\": 2}")), ["signal_received"]);
    let done = play.complete("a", "1");
    assert_eq!(
        done,
        ["step_completed a", "signal_awaited second", "step_completed second", "attempt_started b"]
    );
    assert_eq!(play.work("b")["run"], "y '2'");
    play.complete("b", "1");
    assert_eq!(play.result(), (RunStatus::Completed, false));
    assert_eq!(play.refused(signal("go", "1")), Code::RunEnded);
}

#[test]
fn a_signal_that_does_not_come_in_time_is_a_failure() {
    let mut play = Play::eager(
        "name: w\nsteps: [{id: a, wait_for: go, timeout: 1m, on_error: continue}, {id: b, run: x}]",
    );
    assert_eq!(play.state().status(), RunStatus::Waiting);
    let late = play.sleep(Duration::from_secs(60));
    assert_eq!(late, ["timer_fired", "step_failed a", "attempt_started b"]);
    assert_eq!(play.ask(signal("go", "1")), ["signal_received"], "nobody waits for it any more");
}

#[test]
fn what_waits_for_people_is_cancelled_with_its_run() {
    let mut play = Play::eager(
        "name: w\nsteps: [{id: a, run: x, approve: before, needs: []}, {id: s, wait_for: go, needs: []}]",
    );
    let request = request_of(&play, "a");
    let ended = play.ask(Ask::Cancel { order: order(), rollback: false });
    assert_eq!(ended, ["cancel_requested", "step_cancelled a", "step_cancelled s", "run_cancelled"]);
    assert_eq!(play.refused(approve(&request, "ada")), Code::RequestClosed);
    assert_eq!(play.state().open(), []);
}

#[test]
fn a_stand_in_needs_an_approval_of_its_own() {
    let mut play = Play::eager(
        "name: w\nsteps: [{id: a, agent: x, prompt: p, approve: before, fallback: {agent: y, prompt_suffix: ' only'}}]",
    );
    play.ask(approve("a", "ada"));
    let fallen = play.fail("a", exit(Class::Validation));
    assert_eq!(fallen, ["attempt_failed a", "fallback_engaged a", "approval_requested a"]);
    play.ask(approve("a", "ada"));
    assert_eq!((play.open("a").agent.as_str(), play.work("a")["prompt"].as_str()), ("y", Some("p only")));
    play.complete("a", "1");
    assert_eq!(play.result(), (RunStatus::Completed, true));
}

#[test]
fn what_is_cancelled_while_it_was_asked_about_owes_nothing() {
    let mut play = Play::eager(
        "name: w\nsteps: [{id: a, run: x, approve: before, compensate: {run: undo}, needs: []}, {id: b, run: y, needs: []}]",
    );
    play.fail("b", exit(Class::Validation));
    assert_eq!(play.state().status(), RunStatus::Failed);
}

#[test]
fn a_list_of_answers_is_approved_though_the_schema_is_that_of_each() {
    let mut play = Play::eager(
        "name: w\nsteps: [{id: a, for_each: [1], run: x, schema: {type: object}, approve: after}]",
    );
    play.complete("a[0]", "{}");
    assert_eq!(play.ask(approve("a", "ada")), ["approval_granted", "run_completed"]);
}

/// A signal was taken seconds after the wait for it was over, because nobody had been there to record that: a late
/// approval was refused, and a late signal was not.
#[test]
fn a_signal_that_comes_when_the_time_for_it_is_over_is_refused() {
    let mut play = Play::eager(
        "name: w\nsteps: [{id: a, wait_for: go, timeout: 1h, needs: []}, {id: b, wait_for: go, timeout: 2h, needs: []}]",
    );
    let start = play.now;
    (play.now, play.driven_since) = (start.after(Duration::from_secs(3_600)), None);
    assert_eq!(play.state().status(), RunStatus::Waiting);
    assert!(play.state().is_too_late(play.now));
    assert_eq!(
        play.ask(signal("go", "1")),
        ["signal_received", "step_completed b"],
        "`a` has waited long enough"
    );
    play.now = start.after(Duration::from_secs(7_200));
    let refusal = play.refusal(&signal("go", "2")).unwrap();
    assert_eq!(refusal.code, Code::RequestClosed, "{refusal:?}");
    assert!(refusal.message.contains("`a`") && refusal.message.contains("`go`"), "{refusal:?}");
    assert_eq!(play.ask(signal("other", "1")), ["signal_received"], "nobody waits for that one");

    let mut play = Play::eager("name: w\nsteps: [{id: a, wait_for: go, timeout: 1h}]");
    play.now = play.now.after(Duration::from_millis(3_599_999));
    assert_eq!(play.ask(signal("go", "1"))[..2], ["signal_received", "step_completed a"], "just in time");
    let mut play = Play::eager("name: w\nsteps: [{id: a, wait_for: go, timeout: 1h}]");
    (play.now, play.driven_since) = (play.now.after(Duration::from_secs(3_600)), None);
    play.ask(Ask::Pause(order()));
    assert_eq!(play.refused(signal("go", "1")), Code::RequestClosed, "time runs while the run is paused");
}

#[test]
fn a_signal_that_a_step_waits_for_comes_through_however_many_are_kept() {
    let mut play = Play::eager("name: w\nsteps: [{id: a, wait_for: go}]");
    for _ in 0..1_000 {
        play.ask(signal("other", "0"));
    }
    assert_eq!(play.refused(signal("other", "0")), Code::Busy);
    assert_eq!(play.ask(signal("go", "1")), ["signal_received", "step_completed a", "run_completed"]);
}

#[test]
fn a_run_that_is_stuck_takes_no_answers_for_what_a_rollback_keeps() {
    let mut play = Play::eager(
        "name: w
on_failure: stop
steps:
  - {id: a, run: x, needs: []}
  - {id: b, run: x, needs: [a], compensate: {run: undo, retry: {attempts: 1}}}
  - {id: gated, run: x, needs: [], approve: before, checklist: [one]}",
    );
    play.complete("a", "1");
    play.complete("b", "1");
    play.roll_back(Some("a"));
    play.fail("b", exit(Class::Validation));
    assert_eq!(play.state().status(), RunStatus::Stuck);
    for ask in [
        approve("gated", "ada"),
        reject("gated"),
        Ask::Check { request: "gated".to_owned(), by: "ada".into(), points: vec![1] },
    ] {
        assert_eq!(play.refused(ask), Code::RunEnded);
    }
    play.resolve("b", crate::events::run::Resolution::Done);
    assert_eq!(play.ask(approve("gated", "ada")), ["approval_granted"]);
}

#[test]
fn nothing_is_asked_by_a_run_that_fails_while_it_goes_on() {
    let mut play = Play::eager(
        "name: w
on_failure: stop
steps:
  - {id: poll, run: x, needs: [], repeat: {until: output.no.such, max: 3}}
  - {id: draft, run: y, needs: [], approve: after}",
    );
    play.complete("draft", "1");
    play.complete("poll#1", "{}");
    assert_eq!(play.state().status(), RunStatus::Failed);
    play.retry();
    assert_eq!(play.state().status(), RunStatus::Failed);
    assert_eq!(play.refused(approve("draft", "ada")), Code::RequestClosed);
}
