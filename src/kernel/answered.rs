//! The commands that a stream has answered: one that is sent again gets the same answer, also after a crash.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::events::commit::Recorded;
use crate::events::ids::{CommandId, Version};

/// How many of the newest commands are remembered. Who sends one again does so within seconds, or minutes if
/// the process that answered died; in that time fewer others ask the same stream.
pub const ANSWERED_MAX: usize = 1_024;

/// The commands that made something happen, each with the version that it was answered with: the last of its
/// commit. The oldest comes first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answered(VecDeque<(CommandId, Version)>);

impl Answered {
    /// The version that a command was answered with; none if it was not answered, or too long ago.
    pub fn version(&self, id: &CommandId) -> Option<Version> {
        self.0.iter().rev().find(|(answered, _)| answered == id).map(|(_, version)| *version)
    }

    /// Takes note of the answer to a command.
    pub fn add(&mut self, id: CommandId, version: Version) {
        if self.0.len() >= ANSWERED_MAX {
            self.0.pop_front();
        }
        self.0.push_back((id, version));
    }

    /// Folds an event: with the last event of a commit, all commands that were decided in
    /// it count as answered.
    pub(super) fn fold(&mut self, recorded: &Recorded) {
        let Recorded { version, header, decision, .. } = recorded;
        let of_commit = self.0.iter_mut().rev().take_while(|(_, answered)| *answered >= header.first);
        of_commit.for_each(|(_, answered)| *answered = *version);
        let id = decision.as_ref().and_then(|decision| decision.id);
        let is_known = |id: &CommandId| self.0.back().is_some_and(|(last, at)| last == id && at == version);
        if let Some(id) = id.filter(|id| !is_known(id)) {
            self.add(id, *version);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_newest_are_known() {
        let mut answered = Answered::default();
        let id = |number: usize| CommandId((number as u128).to_le_bytes());
        (0..=ANSWERED_MAX).for_each(|number| answered.add(id(number), Version(number as u64 + 1)));
        assert_eq!(answered.version(&id(0)), None, "the oldest is forgotten");
        assert_eq!(answered.version(&id(1)), Some(Version(2)));
        assert_eq!(answered.version(&id(ANSWERED_MAX)), Some(Version(ANSWERED_MAX as u64 + 1)));
    }
}
