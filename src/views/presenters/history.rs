//! An event as people and programs read it.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use crate::events::agent::AgentEvent;
use crate::events::cache::CacheEvent;
use crate::events::codec::{CodecError, Encoded};
use crate::events::commit::Recorded;
use crate::events::context::ContextEvent;
use crate::events::conversation::ConversationEvent;
use crate::events::ids::{AGENT_KIND, CACHE_KIND, CONTEXT_KIND, CONVERSATION_KIND, MIND_KIND, Version};
use crate::events::json::Json;
use crate::events::mind::MindEvent;
use crate::events::run::{RunEvent, StepAdded, StepKind};
use crate::events::time::Timestamp;

/// An event as people and programs read it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct HistoryLine {
    /// The event's number in its stream, from 1.
    pub version: Version,
    /// The event's number in the store, from 1.
    pub position: u64,
    /// When it was recorded.
    pub at: Timestamp,
    /// The name of its type, in snake_case.
    #[serde(rename = "type")]
    pub kind: String,
    /// The fields of the event, as JSON.
    pub data: Json,
    /// The event's hash in hexadecimal.
    pub hash: String,
}

impl HistoryLine {
    /// Makes the line of a recorded event.
    pub fn of(recorded: &Recorded) -> Self {
        let data = match recorded.header.stream.kind() {
            AGENT_KIND => said::<AgentEvent>(recorded),
            CONTEXT_KIND => said::<ContextEvent>(recorded),
            CONVERSATION_KIND => said::<ConversationEvent>(recorded),
            MIND_KIND => said::<MindEvent>(recorded),
            CACHE_KIND => said::<CacheEvent>(recorded),
            _ => said::<RunEvent>(recorded),
        };
        let data = match data {
            Ok(data) => Ok(data),
            // What this version does not know is shown as what it is: bytes.
            Err(error) => Json::of(&serde_json::json!({
                "unreadable": error.to_string(),
                "bytes": recorded.event.payload.len(),
            })),
        };
        Self {
            version: recorded.version,
            position: recorded.position.0,
            at: recorded.header.recorded_at,
            kind: recorded.event.kind.to_string(),
            data: data.unwrap_or_default(),
            hash: recorded.event.hash.to_string(),
        }
    }
}

/// Finds the events of a run that are about a step, also those that say so only by what they name: a timer, a request, or a
/// signal that the step waits for.
#[derive(Debug)]
pub struct AboutStep {
    step: String,
    named: HashSet<(&'static str, String)>,
}

/// What events name that belongs to a step.
const NAMES: [&str; 3] = ["timer", "request", "name"];

impl AboutStep {
    /// Those about this step.
    pub fn new(step: &str) -> Self {
        Self { step: step.to_owned(), named: HashSet::new() }
    }

    /// Whether an event is about the step. It has to see every event of the run, in order.
    pub fn is_about(&mut self, recorded: &Recorded) -> bool {
        let Ok(event) = recorded.decode::<RunEvent>() else { return false };
        if let RunEvent::StepAdded(StepAdded { step, kind: StepKind::Wait { signal }, .. }) = &event
            && step.as_str() == self.step
        {
            // One that comes early is kept for it.
            self.named.insert(("name", signal.to_string()));
        }
        let data = Json::of(&event).unwrap_or_default().value();
        let text = |key: &str| data.get(key).and_then(serde_json::Value::as_str);
        let mut names = NAMES.into_iter().filter_map(|key| Some((key, text(key)?.to_owned())));
        match text("step") {
            Some(step) if step == self.step => {
                self.named.extend(names);
                true
            }
            Some(_) => false,
            None => names.any(|name| self.named.contains(&name)),
        }
    }
}

/// What an event of that type says.
fn said<E: Encoded + Serialize>(recorded: &Recorded) -> Result<Json, CodecError> {
    Ok(Json::of(&recorded.decode::<E>()?).unwrap_or_default())
}
