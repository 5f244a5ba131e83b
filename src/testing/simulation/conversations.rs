//! The conversations that a simulated run goes on with: each the real aggregate on a store of its own, which never dies. Nobody else says
//! anything there.

use std::collections::BTreeMap;

use super::Simulation;
use crate::aggregates::conversation::at_hand::AtHand;
use crate::aggregates::conversation::{Add, Conversation, ConversationAsk, NewTurn};
use crate::aggregates::run::OfConversation;
use crate::events::conversation::Window;
use crate::events::ids::{ConversationName, Fence, StepId, StreamId, TurnNumber};
use crate::events::problem::Problem;
use crate::kernel::core::{Envelope, Residency};
use crate::testing::broken::Broken;
use crate::testing::hosted::Hosted;
use crate::workflow::conversation::tokens;

/// The conversations that a run goes on with.
#[derive(Clone, Default)]
pub(super) struct Conversations(BTreeMap<ConversationName, Hosted<Conversation>>);

impl<W> Simulation<W> {
    /// How many turns were ever added to a conversation.
    pub fn turns(&self, conversation: &ConversationName) -> TurnNumber {
        self.conversations.0.get(conversation).map(|hosted| hosted.state().last()).unwrap_or_default()
    }

    pub(super) fn hear(&mut self, step: StepId, conversation: ConversationName) -> OfConversation {
        let hosted = self.conversations.0.get(&conversation);
        let at_hand = hosted.map(|hosted| AtHand::of(hosted.state(), hosted.head().version));
        OfConversation::Heard { step, conversation, at_hand: Box::new(at_hand.unwrap_or_default()) }
    }

    pub(super) fn go_on(&mut self, step: StepId, fence: Fence) -> Result<OfConversation, Broken> {
        let adding = self.hosted.state().adding(fence);
        let Some(adding) = adding else { return Err(Broken::new("nothing is to be added")) };
        let (blobs, now) = (self.hosted.blobs(), self.hosted.now);
        let turn = |turn: &crate::events::run::TurnToAdd| {
            let text = blobs.json(&turn.content).map_err(|unreadable| unreadable.problem())?;
            let text = text.value().as_str().unwrap_or_default().to_owned();
            let (role, name, tokens) = (turn.role, turn.name.clone(), tokens::of_turn(&text));
            Ok(NewTurn { role, name, pinned: false, tokens, text: text.into() })
        };
        let turns: Result<Vec<NewTurn>, Problem> = adding.added.turns.iter().map(turn).collect();
        let turns = turns.map_err(|problem| Broken::new(problem.to_string()))?;
        let add = Add { turns, window: Window::default(), compression: None, by: adding.by };
        let stream = StreamId::of_conversation(&adding.added.conversation);
        let conversations = &mut self.conversations.0;
        let hosted = conversations.entry(adding.added.conversation.clone());
        let hosted = hosted.or_insert_with(|| Hosted::new(stream, (), now));
        hosted.now = hosted.now.max(now);
        hosted.drive(Residency::Pinned)?;
        let envelope = Envelope { id: Some(adding.id), ..Envelope::default() };
        let answer = hosted.send(ConversationAsk::Add(Box::new(add)), envelope, false)?;
        let Some(answer) = answer else { return Err(Broken::new("a conversation does not answer")) };
        let answer = answer.map_err(|problem| (problem.code, problem.message));
        Ok(OfConversation::Continued { step, fence, answer })
    }
}
