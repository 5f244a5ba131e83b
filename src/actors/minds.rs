//! The streams of minds: what agents with a memory remember.

use super::hosting::context::HostContext;
use super::hosting::kind::Kind;
use super::hosting::quiet::Quiet;
use crate::aggregates::mind::{self, Mind};
use crate::events::ids::{MIND_KIND, StreamId};
use crate::events::json::Json;
use crate::kernel::standing::KindFold;

/// The kind of minds.
pub struct MindKind;

impl Kind for MindKind {
    type Aggregate = Mind;
    type Shell = Quiet<Mind>;

    fn folds(&self) -> KindFold {
        mind::FOLD
    }

    fn describe(&self, state: &Mind) -> Json {
        let seen = serde_json::json!({ "memory": state.memory(), "messages": state.count() });
        Json::of(&seen).unwrap_or_default()
    }

    fn shell(&self, stream: &StreamId, context: &HostContext) -> Option<Quiet<Mind>> {
        (stream.kind() == MIND_KIND).then(|| Quiet::new(context))
    }
}
