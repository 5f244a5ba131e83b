//! What no history gives is told as a contradiction, and never as a run that is not there.

use super::play::{Play, order};
use crate::aggregates::run::{Ask, Impossible, Run, RunEffect, RunRejection};
use crate::events::ids::StepId;
use crate::events::problem::{Code, Problem};
use crate::events::run::{Because, StepAdded};
use crate::kernel::Aggregate;

/// A run with a step that its definition does not know.
fn with_a_ghost() -> Play {
    let mut play = Play::start("steps: [{id: a, run: 'true'}]");
    let added = (*play.state().nodes().iter().next().unwrap().added).clone();
    let (step, template) = (StepId::grown("b"), StepId::grown("ghost"));
    let ghost = StepAdded { step, template, because: Because::Definition, needs: Vec::new(), ..added };
    play.run = play.run.take().map(|run| run.events([ghost.into()]));
    play
}

#[test]
fn a_step_that_the_definition_does_not_know_parks_the_run() {
    let play = with_a_ghost();
    let rejection = play.rejection(&Ask::Unpause(order())).unwrap();
    assert_eq!(rejection, Impossible::NoTemplate(StepId::grown("ghost")).into());
    assert!(Run::is_fatal(&rejection), "it cannot decide anything any more");
    assert_eq!(Run::problem(&rejection).code, Code::Impossible);
}

#[test]
fn only_a_run_that_has_not_begun_is_told_as_not_there() {
    let step = StepId::grown("a");
    let contradictions = [
        Impossible::NotBegun,
        Impossible::NoStep(7),
        Impossible::NoJson(7),
        Impossible::NoTemplate(step.clone()),
        Impossible::NoError(step.clone()),
        Impossible::NoCompensation(step.clone()),
        Impossible::NotTold(step),
    ];
    for contradiction in contradictions {
        let rejection = RunRejection::from(contradiction);
        assert_eq!((Run::problem(&rejection).code, Run::is_fatal(&rejection)), (Code::Impossible, true));
    }
    assert_eq!(Run::problem(&RunRejection::NotStarted).code, Code::UnknownRun);
    assert!(!Run::is_fatal(&RunRejection::NotStarted));
}

/// A parent took it for a child that never began, and counted the step as undone.
#[test]
fn a_child_that_contradicts_itself_is_not_one_that_never_began() {
    let mut play = Play::start("steps: [{id: c, workflow: child.yaml}]");
    play.complete("c", "1");
    play.roll_back(None);
    play.ask(Ask::Go);
    let undo = play.state().open().into_iter().find(|effect| matches!(effect, RunEffect::Child { .. }));
    let undo = undo.unwrap();
    let answered = |problem| Run::answered(&undo, Err(problem));
    let impossible = RunRejection::from(Impossible::NoStep(0)).problem();
    assert!(matches!(answered(impossible), Some(Ask::Failed { .. })));
    let gone = Problem::new(Code::UnknownRun, "there is no such run");
    assert!(matches!(answered(gone), Some(Ask::Completed { .. })), "there is nothing to undo");
}
