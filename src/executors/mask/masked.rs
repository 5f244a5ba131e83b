//! An executor of which nobody hears a secret.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::FutureExt;
use tokio::sync::watch;

use super::super::{Context, Delivery, Executor, Failure, Output, Progress, Task, panicked};
use super::Masks;
use super::voice::MaskedVoice;
use crate::events::ids::{RunId, StepId};
use crate::executors::voice::Voice;

/// Works as another executor does, and masks what that tells: its output or its failure, a panic, its progress and its transcript.
pub(in crate::executors) struct Masked {
    inner: Arc<dyn Executor>,
    masks: Masks,
}

impl Masked {
    /// Masks what this one tells, if there is anything to mask.
    pub(in crate::executors) fn over(inner: Arc<dyn Executor>, masks: &Masks) -> Arc<dyn Executor> {
        if masks.is_empty() { inner } else { Arc::new(Self { inner, masks: masks.clone() }) }
    }

    fn voice(&self, inner: Voice) -> Voice {
        Voice::new(MaskedVoice { inner, masks: self.masks.clone() })
    }
}

#[async_trait]
impl Executor for Masked {
    async fn execute(&self, task: Task, context: Context) -> Result<Output, Failure> {
        let (progress, mut told) = watch::channel(Progress::default());
        let shown = context.progress.clone();
        let context = Context { progress, voice: self.voice(context.voice), ..context };
        let work = AssertUnwindSafe(async { self.inner.execute(task, context).await }).catch_unwind();
        let mut work = std::pin::pin!(work);
        let show = |told: &mut watch::Receiver<Progress>| {
            let masked = self.masks.progress(&told.borrow_and_update());
            shown.send_if_modified(|known| {
                *known != masked && {
                    *known = masked;
                    true
                }
            });
        };
        let result = loop {
            tokio::select! {
                biased;
                result = &mut work => break result,
                Ok(()) = told.changed() => show(&mut told),
            }
        };
        show(&mut told);
        let result = result.unwrap_or_else(|panic| Err(panicked(&*panic)));
        result.and_then(|output| self.masks.output(output)).map_err(|failure| self.masks.failure(failure))
    }

    async fn deliver(&self, delivery: Delivery, context: Context) -> Result<Output, Failure> {
        let context = Context { voice: self.voice(context.voice), ..context };
        let work = AssertUnwindSafe(async { self.inner.deliver(delivery, context).await }).catch_unwind();
        let result = work.await.unwrap_or_else(|panic| Err(panicked(&*panic)));
        result.and_then(|output| self.masks.output(output)).map_err(|failure| self.masks.failure(failure))
    }

    async fn end_leftover(&self, run: &RunId, step: &StepId) -> Result<(), Failure> {
        self.inner.end_leftover(run, step).await.map_err(|failure| self.masks.failure(failure))
    }
}
