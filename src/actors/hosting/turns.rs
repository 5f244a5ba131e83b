//! The order in which what one stream says to another is brought, whichever host says it.

use std::sync::Arc;

use dashmap::DashMap;
use tokio::sync::{Mutex, MutexGuard};

use crate::events::ids::StreamId;

/// What is on its way between two streams, of which one thing at a time is brought.
#[derive(Default)]
pub(super) struct Turns(DashMap<(StreamId, StreamId), Arc<Mutex<()>>>);

/// The turn of something that is said, until that is dropped.
pub(super) struct Turn {
    turns: Arc<Turns>,
    between: (StreamId, StreamId),
    mine: Arc<Mutex<()>>,
}

impl Turn {
    /// After all that has a turn between the two.
    pub(super) fn next(turns: &Arc<Turns>, from: &StreamId, to: &StreamId) -> Self {
        let between = (from.clone(), to.clone());
        let mine = Arc::clone(&turns.0.entry(between.clone()).or_default());
        Self { turns: Arc::clone(turns), between, mine }
    }

    /// Ends when it comes; it lasts until what is answered is dropped.
    pub(super) async fn comes(&self) -> MutexGuard<'_, ()> {
        self.mine.lock().await
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        // Nobody gets at it while it is looked at: the last one who holds it is this one, beside the list.
        self.turns.0.remove_if(&self.between, |_, turn| Arc::strong_count(turn) <= 2);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn what_is_said_first_is_brought_first_whoever_says_it_and_nothing_is_kept_after_that() {
        let (turns, stream) = (Arc::<Turns>::default(), |name| StreamId::new("test", name));
        let turn = |to| Turn::next(&turns, &stream("from"), &stream(to));
        let (first, second, other) = (turn("to"), turn("to"), turn("elsewhere"));
        let brought = first.comes().now_or_never().unwrap();
        assert!(second.comes().now_or_never().is_none());
        assert!(other.comes().now_or_never().is_some(), "another stream waits for nothing");
        drop(brought);
        drop(first);
        assert!(second.comes().now_or_never().is_some());
        drop((second, other));
        assert!(turns.0.is_empty());
    }
}
