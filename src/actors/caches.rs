//! The stream of the cache of answers: what people take away of it.

use super::hosting::context::HostContext;
use super::hosting::kind::Kind;
use super::hosting::quiet::Quiet;
use crate::aggregates::cache::{self, AnswerCache};
use crate::events::ids::StreamId;
use crate::events::json::Json;
use crate::kernel::standing::KindFold;

/// The kind of the cache of answers, of which there is one stream.
pub struct CacheKind;

impl Kind for CacheKind {
    type Aggregate = AnswerCache;
    type Shell = Quiet<AnswerCache>;

    fn folds(&self) -> KindFold {
        cache::FOLD
    }

    fn describe(&self, state: &AnswerCache) -> Json {
        Json::of(&serde_json::json!({ "cleared": state.cleared() })).unwrap_or_default()
    }

    fn shell(&self, stream: &StreamId, context: &HostContext) -> Option<Quiet<AnswerCache>> {
        (*stream == StreamId::of_cache()).then(|| Quiet::new(context))
    }
}
