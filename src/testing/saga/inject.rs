//! Plays one run with a fault injected.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use super::{SagaTest, Scenario};
use crate::aggregates::run::command::Order;
use crate::aggregates::run::{Ask, RunStatus};
use crate::events::ids::{Fence, RequestId, RunId, StepId};
use crate::events::problem::{Class, Code};
use crate::events::run::{AttemptStarted, Purpose, Resolution, RunEvent};
use crate::testing::broken::Broken;
use crate::testing::promises;
use crate::testing::simulation::{Move, Simulation};
use crate::testing::world::{Failure, Output, Stop, World};

/// One try at a step or at its compensation.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Point {
    /// The step that is tried.
    pub step: StepId,
    /// Whether the step is done or undone.
    pub purpose: Purpose,
    /// The number of the try for that purpose, from 1.
    pub nth: u32,
}

/// The fault that is injected, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Injection {
    /// The try to inject it into; none for every try.
    pub at: Option<Point>,
    /// The kind of the fault.
    pub kind: Kind,
}

/// The kinds of faults that can be injected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The try fails, and may be tried again.
    FailsOnce,
    /// The try fails, and so does every try after it.
    FailsForGood,
    /// The work is not done in time.
    TimesOut,
    /// The work is done, but its result does not come in time.
    TimesOutDone,
    /// The process dies before the work is done.
    CrashBefore,
    /// The process dies after the work is done, and before the result is recorded.
    CrashDone,
    /// The process dies as soon as the result is recorded.
    CrashRecorded,
    /// The process dies while its core deals with the result: before that one of its outputs, counted from 0.
    CrashWithin(usize),
    /// The work is done twice.
    Repeated,
}

impl Kind {
    pub(super) const FAILURES: [Self; 4] =
        [Self::FailsOnce, Self::FailsForGood, Self::TimesOut, Self::TimesOutDone];
    pub(super) const CRASHES: [Self; 3] = [Self::CrashBefore, Self::CrashDone, Self::CrashRecorded];

    pub(super) fn is_crash(self) -> bool {
        matches!(self, Self::CrashWithin(_)) || Self::CRASHES.contains(&self)
    }
}

impl fmt::Display for Injection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} at ", self.kind)?;
        match &self.at {
            None => f.write_str("every attempt"),
            Some(Point { step, purpose, nth }) => write!(f, "`{step}`, {}, try {nth}", purpose.text()),
        }
    }
}

/// A run that was played to its end.
pub(super) struct Played<W> {
    pub(super) simulation: Simulation<W>,
    /// Every attempt that was made, in the order in which they were made.
    pub(super) points: Vec<Point>,
    /// For each of them the outputs of the core when it was told the result.
    pub(super) trails: Vec<Vec<&'static str>>,
}

impl<W: World> Played<W> {
    pub(super) fn world(&self) -> &W {
        &self.simulation.world
    }

    pub(super) fn status(&self) -> RunStatus {
        self.simulation.status()
    }

    /// The ids of the steps that were done by attempts.
    pub(super) fn steps(&self) -> Vec<StepId> {
        let mut steps: Vec<StepId> = self.points.iter().map(|point| point.step.clone()).collect();
        steps.sort_unstable();
        steps.dedup();
        steps
    }

    /// The ids of the steps that asked for an approval.
    pub(super) fn asking(&self) -> Vec<StepId> {
        let asked = self.simulation.history().iter().filter_map(|event| match &**event {
            RunEvent::ApprovalRequested(asked) => Some(asked.step.clone()),
            _ => None,
        });
        let mut steps: Vec<StepId> = asked.collect();
        steps.sort_unstable();
        steps.dedup();
        steps
    }

    /// Whether a crash hit a step that is started at most once: that step has failed then, and the run may
    /// end in another way.
    pub(super) fn lost_what_starts_once(&self) -> bool {
        let lost = self.simulation.history().iter().filter_map(|event| match &**event {
            RunEvent::AttemptLost(lost) if lost.purpose == Purpose::Do => Some(&lost.step),
            _ => None,
        });
        let mut steps = lost.filter_map(|step| self.template(step));
        steps
            .any(|template| self.simulation.definition().step(template).is_some_and(|step| step.at_most_once))
    }

    fn template(&self, step: &StepId) -> Option<&StepId> {
        self.simulation.history().iter().find_map(|event| match &**event {
            RunEvent::StepAdded(added) if added.step == *step => Some(&added.template),
            _ => None,
        })
    }
}

impl<W: World> SagaTest<W> {
    /// Plays a run to its end, and checks what must hold of it.
    pub(super) fn run(
        &self,
        scenario: &Scenario,
        injection: Option<&Injection>,
        seed: u64,
    ) -> Result<Played<W>, Broken> {
        let broken = |why: &Broken| self.broken(scenario, injection, seed, why);
        let (start, world) = self.begin()?;
        let run = RunId::parse("saga-test").map_err(|error| Broken::new(error.to_string()))?;
        let simulation = Simulation::start(run, start, world, seed).map_err(|why| broken(&why))?;
        let player = Player {
            scenario,
            injection,
            healed: false,
            tries: HashMap::new(),
            points: Vec::new(),
            trails: Vec::new(),
        };
        let played = player.play(simulation).map_err(|why| broken(&why))?;
        self.check(&played).map_err(|why| broken(&played.simulation.broken(&why)))?;
        played.simulation.check_prefixes().map_err(|why| broken(&why))?;
        Ok(played)
    }

    fn check(&self, played: &Played<W>) -> Result<(), String> {
        let history: Vec<&RunEvent> = played.simulation.history().iter().map(|event| &**event).collect();
        promises::check(played.simulation.definition(), &history)?;
        (self.invariant)(played.world(), played.status()).map_err(|why| format!("the invariant: {why}"))
    }
}

struct Player<'a> {
    scenario: &'a Scenario,
    injection: Option<&'a Injection>,
    /// Whether what failed for good now succeeds.
    healed: bool,
    tries: HashMap<(StepId, Purpose), u32>,
    points: Vec<Point>,
    trails: Vec<Vec<&'static str>>,
}

impl Player<'_> {
    fn play<W: World>(mut self, simulation: Simulation<W>) -> Result<Played<W>, Broken> {
        let mut simulation = self.until_it_rests(simulation)?;
        if *self.scenario == Scenario::RolledBack {
            // A run past its point of no return refuses this, and stays as it is.
            let _ = simulation.ask(Ask::Rollback { order: order(), to: None })?;
            simulation = self.until_it_rests(simulation)?;
        }
        if self.fails_compensation() && self.injection_was_met() {
            simulation = self.settle(simulation)?;
        }
        Ok(Played { simulation, points: self.points, trails: self.trails })
    }

    fn until_it_rests<W: World>(&mut self, mut simulation: Simulation<W>) -> Result<Simulation<W>, Broken> {
        while let Some(next) = simulation.next_move() {
            simulation = match &next {
                Move::Perform(fence) => self.perform(simulation, *fence)?,
                Move::Answer(request) if self.refuses(&simulation, request) => {
                    if let Err(rejection) = simulation.ask(refusal(&simulation, request))? {
                        return Err(simulation.broken(&format!("`reject` was refused: {rejection}")));
                    }
                    simulation
                }
                other => {
                    simulation.play(other)?;
                    simulation
                }
            };
        }
        simulation.finish()?;
        Ok(simulation)
    }

    /// Whether this is the request that the scenario refuses.
    fn refuses<W: World>(&self, simulation: &Simulation<W>, request: &RequestId) -> bool {
        let mut open = simulation.requests().filter(|open| open.asked.request == *request);
        open.any(|open| *self.scenario == Scenario::Refused(open.asked.step.clone()))
    }

    /// Lets a person retry the compensation that failed for good, now that it can succeed.
    fn settle<W: World>(&mut self, mut simulation: Simulation<W>) -> Result<Simulation<W>, Broken> {
        if simulation.status() != RunStatus::Stuck {
            return Err(simulation.broken("a compensation failed for good, and the run is not stuck"));
        }
        self.healed = true;
        if let Some(Point { step, .. }) = self.injection.and_then(|injection| injection.at.clone()) {
            let ask =
                Ask::Resolve { by: "test".into(), reason: "healed".to_owned(), step, how: Resolution::Retry };
            if let Err(rejection) = simulation.ask(ask)? {
                return Err(
                    simulation.broken(&format!("a retry of the compensation was refused: {rejection}"))
                );
            }
        }
        let simulation = self.until_it_rests(simulation)?;
        if simulation.status() != RunStatus::Compensated {
            return Err(
                simulation.broken("the compensation was done at last, and the run is not compensated")
            );
        }
        Ok(simulation)
    }

    fn fails_compensation(&self) -> bool {
        self.injection.is_some_and(|injection| {
            let compensates = injection.at.as_ref().is_some_and(|point| point.purpose == Purpose::Compensate);
            injection.kind == Kind::FailsForGood && compensates
        })
    }

    fn injection_was_met(&self) -> bool {
        self.injection.and_then(|injection| injection.at.as_ref()).is_some_and(|at| self.points.contains(at))
    }

    /// The fault that is injected into this try; none for most.
    fn injected(&self, point: &Point) -> Option<Kind> {
        if *self.scenario == Scenario::Fails(point.step.clone()) && point.purpose == Purpose::Do {
            return Some(Kind::FailsForGood);
        }
        let Injection { at, kind } = self.injection?;
        let Some(at) = at else { return Some(*kind) };
        let same = at.step == point.step && at.purpose == point.purpose;
        let hit = match kind {
            Kind::FailsForGood => at.nth <= point.nth && !self.healed,
            _ => at.nth == point.nth,
        };
        (same && hit).then_some(*kind)
    }

    fn perform<W: World>(
        &mut self,
        mut simulation: Simulation<W>,
        fence: Fence,
    ) -> Result<Simulation<W>, Broken> {
        let found = simulation.in_flight().find(|(started, _)| started.fence == fence);
        let Some(started) = found.map(|(started, _)| Arc::clone(started)) else { return Ok(simulation) };
        let point = self.point(&started);
        self.points.push(point.clone());
        simulation.take_trail();
        match self.injected(&point) {
            None => simulation.play(&Move::Perform(fence))?,
            Some(Kind::FailsOnce) => simulation.report(fence, fails(Class::Transient))?,
            Some(Kind::FailsForGood) => simulation.report(fence, fails(Class::Validation))?,
            Some(Kind::TimesOut) => simulation.report(fence, Err(Failure::stopped(Stop::TimedOut)))?,
            Some(Kind::TimesOutDone) => {
                simulation.perform(fence)?;
                simulation.report(fence, Err(Failure::stopped(Stop::TimedOut)))?;
            }
            Some(Kind::CrashBefore) => simulation = simulation.crash()?,
            Some(Kind::CrashDone) => {
                simulation.perform(fence)?;
                simulation = simulation.crash()?;
            }
            Some(Kind::CrashRecorded) => {
                simulation.play(&Move::Perform(fence))?;
                simulation = simulation.crash()?;
            }
            Some(Kind::CrashWithin(nth)) => {
                if let Some(result) = simulation.perform(fence)? {
                    simulation.die_before(nth);
                    simulation.report(fence, result)?;
                }
                simulation = simulation.crash()?;
            }
            Some(Kind::Repeated) => {
                simulation.perform(fence)?;
                simulation.play(&Move::Perform(fence))?;
            }
        }
        self.trails.push(simulation.take_trail());
        Ok(simulation)
    }

    fn point(&mut self, started: &AttemptStarted) -> Point {
        let tries = self.tries.entry((started.step.clone(), started.purpose)).or_default();
        *tries += 1;
        Point { step: started.step.clone(), purpose: started.purpose, nth: *tries }
    }
}

fn fails(class: Class) -> Result<Output, Failure> {
    Err(Failure::new(Code::ExitUnknown, "injected by the test").class(class))
}

/// The refusal of a request by one of those who may answer it.
fn refusal<W: World>(simulation: &Simulation<W>, request: &RequestId) -> Ask {
    let open = simulation.requests().find(|open| open.asked.request == *request);
    let by = open.and_then(|open| open.asked.approvers.first().cloned());
    let (request, reason) = (request.to_string(), "injected by the test".to_owned());
    Ask::Reject { request, by: by.unwrap_or_else(|| "test".into()), reason }
}

fn order() -> Order {
    Order { by: "test".into(), reason: None }
}
