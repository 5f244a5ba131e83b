//! Writes the pages of requests for approvals. What a reviewer wants to know takes programs to find out, so it is done on
//! a thread of its own: no decision waits for it, only the end of the process does.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::inspect::Inspector;
use super::page::{self, Pages};
use crate::actors::hosting::context::HostContext;
use crate::actors::hosting::load::load;
use crate::aggregates::run::Run;
use crate::events::ids::{RequestId, RunId, StreamId, Version};
use crate::files;
use crate::views::presenters::request::work_folder::WorkFolderState;
use crate::views::presenters::request::{self, is_open};

/// Far more than what is kept of a look at a work folder.
const FOUND_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// A page to be written: whose request.
type Key = (RunId, RequestId);

/// What lives until a page is written.
pub type Hold = Box<dyn Send>;

/// Writes pages, for as long as there are any to be written.
pub struct Scribe {
    host: HostContext,
    /// The place and the words of pages; none if none are written.
    pages: Option<Pages>,
    inspector: Inspector,
    /// The pages that are to be written. There is never more than there are requests, and each is named once.
    wanted: Mutex<Wanted>,
    /// Whether nobody waits any more for what takes long.
    hurry: watch::Sender<bool>,
}

/// A run as the store has it. Pages of one run come one after the other, so one is kept.
struct Folded {
    run: RunId,
    state: Run,
    version: Version,
}

#[derive(Default)]
struct Wanted {
    pages: BTreeMap<Key, Hold>,
    /// Whether a thread is at it.
    at_work: bool,
}

impl Scribe {
    /// Nothing is to be written yet.
    pub fn new(host: HostContext, pages: Option<Pages>, inspector: Inspector) -> Arc<Self> {
        Arc::new(Self { host, pages, inspector, wanted: Mutex::default(), hurry: watch::Sender::new(false) })
    }

    /// Has the page of a request written, or written anew. Until it is, `in_flight` lives.
    pub fn write(self: &Arc<Self>, run: &RunId, request: &RequestId, in_flight: Hold) {
        let Some(pages) = self.pages.clone() else { return };
        let mut wanted = self.wanted();
        wanted.pages.insert((run.clone(), request.clone()), in_flight);
        if wanted.at_work {
            return;
        }
        let scribe = Arc::clone(self);
        let thread = std::thread::Builder::new().name("scribe".to_owned());
        match thread.spawn(move || scribe.work(&pages)) {
            Ok(_) => wanted.at_work = true,
            // They are written when somebody next takes the run over.
            Err(error) => wanted.give_up(&error),
        }
    }

    /// From here on nothing is looked at that takes long.
    pub fn hurry(&self) {
        self.hurry.send_replace(true);
    }

    fn work(&self, to: &Pages) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = match runtime {
            Ok(runtime) => runtime,
            Err(error) => return self.wanted().give_up(&error),
        };
        loop {
            let pages = {
                let mut wanted = self.wanted();
                wanted.at_work = !wanted.pages.is_empty();
                std::mem::take(&mut wanted.pages)
            };
            if pages.is_empty() {
                return;
            }
            let written = || runtime.block_on(self.write_all(to, pages));
            if catch_unwind(AssertUnwindSafe(written)).is_err() {
                tracing::warn!("what is asked could not be written down: it panicked");
            }
        }
    }

    /// Writes pages, first with what the store knows, then with what was found in their folders: each folder is looked at
    /// once for all of them, and only for requests that nobody has answered meanwhile.
    async fn write_all(&self, to: &Pages, pages: BTreeMap<Key, Hold>) {
        let mut unseen: BTreeMap<PathBuf, Vec<(Key, Hold)>> = BTreeMap::new();
        let mut folded = None;
        for (key, in_flight) in pages {
            if let Some(folder) = self.keep(to, &key, None, &mut folded).await {
                unseen.entry(folder).or_default().push((key, in_flight));
            }
        }
        for (folder, pages) in unseen {
            let mut hurry = self.hurry.subscribe();
            let found = tokio::select! {
                found = self.look(&folder) => found,
                // An error means that the sender is gone, which is this very scribe.
                _ = hurry.wait_for(|hurry| *hurry) => return,
            };
            let mut folded = None;
            for (key, in_flight) in pages {
                self.keep(to, &key, Some(&found), &mut folded).await;
                drop(in_flight);
            }
        }
    }

    /// Writes a page, and answers the folder that is still to be looked at for it. A disk that refuses is not the run's
    /// matter.
    async fn keep(
        &self,
        to: &Pages,
        key: &Key,
        found: Option<&WorkFolderState>,
        folded: &mut Option<Folded>,
    ) -> Option<PathBuf> {
        match self.try_keep(to, key, found, folded).await {
            Ok(folder) => folder,
            Err(why) => {
                let (run, request) = key;
                tracing::warn!(%run, %request, why, "what is asked could not be written down");
                None
            }
        }
    }

    async fn try_keep(
        &self,
        to: &Pages,
        (run, id): &Key,
        found: Option<&WorkFolderState>,
        folded: &mut Option<Folded>,
    ) -> Result<Option<PathBuf>, String> {
        let Folded { state, version, .. } = match folded {
            Some(last) if last.run == *run => last,
            other => other.insert(self.fold(run).await?),
        };
        let path = page::of_request(&to.folder, run, id);
        let kept = page::of_found(&to.folder, run, id);
        let before = match found {
            Some(found) => {
                let json = serde_json::to_string(found).map_err(|error| error.to_string())?;
                page::write(&kept, &json).map_err(|error| error.to_string())?;
                None
            }
            // What was cut off or is no such file was not found.
            None => {
                let json = files::read_text(&kept, FOUND_BYTES_MAX).ok();
                json.and_then(|json| serde_json::from_str(&json).ok())
            }
        };
        let found = found.or(before.as_ref());
        let page = request::page(state, id, *version, found, &*self.host.library, to.wording);
        let Some(page) = page.map_err(|error| error.to_string())? else { return Ok(None) };
        page::write(&path, &page).map_err(|error| error.to_string())?;
        let folder = state.about().map(|about| PathBuf::from(&*about.started.work_folder));
        Ok(folder.filter(|_| found.is_none() && is_open(state, id)))
    }

    async fn fold(&self, run: &RunId) -> Result<Folded, String> {
        let folded = load(&*self.host.store, &StreamId::of_run(run)).await;
        let (state, head) = folded.map_err(|problem| problem.message)?;
        Ok(Folded { run: run.clone(), state, version: head.version })
    }

    async fn look(&self, folder: &Path) -> WorkFolderState {
        let at = self.host.clock.now().wall;
        let (repository, check) =
            (self.inspector.repository(folder).await, self.inspector.check(folder).await);
        WorkFolderState { at, folder: folder.display().to_string(), repository, check }
    }

    fn wanted(&self) -> MutexGuard<'_, Wanted> {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wanted {
    fn give_up(&mut self, error: &std::io::Error) {
        tracing::warn!(%error, "what is asked could not be written down");
        *self = Self::default();
    }
}
