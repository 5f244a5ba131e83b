//! The cache of answers: what is kept, and taking that away.

use std::sync::Arc;

use super::{Facade, Frames, view_problem};
use crate::actors::caches::CacheKind;
use crate::aggregates::cache::CacheAsk;
use crate::api::protocol::{CacheCleared, CacheWants, Frame, KeptAnswer, Response};
use crate::events::ids::{AgentName, CommandId, Hash, StreamId};
use crate::events::problem::Problem;
use crate::events::time::Timestamp;
use crate::kernel::core::Envelope;
use crate::views::projections::cache::KeptRow;

/// How many digits of a key are shown: no two keys that anybody sees are alike in them.
const KEY_DIGITS: usize = 12;

impl Facade {
    /// Answers what somebody wants of the cache.
    pub(super) async fn cache(&self, wants: CacheWants, frames: &Frames) -> Result<Response, Problem> {
        match wants {
            CacheWants::List => {
                let now = self.system.clock().now().steady;
                for (key, row) in self.kept().await? {
                    if frames.send(Frame::Kept(Box::new(known(&key, row, now)))).await.is_err() {
                        break;
                    }
                }
                Ok(Response::Done)
            }
            CacheWants::Clear { agent, by, id } => {
                self.clear(agent, by, id).await.map(Response::CacheCleared)
            }
        }
    }

    async fn kept(&self) -> Result<Vec<(Hash, KeptRow)>, Problem> {
        self.system.cache().list().await.map_err(|error| view_problem(&error))
    }

    async fn clear(
        &self,
        agent: Option<AgentName>,
        by: Arc<str>,
        id: Option<CommandId>,
    ) -> Result<CacheCleared, Problem> {
        let is_meant = |row: &KeptRow| agent.as_ref().is_none_or(|agent| agent.key() == row.agent.key());
        let cleared = self.kept().await?.iter().filter(|(_, row)| is_meant(row)).count() as u64;
        let envelope = Envelope { id, ..Envelope::default() };
        let ask = || CacheAsk::Clear { agent: agent.clone(), by: Arc::clone(&by) };
        let stream = StreamId::of_cache();
        let version = self.system.hosting().order::<CacheKind>(&stream, &envelope, ask).await?;
        Ok(CacheCleared { cleared, version })
    }
}

fn known(key: &Hash, row: KeptRow, now: Timestamp) -> KeptAnswer {
    let age_ms = u64::try_from(now.since(row.at).as_millis()).unwrap_or(u64::MAX);
    KeptAnswer {
        key: key.to_string().chars().take(KEY_DIGITS).collect(),
        expires: row.expires(),
        agent: row.agent,
        run: row.run,
        step: row.step,
        version: row.version,
        size_bytes: row.size_bytes,
        at: row.at,
        age_ms,
        hits: row.hits,
        used_at: row.used_at,
    }
}
