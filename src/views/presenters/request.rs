//! What people must know to answer a request for an approval: a page of Markdown, made from the state of the
//! run alone and from what was found in the work folder when they were asked.

mod phase;
pub mod work_folder;

use std::sync::Arc;
use std::time::Duration;

use self::work_folder::WorkFolderState;
use super::report::primary_agent;
use super::ways::{Act, Wording};
use crate::aggregates::run::{ApprovalRequest, ApprovalState, Node, Run, StepPhase};
use crate::events::ids::{RequestId, Version};
use crate::events::json::Json;
use crate::events::run::Gate;
use crate::events::time::format_duration;
use crate::kernel::{Blobs, Unreadable};
use crate::views::markdown::{Page, Words, code, command_line, json_lines, markdown};
use crate::workflow::approval::ApprovalSubject;
use crate::workflow::json_text::Level;

/// How many lines are shown of what is asked, which may be a list of thousands of items.
const ASKED_LINES_SHOWN: usize = 200;

/// How many steps are shown: the last ones, which are closest to what is asked.
const STEPS_SHOWN: usize = 100;

/// How many digits of its hash stand in a command: nobody finds another text that shares as
/// many in a lifetime.
const HASH_DIGITS: usize = 16;

/// How many characters of a value stand in a command as an example.
const EXAMPLE_CHARS_MAX: usize = 60;

/// The name of the page of a request.
pub fn file_name(request: &RequestId) -> String {
    format!("REQUEST-{request}.md")
}

/// The name of the file in which what was found in the work folder is kept for a request. The page itself is
/// for people, and is never read back.
pub fn found_file_name(request: &RequestId) -> String {
    format!("REQUEST-{request}.found.json")
}

/// To grant a request as it is now, with a change of it, in somebody's name.
fn grant(request: &ApprovalRequest, change: Option<String>, by: Option<&Arc<str>>) -> Act {
    let hash = request.hash().to_string().chars().take(HASH_DIGITS).collect();
    Act::Approve { request: request.asked.request.clone(), hash, change, by: by.cloned() }
}

/// Whether a request can still be answered.
pub fn is_open(run: &Run, request: &RequestId) -> bool {
    run.people().open.contains(request)
}

/// The page of a request; none if the run has not made that request. `found` is what was in the work folder
/// when it was looked at: later it may look different there.
///
/// # Errors
/// When what is asked is in a blob that cannot be read.
pub fn page(
    run: &Run,
    id: &RequestId,
    version: Version,
    found: Option<&WorkFolderState>,
    blobs: &dyn Blobs,
    wording: Wording,
) -> Result<Option<String>, Unreadable> {
    let (Some(about), Some(request)) = (run.about(), run.people().requests.get(id)) else { return Ok(None) };
    let what = blobs.json(&request.asked.what)?;
    let edits = request.edits.iter().map(|edits| blobs.json(edits)).collect::<Result<Vec<_>, _>>()?;
    let command = |act: Act| command_line(wording(&about.id, &act));
    let look = command(Act::Look);
    let mut page = Page::default();
    let (workflow, run_id) = (code(&about.started.workflow), code(&about.id));
    page.title(&markdown!("Request {} of {}, run {}", code(id), workflow, run_id));
    page.blank();
    page.line(&what_became_of_it(request));
    page.blank();
    page.line(&markdown!("As of version {}.", version));
    page.blank();
    facts(run, request).iter().for_each(|fact| page.item(fact));
    let told: Option<ApprovalSubject> = serde_json::from_str(what.text()).ok();
    if let Some(phase) = told.as_ref().and_then(|asked| asked.phase.as_ref()) {
        page.section("The phase", |page| phase::table(phase, &look, page));
    }
    page.section("What is asked", |page| asked(request, &what, page));
    if !request.granted.is_empty() || !edits.is_empty() {
        page.section("What was said so far", |page| answers(request, &edits, page));
    }
    page.section("What ran so far", |page| ran(run, &look, page));
    page.section("State of the work folder", |page| match found {
        Some(found) => work_folder::write(found, page),
        None if is_open(run, id) => page.line(&markdown!("The work folder is being looked at.")),
        None => page.line(&markdown!("It was answered before the work folder was looked at.")),
    });
    if !request.asked.checklist.is_empty() {
        page.section("Checklist", |page| checklist(request, page));
    }
    let open_to_edits = told.and_then(|asked| asked.open_to_edits(edits));
    // A fan-out, a loop or a phase has no attempts of its own.
    let has_said_something = run.nodes().get(request.place).is_some_and(|node| node.attempts_now() > 0);
    let open_to_edits = open_to_edits.as_ref();
    page.section("How to answer", |page| {
        commands(request, has_said_something, open_to_edits, &command, page);
    });
    Ok(Some(page.finish()))
}

fn what_became_of_it(request: &ApprovalRequest) -> Words {
    let (has, needs) = (request.granted.len(), request.asked.needed);
    match &request.answer {
        ApprovalState::Open if needs > 1 => {
            markdown!("It is **open**: {} of {} people have granted it.", has, needs)
        }
        ApprovalState::Open => markdown!("It is **open**: nobody has answered yet."),
        ApprovalState::Granted => markdown!("It is **granted**."),
        ApprovalState::Refused { by, note } => markdown!("It is **refused** by {}: {}", by, note),
        ApprovalState::Expired => markdown!("It **expired**: nobody answered in time."),
        ApprovalState::Withdrawn => markdown!("It is **withdrawn**: the step is not to go on any more."),
    }
}

fn facts(run: &Run, request: &ApprovalRequest) -> Vec<Words> {
    let asked = &request.asked;
    let what = match asked.gate {
        Gate::Before => "may it start?",
        Gate::After => "may what it answered be used?",
    };
    let node = run.nodes().get(request.place);
    let phase = node.and_then(|node| node.added.phase.as_ref());
    let of_phase = phase.map(|phase| markdown!(" of phase {}", code(phase))).unwrap_or_default();
    let about_a_phase = phase::question(node, asked.gate);
    let about_a_step = || markdown!("step {}{}: {}", code(&asked.step), of_phase, what);
    let mut facts = vec![about_a_phase.unwrap_or_else(about_a_step)];
    facts.extend(node.and_then(primary_agent).map(|agent| markdown!("done by {}", code(agent))));
    facts.push(markdown!("asked {}", request.at));
    facts.extend(asked.expires.map(|at| markdown!("expires {}; then it is refused", at)));
    let who = match asked.approvers.as_slice() {
        [] => markdown!("anybody"),
        names => Words::joined(names.iter().map(code), ", "),
    };
    facts.push(match asked.needed {
        0 | 1 => markdown!("answered by {}", who),
        needed => markdown!("answered by {}; {} different people have to grant it", who, needed),
    });
    facts
}

/// Writes exactly what an answer is bound to.
fn asked(request: &ApprovalRequest, what: &Json, page: &mut Page) {
    let lines = json_lines(what.text());
    page.json(lines.get(..ASKED_LINES_SHOWN).unwrap_or(&lines));
    page.blank();
    if lines.len() > ASKED_LINES_SHOWN {
        page.line(&markdown!("… and {} lines more.", lines.len() - ASKED_LINES_SHOWN));
        page.blank();
    }
    let with_changes = if request.edits.is_empty() { "" } else { ", with the changes below" };
    let hash = code(request.hash());
    page.line(&markdown!("Its BLAKE3 hash{}: {}. An answer is for exactly that.", with_changes, hash));
}

fn answers(request: &ApprovalRequest, edits: &[Json], page: &mut Page) {
    for (by, note) in &request.granted {
        let note = note.as_ref().map(|note| markdown!(": {}", note));
        page.item(&markdown!("granted by {}{}", by, note.unwrap_or_default()));
    }
    for edits in edits {
        page.item(&markdown!("with these changes:"));
        page.blank();
        page.json_in_item(&json_lines(edits.text()));
    }
}

/// The steps that have begun or are done with, in the order in which they began.
fn ran(run: &Run, look: &str, page: &mut Page) {
    let has_begun = |node: &&Node| node.started_at.is_some() || node.is_done();
    let mut begun: Vec<_> = run.nodes().iter().filter(has_begun).collect();
    begun.sort_by_key(|node| node.started_at.or(node.ended_at));
    let hidden = begun.len().saturating_sub(STEPS_SHOWN);
    if hidden > 0 {
        page.item(&markdown!("{} steps before these: see {}", hidden, code(look)));
    }
    begun.into_iter().skip(hidden).for_each(|node| page.item(&outcome(node)));
}

/// The way in which a step has come to its end, or its status before that.
fn outcome(node: &Node) -> Words {
    let mut line = markdown!("{}: {}", code(node.id()), node.status());
    if let StepPhase::Completed(done) = &node.doing.phase {
        line = line.and(done.degraded.then(|| markdown!(", degraded")));
        let names = Words::joined(done.artifacts.iter().map(code), ", ");
        line = line.and((!names.is_empty()).then(|| markdown!(", it made {}", names)));
    }
    if node.attempts_now() > 1 {
        line = line.and(markdown!(", {} attempts", node.attempts_now()));
    }
    line = line.and(match (node.started_at, node.ended_at) {
        (Some(from), Some(to)) => {
            let took = Duration::from_millis(u64::try_from(to.since(from).as_millis()).unwrap_or(u64::MAX));
            Some(markdown!(", {}, took {}", from, format_duration(took)))
        }
        (Some(from), None) => Some(markdown!(", since {}", from)),
        _ => None,
    });
    line.and(node.doing.error.as_ref().map(|error| markdown!(", {}: {}", error.code, error.message)))
}

fn checklist(request: &ApprovalRequest, page: &mut Page) {
    if request.asked.require_checklist {
        page.line(&markdown!("It is granted only when all of these are ticked."));
        page.blank();
    }
    for (point, text) in (1..).zip(&request.asked.checklist) {
        page.item(&match request.checked.get(&point) {
            Some(by) => markdown!("[x] {}. {} ({})", point, text, by),
            None => markdown!("[ ] {}. {}", point, text),
        });
    }
}

/// Writes the commands that answer a request; each can be copied as it stands there.
fn commands(
    request: &ApprovalRequest,
    has_said_something: bool,
    open_to_edits: Option<&Json>,
    command: &dyn Fn(Act) -> String,
    page: &mut Page,
) {
    let status = command(Act::Look);
    if request.answer != ApprovalState::Open {
        page.line(&markdown!("It is closed."));
        page.blank();
        return page.code(&format!("{status}    # how the run is"));
    }
    let (asked, id) = (&request.asked, &request.asked.request);
    let unticked: Vec<u32> = request.unticked().map(|(point, _)| point).collect();
    // A command that would be refused is not told.
    let may_grant = unticked.is_empty() || !asked.require_checklist;
    if may_grant {
        page.code(&command(grant(request, None, None)));
        if let Some(change) = open_to_edits.and_then(example) {
            page.code(&format!("{}    # with a change", command(grant(request, Some(change), None))));
        }
    }
    page.code(&command(Act::Reject(id.clone())));
    if !unticked.is_empty() {
        let tick = command(Act::Check { request: id.clone(), points: unticked });
        page.code(&format!("{tick}    # tick these points, grant nothing yet"));
    }
    page.code(&status);
    if asked.gate == Gate::After && has_said_something {
        let said = command(Act::LookAtTranscript(asked.step.clone()));
        page.code(&format!("{said}    # what the step said"));
    }
    if let Some(by) = asked.approvers.first().filter(|_| may_grant) {
        let named = command(grant(request, None, Some(by)));
        page.blank();
        page.line(&markdown!(
            "Who answers is the user of the operating system, unless they say who: {}.",
            code(named)
        ));
    }
}

/// An example of a change, for a person to edit: it sets one member to the value that it has now.
fn example(map: &Json) -> Option<String> {
    let Ok(Level::Map(members)) = Level::of(map.text()) else { return None };
    let is_plain =
        |text: &str| !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || "_-".contains(c));
    let named = members.iter().filter(|(name, value)| is_plain(name) && value.len() <= EXAMPLE_CHARS_MAX);
    let example = |(name, value): &(std::borrow::Cow<'_, str>, &str)| match Level::of(value) {
        Ok(Level::Text(text)) => format!("{name}={text}"),
        _ => format!("{name}:={value}"),
    };
    named.map(example).next()
}
