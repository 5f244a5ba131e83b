//! Waiting for streams to come to rest.

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
}
