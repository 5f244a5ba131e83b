//! What a person must know of a rollback that could not undo everything: a page of Markdown, made from the state alone.

use super::markdown::{Page, for_shell, on_one_line};
use crate::events::ids::{RunId, StepId, Version};
use crate::events::problem::Code;
use crate::events::run::{RollbackCause, StepKind, StuckWhy};
use crate::workflow::run::{
    About, End, Ended, Node, Phase, Run, RunStatus, StepError, StepPhase, Trace, UndoPhase,
};

/// The name of the page of a run.
pub fn file_name(run: &RunId) -> String {
    format!("ROLLBACK-{run}.md")
}

/// Whether a person has to act by hand, or may have to: the run is stuck, or it ended with steps done that nothing
/// undoes.
pub fn is_owed(run: &Run) -> bool {
    match run.status() {
        RunStatus::Stuck => true,
        RunStatus::Compensated | RunStatus::Failed => by_hand(run).next().is_some(),
        _ => false,
    }
}

/// The page of a run that has ended; none of one that goes on.
pub fn page(run: &Run, version: Version) -> Option<String> {
    let (about, Phase::Ended(ended)) = (run.about()?, run.life()) else { return None };
    let mut page = Page::default();
    page.line(&format!("# Rollback of `{}`, run `{}`", about.started.workflow, about.id));
    page.line("");
    page.line(&what_it_is(run, ended));
    page.line(&format!("\nAs of version {version}, {}.", ended.at));
    page.section("What was done", done(run));
    page.section("What was undone", undone(run));
    page.section("What a person must undo by hand", by_hand(run).map(|(node, why)| item(node, &why)));
    page.section("What can still be undone", undoable(run));
    page.line("\n## How to go on\n");
    how_to_go_on(run, about, ended).into_iter().for_each(|line| page.line(&line));
    Some(page.text)
}

fn what_it_is(run: &Run, ended: &Ended) -> String {
    let status = run.status().text();
    match &ended.how {
        End::Stuck(stuck, unwinding) => {
            let what = match stuck.why {
                StuckWhy::Compensation => "a step could not be undone",
                StuckWhy::Child => "a run that it started is stuck",
                StuckWhy::Irreversible => {
                    "a step failed after an irreversible one, so that nothing is undone by itself"
                }
            };
            let error = error(stuck.step.as_ref(), stuck.code, &stuck.message);
            let cause = unwinding.as_ref().map(|unwinding| why_rolled_back(&unwinding.cause));
            format!("The run is **{status}**: {what}.\n\n{error}{}", cause.unwrap_or_default())
        }
        End::Failed(failed) => {
            let error = error(failed.step.as_ref(), failed.code, &failed.message);
            format!("The run is **{status}**.\n\n{error}")
        }
        End::Compensated(cause) => format!("The run is **{status}**.{}", why_rolled_back(cause)),
        End::Completed { .. } | End::Cancelled => format!("The run is **{status}**."),
    }
}

fn error(step: Option<&StepId>, code: Code, message: &str) -> String {
    let step = step.map(|step| format!(" in `{step}`")).unwrap_or_default();
    format!("{code}{step}: {}", on_one_line(message))
}

fn why_rolled_back(cause: &RollbackCause) -> String {
    match cause {
        RollbackCause::Failure { step, code, message, .. } => {
            format!("\n\nIt was rolled back for {}", error(step.as_ref(), *code, message))
        }
        RollbackCause::Cancel => "\n\nIt was cancelled, with rollback.".to_owned(),
        RollbackCause::Request { by, reason } => {
            let reason = reason.as_ref().map(|reason| format!(": {}", on_one_line(reason)));
            format!("\n\nIt was rolled back by {}{}", on_one_line(by), reason.unwrap_or_default())
        }
    }
}

/// Steps that did something, or may have, in the order of the definition.
fn done(run: &Run) -> impl Iterator<Item = String> {
    let acted = |node: &&Node| matches!(node.added.kind, StepKind::Work { .. }) && node.has_acted();
    run.nodes().iter().filter(acted).map(|node| {
        let how = match (&node.phase, node.trace) {
            (StepPhase::Completed(done), _) if done.artifacts.is_empty() => "completed".to_owned(),
            (StepPhase::Completed(crate::workflow::run::Done { artifacts, .. }), _) => {
                let names: Vec<_> = artifacts.iter().map(|name| format!("`{}`", on_one_line(name))).collect();
                format!("completed; it made {}", names.join(", "))
            }
            (_, Trace::Unknown) => "nobody knows how far it came".to_owned(),
            _ => "failed".to_owned(),
        };
        item(node, &how)
    })
}

fn undone(run: &Run) -> impl Iterator<Item = String> {
    let undone = run.nodes().iter().filter(|node| node.undo_phase() == Some(&UndoPhase::Undone));
    undone.map(|node| format!("- `{}`", node.id()))
}

/// Steps that nothing undoes, and why.
fn by_hand(run: &Run) -> impl Iterator<Item = (&Node, String)> {
    run.nodes().iter().filter_map(|node| {
        let why = match node.undo_phase() {
            Some(UndoPhase::Failed) => {
                let error = node.compensation.as_ref().and_then(|undo| undo.error.as_ref());
                format!("undoing it failed for good{}", error.map(because).unwrap_or_default())
            }
            Some(UndoPhase::LeftUndone) => "somebody left it undone".to_owned(),
            Some(_) => return None,
            None if !node.leaves_traces() || node.added.undo.is_some() => return None,
            None if node.added.irreversible => "it is irreversible".to_owned(),
            None if node.trace == Trace::Unknown && node.output().is_none() => {
                "nobody knows how far it came, and it has no compensation".to_owned()
            }
            None => "it is done and has no compensation".to_owned(),
        };
        Some((node, why))
    })
}

/// Steps that owe their compensation and have not had their turn, as far as a rollback may still go.
fn undoable(run: &Run) -> impl Iterator<Item = String> {
    let plan = run
        .rollback_plan(run.last_return().map(|node| node.id().as_str()))
        .map(|plan| plan.order)
        .unwrap_or_default();
    let waits = move |node: &&Node| {
        node.undo_phase().is_none() && plan.iter().flatten().any(|step| step == node.id())
    };
    run.nodes().iter().filter(waits).map(|node| item(node, "it has a compensation that was not started"))
}

fn how_to_go_on(run: &Run, about: &About, ended: &Ended) -> Vec<String> {
    let id = &about.id;
    let status = format!("    reenact status {id}    # how it is, step by step");
    let mut lines = Vec::new();
    match &ended.how {
        End::Stuck(stuck, _) if stuck.why == StuckWhy::Compensation => {
            lines.push("For each step whose compensation failed, one of\n".to_owned());
            let failed = run.nodes().iter().filter(|node| node.undo_phase() == Some(&UndoPhase::Failed));
            failed.for_each(|node| lines.extend(resolutions(id, node.id())));
            lines.push("\nand then, to see the rollback through,\n".to_owned());
            lines.push(format!("    reenact resume {id}"));
        }
        End::Stuck(..) => {
            lines.push(format!("    reenact retry {id}    # go forward: what failed is tried again"));
            lines.extend(run.last_return().map(|node| {
                format!("    reenact rollback {id} --to {}    # undo what came after it", node.id())
            }));
        }
        End::Failed(_) => {
            lines.push(format!("    reenact retry {id}    # go forward: what failed is tried again"));
            if undoable(run).next().is_some() {
                lines.push(format!("    reenact rollback {id}    # undo what has a compensation"));
            }
        }
        End::Completed { .. } | End::Compensated(_) | End::Cancelled => {
            lines.push("Nothing is left for the run to do.\n".to_owned());
        }
    }
    lines.push(status);
    lines
}

/// The commands that settle a compensation.
fn resolutions(run: &RunId, step: &StepId) -> [String; 3] {
    let step = for_shell(step.as_str());
    let command = |how: &str, what: &str| {
        format!("    reenact rollback resolve {run} {step} {how} --reason \"…\"    # {what}")
    };
    [
        command("--retry", "try the compensation again"),
        command("--done", "you undid it by hand"),
        command("--skip", "it stays as it is"),
    ]
}

fn item(node: &Node, text: &str) -> String {
    format!("- `{}`: {text}", node.id())
}

fn because(error: &StepError) -> String {
    format!(": {}: {}", error.code, on_one_line(&error.message))
}
