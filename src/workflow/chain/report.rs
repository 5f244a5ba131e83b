//! Collects what is wrong with a chain.

use crate::events::ids::StepId;
use crate::events::problem::{Code, Problem};

/// A line and a column, from 1.
pub(super) type Place = (u64, u64);

/// How many problems are told, and how many warnings: nobody reads more, and a file of a megabyte could make a hundred thousand.
const TOLD_MAX: usize = 500;

/// Collects what is wrong, and what is odd. Readers answer none for what they have reported, and their callers go on.
pub(super) struct Report<'f> {
    file: &'f str,
    /// The subtask that is being read.
    pub(super) step: Option<StepId>,
    pub(super) problems: Vec<Problem>,
    pub(super) warnings: Vec<Problem>,
}

impl<'f> Report<'f> {
    pub(super) fn new(file: &'f str) -> Self {
        Self { file, step: None, problems: Vec::new(), warnings: Vec::new() }
    }

    /// Reports what keeps the chain from being run.
    pub(super) fn refuse(&mut self, place: Place, problem: Problem) {
        if self.problems.len() < TOLD_MAX {
            let problem = self.placed(place, problem);
            self.problems.push(problem);
        }
    }

    /// Reports something that is allowed, but is probably a mistake.
    pub(super) fn warn(&mut self, place: Place, problem: Problem) {
        if self.warnings.len() < TOLD_MAX {
            let problem = self.placed(place, problem);
            self.warnings.push(problem);
        }
    }

    /// Reports what is allowed, and makes a chain harder to run or to keep.
    pub(super) fn advise(&mut self, place: Place, message: String, hint: &'static str) {
        self.warn(place, Problem::new(Code::ChainAdvice, message).hint(hint));
    }

    fn placed(&self, (line, column): Place, problem: Problem) -> Problem {
        let problem = problem.at(self.file, line, column);
        match &self.step {
            Some(step) => problem.step(step),
            None => problem,
        }
    }
}
