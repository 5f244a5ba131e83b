//! A world that follows from a seed: what each attempt comes to. It keeps what was done to it.

use std::collections::BTreeMap;

use reenact::events::problem::{Class, Code};
use reenact::events::run::{Purpose, Undoes};
use reenact::testing::Dice;
use reenact::testing::world::{Failure, Output, Stop, Task, World, answer};
use serde_json::{Value, json};

use super::oracle;

/// A world that follows from a seed.
#[derive(Debug, Clone)]
pub(super) struct Script {
    seed: u64,
    /// Of how many attempts one does not succeed, to do a step and to undo it.
    trouble: (usize, usize),
    /// How often what was done, by step, whether it undoes, and generation.
    pub(super) done: BTreeMap<(String, bool, u32), u32>,
    /// What the last attempt was given.
    pub(super) given: Value,
    /// What it was told beside that, if it undoes something.
    pub(super) beside: Value,
}

impl Script {
    pub(super) fn new(seed: u64) -> Self {
        let mut dice = Dice::of(seed);
        let trouble = ([3, 6, 20][dice.below(3)], [2, 4, 20][dice.below(3)]);
        Self { seed, trouble, done: BTreeMap::new(), given: Value::Null, beside: Value::Null }
    }

    /// What an attempt comes to, and whether it does its work on the way.
    fn outcome(&self, task: &Task) -> (Result<Output, Failure>, bool) {
        let undoes = task.purpose == Purpose::Compensate;
        let text = format!("{}{}{}{}", self.seed, task.step, undoes, task.attempt);
        let mut dice = Dice::of(text.bytes().fold(self.seed, |sum, byte| {
            sum.wrapping_mul(0x0000_0100_0000_01b3).wrapping_add(u64::from(byte))
        }));
        let done = Ok(answer(&json!({ "of": task.step, "try": task.attempt })));
        if !dice.one_in(if undoes { self.trouble.1 } else { self.trouble.0 }) {
            return (done, true);
        }
        let fails = |class| Err(Failure::new(Code::ExitUnknown, "as the script says").class(class));
        match dice.below(12) {
            0..4 => (fails(Class::Transient), false),
            4 | 5 => (fails(Class::Unknown), true),
            6 | 7 => (fails(Class::Validation), false),
            8 => (fails(Class::Fatal), false),
            _ => (Err(Failure::stopped(Stop::TimedOut)), dice.one_in(2)),
        }
    }
}

impl World for Script {
    fn attempt(&mut self, task: &Task) -> Result<Output, Failure> {
        let undoes = task.purpose == Purpose::Compensate;
        let (outcome, done) = self.outcome(task);
        if done {
            *self.done.entry((task.step.to_string(), undoes, task.generation)).or_default() += 1;
        }
        self.given = task.work.with.value();
        self.beside = Value::Null;
        if let Some(compensates) = &task.compensates {
            let outcome = if compensates.outcome == Undoes::Completed { "completed" } else { "unknown" };
            self.beside = json!({ "undo": compensates.output.value(), "outcome": outcome });
        }
        outcome
    }
}

/// The same as the oracle has it.
pub(super) fn told(result: &Result<Output, Failure>) -> oracle::Result {
    match result {
        Ok(output) => oracle::Result::Done(output.output.value()),
        Err(failure) if failure.code == Code::TimedOut => oracle::Result::TimedOut,
        Err(failure) if failure.code == Code::Cancelled => oracle::Result::Cancelled,
        Err(failure) => oracle::Result::Failed {
            retriable: matches!(failure.class, Class::Transient | Class::Unknown),
            fatal: failure.class == Class::Fatal,
        },
    }
}
