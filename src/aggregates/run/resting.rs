//! Whether a run goes on by itself, or waits for somebody: people, who takes tasks, who pauses agents, or who may let it spend
//! more.

use super::queue::Queue;
use super::{Phase, Run};
use crate::events::ids::AgentName;

impl Run {
    /// Whether something is ready that waits for no paused agent, and that what is left to spend allows.
    pub(super) fn could_start(&self) -> bool {
        let is_free = |agent: &AgentName| !self.awaited_agents.contains_key(agent);
        let some_free = |queue: &Queue| queue.wanted().any(|(agent, _)| agent.is_none_or(is_free));
        match &self.phase {
            Phase::Going if self.is_out_of_budget() => {
                // What takes no attempt spends nothing.
                !self.stalled.is_empty() || self.ready.wanted().any(|(agent, _)| agent.is_none())
            }
            Phase::Going => !self.stalled.is_empty() || some_free(&self.ready),
            Phase::Unwinding(unwinding) => !unwinding.due.is_empty() || some_free(&unwinding.ready),
            _ => false,
        }
    }

    /// Whether nothing of it goes on before somebody acts, for whom it waits: people, who takes tasks, or who pauses agents.
    pub(super) fn waits(&self) -> bool {
        let is_forward = self.phase == Phase::Going;
        let waits_for_others = !self.awaited_agents.is_empty() || !self.tasks.open.is_empty();
        (is_forward || waits_for_others) && !self.paused && self.rests()
    }

    /// Whether nothing of it goes on before somebody acts, here or in a run that it has started.
    pub(super) fn rests(&self) -> bool {
        let has_tasks = !self.tasks.open.is_empty();
        let waits_for_others = self.resting > 0 || has_tasks || !self.awaited_agents.is_empty();
        match &self.phase {
            Phase::Empty | Phase::Ended(_) | Phase::Ending(_) => false,
            _ if self.is_at_work() || self.is_asking() || self.shared.is_asking() => false,
            _ if self.is_delivering() => false,
            Phase::Back(_) => true,
            _ if self.paused => true,
            _ if self.could_start() || self.has_own_timers() => false,
            // That people may say it too late keeps nobody waiting.
            Phase::Going => self.people.are_awaited() || waits_for_others || self.lacks_spend(),
            Phase::Unwinding(_) => waits_for_others,
        }
    }

    /// Whether it is woken some time without anybody, beside the end of its time.
    pub(super) fn has_own_timers(&self) -> bool {
        let of_others = self.people.timers.len() + self.deadlines.len() + self.tasks.timers();
        self.timers.len() > of_others + usize::from(self.is_timed())
    }

    /// Whether it has a limit of its time, and that time runs now.
    fn is_timed(&self) -> bool {
        let limited = self.about.as_ref().is_some_and(|about| about.started.duration_limit_us.is_some());
        limited && self.time_left_us.is_none() && !matches!(self.phase, Phase::Ended(_))
    }
}
