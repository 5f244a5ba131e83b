//! What agents say to each other: just what the tries have sent that succeeded, and each handles what it was given.

use reenact::events::json::{Json, Payload};
use reenact::events::run::{MessageSent, Priority, RunEvent};
use serde_json::Value;

use super::{Duel, Verdict};
use crate::saga::oracle::Letter;

impl Duel {
    /// A result of a try was heard of, after so many events: if it succeeded it has handled what it was given, and else nothing.
    pub(super) fn check_handled(&self, step: &str, before: usize, given: &[u64]) -> Verdict {
        let news = || self.engine.history()[before..].iter().map(|event| &**event);
        let has_succeeded = news().any(|event| match event {
            RunEvent::StepCompleted(done) => done.step.as_str() == step && done.attempt > 0,
            RunEvent::StepCompensated(done) => done.step.as_str() == step,
            _ => false,
        });
        let handled = news().filter_map(|event| match event {
            RunEvent::MessageHandled(handled) if handled.step.as_str() == step => Some(handled.number.0),
            _ => None,
        });
        let expected = if has_succeeded { given } else { &[] };
        self.same(&format!("messages are handled by `{step}`"), expected.to_vec(), handled.collect())
    }

    /// What is sent is what the tries have sent that succeeded, in that order, and nothing else.
    pub(super) fn compare_letters(&self) -> Verdict {
        let sent = self.engine.history().iter().filter_map(|event| match &**event {
            RunEvent::MessageSent(sent) => Some(letter(sent)),
            _ => None,
        });
        self.same("messages are sent", self.oracle.letters.clone(), sent.collect())
    }
}

fn letter(sent: &MessageSent) -> Letter {
    let body = match &sent.body {
        Payload::Inline(json) => Json::value(json),
        Payload::Blob(_) => Value::Null,
    };
    let urgent = sent.priority == Priority::Urgent;
    Letter { step: sent.step.to_string(), to: sent.to.to_string(), urgent, body }
}
