//! Agents that are stuck: when two answers are the same, what a manager is asked about an agent that does not get on, and how
//! the next attempt is told what the manager answered.

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::definition::{Does, OnError, Step};
use super::handoff::{WorkDone, literal, said, task_of};
use super::work::{Guidance, Work};
use crate::events::ids::{AgentName, Hash, StepId};
use crate::events::json::Json;
use crate::events::problem::{Code, Problem};

/// The hash of an answer, normalised: two answers with the same hash count as the same. In texts all white space is folded and
/// letters are small; the members of objects are in the order of their keys. Numbers, also those in texts, stay as they are:
/// an answer that counts on gets on.
pub fn fingerprint(answer: &Json) -> Hash {
    let mut normalised = String::with_capacity(answer.text().len());
    normalise(&answer.value(), &mut normalised);
    Hash::of(normalised.as_bytes())
}

/// Whether an answer says nothing, as that of a program which only declares a handoff.
pub fn says_nothing(answer: &Json) -> bool {
    fn is_empty(value: &Value) -> bool {
        match value {
            Value::Null => true,
            Value::String(text) => text.trim().is_empty(),
            Value::Array(list) => list.iter().all(is_empty),
            Value::Object(members) => members.values().all(is_empty),
            Value::Bool(_) | Value::Number(_) => false,
        }
    }
    is_empty(&answer.value())
}

fn normalise(value: &Value, into: &mut String) {
    match value {
        Value::String(text) => {
            let folded: Vec<&str> = text.split_whitespace().collect();
            into.push_str(&Value::from(folded.join(" ").to_lowercase()).to_string());
        }
        Value::Array(list) => {
            into.push('[');
            list.iter().for_each(|item| {
                normalise(item, into);
                into.push(',');
            });
            into.push(']');
        }
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_unstable_by_key(|(key, _)| *key);
            into.push('{');
            for (key, value) in members {
                into.push_str(&Value::from(key.as_str()).to_string());
                into.push(':');
                normalise(value, into);
                into.push(',');
            }
            into.push('}');
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => into.push_str(&value.to_string()),
    }
}

/// What a manager gets as its `with` that is asked about an agent which is stuck.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StuckWork {
    /// The step that does not get on.
    pub step: StepId,
    /// The agent that does it.
    pub agent: AgentName,
    /// What was seen, in a sentence.
    pub seen: String,
    /// The prompt that the agent was given, or its command; none where it had neither.
    #[serde(default)]
    pub task: Option<String>,
    /// The `with` that the agent was given; null if it had none.
    #[serde(default)]
    pub input: Json,
    /// What the agent answered last; none where it did not answer. What is long is told in short.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered: Option<WorkDone>,
    /// Why that was refused; none where it was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// The handoffs of the chain so far, in order, where agents hand over to each other.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub handoffs: Vec<SeenHandoff>,
}

/// A handoff, as a manager is told of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenHandoff {
    /// The agent that handed over.
    pub from: AgentName,
    /// The agent that went on.
    pub to: AgentName,
    /// Why it did, as it said.
    pub reason: String,
}

impl StuckWork {
    /// What an agent was given, and what was seen of it.
    pub fn of(step: &StepId, agent: &AgentName, work: &Work, seen: String) -> Self {
        Self {
            step: step.clone(),
            agent: agent.clone(),
            seen,
            task: task_of(work),
            input: work.with.clone(),
            answered: None,
            refused: None,
            handoffs: Vec::new(),
        }
    }

    /// The step in which a manager is asked, by that id in a definition of its own. Nothing in it is rendered any more. It is tried
    /// as the stuck step is, and what becomes of it does nothing to the run: if it fails, the stuck step does.
    ///
    /// # Errors
    /// [`Code::TooDeep`] when what it would be told is nested too deep.
    pub fn ask(&self, manager: &AgentName, stuck: &Step, id: StepId) -> Result<Step, Problem> {
        let with = Json::of(self).map_err(|error| error.to_string());
        let with = with.and_then(|json| Json::made(json.text()).map_err(|why| why.to_string()));
        let with =
            with.map_err(|why| Problem::new(Code::TooDeep, format!("what its manager is told: {why}")))?;
        let prompt = literal(&Json::from(&Value::from(self.prompt())));
        Ok(Step {
            id,
            does: Does::Agent { agent: manager.clone(), with: Some(literal(&with)), prompt: Some(prompt) },
            needs: Vec::new(),
            condition: None,
            for_each: None,
            repeat: None,
            on_error: OnError::RetryThenSkip,
            env: Default::default(),
            cwd: None,
            compensate: None,
            nothing_to_undo: true,
            fallback: None,
            plan: None,
            cache: None,
            criticality: None,
            approval: None,
            output: None,
            schema: None,
            locks: Vec::new(),
            conversation: None,
            irreversible: false,
            at_most_once: false,
            ..stuck.clone()
        })
    }

    /// The same for a manager that reads a prompt.
    fn prompt(&self) -> String {
        let Self { step, agent, seen, .. } = self;
        let mut prompt = format!(
            "## An agent is stuck\n\n`{agent}`, which does step `{step}`, does not get on: {seen}.\n\nSay what it should do differently. What you answer is added to what it is told the next time; if the same is seen again then, the step fails.\n"
        );
        if let Some(task) = &self.task {
            prompt.push_str(&format!("\n### Its task\n\n{task}\n"));
        }
        if let Some(answered) = &self.answered {
            prompt.push_str(&format!("\n### What it answered\n\n{}\n", answered.text()));
        }
        if let Some(refused) = &self.refused {
            prompt.push_str(&format!("\nThat was refused: {refused}\n"));
        }
        if !self.handoffs.is_empty() {
            prompt.push_str("\n### Who handed over to whom\n\n");
        }
        for SeenHandoff { from, to, reason } in &self.handoffs {
            prompt.push_str(&format!("- `{from}` to `{to}`: {reason}\n"));
        }
        prompt
    }
}

/// Adds to a work what a manager said, in the prompt too.
pub fn guide(work: &mut Work, guidance: Guidance) {
    work.prompt.get_or_insert_default().push_str(&section(&guidance));
    work.guidance = Some(guidance);
}

/// The same work before a manager said something.
#[must_use]
pub fn unguided(mut work: Work) -> Work {
    if let (Some(guidance), Some(prompt)) = (work.guidance.take(), &mut work.prompt)
        && let Some(length) = prompt.strip_suffix(&section(&guidance)).map(str::len)
    {
        prompt.truncate(length);
    }
    work.prompt = work.prompt.filter(|prompt| !prompt.is_empty());
    work
}

fn section(guidance: &Guidance) -> String {
    let Guidance { by, seen, answer } = guidance;
    format!("\n\n## Guidance\n\nYou were stuck: {seen}. `{by}` was asked, and says:\n\n{}\n", said(answer))
}
