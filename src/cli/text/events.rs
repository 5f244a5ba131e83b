//! What happened, and what would be done next.

use serde_json::Value;

use super::moment;
use super::terminal::{Text, terminal};
use crate::api::protocol::HistoryLine;
use crate::events::run::Purpose;
use crate::events::text::shortened;
use crate::views::presenters::report::EffectReport;

/// Something that would be done next.
pub(in crate::cli) fn next(effect: &EffectReport) -> Text {
    let what = |purpose: &str| if purpose == Purpose::Compensate.text() { "undo" } else { "do" };
    match effect {
        EffectReport::Start { step, purpose, agent } => {
            let who = agent.as_ref().map(|agent| terminal!(" with {}", agent));
            terminal!("{} {}{}", what(purpose), step, who.unwrap_or_default())
        }
        EffectReport::Attempt { step, purpose, attempt, agent } => match agent {
            Some(agent) => terminal!("{} {} with {}, attempt {}", what(purpose), step, agent, attempt),
            None => terminal!("{} {} with a run of its own, attempt {}", what(purpose), step, attempt),
        },
        EffectReport::Return { step, granted } => match (step, granted) {
            (Some(step), Some(true)) => terminal!("let the run of {} pass the point of no return", step),
            (Some(step), _) => terminal!("keep the run of {} from passing the point of no return", step),
            (None, _) => terminal!("ask the parent whether the point of no return may be passed"),
        },
        EffectReport::Ask { step, request } => terminal!("ask for {}: {}", step, request),
        EffectReport::Stop { step } => terminal!("stop {}", step),
        EffectReport::Read { step, keys } => terminal!("read {} for {}", keys.join(", "), step),
        EffectReport::LookUp { step } => terminal!("look up an earlier answer for {}", step),
        EffectReport::Lock { step, lock, until } => {
            terminal!("get lock {} for {}, until {}", lock, step, moment(*until))
        }
        EffectReport::GiveBack { lock } => terminal!("give back lock {}", lock),
        EffectReport::Write { step, context } => terminal!("write what {} answered into {}", step, context),
        EffectReport::Hear { step, conversation } => {
            terminal!("read what is at hand of conversation {} for {}", conversation, step)
        }
        EffectReport::Continue { step, conversation } => {
            terminal!("add what {} asked and answered to conversation {}", step, conversation)
        }
        EffectReport::Deliver { message, agent } => terminal!("deliver message {} to {}", message, agent),
        EffectReport::Wake { timer, at } => terminal!("wake for {} at {}", timer, moment(*at)),
    }
}

/// An event in a line: when, what, which step, and whatever else it says that is not empty, as much of it as so many characters.
pub(in crate::cli) fn event(line: &HistoryLine, chars_max: usize) -> Text {
    let data = line.data.value();
    let facts = data.as_object().into_iter().flatten();
    // What was said has a verb of its own, and what an agent says of its work stands with its step.
    let is_elsewhere = |name: &str| matches!(name, "transcript" | "said");
    let facts = facts.filter(|(name, fact)| !is_elsewhere(name) && !says_nothing(fact));
    let mut words = Vec::new();
    for (name, fact) in facts {
        match (name.as_str(), fact) {
            ("step", Value::String(step)) => words.insert(0, step.clone()),
            (_, Value::String(text)) => words.push(format!("{name}={text}")),
            _ => words.push(format!("{name}={fact}")),
        }
    }
    let words = Text::of_medium(shortened(&words.join("  "), chars_max).into_owned());
    terminal!("{:>5}  {}  {:21}  {}", line.version.0, moment(line.at), line.kind, words)
}

/// Whether a fact is what an event says of most things: nothing.
fn says_nothing(fact: &Value) -> bool {
    match fact {
        Value::Null | Value::Bool(false) => true,
        Value::Number(number) => number.as_u64() == Some(0),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.values().all(says_nothing),
        Value::String(text) => text.is_empty(),
        Value::Bool(true) => false,
    }
}
