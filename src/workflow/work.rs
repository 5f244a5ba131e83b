//! What an agent is asked to do: a step's templates, rendered. It is the `input` of `attempt_started`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::events::json::Json;

/// A rendered step.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Work {
    /// What to execute, for a step with `run`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<Command>,
    /// The step's `with`; null without one.
    #[serde(default, skip_serializing_if = "Json::is_null")]
    pub with: Json,
    /// The step's `prompt`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
    /// The step's `env`: added to what a subprocess gets.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// The step's `cwd`; relative to the work folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
}

/// What a step with `run` executes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Command {
    /// A program and its arguments, executed as they are.
    List(Vec<String>),
    /// A text for `sh -c`.
    Shell(String),
}
