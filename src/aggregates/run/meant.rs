//! Whether a run that is there is the one that somebody starts.

use super::{Run, RunRejection, RunStatus, StartRun};
use crate::events::json::Payload;
use crate::events::problem::Late;
use crate::events::run::{Routed, RunStarted};
use crate::events::time::micros;
use crate::kernel::Blobs;
use crate::workflow::definition::Definition;

impl Run {
    /// What was decided about the request that it is for; none if it was started otherwise.
    pub fn routed(&self) -> Option<&Routed> {
        self.routed.as_deref()
    }

    /// Whether it is the run that somebody starts: it began with the same, and what they say for it can have an effect still.
    ///
    /// # Errors
    /// When it is not, or has not begun.
    pub fn may_be_meant_by(&self, asked: &StartRun, blobs: &dyn Blobs) -> Result<(), RunRejection> {
        let about = self.about().ok_or(RunRejection::NotStarted)?;
        let input = Payload::new(asked.input.clone()).0;
        if about.started.input != input || !says_the_same(&about.started, asked, blobs)? {
            return Err(RunRejection::Taken(about.id.clone()));
        }
        let late = late(self, &about.started, asked);
        if late.is_empty() { Ok(()) } else { Err(RunRejection::Begun { run: about.id.clone(), late }) }
    }
}

/// Whether a run began with that definition. Where it stands does not matter: a comment above its steps moves them.
fn says_the_same(began: &RunStarted, asked: &StartRun, blobs: &dyn Blobs) -> Result<bool, RunRejection> {
    if began.definition == asked.definition_blob.reference {
        return Ok(true);
    }
    let recorded = blobs.value::<Definition>(&began.definition.hash)?;
    Ok(recorded.says_the_same_as(&asked.definition))
}

/// What was said for a run that exists, is not what it began with, and cannot have an effect any more.
fn late(run: &Run, began: &RunStarted, asked: &StartRun) -> Vec<Late> {
    let insists = asked.insists;
    let tags = asked.tags.iter().any(|(key, value)| began.tags.get(key) != Some(value));
    let until = asked.until.clone().filter(|until| began.until.as_ref() != Some(until));
    let until =
        until.map(|until| if run.status().has_ended() { Late::UntilEnded } else { Late::Until(until) });
    let duration = insists.duration_limit && asked.duration_limit.map(micros) != began.duration_limit_us;
    let parallel = insists.parallel && asked.parallel != began.parallel;
    let cache = asked.bypasses_cache && !run.shared.bypasses_cache;
    let only_recorded = insists.only_recorded && run.status() != RunStatus::Pending;
    [
        tags.then_some(Late::Tags),
        until,
        duration.then_some(Late::Duration),
        parallel.then_some(Late::Parallel),
        cache.then_some(Late::Cache),
        only_recorded.then_some(Late::OnlyRecorded),
    ]
    .into_iter()
    .flatten()
    .collect()
}
