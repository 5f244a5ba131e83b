use std::sync::Arc;

use super::*;
use crate::events::ids::Fence;
use crate::events::json::Json;
use crate::events::problem::{Class, Code};
use crate::events::run::{AttemptFailed, AttemptLost, Outcome, StepCompensated, StepCompleted, Usage};

/// A reader without blobs: everything is inline.
struct NoBlobs;

impl Blobs for NoBlobs {
    fn read(&self, hash: &Hash) -> Result<Arc<[u8]>, Unreadable> {
        Err(Unreadable { hash: *hash, why: "there are none".to_owned() })
    }
}

fn step() -> StepId {
    StepId::grown("a")
}

fn started(purpose: Purpose, attempt: u32) -> RunEvent {
    RunEvent::AttemptStarted(AttemptStarted {
        purpose,
        step: step(),
        attempt,
        generation: 1,
        agent: AgentName::new("shell"),
        fence: Fence(u64::from(attempt)),
        idempotency_key: "key".into(),
        deadline: None,
        input: Payload::Inline(Json::parse(r#"{"prompt": "be brief"}"#).unwrap()),
    })
}

fn said(stdout: Written) -> Option<Payload> {
    let said = Transcript { stdout, stderr_cut: 7, exit_code: Some(0), ..Transcript::default() };
    Some(Payload::Inline(Json::of(&said).unwrap()))
}

fn failed(attempt: u32, stdout: &str) -> RunEvent {
    RunEvent::AttemptFailed(AttemptFailed {
        purpose: Purpose::Do,
        step: step(),
        attempt,
        class: Class::Unknown,
        code: Code::ExitUnknown,
        message: "exit 1".to_owned(),
        outcome: Outcome::Known,
        answered: None,
        usage: Usage::default(),
        transcript: said(Written::Text(stdout.to_owned())),
    })
}

/// One failed, one lost, one that completed; and one at undoing the step.
fn history() -> Vec<RunEvent> {
    let lost = AttemptLost { purpose: Purpose::Do, step: step(), attempt: 2, interrupted: false };
    let completed = StepCompleted {
        step: step(),
        attempt: 3,
        output: Payload::default(),
        artifacts: Vec::new(),
        usage: Usage::default(),
        cached: false,
        degraded: false,
        transcript: said(Written::Base64("/w==".to_owned())),
        said: None,
    };
    let compensated = StepCompensated {
        step: step(),
        attempt: 1,
        output: Payload::default(),
        usage: Usage::default(),
        transcript: said(Written::Text("undone".to_owned())),
    };
    vec![
        started(Purpose::Do, 1),
        failed(1, "one"),
        started(Purpose::Do, 2),
        lost.into(),
        started(Purpose::Do, 3),
        completed.into(),
        started(Purpose::Compensate, 1),
        compensated.into(),
    ]
}

fn found(history: Vec<RunEvent>, purpose: Purpose, attempt: Option<u32>) -> Option<AttemptReport> {
    let mut search = Search::new(step(), purpose, attempt);
    for (second, event) in history.into_iter().enumerate() {
        search.see(event, Timestamp(second as i64));
    }
    search.report(RunId::parse("r").unwrap(), &NoBlobs).unwrap()
}

#[test]
fn each_attempt_says_how_it_ended_and_what_was_said() {
    let first = found(history(), Purpose::Do, Some(1)).unwrap();
    assert_eq!((first.status.as_str(), first.stdout.as_deref()), ("failed", Some("one")));
    assert_eq!(first.error.unwrap().code, Code::ExitUnknown);
    assert_eq!((first.attempts, first.prompt.as_deref()), (3, Some("be brief")));
    assert_eq!((first.stdout_cut, first.stderr_cut), (None, Some(7)));
    let second = found(history(), Purpose::Do, Some(2)).unwrap();
    assert_eq!((second.status.as_str(), second.stdout, second.exit_code), ("lost", None, None));
}

#[test]
fn without_a_number_the_last_attempt_is_meant() {
    let last = found(history(), Purpose::Do, None).unwrap();
    assert_eq!((last.attempt, last.status.as_str()), (3, "completed"));
    assert_eq!((last.stdout, last.stdout_base64.as_deref()), (None, Some("/w==")));
}

#[test]
fn attempts_at_undoing_a_step_are_others() {
    let undo = found(history(), Purpose::Compensate, None).unwrap();
    assert_eq!((undo.attempt, undo.attempts, undo.stdout.as_deref()), (1, 1, Some("undone")));
}

#[test]
fn an_attempt_that_was_not_made_is_not_found_and_one_that_runs_has_said_nothing_yet() {
    assert_eq!(found(history(), Purpose::Do, Some(4)), None);
    let running = found(vec![started(Purpose::Do, 1)], Purpose::Do, None).unwrap();
    assert_eq!((running.status.as_str(), running.ended_at, running.stdout), ("running", None, None));
}
