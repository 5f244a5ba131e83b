//! What an attempt that succeeded wants beside its answer: all of it is checked before anything is recorded, and recorded in
//! the commit of what the attempt came to.

use std::borrow::Cow;

use super::advance::Advance;
use super::context::Write;
use super::sending::Outgoing;
use crate::events::json::Json;
use crate::events::problem::Code;
use crate::events::run::AttemptStarted;
use crate::workflow::json_text::Level;
use crate::workflow::work::{AgentRequest, Failure};

/// The key of an answer whose members are values for the context.
const CONTEXT: &str = "context";

/// The key of the document for a program, by which it is known again.
const KEY_OF_ATTEMPT: &str = "idempotency_key";

/// What an attempt wants beside its answer, which may be done.
#[derive(Default)]
pub(super) struct Beside {
    writes: Vec<Write>,
    sends: Vec<Outgoing>,
}

impl Advance<'_, '_> {
    /// What an attempt wants beside its answer, if all of that may be done. Nothing of it is ever left out silently.
    ///
    /// # Errors
    /// Why it may not: the attempt has failed.
    pub(super) fn beside(
        &self,
        attempt: &AttemptStarted,
        requests: Vec<AgentRequest>,
        answer: &Json,
    ) -> Result<Beside, Failure> {
        let (mut values, mut messages) = (Vec::new(), Vec::new());
        for request in requests {
            match request {
                AgentRequest::Context { key, value } => values.push((key, value)),
                AgentRequest::Send(message) => messages.push(message),
                AgentRequest::Handoff(_) => return Err(not_built("handoffs")),
            }
        }
        values.extend(in_answer(attempt, answer));
        Ok(Beside { writes: self.writes(values)?, sends: self.outgoing(attempt, &messages)? })
    }

    /// Records it, after what the attempt has handled.
    pub(super) fn do_beside(&mut self, attempt: &AttemptStarted, Beside { writes, sends }: Beside) {
        self.handle_given(attempt);
        self.write(attempt, writes);
        self.send(attempt, sends);
    }
}

/// The values for the context that an answer has under `context`.
fn in_answer(attempt: &AttemptStarted, answer: &Json) -> Vec<(String, Json)> {
    let Ok(Level::Map(members)) = Level::of(answer.text()) else { return Vec::new() };
    let member = |name| members.iter().rfind(|(key, _)| key == name).map(|(_, value)| *value);
    // A program that answers the document that it got, such as `cat`, writes nothing by that.
    let own = Json::from(&serde_json::Value::from(&*attempt.idempotency_key));
    let is_echo = member(KEY_OF_ATTEMPT).is_some_and(|key| key == own.text());
    let context = member(CONTEXT).filter(|_| !is_echo).map(Level::of);
    let Some(Ok(Level::Map(values))) = context else { return Vec::new() };
    let parsed =
        |(key, value): (Cow<'_, str>, &str)| Json::parse(value).ok().map(|value| (key.to_string(), value));
    values.into_iter().filter_map(parsed).collect()
}

/// What this version cannot do for an attempt is never left out silently.
fn not_built(what: &str) -> Failure {
    Failure::new(Code::NotBuilt, format!("its output has {what}, which this version does not support"))
}
