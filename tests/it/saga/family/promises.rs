//! What must hold of a family at any moment, whatever dies and however long messages take.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use reenact::events::ids::{RunId, StepId, StreamId};
use reenact::events::run::{Parent, Purpose, RunEvent};

/// What was seen of all runs so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Audit {
    /// How much of each run was looked at.
    read: BTreeMap<RunId, usize>,
    parents: BTreeMap<RunId, Parent>,
    irreversible: BTreeSet<(RunId, StepId)>,
    /// The generation in which a step was last tried.
    generation: BTreeMap<(RunId, StepId), u32>,
    done: BTreeSet<(RunId, StepId, u32)>,
    undone: BTreeSet<(RunId, StepId, u32)>,
    /// The children that may pass the point of no return, by their parents and steps.
    past_return: BTreeSet<(RunId, StepId, RunId)>,
}

impl Audit {
    /// Looks at what is new in a run.
    pub(super) fn read(&mut self, stream: &StreamId, history: &[Arc<RunEvent>]) -> Result<(), String> {
        let Some(run) = &stream.run() else { return Err("it is no run".to_owned()) };
        let read = self.read.insert(run.clone(), history.len()).unwrap_or(0);
        history[read..].iter().try_for_each(|event| self.see(run, event))
    }

    fn see(&mut self, run: &RunId, event: &RunEvent) -> Result<(), String> {
        let of = |step: &StepId| (run.clone(), step.clone());
        match event {
            RunEvent::RunStarted(started) => {
                started
                    .parent
                    .clone()
                    .into_iter()
                    .for_each(|parent| drop(self.parents.insert(run.clone(), parent)));
            }
            RunEvent::StepAdded(added) if added.irreversible => {
                self.irreversible.insert(of(&added.step));
            }
            RunEvent::AttemptStarted(started) => {
                let this = (run.clone(), started.step.clone(), started.generation);
                self.generation.insert(of(&started.step), started.generation);
                if started.purpose == Purpose::Compensate {
                    return self.may_undo(run, &started.step);
                }
                if self.done.contains(&this) {
                    return Err(format!(
                        "`{}` was done in that generation, and is begun again",
                        started.step
                    ));
                }
                if self.irreversible.contains(&of(&started.step)) {
                    return self.may_pass(run, &started.step);
                }
            }
            RunEvent::StepCompleted(completed) => {
                let generation = self.generation.get(&of(&completed.step)).copied().unwrap_or(1);
                if !self.done.insert((run.clone(), completed.step.clone(), generation)) {
                    return Err(format!("`{}` is done twice", completed.step));
                }
            }
            RunEvent::StepCompensated(undone) => {
                let generation = self.generation.get(&of(&undone.step)).copied().unwrap_or(1);
                if !self.undone.insert((run.clone(), undone.step.clone(), generation)) {
                    return Err(format!("`{}` is undone twice", undone.step));
                }
            }
            RunEvent::ChildPastReturn(past) => {
                self.past_return.insert((run.clone(), past.step.clone(), past.run.clone()));
            }
            RunEvent::ChildEnded(ended) if !ended.past_return => {
                self.past_return.remove(&(run.clone(), ended.step.clone(), ended.run.clone()));
            }
            _ => {}
        }
        Ok(())
    }

    /// Every ancestor has recorded that it is past the point of no return before what cannot be undone begins.
    fn may_pass(&self, run: &RunId, step: &StepId) -> Result<(), String> {
        let mut child = run;
        while let Some(parent) = self.parents.get(child) {
            if !self.past_return.contains(&(parent.run.clone(), parent.step.clone(), child.clone())) {
                return Err(format!(
                    "`{step}` begins, and run `{}` has not recorded that it may",
                    parent.run
                ));
            }
            child = &parent.run;
        }
        Ok(())
    }

    /// Nothing is undone in a run whose child is past the point of no return.
    fn may_undo(&self, run: &RunId, step: &StepId) -> Result<(), String> {
        match self.past_return.iter().find(|(parent, ..)| parent == run) {
            Some((_, of, _)) => {
                Err(format!("`{step}` is undone, and the child of `{of}` is past the point of no return"))
            }
            None => Ok(()),
        }
    }
}
