//! The steps of a workflow.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{AgentRole, Definition, Does, Step};
use crate::events::ids::{AgentName, ContextName, LockName, StepId};

/// The steps of a workflow: a list in which a step is found by its id without a search.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(from = "Vec<Step>")]
pub struct Steps {
    list: Vec<Arc<Step>>,
    pub(super) places: HashMap<StepId, usize>,
}

impl Steps {
    /// The step with that id.
    pub fn find(&self, id: &StepId) -> Option<&Arc<Step>> {
        self.list.get(*self.places.get(id)?)
    }
}

impl Definition {
    /// Sets the agent of a step to the agent's own spelling of its name: see [`Step::set_agent`].
    pub fn set_agent(&mut self, step: &StepId, role: AgentRole, name: &AgentName) {
        if let Some(step) = self.step_mut(step) {
            step.set_agent(role, name);
        }
    }

    /// Sets the absolute path of the file of a step that starts a workflow.
    pub fn set_child(&mut self, step: &StepId, path: &str) {
        if let Some(Does::Workflow { file, .. }) = self.step_mut(step).map(|step| &mut step.does) {
            path.clone_into(file);
        }
    }

    /// The step with that id, so that what its agent or the configuration says can be filled in.
    pub fn step_mut(&mut self, step: &StepId) -> Option<&mut Step> {
        let place = self.steps.places.get(step).copied()?;
        self.steps.list.get_mut(place).map(Arc::make_mut)
    }
}

impl From<Vec<Step>> for Steps {
    fn from(list: Vec<Step>) -> Self {
        let places = list.iter().enumerate().map(|(place, step)| (step.id.clone(), place)).collect();
        Self { list: list.into_iter().map(Arc::new).collect(), places }
    }
}

impl Serialize for Steps {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.list.serialize(serializer)
    }
}

impl FromIterator<Step> for Steps {
    fn from_iter<I: IntoIterator<Item = Step>>(steps: I) -> Self {
        steps.into_iter().collect::<Vec<_>>().into()
    }
}

impl Deref for Steps {
    type Target = [Arc<Step>];

    fn deref(&self) -> &[Arc<Step>] {
        &self.list
    }
}

impl<'a> IntoIterator for &'a Steps {
    type Item = &'a Arc<Step>;
    type IntoIter = std::slice::Iter<'a, Arc<Step>>;

    fn into_iter(self) -> Self::IntoIter {
        self.list.iter()
    }
}

impl PartialEq for Steps {
    fn eq(&self, other: &Self) -> bool {
        self.list == other.list
    }
}

/// A lock of a shared context that a step holds for each attempt.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepLock {
    /// The context.
    pub context: ContextName,
    /// The lock.
    pub lock: LockName,
}
