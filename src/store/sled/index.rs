//! The positions of the events of each stream. It is a read model: the write path stores commits by
//! position only, because one more key for each, scattered by stream, would halve its throughput. What was
//! appended lately is in memory; from time to time it is saved, streams in order; when the store is opened it
//! is caught up from the commits themselves.
//!
//! A stream's index is a list of extents: an extent is a range of events that follow each other both in the
//! stream and in the store. When it is saved, the list is cut into chunks of at most [`CHUNK_EXTENTS_MAX`]
//! extents, so that no value exceeds what the tree can take.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::panic::{AssertUnwindSafe, catch_unwind};

use serde::{Deserialize, Serialize};
use sled::{Batch, Db};

use super::layout::{INDEX, index_key, index_prefix, read_index_key, read_index_stream};
use super::read::read_error;
use crate::events::codec;
use crate::events::ids::{Hash, Position, StreamId, Version};
use crate::events::limits::VALUE_BYTES_MAX;
use crate::store::{Head, ReadError};

/// How many extents a chunk holds at most.
const CHUNK_EXTENTS_MAX: usize = 200;

// An extent has two numbers of nine bytes at most, a chunk a hash and a length beside them.
const _: () = assert!(CHUNK_EXTENTS_MAX * 2 * 9 + 64 <= VALUE_BYTES_MAX);

/// How many heads of saved streams each of the two generations remembers: 6 MB together, and room for all
/// runs that a node of this kind works on at once.
const RECENT_HEADS: usize = 16 * 1024;

/// Events of a stream that follow each other in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Extent {
    /// The version of its first event.
    pub(super) first: Version,
    /// The position of its first event.
    pub(super) position: Position,
    /// The number of its events.
    pub(super) count: u64,
}

impl Extent {
    /// The version after its last event.
    const fn end(&self) -> Version {
        self.first.plus(self.count)
    }

    /// The part of it after a version; none if it ends before.
    fn after(self, version: Version) -> Option<Self> {
        let skipped = version.next().0.saturating_sub(self.first.0);
        let count = self.count.checked_sub(skipped).filter(|count| *count > 0)?;
        Some(Self { first: self.first.plus(skipped), position: self.position.plus(skipped), count })
    }

    /// The part of it before a version; none if it begins later.
    fn before(self, version: Version) -> Option<Self> {
        let count = self.count.min(version.0.checked_sub(self.first.0)?);
        (count > 0).then_some(Self { count, ..self })
    }
}

/// Adds an extent to a list, or extends the last one if the new one continues it.
fn push(extents: &mut Vec<Extent>, next: Extent) {
    match extents.last_mut() {
        Some(last) if last.end() == next.first && last.position.plus(last.count) == next.position => {
            last.count += next.count;
        }
        _ => extents.push(next),
    }
}

/// The end of a stream that is not saved in its index yet.
#[derive(Debug, Clone)]
pub(super) struct Tail {
    pub(super) head: Head,
    pub(super) extents: Vec<Extent>,
}

/// The part of the index that is in memory.
#[derive(Debug, Default)]
pub(super) struct Index {
    tails: HashMap<StreamId, Tail>,
    recent: Recent,
    /// The name beyond which no stream is saved, as bytes: empty where none is, none where that is not known. Ids of runs grow
    /// with time, so that most new ones are known to be new without a look into the tree.
    last_saved: Option<Vec<u8>>,
    /// The number of commits since streams were last chosen to be saved.
    unsaved_commits: usize,
}

impl Index {
    /// An index of which nothing is unsaved: all that there is lies in the tree.
    pub(super) fn of(db: &Db) -> Self {
        let last = || match db.scan_prefix(INDEX).keys().next_back() {
            None => Some(Vec::new()),
            // Where it is damaged, whoever reads there is told.
            Some(key) => read_index_stream(&key.ok()?).map(<[u8]>::to_vec),
        };
        let last_saved = catch_unwind(AssertUnwindSafe(last)).unwrap_or_default();
        Self { last_saved, ..Self::default() }
    }

    /// Takes note of durable events. Those of a stream come in order.
    pub(super) fn add(&mut self, stream: &StreamId, extent: Extent, hash: Hash) {
        let head = Head { version: Version(extent.end().0 - 1), hash };
        self.unsaved_commits += 1;
        match self.tails.entry(stream.clone()) {
            Entry::Occupied(mut tail) => {
                let tail = tail.get_mut();
                tail.head = head;
                push(&mut tail.extents, extent);
            }
            Entry::Vacant(entry) => {
                self.recent.forget(stream);
                entry.insert(Tail { head, extents: vec![extent] });
            }
        }
    }

    /// The head of a stream, version 0 of one that has no events; none if only the tree can tell.
    pub(super) fn known_head(&mut self, stream: &StreamId) -> Option<Head> {
        if let Some(tail) = self.tails.get(stream) {
            return Some(tail.head);
        }
        match &self.last_saved {
            Some(last) if stream.as_str().as_bytes() > last.as_slice() => Some(Head::default()),
            _ => self.recent.get(stream),
        }
    }

    /// Remembers the head of a saved stream.
    pub(super) fn remember(&mut self, stream: &StreamId, head: Head) {
        self.recent.insert(stream.clone(), head);
    }

    /// The unsaved events of a stream.
    pub(super) fn tail(&self, stream: &StreamId) -> Option<Tail> {
        self.tails.get(stream).cloned()
    }

    /// How many commits came since [`Index::unsaved_streams`] was called.
    pub(super) fn unsaved_commits(&self) -> usize {
        self.unsaved_commits
    }

    /// All streams that are to be saved, in descending order.
    pub(super) fn unsaved_streams(&mut self) -> Vec<StreamId> {
        self.unsaved_commits = 0;
        let mut streams: Vec<_> = self.tails.keys().cloned().collect();
        streams.sort_unstable_by(|a, b| b.cmp(a));
        streams
    }

    /// Takes note that a stream's tail was saved, and is found in the tree from now on.
    pub(super) fn saved(&mut self, stream: &StreamId) {
        if let Some(tail) = self.tails.remove(stream) {
            self.recent.insert(stream.clone(), tail.head);
            if let Some(last) =
                self.last_saved.as_mut().filter(|last| stream.as_str().as_bytes() > last.as_slice())
            {
                *last = stream.as_str().as_bytes().to_vec();
            }
        }
    }
}

/// Heads that were looked at lately. Two generations give a bound without a list in the order of use: when
/// the young one is full it becomes the old one, whose entries are forgotten unless somebody asks for them.
#[derive(Debug, Default)]
struct Recent {
    young: HashMap<StreamId, Head>,
    old: HashMap<StreamId, Head>,
}

impl Recent {
    fn get(&mut self, stream: &StreamId) -> Option<Head> {
        if let Some(head) = self.young.get(stream) {
            return Some(*head);
        }
        let (stream, head) = self.old.remove_entry(stream)?;
        self.insert(stream, head);
        Some(head)
    }

    fn insert(&mut self, stream: StreamId, head: Head) {
        if self.young.len() >= RECENT_HEADS {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(stream, head);
    }

    fn forget(&mut self, stream: &StreamId) {
        self.young.remove(stream);
        self.old.remove(stream);
    }
}

/// A chunk as it lies in the tree, under its stream and first version. Versions are not repeated, because the
/// extents of a stream have no gaps between them.
#[derive(Debug, Serialize, Deserialize)]
struct StoredChunk {
    head: Hash,
    /// For each extent how far its position is behind that of the one before it, and its number of events.
    extents: Vec<(u64, u64)>,
}

/// Consecutive extents of a stream.
#[derive(Debug)]
struct Chunk {
    /// The last event that it covers.
    head: Head,
    extents: Vec<Extent>,
}

impl Chunk {
    fn read(key: &[u8], value: &[u8]) -> Option<Self> {
        let stored: StoredChunk = codec::from_bytes(value).ok()?;
        let (mut first, mut position) = (read_index_key(key)?, Position(0));
        let mut extents = Vec::with_capacity(stored.extents.len());
        for (later, count) in stored.extents {
            position = position.plus(later);
            extents.push(Extent { first, position, count });
            first = first.plus(count);
        }
        let head = Head { version: Version(first.0.checked_sub(1)?), hash: stored.head };
        Some(Self { head, extents })
    }

    fn write(stream: &StreamId, extents: &[Extent], head: Hash, batch: &mut Batch) -> Result<(), ReadError> {
        let Some(first) = extents.first() else { return Ok(()) };
        let mut before = Position(0);
        let mut stored = StoredChunk { head, extents: Vec::with_capacity(extents.len()) };
        for extent in extents {
            stored.extents.push((extent.position.0 - before.0, extent.count));
            before = extent.position;
        }
        let bytes = codec::to_bytes(&stored).map_err(|error| ReadError::Failed(error.to_string()))?;
        batch.insert(index_key(stream, first.first), bytes);
        Ok(())
    }
}

fn unreadable(stream: &StreamId) -> ReadError {
    let what = format!("the index of `{stream}` cannot be read; without it, the next start makes it anew");
    ReadError::Damaged { position: Position(0), what }
}

/// What is wrong with an entry of the index; none if it can be read.
pub(super) fn wrong(key: &[u8], value: &[u8]) -> Option<String> {
    let stream = || String::from_utf8_lossy(read_index_stream(key).unwrap_or_default()).into_owned();
    match Chunk::read(key, value) {
        Some(_) => None,
        None => Some(format!("an entry of the index cannot be read, of `{}`", stream())),
    }
}

/// A stream's last chunk that begins at or before a version.
fn chunk_at(db: &Db, stream: &StreamId, version: Version) -> Result<Option<Chunk>, ReadError> {
    let (from, upto) = (index_prefix(stream), index_key(stream, version));
    let found = db.range(from..=upto).next_back().transpose().map_err(|error| read_error(&error))?;
    found.map(|(key, value)| Chunk::read(&key, &value).ok_or_else(|| unreadable(stream))).transpose()
}

/// The head of a stream, as it was when the stream was last saved.
pub(super) fn saved_head(db: &Db, stream: &StreamId) -> Result<Option<Head>, ReadError> {
    Ok(chunk_at(db, stream, Version(u64::MAX))?.map(|chunk| chunk.head))
}

/// Adds to a batch what has to be written to save a stream's tail.
pub(super) fn save(db: &Db, stream: &StreamId, tail: &Tail, batch: &mut Batch) -> Result<(), ReadError> {
    let last = chunk_at(db, stream, Version(u64::MAX))?;
    let (mut extents, saved) =
        last.map_or((Vec::new(), Version(0)), |last| (last.extents, last.head.version));
    // After a crash the tail may hold what had been saved already.
    for extent in tail.extents.iter().filter_map(|extent| extent.after(saved)) {
        push(&mut extents, extent);
    }
    let mut chunks = extents.chunks(CHUNK_EXTENTS_MAX).peekable();
    while let Some(chunk) = chunks.next() {
        // Only the head of a stream's last chunk is ever asked for.
        let head = if chunks.peek().is_none() { tail.head.hash } else { Hash::default() };
        Chunk::write(stream, chunk, head, batch)?;
    }
    Ok(())
}

/// The extents of a stream, from the one with the version after `after`, with at least `limit` events if the
/// stream has so many. `tail` is what was unsaved before this was called.
pub(super) fn extents(
    db: &Db,
    stream: &StreamId,
    tail: Option<Tail>,
    after: Version,
    limit: usize,
) -> Result<Vec<Extent>, ReadError> {
    let wanted = after.next();
    let tail = tail.map(|tail| tail.extents).unwrap_or_default();
    // What is saved meanwhile is in both.
    let unsaved = tail.first().map_or(Version(u64::MAX), |extent| extent.first);
    let mut found = Vec::new();
    let mut at = wanted;
    while at < unsaved && events_after(&found, wanted) < limit as u64 {
        let Some(chunk) = chunk_at(db, stream, at)?.filter(|chunk| chunk.head.version >= at) else { break };
        at = chunk.head.version.next();
        found.extend(chunk.extents.into_iter().filter_map(|extent| extent.before(unsaved)));
        found.retain(|extent| extent.end() > wanted);
    }
    found.extend(tail.into_iter().filter(|extent| extent.end() > wanted));
    Ok(found)
}

fn events_after(extents: &[Extent], wanted: Version) -> u64 {
    match (extents.first(), extents.last()) {
        (Some(first), Some(last)) => last.end().0 - wanted.max(first.first).0,
        _ => 0,
    }
}
