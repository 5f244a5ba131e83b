//! The streams of shared contexts: nothing is done for them in the world but what every stream has done, which is to be woken and
//! to say something to other streams.

use super::hosting::context::HostContext;
use super::hosting::kind::Kind;
use super::hosting::quiet::Quiet;
use crate::aggregates::context::{self, Context};
use crate::events::ids::StreamId;
use crate::events::json::Json;
use crate::kernel::standing::KindFold;

/// The kind of shared contexts.
pub struct ContextKind;

impl Kind for ContextKind {
    type Aggregate = Context;
    type Shell = Quiet<Context>;

    fn folds(&self) -> KindFold {
        context::FOLD
    }

    fn describe(&self, state: &Context) -> Json {
        let seen =
            serde_json::json!({ "keys": state.keys(), "locks": state.locks(), "fence": state.fence() });
        Json::of(&seen).unwrap_or_default()
    }

    fn shell(&self, stream: &StreamId, context: &HostContext) -> Option<Quiet<Context>> {
        stream.context().map(|_| Quiet::new(context))
    }
}
