//! Who may hand work over to whom.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Shown;
use crate::api::folder::is_store;
use crate::api::protocol::{Request, Response};
use crate::cli::Scene;
use crate::cli::see;
use crate::cli::text::{Text, name, terminal};
use crate::events::ids::AgentName;
use crate::events::problem::Problem;
use crate::executors::discovery::{Catalog, Handoff};
use crate::views::projections::handoffs::HandoffRow;

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
    /// How often that happened, over all runs.
    count: u64,
}

/// The handoffs that agents name, and those that happened.
pub(super) fn handoffs(catalog: &Catalog, happened: Vec<HandoffRow>) -> Handoffs {
    let key = |from: &AgentName, to: &AgentName| (from.key(), to.key());
    let mut counts: BTreeMap<_, _> = happened.into_iter().map(|row| (key(&row.from, &row.to), row)).collect();
    let named = catalog.handoffs().into_iter().map(|Handoff { from, to, is_known }| {
        let count = counts.remove(&key(&from, &to)).map_or(0, |row| row.count);
        Row { from: from.to_string(), to: to.to_string(), known: is_known, count }
    });
    let mut rows: Vec<Row> = named.collect();
    // An agent that names nobody may hand over to any, and a file may have named others before.
    rows.extend(counts.into_values().map(|HandoffRow { from, to, count, .. }| Row {
        known: catalog.has(&to),
        from: from.to_string(),
        to: to.to_string(),
        count,
    }));
    Handoffs(rows)
}

/// Asks the store how often agents handed over to each other. None when a signal came.
pub(super) async fn happened(scene: &Scene) -> Result<Option<Vec<HandoffRow>>, Problem> {
    if !is_store(&scene.house.data) {
        return Ok(Some(Vec::new()));
    }
    match see::answer(scene, &Request::Handoffs, &mut |_| {}).await? {
        None => Ok(None),
        Some(Response::Handoffs(rows)) => Ok(Some(rows)),
        Some(other) => Err(other.mismatch()),
    }
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
        let key = AgentName::new(&shown.name).key();
        let mine = self.0.iter().filter(|row| AgentName::new(&row.from).key() == key);
        let to = mine.map(|row| {
            let missing = if row.known { "" } else { " (there is no such agent)" };
            let times = (row.count > 0).then(|| terminal!(" {}×", row.count));
            terminal!("{}{}{}", name(&row.to), times.unwrap_or_default(), missing)
        });
        let any = match shown.handoffs.as_deref() {
            None => Some(terminal!("any agent")),
            Some([]) => Some(terminal!("nobody")),
            Some(_) => None,
        };
        let to = Text::joined(any.into_iter().chain(to), ", ");
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
