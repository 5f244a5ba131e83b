//! Keys and values in sled's one tree. Each kind of thing has a prefix; numbers are big-endian, so that keys
//! sort as numbers do.
//!
//! | key | value |
//! |---|---|
//! | `b` hash part | a part of a blob; the part is one byte |
//! | `c` position | commits, under the position of the first event: [`super::pack`] |
//! | `c` position part | further parts of a long commit; the part is two bytes, from 1 |
//! | `i` stream 0 version | which positions the stream's events from that version on have: [`super::index`] |
//! | `m` name | a fact about the store itself |
//! | `p` view | the position up to which a read model was saved |
//! | `v` view 0 key | a row of a read model |
//!
//! A leaf page of sled over 128 KiB goes to a file that is never synced, and a leaf splits only above 16
//! items, so no value exceeds [`VALUE_BYTES_MAX`].

use sled::IVec;

use crate::events::commit::COMMIT_FORMAT;
use crate::events::ids::{Hash, Position, StreamId, Version};
pub(super) use crate::events::limits::VALUE_BYTES_MAX;
use crate::events::limits::{COMMIT_BYTES_MAX, TREE_BLOB_BYTES_MAX, VIEW_ROW_BYTES_MAX};

// The number of a part never comes round to a smaller one: of a commit it is two bytes, of a blob one.
const _: () = assert!(COMMIT_BYTES_MAX / VALUE_BYTES_MAX < u16::MAX as usize);
const _: () = assert!(TREE_BLOB_BYTES_MAX / VALUE_BYTES_MAX < u8::MAX as usize);
const _: () = assert!(VIEW_ROW_BYTES_MAX <= VALUE_BYTES_MAX);

/// The position up to which the stream index is saved.
pub(super) const INDEXED: &[u8] = b"mindexed";

/// The key of this layout's number. Another layout gets another number, which older versions refuse.
pub(super) const FORMAT: &[u8] = b"mformat";

/// The layout that this file describes. A store gets it with the first commit that records its decisions, in
/// one batch with that commit.
pub const FORMAT_NUMBER: u64 = 2;

/// The layout of a store all of whose commits are of format 1; otherwise it is the same.
pub const FIRST_FORMAT_NUMBER: u64 = 1;

/// The number of the layout that a store has once it holds a commit of that format.
pub(super) const fn format_with(commit_format: u8) -> u64 {
    if commit_format < COMMIT_FORMAT { FIRST_FORMAT_NUMBER } else { FORMAT_NUMBER }
}

/// The prefix of all commits.
pub(super) const COMMITS: &[u8] = b"c";

/// The prefix of all blobs in the tree.
pub(super) const BLOBS: &[u8] = b"b";

/// The prefix of the stream index.
pub(super) const INDEX: &[u8] = b"i";

/// The prefix of the positions of read models.
pub(super) const VIEW_POSITIONS: &[u8] = b"p";

/// The key of the first part of a commit.
pub(super) fn commit_key(position: Position) -> [u8; 9] {
    let mut key = [b'c'; 9];
    let (_, number) = key.split_at_mut(1);
    number.copy_from_slice(&position.0.to_be_bytes());
    key
}

/// The key of a part of a commit.
pub(super) fn commit_part_key(position: Position, part: u16) -> IVec {
    if part == 0 {
        return IVec::from(&commit_key(position));
    }
    IVec::from([commit_key(position).as_slice(), &part.to_be_bytes()].concat())
}

/// The last key that any part of the commit at a position could have.
pub(super) fn commit_key_end(position: Position) -> [u8; 11] {
    let mut key = [0xff; 11];
    let (head, _) = key.split_at_mut(9);
    head.copy_from_slice(&commit_key(position));
    key
}

/// The position and the part that the key of a commit names.
pub(super) fn read_commit_key(key: &[u8]) -> Option<(Position, u16)> {
    let (number, part) = key.strip_prefix(COMMITS)?.split_first_chunk::<8>()?;
    let part = if part.is_empty() { 0 } else { u16::from_be_bytes(part.try_into().ok()?) };
    Some((Position(u64::from_be_bytes(*number)), part))
}

/// The start of the keys of a blob's parts.
pub(super) fn blob_prefix(hash: &Hash) -> [u8; 33] {
    let mut key = [b'b'; 33];
    let (_, name) = key.split_at_mut(1);
    name.copy_from_slice(&hash.0);
    key
}

/// The key of a part of a blob.
pub(super) fn blob_part_key(hash: &Hash, part: u8) -> [u8; 34] {
    let mut key = [part; 34];
    let (head, _) = key.split_at_mut(33);
    head.copy_from_slice(&blob_prefix(hash));
    key
}

/// The hash and the part that the key of a blob names.
pub(super) fn read_blob_key(key: &[u8]) -> Option<(Hash, u8)> {
    match key.strip_prefix(BLOBS)?.split_first_chunk::<32>()? {
        (hash, [part]) => Some((Hash(*hash), *part)),
        _ => None,
    }
}

/// The prefix of the index keys of a stream. Names of streams hold no zero byte, so none is
/// a prefix of another.
pub(super) fn index_prefix(stream: &StreamId) -> Vec<u8> {
    [INDEX, stream.as_str().as_bytes(), &[0]].concat()
}

/// The key of a stream's index entry that begins with a version.
pub(super) fn index_key(stream: &StreamId, first: Version) -> Vec<u8> {
    [INDEX, stream.as_str().as_bytes(), &[0], &first.0.to_be_bytes()].concat()
}

/// The version with which an index entry begins.
pub(super) fn read_index_key(key: &[u8]) -> Option<Version> {
    key.last_chunk::<8>().map(|number| Version(u64::from_be_bytes(*number)))
}

/// The name of the stream of an index entry.
pub(super) fn read_index_stream(key: &[u8]) -> Option<&[u8]> {
    key.strip_prefix(INDEX)?.split(|byte| *byte == 0).next()
}

/// The key of the position up to which a read model was saved.
pub(super) fn view_position_key(view: &str) -> Vec<u8> {
    [VIEW_POSITIONS, view.as_bytes()].concat()
}

/// The start of the keys of a read model's rows.
pub(super) fn view_prefix(view: &[u8]) -> Vec<u8> {
    [b"v", view, &[0]].concat()
}

/// The key of a row of a read model.
pub(super) fn view_row_key(view: &str, key: &[u8]) -> Vec<u8> {
    [b"v", view.as_bytes(), &[0], key].concat()
}

/// A number as a value.
pub(super) fn number(value: u64) -> IVec {
    IVec::from(&value.to_be_bytes())
}

/// The number that a value holds; none if it is not eight bytes long.
pub(super) fn read_number(value: &[u8]) -> Option<u64> {
    value.try_into().ok().map(u64::from_be_bytes)
}

/// Splits bytes into values, at least one, each as long as a value may be except for the last.
pub(super) fn parts(bytes: &[u8]) -> Vec<IVec> {
    match bytes {
        [] => vec![IVec::default()],
        bytes => bytes.chunks(VALUE_BYTES_MAX).map(IVec::from).collect(),
    }
}
