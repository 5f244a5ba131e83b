//! Whom a message is for: the agents that an address means, and which of them handle it as soon as it comes.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;

use super::advance::Advance;
use crate::events::ids::{AgentName, Hash};
use crate::events::problem::{Code, nearest};
use crate::events::run::{Address, MessageSent};
use crate::kernel::ReadBlob;
use crate::workflow::definition::SHELL_AGENT;
use crate::workflow::envelope::Envelope;
use crate::workflow::output::Shape;
use crate::workflow::topic::TopicPattern;
use crate::workflow::work::Failure;

/// Whom a message is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Receivers {
    /// All of them.
    pub(super) all: Vec<AgentName>,
    /// Those that handle messages of its type as soon as they come.
    pub(super) live: Vec<AgentName>,
    /// Whether the agent that it is for is not there: then it has one receiver, which nobody is.
    pub(super) is_nobody: bool,
}

/// What an agent's definition says of the messages that it gets.
#[derive(Deserialize)]
struct Hears {
    #[serde(default)]
    subscribes: Vec<TopicPattern>,
    #[serde(default)]
    handles: Vec<Handles>,
}

/// A type of messages that an agent handles as soon as they come.
#[derive(Deserialize)]
struct Handles {
    /// The stable name of the type.
    name: Arc<str>,
    /// The shape of what such a message says, where one is known.
    #[serde(default)]
    schema: Option<Value>,
    /// The same, made ready.
    #[serde(skip)]
    shape: Option<Shape>,
}

impl ReadBlob for Hears {
    fn read_blob(bytes: &[u8]) -> Result<Self, String> {
        let mut hears: Self = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        for handles in &mut hears.handles {
            handles.shape = handles.schema.as_ref().map(Shape::new).transpose()?;
        }
        Ok(hears)
    }
}

/// The agents that a message may be for, by the keys of their names: each with its definition, if the run began with one.
pub(super) struct Directory(BTreeMap<String, (AgentName, Option<Hash>)>);

impl Advance<'_, '_> {
    /// The agents that a message may be for: those that the run began with, and those that its steps name.
    pub(super) fn directory(&self) -> Directory {
        let run = self.draft.state();
        let bound = run.about().into_iter().flat_map(|about| &about.started.agents);
        let bound = bound.map(|binding| (&binding.name, Some(binding.definition.hash)));
        let mut found = BTreeMap::new();
        for (agent, definition) in bound.chain(run.messages().agents().map(|agent| (agent, None))) {
            found.entry(agent.key()).or_insert_with(|| (agent.clone(), definition));
        }
        Directory(found)
    }

    /// The agents that a message is for.
    ///
    /// # Errors
    /// When what it is for does not take messages of its type, or says otherwise what such messages say.
    pub(super) fn receivers(
        &self,
        envelope: &Envelope,
        sender: &AgentName,
        directory: &Directory,
    ) -> Result<Receivers, Failure> {
        let (candidates, is_meant) = match &envelope.to {
            Address::Agent(agent) => match directory.find(agent) {
                Some(agent) => (vec![agent.clone()], true),
                None => {
                    return Ok(Receivers { all: vec![agent.clone()], live: Vec::new(), is_nobody: true });
                }
            },
            Address::Topic(topic) => (self.subscribers(topic)?, false),
            Address::Everyone => (self.everyone(sender)?, false),
        };
        let mut receivers = Receivers { all: Vec::new(), live: Vec::new(), is_nobody: false };
        for receiver in candidates {
            match self.takes(&receiver, envelope, directory)? {
                Takes::Live => receivers.live.push(receiver.clone()),
                Takes::WithAttempts => {}
                Takes::Not if is_meant => return Err(self.not_taken(&receiver, envelope, directory)),
                Takes::Not => continue,
            }
            receivers.all.push(receiver);
        }
        Ok(receivers)
    }

    /// Which of these agents handle a message that was sent as soon as it comes.
    pub(super) fn live_among(&self, receivers: &[AgentName], sent: &MessageSent) -> Vec<AgentName> {
        let (directory, of) = (self.directory(), sent.type_name.as_deref());
        let handles = |agent: &&AgentName| {
            let hears = self.hears(agent, &directory);
            hears.is_ok_and(|hears| hears.is_some_and(|hears| hears.of(of).is_some()))
        };
        receivers.iter().filter(handles).cloned().collect()
    }

    /// How an agent takes a message.
    fn takes(
        &self,
        receiver: &AgentName,
        envelope: &Envelope,
        directory: &Directory,
    ) -> Result<Takes, Failure> {
        let Some(hears) = self.hears(receiver, directory)?.filter(|hears| !hears.handles.is_empty()) else {
            return Ok(Takes::WithAttempts);
        };
        if let Some(handles) = hears.of(envelope.type_name.as_deref()) {
            let wrong = handles.shape.as_ref().and_then(|shape| shape.misfit("body", &envelope.body));
            return match wrong {
                None => Ok(Takes::Live),
                Some(why) => {
                    let message = format!("a message for `{receiver}` is no `{}`: {why}", handles.name);
                    Err(Failure::new(Code::WrongMessage, message))
                }
            };
        }
        let key = receiver.key();
        let does_steps = self.draft.state().messages().agents().any(|agent| agent.key() == key);
        Ok(if does_steps && envelope.type_name.is_none() { Takes::WithAttempts } else { Takes::Not })
    }

    fn not_taken(&self, receiver: &AgentName, envelope: &Envelope, directory: &Directory) -> Failure {
        let hears = self.hears(receiver, directory).ok().flatten();
        let names = || hears.iter().flat_map(|hears| &hears.handles).map(|handles| &*handles.name);
        let all = names().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let message = match envelope.type_name.as_deref() {
            Some(name) => {
                let near = nearest(name, names()).map(|near| format!("; did you mean `{near}`?"));
                let near = near.unwrap_or_default();
                format!("`{receiver}` takes no messages of the type `{name}`, but of {all}{near}")
            }
            None => format!("`{receiver}` takes messages of the types {all}, and this one names none"),
        };
        Failure::new(Code::WrongMessage, message)
    }

    fn hears(&self, agent: &AgentName, directory: &Directory) -> Result<Option<Arc<Hears>>, Failure> {
        let Some(definition) = directory.definition(agent) else { return Ok(None) };
        let hears = self.draft.value::<Hears, _>(&definition, self.moment);
        hears.map(Some).map_err(|unreadable| Failure::from(unreadable.problem()))
    }

    /// Every agent that steps name or that handles messages as soon as they come, but for the sender.
    fn everyone(&self, sender: &AgentName) -> Result<Vec<AgentName>, Failure> {
        let run = self.draft.state();
        let mut all: BTreeMap<String, AgentName> = BTreeMap::new();
        for agent in run.messages().agents() {
            all.entry(agent.key()).or_insert_with(|| agent.clone());
        }
        for binding in run.about().into_iter().flat_map(|about| &about.started.agents) {
            let hears = self.draft.value::<Hears, _>(&binding.definition.hash, self.moment);
            let hears = hears.map_err(|unreadable| Failure::from(unreadable.problem()))?;
            if !hears.handles.is_empty() {
                all.entry(binding.name.key()).or_insert_with(|| binding.name.clone());
            }
        }
        all.remove(&sender.key());
        // Who only runs what steps say reads no messages, unless somebody means it.
        all.remove(&AgentName::new(SHELL_AGENT).key());
        Ok(all.into_values().collect())
    }

    /// The agents whose definitions say that they hear of a topic.
    fn subscribers(&self, topic: &str) -> Result<Vec<AgentName>, Failure> {
        let about = self.draft.state().about();
        let mut found = Vec::new();
        for binding in about.into_iter().flat_map(|about| &about.started.agents) {
            let said = self.draft.value::<Hears, _>(&binding.definition.hash, self.moment);
            let said = said.map_err(|unreadable| Failure::from(unreadable.problem()))?;
            if said.subscribes.iter().any(|pattern| pattern.matches(topic)) {
                found.push(binding.name.clone());
            }
        }
        Ok(found)
    }
}

/// How an agent takes a message.
enum Takes {
    /// It handles it as soon as it comes.
    Live,
    /// An attempt by it is given it.
    WithAttempts,
    /// It takes only messages of other types.
    Not,
}

impl Hears {
    /// What it says of messages of a type, if it handles those as soon as they come.
    fn of(&self, type_name: Option<&str>) -> Option<&Handles> {
        self.handles.iter().find(|handles| type_name == Some(&*handles.name))
    }
}

impl Directory {
    /// The agent that somebody means by a name.
    pub(super) fn find(&self, name: &AgentName) -> Option<&AgentName> {
        self.0.get(&name.key()).map(|(agent, _)| agent)
    }

    /// The name that may have been meant.
    pub(super) fn nearest(&self, name: &AgentName) -> Option<AgentName> {
        nearest(name.as_str(), self.0.values().map(|(agent, _)| agent.as_str())).map(AgentName::new)
    }

    fn definition(&self, name: &AgentName) -> Option<Hash> {
        self.0.get(&name.key()).and_then(|(_, definition)| *definition)
    }
}
