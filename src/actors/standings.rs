//! Where streams are, for read models: what is in memory tells at once, of all others the store.

use std::sync::Arc;

use async_trait::async_trait;

use super::communicator::Communicator;
use super::host::read_problem;
use super::load::load;
use crate::aggregates::run::{self, Run, RunStatus};
use crate::events::ids::{RUN_KIND, StreamId, Version};
use crate::events::problem::{Code, Problem};
use crate::events::time::Timestamp;
use crate::kernel::standing::{KindFold, Standing};
use crate::kernel::{Aggregate, Own};
use crate::store::EventStore;
use crate::views::standings::Standings;

/// Asks the hosts of streams, and folds those that have none.
pub(super) struct LiveStandings(pub(super) Arc<Communicator>);

#[async_trait]
impl Standings for LiveStandings {
    fn kind(&self, kind: &str) -> Option<&KindFold> {
        (kind == RUN_KIND).then_some(&run::FOLD)
    }

    async fn standing(&self, stream: &StreamId, at_least: Version) -> Result<Standing, Problem> {
        match self.seen(stream) {
            Some(seen) if seen.version >= at_least => Ok(seen),
            _ => folded::<Run>(&*self.0.host().store, stream).await,
        }
    }
}

impl LiveStandings {
    /// Where a stream is that is in memory and not over.
    fn seen(&self, stream: &StreamId) -> Option<Standing> {
        let seen = self.0.glance(&stream.run()?).filter(|seen| seen.parked.is_none())?;
        let status = seen.status.filter(|status| !status.has_ended())?;
        // That it waits for a child that rests is not its own fold's to say.
        let waits_for_child = status == RunStatus::Waiting && seen.attention.own == Own::Now;
        let status = if waits_for_child { RunStatus::Running } else { status };
        let (version, attention) = (seen.version, seen.attention);
        Some(Standing { version, status: status.text(), attention, ended_at: None })
    }
}

/// Where a stream is, as the store has it.
async fn folded<A: Aggregate>(store: &dyn EventStore, stream: &StreamId) -> Result<Standing, Problem> {
    let (state, head) = load::<A>(store, stream).await?;
    let mut at = Timestamp(0);
    if state.attention().over {
        let before = Version(head.version.0.saturating_sub(1));
        let last = store.read_stream(stream, before, 1).await.map_err(|error| read_problem(&error))?;
        let gone =
            || Problem::new(Code::StoreDamaged, format!("version {} of `{stream}` is gone", head.version));
        at = last.first().ok_or_else(gone)?.header.recorded_at;
    }
    Ok(Standing::of(&state, head.version, at))
}
