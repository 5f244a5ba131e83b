//! The outcome of a run: how it is when nothing of it goes on by itself any more.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::report::{RunReport, Waiting, result};
use crate::aggregates::run::{Phase, Run, RunStatus};
use crate::events::json::{Json, Payload};
use crate::events::problem::{Code, Problem};
use crate::kernel::{Blobs, Unreadable};

/// The outcome of a run. One that waits or is paused goes on when somebody acts, and has another outcome then; one that has
/// ended may be retried or rolled back.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[must_use = "a run that does not fail may still not have completed"]
pub enum Outcome {
    /// It did what it was to do.
    Completed(Completed),
    /// It failed, and undid nothing.
    Failed(Problem),
    /// The run has undone what it did: because of this failure, or because somebody wanted it.
    Compensated(Option<Problem>),
    /// Somebody cancelled it, without a rollback.
    Cancelled,
    /// It can go neither forward nor back by itself.
    Stuck(Problem),
    /// It waits for people or programs: for approvals and signals, or for runs that do.
    Waiting(Vec<Waiting>),
    /// It was paused, or reached what it was to pause after.
    Paused {
        /// The step or the phase that it was rolled back to, if it is paused because of that.
        rolled_back_to: Option<Arc<str>>,
    },
}

/// The output of a run that completed, and what is to be said of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Completed {
    /// The value of the workflow's `output`; null without one.
    pub output: Json,
    /// Whether something was done in a lesser way, or left out other than by its `if`.
    pub degraded: bool,
    /// Why the output could not be rendered, if it could not.
    pub error: Option<Problem>,
}

impl Outcome {
    /// What came of the run of that report; none if it still goes on.
    pub fn of(report: RunReport) -> Option<Self> {
        let RunReport { status, output, error, degraded, waiting_for, rolled_back_to, .. } = report;
        match status {
            RunStatus::Waiting => Some(Self::Waiting(waiting_for)),
            RunStatus::Paused => Some(Self::Paused { rolled_back_to }),
            _ => Self::ended(status, output, error, degraded),
        }
    }

    fn ended(status: RunStatus, output: Json, error: Option<Problem>, degraded: bool) -> Option<Self> {
        let unknown = || Problem::new(Code::Internal, "nobody said why");
        match status {
            RunStatus::Completed => Some(Self::Completed(Completed { output, degraded, error })),
            RunStatus::Failed => Some(Self::Failed(error.unwrap_or_else(unknown))),
            RunStatus::Compensated => Some(Self::Compensated(error)),
            RunStatus::Cancelled => Some(Self::Cancelled),
            RunStatus::Stuck => Some(Self::Stuck(error.unwrap_or_else(unknown))),
            RunStatus::Pending
            | RunStatus::Running
            | RunStatus::Waiting
            | RunStatus::Paused
            | RunStatus::Compensating => None,
        }
    }

    /// The output of the run, as a value of that type.
    ///
    /// # Errors
    /// Why there is no output: the failure, where there is one; [`Code::NotCompleted`]; [`Code::OutputMisfit`] when it is
    /// not what is wanted.
    pub fn output<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        let status = match self {
            Self::Completed(Completed { output, error: None, .. }) => {
                return serde_json::from_str(output.text()).map_err(|error| {
                    Problem::new(Code::OutputMisfit, format!("the output is of another type: {error}"))
                });
            }
            Self::Completed(Completed { error: Some(problem), .. })
            | Self::Failed(problem)
            | Self::Stuck(problem)
            | Self::Compensated(Some(problem)) => return Err(problem.clone()),
            Self::Compensated(None) => RunStatus::Compensated,
            Self::Cancelled => RunStatus::Cancelled,
            Self::Waiting(_) => RunStatus::Waiting,
            Self::Paused { .. } => RunStatus::Paused,
        };
        Err(Problem::new(Code::NotCompleted, format!("the run has no output: it is {}", status.text())))
    }

    /// Whether it completed and nothing was done in a lesser way.
    pub fn is_good(&self) -> bool {
        matches!(self, Self::Completed(Completed { degraded: false, error: None, .. }))
    }
}

/// How a run has ended, before its output is read.
#[derive(Debug, Clone)]
pub struct Ending {
    status: RunStatus,
    output: Option<Payload>,
    error: Option<Problem>,
    degraded: bool,
}

impl Ending {
    /// How it has ended, if it has.
    pub fn of(run: &Run) -> Option<Self> {
        if !matches!(run.life(), Phase::Ended(_)) {
            return None;
        }
        let (output, error) = result(run);
        let (status, output) = (run.status(), output.cloned());
        Some(Self { status, output, error, degraded: run.is_degraded() })
    }

    /// The outcome of the run; none while something of it goes on by itself.
    ///
    /// # Errors
    /// When its output is in a blob that cannot be read.
    pub fn read(&self, blobs: &dyn Blobs) -> Result<Option<Outcome>, Unreadable> {
        let output = self.output.as_ref().map(|output| blobs.json(output)).transpose()?;
        Ok(Outcome::ended(self.status, output.unwrap_or_default(), self.error.clone(), self.degraded))
    }
}
