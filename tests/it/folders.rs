//! Data folders of all kinds: that one may only read, that others made, that are copies, that go away.

mod copies;
mod links;
mod looks;
mod others;
mod trust;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::support::{Ended, Sandbox};

/// Every verb that only looks, at a run `one` with a step `a`.
pub(crate) const LOOKS: [&[&str]; 10] = [
    &["list"],
    &["status", "one"],
    &["status", "one", "--watch"],
    &["history", "one"],
    &["replay", "one", "--at", "2"],
    &["logs", "one"],
    &["logs", "one", "a", "--follow"],
    &["transcript", "one", "a"],
    &["rollback", "one", "--dry-run"],
    &["verify"],
];

/// How each of them ends after that run has failed: who watches it learns how it ended.
pub(crate) fn code_of_look(verb: &[&str]) -> Option<i32> {
    Some(i32::from(verb.contains(&"--watch")))
}

/// A machine with a run `one` that has failed.
fn failed() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("bad.yaml", "name: bad\nsteps:\n  - {id: a, run: 'echo said; exit 65'}\n");
    let ended = sandbox.reenact(&["run", "bad.yaml", "--id", "one"]);
    assert_eq!(ended.code(), Some(1), "{ended}");
    sandbox
}

/// Everything below a folder: modes, times and contents.
pub(crate) fn all(folder: &Path) -> BTreeMap<PathBuf, (u32, i64, Vec<u8>)> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap().map(Result::unwrap) {
            let file = fs::symlink_metadata(entry.path()).unwrap();
            let content = if file.is_file() { fs::read(entry.path()).unwrap() } else { Vec::new() };
            found.insert(entry.path(), (file.mode(), file.mtime_nsec(), content));
            if file.is_dir() {
                folders.push(entry.path());
            }
        }
    }
    found
}

/// The code of the problem that a verb with `--json` ended with.
fn code_of(ended: &Ended) -> String {
    ended.json()["error"]["code"].as_str().unwrap().to_owned()
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}
