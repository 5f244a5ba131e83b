//! Proves a store whole, or names what is damaged.

use std::collections::{HashMap, HashSet};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use serde::Serialize;

use super::{EventStore, Head, ReadError, StoredCommit};
use crate::events::commit::{Commit, Recorded};
use crate::events::ids::{Hash, Position, StreamId, Version};
use crate::events::json::BlobRef;

/// How many commits are read at once: no more are held in memory.
const COMMITS_AT_ONCE: usize = 256;

/// How many hashes of blobs are read at once.
const BLOBS_AT_ONCE: usize = 4096;

/// How many findings a report holds; a store that has more is lost, and need not fill the memory.
pub const FINDINGS_MAX: usize = 1000;

/// The findings of a verification, with what it has read.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct VerifyReport {
    /// The number of events that can be read.
    pub events: u64,
    /// The number of commits that they are in.
    pub commits: u64,
    /// The number of streams that they belong to.
    pub streams: u64,
    /// The length of all encoded commits, in bytes.
    pub event_bytes: u64,
    /// What is wrong, in the order of positions, then what has no position; at most [`FINDINGS_MAX`].
    pub problems: Vec<Finding>,
    /// The first damage, also if `problems` had no room for it.
    #[serde(skip)]
    pub damage: Option<String>,
}

/// What is wrong, and whether it is damage. What could not be read this time may still be whole.
struct Wrong {
    what: String,
    is_damage: bool,
}

impl Wrong {
    fn damage(what: String) -> Self {
        Self { what, is_damage: true }
    }
}

impl From<ReadError> for Wrong {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Damaged { what, .. } => Self::damage(what),
            other => Self { what: other.to_string(), is_damage: false },
        }
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The first bad position; 0 for what is not an event.
    pub position: Position,
    /// The stream, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream: Option<StreamId>,
    /// The version in that stream.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<Version>,
    /// What is wrong, in one line.
    pub what: String,
    /// Whether the store is not what was written. It still is where an event is whole but
    /// unknown to this version.
    #[serde(skip)]
    pub is_damage: bool,
}

/// Walks all of a store and checks that commits decode, positions and versions have no gaps, hashes follow
/// from each other, what the store says of a stream is what its events say, every blob is what its hash says,
/// and all else can be read. It goes on after what is bad, as long as it has fewer than [`FINDINGS_MAX`]
/// findings. `inspect` sees every event, in order, and answers the blobs that it refers to (the store does
/// not know what events mean), or what is wrong with it. Memory: a few words for each stream and each blob.
///
/// # Errors
/// When the store is closed.
pub async fn verify(
    store: &dyn EventStore,
    inspect: impl FnMut(&Recorded) -> Result<Vec<BlobRef>, String>,
) -> Result<VerifyReport, ReadError> {
    let mut walk = Walk {
        store,
        inspect,
        report: VerifyReport::default(),
        next: Position(1),
        heads: HashMap::new(),
        blobs: HashSet::new(),
    };
    walk.commits().await?;
    walk.end();
    walk.streams().await?;
    walk.unreferenced_blobs().await?;
    for what in store.read_rest().await {
        walk.found(Position(0), None, Wrong::damage(what));
    }
    walk.report.streams = walk.heads.len() as u64;
    Ok(walk.report)
}

/// The first position after `after` behind which commits can be read again, where those right after it
/// cannot, because a part of the store's file is bad. None if there is no such position.
///
/// # Errors
/// When the store is closed.
async fn readable_after(store: &dyn EventStore, after: Position) -> Result<Option<Position>, ReadError> {
    let committed = *store.committed().borrow();
    let (mut bad, mut step) = (after, 1);
    let mut good = loop {
        let at = Position(bad.0.saturating_add(step).min(committed.0));
        if at <= bad {
            return Ok(None);
        }
        match store.read_commits(at, 1).await {
            Ok(_) => break at,
            Err(ReadError::Closed) => return Err(ReadError::Closed),
            Err(_) => (bad, step) = (at, step.saturating_mul(2)),
        }
    };
    while good.0 - bad.0 > 1 {
        let middle = Position(bad.0 + (good.0 - bad.0) / 2);
        match store.read_commits(middle, 1).await {
            Ok(_) => good = middle,
            Err(_) => bad = middle,
        }
    }
    Ok(Some(good))
}

/// The position before the first commit after `after` that can be read, where what comes right after it is
/// damaged; none if no more can be read.
///
/// # Errors
/// When the store is closed.
pub(super) async fn whole_after(
    store: &dyn EventStore,
    after: Position,
) -> Result<Option<Position>, ReadError> {
    let mut at = after;
    loop {
        match store.read_commits(at, 1).await {
            Ok(commits) => match commits.first() {
                None => return Ok(None),
                Some(StoredCommit { position, commit: Ok(_), .. }) => {
                    return Ok(Some(Position(position.0.saturating_sub(1)).max(after)));
                }
                Some(damaged) => at = damaged.position,
            },
            Err(ReadError::Closed) => return Err(ReadError::Closed),
            Err(_) => match readable_after(store, at).await? {
                Some(next) => at = next,
                None => return Ok(None),
            },
        }
    }
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
    report: VerifyReport,
    /// The position at which the next commit must begin.
    next: Position,
    heads: HashMap<StreamId, Head>,
    /// The blobs that were checked already.
    blobs: HashSet<Hash>,
}

impl<F: FnMut(&Recorded) -> Result<Vec<BlobRef>, String>> Walk<'_, F> {
    fn found(&mut self, position: Position, at: Option<(&StreamId, Version)>, wrong: Wrong) {
        let Wrong { what, is_damage } = wrong;
        if is_damage {
            self.report.damage.get_or_insert_with(|| what.clone());
        }
        if !self.is_full() {
            let (stream, version) = at.map(|(stream, version)| (stream.clone(), version)).unzip();
            self.report.problems.push(Finding { position, stream, version, what, is_damage });
        }
    }

    fn is_full(&self) -> bool {
        self.report.problems.len() >= FINDINGS_MAX
    }

    /// Reads all commits. Where many cannot be read together, they are read in smaller pieces, to find where
    /// the bad part begins and ends.
    async fn commits(&mut self) -> Result<(), ReadError> {
        let (mut after, mut at_once) = (Position(0), COMMITS_AT_ONCE);
        while !self.is_full() {
            match self.store.read_commits(after, at_once).await {
                Ok(commits) => {
                    let Some(last) = commits.last() else { break };
                    (after, at_once) = (last.position, COMMITS_AT_ONCE.min(at_once * 2));
                    commits.into_iter().for_each(|stored| self.commit(stored));
                }
                Err(ReadError::Closed) => return Err(ReadError::Closed),
                Err(_) if at_once > 1 => at_once = (at_once / 16).max(1),
                Err(error) => {
                    let first = if self.next > after { self.next } else { after.next() };
                    let next = readable_after(self.store, after).await?;
                    let upto = next.map_or_else(|| *self.store.committed().borrow(), Position::next);
                    let mut wrong = Wrong::from(error);
                    wrong.what =
                        format!("the events up to about position {upto} cannot be read: {}", wrong.what);
                    self.found(first, None, wrong);
                    // Where the next commit begins is not known.
                    self.next = Position(0);
                    let Some(next) = next else { break };
                    after = next;
                }
            }
        }
        Ok(())
    }

    fn commit(&mut self, stored: StoredCommit) {
        self.report.commits += 1;
        self.report.event_bytes += stored.size_bytes;
        match stored.commit {
            Err(what) => {
                self.found(stored.position, None, Wrong::damage(what));
                // How many events it had is not known: the next commit says.
                self.next = Position(0);
            }
            Ok(commit) => {
                if self.next != Position(0) && stored.position != self.next {
                    let what = format!("the events up to position {} are missing", stored.position);
                    self.found(self.next, None, Wrong::damage(what));
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
            self.found(position, Some((stream, first)), Wrong::damage(what));
        } else if let Err(broken) = commit.check_chain(parent) {
            let at = position.plus(broken.version.0.saturating_sub(first.0));
            self.found(at, Some((stream, broken.version)), Wrong::damage(broken.to_string()));
        }
        // From here on what is stored counts: one bad event is one finding.
        self.heads.insert(stream.clone(), Head { version: commit.last(), hash: commit.last_hash() });
    }

    fn event(&mut self, event: &Recorded) {
        self.report.events += 1;
        let at = Some((&event.header.stream, event.version));
        let inspected = (self.inspect)(event).unwrap_or_else(|what| {
            // It is whole, and says what nobody understands.
            self.found(event.position, at, Wrong { what, is_damage: false });
            Vec::new()
        });
        let decided = event.decision.iter().flat_map(|decision| &decision.blobs).copied();
        for blob in inspected.into_iter().chain(decided) {
            if self.blobs.insert(blob.hash)
                && let Err(wrong) = self.blob(blob)
            {
                self.found(event.position, at, wrong);
            }
        }
    }

    fn blob(&self, blob: BlobRef) -> Result<(), Wrong> {
        let BlobRef { hash, size_bytes } = blob;
        match self.store.blob(&hash)? {
            Some(content) if content.len() as u64 == size_bytes => Ok(()),
            Some(content) => {
                let what = format!("the blob {hash} has {} bytes, not {size_bytes}", content.len());
                Err(Wrong::damage(what))
            }
            None => Err(Wrong::damage(format!("the blob {hash} is missing"))),
        }
    }

    /// The last commit must end where the store says that it ends.
    fn end(&mut self) {
        let committed = *self.store.committed().borrow();
        if self.next != Position(0) && self.next <= committed {
            let what = format!("the events up to position {committed} are missing");
            self.found(self.next, None, Wrong::damage(what));
        }
        if let Some(damage) = self.store.damage().filter(|_| self.report.problems.is_empty()) {
            let position = match &damage {
                ReadError::Damaged { position, .. } => *position,
                _ => Position(0),
            };
            self.found(position, None, damage.into());
        }
    }

    /// What the store says of each stream's end must be what its events say.
    async fn streams(&mut self) -> Result<(), ReadError> {
        let mut streams: Vec<_> = self.heads.iter().map(|(stream, head)| (stream.clone(), *head)).collect();
        streams.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        for (stream, head) in streams {
            let wrong = match self.store.head(&stream).await {
                Ok(Some(told)) if told == head => continue,
                Ok(told) => {
                    let told = told.map_or(Version(0), |head| head.version);
                    let what = format!(
                        "the stream is indexed up to version {told}, its events go to {}",
                        head.version
                    );
                    Wrong::damage(what)
                }
                Err(ReadError::Closed) => return Err(ReadError::Closed),
                Err(error) => error.into(),
            };
            self.found(Position(0), Some((&stream, head.version)), wrong);
        }
        Ok(())
    }

    /// Checks the blobs that no event refers to any more: somebody may still look for them.
    async fn unreferenced_blobs(&mut self) -> Result<(), ReadError> {
        let mut after = None;
        loop {
            let blobs = match self.store.blobs(after, BLOBS_AT_ONCE).await {
                Err(ReadError::Closed) => return Err(ReadError::Closed),
                Err(error) => {
                    let mut wrong = Wrong::from(error);
                    wrong.what = format!("the blobs cannot be listed: {}", wrong.what);
                    self.found(Position(0), None, wrong);
                    return Ok(());
                }
                Ok(blobs) => blobs,
            };
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

#[cfg(test)]
mod tests;
