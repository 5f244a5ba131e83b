//! What an attempt that succeeded wants beside its answer: all of it is checked before anything is recorded, and recorded in
//! the commit of what the attempt came to.

use std::borrow::Cow;

use super::advance::Advance;
use super::advance::shared::SharedValues;
use super::context::Write;
use crate::events::json::Json;
use crate::events::problem::Code;
use crate::events::run::AttemptStarted;
use crate::workflow::json_text::Level;
use crate::workflow::work::{AgentRequest, Failure, Output};

/// The key of an answer whose members are values for the context.
const CONTEXT: &str = "context";

/// The key of the document for a program, by which it is known again.
const KEY_OF_ATTEMPT: &str = "idempotency_key";

/// What an attempt wants beside its answer, which may be done.
#[derive(Default)]
pub(super) struct Beside {
    writes: Vec<Write>,
    /// What is to be written into contexts that runs share, each once.
    pub(super) shared: Vec<SharedValues>,
}

impl Advance<'_, '_> {
    /// What an attempt wants beside its answer, if all of that may be done. Nothing of it is ever left out silently.
    ///
    /// # Errors
    /// Why it may not: the attempt has failed.
    pub(super) fn beside(&self, attempt: &AttemptStarted, output: &Output) -> Result<Beside, Failure> {
        // A run of its own writes into its own context.
        if output.child.is_some() {
            return Ok(Beside::default());
        }
        let mut values = Vec::new();
        for request in &output.requests {
            match request {
                AgentRequest::Context { key, value } => values.push((key.clone(), value.clone())),
                AgentRequest::Send(_) => return Err(not_built("`SEND:` lines")),
                AgentRequest::Handoff(_) => return Err(not_built("handoffs")),
            }
        }
        values.extend(in_answer(attempt, &output.output));
        let (shared, own) = values.into_iter().partition(|(key, _): &(String, Json)| key.contains('/'));
        Ok(Beside { writes: self.writes(own)?, shared: self.shared_writes(attempt, shared)? })
    }

    /// Records it, but for what is written into contexts that runs share: those have taken that already.
    pub(super) fn do_beside(&mut self, attempt: &AttemptStarted, Beside { writes, .. }: Beside) {
        self.write(attempt, writes);
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
pub(super) fn not_built(what: &str) -> Failure {
    Failure::new(Code::NotBuilt, format!("its output has {what}, which this version does not support"))
}
