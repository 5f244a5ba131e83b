//! The contexts that a simulated run shares: each the real aggregate on a store of its own, which never dies. What the run asks
//! of them, and of its conversations, is answered as soon as it is asked.

use std::collections::{BTreeMap, BTreeSet};

use super::Simulation;
use crate::aggregates::context::Context;
use crate::aggregates::run::{Ask, OfShared, Run, RunEffect, SharedEffect};
use crate::events::ids::{ContextKey, ContextName, KeyVersion, StepId, StreamId};
use crate::events::json::Json;
use crate::events::time::Timestamp;
use crate::kernel::core::Residency;
use crate::kernel::{Aggregate, Effect};
use crate::testing::broken::Broken;
use crate::testing::hosted::{Hosted, Saying};

/// The contexts that a run shares, by their streams.
#[derive(Clone, Default)]
pub(super) struct Contexts(BTreeMap<StreamId, Hosted<Context>>);

impl Contexts {
    fn at(&mut self, stream: &StreamId, now: Timestamp) -> &mut Hosted<Context> {
        let new = || Hosted::new(stream.clone(), (), now);
        let context = self.0.entry(stream.clone()).or_insert_with(new);
        context.now = context.now.max(now);
        context
    }
}

impl<W> Simulation<W> {
    /// The keys of a shared context that are there, each with its version and its value.
    ///
    /// # Errors
    /// When a value cannot be read.
    pub fn shared(&self, context: &ContextName) -> Result<BTreeMap<ContextKey, (KeyVersion, Json)>, Broken> {
        let Some(hosted) = self.contexts.0.get(&StreamId::of_context(context)) else {
            return Ok(BTreeMap::new());
        };
        let there = hosted.state().keys().iter();
        let there = there.filter_map(|(key, entry)| Some((key, entry.last, entry.value.as_ref()?)));
        let read = |(key, version, value): (&ContextKey, _, _)| {
            let value = hosted.blobs().json(value);
            let value = value.map_err(|unreadable| Broken::new(unreadable.to_string()))?;
            Ok((key.clone(), (version, value)))
        };
        there.map(read).collect()
    }

    /// Answers what the run asks of contexts, and what follows from that, until it asks for nothing more.
    pub(super) fn answer_shared(&mut self) -> Result<(), Broken> {
        while !self.hosted.is_dead() {
            let said = self.hosted.take_said();
            let said = said.into_iter().filter(|saying| saying.message.to.context().is_some());
            let said: Vec<_> = said.collect();
            let asked = self.hosted.performs().filter_map(|effect| match effect {
                RunEffect::Shared(shared) => Some((asks(shared)?, effect.id(), shared.clone())),
                _ => None,
            });
            let asked = asked.min_by(|one, other| one.0.cmp(&other.0));
            if said.is_empty() && asked.is_none() {
                return Ok(());
            }
            said.into_iter().try_for_each(|saying| self.bring(saying))?;
            if let Some((_, id, shared)) = asked.filter(|_| !self.hosted.is_dead()) {
                let says = self.answer(shared)?.map(|says| Ask::OfShared(Box::new(says)));
                self.hosted.settle(&id, says)?;
            }
        }
        Ok(())
    }

    /// What becomes of something that is not said to a stream.
    fn answer(&mut self, shared: SharedEffect) -> Result<Option<OfShared>, Broken> {
        Ok(Some(match shared {
            SharedEffect::Read { step, keys } => OfShared::Read { values: self.read(&keys), step },
            // Nothing is kept there for other runs.
            SharedEffect::LookUp(awaited) => {
                OfShared::LookedUp { step: awaited.step.clone(), key: awaited.work, found: None }
            }
            SharedEffect::Hear { step, conversation } => {
                OfShared::Conversation(self.hear(step, conversation))
            }
            SharedEffect::Continue { step, fence, .. } => OfShared::Conversation(self.go_on(step, fence)?),
            SharedEffect::Lock { .. } | SharedEffect::GiveBack(_) | SharedEffect::Write { .. } => {
                return Ok(None);
            }
        }))
    }

    fn read(
        &self,
        keys: &BTreeSet<(ContextName, ContextKey)>,
    ) -> Vec<(ContextName, ContextKey, KeyVersion, Json)> {
        let value = |(context, key): &(ContextName, ContextKey)| {
            let shared = self.shared(context).unwrap_or_default();
            let (version, value) = shared.get(key).cloned().unwrap_or((KeyVersion(0), Json::null()));
            (context.clone(), key.clone(), version, value)
        };
        keys.iter().map(value).collect()
    }

    /// Brings a context what the run says to it, the run what the context answers, and what the context has to say then.
    fn bring(&mut self, saying: Saying<RunEffect>) -> Result<(), Broken> {
        let Saying { effect, message, .. } = saying;
        let (from, now) = (StreamId::of_run(&self.run), self.hosted.now);
        let said =
            (message.write)(&*self.hosted.blobs()).map_err(|problem| Broken::new(problem.to_string()))?;
        let Some(command) = said.command() else { return Err(Broken::new("no context hears that")) };
        let context = self.contexts.at(&message.to, now);
        context.drive(Residency::Pinned)?;
        let answer = context.hear(command, true, Some(from), message.id)?;
        let Some(answer) = answer else { return Err(Broken::new("a context does not answer")) };
        if let Some(follows) = Run::answered(&effect, answer) {
            self.hosted.hear(follows, false, None, None)?;
        }
        let context = self.contexts.at(&message.to, now);
        for saying in context.take_said() {
            let said = (saying.message.write)(&*context.blobs());
            let said = said.map_err(|problem| Broken::new(problem.to_string()))?;
            let Some(says) = Run::heard(said) else { return Err(Broken::new("a run does not hear that")) };
            self.hosted.hear(says, false, None, None)?;
        }
        Ok(())
    }
}

/// The step for which something is asked that is not said to a stream.
fn asks(shared: &SharedEffect) -> Option<StepId> {
    match shared {
        SharedEffect::Read { step, .. }
        | SharedEffect::Hear { step, .. }
        | SharedEffect::Continue { step, .. } => Some(step.clone()),
        SharedEffect::LookUp(awaited) => Some(awaited.step.clone()),
        SharedEffect::Lock { .. } | SharedEffect::GiveBack(_) | SharedEffect::Write { .. } => None,
    }
}
