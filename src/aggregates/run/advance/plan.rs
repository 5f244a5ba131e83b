//! Plans: the steps that a step's answer adds to its run.

use std::sync::Arc;

use super::Advance;
use crate::aggregates::run::{About, RunRejection, StepIndex};
use crate::events::ids::{AgentName, StepId};
use crate::events::json::{Blob, Json};
use crate::events::problem::{Code, Problem};
use crate::events::run::*;
use crate::workflow::definition::{Criticality, Definition, OnError, SHELL_AGENT, Step, WORKFLOW_AGENT};
use crate::workflow::json_text::Level;
use crate::workflow::parse::{NamedAgent, PlanScope, plan};

/// The key of an answer that is a plan.
const ADD_STEPS: &str = "add_steps";

impl Advance<'_, '_> {
    /// Lets the steps join the graph that a step has planned, if it has.
    pub(in crate::aggregates::run) fn grow(
        &mut self,
        place: StepIndex,
        answer: &Json,
    ) -> Result<(), RunRejection> {
        // A plan that cannot join was refused before.
        let Ok(Some(planned)) = self.planned(place, answer)? else { return Ok(()) };
        let id = self.node(place)?.id().clone();
        let steps: Vec<StepAdded> = planned.steps.iter().map(|step| added_by(&id, step)).collect();
        let blob = Blob::new(planned.to_json().text().as_bytes());
        let definition = self.draft.attach_value(blob, Arc::new(planned));
        for step in steps {
            self.draft.emit(StepAdded { planned: Some(definition), ..step });
        }
        Ok(())
    }

    /// The steps that an answer adds, if it does.
    ///
    /// # Errors
    /// Within, why they cannot join the run. Else what keeps the run from deciding at all.
    pub(in crate::aggregates::run) fn planned(
        &self,
        place: StepIndex,
        answer: &Json,
    ) -> Result<Result<Option<Definition>, Problem>, RunRejection> {
        let step = self.template(place)?;
        let Some(tasks) = &step.plan else { return Ok(self.joining(place, added(answer))) };
        let list = match self.tasks(place, tasks, answer)? {
            Ok(list) => list,
            Err(problem) => return Ok(Err(problem)),
        };
        let planned = self.joining(place, Some(list.text()));
        let of_tasks =
            |problem: Problem| Problem::new(Code::BadTasks, problem.message).hint(problem.remedies);
        Ok(planned.map_err(of_tasks).map(|planned| planned.map(|planned| tried_as(&step, planned))))
    }

    /// The steps of a list of steps, if there is one.
    fn joining(&self, place: StepIndex, list: Option<&str>) -> Result<Option<Definition>, Problem> {
        let run = self.draft.state();
        let about = run.about().ok_or_else(|| Problem::new(Code::Internal, "a plan of no run"))?;
        let limits = about.started.growth;
        // A loop answers what its last round did, which joined with that; a wait what somebody sent.
        let plans = run.steps.get(place).is_some_and(|node| matches!(node.added.kind, StepKind::Work { .. }));
        let Some(list) = list.filter(|_| plans && limits.total > 0) else { return Ok(None) };
        let env: Vec<String> = about.started.environment.keys().cloned().collect();
        let known = |id: &str| run.meant(Some(place), &StepId::grown(id)).is_some();
        let contexts = &self.definition.contexts;
        let fallback_attempts = limits.fallback_attempts;
        let scope = PlanScope { env: &env, fallback_attempts, contexts, steps: &known };
        let (mut planned, agents) = plan(list, &scope)?;
        let depth = run.planners(place).len() + 1;
        let (width, total) = (planned.steps.len(), run.planned as usize + planned.steps.len());
        for (is, may_be, what) in [
            (depth, limits.depth, "plans would be inside each other"),
            (width, limits.width, "steps would be added by one plan"),
            (total, limits.total, "steps would be added by all plans together"),
        ] {
            if is > may_be as usize {
                let message = format!("{is} {what}, and no more than {may_be} may be");
                return Err(Problem::new(Code::PlanTooLarge, message));
            }
        }
        if let Some(taken) = planned.steps.iter().find(|step| run.node(&step.id).is_some()) {
            let message = format!("the plan adds a step `{}`, and the run has one of that id", taken.id);
            return Err(Problem::new(Code::BadPlan, message));
        }
        let outer = run.steps.get(run.steps.outermost(place)).and_then(|node| node.added.phase.as_deref());
        let asks = |phase: &str| outer != Some(phase) && self.definition.phases.contains_key(phase);
        if let Some((step, phase)) = joins(&planned, asks) {
            let message = format!(
                "step `{step}` of the plan would join the phase `{phase}`, which people are asked about as it is"
            );
            return Err(Problem::new(Code::BadPlan, message));
        }
        bind(&mut planned, &agents, about, self.definition)?;
        Ok(Some(planned))
    }
}

/// The steps of a plan of tasks: an attempt at each may take as long, and is made as often, as one at the step that planned them.
fn tried_as(planner: &Step, mut planned: Definition) -> Definition {
    let ids: Vec<StepId> = planned.steps.iter().map(|step| step.id.clone()).collect();
    for id in ids {
        if let Some(step) = planned.step_mut(&id) {
            (step.timeout, step.retry) = (planner.timeout, planner.retry.clone());
        }
    }
    planned
}

/// A step of a plan that would join a phase that it may not.
fn joins(planned: &Definition, may_not: impl Fn(&str) -> bool) -> Option<(&StepId, &str)> {
    let named = planned.steps.iter().filter_map(|step| Some((&step.id, step.phase.as_deref()?)));
    named.into_iter().find(|(_, phase)| may_not(phase))
}

/// A step as its planner adds it.
fn added_by(planner: &StepId, step: &Step) -> StepAdded {
    StepAdded {
        inside: Some(planner.clone()),
        needs: step.needs.iter().map(|need| planner.planned(need)).collect(),
        ..step.added(planner.planned(&step.id), Because::Plan)
    }
}

/// The list that an answer has under `add_steps`, as text; null and an empty list add nothing.
fn added(answer: &Json) -> Option<&str> {
    let Ok(Level::Map(members)) = Level::of(answer.text()) else { return None };
    let (_, list) = members.into_iter().rfind(|(key, _)| key == ADD_STEPS)?;
    let is_empty = matches!(Level::of(list), Ok(Level::Null))
        || matches!(Level::of(list), Ok(Level::List(items)) if items.is_empty());
    (!is_empty).then_some(list)
}

/// Names the agents as they call themselves. A run knows those that it recorded; only where its own steps name others,
/// which the process that drives it has registered, may those of a plan.
fn bind(
    planned: &mut Definition,
    agents: &[NamedAgent],
    about: &About,
    run: &Definition,
) -> Result<(), Problem> {
    let known = &about.started.agents;
    let is_bound = |agent: &AgentName| known.iter().any(|known| known.name == *agent);
    let is_built_in = |agent: &AgentName| [SHELL_AGENT, WORKFLOW_AGENT].contains(&agent.as_str());
    let is_open = run
        .steps
        .iter()
        .filter_map(|step| step.agent())
        .any(|agent| !is_bound(&agent) && !is_built_in(&agent));
    for NamedAgent { agent, step, role, .. } in agents {
        match known.iter().find(|known| known.name.key() == agent.key()) {
            Some(found) => planned.set_agent(step, *role, &found.name),
            None if is_open => {}
            None => return Err(unknown(step, agent)),
        }
    }
    if about.started.growth.critical_fails {
        let ids: Vec<StepId> = planned.steps.iter().map(|step| step.id.clone()).collect();
        for step in ids {
            let Some(step) = planned.step_mut(&step) else { continue };
            if step.criticality == Some(Criticality::Critical) && step.on_error == OnError::RetryThenSkip {
                step.on_error = OnError::RetryThenFail;
            }
        }
    }
    Ok(())
}

fn unknown(step: &StepId, agent: &AgentName) -> Problem {
    let message = format!("step `{step}` of the plan names the agent `{agent}`, which the run does not know");
    Problem::new(Code::BadPlan, message)
}
