//! What a run asks of conversations that its steps go on with, and what it hears of them. Neither is said to their streams by the run
//! itself: whoever adds turns counts their tokens first, and thinks of what leaves the window.

use std::sync::Arc;

use super::{Run, StepIndex};
use crate::aggregates::conversation::at_hand::AtHand;
use crate::events::ids::{AgentName, CommandId, ConversationName, Fence, StepId, Version};
use crate::events::problem::Code;
use crate::events::run::{ConversationRead, Purpose, TurnsToAdd};

/// What a run hears of a conversation.
#[derive(Debug, Clone)]
pub enum OfConversation {
    /// What is at hand of it.
    Heard {
        /// The step that waits for that.
        step: StepId,
        /// The conversation.
        conversation: ConversationName,
        /// The turns of its window, and what stands for all others.
        at_hand: Box<AtHand>,
    },
    /// Why that cannot be read.
    NotHeard {
        /// The step that waits for it.
        step: StepId,
        /// What is wrong with the conversation.
        why: (Code, String),
    },
    /// What came of adding turns: the version of the conversation with them, or why it did not take them.
    Continued {
        /// The step that was tried.
        step: StepId,
        /// The fence of the attempt.
        fence: Fence,
        /// What the conversation answered.
        answer: Result<Version, (Code, String)>,
    },
}

/// What is to be added to a conversation for an attempt.
#[derive(Debug, Clone)]
pub struct Adding {
    /// The turns.
    pub added: Arc<TurnsToAdd>,
    /// The id by which the conversation knows them again: it is made of run, step, generation and attempt.
    pub id: CommandId,
    /// The name of who adds them: the run and the step.
    pub by: Arc<str>,
}

impl OfConversation {
    /// The name by which commits record it.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Heard { .. } => "conversation_heard",
            Self::NotHeard { .. } => "conversation_not_heard",
            Self::Continued { .. } => "conversation_answered",
        }
    }
}

impl Run {
    /// What a step that is tried was given of its conversation.
    pub fn heard_by(&self, step: &StepId) -> Option<&Arc<ConversationRead>> {
        self.steps.index(step).and_then(|place| self.shared.heard.get(&place))
    }

    /// What an attempt adds to a conversation, if nothing but that is left of it.
    pub fn adding(&self, fence: Fence) -> Option<Adding> {
        let writing = self.shared.writing.get(&fence)?;
        let added = Arc::clone(writing.turns.as_ref()?);
        let (key, attempt) = &writing.key;
        let id = ["turns_add", key, &attempt.to_string(), added.conversation.as_str()];
        let by = format!("{}/{}", self.about()?.id, writing.step).into();
        Some(Adding { id: CommandId::derived(&id), by, added })
    }

    /// How many steps of an agent know what is at hand of their conversation, or are about to, and are not tried yet.
    pub(super) fn hearing(&self, agent: &AgentName) -> usize {
        let waits = self.shared.hearing().chain(self.shared.heard.keys().copied());
        let is_its = |place: &StepIndex| {
            let node = self.steps.get(*place);
            node.is_some_and(|node| {
                node.open_attempts().next().is_none() && node.slot(Purpose::Do) == Some(agent)
            })
        };
        waits.filter(is_its).count()
    }
}
