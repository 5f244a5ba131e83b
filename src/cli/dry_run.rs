//! `reenact run --dry-run FILE`: what would be done, in which order. Nothing is started and nothing is recorded.

use serde::Serialize;

use super::arguments::GivenArguments;
use super::text::terminal::written;
use super::text::{Text, name, terminal};
use super::{Exit, Scene};
use crate::aggregates::run::RunStatus;
use crate::api::door::NoAnswer;
use crate::api::facade::check_labels;
use crate::api::folder::is_store;
use crate::api::house::House;
use crate::api::new_run_id;
use crate::api::protocol::{Request, Response};
use crate::api::spec::{RunSpec, Workflow};
use crate::api::wording::{Call, Worded};
use crate::events::ids::{AgentName, RunId};
use crate::events::problem::{Code, Problem};
use crate::events::run::{Gate, UndoWhen};
use crate::events::text::{shortened, some_of};
use crate::workflow::definition::Definition;
use crate::workflow::dry_run::{Before, DryApproval, DryPlan, DryRun, DryStep, Task};
use crate::workflow::json_text::Level;

/// How many items of a fan-out are shown; `--json` has all.
const ITEMS_SHOWN: usize = 3;

/// How much of the variables of a step is shown, in characters: most steps have the same.
const ENV_CHARS_MAX: usize = 100;

/// How many names stand in a list of them.
const NAMES_SHOWN: usize = 8;

/// The JSON that `run --dry-run --json` prints.
#[derive(Clone, Serialize)]
struct Shown {
    #[serde(flatten)]
    dry: DryRun,
    /// The step or the phase after which it would pause.
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<String>,
    /// The run of that id that is there already: nothing would begin.
    #[serde(skip_serializing_if = "Option::is_none")]
    attaches: Option<Attaches>,
}

/// A run that would be attached to.
#[derive(Clone, Serialize)]
struct Attaches {
    run: RunId,
    status: RunStatus,
}

impl Worded for Shown {
    fn word(&mut self, call: &Call) {
        for step in &mut self.dry.steps {
            step.task.error.iter_mut().for_each(|error| error.word(call));
            let items = step.for_each.iter_mut().flat_map(|each| &mut each.items).map(|item| &mut item.task);
            let undo = step.compensate.iter_mut().map(|undo| &mut undo.task);
            items.chain(undo).filter_map(|task| task.error.as_mut()).for_each(|error| error.word(call));
        }
    }
}

pub(super) async fn show(scene: &Scene, spec: &RunSpec, given: &GivenArguments) -> Result<Exit, Problem> {
    let run = spec.id.clone().unwrap_or_else(new_run_id);
    let attaches = foresee(scene, &run, spec, given).await?;
    let RunSpec { workflow, input, until, environment, .. } = spec;
    let Workflow::Resolved(resolved) = workflow else {
        return Err(Problem::new(Code::Internal, "the workflow was not resolved"));
    };
    let definition = Definition::from_json(resolved.root.definition.text())?;
    check_labels(&definition.name, spec)?;
    let (input, environment) = (input.clone(), environment.clone());
    let before =
        Before { input, environment: environment.unwrap_or_default(), run, is_named: given.id.is_some() };
    let dry = DryRun::of(&definition, &before);
    scene.say.result(&Shown { dry, until: until.as_deref().map(str::to_owned), attaches }, text);
    Ok(Exit::Good)
}

/// The run that is there already under an id that somebody names. For who names none, no store is opened.
///
/// # Errors
/// Those of beginning that run.
async fn foresee(
    scene: &Scene,
    run: &RunId,
    spec: &RunSpec,
    given: &GivenArguments,
) -> Result<Option<Attaches>, Problem> {
    let request = Request::Foresee { start: Box::new(spec.clone()) };
    request.check_size()?;
    if given.id.is_none() || !is_store(&scene.house.data) {
        return Ok(None);
    }
    let mut door = House { looks: true, ..scene.house.clone() }.open().await?;
    let answer = door.ask(&request, &mut |_| {}).await;
    door.leave(std::future::ready(())).await?;
    match answer {
        Ok(Response::Foreseen(there)) => Ok(there.map(|status| Attaches { run: run.clone(), status })),
        Ok(other) => Err(other.mismatch()),
        Err(NoAnswer::Problem(problem)) => Err(problem),
        Err(NoAnswer::Ending | NoAnswer::Gone) => {
            Err(Problem::new(Code::HungUp, "the process that holds the store hung up"))
        }
    }
}

fn text(Shown { dry, until, attaches }: &Shown) -> Text {
    let count = dry.steps.len();
    let mut lines = vec![terminal!(
        "{}: {} step{}; nothing was started",
        name(&dry.workflow),
        count,
        if count == 1 { "" } else { "s" }
    )];
    if !matches!(dry.input.text(), "null" | "{}") {
        lines.push(terminal!("input: {}", dry.input.text()));
    }
    let digits = count.to_string().len();
    for (number, step) in (1..).zip(&dry.steps) {
        let number = number.to_string();
        let margin = " ".repeat(digits.saturating_sub(number.len()));
        lines.push(terminal!("{}{}. {}", margin, number, head(step)));
        let inset = " ".repeat(digits + 4);
        lines.extend(body(step).lines().map(|line| Text::lines([written(&format!("{inset}{line}"))])));
    }
    for phase in &dry.phases {
        lines.push(terminal!("the phase {}: {}", name(&phase.name), asks(&phase.approve)));
    }
    lines.extend(attaches.as_ref().map(|Attaches { run, status }| {
        terminal!(
            "run {} is there already and {}: `run` would attach to it, and begin none of this",
            run,
            status.text()
        )
    }));
    lines.extend(until.as_ref().map(|until| terminal!("it would pause when {} is done with", name(until))));
    Text::lines(lines)
}

/// A step in a line: what it is called, who does it, when and whether.
fn head(step: &DryStep) -> Text {
    let mut facts = vec![name(step.id.as_str())];
    facts.extend(step.agent.as_ref().map(|agent| terminal!("by {}", name(agent.as_str()))));
    if !step.needs.is_empty() {
        facts.push(terminal!("after {}", some_of(&step.needs, NAMES_SHOWN, ToString::to_string)));
    }
    facts.extend(step.phase.as_ref().map(|phase| terminal!("phase {}", name(phase))));
    facts.extend(step.irreversible.then(|| terminal!("cannot be undone")));
    match step.skipped {
        Some("if") => facts.push(terminal!("skipped: its `if` is not true")),
        Some(_) => facts.push(terminal!("skipped: it uses the output of a step that is skipped")),
        None => {}
    }
    Text::joined(facts, ", ")
}

/// The lines below a step: its work and what else would happen, as they are; they are escaped when they are shown.
fn body(step: &DryStep) -> String {
    let mut lines = Vec::new();
    if let Some(condition) = &step.condition {
        let outcome = match condition.outcome {
            Some(true) => "true".to_owned(),
            Some(false) => "not true".to_owned(),
            None if condition.unknown.is_empty() => "cannot be decided".to_owned(),
            None => format!("depends on {}", condition.unknown.join(", ")),
        };
        lines.push(format!("if {}: {outcome}", condition.expression));
    }
    if step.skipped.is_none() {
        lines.extend(done(step));
    }
    if let Some(repeat) = &step.repeat {
        lines.push(format!("again until {}, at most {} times", repeat.until, repeat.max));
    }
    lines.extend(step.plan.iter().flat_map(plan));
    lines.extend(step.approve.as_ref().map(asks));
    if let Some(undo) = &step.compensate {
        let when = if undo.when == UndoWhen::Attempted { " also when it fails" } else { "" };
        match &undo.agent {
            Some(agent) => {
                lines.push(format!("undone by {agent}{when}:"));
                lines.extend(
                    task(&undo.task, undo.agent.as_ref(), true).iter().map(|line| format!("  {line}")),
                );
            }
            None => lines.push("undone by rolling back the run that it starts".to_owned()),
        }
    }
    lines.join("\n")
}

fn done(step: &DryStep) -> Vec<String> {
    let Some(each) = &step.for_each else { return task(&step.task, step.agent.as_ref(), false) };
    let Some(count) = each.count else {
        let mut lines = vec!["for each of a list that is not known yet:".to_owned()];
        lines.extend(task(&step.task, step.agent.as_ref(), false).iter().map(|line| format!("  {line}")));
        return lines;
    };
    let mut lines = vec![format!("for each of {count}:")];
    for item in each.items.iter().take(ITEMS_SHOWN) {
        lines.push(format!("  {}", item.id));
        lines.extend(task(&item.task, step.agent.as_ref(), false).iter().map(|line| format!("    {line}")));
    }
    if count > ITEMS_SHOWN {
        lines.push(format!("  and {} more", count - ITEMS_SHOWN));
    }
    lines
}

/// What would be done, what it waits for, and why it could not be. What undoes a step has the same variables and folder.
fn task(task: &Task, agent: Option<&AgentName>, undoes: bool) -> Vec<String> {
    let mut lines = Vec::new();
    match Level::of(task.work.text()) {
        Ok(Level::Map(members)) => {
            for (key, value) in members.iter().filter(|(key, _)| !undoes || !matches!(&**key, "env" | "cwd"))
            {
                // A command needs no word before it.
                let value = match Level::of(value) {
                    Ok(Level::Text(text)) => text.into_owned(),
                    _ if key == "env" => shortened(value, ENV_CHARS_MAX).into_owned(),
                    _ => (*value).to_owned(),
                };
                let prefix = if key == "run" { String::new() } else { format!("{key}: ") };
                lines.extend(format!("{prefix}{}", value.trim_end()).lines().map(str::to_owned));
            }
        }
        _ => lines.push(task.work.text().to_owned()),
    }
    if lines.is_empty() && agent.is_some() {
        lines.push("without arguments".to_owned());
    }
    if !task.unknown.is_empty() {
        lines.push(format!("known later: {}", task.unknown.join(", ")));
    }
    lines.extend(task.error.as_ref().map(|error| format!("would fail: {} {}", error.code, error.message)));
    lines
}

/// What follows from an answer that is a plan of tasks.
fn plan(plan: &DryPlan) -> Vec<String> {
    let DryPlan { agents, max, test, integrate } = plan;
    let agents = match agents.len() {
        0 => "any agent but the one that plans".to_owned(),
        _ => some_of(agents, NAMES_SHOWN, ToString::to_string),
    };
    let mut lines =
        vec![format!("its answer is a plan: a step follows for each task, at most {max}, by {agents}")];
    lines.extend(test.as_ref().map(|test| {
        let text = serde_json::from_str::<String>(test.text()).unwrap_or_else(|_| test.text().to_owned());
        format!("then it is tested: {text}")
    }));
    lines.extend(integrate.as_ref().map(|agent| format!("then {agent} brings together what they came to")));
    lines
}

fn asks(approval: &DryApproval) -> String {
    let when = match approval.when {
        Gate::Before => "before it",
        Gate::After => "after it",
    };
    let some = some_of(&approval.approvers, NAMES_SHOWN, Clone::clone);
    let who = match (approval.approvers.len(), approval.approvals) {
        (0, 0 | 1) => "somebody".to_owned(),
        (0, count) => format!("{count} people"),
        (1, 0 | 1) => some,
        (_, count) => format!("{count} of {some}"),
    };
    format!("waits for an approval {when}: {who} must grant it")
}
