//! The agents of a workflow, found: steps name them as they call themselves, and get from them what they do not say.

use std::collections::BTreeSet;

use crate::config::Config;
use crate::events::ids::{AgentName, StepId};
use crate::events::problem::{Code, Problem, SourceLocation};
use crate::executors::discovery::Catalog;
use crate::executors::{AgentDefinition, ExecutorKind};
use crate::workflow::definition::{AgentRole, Does, Fallback, OnError, Step};
use crate::workflow::parse::{NamedAgent, Parsed, Partly};

/// The agents of a workflow.
pub(super) struct Bound {
    pub(super) agents: Vec<AgentDefinition>,
    /// What is odd about those that are named.
    pub(super) warnings: Vec<Problem>,
}

/// Finds the agents that steps name, those that stand in for them, and those that undo them; and all others that could
/// do a step, if the run may grow: nobody knows whom a plan will name; and those to whom work may be handed over. Completes the steps by what agents and the
/// configuration say. Where there are no steps, as something else is wrong with the file, agents are looked for all the
/// same.
///
/// # Errors
/// Those that are not there or cannot be used, in the order of the file.
pub(super) fn agents(
    partly: &mut Partly,
    file: &str,
    catalog: &Catalog,
    config: &Config,
) -> Result<Bound, (Vec<Problem>, Vec<Problem>)> {
    let default_agent = config.default_agent.as_ref();
    let (found, names, warnings) = Default::default();
    let mut binding = Binding { catalog, default_agent, found, names, warnings };
    let mut errors = Vec::new();
    for named in &partly.agents {
        let step = partly.read.as_mut().and_then(|parsed| {
            let undecided = parsed.undecided.contains(&named.step);
            Some((parsed.definition.step_mut(&named.step)?, undecided))
        });
        let bound = match step {
            Some((step, undecided)) => binding.bind(step, named, undecided, config.run.max_fallback_attempts),
            None => match binding.find_named(named) {
                Err(problem) if binding.may_lack(named, &problem) => Ok(()),
                found => found.map(drop),
            },
        };
        errors.extend(bound.err());
    }
    if !errors.is_empty() {
        return Err((errors, binding.warnings));
    }
    if let Some(parsed) = &mut partly.read {
        configured(parsed, file, config, &mut binding.warnings);
    }
    if let Some(manager) = config.stuck.manager.as_ref().filter(|_| !partly.agents.is_empty()) {
        binding.find(manager).map_err(|problem| {
            let message = format!("`stuck.manager` in the configuration: {}", problem.message);
            (vec![Problem { message, ..problem }], binding.warnings.clone())
        })?;
    }
    let (named, hands_over) = (binding.found.len(), config.growth.handoffs_max > 0);
    binding.reach(named, hands_over);
    let all = config.growth.total > 0;
    // Who handles messages may be sent one by any step.
    catalog.usable().filter(|agent| all || !agent.handles.is_empty()).for_each(|agent| binding.add(agent));
    // Those have tools as well.
    binding.reach(named, hands_over);
    Ok(Bound { agents: binding.found, warnings: binding.warnings })
}

/// Completes the steps by what the configuration says of all of them.
fn configured(parsed: &mut Parsed, file: &str, config: &Config, warnings: &mut Vec<Problem>) {
    let steps: Vec<StepId> = parsed.definition.steps.iter().map(|step| step.id.clone()).collect();
    for phase in parsed.definition.phases.values_mut() {
        phase.approval.checklist.splice(..0, config.approvals.checklist.iter().cloned());
    }
    for (id, (line, column)) in steps.iter().zip(parsed.places.clone()) {
        let Some(step) = parsed.definition.step_mut(id) else { continue };
        if let Some(approval) = &mut step.approval {
            approval.checklist.splice(..0, config.approvals.checklist.iter().cloned());
        }
        if config.run.fail_if_critical_skipped && step.fail_if_critical() {
            warnings.push(never_skipped(id).at(file, line, column));
        }
    }
}

fn never_skipped(step: &StepId) -> Problem {
    let message = format!("`{step}` is critical: where its failure would let it be skipped, the run fails");
    Problem::new(Code::Contradiction, message)
        .hint(
            "the configuration's `run.fail_if_critical_skipped` says so; take one of the two out of the step",
        )
        .step(step)
}

struct Binding<'a> {
    catalog: &'a Catalog,
    default_agent: Option<&'a AgentName>,
    found: Vec<AgentDefinition>,
    names: BTreeSet<AgentName>,
    warnings: Vec<Problem>,
}

impl<'a> Binding<'a> {
    /// Binds what a step names to the agent that it means. An `undecided` step leaves it to its agent what its failure does to
    /// the run.
    fn bind(
        &mut self,
        step: &mut Step,
        named: &NamedAgent,
        undecided: bool,
        fallback_attempts: u32,
    ) -> Result<(), Problem> {
        let placed = |problem| placed(problem, &named.at).step(&named.step);
        let agent = match (self.find_named(named), &mut step.handoffs) {
            // Nobody stands in for one who might go on: the first one does it all.
            (Err(problem), Some(handoffs)) if self.may_lack(named, &problem) => {
                handoffs.retain(|other| other.key() != named.agent.key());
                let message = format!("{}: nobody can hand over to it", problem.message);
                self.warnings.push(placed(Problem::new(Code::AgentStandsIn, message)));
                return Ok(());
            }
            (found, ..) => found?,
        };
        step.set_agent(named.role, &agent.name);
        if named.role == AgentRole::Does && agent.executor == ExecutorKind::External && !step.locks.is_empty()
        {
            let message = format!(
                "`{}` has locks, and its agent `{}` is external: nobody would renew them",
                step.id, agent.name
            );
            let problem = Problem::new(Code::Contradiction, message);
            return Err(placed(
                problem.hint("take the `locks` out, or let another step of another agent hold them"),
            ));
        }
        if named.role != AgentRole::Does {
            return Ok(());
        }
        step.criticality = step.criticality.or(agent.criticality);
        if undecided && agent.optional == Some(true) {
            step.on_error = OnError::RetryThenSkip;
        }
        let inherits =
            step.fallback.is_none() && !step.at_most_once && matches!(step.does, Does::Agent { .. });
        if let Some(inherited) = agent.fallback.as_ref().filter(|_| inherits) {
            let stands_in = self.find(&inherited.agent).map_err(|problem| {
                let message = format!("agent `{}` falls back on another: {}", agent.name, problem.message);
                placed(Problem { message, ..problem })
            })?;
            step.fallback = Some(Fallback {
                agent: stands_in.name.clone(),
                prompt_suffix: inherited.prompt_suffix.clone(),
                attempts: fallback_attempts,
            });
        }
        Ok(())
    }

    /// The agent that a step names; what is wrong with it stands where it is named.
    fn find_named(&mut self, named: &NamedAgent) -> Result<&'a AgentDefinition, Problem> {
        let found = match (self.find(&named.agent), self.default_for(named)) {
            (Err(problem), Some(stands_in)) if named.role == AgentRole::Does => {
                let message = format!("{}: the default agent `{stands_in}` does it", problem.message);
                let warning = Problem::new(Code::AgentStandsIn, message).hint(problem.remedies);
                self.warnings.push(placed(warning, &named.at).step(&named.step));
                self.find(stands_in)
            }
            (found, _) => found,
        };
        found.map_err(|problem| placed(problem, &named.at).step(&named.step))
    }

    /// Whether a step can do without an agent that it names: one to whom it might be handed over in a chain, and who is not there
    /// while a default agent is, whose executor is not, or for whom there is no model.
    fn may_lack(&self, named: &NamedAgent, problem: &Problem) -> bool {
        let is_lacking =
            self.default_for(named).is_some() || matches!(problem.code, Code::NotBuilt | Code::NoModel);
        named.role == AgentRole::TakesOver && named.or_default && is_lacking
    }

    /// The agent that stands in where one is named that is not there. One whose file is broken is there.
    fn default_for(&self, named: &NamedAgent) -> Option<&'a AgentName> {
        self.default_agent.filter(|_| named.or_default && !self.catalog.has(&named.agent))
    }

    /// The agent of that name, which is then among those that were found.
    fn find(&mut self, name: &AgentName) -> Result<&'a AgentDefinition, Problem> {
        let odd = self.catalog.warnings_of(name).iter().filter(|warning| !self.warnings.contains(warning));
        self.warnings.extend(odd.cloned().collect::<Vec<_>>());
        let found = &self.catalog.find(name)?.definition;
        found.check_usable()?;
        self.add(found);
        Ok(found)
    }

    /// Finds all that the models of those may call that were found, and if they hand over, to whom: a run keeps the definitions
    /// with which it began. Steps name the first ones: of what those name in vain it is warned.
    fn reach(&mut self, named: usize, hands_over: bool) {
        let mut next = 0;
        while let Some(agent) = self.found.get(next).cloned() {
            next += 1;
            self.equip(&agent, next <= named);
            if !hands_over || agent.executor == ExecutorKind::Tool {
                continue;
            }
            let Some(names) = &agent.handoffs else {
                self.catalog.usable().for_each(|agent| self.add(agent));
                continue;
            };
            for name in names {
                let found = self.catalog.find(name).map(|found| &found.definition);
                match found.and_then(|found| found.check_usable().map(|()| found)) {
                    Ok(found) => self.add(found),
                    Err(_) if next > named => {}
                    Err(problem) => self.warn(in_vain(&agent.name, "may hand over to", name, problem)),
                }
            }
        }
    }

    /// Finds what the model of an agent may call, and who undoes what the agent did as a tool.
    fn equip(&mut self, agent: &AgentDefinition, is_named: bool) {
        let calls = agent.tools().filter(|_| agent.calls_tools()).map(AgentName::new);
        let calls = calls.filter(|tool| self.catalog.has(tool)).map(|tool| ("may call", tool));
        let undone = agent.compensate.iter().map(|by| ("is undone by", by.clone()));
        for (why, name) in calls.chain(undone).collect::<Vec<_>>() {
            let found = self.catalog.find(&name).map(|found| &found.definition);
            match found.and_then(|found| found.check_usable().map(|()| found)) {
                Ok(found) => self.add(found),
                Err(_) if !is_named => {}
                Err(problem) => self.warn(in_vain(&agent.name, why, &name, problem)),
            }
        }
        if is_named {
            self.catalog.unknown_tools_of(agent).into_iter().for_each(|unknown| self.warn(unknown));
        }
    }

    fn warn(&mut self, warning: Problem) {
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }

    fn add(&mut self, agent: &AgentDefinition) {
        if self.names.insert(agent.name.clone()) {
            self.found.push(agent.clone());
        }
    }
}

/// The warning that an agent may do something with another, and cannot.
fn in_vain(agent: &AgentName, may: &str, name: &AgentName, problem: Problem) -> Problem {
    let message = format!("agent `{agent}` {may} `{name}`, and cannot: {}", problem.message);
    Problem { message, ..problem }
}

/// What is wrong with an agent's own file stands there; all else where the agent is named.
fn placed(problem: Problem, at: &SourceLocation) -> Problem {
    match problem.at {
        Some(_) => problem,
        None => problem.at(&at.file, at.line, at.column),
    }
}
