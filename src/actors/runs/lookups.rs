//! Earlier answers that steps of runs could take: the files that a key hangs on are read, and it is looked what is kept under it.
//!
//! - `content`: the content of files, as hashes

mod content;

use std::path::Path;
use std::sync::Arc;

use actix::Recipient;
use tokio::sync::Semaphore;

use super::told::ToRun;
use crate::actors::blocking::blocking;
use crate::actors::hosting::context::HostContext;
use crate::actors::hosting::messages::Tell;
use crate::aggregates::run::{FoundAnswer, OfShared, SharedEffectId};
use crate::events::ids::Hash;
use crate::events::problem::{Code, Problem};
use crate::events::run::{AnswerSource, CacheAwaited};
use crate::kernel::Blobs;
use crate::views::projections::cache::CacheView;
use crate::views::projector::ViewError;
use crate::workflow::cache::key_of;

/// How many keys are made at once of the content of files: more would only make a disk slower.
const AT_ONCE: usize = 2;

/// Looks up answers for the runs of a process.
#[derive(Clone)]
pub(super) struct Lookups {
    view: CacheView,
    reading: Arc<Semaphore>,
}

impl Lookups {
    /// Those that this read model knows.
    pub(super) fn new(view: CacheView) -> Self {
        Self { view, reading: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    /// Looks up an answer, and tells the run.
    pub(super) fn look_up(
        &self,
        context: &HostContext,
        host: Option<Recipient<Tell<ToRun>>>,
        awaited: Arc<CacheAwaited>,
    ) {
        let (lookups, context) = (self.clone(), context.clone());
        actix::spawn(async move {
            let step = awaited.step.clone();
            let says = match lookups.key(&awaited).await {
                Ok(key) => {
                    let found =
                        if awaited.reads { lookups.found(&context, &awaited, key).await } else { None };
                    OfShared::LookedUp { step: step.clone(), key, found }
                }
                Err(problem) => {
                    OfShared::NotLookedUp { step: step.clone(), why: (problem.code, problem.message) }
                }
            };
            // A host that has much to do, or is gone, asks again when it goes on.
            if let Some(host) = host {
                let _ = host.send(Tell(ToRun::Shared { effect: SharedEffectId::LookUp(step), says })).await;
            }
        });
    }

    /// The key of what is looked up.
    async fn key(&self, awaited: &Arc<CacheAwaited>) -> Result<Hash, Problem> {
        if awaited.files.is_empty() {
            return Ok(key_of(&awaited.work, []));
        }
        let ending = |_| Problem::new(Code::ShuttingDown, "the process is ending");
        let _turn = self.reading.acquire().await.map_err(ending)?;
        let awaited = Arc::clone(awaited);
        let read = blocking(move || {
            let files = content::of(Path::new(&*awaited.work_folder), &awaited.files)?;
            Ok(key_of(&awaited.work, files.iter().map(|(path, hash)| (path.as_str(), *hash))))
        });
        read.await?.map_err(|why: String| Problem::new(Code::CacheFiles, why))
    }

    /// The answer under a key, if there is one that may be taken. What cannot be read is not there: the step is done without.
    async fn found(&self, context: &HostContext, awaited: &CacheAwaited, key: Hash) -> Option<FoundAnswer> {
        match self.kept(context, awaited, key).await {
            Ok(found) => found,
            Err(error) => {
                tracing::warn!(step = %awaited.step, %error, "an earlier answer cannot be looked up");
                None
            }
        }
    }

    async fn kept(
        &self,
        context: &HostContext,
        awaited: &CacheAwaited,
        key: Hash,
    ) -> Result<Option<FoundAnswer>, ViewError> {
        let now = context.clock.now().steady;
        let row = self.view.find(&key).await?.filter(|row| row.is_fresh(now, awaited.ttl_us));
        let Some(row) = row else { return Ok(None) };
        let Some(kept) = self.view.answer(&row).await?.filter(|kept| kept.key == key) else {
            return Ok(None);
        };
        let (library, folder) = (Arc::clone(&context.library), Arc::clone(&awaited.work_folder));
        let source = AnswerSource { run: row.run, step: row.step, version: row.version };
        let read = blocking(move || {
            // What it made may have been taken away since.
            let is_there = |file: &String| Path::new(&*folder).join(file).exists();
            if !kept.artifacts.iter().all(is_there) {
                return Ok(None);
            }
            let blobs: &dyn Blobs = &*library;
            let answer = blobs.json(&kept.answer).map_err(|unreadable| unreadable.problem())?;
            Ok(Some(FoundAnswer { source, answer, artifacts: kept.artifacts }))
        });
        let read: Result<Option<FoundAnswer>, Problem> = read.await?;
        Ok(read?)
    }
}
