//! The key `retry`, in a step and in `defaults`.

use std::time::Duration;

use super::diagnostics::{Diagnostics, Fields};
use super::foreign;
use super::keys::{Keys, Takes, key, words};
use super::tree::{Tree, Value};
use crate::events::problem::{Code, Problem};
use crate::workflow::definition::{Retry, RetryPolicy};

pub(super) const KEYS: Keys = Keys {
    known: &[
        key("policy", Takes::Word(|| words(&POLICIES)), "how the delays grow"),
        key("attempts", Takes::Count(u32::MAX), "how many attempts there are, the first counts"),
        key("initial", Takes::Duration, "the first delay"),
        key("max", Takes::Duration, "no delay is longer"),
        key("multiplier", Takes::Number(MULTIPLIER.0, MULTIPLIER.1), "by what an exponential delay grows"),
        key(
            "jitter",
            Takes::Number(JITTER.0, JITTER.1),
            "by which part of itself a delay may be longer or shorter",
        ),
        key("exit_codes", Takes::ExitCodes, "exit codes that also mean: try again"),
        key("messages", Takes::Texts, "parts of an error message that also mean: try again"),
    ],

    foreign: foreign::RETRY,
    ..Keys::of("`retry`")
};

/// The least and the most that a delay may grow by.
const MULTIPLIER: (f64, f64) = (1.0, 1000.0);

/// The least and the greatest part of itself by which a delay may vary.
const JITTER: (f64, f64) = (0.0, 1.0);

const POLICIES: [(&str, RetryPolicy); 4] = [
    ("none", RetryPolicy::None),
    ("fixed", RetryPolicy::Fixed),
    ("linear", RetryPolicy::Linear),
    ("exponential", RetryPolicy::Exponential),
];

/// What a `retry` says. What it leaves out comes from the workflow's `defaults`, then from those of the
/// configuration, and last from [`Retry::default`].
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PartialRetry {
    /// How the delays grow.
    pub policy: Option<RetryPolicy>,
    /// How many attempts there are, including the first.
    pub attempts: Option<u32>,
    /// The delay after the first failed attempt.
    pub initial: Option<Duration>,
    /// The longest delay, jitter included.
    pub max: Option<Duration>,
    /// The factor by which an exponential delay grows each time.
    pub multiplier: Option<f64>,
    /// The part of itself by which a delay may be longer or shorter, from 0 to 1.
    pub jitter: Option<f64>,
    /// Exit codes that also mean that another attempt may help.
    pub exit_codes: Option<Vec<i32>>,
    /// Parts of error messages that also mean that another attempt may help.
    pub messages: Option<Vec<String>>,
}

impl PartialRetry {
    /// A retry that only says how many attempts there are.
    pub(super) fn attempts(attempts: u32) -> Self {
        Self { attempts: Some(attempts), ..Self::default() }
    }

    /// Reads a `retry` of any form.
    pub(super) fn read(report: &mut Diagnostics<'_>, tree: &Tree) -> Self {
        let Some(fields) = Fields::read(report, "retry", &KEYS, tree) else { return Self::default() };
        let retry = Self {
            policy: fields.get("policy").and_then(|tree| report.choice("policy", &POLICIES, tree)),
            attempts: fields.get("attempts").and_then(|tree| report.count("attempts", tree)),
            initial: fields.get("initial").and_then(|tree| report.duration("initial", tree)),
            max: fields.get("max").and_then(|tree| report.duration("max", tree)),
            multiplier: fields
                .get("multiplier")
                .and_then(|tree| report.number("multiplier", MULTIPLIER.0..=MULTIPLIER.1, tree)),
            jitter: fields.get("jitter").and_then(|tree| report.number("jitter", JITTER.0..=JITTER.1, tree)),
            exit_codes: fields.get("exit_codes").and_then(|tree| exit_codes(report, tree)),
            messages: fields.get("messages").and_then(|tree| messages(report, tree)),
        };
        if let (Some(RetryPolicy::None), Some(attempts @ 2..), Some(tree)) =
            (retry.policy, retry.attempts, fields.get("attempts"))
        {
            let message = format!("`policy: none` is one attempt, and `attempts` says {attempts}");
            report.refuse(tree, Problem::new(Code::Contradiction, message));
        }
        retry
    }

    /// The same, with what it leaves out taken from `base`.
    pub(super) fn or(self, base: &Self) -> Self {
        Self {
            policy: self.policy.or(base.policy),
            attempts: self.attempts.or(base.attempts),
            initial: self.initial.or(base.initial),
            max: self.max.or(base.max),
            multiplier: self.multiplier.or(base.multiplier),
            jitter: self.jitter.or(base.jitter),
            exit_codes: self.exit_codes.or_else(|| base.exit_codes.clone()),
            messages: self.messages.or_else(|| base.messages.clone()),
        }
    }

    /// The complete policy, given the `defaults`. `tree` is the place for reports.
    pub(super) fn complete(
        self,
        defaults: Option<&Self>,
        report: &mut Diagnostics<'_>,
        tree: &Tree,
    ) -> Retry {
        let retry = self.over(defaults);
        if retry.max < retry.initial {
            let message = "`max` is shorter than `initial`, and no delay is longer than `max`";
            report.refuse(
                tree,
                Problem::new(Code::BadValue, message).hint("raise `max`, which is 60s by default"),
            );
        }
        retry
    }

    /// The complete policy: this one, over the `defaults`, over [`Retry::default`].
    pub(super) fn over(self, defaults: Option<&Self>) -> Retry {
        let base = defaults.map(|defaults| defaults.clone().over(None)).unwrap_or_default();
        let policy = self.policy.unwrap_or(base.policy);
        let attempts = if policy == RetryPolicy::None { 1 } else { self.attempts.unwrap_or(base.attempts) };
        Retry {
            policy,
            attempts,
            initial: self.initial.unwrap_or(base.initial),
            max: self.max.unwrap_or(base.max),
            multiplier: self.multiplier.unwrap_or(base.multiplier),
            jitter: self.jitter.unwrap_or(base.jitter),
            exit_codes: self.exit_codes.unwrap_or(base.exit_codes),
            messages: self.messages.unwrap_or(base.messages),
        }
    }
}

fn exit_codes(report: &mut Diagnostics<'_>, tree: &Tree) -> Option<Vec<i32>> {
    let mut codes = Vec::new();
    for item in report.list("exit_codes", tree)? {
        let code = match &item.value {
            Value::Number(number) => number.parse().ok().filter(|code| (1..=255).contains(code)),
            _ => None,
        };
        match code {
            Some(code) => codes.push(code),
            None => {
                let problem =
                    Problem::new(Code::BadValue, "an exit code that fails is a whole number from 1 to 255");
                report.refuse(item, problem);
            }
        }
    }
    Some(codes)
}

fn messages(report: &mut Diagnostics<'_>, tree: &Tree) -> Option<Vec<String>> {
    let mut messages = Vec::new();
    for item in report.list("messages", tree)? {
        match report.text("messages", item) {
            Some("") => {
                let problem = Problem::new(Code::BadValue, "an empty text is a part of every message");
                report.refuse(item, problem.hint("name a part of the message that means: try again"));
            }
            Some(text) => messages.push(text.to_owned()),
            None => {}
        }
    }
    Some(messages)
}
