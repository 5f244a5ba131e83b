//! Changes that are put into the tree together, all or nothing.

use sled::{Batch, Db, IVec};

/// Changes of the tree, by key. No key comes twice.
#[derive(Debug, Default)]
pub(super) struct Writes(Vec<(IVec, Option<IVec>)>);

impl Writes {
    /// Adds a value under a key.
    pub(super) fn insert(&mut self, key: impl Into<IVec>, value: impl Into<IVec>) {
        self.0.push((key.into(), Some(value.into())));
    }

    /// Removes the key from the tree.
    pub(super) fn remove(&mut self, key: impl Into<IVec>) {
        self.0.push((key.into(), None));
    }

    /// Applies the changes to the tree.
    ///
    /// One value alone needs no batch: sled writes it in one piece. Before a batch it writes a buffer of its
    /// own that says how long the batch is; a commit that waits only for the disk would then wait twice.
    pub(super) fn apply(self, db: &Db) -> sled::Result<()> {
        let mut writes = self.0.into_iter();
        match (writes.next(), writes.len()) {
            (Some((key, Some(value))), 0) => db.insert(key, value).map(drop),
            (first, _) => {
                let mut batch = Batch::default();
                for (key, value) in first.into_iter().chain(writes) {
                    match value {
                        Some(value) => batch.insert(key, value),
                        None => batch.remove(key),
                    }
                }
                db.apply_batch(batch)
            }
        }
    }
}
