//! Proving the store whole.

use super::Facade;
use crate::actors::hosting::context::read_problem;
use crate::api::protocol::{VerifyProblem, VerifyReport};
use crate::events::ids::{StreamId, Version};
use crate::events::problem::{Code, Problem};
use crate::store::verify::{FINDINGS_MAX, disk_bytes, verify};

impl Facade {
    pub(super) async fn verify(&self) -> Result<VerifyReport, Problem> {
        let store = self.system.store();
        let mut streams = std::collections::BTreeSet::new();
        let found = verify(&**store, |recorded| {
            let stream = &recorded.header.stream;
            if !streams.contains(stream) {
                streams.insert(stream.clone());
            }
            let kind = self.system.kind(stream).map_err(|problem| problem.message)?;
            kind.blobs(recorded)
        })
        .await
        .map_err(|error| read_problem(&error))?;
        let (mut damage, is_cut_short) = (found.damage, found.problems.len() >= FINDINGS_MAX);
        let mut problems: Vec<VerifyProblem> = found
            .problems
            .into_iter()
            .map(|finding| VerifyProblem {
                position: finding.position.0,
                stream: finding.stream.map(|stream| stream.to_string()),
                version: finding.version.map(|version| version.0),
                what: finding.what,
            })
            .collect();
        if problems.is_empty() {
            (problems, damage) = self.unfoldable(streams).await;
        }
        // What nobody understands is whole, and so is a store of which a cache was not.
        match damage {
            Some(what) => store.note_damage(&what),
            // What was not looked at is not proven whole.
            None if is_cut_short => {}
            None => store.forget_damage(),
        }
        let disk_bytes = self.data.as_ref().and_then(|data| disk_bytes(data).ok()).unwrap_or(0);
        Ok(VerifyReport {
            ok: problems.is_empty(),
            events: found.events,
            commits: found.commits,
            streams: found.streams,
            event_bytes: found.event_bytes,
            disk_bytes,
            problems,
        })
    }

    /// Streams whose history is whole and makes no sense all the same, and snapshots that are not what the history gives.
    /// Those are a cache, and dropped. Answers also what of it is damage.
    async fn unfoldable(
        &self,
        streams: impl IntoIterator<Item = StreamId>,
    ) -> (Vec<VerifyProblem>, Option<String>) {
        let (mut problems, mut damage) = (Vec::new(), None);
        let mut add = |stream: &StreamId, version: Option<Version>, what: String| {
            let (stream, version) = (Some(stream.to_string()), version.map(|version| version.0));
            if problems.len() < FINDINGS_MAX {
                problems.push(VerifyProblem { position: 0, stream, version, what });
            }
        };
        for stream in streams {
            let proven = match self.system.kind(&stream) {
                Ok(kind) => kind.prove(&**self.system.store(), &stream).await,
                Err(problem) => Err(problem),
            };
            match proven {
                Ok(wrong) => wrong.into_iter().for_each(|version| {
                    let what = format!(
                        "the snapshot at version {version} is not what the events give: it is dropped"
                    );
                    add(&stream, Some(version), what);
                }),
                Err(problem) => {
                    if problem.code == Code::StoreDamaged {
                        damage.get_or_insert_with(|| problem.message.clone());
                    }
                    add(&stream, None, problem.message);
                }
            }
        }
        (problems, damage)
    }
}
