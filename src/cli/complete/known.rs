//! What of the store can be typed next. It is asked of the process that holds the store, else of a private copy: the store
//! itself is only read, and is not held for a moment.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap_complete::engine::CompletionCandidate;

use super::typed::Typed;
use crate::actors::thread;
use crate::api::copy;
use crate::api::door::Door;
use crate::api::folder;
use crate::api::house::{House, OwnAgents};
use crate::api::protocol::{Request, Response};
use crate::cli::within;
use crate::events::text::shortened;
use crate::views::presenters::report::RunReport;
use crate::views::projections::runs::{RunFilter, RunRow};

/// How long the process that holds the store may take. It answers in a few milliseconds, unless it is stopped.
const ANSWER_WAIT: Duration = Duration::from_millis(150);

/// The largest store that is copied, in bytes: more takes longer than a person waits for a key. Of a larger one that nobody
/// holds only the folders of its runs are looked at.
const COPIED_BYTES_MAX: u64 = 32 * 1024 * 1024;

/// How many runs are offered: the newest. Who types more than a screen shows has none of them in mind.
const RUNS_MAX: usize = 200;

/// How many conversations are offered, in the order of their names.
const CONVERSATIONS_MAX: usize = 1_000;

/// The longest description of a candidate, in characters.
const HELP_CHARS_MAX: usize = 60;

/// The runs, newest first, and the word for the newest.
pub(super) fn runs(typed: &Typed, unfinished: bool) -> Vec<CompletionCandidate> {
    let all: Vec<_> = match ask(typed, &list(unfinished)) {
        Asked::Answered(Response::Runs(rows)) => rows.iter().filter_map(run).collect(),
        Asked::TooLarge(data) => folders(&data).iter().filter_map(|name| candidate(name, "")).collect(),
        _ => Vec::new(),
    };
    let last = (!all.is_empty()).then(|| candidate("last", "the newest run")).flatten();
    all.into_iter().chain(last).collect()
}

/// The names of workflows that were run.
pub(super) fn workflows(typed: &Typed) -> Vec<CompletionCandidate> {
    let Asked::Answered(Response::Runs(rows)) = ask(typed, &list(false)) else { return Vec::new() };
    let mut names: Vec<String> = rows.into_iter().map(|row| row.workflow).collect();
    names.sort_unstable();
    names.dedup();
    names.iter().filter_map(|name| candidate(name, "")).collect()
}

/// The tags of runs, as they are written.
pub(super) fn tags(typed: &Typed) -> Vec<CompletionCandidate> {
    let Asked::Answered(Response::Runs(rows)) = ask(typed, &list(false)) else { return Vec::new() };
    let tags: BTreeSet<_> = rows.into_iter().flat_map(|row| row.tags).collect();
    tags.iter().filter_map(|(key, value)| candidate(&format!("{key}={value}"), "")).collect()
}

/// The conversations, each behind this word.
pub(super) fn conversations(typed: &Typed, before: &str) -> Vec<CompletionCandidate> {
    let Asked::Answered(Response::Conversations(rows)) = ask(typed, &Request::Conversations) else {
        return Vec::new();
    };
    let named = rows.iter().filter_map(|row| {
        let turns = if row.turns == 1 { "1 turn".to_owned() } else { format!("{} turns", row.turns) };
        candidate(&format!("{before}{}", row.conversation), &turns)
    });
    named.take(CONVERSATIONS_MAX).collect()
}

/// The steps of the run that is named, and its phases.
pub(super) fn steps(typed: &Typed) -> Vec<CompletionCandidate> {
    let Some(report) = report(typed) else { return Vec::new() };
    let steps = report.steps.iter().filter_map(|step| candidate(step.id.as_str(), &step.status.to_string()));
    let phases = report.phases.iter().filter_map(|phase| candidate(&phase.name, "a phase"));
    steps.chain(phases).collect()
}

/// The requests for an approval that the run has open.
pub(super) fn requests(typed: &Typed) -> Vec<CompletionCandidate> {
    waits(typed, "approval")
}

/// The signals that the run waits for.
pub(super) fn signals(typed: &Typed) -> Vec<CompletionCandidate> {
    waits(typed, "signal")
}

fn waits(typed: &Typed, kind: &str) -> Vec<CompletionCandidate> {
    let Some(report) = report(typed) else { return Vec::new() };
    let of_kind = report.waiting_for.iter().filter(|waits| waits.kind == kind);
    of_kind.filter_map(|waits| candidate(&waits.id, waits.step.as_str())).collect()
}

fn run(row: &RunRow) -> Option<CompletionCandidate> {
    candidate(row.run.as_str(), &format!("{}, {}", row.workflow, row.status.text()))
}

/// A candidate; none for what a shell would have to quote.
fn candidate(value: &str, help: &str) -> Option<CompletionCandidate> {
    let is_plain = |character: char| character.is_ascii_alphanumeric() || "._-/#[]=".contains(character);
    let help = (!help.is_empty()).then(|| shortened(help, HELP_CHARS_MAX).into_owned().into());
    (!value.is_empty() && value.chars().all(is_plain)).then(|| CompletionCandidate::new(value).help(help))
}

fn list(unfinished: bool) -> Request {
    Request::List { filter: RunFilter { unfinished, limit: Some(RUNS_MAX), ..RunFilter::default() } }
}

/// The run that is named before what is typed.
fn report(typed: &Typed) -> Option<RunReport> {
    match ask(typed, &Request::Report { run: typed.text("run")?.to_owned() }) {
        Asked::Answered(Response::Report(report)) => Some(*report),
        _ => None,
    }
}

/// What came of a question to a store.
enum Asked {
    Answered(Response),
    /// Nobody holds the store of this data folder, and to copy it would take too long.
    TooLarge(PathBuf),
    /// There is none, or nobody knows.
    Not,
}

fn ask(typed: &Typed, request: &Request) -> Asked {
    let (Some(data), Some(config), Ok(runtime)) = (typed.store(), typed.config(), thread::runtime()) else {
        return Asked::Not;
    };
    let house = House {
        data,
        config,
        work_folder: typed.here.clone(),
        looks: true,
        own: OwnAgents::default(),
        fatal: None,
    };
    within(runtime, async {
        let asked = tokio::time::timeout(ANSWER_WAIT, async {
            let mut door = Door::There(house.connect().await.ok()?);
            door.ask(request, &mut |_| {}).await.ok()
        });
        match asked.await {
            Ok(Some(response)) => return Asked::Answered(response),
            // Somebody holds the store, and has other things to do.
            Err(_) => return Asked::Not,
            Ok(None) if copy::size_bytes(&house.data) > COPIED_BYTES_MAX => {
                return Asked::TooLarge(house.data);
            }
            Ok(None) => {}
        }
        let Ok(mut door) = house.open_to_look().await else { return Asked::Not };
        let response = door.ask(request, &mut |_| {}).await;
        // It is a copy: nobody misses what it could not keep.
        let _ = door.leave(std::future::ready(())).await;
        response.map_or(Asked::Not, Asked::Answered)
    })
}

/// The names of the newest runs that have a folder.
fn folders(data: &Path) -> Vec<String> {
    let entries = fs::read_dir(data.join(folder::RUNS)).into_iter().flatten().flatten();
    let mut found: Vec<_> = entries
        .filter_map(|entry| {
            Some((entry.metadata().ok()?.modified().ok()?, entry.file_name().into_string().ok()?))
        })
        .collect();
    found.sort_unstable_by(|one, other| other.cmp(one));
    found.into_iter().take(RUNS_MAX).map(|(_, name)| name).collect()
}
