//! The list of runs: a table as wide as the terminal, or as wide as it is.

use std::collections::HashMap;
use std::time::Duration;

use super::moments::{local, moment, took};
use super::spend;
use super::terminal::{Text, fitted, fitted_end, name, terminal};
use crate::aggregates::run::RunStatus;
use crate::api::protocol::ListedRun;
use crate::events::ids::RunId;
use crate::events::time::Timestamp;

/// How many tags of a run stand in its row.
const TAGS_SHOWN: usize = 8;

/// What stands above the columns.
const HEADS: [&str; COLUMNS] = ["RUN", "WORKFLOW", "STATUS", "STARTED", "DURATION", "TAGS"];

const COLUMNS: usize = 6;
const RUN: usize = 0;
const WORKFLOW: usize = 1;
const STARTED: usize = 3;
const DURATION: usize = 4;
const TAGS: usize = 5;

/// What is between two columns.
const GAP: &str = "  ";

/// How little may be left of a column that is cut, in columns of the terminal.
const CUT_TO: usize = 8;

/// How little may be left of an id where nothing but the status stands beside it.
const RUN_CUT_TO: usize = 4;

/// How the list is to look.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::cli) struct Look {
    /// How wide the terminal is; none where the list goes elsewhere.
    pub(in crate::cli) columns: Option<usize>,
    /// Whether moments are told in UTC.
    pub(in crate::cli) utc: bool,
    /// Whether runs stand below the run whose step has started them.
    pub(in crate::cli) tree: bool,
    /// Whether it is told what calls of models used up.
    pub(in crate::cli) spend: bool,
}

/// Runs, a line each below a line that says what stands where.
pub(in crate::cli) fn runs(runs: &[ListedRun], look: Look) -> Text {
    if runs.is_empty() {
        return terminal!("no runs");
    }
    let depths = if look.tree { depths(runs) } else { Vec::new() };
    let depth = |place: usize| depths.get(place).copied().unwrap_or(0);
    let rows = |short| {
        let row = |(place, run): (usize, &ListedRun)| cells(run, depth(place), look, short);
        let heads = HEADS.map(|head| terminal!("{}", head));
        std::iter::once(heads).chain(runs.iter().enumerate().map(row)).collect::<Vec<_>>()
    };
    let (mut rows, mut widths) = fit(rows, look.columns);
    let spends = |run: &ListedRun| look.spend && run.usage.is_some();
    if runs.iter().all(|run| run.tags.is_empty() && !run.degraded && !spends(run)) {
        widths[TAGS] = 0;
        rows.iter_mut().for_each(|row| row[TAGS] = Text::default());
    }
    let line = |row: &[Text; COLUMNS]| {
        let shown = row.iter().zip(widths).enumerate().filter(|(_, (_, width))| *width > 0);
        let cell = |(place, (cell, width)): (usize, (&Text, usize))| match place {
            RUN => fitted_end(cell, width).padded(width),
            _ => fitted(cell, width).padded(width),
        };
        let line = Text::joined(shown.map(cell), GAP).trimmed();
        look.columns.map_or_else(|| line.clone(), |columns| fitted(&line, columns))
    };
    Text::lines(rows.iter().map(line))
}

/// A run in a line of its own, as it has changed.
pub(in crate::cli) fn changed(run: &ListedRun, look: Look) -> Text {
    Text::joined(cells(run, 0, look, false).into_iter().filter(|cell| !cell.is_empty()), GAP)
}

/// The runs in the order of a tree: below each those that its steps have started, the first first.
pub(in crate::cli) fn in_tree(runs: Vec<ListedRun>) -> Vec<ListedRun> {
    let places: HashMap<RunId, usize> = runs.iter().map(|run| run.run.clone()).zip(0..).collect();
    let mut below: HashMap<usize, Vec<usize>> = HashMap::new();
    let mut left = Vec::new();
    for (place, run) in runs.iter().enumerate().rev() {
        match run.parent.as_ref().and_then(|parent| places.get(parent)) {
            Some(parent) => below.entry(*parent).or_default().push(place),
            None => left.push(place),
        }
    }
    let mut runs: Vec<Option<ListedRun>> = runs.into_iter().map(Some).collect();
    let mut ordered = Vec::with_capacity(runs.len());
    while let Some(place) = left.pop() {
        ordered.extend(runs.get_mut(place).and_then(Option::take));
        // They were found from the oldest on.
        left.extend(below.remove(&place).unwrap_or_default().into_iter().rev());
    }
    ordered
}

/// How many runs each stands below, in the order of a tree.
fn depths(runs: &[ListedRun]) -> Vec<usize> {
    let mut depths: HashMap<&RunId, usize> = HashMap::new();
    let mut all = Vec::with_capacity(runs.len());
    for ListedRun { run, parent, .. } in runs {
        let depth = parent.as_ref().and_then(|parent| depths.get(parent)).map_or(0, |above| above + 1);
        depths.insert(run, depth);
        all.push(depth);
    }
    all
}

fn cells(run: &ListedRun, depth: usize, look: Look, short: bool) -> [Text; COLUMNS] {
    let below = if depth > 0 { format!("{}└─ ", "   ".repeat(depth - 1)) } else { String::new() };
    let tags = run.tags.iter().take(TAGS_SHOWN);
    let tags = tags.map(|(key, value)| terminal!("{}={}", name(key), name(value)));
    let more = (run.tags.len() > TAGS_SHOWN).then(|| terminal!("…"));
    let spent = run.usage.as_ref().filter(|_| look.spend).and_then(spend::line);
    let degraded = run.degraded.then(|| terminal!("(degraded)"));
    [
        terminal!("{}{}", below, name(run.run.as_str())),
        name(&run.workflow),
        terminal!("{}", status(run)),
        terminal!("{}", started(run.started_at, look.utc, short)),
        terminal!("{}", took(Duration::from_millis(run.duration_ms))),
        Text::joined(degraded.into_iter().chain(tags).chain(more).chain(spent), " "),
    ]
}

/// The status of a run as people read it.
fn status(run: &ListedRun) -> &'static str {
    match run.status {
        // It was recorded, and nobody has begun with it yet.
        RunStatus::Pending => RunStatus::Pending.text(),
        _ if run.interrupted == Some(true) => "interrupted",
        status => status.text(),
    }
}

fn started(at: Timestamp, utc: bool, short: bool) -> String {
    if utc { moment(at) } else { local(at, short) }
}

/// The rows, and how wide their columns are so that they fit: what says least is cut first.
fn fit(
    rows: impl Fn(bool) -> Vec<[Text; COLUMNS]>,
    columns_max: Option<usize>,
) -> (Vec<[Text; COLUMNS]>, [usize; COLUMNS]) {
    let widths = |rows: &[[Text; COLUMNS]]| {
        let mut widths = [0; COLUMNS];
        for row in rows {
            widths.iter_mut().zip(row).for_each(|(width, cell)| *width = (*width).max(cell.width()));
        }
        widths
    };
    let whole = rows(false);
    let of_whole = widths(&whole);
    let Some(columns_max) = columns_max else { return (whole, of_whole) };
    let excess = |widths: &[usize; COLUMNS]| {
        let shown = widths.iter().filter(|width| **width > 0);
        let gaps = GAP.len() * shown.clone().count().saturating_sub(1);
        (shown.sum::<usize>() + gaps).saturating_sub(columns_max)
    };
    let cut = |widths: &mut [usize; COLUMNS], which: usize| {
        let over = excess(widths);
        if let Some(width) = widths.get_mut(which) {
            *width = (*width).saturating_sub(over).max(CUT_TO.min(*width));
        }
    };
    let mut cut_tags = of_whole;
    cut(&mut cut_tags, TAGS);
    if excess(&cut_tags) == 0 {
        return (whole, cut_tags);
    }
    let short = rows(true);
    let mut widths = widths(&short);
    cut(&mut widths, TAGS);
    cut(&mut widths, WORKFLOW);
    // Whoever wants to do something about a run needs its id, and has to see how it is.
    let run = widths[RUN];
    for dropped in [TAGS, DURATION, STARTED, WORKFLOW] {
        if dropped == WORKFLOW {
            cut(&mut widths, RUN);
        }
        if excess(&widths) > 0
            && let Some(width) = widths.get_mut(dropped)
        {
            *width = 0;
        }
    }
    widths[RUN] = run;
    let over = excess(&widths);
    widths[RUN] = run.saturating_sub(over).max(RUN_CUT_TO.min(run));
    (short, widths)
}
