//! What an attempt that succeeded wants beside its answer: all of it is checked before anything is recorded, and recorded in
//! the commit of what the attempt came to.

use std::borrow::Cow;

use super::RunRejection;
use super::advance::Advance;
use super::context::{SharedValues, Write};
use super::handoff::HandOver;
use super::sending::Outgoing;
use super::turns::Call;
use crate::events::ids::AgentName;
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
    pub(super) writes: Vec<Write>,
    /// What is to be written into contexts that runs share, each once.
    pub(super) shared: Vec<SharedValues>,
    pub(super) sends: Vec<Outgoing>,
    pub(super) handoff: Option<HandOver>,
    pub(super) calls: Vec<Call>,
}

impl Beside {
    /// The agent that is to go on, if another is, so that what was answered is no output yet.
    pub(super) fn hands_over_to(&self) -> Option<&AgentName> {
        self.handoff.as_ref().map(HandOver::to)
    }

    /// Whether more is to come of it, so that what was answered is no output yet.
    pub(super) fn goes_on(&self) -> bool {
        self.handoff.is_some() || !self.calls.is_empty()
    }
}

impl Advance<'_, '_> {
    /// What an attempt wants beside its answer, if all of that may be done. Nothing of it is ever left out silently.
    ///
    /// # Errors
    /// Within, why it may not: then the attempt has failed. Else what keeps the run from deciding at all.
    pub(super) fn beside(
        &self,
        attempt: &AttemptStarted,
        output: &Output,
    ) -> Result<Result<Beside, Failure>, RunRejection> {
        // A run of its own writes into its own context.
        if output.child.is_some() {
            return Ok(Ok(Beside::default()));
        }
        let (mut values, mut messages, mut declarations) = (Vec::new(), Vec::new(), Vec::new());
        let mut calls = Vec::new();
        for request in &output.requests {
            match request {
                AgentRequest::Context { key, value } => values.push((key.clone(), value.clone())),
                AgentRequest::Send(message) => messages.push(message),
                AgentRequest::Handoff(declaration) => declarations.push(declaration.clone()),
                AgentRequest::Call(call) => calls.push(call),
            }
        }
        let is_echo = is_echo(attempt, &output.output);
        values.extend(in_answer(&output.output, is_echo));
        let (shared, own) = values.into_iter().partition(|(key, _): &(String, Json)| key.contains('/'));
        let handoff = match self.wanted_handoff(attempt, declarations, &output.output, is_echo)? {
            Ok(handoff) => handoff,
            Err(failure) => return Ok(Err(failure)),
        };
        let calls = match self.wanted_calls(attempt, &calls)? {
            Ok(calls) => calls,
            Err(failure) => return Ok(Err(failure)),
        };
        if handoff.is_some() && !calls.is_empty() {
            let message = "it hands over, and wants tools to be used: only one of the two can be done";
            return Ok(Err(Failure::new(Code::HandoffMisplaced, message)));
        }
        let beside = || {
            let (writes, shared) = (self.writes(own)?, self.shared_writes(attempt, shared)?);
            Ok(Beside { writes, shared, sends: self.outgoing(&attempt.into(), &messages)?, handoff, calls })
        };
        Ok(beside())
    }

    /// Records it, after what the attempt has handled; but for what is written into contexts that runs share: those have taken
    /// that already.
    ///
    /// # Errors
    /// When what is recorded of its agent cannot be read.
    pub(super) fn do_beside(&mut self, attempt: &AttemptStarted, beside: Beside) -> Result<(), RunRejection> {
        let Beside { writes, sends, handoff, calls, .. } = beside;
        self.handle_given(attempt)?;
        let sender = attempt.into();
        self.write(&sender, writes);
        self.send(&sender, sends);
        if let Some(handoff) = handoff {
            self.do_hand_over(attempt, handoff);
        }
        self.do_call(calls);
        Ok(())
    }
}

/// Whether a program answers the document that it got, as `cat` does: it wants nothing by that.
fn is_echo(attempt: &AttemptStarted, answer: &Json) -> bool {
    let own = Json::from(&serde_json::Value::from(&*attempt.idempotency_key));
    answer.text().contains(own.text()) && member(answer, KEY_OF_ATTEMPT) == Some(own.text())
}

/// The text of a member of an object.
fn member<'a>(object: &'a Json, name: &str) -> Option<&'a str> {
    let Ok(Level::Map(members)) = Level::of(object.text()) else { return None };
    members.into_iter().rfind(|(key, _)| key == name).map(|(_, value)| value)
}

/// The values for the context that an answer has under `context`.
fn in_answer(answer: &Json, is_echo: bool) -> Vec<(String, Json)> {
    let context = member(answer, CONTEXT).filter(|_| !is_echo).map(Level::of);
    let Some(Ok(Level::Map(values))) = context else { return Vec::new() };
    let parsed =
        |(key, value): (Cow<'_, str>, &str)| Json::parse(value).ok().map(|value| (key.to_string(), value));
    values.into_iter().filter_map(parsed).collect()
}
