//! What the steps of a family act on. What an agent does is in its name.

use std::collections::{BTreeMap, BTreeSet};

use reenact::events::problem::{Class, Code};
use reenact::events::run::Purpose;
use reenact::testing::world::{Failure, Output, Task, answer};
use serde_json::json;

/// What is done and not undone, by workflow and step: by which runs, in which generations.
pub(super) type Held = BTreeMap<(String, String), BTreeSet<(String, u32)>>;

#[derive(Debug, Clone, Default)]
pub(super) struct World {
    /// The steps that have stumbled once.
    stumbled: BTreeSet<(String, String)>,
    pub(super) held: Held,
}

impl World {
    /// An attempt is made.
    pub(super) fn attempt(&mut self, workflow: &str, task: &Task) -> Result<Output, Failure> {
        let step = (workflow.to_owned(), task.step.to_string());
        let of = (task.run.to_string(), task.generation);
        if task.purpose == Purpose::Compensate {
            if let Some(held) = self.held.get_mut(&step) {
                held.remove(&of);
            }
            return Ok(answer(&json!("undone")));
        }
        let fails = |class| Err(Failure::new(Code::ExitUnknown, "as its name says").class(class));
        let agent = task.agent.as_str();
        if agent.ends_with("fails") {
            return fails(Class::Validation);
        }
        if agent.ends_with("stumbles") && self.stumbled.insert(step.clone()) {
            return fails(Class::Transient);
        }
        self.held.entry(step).or_default().insert(of);
        Ok(answer(&json!({ "of": task.step })))
    }

    /// How much is done and not undone.
    pub(super) fn counts(&self) -> BTreeMap<String, usize> {
        let held = self.held.iter().filter(|(_, held)| !held.is_empty());
        held.map(|((workflow, step), held)| (format!("{workflow}/{step}"), held.len())).collect()
    }
}

/// Whether an attempt is only made when a story says so.
pub(super) fn is_held(agent: &str) -> bool {
    agent.starts_with("held")
}
