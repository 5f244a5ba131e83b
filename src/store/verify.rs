//! Proves a store whole, or names what is not.

use std::collections::{HashMap, HashSet};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use serde::Serialize;

use super::{EventStore, Head, ReadError, StoredCommit};
use crate::events::commit::{Commit, Recorded};
use crate::events::ids::{Hash, Position, StreamId, Version};
use crate::events::json::BlobRef;

/// How many commits are read at once: memory holds at most so many.
const COMMITS_AT_ONCE: usize = 256;

/// How many hashes of blobs are read at once.
const BLOBS_AT_ONCE: usize = 4096;

/// How many findings a report holds; a store that has more is lost, and one that is lost need not fill the memory.
pub const FINDINGS_MAX: usize = 1000;

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Report {
    /// How many events can be read.
    pub events: u64,
    /// How many commits they are in.
    pub commits: u64,
    /// How many streams they belong to.
    pub streams: u64,
    /// The length of all encoded commits, in bytes.
    pub event_bytes: u64,
    /// What is wrong, in the order of positions, then what has none; at most [`FINDINGS_MAX`].
    pub problems: Vec<Finding>,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The first bad position; 0 for what is no event.
    pub position: Position,
    /// The stream, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream: Option<StreamId>,
    /// The version in that stream.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<Version>,
    /// What is wrong, in one line.
    pub what: String,
}

/// Walks all of a store: that commits decode, positions and versions have no gaps, hashes follow from each other, what
/// the store says of a stream is what its events say, and every blob is what its hash says. It goes on after what is
/// bad. `inspect` sees every event, in order, and answers the blobs that it refers to (the store does not know what
/// events mean), or what is wrong with it. Memory: a few words for each stream and each blob.
///
/// # Errors
/// When the store cannot be read at all.
pub async fn verify(
    store: &dyn EventStore,
    inspect: impl FnMut(&Recorded) -> Result<Vec<BlobRef>, String>,
) -> Result<Report, ReadError> {
    let mut walk = Walk {
        store,
        inspect,
        report: Report::default(),
        next: Position(1),
        heads: HashMap::new(),
        blobs: HashSet::new(),
    };
    let mut after = Position(0);
    loop {
        let commits = store.read_commits(after, COMMITS_AT_ONCE).await?;
        let Some(last) = commits.last() else { break };
        after = last.position;
        commits.into_iter().for_each(|stored| walk.commit(stored));
    }
    walk.end().await?;
    walk.streams().await?;
    walk.unreferenced_blobs().await?;
    walk.report.streams = walk.heads.len() as u64;
    Ok(walk.report)
}

/// The blocks that everything below a folder takes on the disk, in bytes.
///
/// # Errors
/// When something there cannot be looked at.
pub fn disk_bytes(folder: &Path) -> io::Result<u64> {
    /// The unit of `st_blocks`, whatever the file system's own is.
    const BLOCK_BYTES: u64 = 512;
    let mut bytes = std::fs::symlink_metadata(folder)?.blocks() * BLOCK_BYTES;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        bytes += match entry.file_type()?.is_dir() {
            true => disk_bytes(&entry.path())?,
            false => entry.metadata()?.blocks() * BLOCK_BYTES,
        };
    }
    Ok(bytes)
}

struct Walk<'a, F> {
    store: &'a dyn EventStore,
    inspect: F,
    report: Report,
    /// Where the next commit must begin.
    next: Position,
    heads: HashMap<StreamId, Head>,
    /// The blobs that were looked at.
    blobs: HashSet<Hash>,
}

impl<F: FnMut(&Recorded) -> Result<Vec<BlobRef>, String>> Walk<'_, F> {
    fn found(&mut self, position: Position, at: Option<(&StreamId, Version)>, what: String) {
        if self.report.problems.len() < FINDINGS_MAX {
            let (stream, version) = at.map(|(stream, version)| (stream.clone(), version)).unzip();
            self.report.problems.push(Finding { position, stream, version, what });
        }
    }

    fn commit(&mut self, stored: StoredCommit) {
        self.report.commits += 1;
        self.report.event_bytes += stored.size_bytes;
        match stored.commit {
            Err(what) => {
                self.found(stored.position, None, what);
                // How many events it had is not known: the next commit says.
                self.next = Position(0);
            }
            Ok(commit) => {
                if self.next != Position(0) && stored.position != self.next {
                    self.found(
                        self.next,
                        None,
                        format!("the events up to position {} are missing", stored.position),
                    );
                }
                self.next = stored.position.plus(commit.count());
                self.chain(stored.position, &commit);
                commit.into_recorded(stored.position).for_each(|event| self.event(&event));
            }
        }
    }

    /// Checks that a commit follows from the one before it in its stream.
    fn chain(&mut self, position: Position, commit: &Commit) {
        let (stream, first) = (&commit.header.stream, commit.header.first);
        let head = self.heads.get(stream).copied();
        let (last, parent) = head.map_or((Version(0), Hash::default()), |head| (head.version, head.hash));
        if last.next() != first {
            let what = format!("version {first} follows version {last}");
            self.found(position, Some((stream, first)), what);
        } else if let Err(broken) = commit.check_chain(parent) {
            let at = position.plus(broken.version.0.saturating_sub(first.0));
            self.found(at, Some((stream, broken.version)), broken.to_string());
        }
        // From here on what is stored counts: one bad event is one finding.
        self.heads.insert(stream.clone(), Head { version: commit.last(), hash: commit.last_hash() });
    }

    fn event(&mut self, event: &Recorded) {
        self.report.events += 1;
        let at = Some((&event.header.stream, event.version));
        match (self.inspect)(event) {
            Err(what) => self.found(event.position, at, what),
            Ok(blobs) => {
                for blob in blobs {
                    if self.blobs.insert(blob.hash)
                        && let Err(what) = self.blob(blob)
                    {
                        self.found(event.position, at, what);
                    }
                }
            }
        }
    }

    fn blob(&self, blob: BlobRef) -> Result<(), String> {
        match self.store.blob(&blob.hash) {
            Ok(Some(content)) if content.len() as u64 == blob.size_bytes => Ok(()),
            Ok(Some(content)) => {
                Err(format!("the blob {} has {} bytes, not {}", blob.hash, content.len(), blob.size_bytes))
            }
            Ok(None) => Err(format!("the blob {} is missing", blob.hash)),
            Err(ReadError::Damaged { what, .. }) => Err(what),
            Err(error) => Err(error.to_string()),
        }
    }

    /// The last commit must end where the store says that it ends.
    async fn end(&mut self) -> Result<(), ReadError> {
        let committed = *self.store.committed().borrow();
        if self.next != Position(0) && self.next <= committed {
            self.found(self.next, None, format!("the events up to position {committed} are missing"));
        }
        if let Some(damage) = self.store.damage().filter(|_| self.report.problems.is_empty()) {
            match damage {
                ReadError::Damaged { position, what } => self.found(position, None, what),
                other => self.found(Position(0), None, other.to_string()),
            }
        }
        Ok(())
    }

    /// What the store says of each stream's end must be what its events say.
    async fn streams(&mut self) -> Result<(), ReadError> {
        let mut streams: Vec<_> = self.heads.iter().map(|(stream, head)| (stream.clone(), *head)).collect();
        streams.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        for (stream, head) in streams {
            let what = match self.store.head(&stream).await {
                Ok(Some(told)) if told == head => continue,
                Ok(told) => {
                    let told = told.map_or(Version(0), |head| head.version);
                    format!("the stream is indexed up to version {told}, its events go to {}", head.version)
                }
                Err(ReadError::Damaged { what, .. }) => what,
                Err(error) => return Err(error),
            };
            self.found(Position(0), Some((&stream, head.version)), what);
        }
        Ok(())
    }

    /// No event that is still there refers to them, but somebody may look for them.
    async fn unreferenced_blobs(&mut self) -> Result<(), ReadError> {
        let mut after = None;
        loop {
            let blobs = self.store.blobs(after, BLOBS_AT_ONCE).await?;
            let Some(last) = blobs.last() else { return Ok(()) };
            after = Some(last.hash);
            for blob in blobs {
                if !self.blobs.contains(&blob.hash)
                    && let Err(what) = self.blob(blob)
                {
                    self.found(Position(0), None, what);
                }
            }
        }
    }
}
