//! The numbers of steps, and collections that have something of every step.

use serde::{Deserialize, Serialize};

/// The number of a step in its run, from 0, in the order in which steps were added. None is ever taken away, so it never
/// changes. It is as wide as what it indexes, so that nothing has to be converted. Only an [`Each`] makes one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct StepIndex(usize);

impl StepIndex {
    /// The number itself, from 0, for messages to people.
    pub(super) const fn number(self) -> usize {
        self.0
    }
}

/// Something of every step, in the order in which they were added.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Each<T>(Vec<T>);

impl<T> Default for Each<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> FromIterator<T> for Each<T> {
    fn from_iter<I: IntoIterator<Item = T>>(of_each: I) -> Self {
        Self(of_each.into_iter().collect())
    }
}

impl<T> Each<T> {
    /// That of a step; none only where the index is of another graph, or of one that has grown since.
    pub(super) fn get(&self, index: StepIndex) -> Option<&T> {
        self.0.get(index.0)
    }

    pub(super) fn get_mut(&mut self, index: StepIndex) -> Option<&mut T> {
        self.0.get_mut(index.0)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn push(&mut self, of_next: T) -> StepIndex {
        self.0.push(of_next);
        StepIndex(self.0.len() - 1)
    }

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.0.iter()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.0.iter_mut()
    }

    pub(super) fn indices(&self) -> impl DoubleEndedIterator<Item = StepIndex> + use<T> {
        (0..self.0.len()).map(StepIndex)
    }

    pub(super) fn indexed(&self) -> impl DoubleEndedIterator<Item = (StepIndex, &T)> {
        self.0.iter().enumerate().map(|(index, of_it)| (StepIndex(index), of_it))
    }
}

impl Each<bool> {
    /// Whether a step is one of those that are marked.
    pub(super) fn has(&self, index: StepIndex) -> bool {
        self.get(index).copied().unwrap_or_default()
    }

    /// Marks a step; answers whether it was not marked before.
    pub(super) fn mark(&mut self, index: StepIndex) -> bool {
        self.get_mut(index).is_some_and(|marked| !std::mem::replace(marked, true))
    }

    /// Takes the marks off those that others have.
    pub(super) fn without(mut self, others: &Self) -> Self {
        self.0.iter_mut().zip(&others.0).for_each(|(marked, other)| *marked &= !other);
        self
    }
}
