//! Proving the store whole.

use std::sync::Arc;

use super::Facade;
use crate::actors::host::{load, read_problem};
use crate::api::protocol::{VerifyProblem, VerifyReport};
use crate::events::ids::{RunId, StreamId};
use crate::events::problem::Problem;
use crate::events::run::RunEvent;
use crate::store::verify::{disk_bytes, verify};
use crate::workflow::run::Run;

impl Facade {
    pub(super) async fn verify(&self) -> Result<VerifyReport, Problem> {
        let store = self.system.store();
        let mut runs = std::collections::BTreeSet::new();
        let found = verify(&**store, |recorded| {
            let event: RunEvent = recorded.decode().map_err(|error| error.to_string())?;
            runs.extend(recorded.header.stream.run());
            Ok(event.blobs())
        })
        .await
        .map_err(|error| read_problem(&error))?;
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
            problems = self.unfoldable(runs).await;
        }
        let disk_bytes = disk_bytes(&self.data).unwrap_or(0);
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

    /// Runs whose history is whole and makes no sense all the same.
    async fn unfoldable(&self, runs: impl IntoIterator<Item = RunId>) -> Vec<VerifyProblem> {
        let mut problems = Vec::new();
        for run in runs {
            let stream = StreamId::of_run(&run);
            if let Err(problem) = load::<Run>(Arc::clone(self.system.store()), stream.clone()).await {
                let (stream, what) = (Some(stream.to_string()), problem.message);
                problems.push(VerifyProblem { position: 0, stream, version: None, what });
            }
        }
        problems
    }
}
