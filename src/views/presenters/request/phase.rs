//! What a page says about a phase that people are asked about.

use crate::aggregates::run::Node;
use crate::events::run::Gate;
use crate::views::markdown::{Page, Words, cell, code, markdown};
use crate::workflow::approval::{SubjectPhase, SubjectStep};

/// What is asked about a phase; none if it is a step that people are asked about.
pub(super) fn question(node: Option<&Node>, gate: Gate) -> Option<Words> {
    let phase = node.filter(|node| node.asks_of_phase())?.added.phase.as_deref()?;
    let what = match gate {
        Gate::Before => "may it start?",
        Gate::After => "it is done: may those start that need it?",
    };
    Some(markdown!("phase {}: {}", code(phase), what))
}

/// The steps of the phase, as a table: exactly what an answer is bound to, shown to be read. What it leaves out is seen by the command `look`.
pub(super) fn table(phase: &SubjectPhase, look: &str, page: &mut Page) {
    page.line(&markdown!("| step | status | agent | attempts | work or answer |"));
    page.line(&markdown!("|---|---|---|---|---|"));
    phase.steps.iter().for_each(|step| page.line(&row(step)));
    if let Some((more, hash)) = &phase.more {
        page.blank();
        page.line(&markdown!(
            "… and {} steps more: see {}. Their BLAKE3 hash: {}.",
            more,
            code(look),
            code(hash)
        ));
    }
}

fn row(step: &SubjectStep) -> Words {
    let agent = step.agent.as_ref().map(cell).unwrap_or_default();
    let work = step.work.as_ref().and_then(|work| serde_json::to_string(work).ok());
    let told = step.output.clone().or(work).map(cell).unwrap_or_default();
    markdown!("| {} | {} | {} | {} | {} |", cell(&step.step), step.status, agent, step.attempts, told)
}
