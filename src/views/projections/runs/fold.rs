//! Folding pages of events into rows of the list.

use super::{RunRow, VIEW, in_a_row, place_key, row_key};
use crate::aggregates::run::RunStatus;
use crate::events::commit::Recorded;
use crate::events::ids::RunId;
use crate::events::limits::VIEW_ROW_BYTES_MAX;
use crate::events::run::{RunEvent, Usage};
use crate::kernel::projection::{Page, Projection, Rows};
use crate::kernel::standing::Known;

/// The rows of the list of runs.
pub struct RunRows;

impl Projection for RunRows {
    fn name(&self) -> &'static str {
        VIEW
    }

    fn shape(&self) -> u32 {
        5
    }

    fn reads(&self, page: &Page<'_>, rows: &Rows) -> Vec<Vec<u8>> {
        let runs =
            page.streams().filter(|(_, events)| !begins(events)).filter_map(|(stream, _)| stream.run());
        let places = runs.map(|run| place_key(run.as_str()));
        places.map(|place| rows.get(&place).map(<[u8]>::to_vec).unwrap_or(place)).collect()
    }

    fn fold(&self, page: &Page<'_>, rows: &mut Rows) {
        for (stream, events) in page.streams() {
            let Some(run) = stream.run() else { continue };
            let row = if begins(&events) { new_row(&run, &events) } else { kept(&run, rows) };
            // What cannot be decoded is reported by `verify`; the list leaves it out.
            let Some(mut row) = row else { continue };
            tell(&mut row, &events, page.known(stream));
            let key = row_key(&row);
            rows.set(place_key(run.as_str()), key.clone());
            match fitting(row) {
                Some(bytes) => rows.set(key, bytes),
                None => rows.remove(key),
            }
        }
    }
}

fn begins(events: &[&Recorded]) -> bool {
    events.first().is_some_and(|first| &*first.event.kind == "run_started")
}

fn kept(run: &RunId, rows: &Rows) -> Option<RunRow> {
    serde_json::from_slice(rows.get(rows.get(&place_key(run.as_str()))?)?).ok()
}

fn new_row(run: &RunId, events: &[&Recorded]) -> Option<RunRow> {
    let first = events.first()?;
    let Ok(RunEvent::RunStarted(started)) = first.decode() else { return None };
    Some(RunRow {
        run: run.clone(),
        workflow: in_a_row(&started.workflow).to_owned(),
        status: RunStatus::Pending,
        started_at: first.header.recorded_at,
        ended_at: None,
        version: first.version,
        tags: started.tags,
        degraded: false,
        usage: Usage::default(),
        parent: started.parent.map(|parent| parent.run),
    })
}

/// Brings a row up to date with these events of its run.
fn tell(row: &mut RunRow, events: &[&Recorded], known: Option<&Known>) {
    for event in events.iter().filter(|event| &*event.event.kind == "run_completed") {
        if let Ok(RunEvent::RunCompleted(completed)) = event.decode() {
            row.degraded = completed.degraded;
        }
    }
    for event in events.iter().filter(|event| &*event.event.kind == "model_called") {
        if let Ok(RunEvent::ModelCalled(called)) = event.decode() {
            row.usage = row.usage.and(called.usage());
        }
    }
    if let Some(Known::At(standing)) = known {
        (row.version, row.ended_at) = (standing.version, standing.ended_at);
        row.status = RunStatus::named(standing.status).unwrap_or(row.status);
    } else if let Some(last) = events.last() {
        // The status of a run whose history is not understood is not known.
        (row.version, row.ended_at) = (last.version, None);
    }
}

/// A row as bytes, at most as many as a store takes. Versions without a bound on tags recorded runs with more
/// tags than a row has room for: the last ones are left out here, and the run itself has them. A list that
/// becomes unreadable through one run would hide all other runs.
fn fitting(mut row: RunRow) -> Option<Vec<u8>> {
    let mut bytes = serde_json::to_vec(&row).ok()?;
    while bytes.len() > VIEW_ROW_BYTES_MAX && row.tags.pop_last().is_some() {
        bytes = serde_json::to_vec(&row).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::ids::Version;
    use crate::events::time::Timestamp;

    /// A name of 6,000 characters, or a tag of control characters, once made a row that the store refused, so
    /// that no list could be shown any more.
    #[test]
    fn a_row_is_stored_however_long_the_words_of_its_run_are() {
        let row = |workflow: String, tags: &[(String, String)]| RunRow {
            run: RunId::parse("r").unwrap(),
            workflow: in_a_row(&workflow).to_owned(),
            status: RunStatus::Pending,
            started_at: Timestamp(0),
            ended_at: None,
            version: Version(1),
            tags: tags.iter().cloned().collect(),
            degraded: false,
            usage: Usage {
                calls: u64::MAX,
                input_tokens: u64::MAX,
                output_tokens: u64::MAX,
                usd_nanos: u64::MAX,
            },
            parent: None,
        };
        let tag = |name: &str, length: usize| (name.to_owned(), "\u{1}".repeat(length));
        for row in [
            row("n".repeat(6_000), &[]),
            row("\u{1}".repeat(6_000), &[tag("a", 100), tag("b", 2_000), tag("c", 1)]),
            row("\u{10ffff}".repeat(6_000), &[tag("a", 100)]),
        ] {
            let bytes = fitting(row.clone()).unwrap();
            assert!(bytes.len() <= VIEW_ROW_BYTES_MAX, "{}", bytes.len());
            let kept: RunRow = serde_json::from_slice(&bytes).unwrap();
            assert_eq!(kept.workflow, row.workflow);
            assert_eq!(kept.tags.get("a"), row.tags.get("a"), "what fits is kept");
        }
        let short = row("n".repeat(2_000), &[tag("a", 3)]);
        let bytes = fitting(short.clone()).unwrap();
        assert_eq!(serde_json::from_slice::<RunRow>(&bytes).unwrap(), short);
    }
}
