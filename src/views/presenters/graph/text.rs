//! A picture for a terminal: layer by layer, each step with what it comes after.

use std::collections::HashMap;
use std::fmt::Write;

use super::super::report::sign;
use super::{EdgeKind, Graph, GraphNode, facts};
use crate::events::ids::StepId;
use crate::events::text::{printable, shortened};
use crate::workflow::graph;

/// How many of the steps are named that a step comes after.
const NEEDS_SHOWN: usize = 6;

/// How much of a name stands in a column, in characters.
const NAME_CHARS_MAX: usize = 40;

pub(super) fn written(graph: &Graph) -> String {
    let mut out = String::new();
    // Writing into a `String` cannot fail.
    let _ = write(&mut out, graph);
    out
}

/// A step as a row, in columns.
struct Row<'a> {
    layer: usize,
    /// How deep it lies inside of steps that grew it.
    depth: usize,
    node: &'a GraphNode,
    after: String,
}

fn write(out: &mut String, graph: &Graph) -> std::fmt::Result {
    write!(out, "{}", printable(&graph.workflow))?;
    if let (Some(run), Some(status)) = (&graph.run, graph.status) {
        write!(out, "  {}  run {}", status.text(), printable(run.as_str()))?;
    }
    writeln!(out)?;
    let rows = rows(graph);
    let names: Vec<String> = rows.iter().map(name).collect();
    let whos: Vec<String> = rows.iter().map(|row| facts::who(row.node)).collect();
    let widest = |texts: &[String]| texts.iter().map(|text| text.chars().count()).max().unwrap_or(0);
    let (name_width, who_width) = (widest(&names), widest(&whos));
    let digits = rows.iter().map(|row| row.layer).max().unwrap_or(0).to_string().len();
    let mut layer = 0;
    for ((row, name), who) in rows.iter().zip(&names).zip(&whos) {
        let number = if row.layer == layer { String::new() } else { row.layer.to_string() };
        layer = row.layer;
        let mut facts = vec![row.after.clone()];
        facts.extend(row.node.phase.as_deref().map(|phase| format!("phase {}", printable(phase))));
        facts.extend(facts::more(row.node));
        facts.retain(|fact| !fact.is_empty());
        let line = format!("{number:>digits$}  {name:name_width$}  {who:who_width$}  {}", facts.join(", "),);
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

/// The id of a step, behind a sign for its status where it has one.
fn name(row: &Row<'_>) -> String {
    let id = shortened(row.node.id.as_str(), NAME_CHARS_MAX);
    let sign = row.node.status.as_deref().map(|status| format!("{} ", sign(status)));
    format!("{}{}{id}", "  ".repeat(row.depth), sign.unwrap_or_default())
}

/// The steps layer by layer: a step lies one below the lowest that it needs. What a plan added lies below its planner.
fn rows(graph: &Graph) -> Vec<Row<'_>> {
    let mut needs: HashMap<&StepId, Vec<&StepId>> = HashMap::new();
    for edge in graph.edges.iter().filter(|edge| edge.kind != EdgeKind::Grew) {
        needs.entry(&edge.to).or_default().push(&edge.from);
    }
    let layers = layers(graph);
    let of = |id: &StepId| layers.get(id).copied().unwrap_or(1);
    let mut inner: HashMap<&StepId, Vec<&GraphNode>> = HashMap::new();
    let mut outer: Vec<&GraphNode> = Vec::new();
    for node in &graph.nodes {
        match &node.inside {
            Some(inside) => inner.entry(inside).or_default().push(node),
            None => outer.push(node),
        }
    }
    outer.sort_by_key(|node| of(&node.id));
    let mut rows = Vec::with_capacity(graph.nodes.len());
    let mut left: Vec<(usize, usize, &GraphNode)> =
        outer.into_iter().rev().map(|node| (of(&node.id), 0, node)).collect();
    while let Some((layer, depth, node)) = left.pop() {
        let after = after(needs.get(&node.id).map_or(&[][..], Vec::as_slice));
        rows.push(Row { layer, depth, node, after });
        let grown = inner.get(&node.id).into_iter().flatten().rev();
        left.extend(grown.map(|grown| (layer, depth + 1, *grown)));
    }
    rows
}

/// The layer of each step, from 1.
fn layers(graph: &Graph) -> HashMap<&StepId, usize> {
    let places = graph.places();
    let mut needs = vec![Vec::new(); graph.nodes.len()];
    for edge in graph.edges.iter().filter(|edge| edge.kind != EdgeKind::Grew) {
        if let (Some(from), Some(to)) = (places.get(&edge.from), places.get(&edge.to)) {
            needs.get_mut(*to).into_iter().for_each(|needs: &mut Vec<usize>| needs.push(*from));
        }
    }
    let layers = graph::Graph::new(needs).layers();
    graph.nodes.iter().map(|node| &node.id).zip(layers.into_iter().map(|layer| layer + 1)).collect()
}

fn after(needs: &[&StepId]) -> String {
    if needs.is_empty() {
        return String::new();
    }
    let named: Vec<_> = needs.iter().take(NEEDS_SHOWN).map(|need| printable(need.as_str())).collect();
    let more = needs.len() - named.len();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("after {}{more}", named.join(", "))
}
