//! A stream as it was at one version after another, for whoever walks through its past. Folds of it are kept, so that the
//! next version is never far: without, each would be folded from the nearest snapshot.

use std::collections::BTreeMap;

use super::load::{advance, load_upto};
use crate::events::ids::{StreamId, Version};
use crate::events::problem::Problem;
use crate::kernel::Aggregate;
use crate::kernel::fold::{Content, Fold};
use crate::store::{EventStore, Head};

/// How many events lie between the folds that are kept: as many are folded in less than a millisecond.
const SPACING: u64 = 256;

/// How many folds are kept beside the last. Each is as large as the state; whoever walks needs those that are near.
const KEPT_MAX: usize = 4;

/// The past of one stream.
pub struct Past<A> {
    stream: StreamId,
    /// The fold that was asked for last.
    last: Option<Fold<A>>,
    /// Folds at multiples of the spacing.
    kept: BTreeMap<Version, Fold<A>>,
}

impl<A: Aggregate + Clone> Past<A> {
    /// The past of that stream, of which nothing is folded yet.
    pub fn of(stream: StreamId) -> Self {
        Self { stream, last: None, kept: BTreeMap::new() }
    }

    /// The name of the stream.
    pub fn stream(&self) -> &StreamId {
        &self.stream
    }

    /// The state as it was at a version; at the end of the stream, if that comes first.
    ///
    /// # Errors
    /// When the stream cannot be read, or holds what this version does not understand.
    pub async fn at(&mut self, store: &dyn EventStore, at: Version) -> Result<(&A, Head), Problem> {
        let mut fold = match self.last.take() {
            // Nothing was folded yet: who asks once does not walk.
            None if self.kept.is_empty() => {
                let fold = load_upto(store, &self.stream, at, Content::Unknown).await?;
                return Ok(self.shown(fold));
            }
            Some(last) if last.head.version <= at && !self.keeps_between(last.head.version, at) => last,
            _ => self.before(store, at).await?,
        };
        if fold.head.version < at {
            advance(&mut fold, store, &self.stream, at).await?;
        }
        Ok(self.shown(fold))
    }

    fn shown(&mut self, fold: Fold<A>) -> (&A, Head) {
        let fold = self.last.insert(fold);
        (&fold.state, fold.head)
    }

    /// Whether a fold is kept that is nearer to `at` than one of the version `from`.
    fn keeps_between(&self, from: Version, at: Version) -> bool {
        let nearest = self.kept.range(..=at).next_back();
        nearest.is_some_and(|(version, _)| *version > from)
    }

    /// The fold at the last multiple of the spacing, which is kept from then on.
    async fn before(&mut self, store: &dyn EventStore, at: Version) -> Result<Fold<A>, Problem> {
        let from = Version(at.0 - at.0 % SPACING);
        if let Some(fold) = self.kept.get(&from) {
            return Ok(fold.clone());
        }
        let fold = load_upto(store, &self.stream, from, Content::Unknown).await?;
        self.kept.insert(from, fold.clone());
        while self.kept.len() > KEPT_MAX {
            let farthest = self.kept.keys().copied().max_by_key(|version| version.0.abs_diff(at.0));
            farthest.and_then(|version| self.kept.remove(&version));
        }
        Ok(fold)
    }
}
