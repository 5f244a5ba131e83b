//! Failures, timeouts, crashes and repetitions at every step of a workflow and at every compensation, and
//! what must hold in spite of them.
//!
//! ```
//! use reenact::testing::{SagaTest, world};
//! use reenact::testing::world::{Failure, Output, Task};
//!
//! /// Money in two accounts. A transfer is told apart from its repetition by the idempotency key.
//! #[derive(Clone, Default, PartialEq)]
//! struct Bank { balance: i64, done: std::collections::BTreeSet<String> }
//!
//! impl world::World for Bank {
//!     fn attempt(&mut self, task: &Task) -> Result<Output, Failure> {
//!         if self.done.insert(task.idempotency_key.to_string()) {
//!             self.balance += if task.step.as_str() == "deposit" { 10 } else { -10 };
//!         }
//!         Ok(world::answer(&self.balance))
//!     }
//! }
//!
//! let test = SagaTest::of_yaml("
//! name: transfer
//! steps:
//!   - {id: withdraw, agent: bank, retry: {attempts: 3}}
//!   - {id: deposit, agent: bank, retry: {attempts: 3}}
//! ")
//! .world(Bank::default)
//! .invariant(|bank, _status| if bank.balance.abs() <= 10 { Ok(()) } else { Err("money was made".to_owned()) });
//!
//! let crashes = test.check_every_crash().unwrap();
//! assert_eq!(crashes.statuses["completed"], crashes.injections);
//! test.check_idempotent().unwrap();
//! ```

mod inject;
mod scenario;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

use serde_json::Value;

use super::broken::Broken;
use super::simulation::start_of;
use super::world::{Failure, Output, Task, World, answer};
use crate::aggregates::run::{RunStatus, StartRun};
use crate::events::json::Json;
use crate::events::problem::Problem;
use crate::workflow::definition::Definition;
use crate::workflow::input::check_input;
use crate::workflow::parse::{Known, decode, parse};

pub use inject::{Injection, Kind, Point};
use scenario::Scenario;

/// A world in which everything succeeds and answers null.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Idle;

impl World for Idle {
    fn attempt(&mut self, _: &Task) -> Result<Output, Failure> {
        Ok(answer(&()))
    }
}

type Invariant<W> = Box<dyn Fn(&W, RunStatus) -> Result<(), String>>;

/// A workflow, the world that it acts on, and the invariant that must hold at the end of every run.
pub struct SagaTest<W> {
    definition: Result<Definition, Broken>,
    input: Value,
    world: Box<dyn Fn() -> W>,
    invariant: Invariant<W>,
    seeds: u64,
}

/// What the runs of a check led to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// The number of runs into which something was injected.
    pub injections: usize,
    /// How many runs ended with each status.
    pub statuses: BTreeMap<&'static str, usize>,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} injections", self.injections)?;
        for (status, count) in &self.statuses {
            write!(f, ", {count} {status}")?;
        }
        Ok(())
    }
}

impl SagaTest<Idle> {
    /// A test of a workflow that is given as text. Mistakes in it are reported by the first check.
    pub fn of_yaml(text: &str) -> Self {
        Self::of(parse(text, "workflow.yaml", &Known::default()).map(|parsed| parsed.definition))
    }

    /// A test of a workflow in a file. Mistakes in it are reported by the first check.
    pub fn of_file(path: impl AsRef<Path>) -> Self {
        let file = path.as_ref().display().to_string();
        let text = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) => return Self::but(Err(Broken::new(format!("`{file}` cannot be read: {error}")))),
        };
        let parsed = decode(&text, &file).map_err(|problem| vec![problem]);
        let parsed = parsed.and_then(|text| parse(text, &file, &Known::default()));
        Self::of(parsed.map(|parsed| parsed.definition))
    }

    fn of(definition: Result<Definition, Vec<Problem>>) -> Self {
        Self::but(definition.map_err(|problems| {
            let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
            Broken::new(lines.join("\n"))
        }))
    }

    fn but(definition: Result<Definition, Broken>) -> Self {
        let (input, invariant) = (Value::Object(serde_json::Map::new()), Box::new(|_: &Idle, _| Ok(())));
        Self { definition, input, world: Box::new(|| Idle), invariant, seeds: 1 }
    }
}

impl<W: World> SagaTest<W> {
    /// Sets the input of the runs; `{}` if this is not called.
    #[must_use]
    pub fn input(mut self, input: Value) -> Self {
        self.input = input;
        self
    }

    /// Sets in how many orders things happen where more than one is possible: for each injection there are as
    /// many runs; 1 if this is not called.
    #[must_use]
    pub fn seeds(mut self, seeds: u64) -> Self {
        self.seeds = seeds;
        self
    }

    /// Sets the world that the runs act on, made anew for each run. This removes the invariant, which
    /// belonged to another world.
    #[must_use]
    pub fn world<V: World>(self, world: impl Fn() -> V + 'static) -> SagaTest<V> {
        let Self { definition, input, seeds, .. } = self;
        SagaTest { definition, input, seeds, world: Box::new(world), invariant: Box::new(|_, _| Ok(())) }
    }

    /// Sets what must hold of the world when a run has ended.
    #[must_use]
    pub fn invariant(mut self, holds: impl Fn(&W, RunStatus) -> Result<(), String> + 'static) -> Self {
        self.invariant = Box::new(holds);
        self
    }

    /// Lets each step and each compensation fail once, fail for good, and time out with and without having
    /// done its work. A compensation that failed for good must leave the run `stuck`; once a person lets it
    /// be tried again, the run must end.
    ///
    /// # Errors
    /// The first promise or invariant that does not hold, with the injection and the history.
    pub fn check_every_failure(&self) -> Result<Summary, Broken> {
        self.check_all(&Kind::FAILURES)
    }

    /// Lets the process die at each step and each compensation: before the work is done, after it is done,
    /// and after the result is recorded; and, while the core deals with the result, once between any two of
    /// its outputs. No crash may change how the run ends, except where it hits an `at_most_once` step.
    ///
    /// # Errors
    /// The first promise or invariant that does not hold, with the injection and the history.
    pub fn check_every_crash(&self) -> Result<Summary, Broken> {
        let mut summary = self.check_all(&Kind::CRASHES)?;
        let mut between = BTreeSet::new();
        for (scenario, seed) in self.scenarios()? {
            let plain = self.run(&scenario, None, seed)?;
            for (point, trail) in plain.points.iter().zip(&plain.trails) {
                // Before the first output, the process dies with the result that it was told.
                for (nth, pair) in (1..).zip(trail.windows(2)) {
                    if between.insert(pair.to_vec()) {
                        let injection = Injection { at: Some(point.clone()), kind: Kind::CrashWithin(nth) };
                        self.check_one(&plain, &scenario, injection, seed, &mut summary)?;
                    }
                }
            }
        }
        Ok(summary)
    }

    /// Makes each attempt twice, as happens when its result was lost: first one attempt of a run, then all of
    /// them. The world must end up as if each had been made once. Worlds are compared with `==`, which may
    /// leave out what does not matter.
    ///
    /// # Errors
    /// The first step for which that does not hold, or another promise or invariant, with the history.
    pub fn check_idempotent(&self) -> Result<Summary, Broken>
    where
        W: PartialEq,
    {
        let mut summary = Summary::default();
        for (scenario, seed) in self.scenarios()? {
            let plain = self.run(&scenario, None, seed)?;
            let each =
                plain.points.iter().map(|point| Injection { at: Some(point.clone()), kind: Kind::Repeated });
            let all = Injection { at: None, kind: Kind::Repeated };
            for injection in each.chain([all]) {
                let twice = self.run(&scenario, Some(&injection), seed)?;
                if twice.world() != plain.world() {
                    let what = "the world is another than after each attempt was made once";
                    return Err(self.broken(
                        &scenario,
                        Some(&injection),
                        seed,
                        &twice.simulation.broken(what),
                    ));
                }
                summary.count(twice.status());
            }
        }
        Ok(summary)
    }

    fn check_all(&self, kinds: &[Kind]) -> Result<Summary, Broken> {
        let mut summary = Summary::default();
        for (scenario, seed) in self.scenarios()? {
            let plain = self.run(&scenario, None, seed)?;
            for point in plain.points.iter().filter(|point| scenario.is_of_interest(point)) {
                for kind in kinds {
                    let injection = Injection { at: Some(point.clone()), kind: *kind };
                    self.check_one(&plain, &scenario, injection, seed, &mut summary)?;
                }
            }
        }
        Ok(summary)
    }

    fn check_one(
        &self,
        plain: &inject::Played<W>,
        scenario: &Scenario,
        injection: Injection,
        seed: u64,
        summary: &mut Summary,
    ) -> Result<(), Broken> {
        let run = self.run(scenario, Some(&injection), seed)?;
        self.compare(plain, &run, &injection)
            .map_err(|why| self.broken(scenario, Some(&injection), seed, &run.simulation.broken(&why)))?;
        summary.count(run.status());
        Ok(())
    }

    /// Checks that a crash did not change how a run ended.
    fn compare(
        &self,
        plain: &inject::Played<W>,
        run: &inject::Played<W>,
        of: &Injection,
    ) -> Result<(), String> {
        if !of.kind.is_crash() || run.status() == plain.status() || run.lost_what_starts_once() {
            return Ok(());
        }
        Err(format!("without the crash the run ends {}", plain.status().text()))
    }

    /// The ways in which compensations come about: each step fails, each request of a step is refused, and a
    /// person asks for a rollback.
    fn scenarios(&self) -> Result<Vec<(Scenario, u64)>, Broken> {
        let mut found = Vec::new();
        for seed in 0..self.seeds {
            let forward = self.run(&Scenario::Forward, None, seed)?;
            let (steps, asking) = (forward.steps(), forward.asking());
            found.push((Scenario::Forward, seed));
            found.push((Scenario::RolledBack, seed));
            found.extend(steps.into_iter().map(|step| (Scenario::Fails(step), seed)));
            found.extend(asking.into_iter().map(|step| (Scenario::Refused(step), seed)));
        }
        Ok(found)
    }

    /// What a run begins with, and a new world that it acts on.
    fn begin(&self) -> Result<(StartRun, W), Broken> {
        let definition = self.definition.clone()?;
        let input = check_input(definition.input.as_ref(), &Json::from(&self.input));
        let input = input.map_err(|problems| {
            Broken::new(problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
        })?;
        let world = (self.world)();
        let mut start = start_of(definition, input);
        world.stage(&mut start).map_err(|problem| Broken::new(problem.to_string()))?;
        Ok((start, world))
    }

    fn broken(&self, scenario: &Scenario, injection: Option<&Injection>, seed: u64, why: &Broken) -> Broken {
        let injected = injection.map_or_else(|| "nothing".to_owned(), ToString::to_string);
        Broken::new(format!("{scenario}; injected: {injected}; seed {seed}: {why}"))
    }
}

impl Summary {
    fn count(&mut self, status: RunStatus) {
        self.injections += 1;
        *self.statuses.entry(status.text()).or_default() += 1;
    }
}

impl<W> fmt::Debug for SagaTest<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SagaTest").field("definition", &self.definition).finish_non_exhaustive()
    }
}
