use std::sync::Arc;

use super::kit::{commit, head_after, noise, stream};
use super::{Broken, holds, same, went};
use crate::events::commit::{Commit, Recorded};
use crate::events::ids::{Position, Version};
use crate::store::EventStore;

type Store = Arc<dyn EventStore>;

/// A limit above the number of events that any rule stores.
const ALL: usize = 10_000;

pub(super) async fn empty(store: &Store) -> Result<(), Broken> {
    let stream = stream("none");
    same("head", &went("head", store.head(&stream).await)?, &None)?;
    same("stream", &went("read_stream", store.read_stream(&stream, Version(0), ALL).await)?, &Vec::new())?;
    same("all", &went("read_all", store.read_all(Position(0), ALL).await)?, &Vec::new())?;
    same("beyond", &went("read_all", store.read_all(Position(7), ALL).await)?, &Vec::new())?;
    same("commits", &went("read_commits", store.read_commits(Position(0), ALL).await)?, &Vec::new())?;
    same("blobs", &went("blobs", store.blobs(None, ALL).await)?, &Vec::new())?;
    same("committed", &*store.committed().borrow(), &Position(0))?;
    same("view", &went("view_position", store.view_position("view").await)?, &Position(0))
}

/// A commit longer than any page: three events of which one is long.
fn long_commit() -> Result<Commit, Broken> {
    let texts = [noise(1, 10), noise(2, 100_000), noise(3, 4_096)];
    went("sealing", commit(&stream("long"), None, &texts))
}

pub(super) async fn whole(store: &Store) -> Result<(), Broken> {
    let written = long_commit()?;
    let appended = went("append", store.append(written.clone(), Vec::new()).await)?;
    same("position", &appended.position, &Position(3))?;
    let wanted: Vec<_> = written.clone().into_recorded(Position(1)).collect();
    let stream = &written.header.stream;
    same("head", &went("head", store.head(stream).await)?, &Some(head_after(&written)))?;
    same("stream", &went("read_stream", store.read_stream(stream, Version(0), ALL).await)?, &wanted)?;
    same("all", &went("read_all", store.read_all(Position(0), ALL).await)?, &wanted)
}

/// Commits of 1 to 4 events, to three streams in turn; all events in the order of positions.
async fn interleaved(store: &Store, commits: usize) -> Result<Vec<Recorded>, Broken> {
    let streams = [stream("a"), stream("b"), stream("c")];
    let (mut heads, mut all) = ([None; 3], Vec::new());
    for round in 0..commits {
        // Every now and then a stream has two commits in a row.
        let turn = (round + round / 5) % 3;
        let (Some(stream), Some(head)) = (streams.get(turn), heads.get_mut(turn)) else { continue };
        let texts: Vec<_> = (0..=round % 4).map(|event| format!("{round}/{event}")).collect();
        let next = went("sealing", commit(stream, *head, &texts))?;
        *head = Some(head_after(&next));
        let first = Position(all.len() as u64 + 1);
        let appended = went("append", store.append(next.clone(), Vec::new()).await)?;
        all.extend(next.into_recorded(first));
        same("position", &appended.position, &Position(all.len() as u64))?;
    }
    Ok(all)
}

pub(super) async fn positions(store: &Store) -> Result<(), Broken> {
    let wanted = interleaved(store, 60).await?;
    same("all", &went("read_all", store.read_all(Position(0), ALL).await)?, &wanted)?;
    for name in ["a", "b", "c"] {
        let stream = stream(name);
        let wanted: Vec<_> = wanted.iter().filter(|event| event.header.stream == stream).cloned().collect();
        same(name, &went("read_stream", store.read_stream(&stream, Version(0), ALL).await)?, &wanted)?;
    }
    Ok(())
}

pub(super) async fn limits(store: &Store) -> Result<(), Broken> {
    let all = interleaved(store, 12).await?;
    let stream = stream("a");
    let of_stream: Vec<_> = all.iter().filter(|event| event.header.stream == stream).cloned().collect();
    for after in 0..=all.len() + 1 {
        for limit in [0, 1, 2, 3, 5, ALL] {
            let number = after as u64;
            let found = went("read_all", store.read_all(Position(number), limit).await)?;
            let wanted: Vec<_> = all.iter().skip(after).take(limit).cloned().collect();
            same(&format!("at most {limit} events after position {after}"), &found, &wanted)?;
            let found = went("read_stream", store.read_stream(&stream, Version(number), limit).await)?;
            let wanted: Vec<_> = of_stream.iter().skip(after).take(limit).cloned().collect();
            same(&format!("at most {limit} events after version {after}"), &found, &wanted)?;
        }
    }
    let found = went("read_all", store.read_all(Position(u64::MAX), ALL).await)?;
    holds("after the highest position there is nothing", found.is_empty())?;
    let found = went("read_stream", store.read_stream(&stream, Version(u64::MAX), ALL).await)?;
    holds("after the highest version there is nothing", found.is_empty())
}

pub(super) async fn commits(store: &Store) -> Result<(), Broken> {
    let all = interleaved(store, 12).await?;
    let found = went("read_commits", store.read_commits(Position(0), ALL).await)?;
    same("commits", &found.len(), &12)?;
    let mut events = Vec::new();
    for stored in found {
        let decoded = went("decoding", stored.commit)?;
        let size_bytes = went("encoding", decoded.to_bytes())?.len() as u64;
        same("size", &stored.size_bytes, &size_bytes)?;
        events.extend(decoded.into_recorded(stored.position));
    }
    same("events", &events, &all)?;
    let first = went("read_commits", store.read_commits(Position(0), 3).await)?;
    let last = first.last().ok_or("three commits were asked for")?;
    let next = went("read_commits", store.read_commits(last.position, 1).await)?;
    let wanted = last.commit.as_ref().map_or(0, Commit::count);
    let found = next.first().map(|next| next.position);
    same("the commit after the third", &found, &Some(last.position.plus(wanted)))
}
