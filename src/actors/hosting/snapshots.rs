//! Keeping snapshots, and removing those that are not needed. When they are taken is the kernel's to say: see
//! [`crate::kernel::fold`].

use std::sync::Arc;

use crate::events::ids::{StreamId, Version};
use crate::kernel::fold::SPACING_EVENTS;
use crate::store::{AppendError, EventStore, Snapshot};

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
