//! What people are asked and what they say.

use std::sync::Arc;

use super::{Contradiction, Evolution};
use crate::aggregates::run::node::{Gated, NotTaken, NotTakenBy};
use crate::aggregates::run::{
    ApprovalRequest, ApprovalState, Node, RunEffect, RunEffectId, StepIndex, StepPhase, TimerOf, Trying,
};
use crate::events::ids::{RequestId, StepId, TimerId};
use crate::events::run::*;

impl Evolution<'_> {
    pub(super) fn of_people(&mut self, event: &RunEvent) -> Result<(), Contradiction> {
        match event {
            RunEvent::ApprovalRequested(event) => self.approval_requested(event),
            RunEvent::ApprovalChecked(event) => self.approval_checked(event),
            RunEvent::ApprovalGranted(event) => self.approval_granted(event),
            RunEvent::ApprovalRefused(event) => self.approval_refused(event),
            RunEvent::ApprovalExpired(event) => self.approval_expired(event),
            RunEvent::SignalAwaited(event) => self.signal_awaited(event),
            RunEvent::SignalReceived(event) => self.signal_received(event),
            _ => Err("people have nothing to do with it".to_owned()),
        }
    }

    fn approval_requested(&mut self, event: &ApprovalRequested) -> Result<(), Contradiction> {
        let place = self.place(&event.step)?;
        if self.run.people.requests.contains_key(&event.request) {
            return Err(format!("request `{}` was made already", event.request));
        }
        let now = self.now;
        let node = self.node_mut(place)?;
        let fits = match event.gate {
            Gate::Before => node.doing.is_ready(),
            // Its completion, if that is not recorded yet, follows in this commit.
            Gate::After => matches!(
                node.doing.phase,
                StepPhase::Trying(Trying::Ready | Trying::Open { .. } | Trying::Between)
                    | StepPhase::Awaiting(_)
                    | StepPhase::Expanded
                    | StepPhase::Completed(_)
            ),
        };
        if !fits || matches!(node.gate, Gated::By(_)) {
            return Err(format!("step `{}` is {}: nothing is to be approved", event.step, node.status()));
        }
        if event.gate == Gate::Before {
            self.take_from_ready(place)?;
            self.note_start(place)?.doing.phase = StepPhase::Asking;
        }
        self.run.stalled.remove(&place);
        let node = self.node_mut(place)?;
        node.gate = Gated::By(event.request.clone());
        node.requests += 1;
        if let (Some(timer), Some(at)) = (&event.timer, event.expires) {
            self.set_timer(timer, TimerOf::People(place), at);
        }
        self.changes.open(RunEffect::Ask { request: event.request.clone(), step: event.step.clone() });
        self.run.people.open.insert(event.request.clone());
        let request = ApprovalRequest {
            asked: Arc::new(event.clone()),
            at: now,
            place,
            granted: Default::default(),
            edits: Vec::new(),
            checked: Default::default(),
            answer: ApprovalState::Open,
        };
        self.run.people.requests.insert(event.request.clone(), request);
        Ok(())
    }

    fn approval_checked(&mut self, event: &ApprovalChecked) -> Result<(), Contradiction> {
        let request = self.open_request(&event.request)?;
        for point in &event.points {
            request.checked.insert(*point, Arc::clone(&event.by));
        }
        self.ask_again(&event.request)
    }

    fn approval_granted(&mut self, event: &ApprovalGranted) -> Result<(), Contradiction> {
        let request = self.open_request(&event.request)?;
        if event.edits.is_some() {
            // Those who granted it before granted something else.
            request.granted.clear();
        }
        request.granted.insert(Arc::clone(&event.by), event.note.clone());
        request.edits.extend(event.edits.clone());
        let (place, gate, is_granted) = (request.place, request.asked.gate, request.is_granted());
        if let (Gate::After, Some(output)) = (gate, &event.output)
            && let StepPhase::Completed(done) = &mut self.node_mut(place)?.doing.phase
        {
            done.output.clone_from(output);
            self.hand_up(place, Some(output))?;
        }
        if !is_granted {
            return self.ask_again(&event.request);
        }
        self.close_request(place, ApprovalState::Granted);
        match gate {
            Gate::Before => {
                self.node_mut(place)?.granted = Some(event.request.clone());
                self.make_ready(place)
            }
            Gate::After => self.finish_if_done(place),
        }
    }

    fn approval_refused(&mut self, event: &ApprovalRefused) -> Result<(), Contradiction> {
        let place = self.open_request(&event.request)?.place;
        self.refuse(place, ApprovalState::Refused { by: Arc::clone(&event.by), note: event.note.clone() })
    }

    fn approval_expired(&mut self, event: &ApprovalExpired) -> Result<(), Contradiction> {
        let place = self.open_request(&event.request)?.place;
        self.refuse(place, ApprovalState::Expired)
    }

    /// What becomes of the step is said by what follows in the same commit.
    fn refuse(&mut self, place: StepIndex, answer: ApprovalState) -> Result<(), Contradiction> {
        self.close_request(place, answer);
        let node = self.node_mut(place)?;
        if let StepPhase::Completed(done) = std::mem::replace(&mut node.doing.phase, StepPhase::BETWEEN) {
            node.refused = Some(Box::new(NotTaken { done, by: NotTakenBy::People }));
        }
        Ok(())
    }

    fn signal_awaited(&mut self, event: &SignalAwaited) -> Result<(), Contradiction> {
        let place = self.expect(&event.step, "wait for a signal", |phase| *phase == StepPhase::READY)?;
        self.take_from_ready(place)?;
        self.note_start(place)?.doing.phase = StepPhase::Awaiting(event.timer.clone());
        self.run.people.waiting.entry(Arc::clone(&event.name)).or_default().push_back(place);
        if let (Some(timer), Some(at)) = (&event.timer, event.expires) {
            self.set_timer(timer, TimerOf::People(place), at);
        }
        Ok(())
    }

    fn signal_received(&mut self, event: &SignalReceived) -> Result<(), Contradiction> {
        self.run.people.signals.entry(Arc::clone(&event.name)).or_default().push_back(event.data.clone());
        Ok(())
    }

    /// A step that waited for a signal has the first one that is kept.
    pub(super) fn take_signal(&mut self, place: StepIndex) -> Result<(), Contradiction> {
        let name = self.node_mut(place)?.signal().cloned().ok_or("the step waits for no signal")?;
        let signals = &mut self.run.people.signals;
        let kept = signals.get_mut(&name).ok_or_else(|| format!("no signal `{name}` came"))?;
        kept.pop_front();
        if kept.is_empty() {
            signals.remove(&name);
        }
        Ok(())
    }

    pub(super) fn wait_no_longer(&mut self, place: StepIndex, timer: Option<TimerId>) {
        if let Some(timer) = timer {
            self.unset_timer(timer);
        }
        let Some(name) = self.run.steps.get(place).and_then(Node::signal).cloned() else { return };
        if let Some(waiting) = self.run.people.waiting.get_mut(&name) {
            waiting.retain(|other| *other != place);
            if waiting.is_empty() {
                self.run.people.waiting.remove(&name);
            }
        }
    }

    /// Asks an open request again, so that its page tells what was said so far.
    fn ask_again(&mut self, request: &RequestId) -> Result<(), Contradiction> {
        let place = self.open_request(request)?.place;
        let step: StepId = self.node_mut(place)?.id().clone();
        self.changes.open(RunEffect::Ask { request: request.clone(), step });
        Ok(())
    }

    /// Nobody can answer the step's request any more.
    pub(super) fn close_request(&mut self, place: StepIndex, answer: ApprovalState) {
        let Some(node) = self.run.steps.get_mut(place) else { return };
        let Gated::By(request) = std::mem::take(&mut node.gate) else { return };
        self.changes.close(RunEffectId::Ask(request.clone()));
        self.run.people.open.remove(&request);
        let Some(closed) = self.run.people.requests.get_mut(&request) else { return };
        closed.answer = answer;
        if let Some(timer) = closed.asked.timer.clone() {
            self.unset_timer(timer);
        }
    }

    /// What some steps answered is not to be approved any more. Should the run go on, it is asked about again.
    pub(super) fn withdraw(&mut self, is_meant: impl Fn(StepIndex, &Node) -> bool) {
        let open = self.run.people.open.iter().filter_map(|id| self.run.people.requests.get(id));
        let after = open.filter(|request| request.asked.gate == Gate::After).map(|request| request.place);
        for place in after.collect::<Vec<_>>() {
            if self.run.steps.get(place).is_some_and(|node| is_meant(place, node)) {
                self.close_request(place, ApprovalState::Withdrawn);
                if let Some(node) = self.run.steps.get_mut(place) {
                    node.gate = Gated::Again;
                }
            }
        }
    }

    fn open_request(&mut self, id: &RequestId) -> Result<&mut ApprovalRequest, Contradiction> {
        match self.run.people.requests.get_mut(id) {
            Some(request) if request.answer == ApprovalState::Open => Ok(request),
            Some(_) => Err(format!("request `{id}` is answered")),
            None => Err(format!("there is no request `{id}`")),
        }
    }
}
