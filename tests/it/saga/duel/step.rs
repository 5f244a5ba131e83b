//! What happens to the engine, so that it can happen again until the process dies in the middle of it.

use reenact::aggregates::run::Ask;
use reenact::events::ids::{Fence, TimerId};
use reenact::events::problem::Problem;
use reenact::testing::Simulation;
use reenact::testing::promises;
use reenact::testing::simulation::Move;
use reenact::testing::world::{Failure, Output};

use super::{Duel, Verdict, said};
use crate::saga::oracle::Oracle;
use crate::saga::script::Script;

/// What happens to the engine.
#[derive(Clone)]
pub(super) enum Act {
    Report(Fence, Result<Output, Failure>),
    Wake(TimerId),
    Ask(Ask),
    Record(Ask),
    Drive,
}

impl Act {
    pub(super) fn happens_to(&self, engine: &mut Simulation<Script>) -> Verdict<Result<usize, Problem>> {
        match self.clone() {
            Self::Report(fence, result) => engine.report(fence, result).map(|()| Ok(0)),
            Self::Wake(timer) => engine.play(&Move::Wake(timer)).map(|()| Ok(0)),
            Self::Ask(ask) => engine.ask(ask),
            Self::Record(ask) => engine.record(ask),
            Self::Drive => engine.drive().map(|()| Ok(0)),
        }
        .map_err(said)
    }
}

/// What happened to the engine.
pub(in crate::saga) struct Step {
    before: Simulation<Script>,
    act: Act,
    /// What came out of the core.
    pub(in crate::saga) trail: Vec<&'static str>,
    /// How many commits were stored.
    commits: usize,
    /// What the oracle knew before it, and after each part of it.
    knew: Vec<Oracle>,
    read: usize,
}

/// What a process left that died in the middle of a step.
pub(in crate::saga) enum Left {
    /// The oracle knows what is stored.
    Known(Box<Duel>),
    /// It is stored in parts of which the oracle knows the whole only.
    Between(Box<Simulation<Script>>),
}

impl Step {
    pub(super) fn begin(duel: &mut Duel, act: &Act) -> Self {
        duel.engine.take_trail();
        Self {
            before: duel.engine.clone(),
            act: act.clone(),
            trail: Vec::new(),
            commits: 0,
            knew: vec![duel.oracle.clone()],
            read: duel.read,
        }
    }

    pub(super) fn end(mut self, engine: &mut Simulation<Script>) -> Self {
        self.trail = engine.take_trail();
        self.commits = engine.commits().len() - self.before.commits().len();
        self
    }

    pub(super) fn note(&mut self, oracle: &Oracle) {
        self.knew.push(oracle.clone());
    }

    /// The same happens again, and the process dies before that output is carried out.
    pub(in crate::saga) fn die_before(&self, nth: usize) -> Verdict<Left> {
        let mut engine = self.before.clone();
        engine.die_before(nth);
        self.act.happens_to(&mut engine)?.ok();
        assert!(engine.is_dead(), "output {nth} of {:?} came another time", self.trail);
        if matches!(self.act, Act::Ask(_) | Act::Record(_)) {
            // Whoever asked asks the next process.
            engine.clone().crash().and_then(|mut next| next.repeat()).map_err(said)?;
        }
        let stored = engine.commits().len() - self.before.commits().len();
        // The parts are: before it, after what was asked, and after what was due then.
        let knew = match stored {
            0 => self.knew.first(),
            all if all == self.commits => self.knew.last(),
            _ => None,
        };
        Ok(match knew {
            Some(oracle) => {
                let oracle = oracle.clone();
                Left::Known(Box::new(Duel { engine, oracle, read: self.read, steps: None }))
            }
            None => Left::Between(Box::new(engine)),
        })
    }
}

/// The process dies, and the one that takes over dies too, before that output, if it comes so far. Between which two it
/// died, and what it left.
pub(in crate::saga) fn die_twice(
    duel: &Duel,
    nth: usize,
) -> Verdict<Option<((&'static str, &'static str), Left)>> {
    let mut engine = duel.engine.clone().crash_twice(nth).map_err(said)?;
    let trail = engine.take_trail();
    let Some(last) = trail.last().filter(|_| engine.is_dead()) else { return Ok(None) };
    let before = nth.checked_sub(1).map_or("rest", |before| trail[before]);
    let is_known = engine.commits().len() == duel.engine.commits().len();
    let left = if is_known {
        let oracle = duel.oracle.clone();
        Left::Known(Box::new(Duel { engine, oracle, read: duel.read, steps: None }))
    } else {
        Left::Between(Box::new(engine))
    };
    Ok(Some(((before, *last), left)))
}

/// What must hold of a run of which the oracle does not know.
pub(in crate::saga) fn finish_alone(engine: Simulation<Script>) -> Verdict<Simulation<Script>> {
    let mut engine = engine.crash().map_err(said)?;
    engine.finish().map_err(said)?;
    promises::check(engine.definition(), engine.history()).map_err(|why| said(engine.broken(&why)))?;
    Ok(engine)
}
