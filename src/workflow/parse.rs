//! From a file's text to a definition, or to everything that is wrong with it.

use super::definition::Definition;
use crate::events::ids::{AgentName, StepId};
use crate::events::problem::{Place, Problem};

/// What a file says.
#[derive(Debug, Clone, PartialEq)]
pub struct Parsed {
    /// The workflow.
    pub definition: Definition,
    /// What is allowed, but hardly meant.
    pub warnings: Vec<Problem>,
    /// The agents that steps name, and where: whether they exist is for the caller to check.
    pub agents: Vec<(AgentName, StepId, Place)>,
}

/// What a file may refer to beside itself.
#[derive(Debug, Clone, Copy, Default)]
pub struct Known<'a> {
    /// The names that `env.NAME` may use: those that the configuration allows.
    pub env: &'a [String],
}
