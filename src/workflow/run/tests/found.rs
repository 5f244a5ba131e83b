//! What the generated crash test found, each as the smallest story that shows it.

use super::exit;
use super::people::{approve, reject};
use super::play::Play;
use crate::events::problem::{Class, Code};
use crate::events::run::RunEvent;
use crate::workflow::aggregate::Aggregate;
use crate::workflow::run::{Ask, RunEffect, RunStatus};

/// Whether people are asked anything.
fn asks(play: &Play) -> bool {
    play.state().open().iter().any(|effect| matches!(effect, RunEffect::Ask { .. }))
}

/// A compensation was given null for `{{ output }}` where people had refused what the step answered.
#[test]
fn what_undoes_a_refused_answer_is_told_that_answer() {
    let mut play = Play::start(
        "name: w\nsteps: [{id: a, agent: x, approve: after, compensate: {agent: x, with: {undo: '{{ output }}'}}}]",
    );
    play.complete("a", "{\"x\": 1}");
    play.ask(reject("a"));
    assert_eq!(play.work("a"), serde_json::json!({ "with": { "undo": { "x": 1 } } }));
}

/// A step that came through while its run was about to fail asked for approval of what it answered, and went on asking
/// when the run had ended: a grant was no legal event then.
#[test]
fn nobody_is_asked_about_the_answer_of_a_step_whose_run_is_about_to_end() {
    let mut play = Play::eager(
        "name: w\nsteps: [{id: a, run: 'true', needs: []}, {id: b, run: 'true', needs: [], approve: after}]",
    );
    play.fail("a", exit(Class::Validation));
    assert_eq!(play.complete("b", "1"), ["approval_requested b", "step_completed b", "run_failed a"]);
    assert!(!asks(&play));
    assert_eq!(play.refused(approve("b", "ada")), Code::RequestClosed);
    assert_eq!(play.retry(), ["retry_requested", "approval_requested b", "attempt_started a"]);
    assert_eq!(play.ask(approve("b", "ada")), ["approval_granted"]);
}

/// A step that was told to stop by a rollback and came through all the same was never undone if there was more to be
/// said or done about it.
#[test]
fn what_comes_through_while_the_run_is_undone_is_undone_whatever_is_open_about_it() {
    for (approve, output) in
        [("approve: after, ", "1"), ("", "{\"add_steps\": [{\"id\": \"p\", \"run\": \"true\"}]}")]
    {
        let step = format!("{{id: a, run: 'true', {approve}compensate: {{run: undo}}}}");
        let mut play = Play::start(&format!("name: w\nsteps: [{step}]"));
        play.roll_back(None);
        play.complete("a", output);
        assert!(matches!(play.log.last(), Some(RunEvent::AttemptStarted(_))), "{output}: {:?}", play.log);
        assert_eq!(play.complete("a", "1"), ["step_compensated a", "run_compensated"]);
        assert!(!asks(&play));
        assert_eq!(play.state().status(), RunStatus::Compensated);
    }
}
