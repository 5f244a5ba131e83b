//! What happens to a run, in a line each. A line begins with whose it is, as the lines of programs do.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::Value;

use super::colour::Tone;
use super::lines::of_attempt;
use super::terminal::{Text, name, terminal};
use super::{moment, took};
use crate::api::protocol::HistoryLine;
use crate::events::ids::{RunId, StepId};
use crate::events::run::{BudgetExhausted, Purpose};
use crate::events::text::shortened;
use crate::events::time::Timestamp;

/// How much of a message stands in a line: the result of the run has all of what it failed with.
const MESSAGE_CHARS: usize = 200;

/// How many of the steps are named that a planned one needs.
const NEEDS_SHOWN: usize = 8;

/// After these a step goes on.
const GOES_ON: [&str; 8] = [
    "timer_set",
    "handoff_declared",
    "escalated",
    "repair_asked",
    "child_started",
    "child_rested",
    "lock_requested",
    "lock_acquired",
];

/// What an event says, of whatever version its holder is.
struct Facts<'a> {
    data: &'a Value,
    at: Timestamp,
}

impl<'a> Facts<'a> {
    fn text(&self, key: &str) -> &'a str {
        self.data.get(key).and_then(Value::as_str).unwrap_or_default()
    }

    fn number(&self, key: &str) -> u64 {
        self.data.get(key).and_then(Value::as_u64).unwrap_or_default()
    }

    fn is(&self, key: &str) -> bool {
        self.data.get(key).and_then(Value::as_bool).unwrap_or_default()
    }

    /// The moment that stands there.
    fn moment(&self, key: &str) -> Option<Timestamp> {
        serde_json::from_value(self.data.get(key)?.clone()).ok()
    }

    /// How long it is until the moment that stands there.
    fn length(&self, key: &str) -> Duration {
        self.moment(key).unwrap_or(self.at).since(self.at)
    }

    fn until(&self, key: &str) -> Text {
        self.moment(key).map(|at| terminal!(" until {}", moment(at))).unwrap_or_default()
    }

    fn purpose(&self) -> Purpose {
        if self.text("purpose") == Purpose::Compensate.text() { Purpose::Compensate } else { Purpose::Do }
    }

    /// Who did it, and why if they said so.
    fn by(&self) -> Text {
        let reason = self.text("reason");
        let reason = (!reason.is_empty()).then(|| terminal!(": {}", shortened(reason, MESSAGE_CHARS)));
        terminal!("by {}", name(self.text("by"))).and(reason)
    }

    /// What went wrong: its code and the first line of its message.
    fn failure(&self) -> Text {
        let message = self.text("message").lines().next().unwrap_or_default();
        terminal!("{}: {}", self.text("code"), shortened(message, MESSAGE_CHARS))
    }
}

/// What has happened so far, as far as what comes next is told with it.
pub(in crate::cli) struct Story {
    run: RunId,
    /// Since when a step is done or undone.
    began: HashMap<(String, Purpose), Timestamp>,
    /// Since when an attempt is made.
    tried: HashMap<(String, Purpose), Timestamp>,
    /// What attempts failed with: what follows says what becomes of that.
    failed: HashMap<(String, Purpose), (Text, Text)>,
    /// Which steps ask.
    asked: HashMap<String, String>,
}

impl Story {
    pub(in crate::cli) fn new(run: RunId) -> Self {
        let (began, tried, failed, asked) = Default::default();
        Self { run, began, tried, failed, asked }
    }

    /// Takes an event, and answers with its line if it has one.
    pub(in crate::cli) fn take(&mut self, line: &HistoryLine) -> Option<Text> {
        let data = line.data.value();
        let facts = Facts { data: &data, at: line.at };
        self.of_attempt(&line.kind, &facts)
            .or_else(|| self.of_step(&line.kind, &facts))
            .or_else(|| self.of_people(&line.kind, &facts))
            .or_else(|| self.of_run(&line.kind, &facts))
    }

    fn of_attempt(&mut self, kind: &str, facts: &Facts<'_>) -> Option<Text> {
        let (step, purpose) = (facts.text("step"), facts.purpose());
        let (key, attempt) = ((step.to_owned(), purpose), facts.number("attempt"));
        let said = match kind {
            "attempt_started" => {
                self.began.entry(key.clone()).or_insert(facts.at);
                self.tried.insert(key, facts.at);
                let started = Tone::Active.of(&terminal!("started"));
                let by = Tone::Minor.of(&terminal!(", by {}", name(facts.text("agent"))));
                match attempt {
                    1 => started.and(by),
                    again => terminal!("attempt {} ", again).and(started).and(by),
                }
            }
            "attempt_failed" => {
                let after =
                    self.tried.remove(&key).map(|since| terminal!(" after {}", took(facts.at.since(since))));
                let failed = Tone::Bad.of(&terminal!("failed"));
                let what = terminal!("attempt {} {}{}", attempt, failed, after.unwrap_or_default());
                self.failed.insert(key, (what, facts.failure()));
                return None;
            }
            "attempt_lost" => terminal!(
                "attempt {} is {}: its process is gone",
                attempt,
                Tone::Warning.of(&terminal!("lost"))
            ),
            "retry_scheduled" => {
                let again = Tone::Warning.of(&terminal!("again in {}", took(facts.length("at"))));
                match self.failed.remove(&key) {
                    Some((what, failure)) => terminal!("{}, {}: {}", what, again, failure),
                    None => again,
                }
            }
            _ => return None,
        };
        Some(of(step, purpose, &said))
    }

    fn of_step(&mut self, kind: &str, facts: &Facts<'_>) -> Option<Text> {
        let step = facts.text("step");
        let purpose = match kind {
            "step_compensated" | "compensation_failed" | "compensation_resolved" => Purpose::Compensate,
            _ => Purpose::Do,
        };
        let key = (step.to_owned(), purpose);
        let since = self.began.get(&key).map(|since| took(facts.at.since(*since)));
        let said = match kind {
            "step_added" => {
                let inside = (facts.text("inside").to_owned(), Purpose::Do);
                self.began.entry(inside).or_insert(facts.at);
                return assigned(facts).map(|said| of(step, Purpose::Do, &said));
            }
            "step_completed" | "step_compensated" => {
                let after = since.map(|length| terminal!(" in {}", length)).unwrap_or_default();
                let lesser = if facts.is("degraded") {
                    Tone::Warning.of(&terminal!(", degraded"))
                } else {
                    Text::default()
                };
                let how = if facts.is("cached") { ", by an earlier answer" } else { "" };
                terminal!("{}{}{}{}", Tone::Good.of(&terminal!("completed")), how, after, lesser)
            }
            "step_failed" | "compensation_failed" => {
                let after = since.map(|length| terminal!(" after {}", length)).unwrap_or_default();
                terminal!("{}{}: {}", Tone::Bad.of(&terminal!("failed")), after, facts.failure())
            }
            "step_skipped" => terminal!("skipped: {}", shortened(facts.text("message"), MESSAGE_CHARS)),
            "step_cancelled" => terminal!("cancelled"),
            "timer_set" => {
                self.began.insert(key.clone(), facts.at);
                Tone::Warning.of(&terminal!("sleeps for {}", took(facts.length("at"))))
            }
            "fallback_engaged" => {
                let lesser =
                    terminal!("{} stands in for {}", name(facts.text("to")), name(facts.text("from")));
                let failed = self.failed.remove(&key);
                let failed = failed.map(|(what, failure)| terminal!(", {}: {}", what, failure));
                return Some(of(step, purpose, &Tone::Warning.of(&lesser).and(failed)));
            }
            "lock_requested" | "lock_acquired" => of_lock(kind, facts),
            "handoff_declared" => handed_over(facts),
            "escalated" | "repair_asked" => {
                self.failed.remove(&key);
                asks_for_help(kind, facts)
            }
            "child_started" => terminal!("goes on as run {}", facts.text("run")),
            "child_rested" => {
                Tone::Warning.of(&terminal!("waits for run {}, which waits itself", facts.text("run")))
            }
            "compensation_resolved" => terminal!("settled ({}) {}", facts.text("how"), facts.by()),
            _ => return None,
        };
        if !GOES_ON.contains(&kind) {
            // It may be done or undone anew.
            self.began.remove(&key);
            self.failed.remove(&key);
        }
        Some(of(step, purpose, &said))
    }

    fn of_people(&mut self, kind: &str, facts: &Facts<'_>) -> Option<Text> {
        let asks = |asked: &HashMap<String, String>| {
            asked.get(facts.text("request")).cloned().unwrap_or_else(|| facts.text("request").to_owned())
        };
        let (step, said) = match kind {
            "approval_requested" => {
                let step = facts.text("step").to_owned();
                self.asked.insert(facts.text("request").to_owned(), step.clone());
                let names = facts.data.get("approvers").and_then(Value::as_array).into_iter().flatten();
                let names = Text::joined(names.filter_map(Value::as_str).map(name), " or ");
                let by = if names.is_empty() { names } else { terminal!(" by {}", names) };
                let waits = terminal!("waits for an approval{}{}", by, facts.until("expires"));
                (step, Tone::Warning.of(&waits))
            }
            "approval_granted" => (asks(&self.asked), terminal!("granted {}", facts.by())),
            "approval_refused" => {
                let note = shortened(facts.text("note"), MESSAGE_CHARS);
                (
                    asks(&self.asked),
                    terminal!("{} {}: {}", Tone::Bad.of(&terminal!("refused")), facts.by(), note),
                )
            }
            "approval_expired" => (asks(&self.asked), terminal!("nobody answered in time")),
            "signal_awaited" => {
                let waits =
                    terminal!("waits for the signal {}{}", name(facts.text("name")), facts.until("expires"));
                (facts.text("step").to_owned(), Tone::Warning.of(&waits))
            }
            "signal_received" => {
                return Some(terminal!("signal {}: sent {}", name(facts.text("name")), facts.by()));
            }
            "agent_awaited" => {
                let paused = Tone::Warning.of(&terminal!("is paused, and waited for"));
                return Some(terminal!("agent {}: {}", name(facts.text("agent")), paused));
            }
            "message_expired" => {
                let dead = Tone::Warning.of(&terminal!("is dead: {}", died_of(facts)));
                return Some(terminal!(
                    "message {} for {}: {}",
                    facts.number("number"),
                    name(facts.text("receiver")),
                    dead
                ));
            }
            "agent_await_ended" => {
                return Some(terminal!("agent {}: is waited for no longer", name(facts.text("agent"))));
            }
            _ => return None,
        };
        Some(of(&step, Purpose::Do, &said))
    }

    fn of_run(&self, kind: &str, facts: &Facts<'_>) -> Option<Text> {
        let said = match kind {
            "request_routed" => terminal!(
                "{} about {}, complexity {}: {}",
                facts.text("category"),
                facts.text("domain"),
                facts.number("complexity"),
                facts.text("strategy")
            ),
            "run_paused" => terminal!("{} {}", Tone::Warning.of(&terminal!("paused")), facts.by()),
            "budget_exhausted" => {
                let lacks = serde_json::from_value::<BudgetExhausted>(facts.data.clone()).ok()?;
                terminal!("{}", Tone::Warning.of(&terminal!("{}", lacks.says())))
            }
            "budget_raised" => terminal!("may spend more, {}", facts.by()),
            "run_unpaused" => terminal!("goes on, {}", facts.by()),
            "cancel_requested" => terminal!("is to end, {}", facts.by()),
            "retry_requested" => terminal!("what failed is tried again, {}", facts.by()),
            "rollback_started" => {
                let to = facts.text("to");
                let to = (!to.is_empty()).then(|| terminal!(", to {}", name(to)));
                Tone::Warning.of(&terminal!("is rolled back").and(to)).and(cause(facts))
            }
            "run_completed" if facts.is("degraded") => {
                terminal!("completed{}", Tone::Warning.of(&terminal!(", degraded")))
            }
            "run_completed" => Tone::Good.of(&terminal!("completed")),
            "run_failed" => Tone::Bad.of(&terminal!("failed")),
            "run_compensated" => Tone::Warning.of(&terminal!("compensated")),
            "run_cancelled" => terminal!("cancelled"),
            "run_stuck" => Tone::Bad.of(&terminal!("stuck")),
            _ => return None,
        };
        Some(terminal!("run {}: {}", self.run, said))
    }
}

/// Why somebody is not given a message any more.
fn died_of(facts: &Facts<'_>) -> Text {
    let why = facts.data.get("why");
    let of = |kind: &str| Some(Facts { data: why?.get(kind)?, at: facts.at });
    match (of("no_receiver"), of("tried_too_often")) {
        (Some(nobody), _) if nobody.text("nearest").is_empty() => terminal!("the run has no such agent"),
        (Some(nobody), _) => {
            terminal!("the run has no such agent; did you mean {}?", name(nobody.text("nearest")))
        }
        (_, Some(tried)) => {
            terminal!("{} attempts did not handle it, {}", tried.number("tries"), tried.failure())
        }
        (None, None) => terminal!("its deadline has passed"),
    }
}

/// Why a run is rolled back.
fn cause(facts: &Facts<'_>) -> Text {
    let cause = facts.data.get("cause");
    let of = |kind: &str| Some(Facts { data: cause?.get(kind)?, at: facts.at });
    match (of("failure"), of("request")) {
        (Some(failure), _) if failure.text("step").is_empty() => terminal!(": {}", failure.failure()),
        (Some(failure), _) => terminal!(": {} failed", name(failure.text("step"))),
        (_, Some(request)) => terminal!(", {}", request.by()),
        (None, None) => Text::default(),
    }
}

/// A line of a step.
fn of(step: &str, purpose: Purpose, said: &Text) -> Text {
    terminal!("{}: {}", of_attempt(&[], &StepId::grown(step), purpose, 1), said)
}

/// What is done in a lesser way, as a warning; none if an event says nothing like that.
pub(in crate::cli) fn lesser(line: &HistoryLine) -> Option<Text> {
    let data = line.data.value();
    let facts = Facts { data: &data, at: line.at };
    let step = facts.text("step");
    let words = match line.kind.as_str() {
        "fallback_engaged" => {
            terminal!(
                "step `{}`: fallback from agent `{}` to `{}`",
                step,
                facts.text("from"),
                facts.text("to")
            )
        }
        "step_skipped" if facts.text("reason") != "condition" => {
            terminal!("step `{}` is skipped: {}", step, facts.text("message"))
        }
        "step_failed" if facts.text("handling") == "tolerated" => {
            terminal!("step `{}` failed, and the run goes on without it: {}", step, facts.text("message"))
        }
        "step_completed" if facts.is("degraded") => terminal!("step `{}` is done, degraded", step),
        _ => return None,
    };
    Some(terminal!("{} {}", Tone::Warning.of(&terminal!("warning:")), words))
}

/// A step goes on with another agent.
fn handed_over(facts: &Facts<'_>) -> Text {
    let reason = shortened(facts.text("reason"), MESSAGE_CHARS);
    terminal!("hands over to {}: {}", Tone::Active.of(&name(facts.text("to"))), reason)
}

/// A step that a plan adds: who is to do it, and after what.
fn assigned(facts: &Facts<'_>) -> Option<Text> {
    if facts.text("because") != "plan" {
        return None;
    }
    let agent = facts.data.get("kind")?.get("work")?.get("agent")?.as_str()?;
    let needs = facts.data.get("needs").and_then(Value::as_array).into_iter().flatten();
    let needs = Text::joined(needs.filter_map(Value::as_str).take(NEEDS_SHOWN).map(name), ", ");
    let after = if needs.is_empty() { needs } else { Tone::Minor.of(&terminal!(", after {}", needs)) };
    Some(terminal!("planned, for {}{}", Tone::Active.of(&name(agent)), after))
}

/// A step is stuck, and its manager is asked; or a plan is refused, and who made it is asked.
fn asks_for_help(kind: &str, facts: &Facts<'_>) -> Text {
    if kind == "repair_asked" {
        let refused = shortened(facts.text("refused"), MESSAGE_CHARS);
        return terminal!("{}: {}", Tone::Warning.of(&terminal!("is to mend its plan")), refused);
    }
    let seen = shortened(facts.text("seen"), MESSAGE_CHARS);
    let asked = Tone::Active.of(&name(facts.text("to")));
    terminal!("{}, {} is asked: {}", Tone::Warning.of(&terminal!("is stuck")), asked, seen)
}

/// What a step says of a lock.
fn of_lock(kind: &str, facts: &Facts<'_>) -> Text {
    let lock = terminal!("{}/{}", facts.text("context"), facts.text("lock"));
    match kind {
        "lock_requested" => terminal!("waits for lock {}{}", lock, facts.until("until")),
        _ => terminal!("holds lock {}", lock),
    }
}

#[cfg(test)]
mod tests {
    use super::super::terminal::without_colours;
    use super::*;
    use crate::events::ids::Version;
    use crate::events::json::Json;

    fn told(events: &[(&str, &str, i64)]) -> Vec<String> {
        let mut story = Story::new(RunId::parse("r").unwrap());
        let line = |(kind, data, millis): &(&str, &str, i64)| HistoryLine {
            version: Version(1),
            position: 1,
            at: Timestamp(millis * 1_000),
            kind: (*kind).to_owned(),
            data: Json::parse(data).unwrap(),
            hash: String::new(),
        };
        let told = events.iter().filter_map(|event| story.take(&line(event)));
        told.map(|text| without_colours(text.as_str()).into_owned()).collect()
    }

    #[test]
    fn an_event_of_a_newer_holder_is_left_out_and_nothing_in_a_line_acts() {
        let started = r#"{"purpose":"do","step":"a\u001b[2J","attempt":1,"agent":"x\ny"}"#;
        assert_eq!(
            told(&[("step_shrunk", started, 0), ("attempt_started", started, 0)]),
            ["a [2J: started, by x y"]
        );
    }

    #[test]
    fn how_long_something_took_is_told_where_its_beginning_was_seen() {
        let step = r#"{"step":"a","output":null}"#;
        let grew = r#"{"step":"a[0]","inside":"a"}"#;
        assert_eq!(told(&[("step_completed", step, 0)]), ["a: completed"]);
        assert_eq!(
            told(&[("step_added", grew, 0), ("step_completed", step, 1_500)]),
            ["a: completed in 1.5s"]
        );
    }
}
