//! Compensations with types.

use std::sync::{Arc, Mutex};

use reenact::prelude::*;
use serde::{Deserialize, Serialize};

use super::kit::current_thread;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Reservation {
    seat: u32,
}

type Undone = Arc<Mutex<Vec<(String, Undo<Reservation>)>>>;

/// Runs steps, the last of which fails; answers the outcome, and what was undone of which step.
fn run(steps: &str) -> (Outcome, Vec<(String, Undo<Reservation>)>) {
    let undone = Undone::default();
    let seen = Arc::clone(&undone);
    let outcome = current_thread(async move {
        let engine = Engine::in_memory()
            .function("reserve", |seat: u32| async move { Ok::<_, Failure>(Reservation { seat }) })
            .function("hang", std::future::pending::<Result<Reservation, Failure>>)
            .function("refuse", || async {
                Err::<(), _>(Failure::new(Code::FunctionFailed, "sold out").class(Class::Validation))
            })
            .compensation("release", move |undo: Undo<Reservation>, call: FunctionCall| {
                seen.lock().unwrap().push((call.task.step.to_string(), undo));
                async { Ok::<_, Failure>(()) }
            })
            .start()
            .await
            .unwrap();
        let run = engine.run(RunSpec::text(format!("name: trip\nsteps:\n{steps}"))).await.unwrap();
        let outcome = run.outcome().await.unwrap();
        engine.shut_down().await.unwrap();
        outcome
    });
    let undone = undone.lock().unwrap().clone();
    (outcome, undone)
}

#[test]
fn a_compensation_gets_the_output_of_a_step_that_completed() {
    let (outcome, undone) = run("  - {id: train, agent: reserve, with: 7, compensate: {agent: release}}
  - {id: hotel, agent: refuse}");
    let Outcome::Compensated(Some(why)) = outcome else { panic!("{outcome:?}") };
    assert_eq!((why.message.as_str(), why.step.unwrap().as_str()), ("sold out", "hotel"));
    assert_eq!(undone, [("train".to_owned(), Undo::Completed(Reservation { seat: 7 }))]);
}

#[test]
fn a_compensation_is_told_that_nobody_knows_how_far_a_step_came() {
    let (outcome, undone) = run("  - {id: train, agent: hang, timeout: 20ms, compensate: {agent: release}}");
    assert!(matches!(&outcome, Outcome::Compensated(Some(why)) if why.code == Code::TimedOut), "{outcome:?}");
    assert_eq!(undone, [("train".to_owned(), Undo::Unknown)]);
}

#[test]
fn a_compensation_that_cannot_read_the_output_of_its_step_leaves_the_run_stuck() {
    let (outcome, undone) = run("  - {id: odd, run: [echo, no seat], compensate: {agent: release}}
  - {id: hotel, agent: refuse}");
    let Outcome::Stuck(why) = outcome else { panic!("{outcome:?}") };
    assert_eq!((why.code, why.class), (Code::FunctionInput, Class::Validation), "{why}");
    assert_eq!(undone, []);
}

#[test]
fn a_compensation_that_is_asked_to_do_a_step_fails_it() {
    let (outcome, undone) = run("  - {id: odd, agent: release}");
    assert!(matches!(&outcome, Outcome::Failed(why) if why.code == Code::FunctionInput), "{outcome:?}");
    assert_eq!(undone, []);
}
