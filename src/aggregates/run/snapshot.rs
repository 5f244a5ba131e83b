//! A run's state as bytes. The shape is that of the structs themselves, so a change of any of them is one of it, which
//! `tests/snapshot.rs` notices.

use super::Run;
use crate::events::codec::{self, CodecError};

/// The number of this layout and of the rules that lead to it: see [`crate::kernel::Aggregate::SNAPSHOT_SCHEMA`].
pub(super) const SCHEMA: u16 = 30;

pub(super) fn write(run: &Run) -> Result<Vec<u8>, CodecError> {
    codec::to_bytes(run)
}

pub(super) fn read(bytes: &[u8]) -> Result<Run, CodecError> {
    codec::from_bytes(bytes)
}
