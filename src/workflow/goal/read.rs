//! The plan as an agent answered it. All that is wrong with it is said at once, so that one repair can mend it.

use std::collections::BTreeMap;
use std::fmt::Display;

use serde_json::Value;

use super::fit::Fitting;
use super::{
    DESCRIPTION_CHARS_MAX, Decision, Goal, ID_CHARS_MAX, INTEGRATION, LISTED_CHARS_MAX, LISTED_MAX,
    PlannedTask, TESTS, TaskPlan, member,
};
use crate::events::ids::AgentName;
use crate::events::json::Json;
use crate::events::problem::{Code, Problem, nearest};
use crate::events::text::shortened;
use crate::workflow::answer;
use crate::workflow::graph::Graph;

/// How many errors a message holds; who has made more has most likely made one many times.
const ERRORS_TOLD: usize = 20;

/// How much of something that is wrong a message holds, in characters.
const CHARS_TOLD: usize = 80;

/// What is wrong with a plan, each with its place.
#[derive(Default)]
struct Errors(Vec<String>);

impl Errors {
    fn add(&mut self, place: impl Display, why: impl Display) {
        self.0.push(format!("{place}: {why}"));
    }

    fn problem(&self) -> Problem {
        let mut told: Vec<&str> = self.0.iter().take(ERRORS_TOLD).map(String::as_str).collect();
        let more = self.0.len().saturating_sub(ERRORS_TOLD);
        let more = format!("and {more} more");
        if self.0.len() > ERRORS_TOLD {
            told.push(&more);
        }
        Problem::new(Code::BadTasks, format!("its plan cannot be done: {}", told.join("; ")))
    }
}

/// A task with what it says of others, which is looked up when all are known.
struct Draft<'a> {
    task: PlannedTask,
    place: String,
    assigned: Option<String>,
    dependencies: Vec<&'a Value>,
}

/// Reads and checks a plan.
///
/// # Errors
/// Everything that is wrong with it.
pub(super) fn plan(answered: &Json, goal: &Goal<'_>) -> Result<TaskPlan, Problem> {
    let answered = answer::as_json(answered.clone())
        .map_err(|why| Problem::new(Code::BadTasks, format!("its plan cannot be read: {why}")))?;
    let value = answered.value();
    let mut errors = Errors::default();
    let listed = match value.get("tasks") {
        Some(Value::Array(tasks)) if !tasks.is_empty() => tasks.as_slice(),
        Some(Value::Array(_)) => {
            errors.add("`tasks`", "there are none");
            &[]
        }
        Some(_) => {
            errors.add("`tasks`", "this is no list");
            &[]
        }
        None => {
            errors.add("the answer", "it is no object with a list `tasks`");
            &[]
        }
    };
    if listed.len() > goal.tasks_max {
        let (is, may_be) = (listed.len(), goal.tasks_max);
        errors.add("`tasks`", format_args!("there are {is}, and no more than {may_be} may be"));
        return Err(errors.problem());
    }
    let numbered = (1..).zip(listed);
    let mut drafts: Vec<Draft<'_>> =
        numbered.filter_map(|(number, task)| draft(number, task, goal, &mut errors)).collect();
    let is_whole = drafts.len() == listed.len();
    name_steps(&mut drafts, goal, &mut errors);
    depend(&mut drafts, is_whole, &mut errors);
    assign(&mut drafts, goal, &mut errors);
    let decisions = decisions(&value, goal, &mut errors);
    if errors.0.is_empty() {
        let tasks = drafts.into_iter().map(|draft| draft.task).collect();
        Ok(TaskPlan { tasks, decisions })
    } else {
        Err(errors.problem())
    }
}

/// A task by itself; none if it has no id, so that nothing can be said of it.
fn draft<'a>(number: usize, task: &'a Value, goal: &Goal<'_>, errors: &mut Errors) -> Option<Draft<'a>> {
    let place = format!("task {number}");
    let Value::Object(members) = task else {
        errors.add(place, "it is no object");
        return None;
    };
    let id = match members.get("task_id") {
        Some(Value::String(text)) if !text.trim().is_empty() => text.trim().to_owned(),
        Some(Value::Number(number)) => number.to_string(),
        Some(other) => {
            errors.add(place, format_args!("`task_id` is no text: {}", told(other)));
            return None;
        }
        None => {
            errors.add(place, "it has no `task_id`");
            return None;
        }
    };
    if id.chars().count() > ID_CHARS_MAX {
        errors.add(place, format_args!("its `task_id` has more than {ID_CHARS_MAX} characters"));
        return None;
    }
    let place = format!("task `{}`", shortened(&id, CHARS_TOLD));
    let description = match members.get("description") {
        Some(Value::String(text)) if !text.trim().is_empty() => text.trim().to_owned(),
        Some(Value::String(_)) | None => {
            errors.add(&place, "it has no `description`");
            String::new()
        }
        Some(other) => {
            errors.add(&place, format_args!("`description` is no text: {}", told(other)));
            String::new()
        }
    };
    if description.chars().count() > DESCRIPTION_CHARS_MAX {
        errors
            .add(&place, format_args!("its `description` has more than {DESCRIPTION_CHARS_MAX} characters"));
    }
    let assigned = match members.get("assigned_to") {
        Some(Value::String(name)) if !name.trim().is_empty() => Some(name.trim().to_owned()),
        Some(Value::String(_) | Value::Null) | None => None,
        Some(other) => {
            errors.add(&place, format_args!("`assigned_to` names no agent: {}", told(other)));
            None
        }
    };
    let dependencies = match members.get("dependencies") {
        Some(Value::Array(list)) => list.iter().collect(),
        Some(Value::Null) | None => Vec::new(),
        Some(other) => {
            errors.add(&place, format_args!("`dependencies` is no list: {}", told(other)));
            Vec::new()
        }
    };
    let deliverables = texts(members.get("deliverables"), "deliverables", &place, errors);
    let task = PlannedTask {
        step: step_id(&id),
        id,
        description,
        agent: goal.manager.clone(),
        needs: Vec::new(),
        deliverables,
    };
    Some(Draft { task, place, assigned, dependencies })
}

/// Texts of a list, or a single one.
fn texts(list: Option<&Value>, key: &str, place: &str, errors: &mut Errors) -> Vec<String> {
    let list = match list {
        None | Some(Value::Null) => return Vec::new(),
        Some(Value::Array(list)) => list.as_slice(),
        Some(one) => std::slice::from_ref(one),
    };
    if list.len() > LISTED_MAX {
        errors.add(place, format_args!("`{key}` has {} items, and {LISTED_MAX} may be", list.len()));
        return Vec::new();
    }
    let mut texts = Vec::new();
    for item in list {
        match item {
            Value::String(text) if text.chars().count() <= LISTED_CHARS_MAX => {
                texts.push(text.trim().to_owned())
            }
            Value::String(_) => {
                errors.add(
                    place,
                    format_args!("a text in `{key}` has more than {LISTED_CHARS_MAX} characters"),
                );
            }
            other => errors.add(place, format_args!("`{key}` takes texts, and not {}", told(other))),
        }
    }
    texts.retain(|text| !text.is_empty());
    texts
}

/// Sees to it that each task becomes a step of its own.
fn name_steps(drafts: &mut [Draft<'_>], goal: &Goal<'_>, errors: &mut Errors) {
    let mut taken: BTreeMap<String, String> = BTreeMap::new();
    if goal.plan.test.is_some() {
        taken.insert(TESTS.to_owned(), "the step that tests".to_owned());
    }
    taken.insert(INTEGRATION.to_owned(), "the last step".to_owned());
    for draft in drafts {
        if let Some(other) = taken.get(&draft.task.step) {
            errors.add(&draft.place, format_args!("its id is that of {other}"));
        } else {
            taken.insert(draft.task.step.clone(), draft.place.clone());
        }
    }
}

/// Finds the tasks that tasks depend on. Where a task could not be read, it is not said that one is missing.
fn depend(drafts: &mut [Draft<'_>], is_whole: bool, errors: &mut Errors) {
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    for (at, draft) in drafts.iter().enumerate() {
        places.entry(draft.task.id.clone()).or_insert(at);
    }
    for (at, draft) in drafts.iter_mut().enumerate() {
        for dependency in &draft.dependencies {
            let id = match dependency {
                Value::String(text) => text.trim().to_owned(),
                Value::Number(number) => number.to_string(),
                other => {
                    errors.add(&draft.place, format_args!("it depends on {}, which is no id", told(other)));
                    continue;
                }
            };
            match places.get(&id) {
                Some(needed) if *needed == at => errors.add(&draft.place, "it depends on itself"),
                Some(needed) if draft.task.needs.contains(needed) => {}
                Some(needed) => draft.task.needs.push(*needed),
                None if is_whole => {
                    let near = nearest(&id, places.keys().map(String::as_str));
                    let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
                    let id = shortened(&id, CHARS_TOLD);
                    errors.add(&draft.place, format_args!("it depends on `{id}`, which is no task{near}"));
                }
                None => {}
            }
        }
    }
    for cycle in Graph::new(drafts.iter().map(|draft| draft.task.needs.clone()).collect()).cycles() {
        let mut ids: Vec<&str> =
            cycle.iter().filter_map(|at| Some(drafts.get(*at)?.task.id.as_str())).collect();
        ids.extend(ids.first().copied());
        let circle = ids.join("` → `");
        errors.add("`dependencies`", format_args!("tasks wait for each other in a circle: `{circle}`"));
    }
}

/// Finds out who does each task: first those that are assigned, so that others get what is left.
fn assign(drafts: &mut [Draft<'_>], goal: &Goal<'_>, errors: &mut Errors) {
    let mut loads = vec![0_u32; goal.candidates.len()];
    for draft in drafts.iter_mut() {
        let Some(wanted) = &draft.assigned else { continue };
        match find(wanted, goal) {
            Ok(at) => {
                if let (Some(load), Some(found)) = (loads.get_mut(at), goal.candidates.get(at)) {
                    *load += 1;
                    draft.task.agent.clone_from(&found.name);
                }
            }
            Err(why) => errors.add(&draft.place, format_args!("it is assigned to {why}")),
        }
    }
    let of_nobody = |draft: &&mut Draft<'_>| draft.assigned.is_none();
    let Some(fit) = drafts.iter().any(|draft| draft.assigned.is_none()).then(|| Fitting::of(goal)) else {
        return;
    };
    for draft in drafts.iter_mut().filter(of_nobody) {
        let task = format!("{} {}", draft.task.description, draft.task.deliverables.join(" "));
        let fits = fit.as_ref().ok().and_then(|fit| fit.best(&task, &loads));
        match fits.and_then(|at| Some((loads.get_mut(at)?, goal.candidates.get(at)?))) {
            Some((load, found)) => {
                *load += 1;
                draft.task.agent.clone_from(&found.name);
            }
            None => {
                let known = known(goal);
                let why =
                    format_args!("it is assigned to nobody, and nobody's expertise fits: there are {known}");
                errors.add(&draft.place, why);
            }
        }
    }
}

/// The place of the candidate that is meant.
fn find(wanted: &str, goal: &Goal<'_>) -> Result<usize, String> {
    let key = AgentName::new(wanted).key();
    let found = goal.candidates.iter().position(|candidate| candidate.name.key() == key);
    found.ok_or_else(|| {
        let near = nearest(wanted, goal.candidates.iter().map(|candidate| candidate.name.as_str()));
        let meant = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("there are {}", known(goal)),
        };
        format!("`{}`, to whom no task may be assigned: {meant}", shortened(wanted, CHARS_TOLD))
    })
}

/// The agents to which tasks may be assigned, for a message.
fn known(goal: &Goal<'_>) -> String {
    let names: Vec<String> =
        goal.candidates.iter().take(ERRORS_TOLD).map(|candidate| format!("`{}`", candidate.name)).collect();
    match goal.candidates.len().checked_sub(ERRORS_TOLD) {
        _ if names.is_empty() => "none".to_owned(),
        None | Some(0) => names.join(", "),
        Some(more) => format!("{} and {more} more", names.join(", ")),
    }
}

fn decisions(plan: &Value, goal: &Goal<'_>, errors: &mut Errors) -> Vec<Decision> {
    let list = match plan.get("decisions") {
        None | Some(Value::Null) => return Vec::new(),
        Some(Value::Array(list)) if list.len() <= LISTED_MAX => list,
        Some(Value::Array(list)) => {
            errors.add("`decisions`", format_args!("there are {}, and {LISTED_MAX} may be", list.len()));
            return Vec::new();
        }
        Some(_) => {
            errors.add("`decisions`", "this is no list");
            return Vec::new();
        }
    };
    let numbered = (1..).zip(list);
    numbered
        .filter_map(|(number, item)| decision(&format!("decision {number}"), item, goal, errors))
        .collect()
}

fn decision(place: &str, item: &Value, goal: &Goal<'_>, errors: &mut Errors) -> Option<Decision> {
    let of = |key: &str| item.get(key).and_then(Value::as_str).map(str::trim).unwrap_or_default();
    let (decision, rationale) = match item {
        Value::String(text) => (text.trim(), ""),
        _ => (of("decision"), of("rationale")),
    };
    if decision.is_empty() {
        errors.add(place, "it has no text `decision`");
        return None;
    }
    if [decision, rationale].iter().any(|text| text.chars().count() > LISTED_CHARS_MAX) {
        errors.add(place, format_args!("a text of it has more than {LISTED_CHARS_MAX} characters"));
        return None;
    }
    let named = texts(item.get("affected_agents"), "affected_agents", place, errors);
    let mut affected = Vec::new();
    for name in named {
        // It may well be the planner itself that has to keep to it.
        if AgentName::new(&name).key() == goal.manager.key() {
            affected.push(goal.manager.clone());
            continue;
        }
        match find(&name, goal) {
            Ok(at) => affected.extend(goal.candidates.get(at).map(|candidate| candidate.name.clone())),
            Err(why) => errors.add(place, format_args!("it affects {why}")),
        }
    }
    Some(Decision { decision: decision.to_owned(), rationale: rationale.to_owned(), affected })
}

/// The id of the step that a task becomes: what no id may have becomes `_`.
fn step_id(id: &str) -> String {
    let allowed = |character: char| match character {
        'a'..='z' | 'A'..='Z' | '0'..='9' | '_' | '-' => character,
        _ => '_',
    };
    let id: String = id.chars().map(allowed).collect();
    match id.chars().next() {
        Some('a'..='z' | 'A'..='Z' | '_') => id,
        _ => format!("task_{id}"),
    }
}

/// The beginning of a value, as it was written.
fn told(value: &Value) -> String {
    shortened(&value.to_string(), CHARS_TOLD).into_owned()
}

/// A plan as it was answered, once it has been taken.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ListedPlan {
    /// The id of the step that each task has become, within its plan, and the task.
    pub tasks: Vec<(String, Value)>,
    /// What was decided.
    pub decisions: Vec<Value>,
}

/// Reads a plan that was taken.
pub fn listed(answered: &Json) -> ListedPlan {
    let Ok(answered) = answer::as_json(answered.clone()) else { return ListedPlan::default() };
    let value = answered.value();
    let list = |key: &str| value.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
    let task = |task: Value| {
        let id = match task.get("task_id")? {
            Value::String(text) => text.trim().to_owned(),
            other => other.to_string(),
        };
        Some((step_id(&id), task))
    };
    ListedPlan { tasks: list("tasks").into_iter().filter_map(task).collect(), decisions: list("decisions") }
}

/// What keeps an agent from going on with a task, as it says in its answer, in a sentence; none if nothing does. It is in a list
/// `blockers`, or its `status` is `blocked`.
pub fn blockers(answered: &Json) -> Option<String> {
    let looks = ["locker", "locked", "LOCKED"].iter().any(|word| answered.text().contains(word));
    if !looks {
        return None;
    }
    let answered = answer::as_json(answered.clone()).ok()?;
    let value = |key: &str| member(&answered, key).and_then(|text| serde_json::from_str::<Value>(text).ok());
    let of = |value: Value| match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Null | Value::Bool(false) => String::new(),
        other => other.to_string(),
    };
    let listed: Vec<String> = match value("blockers") {
        Some(Value::Array(list)) => list.into_iter().map(of).collect(),
        Some(one) => vec![of(one)],
        None => Vec::new(),
    };
    let listed: Vec<String> = listed.into_iter().filter(|text| !text.is_empty()).collect();
    let is_blocked = value("status").is_some_and(|status| {
        status.as_str().is_some_and(|status| status.trim().eq_ignore_ascii_case("blocked"))
    });
    match (listed.is_empty(), is_blocked) {
        (false, _) => Some(listed.join("; ")),
        (true, true) => Some(
            value("notes")
                .map(of)
                .filter(|notes| !notes.is_empty())
                .unwrap_or_else(|| "it does not say by what".to_owned()),
        ),
        (true, false) => None,
    }
}
