//! Who may hand work over to whom.

use serde::Serialize;

use super::Shown;
use crate::cli::text::{Text, name, terminal};
use crate::executors::discovery::{Catalog, Handoff};

/// Who may hand work over to whom, as far as agents name each other.
#[derive(Clone, Serialize)]
#[serde(transparent)]
pub(super) struct Handoffs(Vec<Row>);

/// That one agent may hand over to another.
#[derive(Clone, Serialize)]
struct Row {
    from: String,
    to: String,
    /// Whether there is an agent of that name.
    known: bool,
}

pub(super) fn handoffs(catalog: &Catalog) -> Handoffs {
    let row =
        |Handoff { from, to, is_known }| Row { from: from.to_string(), to: to.to_string(), known: is_known };
    Handoffs(catalog.handoffs().into_iter().map(row).collect())
}

impl Handoffs {
    /// A line for each agent that may hand over.
    pub(super) fn text(&self, agents: &[Shown]) -> Text {
        let takes_part = agents.iter().filter(|shown| matches!(shown.source, "file" | "configuration"));
        let lines: Vec<_> =
            takes_part.filter(|shown| shown.error.is_none()).map(|shown| self.line(shown)).collect();
        if lines.is_empty() { terminal!("there are no agents") } else { Text::lines(lines) }
    }

    fn line(&self, shown: &Shown) -> Text {
        let mine = self.0.iter().filter(|row| row.from == shown.name);
        let to = mine.map(|row| {
            let missing = if row.known { "" } else { " (there is no such agent)" };
            terminal!("{}{}", name(&row.to), missing)
        });
        let to = match shown.handoffs.as_deref() {
            None => terminal!("any agent"),
            Some([]) => terminal!("nobody"),
            Some(_) => Text::joined(to, ", "),
        };
        terminal!("{}  → {}", name(&shown.name).padded(20), to)
    }
}

/// To whom one agent may hand over, and who names it.
pub(super) fn of_one(shown: &Shown) -> Vec<Text> {
    let names = |all: &[String]| Text::joined(all.iter().map(|one| name(one)), ", ");
    let to = match shown.handoffs.as_deref() {
        None => terminal!("any agent"),
        Some([]) => terminal!("nobody"),
        Some(to) => names(to),
    };
    let takes_part = matches!(shown.source, "file" | "configuration") && shown.error.is_none();
    let to = takes_part.then(|| terminal!("may hand over to: {}", to));
    let from = (!shown.handoffs_from.is_empty())
        .then(|| terminal!("named for handoffs by: {}", names(&shown.handoffs_from)));
    to.into_iter().chain(from).collect()
}
