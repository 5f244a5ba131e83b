//! Failures, timeouts, crashes and repetitions at every step of a workflow and at every compensation, and what must hold
//! all the same.
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

/// A workflow, the world that it acts on, and what must hold of it at the end of every run.
pub struct SagaTest<W> {
    definition: Result<Definition, Broken>,
    input: Value,
    world: Box<dyn Fn() -> W>,
    invariant: Invariant<W>,
    seeds: u64,
}

/// What was checked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// How many runs something was injected into.
    pub injections: usize,
    /// How often each status was reached in the end.
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
    /// A workflow as text. What is wrong with it is said by the first check.
    pub fn of_yaml(text: &str) -> Self {
        Self::of(parse(text, "workflow.yaml", &Known::default()).map(|parsed| parsed.definition))
    }

    /// A workflow in a file. What is wrong with it is said by the first check.
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
    /// What the runs are given; `{}` without.
    #[must_use]
    pub fn input(mut self, input: Value) -> Self {
        self.input = input;
        self
    }

    /// In how many orders things happen where more than one may: as many runs for each injection; 1 without.
    #[must_use]
    pub fn seeds(mut self, seeds: u64) -> Self {
        self.seeds = seeds;
        self
    }

    /// What the runs act on, made anew for each. It replaces the invariant too, which is another world's.
    #[must_use]
    pub fn world<V: World>(self, world: impl Fn() -> V + 'static) -> SagaTest<V> {
        let Self { definition, input, seeds, .. } = self;
        SagaTest { definition, input, seeds, world: Box::new(world), invariant: Box::new(|_, _| Ok(())) }
    }

    /// What must hold of the world when a run has come to its end.
    #[must_use]
    pub fn invariant(mut self, holds: impl Fn(&W, RunStatus) -> Result<(), String> + 'static) -> Self {
        self.invariant = Box::new(holds);
        self
    }

    /// Lets each step and each compensation fail once, fail for good, and time out with and without having done its work.
    /// A compensation that failed for good must leave the run `stuck`, and tried again by a person must end it.
    ///
    /// # Errors
    /// The first promise or invariant that does not hold, with the injection and the history.
    pub fn check_every_failure(&self) -> Result<Summary, Broken> {
        self.check_all(&Kind::FAILURES)
    }

    /// Lets the process die at each step and each compensation: before it did its work, after it, and after that was
    /// recorded; and while it deals with what it hears, once between each two things that it does one after the other. No
    /// crash may change how the run ends; of an `at_most_once` step it may.
    ///
    /// # Errors
    /// The first promise or invariant that does not hold, with the injection and the history.
    pub fn check_every_crash(&self) -> Result<Summary, Broken> {
        let mut summary = self.check_all(&Kind::CRASHES)?;
        let mut between = BTreeSet::new();
        for (scenario, seed) in self.scenarios()? {
            let plain = self.run(&scenario, None, seed)?;
            for (point, trail) in plain.points.iter().zip(&plain.trails) {
                // Before the first the process dies with what it has heard.
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

    /// Makes each attempt twice, as happens when its result was lost: first one attempt of a run, then all of them. The
    /// world must end up as if each had been made once; it is compared with `==`, which may leave out what does not matter.
    ///
    /// # Errors
    /// The first step of which that does not hold, or another promise or invariant, with the history.
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

    /// A crash does not change how a run ends.
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

    /// The ways in which compensations come about: a failure of each step, a refusal of what it asks, and a person who
    /// wants it.
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

    /// What a run begins with, and the world that it acts on.
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
