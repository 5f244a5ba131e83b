//! A plan of tasks in a few lines: what came of it, who was called how often, what was made and tested.

use super::colour::{self, Tone};
use super::terminal::{Text, name, terminal};
use super::took;
use crate::events::ids::StepId;
use crate::events::text::some_of;
use crate::views::presenters::report::{GoalReport, RunReport, TaskReport, TestsReport};

/// How many files are named; `--json` has all.
const FILES_SHOWN: usize = 20;

/// How many tasks are shown: above stand all steps.
const TASKS_SHOWN: usize = 50;

/// The summary of each plan that has tasks, once its run has ended.
pub(super) fn summaries(report: &RunReport) -> Vec<Text> {
    let ended = report.status.has_ended();
    report
        .goals
        .iter()
        .filter(|goal| ended && !goal.tasks.is_empty())
        .map(|goal| summary(report, goal))
        .collect()
}

fn summary(report: &RunReport, goal: &GoalReport) -> Text {
    let done = goal.tasks.iter().filter(|task| task.status == "completed").count();
    let time = took(std::time::Duration::from_millis(report.duration_ms));
    let mut lines =
        vec![terminal!("plan of `{}`: {} of {} tasks done in {}", goal.step, done, goal.tasks.len(), time)];
    let width = goal.tasks.iter().map(|task| short(&goal.step, &task.step).width()).max().unwrap_or(0);
    for TaskReport { step, agent, status } in goal.tasks.iter().take(TASKS_SHOWN) {
        let by = agent.as_ref().map(|agent| terminal!(", {}", name(agent))).unwrap_or_default();
        lines.push(terminal!(
            "  {}  {}{}",
            short(&goal.step, step).padded(width),
            colour::status(status),
            by
        ));
    }
    if goal.tasks.len() > TASKS_SHOWN {
        lines.push(terminal!("  and {} more", goal.tasks.len() - TASKS_SHOWN));
    }
    let calls = goal.calls.iter().map(|(agent, calls)| terminal!("{} {}", name(agent.as_str()), calls));
    lines.push(terminal!("  calls: {}", Text::joined(calls, ", ")));
    if !goal.files.is_empty() {
        lines.push(terminal!("  files: {}", some_of(&goal.files, FILES_SHOWN, Clone::clone)));
    }
    if let Some(TestsReport { passed, failed }) = goal.tests {
        let told = terminal!("{} passed, {} failed", passed, failed);
        let told = if failed > 0 { Tone::Bad.of(&told) } else { Tone::Good.of(&told) };
        lines.push(terminal!("  tests, as reported: {}", told));
    }
    Text::lines(lines)
}

/// A step of a plan without the step whose plan it is.
fn short(planner: &StepId, step: &StepId) -> Text {
    let step = step.as_str();
    let inner = step.strip_prefix(planner.as_str()).and_then(|rest| rest.strip_prefix('/'));
    name(inner.unwrap_or(step))
}
