//! What is recorded of a stream of any kind, and what of it came of a command.

use super::Facade;
use crate::actors::hosting::context::read_problem;
use crate::events::codec::Encoded;
use crate::events::commit::Recorded;
use crate::events::ids::{CommandId, StreamId, Version};
use crate::events::problem::{Code, Problem};

impl Facade {
    /// The next events of a stream.
    pub(super) async fn events(
        &self,
        stream: &StreamId,
        after: Version,
        count: usize,
    ) -> Result<Vec<Recorded>, Problem> {
        let page = self.system.store().read_stream(stream, after, count).await;
        page.map_err(|error| read_problem(&error))
    }

    /// The events that came of a command, which was answered with that version of the stream.
    pub(super) async fn of_command<E: Encoded>(
        &self,
        stream: &StreamId,
        version: Version,
        id: CommandId,
    ) -> Result<Vec<E>, Problem> {
        let last = self.events(stream, Version(version.0.saturating_sub(1)), 1).await?;
        // What changed nothing in a stream to which nothing has happened is in no commit.
        let Some(first) = last.first().map(|last| last.header.first.0) else { return Ok(Vec::new()) };
        let count = usize::try_from((version.0 + 1).saturating_sub(first)).unwrap_or(usize::MAX);
        let commit = self.events(stream, Version(first.saturating_sub(1)), count).await?;
        let is_its =
            |recorded: &&Recorded| recorded.decision.as_ref().is_some_and(|decision| decision.id == Some(id));
        commit.iter().filter(is_its).map(understood).collect()
    }
}

/// What happened, as this build understands it.
pub(super) fn understood<E: Encoded>(recorded: &Recorded) -> Result<E, Problem> {
    recorded.decode().map_err(|error| Problem::new(Code::RunParked, error.to_string()))
}
