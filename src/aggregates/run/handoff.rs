//! Handoffs: an attempt that succeeded says that another agent is to go on. What that one does is a step that grows in the one
//! with which the chain began.

use super::advance::Advance;
use super::{Impossible, Node, Run, RunRejection, StepIndex};
use crate::events::ids::{AgentName, StepId};
use crate::events::json::Json;
use crate::events::problem::{Code, Problem, nearest};
use crate::events::run::{AttemptStarted, Because, HandoffDeclared, Purpose, StepAdded};
use crate::kernel::Unreadable;
use crate::workflow::definition::{Definition, is_built_in};
use crate::workflow::handoff::{Handoff, Link, MayHandOver, in_answer, items};
use crate::workflow::stuck::unguided;
use crate::workflow::work::{Failure, Work};

/// A handoff that may be made.
pub(super) struct HandOver {
    handoff: Handoff,
    to: AgentName,
    added: StepAdded,
    definition: Definition,
}

impl HandOver {
    /// The agent that goes on, as it calls itself.
    pub(super) fn to(&self) -> &AgentName {
        &self.to
    }
}

/// Why no handoff is made.
enum Hindrance {
    /// It may not be made: the attempt has failed.
    Refused(Problem),
    /// It keeps the run from deciding at all.
    Rejected(RunRejection),
}

impl From<Problem> for Hindrance {
    fn from(problem: Problem) -> Self {
        Self::Refused(problem)
    }
}

impl From<Unreadable> for Hindrance {
    fn from(unreadable: Unreadable) -> Self {
        Self::Rejected(unreadable.into())
    }
}

impl From<RunRejection> for Hindrance {
    fn from(rejection: RunRejection) -> Self {
        Self::Rejected(rejection)
    }
}

impl From<Impossible> for Hindrance {
    fn from(impossible: Impossible) -> Self {
        Self::Rejected(impossible.into())
    }
}

impl Advance<'_, '_> {
    /// The handoff that an attempt wants, if it wants one: it asked for it, or its answer has a declaration.
    ///
    /// # Errors
    /// Within, why it may not be made: then the attempt has failed. Else what keeps the run from deciding at all.
    pub(super) fn wanted_handoff(
        &self,
        attempt: &AttemptStarted,
        mut asked: Vec<String>,
        answer: &Json,
        is_echo: bool,
    ) -> Result<Result<Option<HandOver>, Failure>, RunRejection> {
        // What a program answers that answers the document which it got was said by others.
        asked.extend((!is_echo).then(|| in_answer(answer)).into_iter().flatten());
        let Some((declaration, more)) = asked.split_first() else { return Ok(Ok(None)) };
        let wanted = if attempt.purpose == Purpose::Compensate {
            Err(misplaced("it hands over, and what undoes a step has to do it itself"))
        } else if !more.is_empty() {
            Err(misplaced("its output has more than one handoff"))
        } else {
            Ok(())
        };
        match wanted.map_err(Hindrance::Refused).and_then(|()| self.hand_over(attempt, declaration, answer)) {
            Ok(hand_over) => Ok(Ok(Some(hand_over))),
            Err(Hindrance::Refused(problem)) => Ok(Err(problem.into())),
            Err(Hindrance::Rejected(rejection)) => Err(rejection),
        }
    }

    fn hand_over(
        &self,
        attempt: &AttemptStarted,
        declaration: &str,
        answer: &Json,
    ) -> Result<HandOver, Hindrance> {
        let run = self.draft.state();
        let (place, node) = run.node(&attempt.step).ok_or(Impossible::NoStep(0))?;
        let step = self.template(place)?;
        if step.plan.is_some() {
            return Err(misplaced("it hands over, and has to answer its plan of tasks itself").into());
        }
        if self.planned(place, answer)??.is_some() {
            return Err(misplaced("it hands over beside a plan: only one of the two can be done").into());
        }
        let handoff = Handoff::read(declaration)?;
        let to = self.handed_to(&attempt.agent, &handoff.to, step.handoffs.as_ref())?;
        let (first, chain) = run.chain(place, &attempt.agent)?;
        self.goes_on(first, &chain, &to, &handoff)?;
        let work = self.draft.json(&attempt.input, self.moment)?;
        let work: Work = serde_json::from_str(work.text()).map_err(|_| Impossible::NoJson(place.number()))?;
        let link = Link {
            step: &step,
            is_handed: place != run.chain_begins(place),
            is_part: node.is_part(),
            // What a manager said to one is not part of the task.
            work: unguided(work),
            answer,
            chain: &chain,
            to: &to,
            handoff: &handoff,
        };
        let number = u32::try_from(first.handoffs.len() + 1).unwrap_or(u32::MAX);
        let next = link.next(StepId::grown("handoff"))?;
        let added = StepAdded {
            inside: Some(first.id().clone()),
            needs: if first.id() == node.id() { Vec::new() } else { vec![node.id().clone()] },
            item: node.added.item.clone(),
            ..next.added(first.id().handed_over(number), Because::Handoff)
        };
        let definition = Definition::grown("handoff", vec![next].into());
        Ok(HandOver { handoff, to, added, definition })
    }

    /// The agent that is meant, as it calls itself: one that the run knows and to which this one may hand over. A step that
    /// says to whom, says it for every agent that does it.
    fn handed_to(
        &self,
        from: &AgentName,
        wanted: &AgentName,
        of_step: Option<&Vec<AgentName>>,
    ) -> Result<AgentName, Hindrance> {
        let run = self.draft.state();
        let about = run.about().ok_or(Impossible::NotBegun)?;
        let allowed = match (of_step, run.agent(from)) {
            (Some(of_step), _) => Some(of_step.clone()),
            (None, Some(definition)) => {
                self.draft.value::<MayHandOver, _>(&definition.hash, self.moment)?.handoffs.clone()
            }
            (None, None) => None,
        };
        let may = |name: &AgentName| {
            allowed.as_ref().is_none_or(|allowed| allowed.iter().any(|may| may.key() == name.key()))
        };
        let mut known: Vec<&AgentName> = Vec::new();
        for binding in about.started.agents.iter().filter(|binding| !is_built_in(&binding.name)) {
            let definition = self.draft.value::<MayHandOver, _>(&binding.definition.hash, self.moment)?;
            known.extend((!definition.is_tool()).then_some(&binding.name));
        }
        let choice = known.iter().copied().filter(|name| may(name) && *name != from);
        let choice: Vec<&str> = choice.map(AgentName::as_str).collect();
        match known.iter().find(|name| name.key() == wanted.key()) {
            Some(found) if may(found) => Ok((*found).clone()),
            Some(found) => {
                let message =
                    format!("`{from}` hands over to `{found}`, and may hand over {}", only_to(&choice));
                Err(Problem::new(Code::HandoffNotAllowed, message).into())
            }
            None => {
                let meant = meant(wanted.as_str(), &choice);
                let message = format!(
                    "`{from}` hands over to `{wanted}`, an agent that the run does not know: {meant}"
                );
                Err(Problem::new(Code::UnknownHandoff, message).into())
            }
        }
    }

    /// Checks that a chain may go on so: it is short enough, and does not go round with what everybody knows.
    fn goes_on(
        &self,
        first: &Node,
        chain: &[AgentName],
        to: &AgentName,
        handoff: &Handoff,
    ) -> Result<(), Hindrance> {
        let about = self.draft.state().about().ok_or(Impossible::NotBegun)?;
        let (is, may_be) = (first.handoffs.len() + 1, about.started.growth.handoffs as usize);
        if is > may_be {
            let names: Vec<_> = chain.iter().chain([to]).map(AgentName::as_str).collect();
            let message = format!(
                "its handoff would be number {is} of a chain, and no more than {may_be} may be: {}",
                names.join(" → ")
            );
            return Err(Problem::new(Code::TooManyHandoffs, message).into());
        }
        if !chain.iter().any(|agent| agent.key() == to.key()) {
            return Ok(());
        }
        let mut known = Vec::new();
        for hop in &first.handoffs {
            known.extend(items(&self.draft.json(&hop.context, self.moment)?));
        }
        let is_known = |item: &(String, Json)| {
            known.iter().any(|known| known.0 == item.0 && known.1.value() == item.1.value())
        };
        if handoff.items().iter().all(is_known) {
            let message = format!(
                "it hands back to `{to}`, which is in the chain, and tells nothing new: every key of the context has the value that it had"
            );
            return Err(Problem::new(Code::HandoffLoop, message).into());
        }
        Ok(())
    }

    /// Records a handoff, and the step that the other agent does.
    pub(super) fn do_hand_over(&mut self, attempt: &AttemptStarted, hand_over: HandOver) {
        let HandOver { handoff: Handoff { reason, context, .. }, to, added, definition } = hand_over;
        let context = self.draft.payload(context);
        let (step, attempt, from) = (attempt.step.clone(), attempt.attempt, attempt.agent.clone());
        self.draft.emit(HandoffDeclared { step, attempt, from, to, reason, context });
        self.add_grown(added, definition);
    }
}

impl Run {
    /// The step with which the chain began that this one is part of: itself, if no handoff added it.
    pub(crate) fn chain_begins(&self, place: StepIndex) -> StepIndex {
        let added = self.steps.get(place).filter(|node| node.added.because == Because::Handoff);
        added.and_then(|node| node.inside).unwrap_or(place)
    }

    /// The step with which a chain began, and its agents in order, of which the last does this step.
    fn chain(&self, place: StepIndex, last: &AgentName) -> Result<(&Node, Vec<AgentName>), Impossible> {
        let first = self.chain_begins(place);
        let first = self.steps.get(first).ok_or(Impossible::NoStep(first.number()))?;
        let chain = first.handoffs.iter().map(|hop| hop.from.clone()).chain([last.clone()]).collect();
        Ok((first, chain))
    }

    /// Whether a step has handed its work over, so that what it answered is no output yet.
    pub(super) fn has_handed_over(&self, place: StepIndex) -> bool {
        let first = self.steps.get(self.chain_begins(place));
        first.and_then(|first| first.handoffs.last()).is_some_and(|hop| hop.by == place)
    }
}

fn misplaced(message: &str) -> Problem {
    Problem::new(Code::HandoffMisplaced, message)
}

/// How many names a message holds.
const NAMES_TOLD: usize = 10;

fn only_to(choice: &[&str]) -> String {
    match choice {
        [] => "to nobody".to_owned(),
        names => format!("only to {}", listed(names)),
    }
}

fn meant(wrong: &str, choice: &[&str]) -> String {
    /// More are no help.
    const NEAREST: usize = 3;
    let mut left = choice.to_vec();
    let mut near = Vec::new();
    while let Some(name) = nearest(wrong, left.iter().copied()).filter(|_| near.len() < NEAREST) {
        left.retain(|other| *other != name);
        near.push(name);
    }
    match (near.as_slice(), choice) {
        ([], []) => "it knows none to which this one may hand over".to_owned(),
        ([], names) => format!("it may hand over to {}", listed(names)),
        (near, _) => format!(
            "did you mean {}?",
            near.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" or ")
        ),
    }
}

fn listed(names: &[&str]) -> String {
    let first: Vec<_> = names.iter().take(NAMES_TOLD).map(|name| format!("`{name}`")).collect();
    let more = names.len().saturating_sub(NAMES_TOLD);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    first.join(", ") + &more
}
