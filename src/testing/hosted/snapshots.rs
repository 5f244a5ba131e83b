//! Saves snapshots of folds, and loads them again.

use super::{Hosted, at_once};
use crate::events::commit::Head;
use crate::kernel::Aggregate;
use crate::kernel::fold::Fold;
use crate::store::{EventStore, Snapshot};

impl<A: Aggregate + PartialEq, L> Hosted<A, L> {
    /// The last snapshot that was saved, restored; none if there is none.
    pub(super) fn saved(&self) -> Result<Option<Fold<A>>, String> {
        let versions = at_once(self.store.snapshots(&self.stream))?.map_err(|error| error.to_string())?;
        let Some(version) = versions.last() else { return Ok(None) };
        let saved =
            at_once(self.store.snapshot(&self.stream, *version))?.map_err(|error| error.to_string())?;
        let Some(Snapshot { version, hash, bytes, schema }) = saved else { return Ok(None) };
        let restored = Fold::restore(Head { version, hash }, schema, &bytes);
        let restored = restored.ok_or_else(|| format!("a snapshot has schema {schema}"))?;
        restored.map(Some).map_err(|error| error.to_string())
    }

    pub(super) fn save(&mut self, head: Head, bytes: Vec<u8>) -> Result<(), String> {
        let schema = Fold::<A>::SNAPSHOT_SCHEMA;
        let restored = Fold::<A>::restore(head, schema, &bytes).and_then(Result::ok);
        if head != self.stored.head || restored.is_none_or(|fold| fold.state != self.stored.state) {
            return Err("a snapshot is not of what is stored".to_owned());
        }
        let snapshot = Snapshot { version: head.version, hash: head.hash, schema, bytes };
        at_once(self.store.save_snapshot(&self.stream, snapshot))?.map_err(|error| error.to_string())
    }
}
