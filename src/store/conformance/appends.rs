use std::sync::Arc;

use futures_util::future::{join, join_all};

use super::kit::{commit, head_after, inconsistency, stream};
use super::{Broken, holds, same, went};
use crate::events::commit::{Commit, Header, Origin};
use crate::events::ids::{Hash, Position, StreamId, Version};
use crate::store::{AppendError, EventStore};

type Store = Arc<dyn EventStore>;

pub(super) async fn conflict(store: &Store) -> Result<(), Broken> {
    let stream = stream("contended");
    let first = went("sealing", commit(&stream, None, &["1", "2"]))?;
    let second = went("sealing", commit(&stream, Some(head_after(&first)), &["3"]))?;
    let early = store.append(second.clone(), Vec::new()).await;
    let conflict =
        |expected, actual| AppendError::Conflict { expected: Version(expected), actual: Version(actual) };
    same("a commit that comes too early", &early, &Err(conflict(2, 0)))?;
    went("append", store.append(first.clone(), Vec::new()).await)?;
    let again = store.append(first.clone(), Vec::new()).await;
    same("the same commit again", &again, &Err(conflict(0, 2)))?;
    same("head", &went("head", store.head(&stream).await)?, &Some(head_after(&first)))?;
    let all = went("read_all", store.read_all(Position(0), 10).await)?;
    same("events stored", &all.len(), &2)?;
    same("committed", &*store.committed().borrow(), &Position(2))?;
    let appended = went("append", store.append(second, Vec::new()).await)?;
    same("the position after conflicts", &appended.position, &Position(3))
}

/// The same commit with a header that `change` has changed.
fn with_header(commit: &Commit, change: impl FnOnce(&mut Header)) -> Commit {
    let mut header = Header::clone(&commit.header);
    change(&mut header);
    Commit { header: Arc::new(header), ..commit.clone() }
}

pub(super) async fn refused(store: &Store) -> Result<(), Broken> {
    let stream = stream("refused");
    let good = went("sealing", commit(&stream, None, &["1"]))?;
    let origin = Origin { stream: stream.clone(), version: Version(1), hash: Hash::default() };
    let bad = [
        ("no events", Commit { events: Vec::new(), ..good.clone() }),
        ("version 0", with_header(&good, |header| header.first = Version(0))),
        ("a version beyond all", with_header(&good, |header| header.first = Version(u64::MAX))),
        ("a stream on another's prefix", with_header(&good, |header| header.origin = Some(origin))),
        ("a zero byte in the name", with_header(&good, |header| header.stream = StreamId::new("a", "b\0c"))),
        (
            "a name too long",
            with_header(&good, |header| header.stream = StreamId::new("a", &"b".repeat(600))),
        ),
    ];
    for (what, commit) in bad {
        let refused = store.append(commit, Vec::new()).await;
        holds(what, matches!(refused, Err(AppendError::Refused(_))))?;
    }
    same("committed", &*store.committed().borrow(), &Position(0))?;
    went("append", store.append(good, Vec::new()).await).map(drop)
}

/// How many tasks write at once, and how many versions each has to win.
const WRITERS: usize = 16;
const WINS: usize = 8;

/// Appends until it has won often enough; answers how often it lost, and checks what it is told.
async fn contend(store: &Store, stream: &StreamId, writer: usize) -> Result<usize, Broken> {
    let (mut won, mut lost) = (0, 0);
    while won < WINS {
        let head = went("head", store.head(stream).await)?;
        let next = went("sealing", commit(stream, head, &[format!("{writer}/{won}"), "second".to_owned()]))?;
        let expected = Version(next.header.first.0 - 1);
        // A store that never waits would let everybody win in turn.
        tokio::task::yield_now().await;
        match store.append(next, Vec::new()).await {
            Ok(_) => won += 1,
            Err(AppendError::Conflict { expected: told, actual }) => {
                same("the expected version", &told, &expected)?;
                holds("the actual version differs from the expected one", actual != expected)?;
                let seen = went("head", store.head(stream).await)?.map(|head| head.version);
                holds("who won can be read when who lost is told", seen >= Some(actual))?;
                lost += 1;
            }
            Err(other) => return Err(format!("append failed: {other:?}")),
        }
    }
    Ok(lost)
}

pub(super) async fn contention(store: &Store) -> Result<(), Broken> {
    let stream = stream("contended");
    let lost = join_all((0..WRITERS).map(|writer| contend(store, &stream, writer))).await;
    let lost: Vec<_> = lost.into_iter().collect::<Result<_, _>>()?;
    holds("nobody met anybody: nothing was tested", lost.into_iter().sum::<usize>() > 0)?;
    let events = went("read_stream", store.read_stream(&stream, Version(0), 10_000).await)?;
    same("events", &events.len(), &(WRITERS * WINS * 2))?;
    same("inconsistency", &went("verifying", inconsistency(store.as_ref()).await)?, &None)
}

/// How many streams are written at once, and how many commits each gets.
const STREAMS: usize = 8;
const COMMITS: usize = 20;

async fn write_stream(store: &Store, name: String) -> Result<(), Broken> {
    let (stream, mut head) = (stream(&name), None);
    for number in 0..COMMITS {
        let next = went("sealing", commit(&stream, head, &[format!("{number}")]))?;
        head = Some(head_after(&next));
        let appended = went("append", store.append(next, Vec::new()).await)?;
        let committed = *store.committed().borrow();
        holds("an answer is never ahead of the committed position", committed >= appended.position)?;
        let seen = went("head", store.head(&stream).await)?;
        same("the head after an answer", &seen, &head)?;
    }
    Ok(())
}

async fn follow(store: &Store) -> Result<(), Broken> {
    let (mut committed, mut last) = (store.committed(), Position(0));
    while last.0 < (STREAMS * COMMITS) as u64 {
        let now = *went("waiting", committed.wait_for(|position| *position != last).await)?;
        holds("the committed position does not fall", now > last)?;
        let read = went("read_all", store.read_all(last, 10_000).await)?;
        let read = read.last().map_or(Position(0), |event| event.position);
        holds("what is committed can be read", read >= now)?;
        holds("nothing is read before it is committed", *store.committed().borrow() >= read)?;
        last = now;
    }
    Ok(())
}

pub(super) async fn watch(store: &Store) -> Result<(), Broken> {
    let writers = join_all((0..STREAMS).map(|number| write_stream(store, format!("s{number}"))));
    let (written, followed) = join(writers, follow(store)).await;
    written.into_iter().collect::<Result<Vec<()>, _>>()?;
    followed
}
