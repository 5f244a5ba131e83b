//! What every store must do, as a suite that anyone can run on their own.
//!
//! ```
//! # use std::collections::HashMap;
//! # use std::sync::{Arc, Mutex};
//! use reenact::store::EventStore;
//! use reenact::store::conformance::check;
//! use reenact::store::memory::MemoryStore;
//!
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! let disks: Mutex<HashMap<String, MemoryStore>> = Mutex::default();
//! check(async |name: &str| {
//!     let mut disks = disks.lock().unwrap();
//!     let disk = disks.entry(name.to_owned()).or_default();
//!     Arc::new(disk.reopen()) as Arc<dyn EventStore>
//! })
//! .await
//! .unwrap();
//! # });
//! ```
//!
//! A rule that is broken is answered, not panicked about. What a power cut or a full disk does to a
//! store is not asked here: it needs to be done to the store from outside. [`super::fault`] makes any
//! store fail on purpose.

pub mod kit;

mod appends;
mod blobs;
mod ends;
mod reads;
mod snapshots;
mod views;

use std::fmt::Debug;
use std::sync::Arc;

use super::EventStore;

/// A store does not do what it must.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{rule}: {what}")]
pub struct Violation {
    /// The rule, as a sentence.
    pub rule: &'static str,
    /// The way in which it was broken, as a sentence.
    pub what: String,
}

/// How a rule is broken, as a sentence for the report.
type Broken = String;

/// Fails with what was expected where two things differ.
fn same<T: PartialEq + Debug>(what: &str, found: &T, wanted: &T) -> Result<(), Broken> {
    if found == wanted { Ok(()) } else { Err(format!("{what}: found {found:?}, not {wanted:?}")) }
}

/// Fails with `what` where a condition does not hold.
fn holds(what: &str, holds: bool) -> Result<(), Broken> {
    if holds { Ok(()) } else { Err(what.to_owned()) }
}

/// The result of a call that should not have failed; fails with `what` where it did.
fn went<T, E: Debug>(what: &str, result: Result<T, E>) -> Result<T, Broken> {
    result.map_err(|error| format!("{what} failed: {error:?}"))
}

/// Runs the suite. `open` opens the store of a name: empty the first time; later with all that was in it,
/// because it was closed before. Must be called within a tokio runtime.
///
/// # Errors
/// The first rule that is broken, and how.
pub async fn check(open: impl AsyncFn(&str) -> Arc<dyn EventStore>) -> Result<(), Violation> {
    macro_rules! rules {
        ($($rule:literal $check:path;)*) => {
            $({
                let store = open(&$rule.replace(' ', "-")).await;
                let checked = $check(&store).await;
                checked.map_err(|what| Violation { rule: $rule, what })?;
                // A rule may have closed the store itself.
                let _ = store.close().await;
            })*
        };
    }
    rules! {
        "an empty store has nothing" reads::empty;
        "a commit is read back as it was" reads::whole;
        "events of all streams have positions without a gap" reads::positions;
        "reads begin after a number and end at a limit, inside of commits too" reads::limits;
        "commits are read one by one" reads::commits;
        "a conflict names both versions and stores nothing" appends::conflict;
        "what can never be stored is refused" appends::refused;
        "of many who write one version one wins" appends::contention;
        "the committed position only grows, and what it names can be read" appends::watch;
        "blobs of all sizes are read back" blobs::sizes;
        "a blob is stored once" blobs::once;
        "blobs are listed in order" blobs::order;
        "a read model is saved with its position" views::saved;
        "rows of a read model are read in pages" views::pages;
        "read models do not see each other" views::apart;
        "snapshots are listed in the order of versions" snapshots::listed;
        "a snapshot is replaced and removed" snapshots::replaced;
        "snapshots of streams do not see each other" snapshots::apart;
        "snapshots of all sizes are read back, and one too large is refused" snapshots::sizes;
        "a closed store says so" ends::closed;
    }
    let rule = "a store that is opened again has all that was in it";
    ends::reopened(&open).await.map_err(|what| Violation { rule, what })
}

#[cfg(test)]
mod tests;
