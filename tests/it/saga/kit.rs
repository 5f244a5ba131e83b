//! The kit finds what is wrong with a workflow and its world, and says where.

use std::collections::BTreeSet;
use std::sync::Arc;

use reenact::events::json::Json;
use reenact::events::run::{ApprovalRequested, Purpose};
use reenact::testing::SagaTest;
use reenact::testing::world::{Failure, Output, Reply, Task, World, answer};

const BOOKING: &str = "
name: booking
steps:
  - {id: flight, agent: world, needs: [], retry: {attempts: 3}, compensate: {agent: world}}
  - {id: hotel, agent: world, needs: [], retry: {attempts: 3}, compensate: {agent: world, when: attempted}}
  - {id: pay, agent: world, needs: [flight, hotel], at_most_once: true}
";

/// Bookings: what each step did, less what was undone.
#[derive(Default, PartialEq)]
struct Bookings {
    held: BTreeSet<String>,
    paid: u32,
    /// Whether somebody forgot to look at the idempotency key.
    careless: bool,
}

impl World for Bookings {
    fn attempt(&mut self, task: &Task) -> Result<Output, Failure> {
        let step = task.step.to_string();
        match (step.as_str(), task.purpose) {
            ("pay", _) if self.careless => self.paid += 1,
            ("pay", _) => self.paid = 1,
            (_, Purpose::Do) => drop(self.held.insert(step)),
            (_, Purpose::Compensate) => drop(self.held.remove(&step)),
        }
        Ok(answer(&true))
    }
}

#[test]
fn a_sound_workflow_passes_whatever_is_injected() {
    let test = SagaTest::of_yaml(BOOKING).world(Bookings::default).seeds(3).invariant(|world, status| {
        let left = !world.held.is_empty();
        match status.text() {
            "compensated" | "failed" if left => Err(format!("{:?} is left", world.held)),
            _ => Ok(()),
        }
    });
    let failures = test.check_every_failure().unwrap();
    assert!(failures.statuses["compensated"] > 0 && failures.statuses["completed"] > 0, "{failures}");
    let crashes = test.check_every_crash().unwrap();
    assert!(crashes.injections > 30, "{crashes}");
    assert!(test.check_idempotent().unwrap().injections > 30);
}

const REVIEWED: &str = "
name: reviewed
steps:
  - {id: build, agent: world, compensate: {agent: world}}
  - {id: go, wait_for: go}
  - {id: ship, agent: world, approve: before, approvers: [ada, bob], approvals: 2, compensate: {agent: world}}
";

#[test]
fn people_answer_as_the_world_says_and_what_is_refused_is_undone() {
    let test = SagaTest::of_yaml(REVIEWED).world(Bookings::default).invariant(|world, status| {
        match (status.text(), world.held.len()) {
            ("completed", 2) | ("compensated" | "failed", 0) => Ok(()),
            other => Err(format!("(status, held) is {other:?}")),
        }
    });
    let crashes = test.check_every_crash().unwrap();
    assert!(crashes.statuses["compensated"] > 0 && crashes.statuses["completed"] > 0, "{crashes}");
    test.check_idempotent().unwrap();
}

/// A world in which nobody says anything.
struct Silent;

impl World for Silent {
    fn attempt(&mut self, _: &Task) -> Result<Output, Failure> {
        Ok(answer(&true))
    }

    fn reply(&self, _: &ApprovalRequested, _: &[Arc<str>]) -> Option<Reply> {
        None
    }

    fn signal(&self, _: &str) -> Option<Json> {
        None
    }
}

#[test]
fn a_run_in_whose_world_nobody_answers_rests_waiting() {
    let crashes = SagaTest::of_yaml(REVIEWED).world(|| Silent).check_every_crash().unwrap();
    assert!(crashes.statuses["waiting"] > 0, "{crashes}");
}

#[test]
fn a_world_that_does_not_look_at_the_key_is_found_and_named() {
    let careless = || Bookings { careless: true, ..Bookings::default() };
    let broken = SagaTest::of_yaml(BOOKING).world(careless).check_idempotent().unwrap_err().to_string();
    assert!(broken.contains("injected: Repeated at `pay`, do, try 1; seed 0"), "{broken}");
    assert!(broken.contains("attempt_started pay purpose=do attempt=1"), "{broken}");
}

#[test]
fn a_broken_invariant_is_told_with_what_led_to_it() {
    let strict =
        SagaTest::of_yaml(BOOKING).world(Bookings::default).invariant(|world, status| match world.paid {
            0 if status.text() == "completed" => Err("not paid".to_owned()),
            1 if status.text() == "compensated" => Err("paid for nothing".to_owned()),
            _ => Ok(()),
        });
    let broken = strict.check_every_crash().unwrap_err().to_string();
    assert!(broken.contains("paid for nothing") && broken.contains("rollback_started"), "{broken}");
}

#[test]
fn a_file_that_is_none_is_told_by_the_first_check() {
    let broken = SagaTest::of_yaml("steps: 3").check_every_crash().unwrap_err().to_string();
    assert!(broken.contains("steps"), "{broken}");
    let broken = SagaTest::of_file("/nowhere.yaml").check_every_crash().unwrap_err().to_string();
    assert!(broken.contains("cannot be read"), "{broken}");
}
