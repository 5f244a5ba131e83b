//! Saved folds of streams: caches that may be thrown away at any time.

use super::AppendError;
use crate::events::ids::{Hash, Version};
pub use crate::events::limits::SNAPSHOT_BYTES_MAX;

/// The fold of a stream up to a version. To the store it is bytes with a schema number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The version up to which events were folded.
    pub version: Version,
    /// The hash of the event at that version. Where the stream has another, the snapshot belongs to another
    /// history; the reader must compare.
    pub hash: Hash,
    /// The number of the state's layout.
    pub schema: u16,
    /// The state; at most [`SNAPSHOT_BYTES_MAX`] bytes.
    pub bytes: Vec<u8>,
}

/// Fails if a snapshot can never be stored.
pub(super) fn check(snapshot: &Snapshot) -> Result<(), AppendError> {
    let refused = |why: String| Err(AppendError::Refused(why));
    match snapshot {
        Snapshot { version: Version(0), .. } => refused("an empty stream needs no snapshot".to_owned()),
        Snapshot { bytes, .. } if bytes.len() > SNAPSHOT_BYTES_MAX => {
            refused(format!("a snapshot of {} bytes is too large", bytes.len()))
        }
        _ => Ok(()),
    }
}
