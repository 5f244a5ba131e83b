//! The files for people in a run's folder. The one that tells what to undo by hand is written here, when a run has ended
//! in a way that needs one; those of requests are the scribe's.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::aggregates::run::Run;
use crate::events::ids::{RequestId, RunId, Version};
use crate::files;
use crate::views::presenters::ways::Wording;
use crate::views::presenters::{request, rollback};

/// The folder in which pages are written, and the words for commands in them.
#[derive(Debug, Clone)]
pub struct Pages {
    /// The folder with a folder for each run.
    pub folder: Arc<Path>,
    /// What a page names that can be done, in the words of who reads it.
    pub wording: Wording,
}

/// The path of the page of a run, in a folder with a folder for each run.
pub fn path(runs: &Path, run: &RunId) -> PathBuf {
    runs.join(run.as_str()).join(rollback::file_name(run))
}

/// The path of the page of a request for an approval.
pub fn of_request(runs: &Path, run: &RunId, request: &RequestId) -> PathBuf {
    runs.join(run.as_str()).join(request::file_name(request))
}

/// The path of the file that keeps what was found in the work folder for a request.
pub(super) fn of_found(runs: &Path, run: &RunId, request: &RequestId) -> PathBuf {
    runs.join(run.as_str()).join(request::found_file_name(request))
}

/// Whether a page is there. An empty one, as a power cut may leave it, is none.
pub fn is_there(runs: &Path, run: &RunId) -> bool {
    fs::symlink_metadata(path(runs, run)).is_ok_and(|file| file.is_file() && file.len() > 0)
}

/// Writes the page of a run that has ended, if it needs one, or has one that is out of date by now. A disk that refuses
/// is not the run's matter: the page is written again when the run is seen.
pub fn keep(pages: &Pages, run: &Run, version: Version) {
    let Some(about) = run.about() else { return };
    let runs = &pages.folder;
    if !rollback::is_owed(run) && !is_there(runs, &about.id) {
        return;
    }
    if let Some(text) = rollback::page(run, version, pages.wording)
        && let Err(error) = write(&path(runs, &about.id), &text)
    {
        tracing::warn!(run = %about.id, %error, "what to undo by hand could not be written down");
    }
}

/// Writes a page into a folder that need not be there yet. Who reads sees the old page or the new one, never half of one.
pub(super) fn write(page: &Path, text: &str) -> io::Result<()> {
    let folder = page.parent().into_iter();
    // A data folder that is gone is not made again.
    folder.clone().filter_map(Path::parent).chain(folder).try_for_each(files::folder)?;
    files::replace(page, text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_takes_the_place_of_an_older_one_and_nothing_else_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunId::parse("r").unwrap();
        assert!(!is_there(folder.path(), &run));
        for text in ["", "old", "new"] {
            write(&path(folder.path(), &run), text).unwrap();
            assert_eq!(is_there(folder.path(), &run), !text.is_empty());
        }
        let files: Vec<_> = fs::read_dir(folder.path().join("r")).unwrap().collect();
        assert_eq!(files.len(), 1);
        assert_eq!(fs::read_to_string(path(folder.path(), &run)).unwrap(), "new");
    }

    #[test]
    fn a_disk_that_refuses_is_an_error_and_no_panic() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("r"), "in the way").unwrap();
        let page = path(folder.path(), &RunId::parse("r").unwrap());
        assert!(write(&page, "page").is_err());
    }
}
