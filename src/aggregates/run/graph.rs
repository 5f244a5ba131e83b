//! The graph of a run: its steps by index and by id, and what follows from how they hang together.

use std::collections::HashMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::node::Node;
use crate::events::ids::StepId;
use crate::events::run::Because;

/// Which step of a run: the how many-th that was added, from 0. Steps are only ever added, so it never changes. It is as wide
/// as what it indexes: nothing has to be converted. Only a [`Graph`] makes one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct StepIndex(usize);

impl StepIndex {
    /// The number itself, from 0, for those who read of it.
    pub(super) const fn number(self) -> usize {
        self.0
    }
}

/// Something of every step.
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

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.0.iter()
    }
}

impl Each<bool> {
    /// Whether a step is one of those that are marked.
    pub(super) fn has(&self, index: StepIndex) -> bool {
        self.get(index).copied().unwrap_or_default()
    }

    /// Marks a step; answers whether it was not marked before.
    fn mark(&mut self, index: StepIndex) -> bool {
        self.get_mut(index).is_some_and(|marked| !std::mem::replace(marked, true))
    }
}

/// The steps of a run, in the order in which they were added: what a step needs, or grew in, is before it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Graph {
    nodes: Each<Node>,
    /// A snapshot does without: it follows from the steps.
    by_id: HashMap<StepId, StepIndex>,
}

impl Serialize for Graph {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.nodes.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Graph {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let nodes = Each::<Node>::deserialize(deserializer)?;
        let ids = nodes.iter().enumerate();
        let by_id = ids.map(|(index, node)| (node.id().clone(), StepIndex(index))).collect();
        Ok(Self { nodes, by_id })
    }
}

impl Graph {
    pub(crate) fn len(&self) -> usize {
        self.nodes.0.len()
    }

    pub(crate) fn get(&self, index: StepIndex) -> Option<&Node> {
        self.nodes.get(index)
    }

    pub(super) fn get_mut(&mut self, index: StepIndex) -> Option<&mut Node> {
        self.nodes.get_mut(index)
    }

    pub(super) fn index(&self, step: &StepId) -> Option<StepIndex> {
        self.by_id.get(step).copied()
    }

    pub(super) fn find(&self, step: &StepId) -> Option<(StepIndex, &Node)> {
        let index = self.index(step)?;
        Some((index, self.get(index)?))
    }

    pub(super) fn add(&mut self, node: Node) -> StepIndex {
        let index = StepIndex(self.len());
        self.by_id.insert(node.id().clone(), index);
        self.nodes.0.push(node);
        index
    }

    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &Node> {
        self.nodes.iter()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Node> {
        self.nodes.0.iter_mut()
    }

    /// All indices, for who changes the steps meanwhile.
    pub(super) fn indices(&self) -> impl DoubleEndedIterator<Item = StepIndex> + use<> {
        (0..self.len()).map(StepIndex)
    }

    pub(crate) fn indexed(&self) -> impl DoubleEndedIterator<Item = (StepIndex, &Node)> {
        self.nodes.0.iter().enumerate().map(|(index, node)| (StepIndex(index), node))
    }

    /// These steps; those of them that are there.
    pub(super) fn all<'i>(
        &self,
        indices: impl IntoIterator<Item = &'i StepIndex>,
    ) -> impl Iterator<Item = &Node> {
        indices.into_iter().filter_map(|index| self.get(*index))
    }

    /// The step that a step grew in.
    pub(super) fn outer(&self, node: &Node) -> Option<&Node> {
        self.get(node.inside?)
    }

    /// The step of the definition that a step is, or grew in.
    pub(super) fn outermost(&self, mut index: StepIndex) -> StepIndex {
        while let Some(outer) = self.get(index).and_then(|node| node.inside) {
            index = outer;
        }
        index
    }

    /// Whether a step is one of these, or grew in one.
    pub(super) fn is_within(&self, node: &Node, of: &[StepIndex]) -> bool {
        let mut next = self.index(node.id());
        while let Some(index) = next {
            if of.contains(&index) {
                return true;
            }
            next = self.get(index).and_then(|node| node.inside);
        }
        false
    }

    /// The round that is so many after this one, if this is a round and there is one.
    pub(super) fn round_beside(&self, index: StepIndex, by: isize) -> Option<StepIndex> {
        let round = self.get(index).filter(|node| node.added.because == Because::Repeat)?;
        let rounds = &self.outer(round)?.children;
        // They were added one after the other.
        let at = rounds.binary_search(&index).ok()?;
        rounds.get(at.checked_add_signed(by)?).copied()
    }

    /// Which steps depend on those that are kept, directly or not, and what grew in them; but for what those that are kept
    /// depend on themselves.
    pub(super) fn behind(&self, kept: &[StepIndex]) -> Each<bool> {
        let first = self.all(kept).flat_map(|node| node.dependents.iter().copied());
        let mut found = self.reach(first.collect(), |node, next| {
            next.extend(node.dependents.iter().chain(&node.children).copied());
        });
        let mut before = self.before(kept.to_vec());
        // What grew in a step stays with it. It was added after it.
        for (index, node) in self.indexed() {
            if node.inside.is_some_and(|outer| before.has(outer)) {
                before.mark(index);
            }
        }
        found.0.iter_mut().zip(before.0).for_each(|(found, before)| *found &= !before);
        found
    }

    /// Which steps some come after, themselves among them.
    pub(super) fn before(&self, of: Vec<StepIndex>) -> Each<bool> {
        self.reach(of, |node, next| {
            next.extend(node.added.needs.iter().filter_map(|need| self.index(need)));
            next.extend(node.inside);
        })
    }

    fn reach(&self, mut next: Vec<StepIndex>, go_on: impl Fn(&Node, &mut Vec<StepIndex>)) -> Each<bool> {
        let mut found: Each<bool> = self.iter().map(|_| false).collect();
        while let Some(index) = next.pop() {
            if let Some(node) = self.get(index).filter(|_| found.mark(index)) {
                go_on(node, &mut next);
            }
        }
        found
    }
}
