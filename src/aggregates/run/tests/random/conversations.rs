//! What a random run wants of conversations, which answer at random.

use super::*;
use crate::aggregates::conversation::at_hand::AtHand;
use crate::aggregates::run::{OfConversation, SharedEffect};

pub(super) const CONVERSATIONS: &[&str] =
    &["", "", "", "    conversation: talk\n", "    conversation: 'of-{{ run.id }}'\n"];

pub(super) fn answer(effect: &SharedEffect, version: u64, refuses: bool) -> OfConversation {
    let why = || (Code::ConversationFull, "no".to_owned());
    match effect.clone() {
        SharedEffect::Hear { step, .. } if refuses => OfConversation::NotHeard { step, why: why() },
        SharedEffect::Hear { step, conversation } => {
            let page =
                Json::from(&serde_json::json!([{"turn": 1, "role": "user", "name": null, "content": "x"}]));
            let at_hand = AtHand { version: Version(version), pages: vec![page], ..AtHand::default() };
            OfConversation::Heard { step, conversation, at_hand: Box::new(at_hand) }
        }
        SharedEffect::Continue { step, fence, .. } => {
            let answer = if refuses { Err(why()) } else { Ok(Version(version + 1)) };
            OfConversation::Continued { step, fence, answer }
        }
        other => panic!("no conversation is asked for {other:?}"),
    }
}

/// What is known of conversations and of those who go on with them.
#[derive(Default)]
pub(super) struct Talks {
    /// Steps that know what is at hand, since they were tried last.
    heard: BTreeSet<StepId>,
    /// Attempts that are to add something, and those that have.
    adding: BTreeSet<(StepId, u32)>,
    added: BTreeSet<(StepId, u32)>,
}

impl Talks {
    /// Whoever is tried knows what is at hand of its conversation, anew for each attempt; what an attempt adds is added once, before the
    /// step is done, and only for attempts that succeed.
    pub(super) fn see(&mut self, play: &Play, event: &RunEvent, context: &str) {
        match event {
            RunEvent::ConversationRead(read) => {
                assert!(self.heard.insert(read.step.clone()), "{context}: `{}` hears it twice", read.step);
            }
            RunEvent::LockAcquired(acquired) => drop(self.heard.remove(&acquired.step)),
            RunEvent::PreparationWithdrawn(withdrawn) => drop(self.heard.remove(&withdrawn.step)),
            // What was not tried hears it again, if it is to be done after all.
            RunEvent::RetryRequested(_) | RunEvent::RollbackStarted(_) => self.heard.clear(),
            RunEvent::AttemptStarted(started) if started.purpose == Purpose::Do => {
                let nodes = play.state().nodes();
                let node = nodes.iter().find(|node| *node.id() == started.step).unwrap();
                let template = format!("id: {}\n", node.added.template);
                let step = context.split("- ").find(|step| step.starts_with(&template));
                let goes_on = step.is_some_and(|step| step.contains("conversation: "));
                let knows = self.heard.remove(&started.step);
                // What was planned meanwhile is no step of the file.
                let is_of_file = node.added.planned.is_none();
                assert!(knows == goes_on || !is_of_file, "{context}: does `{}` know?", started.step);
            }
            RunEvent::AttemptAnswered(answered) if answered.turns.is_some() => {
                self.adding.insert((answered.step.clone(), answered.attempt));
            }
            RunEvent::ConversationContinued(continued) => {
                let this = (continued.step.clone(), continued.attempt);
                assert!(self.adding.remove(&this), "{context}: nothing was to be added for {this:?}");
                assert!(self.added.insert(this), "{context}: it is added twice");
            }
            RunEvent::StepCompleted(done) if done.attempt > 0 => {
                let this = (done.step.clone(), done.attempt);
                assert!(!self.adding.contains(&this), "{context}: {this:?} is done, and not added");
            }
            _ => {}
        }
    }
}
