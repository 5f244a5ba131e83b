//! What a step says of whom its agent may hand it over to: `handoffs`.

use super::diagnostics::{Diagnostics, Fields};
use super::kinds;
use super::tree::Tree;
use crate::events::ids::AgentName;
use crate::events::problem::{Code, Problem, SourceLocation};

/// How many agents a step may name for that.
const HANDOFFS_MAX: usize = 100;

/// The agents to which the agent of a step may hand it over, each with the place of its name; none if the step does not say.
pub(super) fn read(
    report: &mut Diagnostics<'_>,
    fields: &Fields<'_>,
) -> Option<Vec<(AgentName, SourceLocation)>> {
    let (key, tree) = (fields.key("handoffs")?, fields.get("handoffs")?);
    if fields.get("agent").is_none() {
        report.contradiction(key, "`handoffs` is for a step with an `agent`, and this has none");
    }
    let items = report.list("handoffs", tree)?;
    if let Some(first) = items.get(HANDOFFS_MAX) {
        let message =
            format!("`handoffs` has {} names, and no more than {HANDOFFS_MAX} are allowed", items.len());
        report.refuse(first, Problem::new(Code::TooLarge, message));
        return None;
    }
    let mut named: Vec<(AgentName, SourceLocation)> = Vec::new();
    for item in items {
        let Some(name) = kinds::agent_name(report, item, &[]) else { continue };
        match named.iter().any(|(earlier, _)| earlier.key() == name.key()) {
            true => twice(report, item, &name),
            false => named.push((name, report.place(item))),
        }
    }
    Some(named)
}

fn twice(report: &mut Diagnostics<'_>, item: &Tree, name: &AgentName) {
    let problem = Problem::new(Code::Contradiction, format!("`{name}` stands twice in `handoffs`"));
    report.warn(item, problem.hint("take one out"));
}
