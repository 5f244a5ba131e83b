//! Recorded events, as they come, for programs that use the crate.

use std::collections::VecDeque;
use std::sync::Arc;

use futures_util::stream::{self, Stream};
use tokio::sync::watch;

use super::hosting::context::read_problem;
use crate::events::commit::Recorded;
use crate::events::ids::{Position, RunId, StreamId};
use crate::events::problem::Problem;
use crate::store::{EventStore, ReadError};
use crate::views::log::LogReader;

/// How many events are read at once, and so held in memory for a subscriber.
const PAGE: usize = 256;

/// The events that somebody wants.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventFilter {
    /// Only those of this run.
    pub run: Option<RunId>,
    /// Only those of these types, as in `run_completed`; none means all types.
    pub types: Vec<String>,
    /// Only those after this position. 0 is before the first of the store.
    pub after: Position,
}

impl EventFilter {
    fn admits(&self, recorded: &Recorded) -> bool {
        let is_type = |kind: &String| **kind == *recorded.event.kind;
        recorded.position > self.after && (self.types.is_empty() || self.types.iter().any(is_type))
    }
}

/// A subscriber, and the events that it has read ahead.
struct Subscriber {
    reader: LogReader,
    filter: EventFilter,
    ended: watch::Receiver<bool>,
    page: VecDeque<Recorded>,
}

/// The events that a filter admits: those that are durable, then each as it becomes so, in the order of the store. Ends
/// when the engine is shut down and everything was read, or is gone, or after an error.
pub(super) fn subscribe(
    store: Arc<dyn EventStore>,
    filter: EventFilter,
    ended: watch::Receiver<bool>,
) -> impl Stream<Item = Result<Recorded, Problem>> + Send + Unpin {
    let reader = match &filter.run {
        Some(run) => LogReader::of_stream(store, StreamId::of_run(run), PAGE),
        None => LogReader::of_all(store, filter.after, PAGE),
    };
    let subscriber = Subscriber { reader, filter, ended, page: VecDeque::new() };
    Box::pin(stream::unfold(Some(subscriber), |subscriber| async move {
        let mut subscriber = subscriber?;
        match subscriber.next().await {
            Ok(recorded) => recorded.map(|recorded| (Ok(recorded), Some(subscriber))),
            Err(error) => Some((Err(read_problem(&error)), None)),
        }
    }))
}

impl Subscriber {
    async fn next(&mut self) -> Result<Option<Recorded>, ReadError> {
        loop {
            while let Some(recorded) = self.page.pop_front() {
                if self.filter.admits(&recorded) {
                    return Ok(Some(recorded));
                }
            }
            let has_ended = *self.ended.borrow();
            self.page = match self.reader.page().await {
                // What was durable when the store was closed is read by the next process.
                Err(ReadError::Closed) => return Ok(None),
                page => page?.into(),
            };
            if !self.page.is_empty() {
                continue;
            }
            if has_ended {
                return Ok(None);
            }
            let may_go_on = tokio::select! {
                more = self.reader.more() => more,
                ended = self.ended.wait_for(|ended| *ended) => ended.is_ok(),
            };
            if !may_go_on {
                return Ok(None);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt, StreamExt};

    use super::*;
    use crate::store::memory::MemoryStore;

    #[tokio::test]
    async fn who_listens_to_an_engine_that_is_gone_hears_the_end() {
        let store: Arc<dyn EventStore> = Arc::new(MemoryStore::new());
        let (ended, hears) = watch::channel(false);
        let mut events = subscribe(Arc::clone(&store), EventFilter::default(), hears);
        assert!(events.next().now_or_never().is_none(), "it may go on");
        drop(ended);
        assert!(events.next().await.is_none());
    }
}
