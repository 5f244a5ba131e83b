//! What the agents of a run share, as it changes.

use std::sync::Arc;

use super::{Contradiction, Evolution};
use crate::aggregates::run::ContextValue;
use crate::events::ids::KeyVersion;
use crate::events::run::{AttemptStarted, ContextChanged};

impl Evolution<'_> {
    pub(super) fn context_changed(&mut self, event: &ContextChanged) -> Result<(), Contradiction> {
        let known = self.run.context.get(&event.key);
        let last = known.map_or(KeyVersion(0), |known| known.version);
        let version = match event.version {
            KeyVersion(0) if known.is_some_and(ContextValue::is_there) => last,
            version if version == last.next() => version,
            version => {
                let key = &event.key;
                return Err(format!(
                    "`{key}` had version {last} in the context, and {version} does not follow"
                ));
            }
        };
        let node = self.run.node(&event.step).map(|(_, node)| node);
        let open = node.into_iter().flat_map(|node| node.open_attempts());
        let writes =
            |open: &Arc<AttemptStarted>| (open.purpose, open.attempt) == (event.purpose, event.attempt);
        if !open.into_iter().any(writes) {
            return Err(format!("no attempt {} at `{}` is open that could write", event.attempt, event.step));
        }
        let ContextChanged { key, value, step, purpose, attempt, .. } = event.clone();
        let written = ContextValue { version, value, step, purpose, attempt, at: self.now };
        Arc::make_mut(&mut self.run.context).insert(key, written);
        Ok(())
    }
}
