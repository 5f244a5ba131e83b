//! The slots that a command could use: what the host tries to acquire before it decides.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::child::is_made_by;
use super::conversations::OfConversation;
use super::kin::Wants;
use super::node::Compensation;
use super::shared::OfShared;
use super::{Ask, Grants, Node, Phase, Run, TimerOf, Unwinding};
use crate::events::ids::{AgentName, StepId, TimerId};
use crate::events::json::Json;
use crate::events::run::{Address, Purpose, StepKind};
use crate::events::time::Timestamp;
use crate::workflow::definition::Definition;
use crate::workflow::envelope::Envelope;
use crate::workflow::work::AgentRequest;

impl Run {
    /// At most so many slots of each agent could be used by attempts that start in the commit of this command. What
    /// is missed here starts in a commit of its own, so a bound that is often right and cheap beats an exact one.
    pub fn startable(&self, ask: &Ask) -> Grants {
        let external = self.about().map_or(&[][..], |about| &about.started.external);
        let mut wanted = Wanted {
            slots: BTreeMap::new(),
            room: self.room(),
            paused: &self.awaited_agents,
            external: external.into(),
        };
        let goes_on = !self.paused || matches!(ask, Ask::Unpause(_));
        // What comes back starts something in a commit of its own.
        let may_spend = !self.is_out_of_budget() || matches!(ask, Ask::RaiseBudget(_));
        match (&self.phase, ask) {
            (Phase::Empty, ask) => {
                if let Some(start) = ask.begins() {
                    wanted.room = start.parallel;
                    wanted.external = start.external().into();
                    wanted.roots(&start.definition);
                }
            }
            (Phase::Unwinding(unwinding), ask) if goes_on => {
                wanted.room += self.made_room(ask);
                self.wanted_to_undo(unwinding, ask, &mut wanted);
            }
            (Phase::Going, ask) if goes_on && may_spend => {
                // An attempt that this command ends makes room for another.
                wanted.room += self.made_room(ask);
                self.ready.wanted().for_each(|(agent, count)| wanted.add(agent, count));
                self.wanted_after(ask, &mut wanted);
            }
            _ => {}
        }
        if goes_on && self.delivers() {
            self.wanted_to_deliver(ask, &mut wanted);
        }
        if matches!(ask, Ask::Rollback { .. }) {
            // What runs is cancelled first, and makes room only then.
            let owing = self.steps.iter().filter(|node| node.owes().is_some());
            owing.for_each(|node| wanted.add_undo(node));
        }
        Grants(wanted.slots)
    }

    /// Receivers that could be delivered a message now, or once this command has sent one or ended a delivery: each is delivered one.
    fn wanted_to_deliver(&self, ask: &Ask, wanted: &mut Wanted<'_>) {
        let bound = |agent: &AgentName| {
            let (key, bindings) = (agent.key(), self.about()?.started.agents.iter());
            bindings.map(|binding| &binding.name).find(|name| name.key() == key)
        };
        // Most messages have no type, and nobody is delivered those.
        let typed = |message: &&Json| message.text().contains("type_name");
        let sent = |message: &Json| match Envelope::read(message) {
            Ok(Envelope { to: Address::Agent(agent), type_name: Some(_), .. }) => bound(&agent),
            _ => None,
        };
        let (requests, said) = match ask {
            Ask::Completed { output, .. } | Ask::Delivered { output, .. } => (&*output.requests, None),
            Ask::Say { message, .. } => (&[][..], Some(message)),
            _ => (&[][..], None),
        };
        let sends = requests.iter().filter_map(|request| match request {
            AgentRequest::Send(message) => Some(message),
            _ => None,
        });
        let sent = sends.chain(said).filter(typed).filter_map(sent);
        let ended = self.messages.deliveries.values().filter(|open| match ask {
            Ask::Recover { .. } => true,
            Ask::Delivered { fence, .. } | Ask::NotDelivered { fence, .. } => open.fence == *fence,
            _ => false,
        });
        let waiting = self.messages.to_deliver().map(|(agent, ..)| agent);
        let receivers: BTreeSet<&AgentName> =
            waiting.chain(sent).chain(ended.map(|open| &open.receiver)).collect();
        receivers.into_iter().for_each(|agent| wanted.add_delivery(agent));
    }

    /// Attempts that this command ends make room for others.
    fn made_room(&self, ask: &Ask) -> u32 {
        match ask {
            Ask::Completed { .. }
            | Ask::Failed { .. }
            | Ask::OfChild(_)
            | Ask::OfShared(_)
            | Ask::NoChild { .. } => 1,
            Ask::OfTask(asked) if asked.ends() => 1,
            Ask::Recover { .. } => self.running,
            _ => 0,
        }
    }

    /// Compensations that can be tried, and those whose turn may come.
    fn wanted_to_undo(&self, unwinding: &Unwinding, ask: &Ask, wanted: &mut Wanted<'_>) {
        unwinding.ready.wanted().for_each(|(agent, count)| wanted.add(agent, count));
        self.steps.all(&unwinding.due).for_each(|node| wanted.add_undo(node));
        match ask {
            Ask::Completed { step, .. } | Ask::Failed { step, .. } | Ask::NoChild { step, .. } => {
                self.wanted_to_undo_after(unwinding, step, wanted);
            }
            Ask::OfChild(tidings) => self.wanted_to_undo_after(unwinding, &tidings.step, wanted),
            Ask::OfTask(asked) => {
                let attempt = self.task_attempt(asked.fence).cloned();
                attempt.iter().for_each(|open| self.wanted_to_undo_after(unwinding, &open.step, wanted));
            }
            Ask::OfShared(says) => {
                self.waits_for_what_is_told(says).into_iter().for_each(|node| wanted.add_undo(node));
            }
            Ask::Due { timer } => {
                if let Some(TimerOf::Retry(place, Purpose::Compensate)) =
                    self.timers.get(timer).map(|set| set.of)
                {
                    self.steps.get(place).into_iter().for_each(|node| wanted.add_undo(node));
                }
            }
            Ask::Recover { .. } => {
                let is_open = |undo: &Compensation| undo.tries.open().is_some();
                let open = self.steps.iter().filter(|node| node.compensation.as_ref().is_some_and(is_open));
                open.for_each(|node| wanted.add_undo(node));
            }
            _ => {}
        }
    }

    /// Compensations whose turn may come when something becomes of that step.
    fn wanted_to_undo_after(&self, unwinding: &Unwinding, step: &StepId, wanted: &mut Wanted<'_>) {
        let Some((place, node)) = self.node(step) else { return };
        wanted.add_undo(node);
        let before = unwinding.waiting_for(place, &self.steps);
        let next = before.iter().chain(&node.inside).chain([&place]);
        let next = next.filter(|next| unwinding.is_last_behind(**next));
        self.steps.all(next).for_each(|node| {
            wanted.add_undo(node);
            self.steps.all(&node.children).for_each(|inner| wanted.add_undo(inner));
        });
    }

    fn wanted_after(&self, ask: &Ask, wanted: &mut Wanted<'_>) {
        match ask {
            Ask::Completed { step, .. } | Ask::Failed { step, .. } | Ask::NoChild { step, .. } => {
                self.wanted_behind(step, wanted);
            }
            Ask::OfChild(tidings) => self.wanted_behind(&tidings.step, wanted),
            Ask::OfTask(asked) => {
                let attempt = self.task_attempt(asked.fence);
                attempt.into_iter().for_each(|open| self.wanted_behind(&open.step, wanted));
            }
            Ask::OfShared(says) => self.wanted_with(says, wanted),
            Ask::ForParent(asked) => {
                // What asked for the point of no return may start.
                if let Wants::Answered { granted: true } = asked.wants {
                    self.steps.all(&self.passing).for_each(|node| wanted.add_node(node));
                }
            }
            Ask::Due { timer } => self.wanted_when_due(timer, wanted),
            Ask::Approve { request, .. } | Ask::Reject { request, .. } => {
                let meant = self.requests_meant(request).into_iter();
                for node in meant.filter_map(|id| self.asks(&id)) {
                    wanted.add_node(node);
                    self.wanted_behind(node.id(), wanted);
                }
            }
            Ask::Signal { name, .. } => {
                let first = self.people.waiting.get(name).and_then(|waiting| waiting.front());
                let first = first.and_then(|place| self.steps.get(*place));
                first.into_iter().for_each(|node| self.wanted_behind(node.id(), wanted));
            }
            Ask::Recover { .. } => {
                let open = self.steps.iter().filter(|node| node.open_attempt().is_some());
                open.for_each(|node| wanted.add_node(node));
            }
            _ => {}
        }
    }

    /// A step may start that waited for that, or those behind one that has written.
    fn wanted_with(&self, says: &OfShared, wanted: &mut Wanted<'_>) {
        if let OfShared::Written { step, .. }
        | OfShared::Conversation(OfConversation::Continued { step, .. })
        | OfShared::LookedUp { step, found: Some(_), .. } = says
        {
            self.wanted_behind(step, wanted);
        }
        // A step that cannot take what was found is tried.
        self.waits_for_what_is_told(says).into_iter().for_each(|node| wanted.add_node(node));
    }

    /// The step that waits for what a context tells, if it may be tried with that.
    fn waits_for_what_is_told(&self, says: &OfShared) -> Option<&Node> {
        let step = match says {
            OfShared::Read { step, .. }
            | OfShared::LookedUp { step, .. }
            | OfShared::Conversation(OfConversation::Heard { step, .. }) => step,
            OfShared::Lock(says) => {
                self.locks_awaited().find(|(_, lock, _)| lock.owner == says.owner).map(|(step, ..)| step)?
            }
            _ => return None,
        };
        self.node(step).map(|(_, node)| node)
    }

    fn wanted_when_due(&self, timer: &TimerId, wanted: &mut Wanted<'_>) {
        match self.timers.get(timer).map(|set| set.of) {
            Some(TimerOf::Retry(place, Purpose::Do)) => {
                self.steps.get(place).into_iter().for_each(|node| wanted.add_node(node));
            }
            Some(TimerOf::Sleep(place) | TimerOf::People(place)) => {
                self.steps.get(place).into_iter().for_each(|node| self.wanted_behind(node.id(), wanted));
            }
            Some(
                TimerOf::Retry(_, Purpose::Compensate)
                | TimerOf::Run
                | TimerOf::Child(_)
                | TimerOf::UndoChild(_)
                | TimerOf::Task(..)
                | TimerOf::Lease(..),
            )
            | None => {}
        }
    }

    /// Steps that start when this one is done with.
    fn wanted_behind(&self, step: &StepId, wanted: &mut Wanted<'_>) {
        let mut done = self.node(step).map(|(_, node)| node);
        while let Some(node) = done {
            let next = self.steps.all(&node.dependents);
            next.filter(|next| next.unmet == 1).for_each(|next| wanted.add_node(next));
            done = self.steps.outer(node);
            let Some(parent) = done else { continue };
            let waiting = parent.children.get(parent.inner.released);
            self.steps.all(waiting).for_each(|next| wanted.add_node(next));
            if let StepKind::Repeat { agent } = &parent.added.kind {
                wanted.add(Some(agent), 1);
            }
            if node.is_turn() {
                wanted.add(node.agent_of_work(), 1);
            }
            if parent.inner.done + 1 < parent.children.len() {
                return;
            }
        }
    }
}

struct Wanted<'r> {
    /// Agents that start nothing, as far as the run knows.
    paused: &'r BTreeMap<AgentName, Timestamp>,
    /// Agents whose attempts are handed out.
    external: Cow<'r, [AgentName]>,
    slots: BTreeMap<AgentName, u32>,
    /// How many attempts may start at all.
    room: u32,
}

impl Wanted<'_> {
    fn add(&mut self, agent: Option<&AgentName>, count: usize) {
        // A run of its own needs no slot, nor does what is handed out.
        let is_meant = |agent: &&AgentName| {
            !is_made_by(agent) && !self.external.contains(agent) && !self.paused.contains_key(*agent)
        };
        let agent = agent.filter(|agent| self.room > 0 && count > 0 && is_meant(agent));
        let Some(agent) = agent else { return };
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        if let Some(slots) = self.slots.get_mut(agent) {
            *slots = slots.saturating_add(count).min(self.room);
        } else {
            self.slots.insert(agent.clone(), count.min(self.room));
        }
    }

    /// A delivery takes a slot, but is none of the attempts that a run may make at once.
    fn add_delivery(&mut self, agent: &AgentName) {
        if !self.paused.contains_key(agent) {
            let slots = self.slots.entry(agent.clone()).or_default();
            *slots = slots.saturating_add(1);
        }
    }

    fn add_node(&mut self, node: &Node) {
        let count = match &node.added.kind {
            StepKind::FanOut { .. } => node.width().unwrap_or(self.room as usize),
            StepKind::Work { .. } | StepKind::Repeat { .. } => 1,
            StepKind::Sleep | StepKind::Wait { .. } | StepKind::AskOfPhase => 0,
        };
        self.add(node.agent(), count);
    }

    fn add_undo(&mut self, node: &Node) {
        self.add(node.added.undo.as_ref().map(|undo| &undo.agent), 1);
    }

    /// Steps that need nothing.
    fn roots(&mut self, definition: &Definition) {
        for step in definition.steps.iter().filter(|step| step.needs.is_empty()) {
            let width = match &step.for_each {
                Some(fan_out) => fan_out.max_parallel.unwrap_or(self.room) as usize,
                None => 1,
            };
            self.add(step.agent().as_ref(), width);
        }
    }
}
