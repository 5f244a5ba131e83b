//! Agents that use tools: their steps are loops of turns, and the tools that a turn wants are steps inside it.

use std::sync::Arc;

use super::advance::{Advance, Completion};
use super::{Impossible, Node, Run, RunRejection, StepIndex, StepPhase};
use crate::events::ids::{AgentName, StepId};
use crate::events::json::Payload;
use crate::events::problem::Code;
use crate::events::run::{AttemptStarted, Because, Purpose, SkipReason, StepAdded};
use crate::workflow::definition::{Definition, Step, is_built_in};
use crate::workflow::turns::{self, CALLS_MAX, MayUse, Tool};
use crate::workflow::work::{Failure, ToolCall};

/// A call of a tool that may be made.
pub(super) struct Call {
    added: StepAdded,
    definition: Definition,
}

/// A turn that is over, as the next one is told of it.
#[derive(Debug, Clone, PartialEq)]
pub struct TurnOver {
    /// What its agent answered: a [`turns::TurnOutput`].
    pub answer: Payload,
    /// What each tool answered that it wanted, in order, or why there is no answer.
    pub results: Vec<Result<Payload, String>>,
}

impl Run {
    /// The number of the turn that a step is, from 1, with those before it; none of another step.
    pub fn turn(&self, step: &StepId) -> Option<(u32, Vec<TurnOver>)> {
        let (_, node) = self.node(step).filter(|(_, node)| node.is_turn())?;
        let turns = self.steps.all(&self.steps.outer(node)?.children).filter(|node| node.is_turn());
        let before = turns.take_while(|turn| turn.id() != node.id()).collect::<Vec<_>>();
        let number = u32::try_from(before.len() + 1).unwrap_or(u32::MAX);
        Some((number, before.into_iter().filter_map(|turn| self.turn_over(turn)).collect()))
    }

    /// The agents that it knows.
    fn known(&self) -> Vec<&AgentName> {
        self.about()
            .map(|about| about.started.agents.iter().map(|bound| &bound.name).collect())
            .unwrap_or_default()
    }

    fn turn_over(&self, turn: &Node) -> Option<TurnOver> {
        let answer = turn.output()?.clone();
        let results = self.tools_of(turn).map(|tool| match (tool.output(), &tool.doing.error) {
            (Some(output), _) => Ok(output.clone()),
            (None, Some(error)) => Err(format!("{}: {}", error.code.text(), error.message)),
            (None, None) => Err(format!("it was {}", tool.status())),
        });
        Some(TurnOver { answer, results: results.collect() })
    }

    /// The calls that a turn wanted, in order.
    fn tools_of(&self, turn: &Node) -> impl Iterator<Item = &Node> {
        self.steps.all(&turn.children).filter(|node| node.is_of_tool())
    }
}

impl Advance<'_, '_> {
    /// What an agent's definition says of its work in turns, if it works so.
    fn may_use(&self, agent: &AgentName) -> Result<Option<Arc<MayUse>>, RunRejection> {
        let Some(definition) = self.draft.state().agent(agent).filter(|_| !is_built_in(agent)) else {
            return Ok(None);
        };
        let may_use = self.draft.value::<MayUse, _>(&definition.hash, self.moment)?;
        // Files of other tools name tools that are known there.
        let is_known = |may_use: &MayUse| !may_use.of(&self.draft.state().known()).is_empty();
        Ok(Some(may_use).filter(|may_use| may_use.may_work_in_turns() && is_known(may_use)))
    }

    /// Lets the first turn begin at a step whose agent works in turns. Answers whether it does, so that no attempt is made at the step
    /// itself. A plan is one answer, and no work in turns.
    pub(super) fn begin_turns(&mut self, place: StepIndex, step: &Step) -> Result<bool, RunRejection> {
        let node = self.node(place)?;
        let agent = node.slot(Purpose::Do).filter(|_| !node.is_turn() && step.plan.is_none());
        let Some(agent) = agent.cloned() else { return Ok(false) };
        if self.may_use(&agent)?.is_none() {
            return Ok(false);
        }
        let work = match self.work(place, step, &agent) {
            Ok(work) => work,
            Err(hindrance) => return self.hinder(place, hindrance).map(|()| true),
        };
        let turn = turns::turn(step, &agent, &work);
        let node = self.node(place)?;
        let added = StepAdded {
            inside: Some(node.id().clone()),
            item: node.added.item.clone(),
            ..turn.added(node.id().turn(1), Because::Turn)
        };
        self.add_grown(added, Definition::grown("turn", vec![turn].into()));
        Ok(true)
    }

    /// Whether an agent works in turns at that step.
    pub(super) fn has_turns(&self, place: StepIndex) -> Result<bool, RunRejection> {
        let children = &self.node(place)?.children;
        Ok(self.draft.state().steps.all(children).any(Node::is_turn))
    }

    /// A turn is done with, and all that it wanted: it was the last, or there is another.
    pub(super) fn turn_done(&mut self, place: StepIndex) -> Result<(), RunRejection> {
        let run = self.draft.state();
        let node = self.node(place)?;
        let turns: Vec<&Node> = run.steps.all(&node.children).filter(|node| node.is_turn()).collect();
        let Some(last) = turns.last().copied() else { return Ok(()) };
        let done = match (&last.doing.phase, &last.doing.error) {
            (StepPhase::Completed(done), _) => done.clone(),
            (StepPhase::Skipped { reason, message }, _) => {
                let (reason, message) = (*reason, message.clone());
                return self.skip(place, reason, message);
            }
            (_, Some(error)) => {
                let error = error.clone();
                return self.fail(place, error.class, error.code, error.message);
            }
            (_, None) => {
                let message = format!("`{}` came to nothing", last.id());
                return self.skip(place, SkipReason::Failure, message);
            }
        };
        if run.tools_of(last).next().is_none() {
            let output = last.output().cloned().unwrap_or_default();
            let came = Completion {
                output: self.draft.json(&output, self.moment)?,
                artifacts: done.artifacts,
                degraded: done.degraded,
                said: done.said,
                ..Completion::default()
            };
            return self.came_through(place, came);
        }
        let used = turns.len() - node.rounds_before.min(turns.len());
        let agent = last.slot(Purpose::Do).cloned();
        let max = match agent.as_ref().map(|agent| self.may_use(agent)).transpose()?.flatten() {
            Some(may_use) => may_use.turns_max(),
            None => turns::TURNS,
        };
        if used >= max as usize {
            let code = Code::TurnsUsedUp;
            let message = format!("it wants tools to be used after {max} turns, and may have no more");
            return self.fail(place, code.class(), code, message);
        }
        let number = u32::try_from(turns.len() + 1).unwrap_or(u32::MAX);
        let (needs, step) = (vec![last.id().clone()], node.id().turn(number));
        self.draft.emit(StepAdded { step, needs, ..StepAdded::clone(&last.added) });
        Ok(())
    }

    /// The calls that an attempt wants, if they may be made.
    ///
    /// # Errors
    /// Within, why one of them may not: then the attempt has failed. Else what keeps the run from deciding at all.
    pub(super) fn wanted_calls(
        &self,
        attempt: &AttemptStarted,
        wanted: &[&ToolCall],
    ) -> Result<Result<Vec<Call>, Failure>, RunRejection> {
        let Some(first) = wanted.first() else { return Ok(Ok(Vec::new())) };
        let run = self.draft.state();
        let (place, node) = run.node(&attempt.step).ok_or(Impossible::NoStep(0))?;
        let may_use = self.may_use(&attempt.agent)?;
        let Some(may_use) = may_use.filter(|_| node.is_turn() && attempt.purpose == Purpose::Do) else {
            return Ok(Err(unknown(&attempt.agent, &first.name)));
        };
        if wanted.len() > CALLS_MAX {
            let message = format!(
                "`{}` wants tools to be used {} times at once, and {CALLS_MAX} may be",
                attempt.agent,
                wanted.len()
            );
            return Ok(Err(Failure::new(Code::BadToolCall, message)));
        }
        let known = run.known();
        let tools = may_use.of(&known);
        let turn = self.template(place)?;
        let mut calls = Vec::with_capacity(wanted.len());
        for (number, call) in (1..).zip(wanted) {
            let is_meant = |tool: &&&AgentName| {
                turns::offered_as(tool) == call.name || tool.key() == AgentName::new(&call.name).key()
            };
            let Some(tool) = tools.iter().find(is_meant) else {
                return Ok(Err(unknown(&attempt.agent, &call.name)));
            };
            let whom = turns::asks_whom(call);
            let whom = whom.and_then(|whom| known.iter().find(|known| known.key() == whom.key()));
            let agent = whom.filter(|whom| **whom != &attempt.agent).unwrap_or(tool);
            let rules = match run.agent(tool) {
                Some(definition) => self.draft.value::<Tool, _>(&definition.hash, self.moment)?,
                None => Arc::default(),
            };
            let is_asked = may_use.must_be_allowed(&call.name);
            let step = turns::call(&turn, agent, call, &rules, is_asked);
            let added = StepAdded {
                inside: Some(attempt.step.clone()),
                ..step.added(attempt.step.tool(number), Because::Tool)
            };
            calls.push(Call { added, definition: Definition::grown("tool", vec![step].into()) });
        }
        Ok(Ok(calls))
    }

    /// Records the calls that an attempt wants.
    pub(super) fn do_call(&mut self, calls: Vec<Call>) {
        for Call { added, definition } in calls {
            self.add_grown(added, definition);
        }
    }
}

fn unknown(agent: &AgentName, tool: &str) -> Failure {
    let message = format!(
        "`{agent}` wants to use the tool `{}`, and was offered none of that name",
        tool.escape_debug()
    );
    Failure::new(Code::UnknownTool, message)
}
