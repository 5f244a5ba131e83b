//! The attempt that a run failed with.

use super::Facade;
use super::why::decoded;
use crate::aggregates::run::Run;
use crate::events::ids::{RunId, Version};
use crate::events::problem::{Problem, Remedy};
use crate::events::run::Purpose;
use crate::views::presenters::report::{FailureSearch, RunReport};
use crate::views::presenters::why::Past;

/// How many events are read at once.
const PAGE: u64 = 1_024;

/// How many are looked at: one that failed further back is told without its attempt, and `why` finds it.
const LOOKED_AT_MAX: u64 = 16 * PAGE;

impl Facade {
    /// Tells of a run that failed which attempt it was, and what helps.
    pub(super) async fn tell_of_failure(
        &self,
        run: &RunId,
        state: &Run,
        version: Version,
        report: &mut RunReport,
    ) -> Result<(), Problem> {
        let Some(error) = &mut report.error else { return Ok(()) };
        let Some(mut search) = FailureSearch::new(state, error) else { return Ok(()) };
        let Ok(definition) = self.definition_of(run, state) else { return Ok(()) };
        let past = Past::new(state, &definition, &**self.system.library());
        let last = version.0.saturating_sub(LOOKED_AT_MAX);
        let mut before = version.next();
        while report.failure.is_none() && !search.is_over() && before.0 > last.max(1) {
            let after = Version(before.0.saturating_sub(PAGE + 1));
            for recorded in self.page(run, after, before).await?.iter().rev() {
                if !search.is_over() && search.could_be(&recorded.event.kind) {
                    report.failure = search.see(decoded(recorded)?, &past);
                }
                if report.failure.is_some() {
                    break;
                }
            }
            before = after.next();
        }
        if let Some(failure) = report.failure.as_ref().filter(|_| error.code.is_of_a_program()) {
            let step = failure.step.clone();
            let shows = match failure.purpose {
                _ if !failure.wrote => Remedy::LookAtWhy,
                Purpose::Do => Remedy::LookAtTranscript(step),
                Purpose::Compensate => Remedy::LookAtUndoing(step),
            };
            *error = error.clone().hint(shows);
        }
        Ok(())
    }
}
