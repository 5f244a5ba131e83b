//! What the world is told of an attempt.

use std::sync::Arc;

use super::{Broken, Simulation};
use crate::events::ids::{Hash, StepId};
use crate::events::run::{AttemptStarted, Purpose, RunEvent, Undoes};
use crate::store::EventStore;
use crate::store::memory::MemoryStore;
use crate::testing::world::{Compensated, Task, World};
use crate::workflow::aggregate::{Blobs, Unreadable};
use crate::workflow::definition::Definition;

impl<W: World> Simulation<W> {
    /// What an executor gets for an attempt.
    pub(super) fn task(&self, started: &AttemptStarted) -> Result<Task, Broken> {
        let shelf = Shelf { store: &self.store, definition: &self.begun.definition };
        let unreadable = |unreadable: Unreadable| self.broken(&unreadable.to_string());
        let input = shelf.json(&started.input).map_err(unreadable)?;
        let work = serde_json::from_str(input.text()).map_err(|error| self.broken(&error.to_string()))?;
        let compensates = match started.purpose {
            Purpose::Do => None,
            Purpose::Compensate => Some(self.compensates(&started.step, &shelf).map_err(unreadable)?),
        };
        Ok(Task {
            run: self.begun.run.clone(),
            step: started.step.clone(),
            attempt: started.attempt,
            generation: started.generation,
            fence: started.fence,
            idempotency_key: Arc::clone(&started.idempotency_key),
            purpose: started.purpose,
            agent: started.agent.clone(),
            work_folder: Arc::clone(&self.begun.work_folder),
            work,
            compensates,
        })
    }

    /// What the compensation of a step undoes: what its history says.
    fn compensates(&self, step: &StepId, shelf: &Shelf<'_>) -> Result<Compensated, Unreadable> {
        let newest_first = || self.history.iter().rev();
        let outcome = newest_first().find_map(|event| match &**event {
            RunEvent::CompensationStarted(started) if started.step == *step => Some(started.outcome),
            _ => None,
        });
        let outcome = outcome.unwrap_or(Undoes::Unknown);
        let output = newest_first().find_map(|event| match &**event {
            RunEvent::StepCompleted(done) if done.step == *step => Some(&done.output),
            _ => None,
        });
        let output = output.filter(|_| outcome == Undoes::Completed);
        Ok(Compensated {
            outcome,
            output: output.map(|output| shelf.json(output)).transpose()?.unwrap_or_default(),
        })
    }
}

/// Content by its hash; the definition as it was given.
pub(super) struct Shelf<'a> {
    pub(super) store: &'a MemoryStore,
    pub(super) definition: &'a (Hash, Arc<Definition>),
}

impl Blobs for Shelf<'_> {
    fn read(&self, hash: &Hash) -> Result<Arc<[u8]>, Unreadable> {
        let unreadable = |why: String| Unreadable { hash: *hash, why };
        let found = self.store.blob(hash).map_err(|error| unreadable(error.to_string()))?;
        found.ok_or_else(|| unreadable("it is not stored".to_owned()))
    }

    fn definition(&self, hash: &Hash) -> Result<Arc<Definition>, Unreadable> {
        if self.definition.0 == *hash {
            return Ok(Arc::clone(&self.definition.1));
        }
        Err(Unreadable { hash: *hash, why: "it is another definition's".to_owned() })
    }
}
