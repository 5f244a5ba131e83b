//! When snapshots are taken, and which are kept.
//!
//! One is due when the tail, which is what was stored since the last, has outgrown the state (in bytes), so that taking
//! snapshots costs no more than storing events does; not before [`TAIL_EVENTS_MIN`] events, which are folded in no time;
//! and after [`SPACING_EVENTS`] at the latest, so that any version is near one.

use std::sync::Arc;

use crate::events::ids::{StreamId, Version};
use crate::store::{AppendError, EventStore, Snapshot};

/// A tail that is shorter is not worth a snapshot: folding it takes about a millisecond.
pub(super) const TAIL_EVENTS_MIN: u64 = 1_000;

/// How far apart those are that are kept, and how long a tail may become.
const SPACING_EVENTS: u64 = 10_000;

/// What happened since the last snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Tail {
    events: u64,
    /// Of their payloads.
    event_bytes: u64,
    /// The size of the last snapshot: about the size of the state.
    snapshot_bytes: u64,
}

impl Tail {
    /// Nothing happened since a snapshot of that size.
    pub(super) fn after(snapshot_bytes: usize) -> Self {
        Self { snapshot_bytes: snapshot_bytes as u64, ..Self::default() }
    }

    /// An event happened.
    pub(super) fn grow(&mut self, payload_bytes: usize) {
        self.events += 1;
        self.event_bytes += payload_bytes as u64;
    }

    /// Whether it is time for the next snapshot.
    pub(super) fn is_long(&self) -> bool {
        self.events >= SPACING_EVENTS
            || self.events >= TAIL_EVENTS_MIN && self.event_bytes >= self.snapshot_bytes
    }
}

/// Saves a snapshot, and removes those that are not kept. Nobody is worse off if that fails.
pub(super) async fn save(store: Arc<dyn EventStore>, stream: StreamId, snapshot: Snapshot) {
    let version = snapshot.version;
    if let Err(error) = save_and_thin(&*store, &stream, snapshot).await {
        tracing::debug!(%stream, %version, %error, "a snapshot is not saved");
    }
}

async fn save_and_thin(
    store: &dyn EventStore,
    stream: &StreamId,
    snapshot: Snapshot,
) -> Result<(), AppendError> {
    store.save_snapshot(stream, snapshot).await?;
    let versions = store.snapshots(stream).await;
    for version in superfluous(&versions.map_err(|error| AppendError::Failed(error.to_string()))?) {
        store.remove_snapshot(stream, version).await?;
    }
    Ok(())
}

/// Those, of versions in order, that are nearer than [`SPACING_EVENTS`] to one before them, but for the newest.
fn superfluous(versions: &[Version]) -> Vec<Version> {
    let Some((_, older)) = versions.split_last() else { return Vec::new() };
    let mut kept = Version(0);
    let mut superfluous = Vec::new();
    for version in older {
        if version.0 - kept.0 < SPACING_EVENTS {
            superfluous.push(*version);
        } else {
            kept = *version;
        }
    }
    superfluous
}

/// Removes a snapshot that is not what the events give.
pub(super) async fn discard(store: &dyn EventStore, stream: &StreamId, version: Version, why: &str) {
    tracing::debug!(%stream, %version, why, "a snapshot is dropped");
    if let Err(error) = store.remove_snapshot(stream, version).await {
        // Whoever meets it next drops it again.
        tracing::debug!(%stream, %version, %error, "a snapshot is not removed");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tail(events: u64, event_bytes: u64, snapshot_bytes: u64) -> Tail {
        Tail { events, event_bytes, snapshot_bytes }
    }

    #[test]
    fn a_snapshot_is_due_when_the_tail_outgrows_the_state() {
        assert!(!tail(999, 1_000_000, 0).is_long(), "it is folded in no time");
        assert!(tail(1_000, 100, 0).is_long(), "the first one");
        assert!(!tail(1_000, 99, 100).is_long());
        assert!(tail(1_001, 100, 100).is_long());
        assert!(!tail(9_999, 99, 100).is_long());
        assert!(tail(10_000, 0, u64::MAX).is_long(), "at the latest");
    }

    #[test]
    fn of_older_snapshots_one_in_ten_thousand_events_is_kept() {
        let mut kept: Vec<Version> = Vec::new();
        for newest in (1..=100).map(|number| Version(number * 1_050)) {
            kept.push(newest);
            let gone = superfluous(&kept);
            kept.retain(|version| !gone.contains(version));
            assert_eq!(kept.last(), Some(&newest), "the newest is always there");
            let gaps = kept.windows(2).map(|pair| pair[1].0 - pair[0].0);
            assert!(gaps.chain(kept.first().map(|first| first.0)).all(|gap| gap < 12_000), "{kept:?}");
            assert!(kept.len() as u64 <= 2 + newest.0 / SPACING_EVENTS, "{kept:?}");
        }
    }
}
