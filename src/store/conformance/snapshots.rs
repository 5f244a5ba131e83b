use std::sync::Arc;

use super::kit::{noise, stream};
use super::{Broken, holds, same, went};
use crate::events::ids::{Hash, StreamId, Version};
use crate::store::{AppendError, EventStore, SNAPSHOT_BYTES_MAX, Snapshot};

type Store = Arc<dyn EventStore>;

pub(super) fn of(version: u64, bytes: &[u8]) -> Snapshot {
    let hash = Hash::of(&version.to_le_bytes());
    Snapshot { version: Version(version), hash, schema: 7, bytes: bytes.to_vec() }
}

async fn save(store: &Store, stream: &StreamId, snapshot: Snapshot) -> Result<(), Broken> {
    went("save_snapshot", store.save_snapshot(stream, snapshot).await)
}

async fn list(store: &Store, stream: &StreamId) -> Result<Vec<u64>, Broken> {
    let versions = went("snapshots", store.snapshots(stream).await)?;
    Ok(versions.into_iter().map(|version| version.0).collect())
}

pub(super) async fn listed(store: &Store) -> Result<(), Broken> {
    let stream = stream("folded");
    same("the list of none", &list(store, &stream).await?, &vec![])?;
    // A text order would take 9 for newer than 1000.
    for version in [1000, 9, u64::MAX, 20] {
        save(store, &stream, of(version, b"state")).await?;
    }
    same("the list", &list(store, &stream).await?, &vec![9, 20, 1000, u64::MAX])?;
    for (version, wanted) in
        [(9, Some(of(9, b"state"))), (10, None), (u64::MAX, Some(of(u64::MAX, b"state")))]
    {
        let found = went("snapshot", store.snapshot(&stream, Version(version)).await)?;
        same(&format!("of version {version}"), &found, &wanted)?;
    }
    let refused = store.save_snapshot(&stream, of(0, b"state")).await;
    holds("one of no events is refused", matches!(refused, Err(AppendError::Refused(_))))
}

pub(super) async fn replaced(store: &Store) -> Result<(), Broken> {
    let stream = stream("folded");
    for state in ["a long state", "another"] {
        save(store, &stream, of(5, state.as_bytes())).await?;
    }
    let found = went("snapshot", store.snapshot(&stream, Version(5)).await)?;
    same("the later one", &found, &Some(of(5, b"another")))?;
    save(store, &stream, of(6, b"newer")).await?;
    for _ in 0..2 {
        went("remove_snapshot", store.remove_snapshot(&stream, Version(6)).await)?;
        same("the list", &list(store, &stream).await?, &vec![5])?;
    }
    Ok(())
}

pub(super) async fn apart(store: &Store) -> Result<(), Broken> {
    // One's name begins with the other's; one is longer than a file's may be; one leads out of a folder.
    let streams = [stream("a"), stream("aa"), stream(&"long".repeat(120)), stream("../../a")];
    for (stream, version) in streams.iter().zip(1..) {
        save(store, stream, of(version, &[0; 3])).await?;
    }
    for (stream, version) in streams.iter().zip(1..) {
        same("the list", &list(store, stream).await?, &vec![version])?;
    }
    Ok(())
}

pub(super) async fn sizes(store: &Store) -> Result<(), Broken> {
    let stream = stream("sizes");
    for (version, size) in [(1, 0), (2, 1), (3, 70_000), (4, SNAPSHOT_BYTES_MAX)] {
        let snapshot = of(version, &noise(version, size));
        save(store, &stream, snapshot.clone()).await?;
        let found = went("snapshot", store.snapshot(&stream, Version(version)).await)?;
        holds(&format!("a snapshot of {size} bytes is what was saved"), found == Some(snapshot))?;
    }
    let refused = store.save_snapshot(&stream, of(5, &vec![0; SNAPSHOT_BYTES_MAX + 1])).await;
    holds("one that is too large is refused", matches!(refused, Err(AppendError::Refused(_))))?;
    same("the list", &list(store, &stream).await?, &vec![1, 2, 3, 4])
}
