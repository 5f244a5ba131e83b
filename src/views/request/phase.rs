//! What a page says of a phase that people are asked about.

use crate::events::run::Gate;
use crate::views::markdown::on_one_line;
use crate::workflow::approval::{Asked, AskedStep};
use crate::workflow::run::Node;

/// What is asked about a phase; none if it is a step that people are asked about.
pub(super) fn question(node: Option<&Node>, gate: Gate) -> Option<String> {
    let phase = node.filter(|node| node.asks_of_phase())?.added.phase.as_deref()?;
    let what = match gate {
        Gate::Before => "may it start?",
        Gate::After => "it is done: may those start that need it?",
    };
    Some(format!("phase {}: {what}", code(phase)))
}

/// The steps of the phase, as a table: exactly what an answer is bound to, shown to be read.
pub(super) fn table(asked: &Asked) -> Vec<String> {
    let Some(phase) = &asked.phase else { return Vec::new() };
    let head = ["| step | status | agent | attempts | work or answer |", "|---|---|---|---|---|"];
    let rows = phase.steps.iter().map(row);
    let mut lines: Vec<String> = head.into_iter().map(str::to_owned).chain(rows).collect();
    if let Some((more, hash)) = &phase.more {
        lines.push(format!("\n… and {more} steps more: see `reenact status`. Their BLAKE3 hash: `{hash}`."));
    }
    lines
}

fn row(step: &AskedStep) -> String {
    let agent = step.agent.as_ref().map(|agent| code(agent.as_str())).unwrap_or_default();
    let work = step.work.as_ref().and_then(|work| serde_json::to_string(work).ok());
    let told = step.output.clone().or(work).map(|told| code(&told)).unwrap_or_default();
    format!("| {} | {} | {agent} | {} | {told} |", code(step.step.as_str()), step.status, step.attempts)
}

/// How much of a step's work is shown in a row.
const CELL_CHARS_MAX: usize = 300;

/// A text as code in a cell of a table, whatever is in it.
fn code(text: &str) -> String {
    let mut line: String = on_one_line(text).chars().take(CELL_CHARS_MAX).collect();
    if text.chars().nth(CELL_CHARS_MAX).is_some() {
        line.push('…');
    }
    let longest = line.split(|character| character != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    let pad = if longest > 0 { " " } else { "" };
    format!("{fence}{pad}{}{pad}{fence}", line.replace('|', "\\|"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_stays_in_its_cell() {
        assert_eq!(code("a|b\n## c"), "`a\\|b ## c`");
        assert_eq!(code("a `` b"), "``` a `` b ```");
    }
}
