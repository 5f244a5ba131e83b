//! The past of the run that somebody walks through, kept until nobody has for a while.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use super::Facade;
use crate::actors::hosting::past::Past;
use crate::aggregates::run::Run;
use crate::events::commit::Recorded;
use crate::events::ids::{RunId, StreamId};
use crate::events::problem::Problem;

/// Who walks looks at the next version within this time. After that the folds are dropped: a process may hold a store for
/// months.
const KEPT_FOR: Duration = Duration::from_secs(60);

/// The past that was looked at last.
#[derive(Clone, Default)]
pub(super) struct Walked(Arc<Mutex<Option<Walk>>>);

struct Walk {
    past: Past<Run>,
    looked: Instant,
}

impl Facade {
    /// What is made of a run as it was right after one of its events.
    pub(super) async fn look_at_past<T>(
        &self,
        run: &RunId,
        event: &Recorded,
        look: impl FnOnce(&Run) -> Result<T, Problem>,
    ) -> Result<T, Problem> {
        let (stream, store) = (StreamId::of_run(run), &**self.system.store());
        let mut kept = self.walked.0.lock().await;
        let is_kept = kept.is_some();
        let walk = match &mut *kept {
            Some(walk) if *walk.past.stream() == stream => walk,
            other => other.insert(Walk { past: Past::of(stream.clone()), looked: Instant::now() }),
        };
        walk.looked = Instant::now();
        let (mut state, head) = walk.past.at(store, event.version).await?;
        if head.hash != event.event.hash {
            // It is another run by now, which has the name of the one that was folded.
            walk.past = Past::of(stream);
            (state, _) = walk.past.at(store, event.version).await?;
        }
        let made = look(state)?;
        drop(kept);
        if !is_kept {
            tokio::spawn(self.walked.clone().forget());
        }
        Ok(made)
    }
}

impl Walked {
    /// Drops what is kept once nobody has looked at it for a while.
    async fn forget(self) {
        loop {
            tokio::time::sleep(KEPT_FOR).await;
            let mut kept = self.0.lock().await;
            if kept.as_ref().is_none_or(|walk| walk.looked.elapsed() >= KEPT_FOR) {
                *kept = None;
                return;
            }
        }
    }
}
