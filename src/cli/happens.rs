//! What happens to a run, in a line each, while it is seen through: where no lines can be drawn over again all of it, elsewhere
//! what is done in a lesser way.

use super::say::Say;
use super::text::happenings::{Story, lesser};
use crate::api::protocol::{HistoryLine, Tells};
use crate::events::ids::{RunId, Version};

/// Tells each event once, also when another process is asked again from the beginning.
pub(super) struct Happens<'s> {
    say: &'s Say,
    tells: Tells,
    /// Whether what is done in a lesser way is a warning.
    warns: bool,
    story: Story,
    told: Version,
}

impl<'s> Happens<'s> {
    /// Tells of that run; none where nothing is to be told.
    pub(super) fn new(say: &'s Say, run: &RunId, tells: Tells, warns: bool) -> Option<Self> {
        let is_told = warns || tells == Tells::Everything;
        is_told.then(|| Self { say, tells, warns, story: Story::new(run.clone()), told: Version(0) })
    }

    pub(super) fn tell(&mut self, line: &HistoryLine) {
        if line.version <= self.told {
            return;
        }
        self.told = line.version;
        // Also of what is told otherwise the story has to know.
        let happened = self.story.take(line);
        let warning = if self.warns { lesser(line) } else { None };
        let happened = happened.filter(|_| self.tells == Tells::Everything);
        if let Some(words) = warning.or(happened) {
            self.say.note(&words);
        }
    }
}
