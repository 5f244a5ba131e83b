//! The standing of streams, for read models: what is in memory tells at once, of all others the store.

use std::sync::Arc;

use async_trait::async_trait;

use super::Hosting;
use crate::events::ids::{StreamId, Version};
use crate::events::problem::Problem;
use crate::kernel::standing::{KindFold, Standing};
use crate::views::standings::Standings;

/// Asks the hosts of streams, and folds those that have none.
pub struct LiveStandings(pub Arc<Hosting>);

#[async_trait]
impl Standings for LiveStandings {
    fn kind(&self, kind: &str) -> Option<&KindFold> {
        self.0.kinds()?.fold(kind)
    }

    async fn standing(&self, stream: &StreamId, at_least: Version) -> Result<Standing, Problem> {
        match self.seen(stream) {
            Some(seen) if seen.version >= at_least => Ok(seen),
            _ => {
                let store = &*self.0.book().context().store;
                Ok(self.0.kind(stream)?.seen(store, stream, Version(u64::MAX)).await?.0)
            }
        }
    }
}

impl LiveStandings {
    /// The standing of a stream that is in memory and not over; none of any other.
    fn seen(&self, stream: &StreamId) -> Option<Standing> {
        let live = self.0.book().live(stream)?;
        let seen = live.borrow();
        if !seen.loaded || seen.parked.is_some() || seen.attention.over {
            return None;
        }
        let (version, status, attention) = (seen.version, seen.status, seen.attention);
        Some(Standing { version, status, attention, ended_at: None })
    }
}
