//! People are asked, and waited for.

use std::sync::Arc;
use std::time::Duration;

use super::{Advance, StartError};
use crate::aggregates::run::{ApprovalRequest, Impossible, RunRejection, StepIndex};
use crate::events::ids::{Hash, RequestId, StepId, TimerId};
use crate::events::json::Json;
use crate::events::problem::Code;
use crate::events::run::*;
use crate::events::time::Timestamp;
use crate::workflow::approval::ApprovalSubject;
use crate::workflow::definition::{Approval, Step};

impl Advance<'_, '_> {
    /// Asks whether a step may start that is about to.
    pub(super) fn ask_before(
        &mut self,
        place: StepIndex,
        step: &Step,
        approval: &Approval,
    ) -> Result<(), RunRejection> {
        let asked = match self.about_to(place, step) {
            Ok(asked) => asked,
            Err(hindrance) => return self.hinder(place, hindrance),
        };
        // Nobody is asked about what cannot be done anyway.
        match self.too_many(place, step, asked.items.as_deref().unwrap_or_default())? {
            Some(why) => self.fail(place, Code::TooManyItems.class(), Code::TooManyItems, why),
            None => self.ask(place, approval, &asked),
        }
    }

    /// Exactly what would be done.
    fn about_to(&self, place: StepIndex, step: &Step) -> Result<ApprovalSubject, StartError> {
        let node = self.node(place)?;
        let agent = node.agent().cloned();
        let asked = ApprovalSubject { agent, ..self.asked_about(node.id(), node.generation) };
        Ok(match &node.added.kind {
            StepKind::AskOfPhase => self.asked_of_phase(place)?,
            StepKind::FanOut { .. } => {
                let items = step.items(&self.scope(Some(place), &step.references())?)?;
                ApprovalSubject { items: Some(items), ..asked }
            }
            StepKind::Work { .. } | StepKind::Repeat { .. } => {
                let work = asked.agent.as_ref().map(|agent| self.work(place, step, agent)).transpose()?;
                ApprovalSubject { work, ..asked }
            }
            StepKind::Sleep | StepKind::Wait { .. } => asked,
        })
    }

    pub(super) fn asked_about(&self, step: &StepId, generation: u32) -> ApprovalSubject {
        ApprovalSubject {
            step: step.clone(),
            generation,
            agent: None,
            work: None,
            items: None,
            output: None,
            phase: None,
        }
    }

    /// Asks whether those may start that need a step, now that it has answered.
    pub(super) fn ask_after(
        &mut self,
        place: StepIndex,
        approval: &Approval,
        output: &Json,
    ) -> Result<(), RunRejection> {
        let node = self.node(place)?;
        let asked = if node.asks_of_phase() {
            self.asked_of_phase(place).map_err(|hindrance| hindrance.of_what_is_asked(node.id()))?
        } else {
            ApprovalSubject { output: Some(output.clone()), ..self.asked_about(node.id(), node.generation) }
        };
        self.ask(place, approval, &asked)
    }

    fn ask(
        &mut self,
        place: StepIndex,
        approval: &Approval,
        asked: &ApprovalSubject,
    ) -> Result<(), RunRejection> {
        let what = Json::of(asked).map_err(|_| Impossible::NoJson(place.number()))?;
        let node = self.node(place)?;
        let run = &self.draft.state().about().ok_or(Impossible::NotBegun)?.id;
        let hash = Hash::of(what.text().as_bytes());
        let request = RequestId::of(run, node.id(), node.requests + 1, &hash);
        let step = node.id().clone();
        let (expires, timer) = self.until(approval.expires, || TimerId::request(&request));
        let what = self.draft.payload(what);
        self.draft.emit(ApprovalRequested {
            request,
            step,
            gate: approval.gate,
            what,
            hash,
            approvers: approval.approvers.iter().map(|name| Arc::from(name.as_str())).collect(),
            needed: approval.needed,
            expires,
            timer,
            checklist: approval.checklist.clone(),
            require_checklist: approval.require_checklist,
        });
        Ok(())
    }

    /// The subject of a request, with nothing changed that people changed when they granted it.
    pub(in crate::aggregates::run) fn asked(
        &self,
        request: &ApprovalRequest,
    ) -> Result<ApprovalSubject, RunRejection> {
        self.asked_of(request).map_err(|hindrance| hindrance.of_what_is_asked(&request.asked.step))
    }

    /// A step begins to wait for a signal. One that is kept is taken at once.
    pub(super) fn await_signal(
        &mut self,
        place: StepIndex,
        name: &str,
        step: &Step,
    ) -> Result<(), RunRejection> {
        let id = self.node(place)?.id().clone();
        let (expires, timer) = self.until(step.timeout, || TimerId::wait(&id));
        self.draft.emit(SignalAwaited { step: id, name: name.into(), expires, timer });
        let kept = self.draft.state().people.signals.get(name).and_then(|kept| kept.front()).cloned();
        match kept {
            Some(data) => {
                let data = self.draft.json(&data, self.moment)?;
                self.complete(place, data)
            }
            None => Ok(()),
        }
    }

    /// People are told when it is too late, by the clock that they know.
    fn until(
        &self,
        length: Option<Duration>,
        timer: impl Fn() -> TimerId,
    ) -> (Option<Timestamp>, Option<TimerId>) {
        (length.map(|length| self.moment.wall.after(length)), length.map(|_| timer()))
    }
}
