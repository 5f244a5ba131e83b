//! A picture for Graphviz, in which steps are numbered, and names stand in quoted labels only.

use std::fmt::Write;

use super::mermaid::colours;
use super::{EdgeKind, Graph, GraphNode, NodeKind, facts};
use crate::events::text::printable;

pub(super) fn written(graph: &Graph) -> String {
    let mut out = String::new();
    // Writing into a `String` cannot fail.
    let _ = write(&mut out, graph);
    out
}

fn write(out: &mut String, graph: &Graph) -> std::fmt::Result {
    writeln!(out, "digraph {} {{", quoted(&[&*graph.workflow]))?;
    writeln!(out, "    node [shape=box, style=\"rounded,filled\", fillcolor=\"#ffffff\"];")?;
    for (number, (phase, places)) in graph.by_phase().into_iter().enumerate() {
        let margin = if phase.is_some() { "        " } else { "    " };
        if let Some(phase) = phase {
            writeln!(out, "    subgraph cluster_p{number} {{")?;
            writeln!(out, "        label={};", quoted(&[format!("phase {phase}")]))?;
        }
        for place in places {
            if let Some(node) = graph.nodes.get(place) {
                writeln!(out, "{margin}n{place} [{}];", attributes(node))?;
            }
        }
        if phase.is_some() {
            writeln!(out, "    }}")?;
        }
    }
    let places = graph.places();
    for edge in &graph.edges {
        if let (Some(from), Some(to)) = (places.get(&edge.from), places.get(&edge.to)) {
            let style = match edge.kind {
                EdgeKind::Needs => "",
                EdgeKind::Grew => " [style=dotted]",
                EdgeKind::HandedOver => " [style=dotted, label=\"hands over\"]",
            };
            writeln!(out, "    n{from} -> n{to}{style};")?;
        }
    }
    writeln!(out, "}}")
}

fn attributes(node: &GraphNode) -> String {
    let mut lines = vec![node.id.to_string(), facts::who(node)];
    lines.extend(facts::more(node));
    lines.extend(node.status.clone());
    let mut attributes = format!("label={}", quoted(&lines));
    let shape = match node.kind {
        NodeKind::Work => None,
        NodeKind::Workflow | NodeKind::ForEach | NodeKind::Repeat => Some("box3d"),
        NodeKind::Sleep | NodeKind::Wait => Some("ellipse"),
        NodeKind::Approval => Some("hexagon"),
    };
    if let Some(shape) = shape {
        attributes.push_str(&format!(", shape={shape}"));
    }
    if let Some((fill, line)) = node.status.as_deref().and_then(colours) {
        attributes.push_str(&format!(", fillcolor=\"{fill}\", color=\"{line}\""));
    }
    attributes
}

/// Lines as one quoted text. A backslash would begin an escape, be it that of a name of the picture's own.
fn quoted(lines: &[impl AsRef<str>]) -> String {
    let line = |line: &str| printable(line).replace('\\', "\\\\").replace('"', "\\\"");
    let lines: Vec<String> = lines.iter().map(|text| line(text.as_ref())).collect();
    format!("\"{}\"", lines.join("\\n"))
}
