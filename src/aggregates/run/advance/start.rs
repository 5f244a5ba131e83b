//! Attempts start, as far as there are slots.

use std::sync::Arc;
use std::time::Duration;

use super::{Advance, StartError};
use crate::aggregates::run::child::{self, child_id, is_made_by};
use crate::aggregates::run::node::Child;
use crate::aggregates::run::task::description;
use crate::aggregates::run::{ApprovalRequest, Impossible, Passage, RunRejection, StepIndex};
use crate::events::ids::{AgentName, RequestId, StepId};
use crate::events::json::Json;
use crate::events::problem::Code;
use crate::events::run::*;
use crate::workflow::approval::ApprovalSubject;
use crate::workflow::definition::{Step, is_built_in};
use crate::workflow::expression::RenderError;
use crate::workflow::stuck::guide;
use crate::workflow::work::Work;

impl Advance<'_, '_> {
    /// Starts attempts as far as there are slots. Answers whether anything came of it.
    pub(super) fn start_granted(&mut self) -> Result<bool, RunRejection> {
        let mut started = false;
        for agent in self.draft.state().ready.agents() {
            while self.goes_forward() && !self.draft.state().is_out_of_budget() && self.may_open_one(&agent) {
                let run = self.draft.state();
                let Some(place) = run.next_of(&run.ready, &agent) else { break };
                if self.exceeds_budget(place, &agent, None)? {
                    break;
                }
                let step = self.template(place)?;
                if self.cannot_hold_locks(place, &agent, &step)?
                    || self.must_ask(place)?
                    || self.must_read(place, &step)?
                {
                    continue;
                }
                if step.cache.is_some() && !self.may_start(place, &step)? {
                    // What was skipped made others ready, and those were not looked at.
                    return Ok(true);
                }
                if self.must_look_up(place, &step)? {
                    continue;
                }
                if !self.has_slot(&agent)
                    || !self.may_lock(place, &step)
                    || !self.may_hear(place, &agent, &step)
                {
                    break;
                }
                // What is at hand of a conversation is read last: with a lock nobody goes on with it meanwhile.
                if self.must_lock(place, Purpose::Do, &step)? || self.must_hear(place, &step)? {
                    continue;
                }
                self.take_slot(&agent);
                if !self.start_attempt(place, &agent)? {
                    // What was skipped made others ready, and those were not looked at.
                    return Ok(true);
                }
                started = true;
            }
        }
        Ok(started)
    }

    /// Whether one more attempt of an agent may be open. What is handed out runs nowhere, and is not counted.
    pub(super) fn may_open_one(&self, agent: &AgentName) -> bool {
        self.draft.state().is_external(agent) || self.draft.state().room() > 0
    }

    /// Nobody would renew the locks of a step that is handed out, and others would have them meanwhile. Answers whether it has failed
    /// for that.
    fn cannot_hold_locks(
        &mut self,
        place: StepIndex,
        agent: &AgentName,
        step: &Step,
    ) -> Result<bool, RunRejection> {
        if step.locks.is_empty() || !self.draft.state().is_external(agent) {
            return Ok(false);
        }
        let message = format!("agent `{agent}` is external, and a task holds no locks");
        self.fail(place, Code::Contradiction.class(), Code::Contradiction, message).map(|()| true)
    }

    /// Whether there is a slot for an attempt; who has none does not wait for a lock that others could have. A run of its own
    /// needs none, nor does what is handed out.
    pub(in crate::aggregates::run) fn has_slot(&self, agent: &AgentName) -> bool {
        let is_driven = self.drive.is_some();
        is_made_by(agent)
            || is_driven && self.draft.state().is_external(agent)
            || self.drive.as_ref().is_some_and(|grants| grants.has(agent))
    }

    /// Whether a step may wait for the locks that it has, if it has any.
    pub(super) fn may_lock(&self, place: StepIndex, step: &Step) -> bool {
        step.locks.is_empty() || self.draft.state().may_wait_for_lock(place, self.moment.now)
    }

    /// Takes that slot.
    pub(in crate::aggregates::run) fn take_slot(&mut self, agent: &AgentName) {
        if let Some(grants) = self.drive.as_mut().filter(|_| !is_made_by(agent)) {
            grants.take(agent);
        }
    }

    /// Before a child starts what cannot be undone it asks its parent, unless it is past the point of no return already: then so
    /// is its parent. Answers whether a step has to wait for that.
    fn must_ask(&mut self, place: StepIndex) -> Result<bool, RunRejection> {
        let run = self.draft.state();
        let (node, about) = (self.node(place)?, run.about().ok_or(Impossible::NotBegun)?);
        let asks = node.added.irreversible && run.parent().is_some() && run.passage != Passage::Open;
        let asks = asks && !run.is_past_return();
        if asks {
            let (step, run) = (node.id().clone(), about.id.clone());
            self.draft.emit(ReturnAsked { step, run });
        }
        Ok(asks)
    }

    /// Answers whether the attempt started; if not, the step has ended without, or people are asked.
    fn start_attempt(&mut self, place: StepIndex, agent: &AgentName) -> Result<bool, RunRejection> {
        let step = self.template(place)?;
        // It may have become ready in a commit in which nobody drove the run.
        if !self.may_start(place, &step)? || self.begin_turns(place, &step)? {
            return Ok(false);
        }
        match self.work(place, &step, agent) {
            Ok(work) => {
                if self.exceeds_budget(place, agent, Some(&work))? {
                    return Ok(false);
                }
                // People may take their time, unless the step says otherwise.
                let patience = match self.draft.state().is_external(agent) {
                    true => step.timeout,
                    false => self.patience(&step, agent)?,
                };
                self.begin_attempt(place, agent.clone(), Purpose::Do, patience, work).map(|()| true)
            }
            Err(hindrance) => self.hinder(place, hindrance).map(|()| false),
        }
    }

    /// What an agent is to do for a step: what was granted, where something was.
    pub(in crate::aggregates::run) fn work(
        &self,
        place: StepIndex,
        step: &Step,
        agent: &AgentName,
    ) -> Result<Work, StartError> {
        let run = self.draft.state();
        let node = self.node(place)?;
        let whole = node.inside.filter(|_| node.added.because == Because::Repeat).unwrap_or(place);
        let granted = run.steps.get(whole).and_then(|node| node.granted.as_ref());
        if let Some(granted) = granted.and_then(|request| run.people.requests.get(request)) {
            let mut work = self.granted_work(granted)?;
            // People were asked about the whole before anybody was stuck in one of its rounds.
            if let Some(guidance) = self.guidance(place)?.filter(|_| whole != place) {
                guide(&mut work, guidance);
            }
            self.tell_planner(place, step, agent, &mut work)?;
            return Ok(work);
        }
        let mut work = step.work(&self.scope(Some(place), &step.references())?)?;
        let fallback = step.fallback.as_ref().filter(|fallback| fallback.agent == *agent);
        if let Some(suffix) = fallback.and_then(|fallback| fallback.prompt_suffix.as_ref()) {
            work.prompt.get_or_insert_default().push_str(suffix);
        }
        if let Some(guidance) = self.guidance(place)?.filter(|_| !is_built_in(agent)) {
            guide(&mut work, guidance);
        }
        self.tell_planner(place, step, agent, &mut work)?;
        Ok(work)
    }

    fn granted_work(&self, granted: &ApprovalRequest) -> Result<Work, StartError> {
        let edits = granted.edits.iter().map(|edits| self.draft.json(edits, self.moment));
        let edits = edits.collect::<Result<Vec<_>, _>>()?;
        let asked = self.asked_of(granted)?;
        asked.edited(edits).map_err(|why| StartError::Render(RenderError::Failed(why)))
    }

    /// The subject of a request, as it was recorded.
    pub(super) fn asked_of(&self, request: &ApprovalRequest) -> Result<ApprovalSubject, StartError> {
        let what = self.draft.json(&request.asked.what, self.moment)?;
        serde_json::from_str(what.text()).map_err(|error| {
            let id: &RequestId = &request.asked.request;
            StartError::Render(RenderError::Failed(format!("request `{id}` cannot be read: {error}")))
        })
    }

    /// Starts an attempt, whose slot was taken.
    pub(super) fn begin_attempt(
        &mut self,
        place: StepIndex,
        agent: AgentName,
        purpose: Purpose,
        timeout: Option<Duration>,
        work: Work,
    ) -> Result<(), RunRejection> {
        let reserved = match purpose {
            Purpose::Do => self.reservation(&agent, &work)?,
            Purpose::Compensate => None,
        };
        let input = Json::of(&work).map_err(|_| Impossible::NoJson(place.number()))?;
        let offered = self.draft.state().is_external(&agent).then(|| description(&work));
        let input = self.draft.payload(input);
        let run = self.draft.state();
        let node = self.node(place)?;
        let (step, generation) = (node.id().clone(), node.generation);
        let run_id = run.about().ok_or(Impossible::NotBegun)?.id.clone();
        let before = node.attempts(purpose);
        let child = (purpose == Purpose::Do && is_made_by(&agent)).then(|| {
            // What has undone itself, or was cancelled, does not go on: another run begins.
            let is_over =
                |child: &Child| child.ended.as_ref().is_some_and(|ended| child::is_over(&ended.status));
            match &node.child {
                Some(child) if is_over(child) => child_id(&run_id, &step, generation, Some(before + 1)),
                Some(child) => child.run.clone(),
                None => child_id(&run_id, &step, generation, None),
            }
        });
        let event = AttemptStarted {
            purpose,
            attempt: before + 1,
            generation,
            agent,
            fence: run.fence.next(),
            idempotency_key: idempotency_key(run_id.as_str(), &step, generation, purpose),
            deadline: timeout.map(|timeout| self.moment.now.after(timeout)),
            step: step.clone(),
            input,
        };
        self.expire_late(&event.agent);
        let offered = offered.map(|description| TaskOffered {
            purpose,
            step: step.clone(),
            attempt: event.attempt,
            fence: event.fence,
            agent: event.agent.clone(),
            description,
        });
        let fence = event.fence;
        self.draft.emit(event);
        if let Some(amount) = reserved {
            self.draft.emit(BudgetReserved { step: step.clone(), fence, amount });
        }
        offered.into_iter().for_each(|offered| self.draft.emit(offered));
        if let Some(run) = child {
            self.draft.emit(ChildStarted { step, run });
        }
        Ok(())
    }
}

/// The same for all tries of a generation of a step, and for no other.
fn idempotency_key(run: &str, step: &StepId, generation: u32, purpose: Purpose) -> Arc<str> {
    let mut hasher = blake3::Hasher::new();
    for part in [run, step.as_str(), purpose.text()] {
        hasher.update(&(part.len() as u64).to_le_bytes()).update(part.as_bytes());
    }
    hasher.update(&generation.to_le_bytes());
    let hex = hasher.finalize().to_hex();
    hex.as_str().get(..KEY_DIGITS).unwrap_or_default().into()
}

/// 128 bits: no two keys of a store will ever be alike.
const KEY_DIGITS: usize = 32;
