//! Reading commits back, in the order of positions.

use std::collections::BTreeMap;
use std::ops::{Bound, Deref};

use sled::{Db, IVec};

use super::layout::{self, BLOBS, COMMITS, commit_key, commit_key_end, read_commit_key};
use crate::events::commit::{Commit, Recorded};
use crate::events::ids::{Hash, Position, StreamId, Version};
use crate::store::{ReadError, StoredCommit, ViewRow};

/// What sled says, as the port says it.
pub(super) fn read_error(error: &sled::Error) -> ReadError {
    match error {
        sled::Error::Corruption { .. } => ReadError::Damaged {
            position: Position(0),
            what: "a page of the store's file is not what was written".to_owned(),
        },
        other => ReadError::Failed(other.to_string()),
    }
}

/// The position of the commit that holds the event at `position`, if the commits before it are whole; else that of
/// the last one that begins before it.
pub(super) fn commit_at(db: &Db, position: Position) -> Result<Option<Position>, ReadError> {
    let upto = commit_key_end(position);
    let last = db.range(commit_key(Position(0)).as_slice()..=upto.as_slice()).next_back();
    let last = last.transpose().map_err(|error| read_error(&error))?;
    Ok(last.and_then(|(key, _)| read_commit_key(&key)).map(|(position, _)| position))
}

/// The bytes of a commit.
pub(super) enum Bytes {
    /// As they lie in the tree.
    Whole(IVec),
    /// Put together from parts.
    Joined(Vec<u8>),
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Whole(value) => value,
            Self::Joined(bytes) => bytes,
        }
    }
}

/// A commit's bytes and the position of its first event.
pub(super) struct RawCommit {
    pub(super) position: Position,
    pub(super) bytes: Bytes,
}

impl RawCommit {
    /// The commit.
    ///
    /// # Errors
    /// `Damaged`, at its position.
    pub(super) fn decode(&self) -> Result<Commit, ReadError> {
        Commit::from_bytes(&self.bytes)
            .map_err(|error| ReadError::Damaged { position: self.position, what: error.to_string() })
    }
}

/// Commits from one position to another, in order.
pub(super) struct Commits {
    values: sled::Iter,
    /// The first part of the next commit.
    next: Option<(Position, IVec)>,
}

impl Commits {
    /// From the commit that begins at `from` (or the next one) to the last that begins at or before `upto`.
    pub(super) fn between(db: &Db, from: Position, upto: Position) -> Self {
        let (from, upto) = (commit_key(from), commit_key_end(upto));
        let values = if from.as_slice() <= upto.as_slice() {
            db.range(from.as_slice()..=upto.as_slice())
        } else {
            db.range(from.as_slice()..from.as_slice())
        };
        Self { values, next: None }
    }

    fn value(&mut self) -> Result<Option<(Position, u16, IVec)>, ReadError> {
        let Some((key, value)) = self.values.next().transpose().map_err(|error| read_error(&error))? else {
            return Ok(None);
        };
        let (position, part) = read_commit_key(&key).ok_or_else(|| ReadError::Damaged {
            position: Position(0),
            what: format!("a key of {} bytes is none of a commit", key.len()),
        })?;
        Ok(Some((position, part, value)))
    }

    fn commit(&mut self) -> Result<Option<RawCommit>, ReadError> {
        let first = match self.next.take() {
            Some(first) => Some(first),
            // A part other than the first only comes here if its first is lost; then the bytes do not decode.
            None => self.value()?.map(|(position, _, value)| (position, value)),
        };
        let Some((position, first)) = first else { return Ok(None) };
        let mut joined = Vec::new();
        while let Some((at, _, value)) = self.value()? {
            if at != position {
                self.next = Some((at, value));
                break;
            }
            if joined.is_empty() {
                joined.extend_from_slice(&first);
            }
            joined.extend_from_slice(&value);
        }
        let bytes = if joined.is_empty() { Bytes::Whole(first) } else { Bytes::Joined(joined) };
        Ok(Some(RawCommit { position, bytes }))
    }
}

impl Iterator for Commits {
    type Item = Result<RawCommit, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.commit().transpose()
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
    let from = commit_at(db, wanted)?.unwrap_or(wanted);
    for raw in Commits::between(db, from, upto) {
        let raw = raw?;
        let commit = match raw.decode() {
            Ok(commit) => commit,
            // What is in order before the damage is answered; whoever goes on from there meets the damage.
            Err(_) if !events.is_empty() => break,
            Err(damaged) => return Err(damaged),
        };
        let missing = limit - events.len();
        let recorded = commit.into_recorded(raw.position).skip_while(|event| event.position < wanted);
        events.extend(recorded.take(missing));
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
    let commits = Commits::between(db, after.next(), upto).take(limit);
    commits
        .map(|raw| {
            let raw = raw?;
            let commit = Commit::from_bytes(&raw.bytes).map_err(|error| error.to_string());
            Ok(StoredCommit { position: raw.position, size_bytes: raw.bytes.len() as u64, commit })
        })
        .collect()
}

/// Events of a stream that follow each other in the store, from `first` at `position`.
pub(super) struct Stretch<'a> {
    pub(super) stream: &'a StreamId,
    pub(super) first: Version,
    pub(super) position: Position,
    /// How many events.
    pub(super) count: u64,
}

impl Stretch<'_> {
    /// Adds its events, until there are `limit` of them.
    pub(super) fn read(
        &self,
        db: &Db,
        after: Version,
        limit: usize,
        events: &mut Vec<Recorded>,
    ) -> Result<(), ReadError> {
        // Versions up to `after` are skipped without being read; the commit that holds the next may begin earlier.
        let skipped = after.next().0.saturating_sub(self.first.0);
        let from = match skipped {
            0 => self.position,
            _ => commit_at(db, self.position.plus(skipped))?.unwrap_or(self.position),
        };
        let upto = Position(self.position.0 + self.count - 1);
        for raw in Commits::between(db, from, upto) {
            let raw = raw?;
            let commit = raw.decode()?;
            if commit.header.stream != *self.stream {
                let what =
                    format!("there is an event of `{}`, not of `{}`", commit.header.stream, self.stream);
                return Err(ReadError::Damaged { position: raw.position, what });
            }
            let missing = limit - events.len();
            let recorded = commit.into_recorded(raw.position).skip_while(|event| event.version <= after);
            events.extend(recorded.take(missing));
            if events.len() >= limit {
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
