//! What the timers of a run are called: each by what it is for.

use super::{RequestId, StepId, TimerId};

impl TimerId {
    /// The timer that ends the sleep of a step.
    pub fn sleep(step: &StepId) -> Self {
        Self(format!("sleep/{step}").into())
    }

    /// The timer that starts a step's next attempt.
    pub fn retry(step: &StepId, after_attempt: u32) -> Self {
        Self(format!("retry/{step}/{after_attempt}").into())
    }

    /// The timer that starts the next attempt at undoing a step.
    pub fn compensation_retry(step: &StepId, after_attempt: u32) -> Self {
        Self(format!("compensate/{step}/{after_attempt}").into())
    }

    /// The timer that ends a step's waiting for a signal.
    pub fn wait(step: &StepId) -> Self {
        Self(format!("wait/{step}").into())
    }

    /// The timer with which a request for an approval expires.
    pub fn request(request: &RequestId) -> Self {
        Self(format!("approval/{request}").into())
    }

    /// The timer that ends an attempt that a child run makes.
    pub fn child(step: &StepId, attempt: u32, undoes: bool) -> Self {
        let what = if undoes { "undo-child" } else { "child" };
        Self(format!("{what}/{step}/{attempt}").into())
    }

    /// The timer that ends an attempt that is handed out.
    pub fn task(step: &StepId, attempt: u32, undoes: bool) -> Self {
        let what = if undoes { "undo-task" } else { "task" };
        Self(format!("{what}/{step}/{attempt}").into())
    }

    /// The timer that ends the lease of who has such an attempt.
    pub fn lease(step: &StepId, attempt: u32, undoes: bool) -> Self {
        let what = if undoes { "undo-lease" } else { "lease" };
        Self(format!("{what}/{step}/{attempt}").into())
    }

    /// The timer that ends a run that takes too long.
    pub fn duration() -> Self {
        Self("duration".into())
    }
}
