//! Waiting for streams to come to rest, and to stir again.

use std::sync::Arc;

use super::Hosting;
use super::live::Live;
use crate::events::ids::StreamId;
use crate::events::problem::{Code, Problem};

impl Hosting {
    /// Ends when a stream is over, or when it rests until somebody acts, and nothing of it runs any more.
    ///
    /// # Errors
    /// Why it cannot go on.
    pub async fn at_rest(self: &Arc<Self>, stream: &StreamId) -> Result<Live, Problem> {
        loop {
            let mut live = self.watch(stream)?;
            let over = |seen: &Live| seen.parked.is_some() || seen.at_rest;
            match live.wait_for(over).await.map(|seen| seen.clone()) {
                Ok(Live { parked: Some(problem), .. }) => return Err(problem),
                Ok(seen) => return Ok(seen),
                Err(_) if self.book.is_closing() => {
                    return Err(Problem::new(Code::ShuttingDown, "the process is ending"));
                }
                // Its host was put away while it slept: it is started again.
                Err(_) => {}
            }
        }
    }

    /// Ends when a stream that is at rest stirs, or cannot go on. It need not be in memory until then.
    pub async fn stirs(&self, stream: &StreamId) {
        loop {
            let place = self.book.awaited().place(stream);
            let there = place.is_there();
            let Some(mut live) = self.book.live(stream) else {
                if let Some(there) = there {
                    there.await;
                }
                continue;
            };
            let stirs = |seen: &Live| seen.parked.is_some() || seen.loaded && !seen.at_rest;
            // An error means that its host was put away again.
            if live.wait_for(stirs).await.is_ok() {
                return;
            }
        }
    }
}
