//! The step that the next agent of a chain does, and what it is told: the task, the work so far, why, and what it has to know.

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::super::definition::{Does, Step};
use super::super::json_text::{Level, plain};
use super::super::template::{Node, Template};
use super::super::work::{Command, Work};
use super::{Handoff, items, without_declarations};
use crate::events::ids::{AgentName, StepId};
use crate::events::json::Json;
use crate::events::problem::{Code, Problem};

/// How long what an agent answered may be to be told whole to those after it, in bytes of JSON. All of a chain's answers are
/// told again to each of them.
const OUTPUT_BYTES_TOLD: usize = 16 * 1024;

/// How much is told of an answer that is longer, and in a prompt of any, in characters.
const CHARS_TOLD: usize = 2_000;

/// What an agent gets as its `with` to which another has handed over.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct HandedWork {
    /// The prompt of the step, or its command; none where it has neither.
    #[serde(default)]
    pub task: Option<String>,
    /// The step's own `with`; null if it has none.
    #[serde(default)]
    pub input: Json,
    /// What each agent of the chain has done, in order.
    #[serde(default)]
    pub work: Vec<WorkDone>,
    /// Why the last of them has handed over.
    #[serde(default)]
    pub reason: String,
    /// What the last of them says that has to be known: an object.
    #[serde(default)]
    pub context: Json,
    /// The chain itself.
    #[serde(default)]
    pub handoff: Handed,
}

/// The chain of a handoff, as the agent is told that goes on.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Handed {
    /// The agents in order, this one last.
    pub chain: Vec<AgentName>,
}

/// The work of an agent that has handed over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkDone {
    /// The name of the agent.
    pub agent: AgentName,
    /// What it answered, but for the declaration, where that is short.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Json>,
    /// The beginning of what it answered, where that is long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
}

/// A link of a chain: an agent has done its part, and hands over.
#[derive(Debug)]
pub struct Link<'a> {
    /// The step that it did.
    pub step: &'a Step,
    /// Whether that step was added by a handoff, so that its `with` is a [`HandedWork`].
    pub is_handed: bool,
    /// Whether it is a part of another: an item, a round. People are asked about the whole.
    pub is_part: bool,
    /// The work that it was given.
    pub work: Work,
    /// What it answered.
    pub answer: &'a Json,
    /// The agents of the chain so far, in order: the one that hands over is the last.
    pub chain: &'a [AgentName],
    /// The agent that goes on.
    pub to: &'a AgentName,
    /// What was declared.
    pub handoff: &'a Handoff,
}

impl Link<'_> {
    /// The step that the next agent does, by that id in a definition of its own. Nothing in it is rendered any more.
    ///
    /// # Errors
    /// [`Code::TooDeep`] when what it would be told is nested too deep.
    pub fn next(self, id: StepId) -> Result<Step, Problem> {
        let told = self.told();
        let with = told.with_json().or_else(|_| told.clone().in_short().with_json());
        let with = with.map_err(|why| Problem::new(Code::TooDeep, format!("what it hands over: {why}")))?;
        let Step { compensate, approval, nothing_to_undo, .. } = self.step;
        let text = |text: &str| literal(&Json::from(&serde_json::Value::from(text)));
        let env: BTreeMap<_, _> =
            self.work.env.iter().map(|(name, value)| (name.clone(), text(value))).collect();
        Ok(Step {
            id,
            does: Does::Agent {
                agent: self.to.clone(),
                with: Some(literal(&with)),
                prompt: Some(text(&told.prompt())),
            },
            needs: Vec::new(),
            condition: None,
            for_each: None,
            repeat: None,
            env,
            cwd: self.work.cwd.as_deref().map(text),
            // The whole is undone at once, by the compensation of the step that the chain began with.
            nothing_to_undo: *nothing_to_undo || compensate.is_some(),
            compensate: None,
            // Who stands in for one agent need not be able to do the work of another.
            fallback: None,
            // Nor are those meant to whom the first one may hand over.
            handoffs: None,
            plan: None,
            cache: None,
            approval: approval.clone().filter(|_| !self.is_part),
            ..self.step.clone()
        })
    }

    fn told(&self) -> HandedWork {
        let before: Option<HandedWork> = Some(&self.work.with)
            .filter(|_| self.is_handed)
            .and_then(|with| serde_json::from_str(with.text()).ok());
        let HandedWork { task, input, mut work, .. } = before.unwrap_or_else(|| HandedWork {
            task: task_of(&self.work),
            input: self.work.with.clone(),
            ..HandedWork::default()
        });
        let answer = without_declarations(self.answer);
        let agent = self.chain.last().unwrap_or(self.to).clone();
        work.push(WorkDone::of(agent, answer));
        let chain = self.chain.iter().chain([self.to]).cloned().collect();
        HandedWork {
            task,
            input,
            work,
            reason: self.handoff.reason.clone(),
            context: self.handoff.context.clone(),
            handoff: Handed { chain },
        }
    }
}

impl HandedWork {
    fn with_json(&self) -> Result<Json, String> {
        let json = Json::of(self).map_err(|error| error.to_string())?;
        Json::made(json.text()).map_err(|why| why.to_string())
    }

    fn in_short(mut self) -> Self {
        self.work = self.work.into_iter().map(WorkDone::in_short).collect();
        self
    }

    /// The same for an agent that reads a prompt.
    fn prompt(&self) -> String {
        let mut prompt = self.task.as_ref().map(|task| format!("{task}\n\n")).unwrap_or_default();
        let from = self.handoff.chain.iter().rev().nth(1).map_or("another agent", AgentName::as_str);
        prompt.push_str(&format!(
            "## Handed over to you\n\n`{from}` hands this over to you: {}\n",
            self.reason
        ));
        prompt.push_str("\n### Work so far\n");
        for done in &self.work {
            prompt.push_str(&format!("\n`{}` answered:\n\n{}\n", done.agent, done.text()));
        }
        prompt.push_str("\n### What you have to know\n\n");
        for (key, value) in items(&self.context) {
            prompt.push_str(&format!("- {key}: {}\n", plain(value.text())));
        }
        prompt
    }
}

impl WorkDone {
    /// What an agent answered, in short where it is long.
    pub fn of(agent: AgentName, answer: Json) -> Self {
        let is_long = answer.text().len() > OUTPUT_BYTES_TOLD;
        let done = Self { agent, output: Some(answer), summary: None };
        if is_long { done.in_short() } else { done }
    }

    fn in_short(self) -> Self {
        let summary = self.text();
        Self { agent: self.agent, output: None, summary: Some(summary) }
    }

    /// The beginning of what it answered.
    pub(in super::super) fn text(&self) -> String {
        let text = match (&self.output, &self.summary) {
            (Some(output), _) => said(output),
            (None, summary) => summary.clone().unwrap_or_default(),
        };
        let text = text.trim().to_owned();
        match text.char_indices().nth(CHARS_TOLD) {
            Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
            None => text,
        }
    }
}

/// What an agent answered, for who reads: of a program that wrote no JSON, just what it wrote.
pub fn said(output: &Json) -> String {
    match Level::of(output.text()) {
        Ok(Level::Map(members)) if members.len() == 1 => {
            let first = members.into_iter().next().filter(|(key, _)| key == "stdout");
            first.map_or_else(|| output.text().to_owned(), |(_, text)| plain(text))
        }
        _ => plain(output.text()),
    }
}

/// The prompt of a work, or its command.
pub(in super::super) fn task_of(work: &Work) -> Option<String> {
    let command = || {
        work.run.as_ref().map(|run| match run {
            Command::List(words) => words.join(" "),
            Command::Shell(text) => text.clone(),
        })
    };
    work.prompt.clone().or_else(command)
}

/// A template that renders to just this, braces and all.
pub(in super::super) fn literal(json: &Json) -> Template {
    let source = if json.text().contains("{{") { escaped(json.text()) } else { json.text().to_owned() };
    // Every `{{` in it is that of an expression which writes one, so that it can be read.
    let read = Json::parse(&source).ok().and_then(|source| Template::from_json(&source).ok());
    read.unwrap_or_else(|| Template::new(Node::constant(json)))
}

/// The source of a template that renders to this JSON.
fn escaped(text: &str) -> String {
    let joined = |parts: Vec<String>| parts.join(",");
    match Level::of(text) {
        Ok(Level::Text(said)) => written(&said.replace("{{", "{{ '{{' }}")),
        Ok(Level::List(list)) => format!("[{}]", joined(list.into_iter().map(escaped).collect())),
        Ok(Level::Map(members)) => {
            let member = |(key, value): (Cow<'_, str>, &str)| format!("{}:{}", written(&key), escaped(value));
            format!("{{{}}}", joined(members.into_iter().map(member).collect()))
        }
        _ => text.to_owned(),
    }
}

fn written(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
