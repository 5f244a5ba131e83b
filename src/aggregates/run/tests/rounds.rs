//! How the rounds of a loop are undone.

use super::exit;
use super::play::Play;
use crate::aggregates::run::{Ask, Run, RunStatus};
use crate::events::ids::{AgentName, StepId};
use crate::events::problem::Class;
use crate::events::run::*;
use crate::testing::given;

const ROUNDS: &str = "
name: w
steps:
  - {id: first, run: 'true', compensate: {run: undo}}
  - {id: l, agent: a, repeat: {until: round == 3, max: 3}, compensate: {run: undo}}
  - {id: last, run: 'true'}";

fn failed_after_rounds() -> Play {
    let mut play = Play::start(ROUNDS);
    play.eager = true;
    play.complete("first", "1");
    play.complete("l#1", "1");
    play.complete("l#2", r#"{"add_steps": [{"id": "x", "run": "true", "compensate": {"run": "undo"}}]}"#);
    play.complete("l#2/x", "1");
    play.complete("l#3", "1");
    play
}

/// The docs said that rounds are undone the last first, and they were all undone at the same time.
#[test]
fn rounds_of_a_loop_are_undone_one_after_the_other_the_last_first_and_what_grew_in_one_before_it() {
    let mut play = failed_after_rounds();
    let groups = |play: &Play| {
        let order = play.state().rollback_plan(None).unwrap().order;
        order.iter().flatten().map(ToString::to_string).collect::<Vec<_>>()
    };
    let expected = ["l#3", "l#2/x", "l#2", "l#1", "first"];
    assert_eq!(groups(&play), expected);
    assert_eq!(play.state().rollback_plan(None).unwrap().order.len(), 5, "one after the other");
    play.fail("last", exit(Class::Unknown));
    let mut order = Vec::new();
    while let Some(undo) = play.attempts().first().cloned() {
        assert_eq!(play.attempts().len(), 1, "one after the other");
        order.push(undo.step.to_string());
        let (before, happened) = (play.now, play.complete(undo.step.as_str(), "1"));
        assert_eq!(play.now, before);
        // The slot of each passes on in one commit.
        let goes_on =
            happened.iter().any(|word| word.starts_with("attempt_started") || word == "run_compensated");
        assert!(goes_on, "{happened:?}");
    }
    assert_eq!(order, expected);
    assert_eq!(play.state().status(), RunStatus::Compensated);
}

#[test]
fn a_round_that_cannot_be_undone_keeps_those_before_it() {
    let once =
        ROUNDS.replace("run: undo}}\n  - {id: last", "run: undo, retry: {policy: none}}}\n  - {id: last");
    let mut play = Play::eager(&once);
    play.complete_all(&["first", "l#1", "l#2", "l#3"]);
    play.fail("last", exit(Class::Unknown));
    play.complete("l#3", "1");
    play.fail("l#2", exit(Class::Validation));
    assert_eq!(play.state().status(), RunStatus::Stuck);
    assert_eq!(play.status("l#1"), "completed");
    play.resolve("l#2", Resolution::Skip);
    play.ask(Ask::Go);
    play.complete_all(&["l#1", "first"]);
    assert_eq!(play.state().status(), RunStatus::Compensated);
}

#[test]
fn a_rollback_that_began_with_all_rounds_at_once_goes_on_so() {
    let mut play = failed_after_rounds();
    play.eager = false;
    play.fail("last", exit(Class::Unknown));
    let begun = play.log.iter().position(|event| matches!(event, RunEvent::RollbackStarted(_))).unwrap();
    let mut history = play.log[..begun].to_vec();
    let RunEvent::RollbackStarted(started) = &play.log[begun] else { unreachable!() };
    history.push(RollbackStarted { rounds: RoundOrder::AtOnce, ..started.clone() }.into());
    let started = |step: &str| {
        RunEvent::from(CompensationStarted {
            step: StepId::grown(step),
            agent: AgentName::new("shell"),
            outcome: Undoes::Completed,
        })
    };
    history.extend(["l#3", "l#2/x", "l#1"].map(started));
    // Each commit is read as it was written.
    let run = given::<Run>("run/r").at(play.now).events(history);
    let undone =
        |id: &str| run.state().nodes().iter().find(|node| node.id().as_str() == id).unwrap().status();
    assert_eq!((undone("l#1"), undone("l#3"), undone("l#2")), ("compensating", "compensating", "completed"));
}
