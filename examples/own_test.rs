//! A test of a workflow of one's own, with the very functions that do its work: each of its steps and compensations fails, is
//! killed and is repeated. It is run by `cargo test`; this program only says so.
#![allow(clippy::print_stdout)] // It is a program.

use std::path::Path;
use std::sync::{Arc, Mutex};

use reenact::events::ids::AgentName;
use reenact::executors::Executors;
use reenact::executors::function::typed::{StepFunction, UndoFunction};
use reenact::prelude::*;
use reenact::testing::world::{Output, Programs, Task, World};
use reenact::testing::{Broken, SagaTest};

const BOOKING: &str = "
name: booking
steps:
  - {id: seat, agent: reserve, with: ICE 71, retry: {attempts: 3}, compensate: {agent: release}}
  - {id: pay, agent: pay, retry: {attempts: 3}}
";

/// How many seats are taken, by the key of who took them.
#[derive(Clone, Default)]
struct Seats(Arc<Mutex<std::collections::BTreeSet<String>>>);

impl Seats {
    /// The agents of the program.
    fn agents(&self) -> Executors {
        let (taken, freed, executors) = (self.clone(), self.clone(), Executors::default());
        let reserve = move |_train: String, call: FunctionCall| {
            let seats = taken.clone();
            async move {
                // Taken once, however often it is tried.
                seats.0.lock().map(|mut seats| seats.insert(call.task.step.to_string())).ok();
                Ok::<_, Failure>(7)
            }
        };
        let release = move |_seat: Undo<u32>, call: FunctionCall| {
            let seats = freed.clone();
            async move {
                // Right as well if nobody knows whether it was taken.
                seats.0.lock().map(|mut seats| seats.remove(call.task.step.as_str())).ok();
                Ok::<_, Failure>(())
            }
        };
        let pay = || async { Ok::<_, Failure>(()) };
        let add = |name, executor| executors.functions.add(&AgentName::new(name), Arc::new(executor));
        add("reserve", reserve.executor());
        add("release", release.executor());
        add("pay", pay.executor());
        executors
    }
}

/// What the workflow acts on: the functions themselves.
struct Station {
    seats: Seats,
    functions: Programs,
}

impl World for Station {
    fn attempt(&mut self, task: &Task) -> Result<Output, Failure> {
        self.functions.attempt(task)
    }
}

fn station(folder: &Path) -> Station {
    let seats = Seats::default();
    match Programs::in_folder(folder, seats.agents()) {
        Ok(functions) => Station { seats, functions },
        Err(error) => unreachable!("the test has no reactor: {error}"),
    }
}

/// A seat is taken if and only if the trip was paid for, whatever goes wrong.
fn check(folder: &Path) -> Result<(), Broken> {
    let folder = folder.to_path_buf();
    let test = SagaTest::of_yaml(BOOKING).world(move || station(&folder)).invariant(|station, status| {
        let taken = station.seats.0.lock().map(|seats| seats.len()).unwrap_or_default();
        match (status.text(), taken) {
            ("completed", 1) | ("compensated" | "failed", 0) | ("stuck", _) => Ok(()),
            (status, taken) => Err(format!("{status} with {taken} seats taken")),
        }
    });
    println!("{}", test.check_every_failure()?);
    println!("{}", test.check_every_crash()?);
    Ok(())
}

fn main() -> Result<(), Broken> {
    check(&std::env::temp_dir())
}

#[test]
fn no_seat_is_kept_that_is_not_paid_for() {
    let folder = tempfile::tempdir().unwrap();
    check(folder.path()).unwrap_or_else(|broken| panic!("{broken}"));
}
