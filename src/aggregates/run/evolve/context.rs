//! What the agents of a run share, as it changes.

use std::sync::Arc;

use super::{Contradiction, Evolution};
use crate::aggregates::run::ContextValue;
use crate::events::ids::KeyVersion;
use crate::events::run::ContextChanged;

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
        if !self.is_of_delivery(&event.step, event.purpose, event.attempt) {
            self.open_attempt(&event.step, event.purpose, event.attempt)?;
        }
        let ContextChanged { key, value, step, purpose, attempt, .. } = event.clone();
        let written = ContextValue { version, value, step, purpose, attempt, at: self.now };
        Arc::make_mut(&mut self.run.context).insert(key, written);
        Ok(())
    }
}
