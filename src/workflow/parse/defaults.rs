//! The workflow's `defaults` for its steps, and the keys that both have: `on_error`, `env`.

use std::collections::BTreeMap;
use std::time::Duration;

use super::diagnostics::{Diagnostics, Fields};
use super::keys::{Keys, Takes, key, words};
use super::retry::PartialRetry;
use super::shared::Contexts;
use super::tree::{Tree, Value};
use super::values::{Use, Values};
use super::{Known, StepDefaults, foreign};
use crate::events::problem::{Code, Problem};
use crate::workflow::definition::OnError;
use crate::workflow::template::Template;

pub(super) const KEYS: Keys = Keys {
    known: &[
        key("timeout", Takes::Duration, "how long an attempt may take"),
        key("retry", Takes::Map(&super::retry::KEYS), "whether and when steps are tried again"),
        key("on_error", Takes::Word(|| words(&ON_ERROR)), "what the failure of a step does to the run"),
        key("env", Takes::TextsByName, "variables for the programs of all steps"),
    ],

    elsewhere: super::OF_ONE_STEP,
    foreign: foreign::STEP,
    ..Keys::of("`defaults`")
};

pub(super) const ON_ERROR: [(&str, OnError); 4] = [
    ("fail_fast", OnError::FailFast),
    ("continue", OnError::Continue),
    ("retry_then_fail", OnError::RetryThenFail),
    ("retry_then_skip", OnError::RetryThenSkip),
];

/// The workflow's `defaults`, as they stand in the file.
#[derive(Debug, Default)]
pub(super) struct Defaults {
    pub(super) timeout: Option<Duration>,
    pub(super) retry: Option<PartialRetry>,
    pub(super) on_error: Option<OnError>,
    pub(super) env: BTreeMap<String, Template>,
    /// How often a fallback agent is tried at most.
    pub(super) fallback_attempts: u32,
    /// The shared contexts that steps may name.
    pub(super) contexts: Contexts,
}

impl Defaults {
    /// The defaults, completed with those of the configuration.
    pub(super) fn over(self, configured: Option<&StepDefaults>) -> Self {
        let Some(configured) = configured else { return self };
        let retry = match (self.retry, &configured.retry) {
            (Some(own), Some(base)) => Some(own.or(base)),
            (own, base) => own.or_else(|| base.clone()),
        };
        Self { timeout: self.timeout.or(configured.timeout), retry, ..self }
    }
}

/// Reads the defaults, with the expressions in them.
pub(super) fn read<'s>(
    report: &mut Diagnostics<'s>,
    tree: &'s Tree,
    known: &Known<'_>,
) -> (Defaults, Vec<Use<'s>>) {
    let Some(fields) = Fields::read(report, "defaults", &KEYS, tree) else { return Default::default() };
    let mut values = Values { report, uses: Vec::new() };
    let env = fields.get("env").map(|tree| environment(&mut values, tree)).unwrap_or_default();
    let uses = values.uses;
    let retry = fields.get("retry").map(|tree| {
        let retry = PartialRetry::read(report, tree);
        let configured = known.defaults.and_then(|defaults| defaults.retry.as_ref());
        retry.clone().complete(configured, report, tree);
        retry
    });
    let timeout = fields.get("timeout").and_then(|tree| report.positive_duration("timeout", tree));
    let on_error = fields.get("on_error").and_then(|tree| on_error(report, tree));
    (Defaults { timeout, retry, on_error, env, ..Defaults::default() }, uses)
}

/// Reads `on_error`, in a step and in `defaults`.
pub(super) fn on_error(report: &mut Diagnostics<'_>, tree: &Tree) -> Option<OnError> {
    report.choice("on_error", &ON_ERROR, tree)
}

/// Reads `env`, in a step and in `defaults`.
pub(super) fn environment<'t, 's: 't>(
    values: &mut Values<'t, '_, 's>,
    tree: &'t Tree,
) -> BTreeMap<String, Template> {
    let Value::Map(entries) = &tree.value else {
        values.report.wants("env", "a map of names and texts", tree);
        return BTreeMap::new();
    };
    let mut environment = BTreeMap::new();
    for (key, value) in entries {
        let Some(name) = values.report.text("a name in `env`", key) else { continue };
        let mut chars = name.chars();
        let first = chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
        if !first || !chars.all(|c| c.is_ascii_alphanumeric() || c == '_') {
            let problem =
                Problem::new(Code::BadValue, format!("`{name}` is no name of an environment variable"));
            values.report.refuse(key, problem.hint("use letters, digits and `_`, no digit first"));
            continue;
        }
        if let Some(text) = values.text("env", value) {
            environment.insert(name.to_owned(), text);
        }
    }
    environment
}
