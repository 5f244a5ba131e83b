//! Reading commits back, in the order of positions.

use std::collections::BTreeMap;
use std::io;
use std::ops::Bound;

use sled::{Db, IVec};

use super::layout::{self, BLOBS, COMMITS, commit_key, commit_key_end, commit_part_key, read_commit_key};
use super::pack::{Bytes, Pack, RawCommit, Value, long_bytes};
use crate::events::commit::Recorded;
use crate::events::ids::{Hash, Position, StreamId, Version};
use crate::store::{ReadError, StoredCommit, ViewRow};

/// An error of sled, as the port's.
pub(super) fn read_error(error: &sled::Error) -> ReadError {
    let damaged = |what: String| ReadError::Damaged { position: Position(0), what };
    match error {
        sled::Error::Corruption { .. } => {
            damaged("a page of the store's file is not what was written".to_owned())
        }
        other if is_damage(other) => damaged(format!("the store's file is not what was written: {other}")),
        other => ReadError::Failed(other.to_string()),
    }
}

/// Whether sled found what it cannot have written, as opposed to a disk that fails.
pub(super) fn is_damage(error: &sled::Error) -> bool {
    match error {
        sled::Error::Io(error) => {
            matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData)
        }
        _ => true,
    }
}

/// The last key and value at or before a position: there lies the commit that holds the event, if one does.
fn value_at(db: &Db, position: Position) -> Result<Option<(Position, u16, IVec)>, ReadError> {
    let upto = commit_key_end(position);
    let last = db.range(commit_key(Position(0)).as_slice()..=upto.as_slice()).next_back();
    let last = last.transpose().map_err(|error| read_error(&error))?;
    Ok(last.and_then(|(key, value)| read_commit_key(&key).map(|(position, part)| (position, part, value))))
}

/// The position under which the commit that holds the event at `position` is stored; if there is none, that
/// of the last commit before it.
pub(super) fn key_at(db: &Db, position: Position) -> Result<Option<Position>, ReadError> {
    Ok(value_at(db, position)?.map(|(position, ..)| position))
}

/// Commits in order, between two positions.
pub(super) struct Commits {
    values: sled::Iter,
    from: Position,
    upto: Position,
    /// The pack from which the next commits are taken.
    pack: Option<Pack>,
    /// A value that was read too far, to see where the one before it ends.
    next: Option<(Position, u16, IVec)>,
}

impl Commits {
    /// From the commit that holds the event at `from` to the one that holds the event at `upto`.
    pub(super) fn between(db: &Db, from: Position, upto: Position) -> Result<Self, ReadError> {
        if from > upto {
            let values = db.range(commit_key(from).as_slice()..commit_key(from).as_slice());
            return Ok(Self { values, from, upto, pack: None, next: None });
        }
        // What was looked for is found with its value: a second search for it would cost as much again.
        let (begin, next) = match value_at(db, from)? {
            Some((position, 0, value)) => (commit_part_key(position, 1), Some((position, 0, value))),
            Some((position, ..)) => (commit_part_key(position, 0), None),
            None => (commit_part_key(from, 0), None),
        };
        let values = db.range(begin..IVec::from(&commit_key_end(upto)));
        Ok(Self { values, from, upto, pack: None, next })
    }

    fn value(&mut self) -> Result<Option<(Position, u16, IVec)>, ReadError> {
        if let Some(next) = self.next.take() {
            return Ok(Some(next));
        }
        let Some((key, value)) = self.values.next().transpose().map_err(|error| read_error(&error))? else {
            return Ok(None);
        };
        let (position, part) = read_commit_key(&key).ok_or_else(|| ReadError::Damaged {
            position: Position(0),
            what: format!("a key of {} bytes is none of a commit", key.len()),
        })?;
        Ok(Some((position, part, value)))
    }

    /// The next commit, also one that lies outside what was asked for.
    fn commit(&mut self) -> Result<Option<RawCommit>, ReadError> {
        loop {
            if let Some(commit) = self.pack.as_mut().and_then(Iterator::next) {
                return Ok(Some(commit));
            }
            let Some((position, part, value)) = self.value()? else { return Ok(None) };
            match Value::of(position, value) {
                Value::Pack(pack) if part == 0 => self.pack = Some(pack),
                Value::Long(first) if part == 0 => return self.long(position, &first).map(Some),
                // The first part of a long commit is gone, or is something else.
                _ => {
                    self.long(position, &IVec::default())?;
                    return Ok(Some(RawCommit::broken(position)));
                }
            }
        }
    }

    /// A long commit, whose other parts come next.
    fn long(&mut self, position: Position, first: &IVec) -> Result<RawCommit, ReadError> {
        let mut joined = Vec::new();
        while let Some((at, part, value)) = self.value()? {
            if at != position {
                self.next = Some((at, part, value));
                break;
            }
            if joined.is_empty() {
                joined.extend_from_slice(&long_bytes(first));
            }
            joined.extend_from_slice(&value);
        }
        let bytes = if joined.is_empty() { long_bytes(first) } else { Bytes::Joined(joined) };
        Ok(RawCommit { position, count: None, bytes })
    }
}

impl Iterator for Commits {
    type Item = Result<RawCommit, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.commit() {
                Ok(Some(commit)) if commit.ends_before(self.from) => {}
                Ok(Some(commit)) => return (commit.position <= self.upto).then_some(Ok(commit)),
                Ok(None) => return None,
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

/// At most `limit` events after a position and up to another.
pub(super) fn events_between(
    db: &Db,
    after: Position,
    upto: Position,
    limit: usize,
) -> Result<Vec<Recorded>, ReadError> {
    let mut events = Vec::new();
    if limit == 0 || after >= upto {
        return Ok(events);
    }
    let wanted = after.next();
    for raw in Commits::between(db, wanted, upto)? {
        let raw = raw?;
        let commit = match raw.borrow() {
            Ok(commit) => commit,
            // Answers the events before the damage; whoever reads on from there meets the damage.
            Err(_) if !events.is_empty() => break,
            Err(damaged) => return Err(damaged),
        };
        let (missing, skipped) = (limit - events.len(), wanted.0.saturating_sub(raw.position.0));
        events.extend(commit.recorded(raw.position, skipped).take(missing));
        if events.len() >= limit {
            break;
        }
    }
    Ok(events)
}

/// At most `limit` commits after a position and up to another, damaged ones too.
pub(super) fn commits_between(
    db: &Db,
    after: Position,
    upto: Position,
    limit: usize,
) -> Result<Vec<StoredCommit>, ReadError> {
    let commits = Commits::between(db, after.next(), upto)?;
    let later = commits.filter(|raw| raw.as_ref().map_or(true, |raw| raw.position > after));
    let stored = later.map(|raw| {
        let raw = raw?;
        Ok(StoredCommit { position: raw.position, size_bytes: raw.bytes.len() as u64, commit: raw.read() })
    });
    stored.take(limit).collect()
}

/// Events of a stream that follow each other in the store; the first has the version `first`
/// and lies at `position`.
pub(super) struct Stretch<'a> {
    pub(super) stream: &'a StreamId,
    pub(super) first: Version,
    pub(super) position: Position,
    /// The number of its events.
    pub(super) count: u64,
}

impl Stretch<'_> {
    /// Adds its events to `events`, until there are `limit` of them.
    pub(super) fn read(
        &self,
        db: &Db,
        after: Version,
        limit: usize,
        events: &mut Vec<Recorded>,
    ) -> Result<(), ReadError> {
        // Versions up to `after` are skipped without being read.
        let from = self.position.plus(after.next().0.saturating_sub(self.first.0));
        let upto = Position(self.position.0 + self.count - 1);
        for raw in Commits::between(db, from, upto)? {
            let raw = raw?;
            let commit = raw.borrow()?;
            if commit.header.stream != *self.stream {
                let what =
                    format!("there is an event of `{}`, not of `{}`", commit.header.stream, self.stream);
                return Err(ReadError::Damaged { position: raw.position, what });
            }
            let missing = limit - events.len();
            let skipped = after.next().0.saturating_sub(commit.header.first.0);
            events.extend(commit.recorded(raw.position, skipped).take(missing));
            // To look for another commit after the last one costs as much as finding it did.
            if events.len() >= limit || raw.position.plus(commit.count()) > upto {
                break;
            }
        }
        Ok(())
    }
}

/// The content of a blob that is in the tree.
pub(super) fn tree_blob(db: &Db, prefix: &[u8]) -> Result<Option<Vec<u8>>, ReadError> {
    let mut content = None;
    for part in db.scan_prefix(prefix) {
        let (_, value) = part.map_err(|error| read_error(&error))?;
        content.get_or_insert_with(|| Vec::with_capacity(layout::VALUE_BYTES_MAX)).extend_from_slice(&value);
    }
    Ok(content)
}

/// The sizes of at most `limit` blobs of the tree after a hash.
pub(super) fn tree_blobs(
    db: &Db,
    after: Option<Hash>,
    limit: usize,
) -> Result<BTreeMap<Hash, u64>, ReadError> {
    let mut sizes = BTreeMap::new();
    // No blob has so many parts that this is the key of one.
    let from = after.map_or_else(|| BLOBS.to_vec(), |after| layout::blob_part_key(&after, u8::MAX).to_vec());
    for part in db.range(from.as_slice()..COMMITS) {
        let (key, value) = part.map_err(|error| read_error(&error))?;
        let Some((hash, _)) = layout::read_blob_key(&key) else { continue };
        if sizes.len() >= limit && !sizes.contains_key(&hash) {
            break;
        }
        *sizes.entry(hash).or_default() += value.len() as u64;
    }
    Ok(sizes)
}

/// The position up to which a read model was saved.
pub(super) fn view_position(db: &Db, view: &str) -> Result<Position, ReadError> {
    let saved = db.get(layout::view_position_key(view)).map_err(|error| read_error(&error))?;
    Ok(Position(saved.and_then(|value| layout::read_number(&value)).unwrap_or(0)))
}

/// The row under a whole key.
pub(super) fn view_row(db: &Db, key: &[u8]) -> Result<Option<Vec<u8>>, ReadError> {
    let row = db.get(key).map_err(|error| read_error(&error))?;
    Ok(row.map(|bytes| bytes.to_vec()))
}

/// At most `limit` rows of a read model after a key.
pub(super) fn view_rows(
    db: &Db,
    view: &str,
    after: Option<&[u8]>,
    limit: usize,
) -> Result<Vec<ViewRow>, ReadError> {
    let prefix = layout::view_prefix(view.as_bytes());
    let from = after.map_or_else(
        || Bound::Included(prefix.clone()),
        |after| Bound::Excluded(layout::view_row_key(view, after)),
    );
    let mut rows = Vec::new();
    for row in db.range((from, Bound::Unbounded)).take(limit) {
        let (key, bytes) = row.map_err(|error| read_error(&error))?;
        let Some(key) = key.strip_prefix(prefix.as_slice()) else { break };
        rows.push(ViewRow { key: key.to_vec(), bytes: bytes.to_vec() });
    }
    Ok(rows)
}
