//! How commits become values and values commits.
//!
//! What a key costs sled is about as much as a commit of usual size costs it. So short commits of one group
//! that follow each other share a value: a pack. A commit too long for that has a value of its own, and
//! further values if it needs them.
//!
//! ```text
//! pack   1 (events: 1 byte, length: 2 bytes, commit)…
//! long   2 first part of the commit
//! ```

use std::ops::{Deref, Range};

use sled::IVec;

use super::layout::{self, commit_key, commit_part_key};
use super::writes::Writes;
use crate::events::commit::{Commit, CommitBytes};
use crate::events::ids::Position;
use crate::events::limits::VALUE_BYTES_MAX;
use crate::store::ReadError;

const PACK: u8 = 1;
const LONG: u8 = 2;

/// The bytes before each commit in a pack.
const FRAME_BYTES: usize = 3;

/// The longest commit that fits into a pack, in bytes.
const SHORT_BYTES_MAX: usize = VALUE_BYTES_MAX - 1 - FRAME_BYTES;

// Its length is two bytes of its frame.
const _: () = assert!(SHORT_BYTES_MAX <= u16::MAX as usize);

/// An encoded commit, as the task that appends it prepares it for the writer.
#[derive(Debug)]
pub(super) enum Encoded {
    /// Short enough for a pack.
    Short {
        /// The number of its events.
        count: u8,
        bytes: Vec<u8>,
    },
    /// Too long for a pack: its bytes cut into values.
    Long(Vec<IVec>),
}

impl Encoded {
    /// Prepares an encoded commit of `count` events; a long one is cut into values.
    pub(super) fn new(bytes: Vec<u8>, count: u64) -> Self {
        match u8::try_from(count) {
            Ok(count) if bytes.len() <= SHORT_BYTES_MAX => Self::Short { count, bytes },
            _ => Self::Long(layout::parts(&[&[LONG], bytes.as_slice()].concat())),
        }
    }

    /// How long it is, in bytes.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Short { bytes, .. } => bytes.len(),
            Self::Long(parts) => parts.iter().map(|part| part.len()).sum(),
        }
    }
}

/// Adds the commits of a group to its writes.
#[derive(Debug, Default)]
pub(super) struct Packer {
    first: Position,
    pack: Vec<u8>,
}

impl Packer {
    /// Adds the commit that begins at a position. The commits of a group must be added in order.
    pub(super) fn add(&mut self, position: Position, commit: Encoded, writes: &mut Writes) {
        match commit {
            Encoded::Short { count, bytes } => {
                if self.pack.len() + FRAME_BYTES + bytes.len() > VALUE_BYTES_MAX {
                    self.finish(writes);
                }
                if self.pack.is_empty() {
                    self.first = position;
                    self.pack.push(PACK);
                }
                let length = bytes.len() as u16;
                self.pack.push(count);
                self.pack.extend_from_slice(&length.to_le_bytes());
                self.pack.extend_from_slice(&bytes);
            }
            Encoded::Long(parts) => {
                self.finish(writes);
                for (part, value) in (0..).zip(parts) {
                    writes.insert(commit_part_key(position, part), value);
                }
            }
        }
    }

    /// Adds the pack that was begun, if there is one.
    pub(super) fn finish(&mut self, writes: &mut Writes) {
        if !self.pack.is_empty() {
            writes.insert(&commit_key(self.first), self.pack.as_slice());
            self.pack.clear();
        }
    }
}

/// The bytes of a commit.
#[derive(Debug)]
pub(super) enum Bytes {
    /// A range of a value.
    Shared(IVec, Range<usize>),
    /// Bytes put together from several values.
    Joined(Vec<u8>),
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Shared(value, range) => value.get(range.clone()).unwrap_or_default(),
            Self::Joined(bytes) => bytes,
        }
    }
}

/// A commit as it lies in the tree.
#[derive(Debug)]
pub(super) struct RawCommit {
    /// The position of its first event.
    pub(super) position: Position,
    /// How many events it should have, where that is known without decoding it.
    pub(super) count: Option<u64>,
    pub(super) bytes: Bytes,
}

impl RawCommit {
    /// Something at this position that is not a commit.
    pub(super) fn broken(position: Position) -> Self {
        Self { position, count: None, bytes: Bytes::Joined(Vec::new()) }
    }

    /// Whether all its events come before a position.
    pub(super) fn ends_before(&self, position: Position) -> bool {
        self.count.is_some_and(|count| self.position.plus(count) <= position)
    }

    /// The commit, or why the bytes are not one.
    pub(super) fn read(&self) -> Result<Commit, String> {
        let commit = Commit::from_bytes(&self.bytes).map_err(|error| error.to_string())?;
        self.check(commit.count()).map(|()| commit)
    }

    fn check(&self, count: u64) -> Result<(), String> {
        match self.count {
            Some(told) if told != count => Err(format!("a commit of {told} events has {count}")),
            _ => Ok(()),
        }
    }

    fn damaged(&self, what: String) -> ReadError {
        ReadError::Damaged { position: self.position, what }
    }

    /// Decodes the commit, except for its events, which are decoded when they are wanted.
    ///
    /// # Errors
    /// `Damaged`, at its position.
    pub(super) fn borrow(&self) -> Result<CommitBytes<'_>, ReadError> {
        let commit = CommitBytes::of(&self.bytes).map_err(|error| self.damaged(error.to_string()))?;
        self.check(commit.count()).map_err(|what| self.damaged(what))?;
        Ok(commit)
    }

    /// Decodes the whole commit.
    ///
    /// # Errors
    /// `Damaged`, at its position.
    pub(super) fn decode(&self) -> Result<Commit, ReadError> {
        self.read().map_err(|what| self.damaged(what))
    }
}

/// What the first value of one or several commits is.
pub(super) enum Value {
    Pack(Pack),
    /// The first part of a long commit.
    Long(IVec),
    /// A value that is neither.
    Unknown,
}

impl Value {
    pub(super) fn of(position: Position, value: IVec) -> Self {
        match value.first() {
            Some(&PACK) => Self::Pack(Pack::of(position, value)),
            Some(&LONG) => Self::Long(value),
            _ => Self::Unknown,
        }
    }
}

/// The commits of a pack, one by one.
#[derive(Debug)]
pub(super) struct Pack {
    position: Position,
    value: IVec,
    offset: usize,
}

impl Pack {
    /// The commits of a value that is a pack, whose first is at a position.
    pub(super) fn of(position: Position, value: IVec) -> Self {
        Self { position, value, offset: 1 }
    }
}

impl Iterator for Pack {
    type Item = RawCommit;

    fn next(&mut self) -> Option<RawCommit> {
        let position = self.position;
        let rest = self.value.get(self.offset..).filter(|rest| !rest.is_empty())?;
        let frame = rest.split_first_chunk::<FRAME_BYTES>().and_then(|([count, low, high], rest)| {
            let length = usize::from(u16::from_le_bytes([*low, *high]));
            (*count > 0 && length <= rest.len()).then_some((u64::from(*count), length))
        });
        let Some((count, length)) = frame else {
            // Where the next one begins is not known.
            self.offset = self.value.len();
            return Some(RawCommit::broken(position));
        };
        let begin = self.offset + FRAME_BYTES;
        self.offset = begin + length;
        self.position = position.plus(count);
        let bytes = Bytes::Shared(self.value.clone(), begin..begin + length);
        Some(RawCommit { position, count: Some(count), bytes })
    }
}

/// The first part of a long commit, without what says that it is one.
pub(super) fn long_bytes(first: &IVec) -> Bytes {
    Bytes::Shared(first.clone(), 1..first.len())
}
