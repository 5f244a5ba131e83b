use std::sync::Arc;

use super::kit::{commit, head_after, inconsistency, noise, stream};
use super::snapshots;
use super::views::{row, set};
use super::{Broken, same, went};
use crate::events::ids::{Position, Version};
use crate::events::json::Blob;
use crate::store::{AppendError, EventStore, ReadError};

type Store = Arc<dyn EventStore>;

pub(super) async fn closed(store: &Store) -> Result<(), Broken> {
    let stream = stream("closed");
    let first = went("sealing", commit(&stream, None, &["1"]))?;
    went("append", store.append(first.clone(), Vec::new()).await)?;
    went("close", store.close().await)?;
    let next = went("sealing", commit(&stream, Some(head_after(&first)), &["2"]))?;
    same("append", &store.append(next, Vec::new()).await, &Err(AppendError::Closed))?;
    let view = store.save_view("view", Position(1), Vec::new()).await;
    same("save_view", &view, &Err(AppendError::Closed))?;
    let snapshot = store.save_snapshot(&stream, snapshots::of(1, b"state")).await;
    same("save_snapshot", &snapshot, &Err(AppendError::Closed))?;
    let snapshot = store.snapshot(&stream, Version(1)).await;
    same("snapshot", &snapshot, &Err(ReadError::Closed))?;
    same("close again", &store.close().await, &Err(AppendError::Closed))?;
    let read = store.read_all(Position(0), 10).await;
    same("read_all", &read, &Err(ReadError::Closed))?;
    let read = store.read_stream(&stream, Version(0), 10).await;
    same("read_stream", &read, &Err(ReadError::Closed))
}

/// How often the store is opened, and how many commits each time brings.
const TIMES: u64 = 4;
const COMMITS: u64 = 30;

pub(super) async fn reopened(open: &impl AsyncFn(&str) -> Store) -> Result<(), Broken> {
    let (stream, blobs) = (stream("kept"), [Blob::new(noise(1, 5_000)), Blob::new(noise(2, 80_000))]);
    let (mut head, mut all) = (None, Vec::new());
    for time in 0..TIMES {
        let store = open("reopened").await;
        same("committed", &*store.committed().borrow(), &Position(time * COMMITS * 2))?;
        same("head", &went("head", store.head(&stream).await)?, &head)?;
        same("events", &went("read_all", store.read_all(Position(0), 10_000).await)?, &all)?;
        let read = went("read_stream", store.read_stream(&stream, Version(0), 10_000).await)?;
        same("stream", &read, &all)?;
        for number in 0..COMMITS {
            let next = went("sealing", commit(&stream, head, &[format!("{time}/{number}"), "2".into()]))?;
            head = Some(head_after(&next));
            let first = Position(all.len() as u64 + 1);
            went("append", store.append(next.clone(), blobs.to_vec()).await)?;
            all.extend(next.into_recorded(first));
        }
        let rows = vec![set("last time", &time.to_string())];
        went("save_view", store.save_view("view", Position(time + 1), rows).await)?;
        let saved = store.save_snapshot(&stream, snapshots::of(time + 1, b"state")).await;
        went("save_snapshot", saved)?;
        went("close", store.close().await)?;
    }
    let store = open("reopened").await;
    let found = went("snapshot", store.snapshot(&stream, Version(TIMES)).await)?;
    same("snapshot", &found, &Some(snapshots::of(TIMES, b"state")))?;
    for blob in &blobs {
        let found = went("blob", store.blob(&blob.reference.hash))?;
        same("a blob is as it was", &(found.as_ref() == Some(&blob.bytes)), &true)?;
    }
    same("view", &went("view_position", store.view_position("view").await)?, &Position(TIMES))?;
    let rows = went("view_rows", store.view_rows("view", None, 10).await)?;
    same("rows", &rows, &vec![row("last time", &(TIMES - 1).to_string())])?;
    same("inconsistency", &went("verifying", inconsistency(store.as_ref()).await)?, &None)?;
    went("close", store.close().await)
}
