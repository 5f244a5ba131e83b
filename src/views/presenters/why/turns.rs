//! Agents that use tools: where their turns and calls come from.

use super::past::Past;
use super::want::Want;
use crate::aggregates::run::Node;
use crate::events::run::Because;

/// How many of the tools are followed that a turn was told of.
const TOOLS_MAX: usize = 3;

/// Where a turn comes from that is not the first: from the one before, and what its tools came to. A call comes from the turn that
/// wanted it.
pub(super) fn began_with(past: &Past<'_>, node: &Node) -> Vec<Want> {
    match node.added.because {
        Because::Tool => {
            past.run.nodes().outer(node).map(|turn| Want::Made(turn.id().clone())).into_iter().collect()
        }
        Because::Turn => {
            let before = node.added.needs.first().and_then(|before| past.node(before));
            let tools =
                before.into_iter().flat_map(|before| tools(past, before)).take(TOOLS_MAX).map(came_to);
            tools.chain(before.map(|before| Want::Made(before.id().clone()))).collect()
        }
        _ => Vec::new(),
    }
}

/// The whole, if a step is the first turn of it.
pub(super) fn begun_for<'a>(past: &Past<'a>, node: &Node) -> Option<&'a Node> {
    let is_first = node.added.because == Because::Turn && node.added.needs.is_empty();
    past.run.nodes().outer(node).filter(|_| is_first)
}

/// Whether a step was done in turns.
pub(super) fn has_turns(past: &Past<'_>, node: &Node) -> bool {
    past.inside(node).any(|inner| inner.added.because == Because::Turn)
}

/// The turn that answered what the whole did.
pub(super) fn last(past: &Past<'_>, node: &Node) -> Vec<Want> {
    let last = past.inside(node).rfind(|inner| inner.added.because == Because::Turn);
    last.map(|turn| Want::Made(turn.id().clone())).into_iter().collect()
}

/// What a turn wanted, in a sentence; none of one that was the last, and of what is no turn.
pub(super) fn wanted(past: &Past<'_>, node: &Node) -> Option<String> {
    let tools = tools(past, node).filter_map(Node::agent_of_work).map(|tool| format!("`{tool}`"));
    let tools: Vec<String> = tools.collect();
    (!tools.is_empty()).then(|| format!("`{}` wanted tools to be used: {}", node.id(), tools.join(", ")))
}

fn tools<'a>(past: &Past<'a>, turn: &'a Node) -> impl Iterator<Item = &'a Node> {
    past.inside(turn).filter(|node| node.added.because == Because::Tool)
}

fn came_to(tool: &Node) -> Want {
    let id = tool.id().clone();
    if tool.output().is_some() { Want::Made(id) } else { Want::Failed(id) }
}
