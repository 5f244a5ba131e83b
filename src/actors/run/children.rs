//! Attempts that see children through. A child goes on whoever drives its parent, so such an attempt is not lost with the
//! process that made it: whoever drives the parent next goes on with it, also where all that is left is to stop it.

use std::collections::HashMap;
use std::sync::Arc;

use actix::Context;

use super::{RunHost, RunShell};
use crate::aggregates::run::{Run, RunEffect};
use crate::events::ids::{AgentName, Fence};
use crate::kernel::Aggregate;
use crate::views::presenters::report::{AwaitedChild, awaited_children};
use crate::workflow::definition::WORKFLOW_AGENT;

impl RunShell {
    /// The open attempts of this kind, but for those whose results do not count.
    pub(super) fn at_children(&self, state: &Run) -> impl Iterator<Item = Fence> {
        let fences = state.open_at_children().map(|attempt| attempt.fence);
        fences.filter(|fence| !self.given_up.contains_key(fence))
    }

    /// Goes on with those that nobody in this process makes.
    pub(super) fn adopt(&mut self, state: &Run, actor: &mut Context<RunHost>) {
        if !self.driven || self.communicator.is_closing() || !std::mem::take(&mut self.unseen) {
            return;
        }
        let is_made = |fence| self.glance.borrow().attempts.contains_key(&fence);
        let unmade = |fence: &Fence| !self.given_up.contains_key(fence) && !is_made(*fence);
        let open = state.open_at_children().filter(|attempt| unmade(&attempt.fence));
        let open: HashMap<_, _> = open.map(|attempt| (attempt.fence, Arc::clone(attempt))).collect();
        if open.is_empty() {
            return;
        }
        let agent = AgentName::new(WORKFLOW_AGENT);
        let concurrency = self.communicator.concurrency(&agent, None);
        let wanted = u32::try_from(open.len()).unwrap_or(u32::MAX);
        let slots = self.communicator.dispatcher().try_acquire(&agent, concurrency, wanted);
        self.slots.entry(agent).or_default().extend(slots);
        let is_of =
            |effect: &RunEffect| matches!(effect, RunEffect::Stop { fence, .. } if open.contains_key(fence));
        let stops: Vec<_> = state.open().into_iter().filter(is_of).collect();
        open.into_values().for_each(|attempt| self.perform(state, attempt, actor));
        stops.into_iter().for_each(|stop| self.start_effect(state, stop, actor));
    }

    /// An attempt is not made any more, of this kind or any other.
    pub(super) fn forget(&mut self, fence: Fence) {
        let mut attempt = None;
        self.change_attempts(|glance| attempt = glance.remove(fence));
        if let Some(child) = attempt.and_then(|attempt| attempt.child) {
            self.resting.remove(&child);
            self.unseen = true;
        }
    }

    /// Whether all that goes on in it is that children are seen through which are at rest.
    pub(super) fn waits_for_children(&self, state: &Run) -> bool {
        let rests = |child: &AwaitedChild| self.resting.contains(&child.run);
        let awaited = || awaited_children(state).is_some_and(|children| children.iter().all(rests));
        !self.resting.is_empty() && !self.is_too_late(state) && awaited()
    }
}
