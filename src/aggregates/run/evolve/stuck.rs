//! Agents that are stuck: what is noted of answers, what managers are asked, and what they say.

use std::collections::BTreeSet;

use super::{Contradiction, Evolution};
use crate::aggregates::run::watch::{Escalation, RefusedPlan, Said};
use crate::aggregates::run::{StepIndex, StepPhase, Unwinding};
use crate::events::run::{AnswerNoted, Because, Escalated, Purpose, RepairAsked, RunEvent};

impl Evolution<'_> {
    fn answer_noted(&mut self, event: &AnswerNoted) -> Result<(), Contradiction> {
        let open = self.open_attempt(&event.step, Purpose::Do, event.attempt)?;
        let within = self.place(&event.within)?;
        let watch = self.node_mut(within)?.watch.get_or_insert_default();
        watch.note(&open.agent, event.answer);
        Ok(())
    }

    /// What was seen of an agent, and who is asked what to do otherwise.
    pub(super) fn of_stuck(&mut self, event: &RunEvent) -> Result<(), Contradiction> {
        match event {
            RunEvent::AnswerNoted(event) => self.answer_noted(event),
            RunEvent::Escalated(event) => self.escalated(event),
            RunEvent::RepairAsked(event) => self.repair_asked(event),
            _ => Ok(()),
        }
    }

    fn escalated(&mut self, event: &Escalated) -> Result<(), Contradiction> {
        let at = self.expect(&event.step, "be stuck", |phase| *phase == StepPhase::BETWEEN)?;
        let within = self.place(&event.within)?;
        let Escalated { to, why, seen, .. } = event.clone();
        self.run.messages.meet(&to);
        let watch = self.node_mut(within)?.watch.get_or_insert_default();
        watch.escalations.push(Escalation { at, to, why, seen });
        Ok(())
    }

    fn repair_asked(&mut self, event: &RepairAsked) -> Result<(), Contradiction> {
        let at = self.expect(&event.step, "mend its plan", |phase| *phase == StepPhase::BETWEEN)?;
        let watch = self.node_mut(at)?.watch.get_or_insert_default();
        watch.repairs = watch.repairs.saturating_add(1);
        let (answered, refused) = (event.answered.clone(), event.refused.clone());
        watch.refused = Some(RefusedPlan { answered, refused });
        self.make_ready(at)
    }

    /// Whether a step waits for what a manager says, once that is asked in this commit.
    pub(super) fn is_to_be_guided(&self, place: StepIndex) -> bool {
        let node = self.run.steps.get(place);
        node.is_some_and(|node| node.doing.phase == StepPhase::BETWEEN)
            && self.run.escalation(place).is_some()
    }

    /// A manager is done with. If it said something, the step about which it was asked is tried again, as often as at first.
    pub(super) fn guide(&mut self, manager: StepIndex, stuck: StepIndex) -> Result<(), Contradiction> {
        let steps = &self.run.steps;
        let said = steps.get(manager).and_then(|node| Some((node.agent()?.clone(), node.output()?.clone())));
        let waits = steps.get(stuck).is_some_and(|node| node.doing.phase == StepPhase::Expanded);
        let (Some((by, answer)), true) = (said, waits) else { return Ok(()) };
        let about = self.run.watched_in(stuck).into_iter().find_map(|at| {
            let asked = &self.run.steps.get(at)?.watch.as_ref()?.escalations;
            asked.iter().rfind(|asked| asked.at == stuck).map(|asked| (at, asked.seen.clone()))
        });
        if let Some((within, seen)) = about {
            self.node_mut(within)?.watch.get_or_insert_default().said =
                Some(Said { in_step: manager, by, seen, answer });
        }
        let node = self.node_mut(stuck)?;
        node.doing.refresh();
        // The grant was for what it did without knowing that.
        node.granted = None;
        self.make_ready(stuck)
    }

    /// The steps about which a manager is asked that has not answered, and that is asked again when the run goes forward.
    pub(super) fn still_asked(&self, undone: Option<&Unwinding>) -> BTreeSet<StepIndex> {
        let manages = |place: &StepIndex| {
            let node = self.run.steps.get(*place);
            let node = node.filter(|node| node.added.because == Because::Escalation);
            node.is_some_and(|node| !node.is_done() && self.run.is_to_be_retried(node))
        };
        let asked = self.run.steps.indexed().filter(|(place, node)| {
            !undone.is_some_and(|unwinding| unwinding.undoes(*place)) && node.children.iter().any(manages)
        });
        asked.map(|(place, _)| place).collect()
    }
}
