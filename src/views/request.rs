//! What people must know to answer a request for an approval: a page of Markdown, made from the state of the run alone,
//! and from what was found in the work folder when they were asked.

pub mod found;
mod phase;

use std::time::Duration;

use super::markdown::{Page, json_lines, on_one_line};
use super::report::primary_agent;
use crate::events::ids::{RequestId, RunId, StepId, Version};
use crate::events::run::Gate;
use crate::events::time::format_duration;
use crate::workflow::aggregate::{Blobs, Unreadable};
use crate::workflow::approval::Asked;
use crate::workflow::run::{Answer, Node, Request, Run, StepPhase};

/// How many lines of what is asked are shown, which may be a list of thousands of items.
const ASKED_LINES_SHOWN: usize = 200;

/// How many steps are shown: the last ones, which are nearest to what is asked.
const STEPS_SHOWN: usize = 100;

/// Over what was found in the work folder.
const FOUND: &str = "State of the work folder";

/// The name of the page of a request.
pub fn file_name(request: &RequestId) -> String {
    format!("REQUEST-{request}.md")
}

/// Whether a request can still be answered.
pub fn is_open(run: &Run, request: &RequestId) -> bool {
    run.people().open.contains(request)
}

/// The page of a request; none if the run has not made it. What was `found` in the work folder is a text of its own,
/// which [`found_in`] takes from an earlier page: later it may look different there.
///
/// # Errors
/// When what is asked is in a blob that cannot be read.
pub fn page(
    run: &Run,
    id: &RequestId,
    version: Version,
    found: Option<&str>,
    blobs: &dyn Blobs,
) -> Result<Option<String>, Unreadable> {
    let (Some(about), Some(request)) = (run.about(), run.people().requests.get(id)) else { return Ok(None) };
    let mut page = Page::default();
    page.line(&format!("# Request `{id}` of `{}`, run `{}`\n", about.started.workflow, about.id));
    page.line(&what_became_of_it(request));
    page.line(&format!("\nAs of version {version}.\n"));
    facts(run, request).into_iter().for_each(|fact| page.line(&format!("- {fact}")));
    let what: Option<Asked> = serde_json::from_str(blobs.json(&request.asked.what)?.text()).ok();
    let phase = what.as_ref().map(phase::table).unwrap_or_default();
    if !phase.is_empty() {
        page.section("The phase", phase.into_iter());
    }
    page.section("What is asked", asked(request, blobs)?.into_iter());
    let answers = answers(request, blobs)?;
    if !answers.is_empty() {
        page.section("What was said so far", answers.into_iter());
    }
    page.section("What ran so far", ran(run).into_iter());
    match found {
        Some(found) => page.section(FOUND, std::iter::once(found.trim_end().to_owned())),
        None => page.line("\nThe work folder is being looked at."),
    }
    if !request.asked.checklist.is_empty() {
        page.section("Checklist", checklist(request));
    }
    page.section("How to answer", commands(&about.id, id, request).into_iter());
    Ok(Some(page.text))
}

/// What an earlier page says was found in the work folder, if that was looked at by then.
pub fn found_in(page: &str) -> Option<&str> {
    let (_, rest) = page.split_once(&format!("\n## {FOUND}\n\n"))?;
    // A page that was cut off is none.
    rest.split_once("\n\n## ").map(|(found, _)| found)
}

fn what_became_of_it(request: &Request) -> String {
    let (has, needs) = (request.granted.len(), request.asked.needed);
    match &request.answer {
        Answer::Open if needs > 1 => format!("It is **open**: {has} of {needs} people have granted it."),
        Answer::Open => "It is **open**: nobody has answered yet.".to_owned(),
        Answer::Granted => "It is **granted**.".to_owned(),
        Answer::Refused { by, note } => {
            format!("It is **refused** by {}: {}", on_one_line(by), on_one_line(note))
        }
        Answer::Expired => "It **expired**: nobody answered in time.".to_owned(),
        Answer::Withdrawn => "It is **withdrawn**: the step is not to go on any more.".to_owned(),
    }
}

fn facts(run: &Run, request: &Request) -> Vec<String> {
    let asked = &request.asked;
    let what = match asked.gate {
        Gate::Before => "may it start?",
        Gate::After => "may what it answered be used?",
    };
    let node = run.nodes().get(request.place);
    let phase = node.and_then(|node| node.added.phase.as_ref());
    let of_phase = phase.map(|phase| format!(" of phase `{}`", on_one_line(phase))).unwrap_or_default();
    let about_a_phase = phase::question(node, asked.gate);
    let mut facts = vec![about_a_phase.unwrap_or_else(|| format!("step `{}`{of_phase}: {what}", asked.step))];
    facts.extend(
        node.and_then(primary_agent).map(|agent| format!("done by `{}`", on_one_line(agent.as_str()))),
    );
    facts.push(format!("asked {}", request.at));
    facts.extend(asked.expires.map(|at| format!("expires {at}; then it is refused")));
    let names: Vec<_> = asked.approvers.iter().map(|name| format!("`{}`", on_one_line(name))).collect();
    let who = if names.is_empty() { "anybody".to_owned() } else { names.join(", ") };
    facts.push(match asked.needed {
        0 | 1 => format!("answered by {who}"),
        needed => format!("answered by {who}; {needed} different people have to grant it"),
    });
    facts
}

/// Exactly what an answer is bound to.
fn asked(request: &Request, blobs: &dyn Blobs) -> Result<Vec<String>, Unreadable> {
    let mut lines = json_lines(blobs.json(&request.asked.what)?.text());
    let all = lines.len();
    if all > ASKED_LINES_SHOWN {
        lines.truncate(ASKED_LINES_SHOWN);
        lines.push(format!("\n… and {} lines more.", all - ASKED_LINES_SHOWN));
    }
    lines.push(format!("\nIts BLAKE3 hash: `{}`. An answer is for exactly that.", request.asked.hash));
    Ok(lines)
}

fn answers(request: &Request, blobs: &dyn Blobs) -> Result<Vec<String>, Unreadable> {
    let said = |note: &Option<String>| {
        note.as_ref().map(|note| format!(": {}", on_one_line(note))).unwrap_or_default()
    };
    let granted = request.granted.iter();
    let mut lines: Vec<_> =
        granted.map(|(by, note)| format!("- granted by {}{}", on_one_line(by), said(note))).collect();
    for edits in &request.edits {
        lines.push("- with these changes:\n".to_owned());
        lines.extend(json_lines(blobs.json(edits)?.text()).into_iter().map(|line| format!("  {line}")));
    }
    Ok(lines)
}

/// The steps that have begun or are done with, in the order in which they began.
fn ran(run: &Run) -> Vec<String> {
    let has_begun = |node: &&Node| node.started_at.is_some() || node.is_done();
    let mut begun: Vec<_> = run.nodes().iter().filter(has_begun).collect();
    begun.sort_by_key(|node| node.started_at.or(node.ended_at));
    let hidden = begun.len().saturating_sub(STEPS_SHOWN);
    let mut lines = Vec::new();
    if hidden > 0 {
        lines.push(format!("- {hidden} steps before these: see `reenact status`"));
    }
    lines.extend(begun.into_iter().skip(hidden).map(outcome));
    lines
}

/// How a step is.
fn outcome(node: &Node) -> String {
    let mut line = format!("- `{}`: {}", node.id(), node.status());
    if let StepPhase::Completed(done) = &node.phase {
        if done.degraded {
            line.push_str(", degraded");
        }
        let names: Vec<_> = done.artifacts.iter().map(|name| format!("`{}`", on_one_line(name))).collect();
        if !names.is_empty() {
            line.push_str(&format!(", it made {}", names.join(", ")));
        }
    }
    if node.attempts_now() > 1 {
        line.push_str(&format!(", {} attempts", node.attempts_now()));
    }
    match (node.started_at, node.ended_at) {
        (Some(from), Some(to)) => {
            let took = Duration::from_millis(u64::try_from(to.since(from).as_millis()).unwrap_or(u64::MAX));
            line.push_str(&format!(", {from}, took {}", format_duration(took)));
        }
        (Some(from), None) => line.push_str(&format!(", since {from}")),
        _ => {}
    }
    if let Some(error) = &node.error {
        line.push_str(&format!(", {}: {}", error.code, on_one_line(&error.message)));
    }
    line
}

fn checklist(request: &Request) -> impl Iterator<Item = String> {
    (1..).zip(&request.asked.checklist).map(|(point, text)| {
        let text = on_one_line(text);
        match request.checked.get(&point) {
            Some(by) => format!("- [x] {point}. {text} ({})", on_one_line(by)),
            None => format!("- [ ] {point}. {text}"),
        }
    })
}

fn commands(run: &RunId, id: &RequestId, request: &Request) -> Vec<String> {
    if request.answer != Answer::Open {
        return vec![format!("It is closed.\n\n    reenact status {run}    # how the run is")];
    }
    let mut lines = vec![format!("    reenact approve {run} {id}")];
    if !request.asked.step.as_str().starts_with(StepId::PHASE) {
        lines.push(format!("    reenact approve {run} {id} --set name=value    # with a change"));
    }
    lines.push(format!("    reenact reject {run} {id} --reason \"…\""));
    if !request.asked.checklist.is_empty() {
        lines.push(format!("    reenact approve {run} {id} --check 1    # tick a point, grant nothing yet"));
    }
    lines.push(format!("    reenact status {run}"));
    lines.push(format!("    reenact transcript {run} STEP    # what a step said"));
    if !request.asked.approvers.is_empty() {
        lines.push("\n`--by WHO` says who answers; else it is the user of the operating system.".to_owned());
    }
    lines
}
