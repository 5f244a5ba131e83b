//! Before a step is tried that goes on with a conversation it knows what is at hand of that; what its attempt asked and answered is added
//! before the attempt has succeeded.

use super::shared::{Written, refused};
use super::{Advance, StartError};
use crate::aggregates::run::conversations::OfConversation;
use crate::aggregates::run::shared::{Preparing, failure};
use crate::aggregates::run::{Impossible, Run, RunRejection, StepIndex};
use crate::events::conversation::Role;
use crate::events::ids::{AgentName, ConversationName, Fence, StepId, Version};
use crate::events::json::Json;
use crate::events::problem::Code;
use crate::events::run::*;
use crate::kernel::Draft;
use crate::workflow::conversation::{answered, asked};
use crate::workflow::definition::Step;
use crate::workflow::work::{AgentRequest, Failure, Output, Work};

/// What an attempt that succeeds adds to a conversation.
pub(in crate::aggregates::run) struct Adds {
    conversation: ConversationName,
    turns: Vec<(Role, Option<AgentName>, String)>,
}

impl Adds {
    /// The same as it is recorded.
    pub(in crate::aggregates::run) fn recorded(self, draft: &mut Draft<'_, Run>) -> TurnsToAdd {
        let turns = self.turns.into_iter().map(|(role, name, text)| {
            let content = draft.payload(Json::from(&serde_json::Value::String(text)));
            TurnToAdd { role, name, content }
        });
        TurnsToAdd { turns: turns.collect(), conversation: self.conversation }
    }
}

impl Advance<'_, '_> {
    /// Whether a step may be told what is at hand of its conversation, if it goes on with one: not while as many others are told as there
    /// are slots, for what they add is to be among it.
    pub(super) fn may_hear(&self, place: StepIndex, agent: &AgentName, step: &Step) -> bool {
        let run = self.draft.state();
        if step.conversation.is_none() || run.shared.heard.contains_key(&place) || run.is_external(agent) {
            return true;
        }
        let slots = self.drive.as_ref().and_then(|grants| grants.0.get(agent)).copied().unwrap_or_default();
        run.hearing(agent) < slots as usize
    }

    /// Whether a step has to know first what is at hand of its conversation; then it waits for that. What grew in it for a tool goes on
    /// with none.
    pub(super) fn must_hear(&mut self, place: StepIndex, step: &Step) -> Result<bool, RunRejection> {
        let node = self.node(place)?;
        let goes_on = step.conversation.is_some() && node.added.because != Because::Tool;
        if !goes_on || self.draft.state().shared.heard.contains_key(&place) {
            return Ok(false);
        }
        let id = node.id().clone();
        let scope = self.scope(Some(place), &step.references());
        let name = scope.and_then(|scope| step.conversation(&scope).map_err(StartError::Render));
        match name {
            Err(hindrance) => self.hinder(place, hindrance)?,
            Ok(name) => match ConversationName::parse(&name) {
                Ok(conversation) => self.draft.emit(ConversationAwaited { step: id, conversation }),
                Err(why) => {
                    let code = Code::BadConversationName;
                    self.fail(place, code.class(), code, why.to_string())?;
                }
            },
        }
        Ok(true)
    }

    /// Takes in what is heard of a conversation. Answers what becomes of an attempt with that, if anything does.
    pub(super) fn of_conversation(&mut self, says: OfConversation) -> Result<Option<Written>, RunRejection> {
        match says {
            OfConversation::Heard { step, conversation, at_hand } => {
                let waits = |waited: &ConversationName| *waited == conversation;
                if self.waits_to_hear(&step).is_some_and(|(_, waited)| waits(waited)) {
                    let pages = at_hand.pages.into_iter().map(|page| self.draft.payload(page)).collect();
                    let (version, summary, texts) = (at_hand.version, at_hand.summary, at_hand.texts);
                    self.draft.emit(ConversationRead { step, conversation, version, summary, pages, texts });
                }
                Ok(None)
            }
            OfConversation::NotHeard { step, why } => {
                let Some((place, _)) = self.waits_to_hear(&step) else { return Ok(None) };
                let Failure { class, code, message, .. } = failure(why);
                self.fail(place, class, code, message).map(|()| None)
            }
            OfConversation::Continued { step, fence, answer } => self.continued(step, fence, answer),
        }
    }

    /// The conversation that a step waits for.
    fn waits_to_hear(&self, step: &StepId) -> Option<(StepIndex, &ConversationName)> {
        let run = self.draft.state();
        let place = run.steps.index(step)?;
        match run.shared.preparing.get(&place)? {
            Preparing::Hearing(conversation) => Some((place, conversation)),
            _ => None,
        }
    }

    fn continued(
        &mut self,
        step: StepId,
        fence: Fence,
        answer: Result<Version, (Code, String)>,
    ) -> Result<Option<Written>, RunRejection> {
        let run = self.draft.state();
        let Some((_, attempt)) = run.open_attempt(&step, fence) else { return Ok(None) };
        let writing = run.shared.writing.get(&fence).filter(|writing| writing.left.is_empty());
        let Some((writing, turns)) = writing.and_then(|writing| Some((writing, writing.turns.as_ref()?)))
        else {
            return Ok(None);
        };
        let (conversation, output) = (turns.conversation.clone(), self.answer_of(writing)?);
        let version = match answer {
            Ok(version) => version,
            Err(why) => return Ok(Some(Written::Failed(step, fence, refused(output, why)))),
        };
        let (tried, attempt) = (step.clone(), attempt.attempt);
        self.draft.emit(ConversationContinued { step: tried, attempt, conversation, version });
        Ok(Some(Written::All(step, fence, output)))
    }

    /// What an attempt adds to the conversation that its step goes on with, if it asked or answered anything. A turn that wants tools is
    /// no answer yet.
    pub(in crate::aggregates::run) fn adds(
        &self,
        place: StepIndex,
        attempt: &AttemptStarted,
        output: &Output,
    ) -> Result<Option<Adds>, RunRejection> {
        let heard = self.draft.state().shared.heard.get(&place);
        let wants_tools = output.requests.iter().any(|request| matches!(request, AgentRequest::Call(_)));
        let heard = heard.filter(|_| attempt.purpose == Purpose::Do && !wants_tools);
        let Some(heard) = heard else { return Ok(None) };
        let input = self.draft.json(&attempt.input, self.moment)?;
        let work: Work =
            serde_json::from_str(input.text()).map_err(|_| Impossible::NotTold(attempt.step.clone()))?;
        // A program asks nothing, and nobody answers it.
        let speaks = if work.run.is_some() { Role::Tool } else { Role::Assistant };
        let asked = asked(&work).map(|text| (Role::User, None, text));
        let answered = answered(&output.output).map(|text| (speaks, Some(attempt.agent.clone()), text));
        let turns: Vec<_> = asked.into_iter().chain(answered).collect();
        let conversation = heard.conversation.clone();
        Ok((!turns.is_empty()).then_some(Adds { conversation, turns }))
    }
}
