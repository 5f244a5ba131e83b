//! What every store refuses before it touches the disk, so that all refuse alike.

use crate::events::commit::Commit;
use crate::events::json::Blob;
use crate::events::limits::{BLOB_BYTES_MAX, STREAM_NAME_BYTES_MAX, VIEW_KEY_BYTES_MAX, VIEW_ROW_BYTES_MAX};

use super::{AppendError, ViewChange};

/// Encodes a commit; fails if it or one of its blobs can never be stored.
pub(super) fn encode(commit: &Commit, blobs: &[Blob]) -> Result<Vec<u8>, AppendError> {
    let refused = |why: &str| Err(AppendError::Refused(why.to_owned()));
    let (header, name) = (&commit.header, commit.header.stream.as_str());
    if commit.events.is_empty() {
        return refused("it has no events");
    }
    if header.first.0 == 0 {
        return refused("versions count from 1");
    }
    if header.first.0.checked_add(commit.count()).is_none() {
        return refused("there is no version so high");
    }
    if header.origin.is_some() {
        return refused("this version does not store streams that go on from another's prefix");
    }
    if name.is_empty() || name.len() > STREAM_NAME_BYTES_MAX || name.contains('\0') {
        return refused("a stream's name has 1 to 512 bytes, none of them zero");
    }
    if let Some(blob) = blobs.iter().find(|blob| blob.reference.size_bytes > BLOB_BYTES_MAX) {
        let size = blob.reference.size_bytes;
        return refused(&format!("a blob of {size} bytes is longer than {BLOB_BYTES_MAX}"));
    }
    commit.to_bytes().map_err(|error| AppendError::Refused(error.to_string()))
}

/// Fails if a row of a read model can never be stored.
pub(super) fn check_rows(rows: &[ViewChange]) -> Result<(), AppendError> {
    for row in rows {
        let row_bytes = row.bytes.as_ref().map_or(0, Vec::len);
        if row.key.len() > VIEW_KEY_BYTES_MAX || row_bytes > VIEW_ROW_BYTES_MAX {
            let key = String::from_utf8_lossy(&row.key).into_owned();
            return Err(AppendError::Refused(format!("the row `{key}` of a read model is too long")));
        }
    }
    Ok(())
}
