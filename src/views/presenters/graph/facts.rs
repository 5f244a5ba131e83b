//! What is said of a step in a picture, whatever the format.

use super::{GraphNode, NodeKind};
use crate::events::text::{printable, shortened};

/// How much of a condition is shown, in characters.
const CONDITION_CHARS_MAX: usize = 60;

/// What does the step, in a few words.
pub(super) fn who(node: &GraphNode) -> String {
    let what = node.what.as_deref().map(printable).unwrap_or_default();
    match (node.kind, &node.agent) {
        (NodeKind::Sleep, _) => format!("sleeps {what}").trim_end().to_owned(),
        (NodeKind::Wait, _) => format!("waits for signal {what}").trim_end().to_owned(),
        (NodeKind::Approval, _) => "people are asked".to_owned(),
        (_, Some(agent)) => printable(agent).into_owned(),
        (_, None) if what.is_empty() => "nobody".to_owned(),
        (_, None) => format!("runs {what}"),
    }
}

/// Everything else that is said of it, each in a few words.
pub(super) fn more(node: &GraphNode) -> Vec<String> {
    let mut facts = Vec::new();
    let total: usize = node.grown.values().sum();
    let counted: Vec<String> =
        node.grown.iter().map(|(status, count)| format!("{count} {}", printable(status))).collect();
    let counted = counted.join(", ");
    match node.kind {
        NodeKind::ForEach if total > 0 => facts.push(format!("for each of {total}: {counted}")),
        NodeKind::ForEach => facts.push("for each".to_owned()),
        NodeKind::Repeat if total > 0 => facts.push(format!("repeated, {total} so far: {counted}")),
        NodeKind::Repeat => facts.push("repeated".to_owned()),
        _ => {}
    }
    let condition = node.condition.as_deref();
    facts.extend(condition.map(|condition| format!("if {}", shortened(condition, CONDITION_CHARS_MAX))));
    facts.extend(node.approve.as_deref().map(|when| format!("approved {}", printable(when))));
    facts.extend(node.undone_by.as_deref().map(|agent| format!("undone by {}", printable(agent))));
    facts.extend(node.irreversible.then(|| "cannot be undone".to_owned()));
    facts
}
