//! Writes what a team that reaches a goal shares: one file in the work folder, in which its agents can read who does what, how far
//! that is, and what was decided. It is a projection of the run and written off the actors' threads, so that it may be a moment
//! behind; nothing is ever read back from it.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::scribe::Hold;
use crate::actors::hosting::context::HostContext;
use crate::actors::hosting::load::load;
use crate::aggregates::run::Run;
use crate::events::ids::{RunId, StreamId};
use crate::files;
use crate::views::presenters::team;

/// How much is read of a file that another run may have written, in bytes. One that is longer was written by nobody who is known.
const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Writes the files of teams, for as long as there are any to be written.
pub struct TeamKeeper {
    host: HostContext,
    /// The path in each work folder; none if none are written.
    path: Option<PathBuf>,
    /// The runs whose file is to be written, each once: what is written is how it is by then.
    wanted: Mutex<Wanted>,
}

#[derive(Default)]
struct Wanted {
    runs: BTreeMap<RunId, Hold>,
    /// Whether a thread is at it.
    at_work: bool,
}

impl TeamKeeper {
    /// Nothing is to be written yet.
    pub fn new(host: HostContext, path: Option<PathBuf>) -> Arc<Self> {
        Arc::new(Self { host, path, wanted: Mutex::default() })
    }

    /// Has the file of a run written anew. Until it is, `in_flight` lives.
    pub fn write(self: &Arc<Self>, run: &RunId, in_flight: Hold) {
        let Some(path) = self.path.clone() else { return };
        let mut wanted = self.wanted();
        wanted.runs.insert(run.clone(), in_flight);
        if wanted.at_work {
            return;
        }
        let keeper = Arc::clone(self);
        match std::thread::Builder::new().name("team".to_owned()).spawn(move || keeper.work(&path)) {
            Ok(_) => wanted.at_work = true,
            Err(error) => wanted.give_up(&error),
        }
    }

    fn work(&self, path: &Path) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = match runtime {
            Ok(runtime) => runtime,
            Err(error) => return self.wanted().give_up(&error),
        };
        loop {
            let runs = {
                let mut wanted = self.wanted();
                wanted.at_work = !wanted.runs.is_empty();
                std::mem::take(&mut wanted.runs)
            };
            if runs.is_empty() {
                return;
            }
            for (run, in_flight) in runs {
                let written = catch_unwind(AssertUnwindSafe(|| runtime.block_on(self.keep(path, &run))));
                match written {
                    Ok(Ok(())) => {}
                    Ok(Err(why)) => {
                        tracing::warn!(%run, why, "what the team shares could not be written down")
                    }
                    Err(_) => {
                        tracing::warn!(%run, "what the team shares could not be written down: it panicked")
                    }
                }
                drop(in_flight);
            }
        }
    }

    /// A disk that refuses is not the run's matter.
    async fn keep(&self, path: &Path, run: &RunId) -> Result<(), String> {
        let folded = load(&*self.host.store, &StreamId::of_run(run)).await;
        let (state, head) = folded.map_err(|problem| problem.message)?;
        let team =
            team::team(&state, head.version, &*self.host.library).map_err(|error| error.to_string())?;
        let (Some(text), Some(about)) = (team, state.about()) else { return Ok(()) };
        let folder = Path::new(&*about.started.work_folder);
        let path = self.place(folder, path, run).await;
        write(folder, &path, &text).map_err(|error| error.to_string())
    }

    /// Where the file of a run is: where it is looked for first, unless another run that has not ended tells of itself there. Beside
    /// that it stays, once it is there.
    async fn place(&self, folder: &Path, path: &Path, run: &RunId) -> PathBuf {
        let beside = team::beside(path, run.as_str());
        if fs::symlink_metadata(folder.join(&beside)).is_ok() {
            return beside;
        }
        let there = files::read_text(&folder.join(path), FILE_BYTES_MAX);
        let other = there.ok().and_then(|text| team::unfinished(&text)).filter(|other| other != run);
        let Some(other) = other else { return path.to_path_buf() };
        // How it was when the file was written is known; it may have ended since, when nothing could be written any more.
        let stream = StreamId::of_run(&other);
        if load::<Run>(&*self.host.store, &stream).await.is_ok_and(|(state, _)| state.status().has_ended()) {
            return path.to_path_buf();
        }
        let (first, second) = (path.display(), beside.display());
        tracing::warn!(
            %run,
            "`{first}` tells of run {other}, which has not ended: what the team of this run shares is in `{second}`"
        );
        beside
    }

    fn wanted(&self) -> MutexGuard<'_, Wanted> {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wanted {
    fn give_up(&mut self, error: &io::Error) {
        tracing::warn!(%error, "what the team shares could not be written down");
        *self = Self::default();
    }
}

/// Writes a file below a folder, which has to be there; what is between is made, and may be no link. Who reads sees the old file
/// or the new one, never half of one.
fn write(folder: &Path, path: &Path, text: &str) -> io::Result<()> {
    let mut at = folder.to_path_buf();
    for part in path.parent().into_iter().flat_map(Path::components) {
        let Component::Normal(part) = part else { continue };
        at.push(part);
        files::folder(&at)?;
    }
    files::replace(&folder.join(path), text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_takes_the_place_of_an_older_one_and_no_link_is_followed() {
        let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let path = Path::new("a/b/team.json");
        for text in ["old", "new"] {
            write(folder.path(), path, text).unwrap();
            assert_eq!(std::fs::read_to_string(folder.path().join(path)).unwrap(), text);
        }
        assert_eq!(std::fs::read_dir(folder.path().join("a/b")).unwrap().count(), 1);
        // A link in its place is replaced, and one on the way refused.
        let target = elsewhere.path().join("target");
        std::fs::write(&target, "mine").unwrap();
        std::fs::remove_file(folder.path().join(path)).unwrap();
        std::os::unix::fs::symlink(&target, folder.path().join(path)).unwrap();
        write(folder.path(), path, "new").unwrap();
        assert_eq!(std::fs::read_to_string(&target).unwrap(), "mine");
        std::os::unix::fs::symlink(elsewhere.path(), folder.path().join("link")).unwrap();
        assert!(write(folder.path(), Path::new("link/team.json"), "x").is_err());
        assert!(!elsewhere.path().join("team.json").exists());
        // A work folder that is gone is not made again.
        assert!(write(&folder.path().join("gone"), path, "x").is_err());
    }
}
