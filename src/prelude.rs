//! What a program needs that embeds an engine: `use reenact::prelude::*`.

pub use crate::{
    AgentDefinition, Class, Code, Engine, Executor, Failure, FunctionCall, Json, Outcome, Problem, RunHandle,
    RunId, RunSpec, Undo, Version,
};
