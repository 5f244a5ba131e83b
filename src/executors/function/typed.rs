//! Closures that take what they work on as types of their own.

use std::future::Future;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{FunctionCall, FunctionExecutor, json_of};
use crate::events::problem::Code;
use crate::events::run::Undoes;
use crate::executors::{Compensated, Failure};

/// The thing that a compensation is to undo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Undo<T> {
    /// A step that completed, with this output.
    Completed(T),
    /// A step of which nobody knows how far it came: it timed out, was cancelled or lost, or failed on its way. What there is
    /// to undo is found by the run and the step, which the [`FunctionCall`] names.
    Unknown,
}

impl<T> Undo<T> {
    /// The output of the step, if it is known.
    pub fn known(self) -> Option<T> {
        match self {
            Self::Completed(output) => Some(output),
            Self::Unknown => None,
        }
    }
}

impl<T: DeserializeOwned> Undo<T> {
    /// What this call is to undo.
    ///
    /// # Errors
    /// A `validation` failure when it is to undo nothing, or the output of the step does not fit.
    pub fn of(call: &FunctionCall) -> Result<Self, Failure> {
        let Some(Compensated { outcome, output }) = &call.task.compensates else {
            let message = format!("`{}` undoes steps, and was asked to do one", call.task.agent);
            return Err(Failure::new(Code::FunctionInput, message));
        };
        if *outcome == Undoes::Unknown {
            return Ok(Self::Unknown);
        }
        serde_json::from_str(output.text()).map(Self::Completed).map_err(|error| {
            let (step, agent) = (&call.task.step, &call.task.agent);
            let message = format!("the output of `{step}` is not what `{agent}` undoes: {error}");
            Failure::new(Code::FunctionInput, message)
        })
    }
}

/// A closure that does steps: of nothing, of what the step's `with` says, or of that and the [`FunctionCall`]. `Takes` only
/// tells the three apart.
pub trait StepFunction<Takes> {
    /// The executor that calls it, and turns its result into the output of the step.
    fn executor(self) -> FunctionExecutor;
}

impl<F, R, O> StepFunction<()> for F
where
    F: Fn() -> R + Send + Sync + 'static,
    R: Future<Output = Result<O, Failure>> + Send + 'static,
    O: Serialize,
{
    fn executor(self) -> FunctionExecutor {
        FunctionExecutor::new(move |_| {
            let answer = self();
            async move { json_of(&answer.await?) }
        })
    }
}

impl<F, T, R, O> StepFunction<(T,)> for F
where
    F: Fn(T) -> R + Send + Sync + 'static,
    T: DeserializeOwned,
    R: Future<Output = Result<O, Failure>> + Send + 'static,
    O: Serialize,
{
    fn executor(self) -> FunctionExecutor {
        FunctionExecutor::new(move |call| {
            let answer = call.input().map(&self);
            async move { json_of(&answer?.await?) }
        })
    }
}

impl<F, T, R, O> StepFunction<(T, FunctionCall)> for F
where
    F: Fn(T, FunctionCall) -> R + Send + Sync + 'static,
    T: DeserializeOwned,
    R: Future<Output = Result<O, Failure>> + Send + 'static,
    O: Serialize,
{
    fn executor(self) -> FunctionExecutor {
        FunctionExecutor::new(move |call| {
            let answer = call.input().map(|input| self(input, call));
            async move { json_of(&answer?.await?) }
        })
    }
}

/// A closure that undoes steps: of what there is to [`Undo`], or of that and the [`FunctionCall`]. `Takes` only tells the two
/// apart.
pub trait UndoFunction<Takes> {
    /// The executor that calls it, for each attempt at undoing the step.
    fn executor(self) -> FunctionExecutor;
}

impl<F, T, R, O> UndoFunction<(T,)> for F
where
    F: Fn(Undo<T>) -> R + Send + Sync + 'static,
    T: DeserializeOwned,
    R: Future<Output = Result<O, Failure>> + Send + 'static,
    O: Serialize,
{
    fn executor(self) -> FunctionExecutor {
        FunctionExecutor::new(move |call| {
            let answer = Undo::of(&call).map(&self);
            async move { json_of(&answer?.await?) }
        })
    }
}

impl<F, T, R, O> UndoFunction<(T, FunctionCall)> for F
where
    F: Fn(Undo<T>, FunctionCall) -> R + Send + Sync + 'static,
    T: DeserializeOwned,
    R: Future<Output = Result<O, Failure>> + Send + 'static,
    O: Serialize,
{
    fn executor(self) -> FunctionExecutor {
        FunctionExecutor::new(move |call| {
            let answer = Undo::of(&call).map(|undo| self(undo, call));
            async move { json_of(&answer?.await?) }
        })
    }
}
