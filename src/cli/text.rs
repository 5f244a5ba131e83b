//! Results as a person reads them.

pub(super) mod colour;
mod events;
mod failure;
mod goals;
pub(super) mod happenings;
pub(super) mod lines;
pub(super) mod models;
mod moments;
pub(super) mod spend;
mod steps;
pub(super) mod table;
pub(super) mod terminal;
pub(super) mod values;
mod waiting;

use std::path::Path;

use crate::aggregates::run::{Order, RunStatus};
use crate::api::protocol::{Planned, Recorded, Shown, State, VerifyReport};
use crate::api::wording;
use crate::events::ids::StepId;
use crate::events::json::Json;
use crate::events::problem::Problem;
use crate::events::run::{Routed, RoutedAgent};
use crate::events::text::shortened;
use crate::views::presenters::report::{AgentReport, ChildReport, EscalationReport, PhaseReport, RunReport};
use crate::views::presenters::ways::Way;
use crate::workflow::json_text::Level;
use colour::Tone;
pub(super) use events::{event, next};
pub(super) use moments::{moment, took, worked_and_waited};
pub(super) use steps::Steps;
pub(super) use terminal::{Call, Text, name, terminal};

/// How much of an output or an event is shown; `--json` shows all of it.
const SHOWN_CHARS: usize = 160;

/// How many of the runs are named that a run has started: the steps of a fan-out may each have one.
const CHILDREN_SHOWN: usize = 8;

/// How many questions about agents that were stuck are shown.
const ESCALATIONS_SHOWN: usize = 8;

/// How many agents are named that do steps of a run, and how much of the hash of each; `--json` has all.
const AGENTS_SHOWN: usize = 8;
const HASH_CHARS: usize = 12;

/// A run: how it is, its steps, what it waits for, what came of it, and what can be done about it. Of a run in the past
/// nothing can: without a `call` no command is named.
pub(super) fn run(report: &RunReport, steps: Steps, call: Option<&Call>) -> Text {
    let mut lines = vec![one_line(report)];
    lines.extend(steps::lines(report, steps, call));
    lines.extend(phases(report));
    lines.extend(report.routed.as_ref().map(routed));
    lines.extend(agents(report));
    lines.extend(relatives(report));
    lines.extend(escalations(report));
    lines.extend(goals::summaries(report));
    lines.extend(spend::summary(report));
    lines.extend(spend::used(report));
    lines.extend(waiting::waiting(report, call));
    lines.extend(stopped(report));
    lines.extend(report.error.as_ref().map(|error| failure::text(report, error, call)));
    if !report.output.is_null() {
        lines.extend(output(&report.output));
    }
    lines.extend(call.into_iter().flat_map(|call| ways(report, call)));
    lines.extend(changed(report, call));
    if let Some(file) = &report.rollback_file {
        let stuck = report.status == RunStatus::Stuck;
        let what = if stuck { "what to undo by hand" } else { "what was done and is not undone" };
        lines.push(terminal!("{}: {}", what, from_here(file)));
    }
    if let (Some(true), Some(call)) = (report.interrupted, call) {
        let how = match report.status {
            _ if report.ready => "ready to go on",
            RunStatus::Pending => "not started",
            _ => "interrupted",
        };
        let how = Tone::Warning.of(&terminal!("{}:", how));
        lines.push(terminal!("{} {}", how, call.command(["resume", report.run.as_str()])));
    }
    Text::lines(lines)
}

/// Says that files of a run have changed, if some have, and how what they say now is run.
pub(super) fn changed(report: &RunReport, call: Option<&Call>) -> Option<Text> {
    let files = report.changed_files.iter().map(|file| terminal!("{}", from_here(file)));
    let has = if report.changed_files.len() == 1 { "has" } else { "have" };
    let files = Text::joined(files, ", ");
    let used = "changed since the run began, which goes on as it was recorded";
    let start = report.start_changed.as_ref().zip(call);
    let start = start.map(|(start, call)| {
        let words = wording::words_of(start);
        let words = words.iter().map(|word| from_here(word));
        terminal!("run what stands there now, as another run: {}", call.command(words))
    });
    (!files.is_empty())
        .then(|| Text::lines([terminal!("{} {} {}", files, has, used)].into_iter().chain(start)))
}

/// Who paused or cancelled it, and why. Where it is rolled back to, another line says.
fn stopped(report: &RunReport) -> Option<Text> {
    let Order { by, reason } = report.stopped.as_ref().filter(|_| report.rolled_back_to.is_none())?;
    let what = if report.status == RunStatus::Paused { "paused" } else { "cancelled" };
    let reason = reason.as_ref().map(|reason| terminal!(": {}", cut(reason)));
    Some(terminal!("{} by {}{}", what, name(by), reason.unwrap_or_default()))
}

/// A file, as short as it can be named from the current folder.
fn from_here(file: &str) -> &str {
    let here = std::env::current_dir().unwrap_or_default();
    Path::new(file).strip_prefix(here).ok().and_then(Path::to_str).unwrap_or(file)
}

/// A line with the status of each phase, and how many of its steps are done with; none without phases.
fn phases(report: &RunReport) -> Option<Text> {
    let phase = |PhaseReport { name: phase, status, done, total }: &PhaseReport| {
        terminal!("{} {} ({} of {})", name(phase), colour::status(status), done, total)
    };
    let phases = Text::joined(report.phases.iter().map(phase), ", ");
    (!phases.is_empty()).then(|| terminal!("phases: {}", phases))
}

/// What was decided about a request.
pub(super) fn routed(routed: &Routed) -> Text {
    let Routed { domain, category, complexity, confidence, strategy, agents } = routed;
    let agent = |agent: &RoutedAgent| terminal!("{} {}", name(agent.name.as_str()), agent.score.number());
    let agents = Text::joined(agents.iter().take(AGENTS_SHOWN).map(agent), ", ");
    let fits = if agents.is_empty() { terminal!("nobody fits") } else { agents };
    let sure = confidence.percent();
    terminal!(
        "routed as {} about {}, complexity {}, {}, {} % sure: {}",
        category.text(),
        domain.text(),
        *complexity,
        strategy.text(),
        sure,
        fits
    )
}

/// The agents that do its steps, as they were defined when it began, where that was asked for.
fn agents(report: &RunReport) -> Option<Text> {
    let works = |agent: &&AgentReport| {
        report.steps.iter().any(|step| step.agent.as_deref() == Some(agent.name.as_str()))
    };
    let (shown, more): (Vec<_>, Vec<_>) =
        report.agents.iter().filter(works).enumerate().partition(|(place, _)| *place < AGENTS_SHOWN);
    let agent = |(_, agent): &(usize, &AgentReport)| {
        let hash = agent.definition.to_string();
        terminal!("{} {}", name(agent.name.as_str()), hash.get(..HASH_CHARS).unwrap_or(&hash))
    };
    let more = (!more.is_empty()).then(|| terminal!("and {} more", more.len()));
    let agents = Text::joined(shown.iter().map(agent).chain(more), ", ");
    (!agents.is_empty()).then(|| terminal!("agents as they were when it began: {}", agents))
}

/// The run that started this one, and those that it started.
fn relatives(report: &RunReport) -> Vec<Text> {
    let parent = report.parent.iter();
    let parent = parent.map(|parent| terminal!("started by `{}` of run {}", parent.step, parent.run));
    let child = |ChildReport { run, step, status }: &ChildReport| {
        let status = status.as_ref().map(|status| terminal!("  {}", colour::status(status)));
        terminal!("run of `{}`: {}{}", step, run, status.unwrap_or_default())
    };
    let mut lines: Vec<_> = parent.chain(report.children.iter().take(CHILDREN_SHOWN).map(child)).collect();
    if report.children.len() > CHILDREN_SHOWN {
        lines.push(terminal!("and {} more runs", report.children.len() - CHILDREN_SHOWN));
    }
    lines
}

/// What was seen of agents that were stuck, and who was asked about each.
fn escalations(report: &RunReport) -> Vec<Text> {
    let asked = |EscalationReport { step, to, seen }: &EscalationReport| {
        terminal!("{} was asked about `{}`, which was stuck: {}", name(to.as_str()), step, cut(seen))
    };
    let mut lines: Vec<_> = report.escalations.iter().take(ESCALATIONS_SHOWN).map(asked).collect();
    if report.escalations.len() > ESCALATIONS_SHOWN {
        lines.push(terminal!("and {} times more", report.escalations.len() - ESCALATIONS_SHOWN));
    }
    lines
}

/// The commands for a run that goes on only if a person says how.
fn ways(report: &RunReport, call: &Call) -> Vec<Text> {
    let mut lines = Vec::new();
    let mut settled: Option<&StepId> = None;
    for Way { what, command, settles } in &report.ways {
        let command = &*wording::words_of(command);
        match settles {
            None => lines.push(terminal!("{}: {}", what, call.command(command))),
            // All that can be done about one step stand behind each other, and in one line here.
            Some(step) if settled == Some(step) => {}
            Some(step) => {
                let command = call.command(command.iter().take_while(|word| !word.starts_with("--")));
                let how = "--retry|--skip|--done --reason R";
                lines.push(terminal!("cannot undo `{}`: {} {}", step, command, how));
            }
        }
        settled = settles.as_ref();
    }
    lines
}

/// The output of a run: an object with a line for each of its members.
fn output(output: &Json) -> Vec<Text> {
    let Ok(Level::Map(members)) = Level::of(output.text()) else {
        return vec![terminal!("output: {}", plain(output.text()))];
    };
    let width = members.iter().map(|(member, _)| name(member).width()).max().unwrap_or(0);
    let member = |member: &str, value: &str| terminal!("  {}  {}", name(member).padded(width), plain(value));
    let members = members.iter().map(|(name, value)| member(name, value));
    std::iter::once(terminal!("output:")).chain(members).collect()
}

/// JSON as people read it: a text without its quotes, all else as it is written.
fn plain(json: &str) -> Text {
    match Level::of(json) {
        Ok(Level::Text(text)) => cut(&text),
        _ => cut(json),
    }
}

/// What stands behind the status of what was done in a lesser way.
fn degraded(is_degraded: bool) -> Text {
    if is_degraded { Tone::Warning.of(&terminal!(" (degraded)")) } else { Text::default() }
}

/// A run in a line.
pub(super) fn one_line(report: &RunReport) -> Text {
    terminal!(
        "{}  {}  {}{}  {} of {} steps  {}",
        report.run,
        name(&report.workflow),
        colour::status(report.status.text()),
        degraded(report.degraded),
        report.progress.done,
        report.progress.total,
        worked_and_waited(report),
    )
}

/// A problem as a person reads it: what, where, and what to do.
pub(super) fn problem(kind: &'static str, problem: &Problem, call: &Call) -> Text {
    let tone = if kind == "error" { Tone::Bad } else { Tone::Warning };
    let kind = tone.of(&terminal!("{}[{}]:", kind, problem.code));
    let mut lines = vec![terminal!("{} {}", kind, problem.message)];
    lines.extend(problem.at.as_ref().map(|at| terminal!("  at {}:{}:{}", at.file, at.line, at.column)));
    lines.extend(problem.step.as_ref().map(|step| terminal!("  in step `{}`", step)));
    lines.push(hint(problem, call));
    Text::lines(lines)
}

/// What helps, in a line.
fn hint(problem: &Problem, call: &Call) -> Text {
    terminal!("  {} {}", Tone::Hint.of(&terminal!("hint:")), call.hint(&problem.remedies))
}

/// What was recorded of what somebody wanted, what the other process `does` then that drives the run, and what to do next.
pub(super) fn recorded(recorded: &Recorded, does: Option<&'static str>, call: &Call) -> Text {
    let Recorded { run, version, status, unticked, driven_by } = recorded;
    let (what, verb) = match status {
        RunStatus::Paused => ("go on with", "unpause"),
        _ if driven_by.is_some() => ("look at it with", "status"),
        RunStatus::Waiting => ("see what it still waits for", "status"),
        RunStatus::Pending | RunStatus::Running | RunStatus::Compensating => {
            ("see it through, unless somebody does", "resume")
        }
        _ => ("look at it with", "status"),
    };
    let mut lines = vec![terminal!("{}  {}  version {}", run, colour::status(status.text()), version)];
    lines.extend(unticked.iter().map(|point| {
        terminal!("granted with this unticked in `{}`: {}. {}", point.step, point.point, point.says)
    }));
    let other = driven_by.zip(does).map(|(pid, does)| terminal!("process {} drives it, and {}", pid, does));
    lines.extend(other);
    lines.push(terminal!("{}: {}", what, call.command([verb, run.as_str()])));
    Text::lines(lines)
}

/// The plan of a rollback, group by group, and the steps that would stay as they are.
pub(super) fn planned(planned: &Planned) -> Text {
    let mut lines = Vec::new();
    if planned.order.is_empty() {
        lines.push(terminal!("nothing would be undone"));
    }
    for (number, group) in (1..).zip(&planned.order) {
        let steps = Text::joined(group.iter().map(|step| terminal!("{}", step)), ", ");
        lines.push(terminal!("{}. undo {}", number, steps));
    }
    for cannot in &planned.cannot {
        lines.push(terminal!("cannot undo {}: {}", cannot.step, cannot.why));
    }
    Text::lines(lines)
}

/// A run, or a stream of another kind, as it was right after one of its events.
pub(super) fn state(state: &State, call: &Call) -> Text {
    match &state.shown {
        Shown::Run(report) => {
            let effects = report.effects.iter().flatten().map(|effect| terminal!("next: {}", next(effect)));
            let call = Some(call).filter(|_| state.event.version == state.newest);
            Text::lines(
                [event(&state.event, SHOWN_CHARS), run(report, Steps::Collapsed, call)]
                    .into_iter()
                    .chain(effects),
            )
        }
        Shown::Stream(report) => Text::lines([
            event(&state.event, SHOWN_CHARS),
            terminal!("{}  {}  version {}", name(report.stream.as_str()), &report.status, report.version),
            terminal!("{}", report.state.text()),
        ]),
    }
}

/// The findings of `verify`: a line for the store, and one for each problem.
pub(super) fn verified(report: &VerifyReport) -> Text {
    let mut lines = vec![terminal!(
        "{}: {} events in {} commits of {} streams, {} bytes of events, {} bytes on disk",
        if report.ok { Tone::Good.of(&terminal!("whole")) } else { Tone::Bad.of(&terminal!("damaged")) },
        report.events,
        report.commits,
        report.streams,
        report.event_bytes,
        report.disk_bytes,
    )];
    for problem in &report.problems {
        let stream = problem.stream.as_ref().map(|stream| terminal!(" {}", stream)).unwrap_or_default();
        let version = problem.version.map(|version| terminal!(" version {}", version)).unwrap_or_default();
        lines.push(terminal!("  position {}{}{}: {}", problem.position, stream, version, problem.what));
    }
    Text::lines(lines)
}

/// As much of a text as is shown of one.
fn cut(text: &str) -> Text {
    Text::of_medium(shortened(text, SHOWN_CHARS).into_owned())
}
