//! What a part of a file does: runs a program, an agent or another workflow, or waits.

use super::diagnostics::{Diagnostics, Fields};
use super::tree::Tree;
use super::values::Values;
use crate::events::ids::AgentName;
use crate::events::problem::{Code, Problem};
use crate::workflow::definition::{Does, SHELL_AGENT, WORKFLOW_AGENT};

/// A part of a file that says what is to be done.
pub(super) struct Part {
    pub(super) name: &'static str,
    /// The keys of which it must have exactly one.
    pub(super) kinds: &'static [&'static str],
    /// The hint for a part that has none of them, or several.
    pub(super) hint: &'static str,
}

pub(super) const STEP: Part = Part {
    name: "step",
    kinds: &["run", "agent", "sleep", "wait_for", "workflow"],
    hint: "give a step exactly one of `run`, `agent`, `sleep`, `wait_for` and `workflow`",
};

pub(super) const COMPENSATION: Part = Part {
    name: "compensation",
    kinds: &["run", "agent"],
    hint: "give `compensate` exactly one of `run` and `agent`",
};

/// The longest name of a signal or a phase, in characters: such names are typed on the command line.
pub(super) const NAME_CHARS_MAX: usize = 64;

/// Keys that have no effect beside some kind of step, with the reason.
const IDLE: [(&str, &str, &[&str]); 3] = [
    (
        "sleep",
        "a `sleep` makes no attempts",
        &[
            "timeout",
            "retry",
            "env",
            "cwd",
            "output",
            "schema",
            "compensate",
            "irreversible",
            "at_most_once",
            "locks",
            "conversation",
        ],
    ),
    (
        "wait_for",
        "a `wait_for` makes no attempts",
        &[
            "retry",
            "env",
            "cwd",
            "output",
            "schema",
            "compensate",
            "irreversible",
            "at_most_once",
            "locks",
            "conversation",
        ],
    ),
    ("workflow", "the steps of a child have their own", &["env", "cwd"]),
];

/// Whether a step makes attempts; if not, it only waits.
pub(super) fn makes_attempts(fields: &Fields<'_>) -> bool {
    fields.get("sleep").is_none() && fields.get("wait_for").is_none()
}

/// Whether the `env` and `cwd` of a step reach a program.
pub(super) fn has_programs(fields: &Fields<'_>) -> bool {
    makes_attempts(fields) && (fields.get("workflow").is_none() || fields.get("compensate").is_some())
}

/// Refuses keys that have no effect in a step of its kind.
pub(super) fn refuse_idle_keys(report: &mut Diagnostics<'_>, fields: &Fields<'_>) {
    let idle = IDLE.iter().filter(|(kind, ..)| fields.get(kind).is_some());
    // A program may undo what a child run did.
    let idle = idle.filter(|(kind, ..)| *kind != "workflow" || !has_programs(fields));
    for (_, why, keys) in idle {
        for (key, place) in keys.iter().filter_map(|key| Some((key, fields.key(key)?))) {
            report.contradiction(place, &format!("{why}: `{key}` says nothing there"));
        }
    }
}

/// What a part of the file does: it must have exactly one kind.
pub(super) fn does<'t, 's: 't>(
    values: &mut Values<'t, '_, 's>,
    fields: &Fields<'t>,
    tree: &'t Tree,
    part: &Part,
) -> Option<Does> {
    refuse_arguments_of_nobody(values.report, fields, part);
    let kinds: Vec<&str> = part.kinds.iter().copied().filter(|kind| fields.get(kind).is_some()).collect();
    if let Some(second) = kinds.get(1).and_then(|second| fields.key(second)) {
        let message = format!("a {} does one thing, and this one has `{}`", part.name, kinds.join("` and `"));
        values.report.refuse(second, Problem::new(Code::StepKind, message).hint(part.hint));
        return None;
    }
    let Some((kind, place)) = kinds.first().and_then(|kind| Some((*kind, fields.get(kind)?))) else {
        // A key that was refused may have been meant for it.
        if !fields.refused_some() {
            let message = format!("the {} does nothing", part.name);
            values.report.refuse(tree, Problem::new(Code::StepKind, message).hint(part.hint));
        }
        return None;
    };
    match kind {
        "run" => values.run(place).map(Does::Run),
        "sleep" => values.report.duration("sleep", place).map(Does::Sleep),
        "wait_for" => literal(values.report, "wait_for", "the name of a signal", NAME_CHARS_MAX, place)
            .map(|name| Does::WaitFor(name.to_owned())),
        "workflow" => workflow(values, fields, place),
        _ => agent(values, fields, place, part),
    }
}

/// Refuses `with` and `prompt` where nothing would get them.
fn refuse_arguments_of_nobody(report: &mut Diagnostics<'_>, fields: &Fields<'_>, part: &Part) {
    if fields.get("agent").is_some() {
        return;
    }
    let starts = part.kinds.contains(&"workflow");
    if let Some(place) = fields.key("with").filter(|_| fields.get("workflow").is_none()) {
        let whose = if starts { "an `agent` or a `workflow`" } else { "an `agent`" };
        let message = format!("`with` is for {whose}, and this {} has none", part.name);
        report.contradiction(place, &message);
    }
    if let Some(place) = fields.key("prompt") {
        let message = format!("`prompt` is for an `agent`, and this {} has none", part.name);
        report.contradiction(place, &message);
    }
}

fn agent<'t, 's: 't>(
    values: &mut Values<'t, '_, 's>,
    fields: &Fields<'t>,
    place: &'t Tree,
    part: &Part,
) -> Option<Does> {
    let name = agent_name(values.report, place, part.kinds)?;
    let with = fields.get("with").map(|tree| values.template("with", tree));
    let prompt = fields.get("prompt").map(|tree| values.text("prompt", tree));
    Some(Does::Agent { agent: name, with: with.flatten(), prompt: prompt.flatten() })
}

/// The name of an agent, in a part where these keys may stand. A name that cannot be used is reported, and
/// answered all the same, so that other mistakes beside it are reported too.
pub(super) fn agent_name(report: &mut Diagnostics<'_>, place: &Tree, kinds: &[&str]) -> Option<AgentName> {
    let text = report.text("agent", place).map(str::trim)?;
    let name = AgentName::new(text);
    if text.is_empty() {
        let problem = Problem::new(Code::BadValue, "`agent` is empty");
        report.refuse(place, problem.hint("name the agent that is to do it"));
    }
    for (built_in, key) in [(SHELL_AGENT, "run"), (WORKFLOW_AGENT, "workflow")] {
        if name.key() == built_in {
            let message = format!("the agent `{built_in}` does steps with `{key}`");
            let problem = Problem::new(Code::BadValue, message);
            let problem = match kinds.contains(&key) {
                true => problem.hint(format!("write `{key}:` in place of `agent:`")),
                false => problem.hint("name another agent"),
            };
            report.refuse(place, problem);
        }
    }
    Some(name)
}

fn workflow<'t, 's: 't>(
    values: &mut Values<'t, '_, 's>,
    fields: &Fields<'t>,
    place: &'t Tree,
) -> Option<Does> {
    const PATH_CHARS_MAX: usize = 4096;
    let file = literal(values.report, "workflow", "the path of a workflow file", PATH_CHARS_MAX, place);
    let with = fields.get("with").map(|tree| values.template("with", tree));
    Some(Does::Workflow { file: file?.to_owned(), with: with.flatten() })
}

/// A short text in which no expression may stand.
fn literal<'t, 's: 't>(
    report: &mut Diagnostics<'s>,
    key: &str,
    what: &str,
    chars_max: usize,
    tree: &'t Tree,
) -> Option<&'t str> {
    let text = report.line(key, chars_max, tree)?;
    if text.contains("{{") {
        let message = format!("`{key}` takes {what} as it is, and this holds a `{{{{`");
        let hint = "write it out: it is known before a run starts";
        report.refuse(tree, Problem::new(Code::BadValue, message).hint(hint));
        return None;
    }
    Some(text)
}
