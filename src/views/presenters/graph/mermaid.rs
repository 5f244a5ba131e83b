//! A picture for Mermaid: a flowchart, in which steps are numbered, and names stand in quoted labels only.

use std::fmt::Write;

use super::{EdgeKind, Graph, GraphNode, NodeKind, facts};
use crate::events::text::printable;

/// How steps with a status look: fill and line.
const COLOURS: [(&str, &str, &str); 11] = [
    ("pending", "#f6f8fa", "#8c959f"),
    ("running", "#ddf4ff", "#0969da"),
    ("waiting", "#fff8c5", "#9a6700"),
    ("retrying", "#fff8c5", "#bc4c00"),
    ("completed", "#dafbe1", "#1a7f37"),
    ("failed", "#ffebe9", "#cf222e"),
    ("skipped", "#eaeef2", "#8c959f"),
    ("cancelled", "#eaeef2", "#57606a"),
    ("compensating", "#fbefff", "#8250df"),
    ("compensated", "#fbefff", "#6639ba"),
    ("stuck", "#ffebe9", "#82071e"),
];

/// How a step with that status looks: fill and line, as `#rrggbb`.
pub(super) fn colours(status: &str) -> Option<(&'static str, &'static str)> {
    COLOURS.iter().find(|(name, ..)| *name == status).map(|(_, fill, line)| (*fill, *line))
}

pub(super) fn written(graph: &Graph) -> String {
    let mut out = String::new();
    // Writing into a `String` cannot fail.
    let _ = write(&mut out, graph);
    out
}

fn write(out: &mut String, graph: &Graph) -> std::fmt::Result {
    // A text of JSON is one of YAML.
    let title = serde_json::Value::from(printable(&graph.workflow)).to_string();
    writeln!(out, "---\ntitle: {title}\n---\nflowchart TD")?;
    for (number, (phase, places)) in graph.by_phase().into_iter().enumerate() {
        let margin = if phase.is_some() { "        " } else { "    " };
        if let Some(phase) = phase {
            writeln!(out, "    subgraph p{number}[\"{}\"]", escaped(&format!("phase {phase}")))?;
        }
        for place in places {
            if let Some(node) = graph.nodes.get(place) {
                let (open, close) = shape(node.kind);
                writeln!(out, "{margin}n{place}{open}\"{}\"{close}", label(node))?;
            }
        }
        if phase.is_some() {
            writeln!(out, "    end")?;
        }
    }
    let places = graph.places();
    for edge in &graph.edges {
        if let (Some(from), Some(to)) = (places.get(&edge.from), places.get(&edge.to)) {
            let arrow = match edge.kind {
                EdgeKind::Needs => "-->",
                EdgeKind::Grew => "-.->",
                EdgeKind::HandedOver => "-. hands over .->",
            };
            writeln!(out, "    n{from} {arrow} n{to}")?;
        }
    }
    for (status, fill, line) in COLOURS {
        let nodes = graph.nodes.iter().enumerate();
        let nodes = nodes.filter(|(_, node)| node.status.as_deref() == Some(status));
        let nodes: Vec<String> = nodes.map(|(place, _)| format!("n{place}")).collect();
        if !nodes.is_empty() {
            writeln!(out, "    classDef {status} fill:{fill},stroke:{line},color:#1f2328")?;
            writeln!(out, "    class {} {status}", nodes.join(","))?;
        }
    }
    Ok(())
}

/// What stands before and behind the label of a step of that kind.
const fn shape(kind: NodeKind) -> (&'static str, &'static str) {
    match kind {
        NodeKind::Work => ("[", "]"),
        NodeKind::Workflow | NodeKind::ForEach | NodeKind::Repeat => ("[[", "]]"),
        NodeKind::Sleep | NodeKind::Wait => ("([", "])"),
        NodeKind::Approval => ("{{", "}}"),
    }
}

fn label(node: &GraphNode) -> String {
    let mut lines = vec![node.id.to_string(), facts::who(node)];
    lines.extend(facts::more(node));
    lines.extend(node.status.clone());
    lines.iter().map(|line| escaped(line)).collect::<Vec<_>>().join("<br/>")
}

/// A text in a label: what means something there is written by its number.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for character in printable(text).chars() {
        match character {
            '"' | '#' | '&' | '<' | '>' | '`' | '\\' | '%' | ';' => {
                let _ = write!(out, "#{};", u32::from(character));
            }
            other => out.push(other),
        }
    }
    out
}
