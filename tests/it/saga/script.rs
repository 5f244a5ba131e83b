//! A world that follows from a seed: what each attempt comes to, and what people say. It keeps what was done to it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use reenact::aggregates::run::RunStatus;
use reenact::events::ids::{Fence, Version};
use reenact::events::json::{Json, Payload};
use reenact::events::problem::{Class, Code};
use reenact::events::run::{ApprovalRequested, Gate, Purpose, Undoes};
use reenact::testing::Dice;
use reenact::testing::world::{Failure, Output, Reply, Stop, Task, World, answer};
use reenact::workflow::work::{AgentRequest, Child};
use serde_json::{Value, json};

use super::model::{Model, Plan};
use super::oracle::{ChildEnd, Hand, Outcome, Write};

/// A world that follows from a seed.
#[derive(Debug, Clone)]
pub(super) struct Script {
    seed: u64,
    /// Of how many attempts one does not succeed, to do a step and to undo it.
    trouble: (usize, usize),
    plans: bool,
    hands: bool,
    /// How often what was done, by step, whether it undoes, and generation.
    pub(super) done: BTreeMap<(String, bool, u32), u32>,
    /// The attempts that see children through.
    children: BTreeSet<Fence>,
    /// The child runs that have undone themselves, by step and generation: nothing else becomes of those.
    compensated: BTreeSet<(String, u32)>,
    /// What the last attempt was given.
    pub(super) given: Value,
    /// What it was told beside that, if it undoes something.
    pub(super) beside: Value,
    /// What it was told that the agents share: values with their versions.
    pub(super) context: BTreeMap<String, (u64, Value)>,
}

impl Script {
    pub(super) fn new(seed: u64, model: &Model) -> Self {
        let mut dice = Dice::of(seed);
        let trouble = ([3, 6, 20][dice.below(3)], [2, 4, 20][dice.below(3)]);
        Self {
            seed,
            trouble,
            plans: model.plans,
            hands: model.hands,
            done: BTreeMap::new(),
            children: BTreeSet::new(),
            compensated: BTreeSet::new(),
            given: Value::Null,
            beside: Value::Null,
            context: BTreeMap::new(),
        }
    }

    /// Numbers that are the same whenever the same happens.
    fn dice(&self, what: &str) -> Dice {
        let text = format!("{}{what}", self.seed);
        Dice::of(text.bytes().fold(self.seed, |sum, byte| {
            sum.wrapping_mul(0x0000_0100_0000_01b3).wrapping_add(u64::from(byte))
        }))
    }

    /// What an attempt comes to, and whether it does its work on the way.
    fn outcome(&mut self, task: &Task) -> (Result<Output, Failure>, bool) {
        let undoes = task.purpose == Purpose::Compensate;
        let mut dice = self.dice(&format!("{}{undoes}{}", task.step, task.attempt));
        let is_child = !undoes && task.agent.as_str() == "workflow";
        if !dice.one_in(if undoes { self.trouble.1 } else { self.trouble.0 }) {
            let (mut done, mut child) = (json!({ "of": task.step, "try": task.attempt }), None);
            done["ok"] = json!(!dice.one_in(3));
            if is_child {
                child = Some(child_of(RunStatus::Completed, dice.one_in(8), dice.one_in(4)));
            } else if self.plans && !undoes && dice.one_in(3) {
                let number = dice.roll() % 1_000;
                done["plan"] = json!(number);
                done["add_steps"] = Plan::of(number).json();
            }
            let writes = if is_child { Vec::new() } else { writes(task, &mut dice) };
            let hands = self.hands && !is_child && dice.one_in(if undoes { 15 } else { 3 });
            let hand = hands.then(|| hand(&mut dice).request());
            let requests = writes.into_iter().map(Write::request).chain(hand).collect();
            let done = Ok(Output { child, requests, ..answer(&done) });
            return self.unless_compensated(task, is_child, done, true);
        }
        let fails = |class| Err(Failure::new(Code::ExitUnknown, "as the script says").class(class));
        let (failed, done) = match dice.below(12) {
            0..4 => (fails(Class::Transient), false),
            4 | 5 => (fails(Class::Unknown), true),
            6 | 7 => (fails(Class::Validation), false),
            8 => (fails(Class::Fatal), false),
            _ => (Err(Failure::stopped(Stop::TimedOut)), dice.one_in(2)),
        };
        let failed = failed.map_err(|failure: Failure| match failure.code {
            Code::ExitUnknown if is_child => child_failure(&failure, &mut dice),
            _ => failure,
        });
        self.unless_compensated(task, is_child, failed, done)
    }

    /// A child that has undone itself can only say so again.
    fn unless_compensated(
        &mut self,
        task: &Task,
        is_child: bool,
        result: Result<Output, Failure>,
        done: bool,
    ) -> (Result<Output, Failure>, bool) {
        let child = (task.step.to_string(), task.generation);
        let is_compensated = |result: &Result<Output, Failure>| {
            let ended = result.as_ref().err().and_then(|failure| failure.child.as_ref());
            ended.is_some_and(|child| child.status == RunStatus::Compensated)
        };
        if is_child && (is_compensated(&result) || self.compensated.contains(&child)) {
            self.compensated.insert(child);
            let failure = Failure::new(Code::ChildFailed, "as the script says").class(Class::Validation);
            let child = Some(child_of(RunStatus::Compensated, false, false));
            return (Err(Failure { child, ..failure }), true);
        }
        (result, done)
    }
}

/// What an attempt writes for the others, perhaps expecting a version that was never there.
fn writes(task: &Task, dice: &mut Dice) -> Vec<Write> {
    let count = if dice.one_in(3) { 1 + dice.below(2) } else { 0 };
    let write = |_| {
        let key = ["k", "l"][dice.below(2)].to_owned();
        let version = task.context.get(&key).map_or(0, |entry| entry.version.0);
        let expected = [None, None, Some(version), Some(version + 7)][dice.below(4)];
        Write { key, expected, value: json!({ "by": task.step, "try": task.attempt }) }
    };
    (0..count).map(write).collect()
}

/// To whom an attempt hands over, perhaps to one to whom it may not, or with nothing new.
fn hand(dice: &mut Dice) -> Hand {
    let to = ["world", "other", "third", "third", "world", "nobody"][dice.below(6)];
    Hand { to, item: (["k", "l"][dice.below(2)], dice.below(2) as u64) }
}

impl Hand {
    fn request(self) -> AgentRequest {
        let (key, value) = self.item;
        AgentRequest::Handoff(format!(
            "HANDOFF DECLARATION:\nTo: {}\nReason: it says so\nContext:\n- {key}: {value}",
            self.to
        ))
    }

    fn of(request: &AgentRequest) -> Option<Self> {
        let AgentRequest::Handoff(said) = request else { return None };
        let line = |start: &str| said.lines().find_map(|line| line.strip_prefix(start));
        let to = ["world", "other", "third", "nobody"].into_iter().find(|to| line("To: ") == Some(*to))?;
        let item = |key: &'static str| Some((key, line(&format!("- {key}: "))?.parse().ok()?));
        Some(Self { to, item: item("k").or_else(|| item("l"))? })
    }
}

impl Write {
    fn request(self) -> AgentRequest {
        let Self { key, expected, value } = self;
        let key = expected.map_or_else(|| key.clone(), |version| format!("{key}@{version}"));
        AgentRequest::Context { key, value: Json::from(&value) }
    }

    fn of(request: &AgentRequest) -> Option<Self> {
        let AgentRequest::Context { key, value } = request else { return None };
        let (key, expected) = key.split_once('@').map_or((&**key, None), |(key, at)| (key, at.parse().ok()));
        Some(Self { key: key.to_owned(), expected, value: value.value() })
    }
}

fn child_of(status: RunStatus, past_return: bool, degraded: bool) -> Child {
    Child { status, version: Version(9), past_return, degraded }
}

fn child_failure(failure: &Failure, dice: &mut Dice) -> Failure {
    let (code, status) = match dice.below(4) {
        0 => (Code::ChildStuck, RunStatus::Stuck),
        1 => (Code::ChildFailed, RunStatus::Compensated),
        _ => (Code::ChildFailed, RunStatus::Failed),
    };
    let child = child_of(status, status == RunStatus::Stuck && dice.one_in(2), false);
    Failure { child: Some(child), ..Failure::new(code, "as the script says").class(failure.class) }
}

impl World for Script {
    fn attempt(&mut self, task: &Task) -> Result<Output, Failure> {
        let undoes = task.purpose == Purpose::Compensate;
        let (outcome, done) = self.outcome(task);
        // An attempt that sees a child through is made again by each process: it finds what it began.
        let again = task.agent.as_str() == "workflow" && !self.children.insert(task.fence);
        if done && !again {
            *self.done.entry((task.step.to_string(), undoes, task.generation)).or_default() += 1;
        }
        self.given = task.work.with.value();
        self.beside = Value::Null;
        let told = task.context.iter();
        self.context =
            told.map(|(key, entry)| (key.clone(), (entry.version.0, entry.value.value()))).collect();
        if let Some(compensates) = &task.compensates {
            let outcome = if compensates.outcome == Undoes::Completed { "completed" } else { "unknown" };
            self.beside = json!({ "undo": compensates.output.value(), "outcome": outcome });
        }
        outcome
    }

    fn reply(&self, asked: &ApprovalRequested, granted: &[Arc<str>]) -> Option<Reply> {
        let mut dice = self.dice(&format!("{}{}", asked.request, granted.len()));
        let of_all = ["ada", "bob", "cyd"].map(Arc::from);
        let who = if asked.approvers.is_empty() { &of_all } else { asked.approvers.as_slice() };
        let by = who.iter().find(|by| !granted.contains(by))?.clone();
        match dice.below(12) {
            0 => None,
            1 | 2 => Some(Reply::Refuse { by, reason: "as the script says".to_owned() }),
            3..6 if granted.is_empty() && may_edit(asked) => {
                let edits = Json::of(&json!({ "got": dice.below(9), "note": { "of": by } })).ok();
                Some(Reply::Grant { by, edits })
            }
            _ => Some(Reply::Grant { by, edits: None }),
        }
    }

    fn signal(&self, name: &str) -> Option<Json> {
        let comes = !self.dice(name).one_in(5);
        comes.then(|| Json::of(&json!({ "said": name })).unwrap())
    }
}

/// Whether there is a map to be changed.
fn may_edit(asked: &ApprovalRequested) -> bool {
    let Payload::Inline(what) = &asked.what else { return false };
    let what = what.value();
    match asked.gate {
        Gate::Before => what["work"].is_object(),
        Gate::After => what["output"].is_object(),
    }
}

/// The same as the oracle has it.
pub(super) fn told(result: &Result<Output, Failure>) -> Outcome {
    let child = |child: &Option<Child>| {
        child.as_ref().map(|child| ChildEnd {
            compensated: child.status == RunStatus::Compensated,
            past_return: child.past_return,
            degraded: child.degraded,
        })
    };
    match result {
        Ok(output) => Outcome::Done {
            output: output.output.value(),
            child: child(&output.child),
            writes: output.requests.iter().filter_map(Write::of).collect(),
            hand: output.requests.iter().find_map(Hand::of),
        },
        Err(failure) if failure.code == Code::TimedOut => Outcome::TimedOut,
        Err(failure) if failure.code == Code::Cancelled => Outcome::Cancelled,
        Err(failure) => Outcome::Failed {
            retriable: matches!(failure.class, Class::Transient | Class::Unknown),
            fatal: failure.class == Class::Fatal,
            stuck: failure.code == Code::ChildStuck,
            child: child(&failure.child),
        },
    }
}
