//! The graph of a run: its steps by index and by id, and what follows from how they hang together.

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::index::{Each, StepIndex};
use super::node::Node;
use crate::events::ids::StepId;
use crate::events::run::{Because, StepAdded};

/// The steps of a run, in the order in which they were added: the one in which a step grew is before it.
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
        let by_id = nodes.indexed().map(|(index, node)| (node.id().clone(), index)).collect();
        Ok(Self { nodes, by_id })
    }
}

impl Graph {
    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
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

    pub(super) fn add(&mut self, added: &StepAdded, inside: Option<StepIndex>) -> StepIndex {
        let index = self.nodes.push(Node::new(Arc::new(added.clone()), inside));
        self.by_id.insert(added.step.clone(), index);
        index
    }

    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &Node> {
        self.nodes.iter()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Node> {
        self.nodes.iter_mut()
    }

    /// All indices, for who changes the steps meanwhile.
    pub(super) fn indices(&self) -> impl DoubleEndedIterator<Item = StepIndex> + use<> {
        self.nodes.indices()
    }

    pub(crate) fn indexed(&self) -> impl DoubleEndedIterator<Item = (StepIndex, &Node)> {
        self.nodes.indexed()
    }

    /// These steps; those of them that are there.
    pub(crate) fn all<'i>(
        &self,
        indices: impl IntoIterator<Item = &'i StepIndex>,
    ) -> impl Iterator<Item = &Node> {
        indices.into_iter().filter_map(|index| self.get(*index))
    }

    /// The step that a step grew in.
    pub(crate) fn outer(&self, node: &Node) -> Option<&Node> {
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

    /// The steps that depend on those that are kept, directly or not, and what grew in them; but for what those that are kept
    /// depend on themselves.
    pub(super) fn behind(&self, kept: &[StepIndex]) -> Each<bool> {
        let first = self.all(kept).flat_map(|node| node.dependents.iter().copied());
        let found = self.reach(first.collect(), |node, next| {
            next.extend(node.dependents.iter().chain(&node.children).copied());
        });
        let mut before = self.before(kept.to_vec());
        // What grew in a step stays with it. It was added after it.
        for (index, node) in self.indexed() {
            if node.inside.is_some_and(|outer| before.has(outer)) {
                before.mark(index);
            }
        }
        found.without(&before)
    }

    /// The steps that some come after, themselves among them.
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
