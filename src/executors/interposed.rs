//! A script that is asked before who does the work.

use std::sync::Arc;

use async_trait::async_trait;

use super::scripted::ScriptedExecutor;
use super::{Context, Delivery, Executor, Failure, Output, Task};
use crate::events::ids::{RunId, StepId};
use crate::workflow::script::Script;

/// Gives the answer of a script where one fits; else works as another executor does.
pub(super) struct Interposed {
    script: ScriptedExecutor,
    inner: Arc<dyn Executor>,
}

impl Interposed {
    /// Asks this script first, if it says anything.
    pub(super) fn over(inner: Arc<dyn Executor>, script: &Script) -> Arc<dyn Executor> {
        if script.is_empty() {
            return inner;
        }
        Arc::new(Self { script: ScriptedExecutor::new(script.clone()), inner })
    }
}

#[async_trait]
impl Executor for Interposed {
    async fn execute(&self, task: Task, context: Context) -> Result<Output, Failure> {
        // The attempts that a dead process took with it do not count: what is written for the second is for the second try.
        let nth = |nth: u32| Task { attempt: nth, ..task.clone() };
        let counted = nth(task.nth);
        if self.script.answers(&counted) {
            return self.script.execute(counted, context).await;
        }
        // Who does the work was not asked by the tries before it that the script has answered.
        let answered = (1..task.nth).filter(|before| self.script.answers(&nth(*before))).count();
        let answered = u32::try_from(answered).unwrap_or(u32::MAX);
        self.inner.execute(Task { nth: task.nth.saturating_sub(answered), ..task }, context).await
    }

    async fn deliver(&self, delivery: Delivery, context: Context) -> Result<Output, Failure> {
        self.inner.deliver(delivery, context).await
    }

    async fn end_leftover(&self, run: &RunId, step: &StepId) -> Result<(), Failure> {
        self.inner.end_leftover(run, step).await
    }
}
