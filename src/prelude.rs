//! What a program needs that embeds an engine: `use reenact::prelude::*`.

pub use crate::events::run::{MessageKind, Priority};
pub use crate::executors::MessageGiven;
pub use crate::executors::function::message::{Message, MessageCall};
pub use crate::executors::function::mind::MindCall;
pub use crate::executors::function::outgoing::Outgoing;
pub use crate::{
    AgentDefinition, Class, Code, Engine, Executor, Failure, FunctionCall, Json, Outcome, Problem, RunHandle,
    RunId, RunSpec, Undo, Version,
};
