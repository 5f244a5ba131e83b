//! Checks the names in a definition as those in a file are checked: a definition may also
//! come from another process.

use super::{Definition, Does, STEPS_MAX, Step};
use crate::events::ids::{AgentName, StepId};
use crate::events::problem::{Code, Problem};
use crate::workflow::graph::Graph;

impl Definition {
    /// Checks ids, agents' names, and that the steps need each other without cycles. A definition that was
    /// parsed from a file has passed these checks already, with places.
    ///
    /// # Errors
    /// [`Code::BadStepId`], [`Code::DuplicateStep`], [`Code::UnknownStep`], [`Code::Cycle`],
    /// [`Code::BadAgent`], [`Code::NoSteps`], or [`Code::TooLarge`] for too many steps.
    pub fn check_names(&self) -> Result<(), Problem> {
        match self.steps.len() {
            0 => return Err(Problem::new(Code::NoSteps, "the workflow has no steps")),
            1..=STEPS_MAX => {}
            many => {
                let message = format!("there are {many} steps, and no more than {STEPS_MAX} are allowed");
                return Err(Problem::new(Code::TooLarge, message));
            }
        }
        self.steps.iter().try_for_each(|step| step.check_names())?;
        if self.steps.places.len() != self.steps.len() {
            return Err(Problem::new(Code::DuplicateStep, "two steps have one id"));
        }
        let place = |id: &StepId| {
            let unknown =
                || Problem::new(Code::UnknownStep, format!("`needs` names `{id}`, which is no step"));
            self.steps.places.get(id).copied().ok_or_else(unknown)
        };
        let needs = self.steps.iter().map(|step| step.needs.iter().map(place).collect());
        let needs = needs.collect::<Result<Vec<Vec<usize>>, Problem>>()?;
        match Graph::new(needs).cycles().is_empty() {
            true => Ok(()),
            false => Err(Problem::new(Code::Cycle, "steps wait for each other in a circle")),
        }
    }
}

impl Definition {
    /// The agents that it names: who do or undo its steps, stand in for those, may be handed one over, and do the tasks of a plan.
    pub fn agents(&self) -> impl Iterator<Item = AgentName> {
        self.steps.iter().flat_map(|step| {
            let undoes = step.compensate.as_ref().and_then(|compensate| compensate.does.agent());
            let stands_in = step.fallback.as_ref().map(|fallback| fallback.agent.clone());
            let takes_over = step.handoffs.iter().flatten().cloned();
            let of_plan = step.plan.iter().flat_map(|plan| plan.agents()).cloned();
            step.agent().into_iter().chain(undoes).chain(stands_in).chain(takes_over).chain(of_plan)
        })
    }
}

impl Step {
    fn check_names(&self) -> Result<(), Problem> {
        StepId::parse(self.id.as_str()).map_err(|error| Problem::new(Code::BadStepId, error.to_string()))?;
        let undoes = self.compensate.as_ref().map(|compensate| &compensate.does);
        let does = [Some(&self.does), undoes].into_iter().flatten();
        let agents = does.filter_map(|does| match does {
            Does::Agent { agent, .. } => Some(agent),
            _ => None,
        });
        let agents = agents.chain(self.fallback.as_ref().map(|fallback| &fallback.agent));
        let of_plan = self.plan.iter().flat_map(|plan| plan.agents());
        let mut agents = agents.chain(self.handoffs.iter().flatten()).chain(of_plan);
        agents
            .try_for_each(AgentName::check)
            .map_err(|error| Problem::new(Code::BadAgent, error.to_string()).step(&self.id))
    }
}
