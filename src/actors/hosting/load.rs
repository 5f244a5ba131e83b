//! The state of a stream, as of its end or of any version: through the nearest snapshot where there is one. A snapshot
//! only ever saves time. One that is not to be used is dropped, and an older one taken, or the events from the first.

use std::pin::pin;

use futures_util::FutureExt;
use futures_util::future::join;

use super::context::read_problem;
use super::snapshots::discard;
use crate::events::commit::Recorded;
use crate::events::ids::{StreamId, Version};
use crate::events::problem::{Code, Problem};
use crate::kernel::Aggregate;
use crate::kernel::fold::{Content, Fold, TAIL_EVENTS_MIN, Unfoldable};
use crate::store::{EventStore, Head, ReadError, Snapshot};

/// How many events are read at once, some 2 MB. A commit that is longer is looked through for each of its pages.
const PAGE: u64 = 8_192;

/// Folds a stream.
///
/// # Errors
/// When it cannot be read, or holds what this version does not understand.
pub async fn load<A: Aggregate>(store: &dyn EventStore, stream: &StreamId) -> Result<(A, Head), Problem> {
    load_at(store, stream, Version(u64::MAX)).await
}

/// Folds a stream up to a version; up to its end, if that comes first.
///
/// # Errors
/// As for [`load`].
pub async fn load_at<A: Aggregate>(
    store: &dyn EventStore,
    stream: &StreamId,
    at: Version,
) -> Result<(A, Head), Problem> {
    let fold = load_upto(store, stream, at, Content::Unknown).await?;
    Ok((fold.state, fold.head))
}

/// The same, with what the next snapshot needs to know, and as far as that is known what the state refers to beside `content`.
pub(super) async fn load_upto<A: Aggregate>(
    store: &dyn EventStore,
    stream: &StreamId,
    upto: Version,
    content: Content,
) -> Result<Fold<A>, Problem> {
    // A stream that is shorter has no snapshot. Most are, and are read at once; of one that is known to be longer nothing is read
    // from its beginning, where a commit may hold many thousand events, as long as one of its snapshots is good.
    let newest = store.head(stream).await.map_err(|error| read_problem(&error))?;
    let is_long = newest.is_some_and(|head| head.version.min(upto).0 >= TAIL_EVENTS_MIN);
    let begins = Version(if is_long { 0 } else { upto.0.min(TAIL_EVENTS_MIN) });
    let first = page(store, stream, Version(0), begins).await.map_err(Broken::problem)?;
    let is_short = !is_long && (first.len() as u64) < TAIL_EVENTS_MIN;
    let versions = if is_short { Vec::new() } else { versions(store, stream).await };
    for version in versions.into_iter().rev().filter(|version| *version <= upto) {
        match resume(store, stream, version, upto).await {
            Ok(fold) => return Ok(fold),
            Err(Broken::Stream(problem)) => return Err(problem),
            Err(Broken::Fold(why)) => discard(store, stream, version, &why).await,
        }
    }
    let mut fold = Fold { content, ..Fold::default() };
    let folded = first.iter().try_for_each(|recorded| fold.event(stream, recorded));
    folded.map_err(|why| Broken::from(why).problem())?;
    if !is_short {
        read(&mut fold, store, stream, upto).await.map_err(Broken::problem)?;
    }
    Ok(fold)
}

/// Folds on to a version, or to the end of the stream.
///
/// # Errors
/// As for [`load`].
pub(super) async fn advance<A: Aggregate>(
    fold: &mut Fold<A>,
    store: &dyn EventStore,
    stream: &StreamId,
    upto: Version,
) -> Result<(), Problem> {
    read(fold, store, stream, upto).await.map_err(Broken::problem)
}

async fn versions(store: &dyn EventStore, stream: &StreamId) -> Vec<Version> {
    let versions = store.snapshots(stream).await;
    versions.unwrap_or_else(|error| {
        tracing::debug!(%stream, %error, "snapshots cannot be listed");
        Vec::new()
    })
}

/// Goes on from a snapshot.
async fn resume<A: Aggregate>(
    store: &dyn EventStore,
    stream: &StreamId,
    version: Version,
    upto: Version,
) -> Result<Fold<A>, Broken> {
    // What comes after it is read while it is decoded.
    let (restored, page) = join(restore(store, stream, version), page(store, stream, version, upto)).await;
    let mut fold = restored.map_err(|why| Broken::Fold(why.to_string()))?;
    let page = page?;
    let is_of_it = match page.first() {
        Some(next) => next.follows(fold.head.hash),
        None => is_of(store, stream, fold.head).await.map_err(Broken::unreadable)?,
    };
    if !is_of_it {
        return Err(Broken::Fold("it is of another history".to_owned()));
    }
    read_on(&mut fold, page, store, stream, upto).await?;
    Ok(fold)
}

/// Why a snapshot is not to be used.
#[derive(Debug, thiserror::Error)]
enum Unusable {
    /// Another version wrote it.
    #[error("it has schema {0}, not {1}")]
    OtherSchema(u16, u16),
    /// It is not what was written.
    #[error("{0}")]
    Broken(String),
}

/// The fold that a snapshot holds.
async fn restore<A: Aggregate>(
    store: &dyn EventStore,
    stream: &StreamId,
    version: Version,
) -> Result<Fold<A>, Unusable> {
    let broken = |why: &dyn std::fmt::Display| Unusable::Broken(why.to_string());
    let found = store.snapshot(stream, version).await.map_err(|error| broken(&error))?;
    let Snapshot { hash, schema, bytes, .. } = found.ok_or_else(|| broken(&"it is gone"))?;
    let restored = Fold::restore(Head { version, hash }, schema, &bytes);
    let restored = restored.ok_or(Unusable::OtherSchema(schema, Fold::<A>::SNAPSHOT_SCHEMA))?;
    restored.map_err(|error| broken(&error))
}

/// Whether a stream has that event: the next one chains to it, or it is the last.
async fn is_of(store: &dyn EventStore, stream: &StreamId, event: Head) -> Result<bool, ReadError> {
    match store.read_stream(stream, event.version, 1).await?.first() {
        Some(next) => Ok(next.follows(event.hash)),
        None => Ok(store.head(stream).await? == Some(event)),
    }
}

/// The reasons for which a fold goes no further.
enum Broken {
    /// Whatever it began with, the stream cannot be read.
    Stream(Problem),
    /// An event cannot follow, or the beginning was wrong.
    Fold(String),
}

impl Broken {
    fn unreadable(error: ReadError) -> Self {
        Self::Stream(read_problem(&error))
    }

    fn problem(self) -> Problem {
        match self {
            Self::Stream(problem) => problem,
            Self::Fold(why) => Problem::new(Code::Impossible, why),
        }
    }
}

/// The next events up to a version, as many as are read at once.
async fn page(
    store: &dyn EventStore,
    stream: &StreamId,
    after: Version,
    upto: Version,
) -> Result<Vec<Recorded>, Broken> {
    let missing = upto.0.saturating_sub(after.0).min(PAGE);
    if missing == 0 {
        return Ok(Vec::new());
    }
    let limit = usize::try_from(missing).unwrap_or(usize::MAX);
    store.read_stream(stream, after, limit).await.map_err(Broken::unreadable)
}

/// Goes on to a version, or to the end of the stream.
async fn read<A: Aggregate>(
    fold: &mut Fold<A>,
    store: &dyn EventStore,
    stream: &StreamId,
    upto: Version,
) -> Result<(), Broken> {
    let page = page(store, stream, fold.head.version, upto).await?;
    read_on(fold, page, store, stream, upto).await
}

/// Folds a page, and what comes after it up to a version.
async fn read_on<A: Aggregate>(
    fold: &mut Fold<A>,
    mut page: Vec<Recorded>,
    store: &dyn EventStore,
    stream: &StreamId,
    upto: Version,
) -> Result<(), Broken> {
    while let Some(last) = page.last() {
        let mut next = pin!(self::page(store, stream, last.version, upto));
        // Once it is asked for, it is read while this one is folded.
        let early = next.as_mut().now_or_never();
        page.iter().try_for_each(|recorded| fold.event(stream, recorded))?;
        page = match early {
            Some(page) => page?,
            None => next.await?,
        };
    }
    Ok(())
}

impl From<Unfoldable> for Broken {
    fn from(unfoldable: Unfoldable) -> Self {
        match unfoldable {
            Unfoldable::Unknown(why) => Self::Stream(Problem::new(Code::RunParked, why)),
            Unfoldable::Illegal(why) => Self::Fold(why),
        }
    }
}

/// Folds a stream from its first event, and compares what each snapshot holds with that. Answers the versions of those
/// that hold something else; they are dropped. So are those of another schema, without a word: another version wrote them,
/// and nothing is wrong with that.
///
/// # Errors
/// As for [`load`].
pub async fn prove<A: Aggregate + PartialEq>(
    store: &dyn EventStore,
    stream: &StreamId,
) -> Result<Vec<Version>, Problem> {
    let (mut fold, mut wrong) = (Fold::<A>::default(), Vec::new());
    for version in versions(store, stream).await {
        read(&mut fold, store, stream, version).await.map_err(Broken::problem)?;
        let why = match restore::<A>(store, stream, version).await {
            Ok(restored) if restored.is_same(&fold) => continue,
            Ok(_) => Unusable::Broken("it is not what the events give".to_owned()),
            Err(why) => why,
        };
        // Who goes on with the run may have removed it meanwhile.
        if versions(store, stream).await.contains(&version) {
            discard(store, stream, version, &why.to_string()).await;
            wrong.extend(matches!(why, Unusable::Broken(_)).then_some(version));
        }
    }
    read(&mut fold, store, stream, Version(u64::MAX)).await.map_err(Broken::problem)?;
    Ok(wrong)
}
