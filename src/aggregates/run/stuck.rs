//! Agents that are stuck: what shows it, and what is done then. A manager is asked in a step that grows in the stuck one; what it
//! says, the next attempt is told. Without a manager, or if the same is seen again, the step fails for good.

use std::time::Duration;

use super::advance::Advance;
use super::{Impossible, Node, Phase, Run, RunRejection, StepIndex};
use crate::events::ids::{AgentName, Hash, StepId};
use crate::events::json::Json;
use crate::events::problem::{Class, Code};
use crate::events::run::*;
use crate::events::text::shortened;
use crate::events::time::format_duration;
use crate::workflow::definition::{Definition, Does, Step, is_built_in};
use crate::workflow::handoff::WorkDone;
use crate::workflow::stuck::{SeenHandoff, StuckWork, fingerprint, says_nothing};
use crate::workflow::work::{Failure, Guidance, Work};

/// How much of an answer a sentence about it holds, in characters.
const ANSWER_CHARS_TOLD: usize = 200;

/// What an attempt has come to, as far as that can show whether its agent is stuck.
pub(super) enum Came<'a> {
    /// It answered, and hands over to that agent.
    HandsOver(&'a AgentName),
    /// What it answered is the output of the step.
    Taken(&'a Json),
    /// What it answered is refused.
    Refused(&'a Failure),
}

/// What was seen of an agent that answered.
#[derive(Default)]
pub(super) struct Seen {
    /// What is recorded of the answer, if it counts.
    pub(super) note: Option<AnswerNoted>,
    /// What shows that the agent is stuck, if it is.
    pub(super) stuck: Option<Stuck>,
}

/// What shows that an agent is stuck.
pub(super) struct Stuck {
    within: StepId,
    why: StuckOn,
    /// The same in a sentence.
    pub(super) seen: String,
    /// What the agent answered, and why that was refused, if it was.
    answered: Option<Json>,
    refused: Option<String>,
}

impl Stuck {
    /// What shows that the agent of a task does not get on with it.
    pub(super) fn of_task(
        attempt: &AttemptStarted,
        why: StuckOn,
        seen: String,
        answered: Option<Json>,
    ) -> Self {
        Self { within: attempt.step.clone(), why, seen, answered, refused: None }
    }

    /// Whether it shows only if the step would be tried again.
    pub(super) fn is_of_retries(&self) -> bool {
        self.refused.is_some()
    }

    /// The failure of an attempt whose answer is not taken because of it.
    pub(super) fn failure(&self, is_asked: bool) -> Failure {
        let failure = Failure::new(Code::AgentStuck, format!("what it answered is not taken: {}", self.seen));
        // It is tried again once the manager has answered.
        if is_asked { failure.class(Class::Transient) } else { failure }
    }
}

impl Advance<'_, '_> {
    /// What is to be seen of an agent that has answered. Of what is built in, and of managers, nothing is.
    pub(super) fn look(
        &self,
        place: StepIndex,
        attempt: &AttemptStarted,
        answer: &Json,
        came: Came<'_>,
    ) -> Result<Seen, RunRejection> {
        let run = self.draft.state();
        let limits = self.stuck_limits()?;
        if !run.is_watched(place, &attempt.agent) {
            return Ok(Seen::default());
        }
        let first = self.node(run.chain_begins(place))?;
        if let Came::HandsOver(to) = came
            && let Some(stuck) = back_and_forth(first, &attempt.agent, to, limits.handoffs)
        {
            return Ok(Seen { note: None, stuck: Some(Stuck { answered: Some(answer.clone()), ..stuck }) });
        }
        let counts = limits.answers > 0;
        let (within, refused) = match came {
            _ if !counts => return Ok(Seen::default()),
            Came::HandsOver(_) if says_nothing(answer) => return Ok(Seen::default()),
            Came::HandsOver(_) => (first.id().clone(), None),
            Came::Taken(output) => match self.goes_round(place, output)? {
                Some(within) => (within, None),
                None => return Ok(Seen::default()),
            },
            Came::Refused(failure)
                if failure.code == Code::OutputSchema && self.template(place)?.retry.is_some() =>
            {
                (attempt.step.clone(), Some(failure.message.clone()))
            }
            Came::Refused(_) => return Ok(Seen::default()),
        };
        let hash = fingerprint(answer);
        let times = run.node(&within).and_then(|(_, node)| node.watch.as_ref());
        let times = times.map_or(0, |watch| watch.times(&attempt.agent, hash)).saturating_add(1);
        let stuck = (times > limits.answers).then(|| Stuck {
            within: within.clone(),
            why: StuckOn::Answer { agent: attempt.agent.clone(), answer: hash, times },
            seen: same_answer(&attempt.agent, answer, times, limits.answers),
            answered: Some(answer.clone()),
            refused,
        });
        let note = self.note(attempt, within, hash);
        Ok(Seen { note: Some(note), stuck })
    }

    fn note(&self, attempt: &AttemptStarted, within: StepId, answer: Hash) -> AnswerNoted {
        AnswerNoted { step: attempt.step.clone(), attempt: attempt.attempt, within, answer }
    }

    fn stuck_limits(&self) -> Result<&StuckLimits, Impossible> {
        Ok(&self.draft.state().about().ok_or(Impossible::NotBegun)?.started.stuck)
    }

    /// The loop in which this answer is one of several: it completes a round, of an agent that has a prompt, and not the last. A
    /// round that is done by a command or a workflow, or by an agent without a prompt, looks whether something is so far,
    /// and may find a hundred times that it is not.
    fn goes_round(&self, place: StepIndex, output: &Json) -> Result<Option<StepId>, RunRejection> {
        let run = self.draft.state();
        let round = run.chain_begins(place);
        let node = self.node(round)?;
        let (Because::Repeat, Some(outer)) = (node.added.because, node.inside) else { return Ok(None) };
        let step = self.template(round)?;
        if !matches!(&step.does, Does::Agent { prompt: Some(_), .. }) {
            return Ok(None);
        }
        let whole = self.node(outer)?;
        let is_over = match self.is_over(outer, &step, whole.children.len(), output.clone()) {
            Ok(is_over) => is_over,
            // The loop says it when the round is done with.
            Err(hindrance) => hindrance.of_the_step().map(|_| true)?,
        };
        Ok((!is_over).then(|| whole.id().clone()))
    }

    /// What shows that an agent does not come to an end, of an attempt that failed: it took longer than it may without one.
    pub(super) fn took_too_long(
        &self,
        place: StepIndex,
        attempt: &AttemptStarted,
        code: Code,
    ) -> Result<Option<Stuck>, RunRejection> {
        let Some(waited_us) = self.stuck_limits()?.time_us.filter(|_| code == Code::TimedOut) else {
            return Ok(None);
        };
        let waited = Duration::from_micros(waited_us);
        let had_less = self.template(place)?.timeout.is_some_and(|timeout| timeout <= waited);
        // People may take their time.
        let run = self.draft.state();
        let is_watched = run.is_watched(place, &attempt.agent) && !run.is_external(&attempt.agent);
        let is_stuck = is_watched && !had_less && attempt.purpose == Purpose::Do && !self.is_given_up(place);
        Ok(is_stuck.then(|| Stuck {
            within: attempt.step.clone(),
            why: StuckOn::Time { waited_us },
            seen: format!("`{}` did not come to an end within {}", attempt.agent, format_duration(waited)),
            answered: None,
            refused: None,
        }))
    }

    /// How long an attempt may take: as long as its step says, and no longer than an agent may without coming to an end.
    pub(super) fn patience(&self, step: &Step, agent: &AgentName) -> Result<Option<Duration>, RunRejection> {
        let limit = self.stuck_limits()?.time_us.filter(|_| !is_built_in(agent)).map(Duration::from_micros);
        Ok(step.timeout.into_iter().chain(limit).min())
    }

    /// The manager that can be asked: there is one, it was not asked about the same before and is not what it is asked about, and
    /// the step can be tried again.
    pub(super) fn manager_for(
        &self,
        place: StepIndex,
        stuck: &Stuck,
    ) -> Result<Option<AgentName>, RunRejection> {
        let run = self.draft.state();
        let of_task = match &stuck.why {
            StuckOn::Blocked { .. } | StuckOn::Failed { .. } => self.manager_of_task(place)?,
            _ => self.stuck_limits()?.manager.clone(),
        };
        let Some(manager) = &of_task else { return Ok(None) };
        let watch = run.node(&stuck.within).and_then(|(_, node)| node.watch.as_ref());
        let was_asked = watch.is_some_and(|watch| watch.knows(&stuck.why));
        let is_meant = |agent: &AgentName| agent.key() == manager.key();
        let is_of_manager = match &stuck.why {
            StuckOn::Answer { agent, .. } => is_meant(agent),
            StuckOn::Handoffs { from, to, .. } => is_meant(from) || is_meant(to),
            StuckOn::Time { .. } | StuckOn::Blocked { .. } | StuckOn::Failed { .. } => {
                self.node(place)?.agent().is_some_and(is_meant)
            }
        };
        let may_ask =
            run.phase == Phase::Going && run.agent(manager).is_some() && !was_asked && !is_of_manager;
        let may_ask = may_ask && !self.template(place)?.at_most_once;
        Ok(Some(manager).filter(|_| may_ask).cloned())
    }

    /// The agent of a step is stuck, and its attempt has failed: its manager is asked, or the step fails for good.
    pub(super) fn is_stuck(
        &mut self,
        place: StepIndex,
        attempt: &AttemptStarted,
        stuck: Stuck,
    ) -> Result<(), RunRejection> {
        let Some(manager) = self.manager_for(place, &stuck)? else {
            let why = self.why_nobody_is_asked(&stuck)?;
            let message = format!("it is stuck: {}{why}", stuck.seen);
            let (class, code) = match stuck.why {
                StuckOn::Blocked { .. } => (Code::TaskBlocked.class(), Code::TaskBlocked),
                _ => (Class::Fatal, Code::AgentStuck),
            };
            return self.fail(place, class, code, message);
        };
        let work = self.draft.json(&attempt.input, self.moment)?;
        let work: Work = serde_json::from_str(work.text()).map_err(|_| Impossible::NoJson(place.number()))?;
        let run = self.draft.state();
        let first = self.node(run.chain_begins(place))?;
        let handoffs = matches!(stuck.why, StuckOn::Handoffs { .. }).then(|| seen_handoffs(first));
        let told = StuckWork {
            answered: stuck.answered.map(|answer| WorkDone::of(attempt.agent.clone(), answer)),
            refused: stuck.refused,
            handoffs: handoffs.unwrap_or_default(),
            ..StuckWork::of(&attempt.step, &attempt.agent, &work, stuck.seen.clone())
        };
        let step = self.template(place)?;
        let next = match told.ask(&manager, &step, StepId::grown("guidance")) {
            Ok(next) => next,
            Err(problem) => {
                let message = format!("it is stuck: {}; {}", stuck.seen, problem.message);
                return self.fail(place, Class::Fatal, Code::AgentStuck, message);
            }
        };
        let asked = run.steps.all(&self.node(place)?.children).filter(|node| node.is_of_manager()).count();
        let number = u32::try_from(asked + 1).unwrap_or(u32::MAX);
        let added = StepAdded {
            inside: Some(attempt.step.clone()),
            ..next.added(attempt.step.guided(number), Because::Escalation)
        };
        let definition = Definition::grown("guidance", vec![next].into());
        let (step, attempt) = (attempt.step.clone(), attempt.attempt);
        let Stuck { within, why, seen, .. } = stuck;
        self.draft.emit(Escalated { step, attempt, within, to: manager, why, seen });
        self.add_grown(added, definition);
        Ok(())
    }

    /// What a message adds about the manager, where there is one.
    fn why_nobody_is_asked(&self, stuck: &Stuck) -> Result<String, RunRejection> {
        let run = self.draft.state();
        let watch = run.node(&stuck.within).and_then(|(_, node)| node.watch.as_ref());
        let was_asked = watch.is_some_and(|watch| watch.knows(&stuck.why));
        let manager = self.stuck_limits()?.manager.as_ref().filter(|_| was_asked);
        Ok(manager.map_or_else(String::new, |manager| {
            format!("; `{manager}` was asked before, and said what to do")
        }))
    }

    /// Why a step fails whose manager was asked and said nothing; none of another step.
    pub(super) fn unguided(&self, place: StepIndex) -> Result<Option<String>, RunRejection> {
        let run = self.draft.state();
        let last = self.node(place)?.children.last().and_then(|last| run.steps.get(*last));
        let Some(manager) = last.filter(|last| last.is_of_manager()) else { return Ok(None) };
        let seen = run.escalation(place).map_or("", |asked| asked.seen.as_str());
        let asked = manager.agent().map_or("its manager", AgentName::as_str);
        let why = manager.doing.error.as_ref().map_or("", |error| error.message.as_str());
        Ok(Some(format!("it is stuck: {seen}; `{asked}` was asked, and failed: {why}")))
    }

    /// What a manager said for the next attempt at a step.
    pub(super) fn guidance(&self, place: StepIndex) -> Result<Option<Guidance>, RunRejection> {
        let Some(said) = self.draft.state().said_for(place) else { return Ok(None) };
        let answer = self.draft.json(&said.answer, self.moment)?;
        Ok(Some(Guidance { by: said.by.clone(), seen: said.seen.clone(), answer }))
    }
}

impl Run {
    /// Whether it is looked at how an agent gets on with a step.
    fn is_watched(&self, place: StepIndex, agent: &AgentName) -> bool {
        let asks = self.steps.get(self.chain_begins(place)).is_none_or(Node::is_of_manager);
        !asks && !is_built_in(agent)
    }
}

/// What shows that two agents of a chain hand over back and forth, if the one hands over to the other once more.
fn back_and_forth(first: &Node, from: &AgentName, to: &AgentName, max: u32) -> Option<Stuck> {
    let hops = |from: &AgentName, to: &AgentName| {
        first.handoffs.iter().filter(|hop| hop.from.key() == from.key() && hop.to.key() == to.key()).count()
    };
    let times = u32::try_from(hops(from, to) + 1).unwrap_or(u32::MAX);
    let is_stuck = max > 0 && times > max && hops(to, from) > 0;
    is_stuck.then(|| Stuck {
        within: first.id().clone(),
        why: StuckOn::Handoffs { from: from.clone(), to: to.clone(), times },
        seen: format!(
            "`{from}` would hand over to `{to}` {times} times in one chain, with `{to}` handing back, and no more than {max} may be: {}",
            chain(first, from, to)
        ),
        answered: None,
        refused: None,
    })
}

fn chain(first: &Node, from: &AgentName, to: &AgentName) -> String {
    let names = first.handoffs.iter().map(|hop| hop.from.as_str()).chain([from.as_str(), to.as_str()]);
    names.collect::<Vec<_>>().join(" → ")
}

fn seen_handoffs(first: &Node) -> Vec<SeenHandoff> {
    let seen = first.handoffs.iter().map(|hop| SeenHandoff {
        from: hop.from.clone(),
        to: hop.to.clone(),
        reason: hop.reason.clone(),
    });
    seen.collect()
}

fn same_answer(agent: &AgentName, answer: &Json, times: u32, max: u32) -> String {
    let said = shortened(answer.text(), ANSWER_CHARS_TOLD);
    format!("`{agent}` gave the same answer {times} times, and no more than {max} may be: {said}")
}
