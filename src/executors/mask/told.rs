//! All that an attempt tells, masked.

use std::sync::Arc;

use super::super::{AgentRequest, Failure, Output, Progress, ToolCall};
use super::Masks;
use crate::events::json::Json;
use crate::events::problem::Code;
use crate::workflow::work::{ModelCall, Transcript, Written};

impl Masks {
    /// What an attempt answered, masked.
    ///
    /// # Errors
    /// The same as those of [`Masks::json`].
    pub(in crate::executors) fn output(&self, told: Output) -> Result<Output, Failure> {
        let Output { output, artifacts, usage, requests, transcript, calls, child } = told;
        let requests = requests.into_iter().map(|request| self.request(request));
        Ok(Output {
            output: self.json(&output)?,
            artifacts: artifacts.iter().map(|path| self.text(path).into_owned()).collect(),
            usage,
            requests: requests.collect::<Result<_, _>>()?,
            transcript: transcript.map(|said| self.transcript(said)),
            calls: calls.into_iter().map(|call| self.call(call)).collect(),
            child,
        })
    }

    /// Why an attempt failed, masked.
    pub(in crate::executors) fn failure(&self, told: Failure) -> Failure {
        let (message, transcript) = (self.text(&told.message).into_owned(), told.transcript.clone());
        let transcript = transcript.map(|said| self.transcript(said));
        let calls = told.calls().iter().cloned().map(|call| self.call(call)).collect();
        Failure { message, transcript, ..told }.with_calls(calls)
    }

    /// How far an attempt says it is, masked.
    pub(super) fn progress(&self, told: &Progress) -> Progress {
        Progress { percent: told.percent, text: self.text(&told.text).into_owned() }
    }

    fn request(&self, request: AgentRequest) -> Result<AgentRequest, Failure> {
        Ok(match request {
            AgentRequest::Send(message) => AgentRequest::Send(self.json(&message)?),
            AgentRequest::Context { key, value } => {
                AgentRequest::Context { key: self.text(&key).into_owned(), value: self.json(&value)? }
            }
            // Its id and its name are none of the agent's own words, and are looked for as they are.
            AgentRequest::Call(call) => {
                AgentRequest::Call(ToolCall { arguments: self.json(&call.arguments)?, ..call })
            }
            // A function says it as JSON.
            AgentRequest::Handoff(said) => AgentRequest::Handoff(match Json::read(&said) {
                Ok(json) => self.json(&json)?.text().to_owned(),
                Err(_) => self.text(&said).into_owned(),
            }),
        })
    }

    /// A call of a model, masked: what was asked may hold what another turn answered. What cannot be masked is left out.
    fn call(&self, call: ModelCall) -> ModelCall {
        let masked = |json: Json| self.json(&json).unwrap_or_default();
        let text = |text: Arc<str>| Arc::from(&*self.text(&text));
        ModelCall {
            system: call.system.map(masked),
            messages: call.messages.into_iter().map(masked).collect(),
            answer: call.answer.map(masked),
            stop: call.stop.map(text),
            request_id: call.request_id.map(text),
            ..call
        }
    }

    /// What was said, masked: not what was asked, which the run has recorded.
    fn transcript(&self, said: Json) -> Json {
        let Ok(transcript) = serde_json::from_str::<Transcript>(said.text()) else { return said };
        let masked = |written: &Written| Written::of(self.bytes(&written.bytes()).into_owned());
        let (stdout, stderr) = (masked(&transcript.stdout), masked(&transcript.stderr));
        Transcript { stdout, stderr, ..transcript }.to_json()
    }

    /// JSON in which each text is masked, a key as well, however it is escaped; a number that is a value becomes a text.
    ///
    /// # Errors
    /// When two keys of one object are the same once they are masked, or a text is none.
    pub(in crate::executors) fn json(&self, json: &Json) -> Result<Json, Failure> {
        let text = json.text();
        if self.is_empty() || (!text.contains('\\') && self.text(text) == text) {
            return Ok(json.clone());
        }
        let mut masked = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(quote) = rest.find('"') {
            let (before, from) = rest.split_at(quote);
            self.push_scalars(before, &mut masked);
            let (token, after) = from.split_at(token_length(from));
            self.push_token(token, &mut masked);
            rest = after;
        }
        self.push_scalars(rest, &mut masked);
        if masked == text {
            return Ok(json.clone());
        }
        Json::read(&masked).map_err(|why| {
            Failure::new(
                Code::BadAnswer,
                format!("what was answered cannot be taken once secrets are masked: {why}"),
            )
        })
    }

    /// A text of JSON, with its quotes.
    fn push_token(&self, token: &str, masked: &mut String) {
        match serde_json::from_str::<String>(token) {
            Ok(text) if self.text(&text) != text => push_text(&self.text(&text), masked),
            Ok(_) => masked.push_str(token),
            // Half of a pair of UTF-16, which is no text in Rust.
            Err(_) => masked.push_str(&self.text(token)),
        }
    }

    /// What stands between texts: numbers and other words, brackets and the like.
    fn push_scalars(&self, between: &str, masked: &mut String) {
        let is_sign = |char: char| char.is_ascii_whitespace() || "[]{},:".contains(char);
        for part in between.split_inclusive(is_sign) {
            let scalar = part.trim_end_matches(is_sign);
            if self.text(scalar) == scalar {
                masked.push_str(part);
            } else {
                push_text(&self.text(scalar), masked);
                masked.push_str(part.get(scalar.len()..).unwrap_or_default());
            }
        }
    }
}

/// How many bytes a text of JSON has that begins here, with both quotes.
fn token_length(from: &str) -> usize {
    let mut is_escaped = false;
    let end = from.bytes().enumerate().skip(1).find(|(_, byte)| {
        let is_end = *byte == b'"' && !is_escaped;
        is_escaped = *byte == b'\\' && !is_escaped;
        is_end
    });
    end.map_or(from.len(), |(quote, _)| quote + 1)
}

fn push_text(text: &str, json: &mut String) {
    json.push_str(Json::from(&serde_json::Value::from(text)).text());
}
