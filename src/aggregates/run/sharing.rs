//! When a run says something to contexts that it shares with others, and what follows from the answer.

use std::sync::Arc;

use super::shared::{LEASE, LockOf, OfShared, SharedEffect};
use super::{Ask, Phase, Run};
use crate::aggregates::context::{Acquire, ContextAsk, Set, SetKey};
use crate::events::ids::{CommandId, StreamId, Version};
use crate::events::problem::Problem;
use crate::events::run::{PreparationWithdrawn, Purpose, RunPaused, SharedWrite};
use crate::kernel::{Blobs, Draft, Message, Said};

impl Run {
    /// Whether a step of that purpose may wait or hold something as the run is.
    pub(super) fn may_prepare(&self, purpose: Purpose) -> bool {
        match purpose {
            Purpose::Do => self.phase == Phase::Going,
            Purpose::Compensate => matches!(self.phase, Phase::Unwinding(_)),
        }
    }

    /// Nothing starts any more before somebody lets the run go on: what steps prepared until then would be old, and locks that
    /// they hold or wait for are others' to have.
    pub(super) fn pause(draft: &mut Draft<'_, Self>, by: Arc<str>, reason: Option<String>) {
        draft.emit(RunPaused { by, reason });
        for step in draft.state().prepared() {
            draft.emit(PreparationWithdrawn { step });
        }
    }

    /// What is said to a shared context. What is read is not asked of the stream, nor is a conversation told anything without more ado.
    pub(super) fn to_context(&self, effect: &SharedEffect) -> Option<Message> {
        let about = self.about.as_ref()?;
        let run = StreamId::of_run(&about.id);
        let (context, name, id, write): (_, _, _, crate::kernel::Write) = match effect.clone() {
            SharedEffect::Read { .. }
            | SharedEffect::LookUp(_)
            | SharedEffect::Hear { .. }
            | SharedEffect::Continue { .. } => return None,
            SharedEffect::Lock { of, until, .. } => {
                let LockOf { context, lock, owner } = of;
                let name = format!("lock/{owner}");
                let wanted = Acquire { lock, owner, lease: LEASE, until: Some(until), tells: Some(run) };
                (context, name, None, says(ContextAsk::Acquire(wanted)))
            }
            SharedEffect::GiveBack(LockOf { context, lock, owner }) => {
                let name = format!("give-back/{owner}");
                (context, name, None, says(ContextAsk::Withdraw { lock, owner }))
            }
            SharedEffect::Write { step, fence, context } => {
                let writing = self.shared.writing.get(&fence)?;
                let write = Arc::clone(writing.left.get(&context)?);
                let (key, attempt) = &writing.key;
                let id = CommandId::derived(&["context_set", key, &attempt.to_string(), context.as_str()]);
                let by: Arc<str> = format!("{}/{step}", about.id).into();
                let name = format!("write/{fence}");
                (context, name, Some(id), Arc::new(move |blobs: &dyn Blobs| set(&write, &by, blobs)))
            }
        };
        let (to, effect) = (StreamId::of_context(&context), name.into());
        Some(Message { to, effect, id, asks: true, insists: false, write })
    }

    /// The command that follows from what a context answered.
    pub(super) fn context_answered(effect: &SharedEffect, answer: Result<Version, Problem>) -> Option<Ask> {
        let why = |problem: &Problem| (problem.code, problem.message.clone());
        let says = match (effect.clone(), answer) {
            // A lock that was asked for is granted by what the context says then.
            (
                SharedEffect::Read { .. }
                | SharedEffect::LookUp(_)
                | SharedEffect::Hear { .. }
                | SharedEffect::Continue { .. },
                _,
            )
            | (SharedEffect::Lock { .. }, Ok(_)) => return None,
            (SharedEffect::Lock { step, of, .. }, Err(problem)) => {
                OfShared::LockRefused { step, of, why: why(&problem) }
            }
            // A context that cannot be told has no lock any more when the lease ends.
            (SharedEffect::GiveBack(of), _) => OfShared::GivenBack(of),
            (SharedEffect::Write { step, fence, context }, answer) => {
                OfShared::Written { step, fence, context, refused: answer.err().as_ref().map(why) }
            }
        };
        Some(Ask::OfShared(Box::new(says)))
    }
}

fn says(ask: ContextAsk) -> crate::kernel::Write {
    Arc::new(move |_: &dyn Blobs| Ok(Said::new(ask.clone())))
}

fn set(write: &SharedWrite, by: &Arc<str>, blobs: &dyn Blobs) -> Result<Said, Problem> {
    let keys = write.keys.iter().map(|wanted| {
        let value = blobs.json(&wanted.value).map_err(|unreadable| unreadable.problem())?;
        Ok(SetKey { key: wanted.key.clone(), value, expected: wanted.expected })
    });
    let keys = keys.collect::<Result<_, Problem>>()?;
    Ok(Said::new(ContextAsk::Set(Set { keys, by: Arc::clone(by), held: write.held.clone() })))
}
