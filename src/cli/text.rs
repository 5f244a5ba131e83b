//! Results as a person reads them.

mod waiting;

use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::api::protocol::{HistoryLine, Planned, Recorded, State, VerifyReport};
use crate::events::ids::StepId;
use crate::events::json::Json;
use crate::events::problem::Problem;
use crate::events::run::Purpose;
use crate::events::time::{Timestamp, format_duration};
use crate::views::for_shell;
use crate::views::report::{EffectReport, PhaseReport, RunReport, StepReport};
use crate::views::runs::RunRow;
use crate::workflow::json_text::Level;
use crate::workflow::run::RunStatus;

/// How much of an output or an event is shown; `--json` shows all of it.
const SHOWN_CHARS: usize = 160;

/// How many of the runs are named that a run has started: the steps of a fan-out may each have one.
const CHILDREN_SHOWN: usize = 8;

/// A run: how it is, its steps, what it waits for, what came of it.
pub(super) fn run(report: &RunReport) -> String {
    let mut lines = vec![one_line(report)];
    let width = report.steps.iter().map(|step| step.id.as_str().chars().count()).max().unwrap_or(0);
    lines.extend(report.steps.iter().map(|step| step_line(step, width)));
    lines.extend(phases(report));
    lines.extend(relatives(report));
    lines.extend(waiting::waiting(report));
    if let Some(error) = &report.error {
        lines.push(error_line(error));
    }
    if !report.output.is_null() {
        lines.extend(output(&report.output));
    }
    lines.extend(how_to_go_on(report));
    if let Some(file) = &report.rollback_file {
        let stuck = report.status == RunStatus::Stuck;
        let what = if stuck { "what to undo by hand" } else { "what was done and is not undone" };
        lines.push(format!("{what}: {}", from_here(file)));
    }
    if !report.driven {
        let how = if report.status == RunStatus::Pending { "not started" } else { "interrupted" };
        lines.push(format!("{how}: reenact resume {}", report.run));
    }
    lines.join("\n")
}

/// A file, as short as it can be named from the current folder.
fn from_here(file: &str) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    let below = Path::new(file).strip_prefix(here).ok().and_then(Path::to_str);
    printable(below.unwrap_or(file))
}

/// How far each phase is.
fn phases(report: &RunReport) -> Option<String> {
    let phase = |PhaseReport { name, status, done, total }: &PhaseReport| {
        format!("{} {status} ({done} of {total})", printable(name))
    };
    let phases: Vec<_> = report.phases.iter().map(phase).collect();
    (!phases.is_empty()).then(|| format!("phases: {}", phases.join(", ")))
}

/// The run that started this one, and those that it started.
fn relatives(report: &RunReport) -> Vec<String> {
    let parent =
        report.parent.iter().map(|parent| format!("started by `{}` of run {}", parent.step, parent.run));
    let shown = report.children.iter().take(CHILDREN_SHOWN);
    let children = shown.map(|child| {
        let status = child.status.as_deref().map(|status| format!("  {status}")).unwrap_or_default();
        format!("run of `{}`: {}{status}", child.step, child.run)
    });
    let mut lines: Vec<_> = parent.chain(children).collect();
    if report.children.len() > CHILDREN_SHOWN {
        lines.push(format!("and {} more runs", report.children.len() - CHILDREN_SHOWN));
    }
    lines
}

/// The commands for a run that goes on only if a person says how.
fn how_to_go_on(report: &RunReport) -> Vec<String> {
    let run = &report.run;
    match (report.status, &report.rolled_back_to) {
        (RunStatus::Paused, None) => vec![format!("paused: reenact unpause {run}")],
        (RunStatus::Paused, Some(step)) => {
            vec![format!("rolled back to `{step}`; forward again: reenact retry {run}")]
        }
        (RunStatus::Failed, _) => vec![format!("try again: reenact retry {run}")],
        (RunStatus::Stuck, _) => {
            let failed: Vec<_> = report
                .steps
                .iter()
                .filter(|step| step.status == "compensating" && step.error.is_some())
                .collect();
            let settle = |step: &&StepReport| {
                let (id, word) = (&step.id, for_shell(step.id.as_str()));
                format!(
                    "cannot undo `{id}`: reenact rollback resolve {run} {word} --retry|--skip|--done --reason R"
                )
            };
            match failed.is_empty() {
                false => failed.iter().map(settle).collect(),
                true => vec![format!("past an irreversible step: reenact retry {run}")],
            }
        }
        _ => Vec::new(),
    }
}

/// What a run answered: an object with a line for each of its members.
fn output(output: &Json) -> Vec<String> {
    let Ok(Level::Map(members)) = Level::of(output.text()) else {
        return vec![format!("output: {}", plain(output.text()))];
    };
    let width = members.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    let mut lines = vec!["output:".to_owned()];
    for (name, value) in &members {
        lines.push(format!("  {:width$}  {}", printable(name), plain(value)));
    }
    lines
}

/// JSON as people read it: a text without its quotes, all else as it is written.
fn plain(json: &str) -> String {
    match Level::of(json) {
        Ok(Level::Text(text)) => shortened(&text),
        _ => shortened(json),
    }
}

/// A run in a line.
pub(super) fn one_line(report: &RunReport) -> String {
    let degraded = if report.degraded { " (degraded)" } else { "" };
    format!(
        "{}  {}  {}{degraded}  {} of {} steps  {}",
        report.run,
        report.workflow,
        report.status.text(),
        report.progress.done,
        report.progress.total,
        took(Duration::from_millis(report.duration_ms)),
    )
}

fn step_line(step: &StepReport, width: usize) -> String {
    let sign = match step.status.as_str() {
        "completed" => '✓',
        "failed" => '✗',
        "running" => '▸',
        "skipped" | "cancelled" => '-',
        "compensating" => '◂',
        "compensated" => '↩',
        "retrying" | "waiting" => '…',
        _ => ' ',
    };
    let mut line = format!("  {sign} {:width$}  {}", step.id.as_str(), step.status);
    if let (Some(from), Some(to)) = (step.started_at, step.ended_at) {
        let millis = u64::try_from(to.since(from).as_millis()).unwrap_or(u64::MAX);
        line.push_str(&format!("  {}", took(Duration::from_millis(millis))));
    }
    if step.attempts > 1 {
        line.push_str(&format!("  {} attempts", step.attempts));
    }
    if let (Some(primary), Some(agent)) = (&step.primary_agent, &step.agent) {
        line.push_str(&format!("  by {} instead of {}", printable(agent), printable(primary)));
    }
    if let Some(error) = &step.error {
        line.push_str(&format!("  {}: {}", error.code, shortened(&error.message)));
    }
    line
}

fn error_line(error: &Problem) -> String {
    let step = error.step.as_ref().map(|step| format!(" in `{step}`")).unwrap_or_default();
    format!("error[{}]{step}: {}\n  hint: {}", error.code, printable(&error.message), error.hint)
}

/// What was recorded of what somebody wanted, and what to do next.
pub(super) fn recorded(recorded: &Recorded) -> String {
    let Recorded { run, version, status } = recorded;
    let line = format!("{run}  {}  version {version}", status.text());
    let next = match status {
        RunStatus::Paused => format!("go on with: reenact unpause {run}"),
        RunStatus::Waiting => format!("see what it still waits for: reenact status {run}"),
        RunStatus::Pending | RunStatus::Running | RunStatus::Compensating => {
            format!("see it through, unless somebody does: reenact resume {run}")
        }
        _ => format!("look at it with: reenact status {run}"),
    };
    format!("{line}\n{next}")
}

/// What a rollback would do.
pub(super) fn planned(planned: &Planned) -> String {
    let mut lines = Vec::new();
    if planned.order.is_empty() {
        lines.push("nothing would be undone".to_owned());
    }
    for (number, group) in (1..).zip(&planned.order) {
        let steps: Vec<_> = group.iter().map(StepId::as_str).collect();
        lines.push(format!("{number}. undo {}", steps.join(", ")));
    }
    for cannot in &planned.cannot {
        lines.push(format!("cannot undo {}: {}", cannot.step, printable(&cannot.why)));
    }
    lines.join("\n")
}

/// A run as it was right after one of its events.
pub(super) fn state(state: &State) -> String {
    let mut lines = vec![event(&state.event), run(&state.report)];
    for effect in state.report.effects.iter().flatten() {
        lines.push(format!("next: {}", next(effect)));
    }
    lines.join("\n")
}

/// Something that would be done next.
fn next(effect: &EffectReport) -> String {
    let what = |purpose: &str| if purpose == Purpose::Compensate.text() { "undo" } else { "do" };
    match effect {
        EffectReport::Start { step, purpose, agent } => {
            let who = agent.as_ref().map(|agent| format!(" with {agent}")).unwrap_or_default();
            format!("{} {step}{who}", what(purpose))
        }
        EffectReport::Attempt { step, purpose, attempt, agent } => {
            format!("{} {step} with {agent}, attempt {attempt}", what(purpose))
        }
        EffectReport::Ask { step, request } => format!("ask for {step}: {request}"),
        EffectReport::Stop { step } => format!("stop {step}"),
        EffectReport::Wake { timer, at } => format!("wake for {timer} at {}", moment(*at)),
    }
}

/// Runs, a line each.
pub(super) fn runs(rows: &[RunRow]) -> String {
    if rows.is_empty() {
        return "no runs".to_owned();
    }
    let widest = |of: fn(&RunRow) -> &str| rows.iter().map(|row| of(row).chars().count()).max().unwrap_or(0);
    let (ids, names) = (widest(|row| row.run.as_str()), widest(|row| &row.workflow));
    let line = |row: &RunRow| {
        let degraded = if row.degraded { " (degraded)" } else { "" };
        let tags: Vec<_> = row.tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
        format!(
            "{:ids$}  {:names$}  {:9}  {}{degraded}  {}",
            row.run.as_str(),
            row.workflow,
            row.status.text(),
            moment(row.started_at),
            tags.join(" "),
        )
    };
    rows.iter().map(|row| line(row).trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

/// An event in a line: when, what, which step, and whatever else it says that is not empty.
pub(super) fn event(line: &HistoryLine) -> String {
    let data = line.data.value();
    let facts = data.as_object().into_iter().flatten();
    // What was said has a verb of its own.
    let facts = facts.filter(|(name, fact)| *name != "transcript" && !says_nothing(fact));
    let mut words = Vec::new();
    for (name, fact) in facts {
        match (name.as_str(), fact) {
            ("step", Value::String(step)) => words.insert(0, step.clone()),
            (_, Value::String(text)) => words.push(format!("{name}={text}")),
            _ => words.push(format!("{name}={fact}")),
        }
    }
    let words = shortened(&words.join("  "));
    format!("{:>5}  {}  {:21}  {words}", line.version.0, moment(line.at), line.kind)
}

/// Whether a fact is what an event says of most things: nothing.
fn says_nothing(fact: &Value) -> bool {
    match fact {
        Value::Null | Value::Bool(false) => true,
        Value::Number(number) => number.as_u64() == Some(0),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.values().all(says_nothing),
        Value::String(text) => text.is_empty(),
        Value::Bool(true) => false,
    }
}

/// What `verify` found.
pub(super) fn verified(report: &VerifyReport) -> String {
    let mut lines = vec![format!(
        "{}: {} events in {} commits of {} streams, {} bytes of events, {} bytes on disk",
        if report.ok { "whole" } else { "damaged" },
        report.events,
        report.commits,
        report.streams,
        report.event_bytes,
        report.disk_bytes,
    )];
    for problem in &report.problems {
        let stream = problem.stream.as_deref().map(|stream| format!(" {stream}")).unwrap_or_default();
        let version = problem.version.map(|version| format!(" version {version}")).unwrap_or_default();
        lines.push(format!("  position {}{stream}{version}: {}", problem.position, problem.what));
    }
    lines.join("\n")
}

fn moment(at: Timestamp) -> String {
    let text = at.to_string();
    // To the second: `--json` has the microseconds.
    text.split_once('.').map_or(text.clone(), |(seconds, _)| format!("{seconds}Z"))
}

/// What can be shown on a terminal without doing anything to it: no line breaks, and nothing that moves its cursor,
/// changes its title or paints it. Programs write what they like.
pub(super) fn printable(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect()
}

/// The same of a text of several lines, which keeps them, and its tabs.
pub(super) fn printable_lines(text: &str) -> String {
    let keep = |character: char| matches!(character, '\n' | '\t') || !character.is_control();
    text.chars().map(|character| if keep(character) { character } else { ' ' }).collect()
}

/// How long something took, to be read: to the millisecond below a second, to the tenth of one below a minute.
fn took(length: Duration) -> String {
    match length.as_secs() {
        0 => format_duration(length),
        1..60 => format!("{:.1}s", length.as_secs_f64()),
        seconds => format_duration(Duration::from_secs(seconds)),
    }
}

fn shortened(text: &str) -> String {
    let line = printable(text);
    match line.char_indices().nth(SHOWN_CHARS) {
        Some((cut, _)) => format!("{}…", line.get(..cut).unwrap_or_default()),
        None => line,
    }
}
