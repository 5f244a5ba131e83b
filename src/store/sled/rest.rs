//! Reading everything that is neither commit nor blob, to prove a store whole.

use sled::Db;

use super::index;
use super::layout::{BLOBS, COMMITS, INDEX};
use super::read::read_error;

/// What of it cannot be read, a line for each.
pub(super) fn wrong(db: &Db) -> Vec<String> {
    // No other kind of key lies between those of blobs and of commits.
    let after = COMMITS.iter().map(|byte| byte + 1).collect::<Vec<_>>();
    let (before, after) = (db.range(..BLOBS), db.range(after..));
    let mut wrong = Vec::new();
    for entries in [before, after] {
        for entry in entries {
            match entry {
                Ok((key, value)) if key.starts_with(INDEX) => wrong.extend(index::wrong(&key, &value)),
                Ok(_) => {}
                Err(error) => {
                    wrong.push(read_error(&error).to_string());
                    break;
                }
            }
        }
    }
    wrong
}
