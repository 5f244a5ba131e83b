//! The key `plan` of a step: what its agent answers is a plan of tasks.

use super::diagnostics::{Diagnostics, Fields};
use super::keys::{Keys, Takes, key};
use super::kinds;
use super::tree::{Tree, Value};
use super::values::{Use, Values};
use crate::events::ids::AgentName;
use crate::events::problem::{Code, Problem, SourceLocation};
use crate::workflow::definition::{AgentRole, Integrate, PlanOfTasks};

/// The word for a plan of which nothing more is said.
pub(super) const TASKS: &str = "tasks";

/// The word for no step that brings together what the tasks came to.
const NONE: &str = "none";

/// How many agents a plan may name.
const AGENTS_MAX: usize = 1_000;

pub(super) const KEYS: Keys = Keys {
    known: &[
        key(
            "agents",
            Takes::Texts,
            "the agents to whom tasks may be assigned; all that are usable, if it is left out",
        ),
        key(
            "integrate",
            Takes::Text,
            "the agent of the last step: that of this step, if it is left out; `none` for no such step",
        ),
        key("test", Takes::Command, "a program that tests what the tasks made, before the last step"),
        key("context", Takes::Text, "a text that stands in the prompt of every task"),
        key(
            "repairs",
            Takes::Count(PlanOfTasks::REPAIRS_MAX),
            "how often a plan may be mended, and a task be asked about",
        ),
        key(
            "max",
            Takes::Count(PlanOfTasks::MAX_MAX),
            "how many tasks, repairs and questions there may be together",
        ),
    ],

    elsewhere: &[
        ("test_step", "write the program into `test`"),
        ("approve", "write it in the step: it holds for its plan"),
    ],

    ..Keys::of("`plan`")
};

/// The kinds of steps whose answer is no plan, each with a hint.
const ALONE: [(&str, &str); 3] = [
    ("for_each", "let one step plan: its tasks run side by side"),
    ("repeat", "a plan that is refused is mended without a loop: see `repairs`"),
    ("handoffs", "its agent has to answer the plan itself"),
];

/// An agent that a step names, what for and where.
type Named = (AgentName, AgentRole, SourceLocation);

/// Reads the key. The expressions in it are added to those of the step's work, and the agents that it names to those of the step.
pub(super) fn read<'t, 's: 't>(
    report: &mut Diagnostics<'s>,
    step: &Fields<'t>,
    uses: &mut Vec<Use<'t>>,
    agents: &mut Vec<Named>,
) -> Option<Box<PlanOfTasks>> {
    let (key, tree) = (step.key("plan")?, step.get("plan")?);
    if step.get("agent").is_none() {
        report.contradiction(key, "`plan` is for a step with an `agent`, and this has none");
    }
    for (kind, hint) in ALONE.iter().filter(|(kind, _)| step.get(kind).is_some()) {
        let message = format!("`plan` and `{kind}` cannot stand in one step");
        report.refuse(key, Problem::new(Code::Contradiction, message).hint(*hint));
    }
    if tree.value == Value::Text(TASKS.to_owned()) {
        return Some(Box::default());
    }
    if !matches!(tree.value, Value::Map(_)) {
        report.wants("plan", "the word `tasks`, or a map", tree);
        return None;
    }
    let fields = Fields::read(report, "plan", &KEYS, tree)?;
    let listed = fields.get("agents").map(|tree| listed(report, tree)).unwrap_or_default();
    agents.extend(listed.iter().map(|(name, at)| (name.clone(), AgentRole::DoesTasks, at.clone())));
    let integrate = match fields.get("integrate") {
        None => Integrate::Planner,
        Some(tree) if tree.value == Value::Text(NONE.to_owned()) => Integrate::Nobody,
        Some(tree) => match kinds::agent_name(report, tree, &[]) {
            None => Integrate::Planner,
            Some(name) => {
                agents.push((name.clone(), AgentRole::Integrates, report.place(tree)));
                Integrate::By(name)
            }
        },
    };
    let repairs =
        fields.get("repairs").and_then(|tree| report.count_to("repairs", PlanOfTasks::REPAIRS_MAX, tree));
    let max = fields.get("max").and_then(|tree| report.count_to("max", PlanOfTasks::MAX_MAX, tree));
    let mut values = Values { report, uses: Vec::new() };
    let test = fields.get("test").and_then(|tree| values.run(tree));
    let context = fields.get("context").and_then(|tree| values.text("context", tree));
    uses.extend(values.uses);
    Some(Box::new(PlanOfTasks {
        agents: listed.into_iter().map(|(name, _)| name).collect(),
        integrate,
        test,
        context,
        repairs: repairs.unwrap_or(PlanOfTasks::REPAIRS),
        max: max.unwrap_or(PlanOfTasks::MAX),
    }))
}

/// The agents to whom tasks may be assigned, each once.
fn listed(report: &mut Diagnostics<'_>, tree: &Tree) -> Vec<(AgentName, SourceLocation)> {
    let items = report.list("agents", tree).unwrap_or_default();
    if let Some(first) = items.get(AGENTS_MAX) {
        let message =
            format!("`agents` has {} names, and no more than {AGENTS_MAX} are allowed", items.len());
        report.refuse(first, Problem::new(Code::TooLarge, message));
        return Vec::new();
    }
    if items.is_empty() && matches!(tree.value, Value::List(_)) {
        let problem = Problem::new(Code::BadValue, "`agents` names nobody, so that no task could be done");
        report.refuse(tree, problem.hint("name some, or leave it out: then all that are usable are meant"));
    }
    let mut named: Vec<(AgentName, SourceLocation)> = Vec::new();
    for item in items {
        let Some(name) = kinds::agent_name(report, item, &[]) else { continue };
        if named.iter().any(|(earlier, _)| earlier.key() == name.key()) {
            let problem = Problem::new(Code::Contradiction, format!("`{name}` stands twice in `agents`"));
            report.warn(item, problem.hint("take one out"));
        } else {
            named.push((name, report.place(item)));
        }
    }
    named
}
