//! What a person must know about a rollback that could not undo everything: a page of Markdown, made
//! from the state alone.

use super::ways::{Act, Invocation, Wording, ways};
use crate::aggregates::run::{
    About, End, Ended, Node, Order, Phase, Run, RunStatus, StepPhase, Trace, UndoPhase,
};
use crate::events::ids::{RunId, StepId, Version};
use crate::events::problem::Code;
use crate::events::run::{RollbackCause, StepKind, StuckWhy};
use crate::views::markdown::{Page, Words, code, command_line, markdown};

/// The name of the page of a run.
pub fn file_name(run: &RunId) -> String {
    format!("ROLLBACK-{run}.md")
}

/// Whether a person has to act by hand, or may have to: the run is stuck, or it ended with steps that were
/// done and that nothing undoes.
pub fn is_owed(run: &Run) -> bool {
    match run.status() {
        RunStatus::Stuck => true,
        RunStatus::Compensated | RunStatus::Failed => by_hand(run).next().is_some(),
        _ => false,
    }
}

/// The page of a run that has ended, in the words of a medium; none of one that goes on.
pub fn page(run: &Run, version: Version, wording: Wording) -> Option<String> {
    let (about, Phase::Ended(ended)) = (run.about()?, run.life()) else { return None };
    let mut page = Page::default();
    page.title(&markdown!("Rollback of {}, run {}", code(&about.started.workflow), code(&about.id)));
    page.blank();
    what_it_is(run, ended, &mut page);
    page.blank();
    page.line(&markdown!("As of version {}, {}.", version, ended.at));
    page.section("What was done", |page| done(run).for_each(|item| page.item(&item)));
    page.section("What was undone", |page| undone(run).for_each(|item| page.item(&item)));
    page.section("What a person must undo by hand", |page| {
        // What a run did that completed after all is to stay.
        let is_to_stay = matches!(ended.how, End::Completed { .. });
        by_hand(run).filter(|_| !is_to_stay).for_each(|(node, why)| page.item(&item(node, &why)));
    });
    page.section("What can still be undone", |page| undoable(run).for_each(|item| page.item(&item)));
    page.section("How to go on", |page| how_to_go_on(run, about, wording, page));
    Some(page.finish())
}

fn what_it_is(run: &Run, ended: &Ended, page: &mut Page) {
    let status = run.status().text();
    let (what, error, cause) = match &ended.how {
        End::Stuck(stuck, unwinding) => {
            let what = match stuck.why {
                StuckWhy::Compensation => ": a step could not be undone",
                StuckWhy::Child => ": a run that it started is stuck",
                StuckWhy::Irreversible => {
                    ": a step failed after an irreversible one, so that nothing is undone by itself"
                }
            };
            let error = error(stuck.step.as_ref(), stuck.code, &stuck.message);
            (what, Some(error), unwinding.as_ref().map(|unwinding| &unwinding.cause))
        }
        End::Failed(failed) => ("", Some(error(failed.step.as_ref(), failed.code, &failed.message)), None),
        End::Compensated(cause) => ("", None, Some(cause)),
        End::Completed { .. } => (": what it did is to stay", None, None),
        End::Cancelled => ("", None, None),
    };
    page.line(&markdown!("The run is **{}**{}.", status, what));
    for words in error.into_iter().chain(cause.map(why_rolled_back)) {
        page.blank();
        page.line(&words);
    }
}

fn error(step: Option<&StepId>, code: Code, message: &str) -> Words {
    let step = step.map(|step| markdown!(" in {}", crate::views::markdown::code(step)));
    markdown!("{}{}: {}", code, step.unwrap_or_default(), message)
}

fn why_rolled_back(cause: &RollbackCause) -> Words {
    match cause {
        RollbackCause::Failure { step, code, message, .. } => {
            markdown!("It was rolled back for {}", error(step.as_ref(), *code, message))
        }
        RollbackCause::Cancel => markdown!("It was cancelled, with rollback."),
        RollbackCause::Request { by, reason } => {
            let reason = reason.as_ref().map(|reason| markdown!(": {}", reason));
            markdown!("It was rolled back by {}{}", by, reason.unwrap_or_default())
        }
    }
}

/// The steps that did something, or may have, in the order of the definition.
fn done(run: &Run) -> impl Iterator<Item = Words> {
    let acted = |node: &&Node| matches!(node.added.kind, StepKind::Work { .. }) && node.has_acted();
    run.nodes().iter().filter(acted).map(|node| {
        let how = match (&node.doing.phase, node.doing.trace) {
            (StepPhase::Completed(done), _) if done.artifacts.is_empty() => markdown!("completed"),
            (StepPhase::Completed(done), _) => {
                let names = Words::joined(done.artifacts.iter().map(code), ", ");
                markdown!("completed; it made {}", names)
            }
            (_, Trace::Unknown) => markdown!("nobody knows how far it came"),
            _ => markdown!("failed"),
        };
        item(node, &how)
    })
}

fn undone(run: &Run) -> impl Iterator<Item = Words> {
    run.nodes().iter().filter_map(|node| match node.undo_phase()? {
        UndoPhase::Undone(None) => Some(code(node.id())),
        UndoPhase::Undone(Some(said)) => {
            Some(item(node, &markdown!("by hand, as {} said{}", said.by, because(said))))
        }
        UndoPhase::Trying(_) | UndoPhase::Failed | UndoPhase::LeftUndone(_) => None,
    })
}

/// The steps that nothing undoes, each with the reason.
fn by_hand(run: &Run) -> impl Iterator<Item = (&Node, Words)> {
    run.nodes().iter().filter_map(|node| {
        let why = match node.undo_phase() {
            Some(UndoPhase::Failed) => {
                let error = node.compensation.as_ref().and_then(|undo| undo.tries.error.as_ref());
                let error = error.map(|error| markdown!(": {}: {}", error.code, error.message));
                markdown!("undoing it failed for good{}", error.unwrap_or_default())
            }
            Some(UndoPhase::LeftUndone(said)) => markdown!("{} left it as it is{}", said.by, because(said)),
            Some(_) => return None,
            None if node.added.nothing_to_undo => return None,
            None if !node.leaves_traces() || node.added.undo.is_some() => return None,
            None if node.added.irreversible => markdown!("it is irreversible"),
            None if node.doing.trace == Trace::Unknown && node.output().is_none() => {
                markdown!("nobody knows how far it came, and it has no compensation")
            }
            None => markdown!("it is done and has no compensation"),
        };
        Some((node, why))
    })
}

fn because(said: &Order) -> Words {
    said.reason.as_ref().map(|reason| markdown!(": {}", reason)).unwrap_or_default()
}

/// Steps whose compensation is owed and has not begun, as far as a rollback can still go.
fn undoable(run: &Run) -> impl Iterator<Item = Words> {
    let plan = run
        .rollback_plan(run.last_return().map(|node| node.id().as_str()))
        .map(|plan| plan.order)
        .unwrap_or_default();
    let waits = move |node: &&Node| {
        node.undo_phase().is_none() && plan.iter().flatten().any(|step| step == node.id())
    };
    let what = markdown!("it has a compensation that was not started");
    run.nodes().iter().filter(waits).map(move |node| item(node, &what))
}

fn how_to_go_on(run: &Run, about: &About, wording: Wording, page: &mut Page) {
    let ways = ways(run);
    if ways.is_empty() {
        page.line(&markdown!("Nothing is left for the run to do."));
        page.blank();
    }
    for way in ways {
        let words = match way.command {
            Invocation::Act { run, act } => wording(&run, &act),
            Invocation::Words(words) => words,
        };
        page.code(&format!("{}    # {}", command_line(words), way.what));
    }
    page.code(&format!("{}    # how it is, step by step", command_line(wording(&about.id, &Act::Look))));
}

fn item(node: &Node, text: &Words) -> Words {
    markdown!("{}: {}", code(node.id()), text)
}
