//! The steps that a step's output adds to its run: JSON, read like the `steps` of a file. Places in it are paths, because
//! nobody has the text before their eyes.

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;

use super::names::Checker;
use super::report::Report;
use super::steps::Defaults;
use super::tree::{Tree, Value};
use super::{FILE_BYTES_MAX, NamedAgent, drafts_of, named, order, steps};
use crate::events::problem::{Code, Problem};
use crate::workflow::definition::{Definition, Limits, OnFailure};
use crate::workflow::json_text::Level;

/// What the steps of a plan may refer to beside each other.
#[derive(Clone, Copy)]
pub struct PlanScope<'a> {
    /// The names that `env.NAME` may use: those that the run captured.
    pub env: &'a [String],
    /// How often a fallback agent is tried at most.
    pub fallback_attempts: u32,
    /// Whether the run has a step with that id. Expressions may name it; whether it is done then is not known here.
    pub steps: &'a dyn Fn(&str) -> bool,
}

/// Deeper JSON is nothing that a person or a model wrote; it is read by recursion.
const DEPTH_MAX: usize = 100;

/// Reads the list of an `add_steps`. The definition has nothing but its steps, which call each other by the ids that
/// stand there. What problems call a place, such as `add_steps[1].agent`, is also the file of the agents' places.
///
/// # Errors
/// [`Code::BadPlan`]: what is wrong first, and where.
pub fn plan(text: &str, scope: &PlanScope<'_>) -> Result<(Definition, Vec<NamedAgent>), Problem> {
    if text.len() > FILE_BYTES_MAX {
        let message = format!("it has {} bytes, and no more than {FILE_BYTES_MAX} are read", text.len());
        return Err(bad("add_steps", Problem::new(Code::TooLarge, message)));
    }
    let tree = tree(text, text, 0).map_err(|why| bad("add_steps", Problem::new(Code::BadPlan, why)))?;
    let mut report = Report::of_plan(text, &tree);
    let read = added(&mut report, &tree, scope);
    let first = report.problems.into_iter().min_by_key(column);
    match (first, read) {
        (None, Some((definition, agents))) => {
            let placed = agents.into_iter().map(|mut agent| {
                agent.at.file = path(&tree, agent.at.column);
                agent
            });
            Ok((definition, placed.collect()))
        }
        (Some(problem), _) => Err(bad(&path(&tree, column(&problem)), problem)),
        (None, None) => Err(bad("add_steps", Problem::new(Code::NoSteps, "it adds no steps"))),
    }
}

fn added<'s>(
    report: &mut Report<'s>,
    tree: &'s Tree,
    scope: &PlanScope<'_>,
) -> Option<(Definition, Vec<NamedAgent>)> {
    let list = report.list("add_steps", tree)?;
    if list.is_empty() {
        report.refuse(tree, Problem::new(Code::NoSteps, "it adds no steps"));
    }
    let defaults = Defaults { fallback_attempts: scope.fallback_attempts, ..Defaults::default() };
    let drafts = drafts_of(report, list, &defaults);
    let (needs, ancestors) = order::order(report, &drafts);
    Checker::new(scope.env, None, &drafts, ancestors).beside(scope.steps).check_steps(report, &drafts);
    let (agents, children) = named(&drafts);
    for child in children {
        let problem = Problem::new(Code::ChildWorkflow, "a plan cannot start a workflow");
        let problem = problem
            .hint("all that a run may start is known when it starts: give the file a step with `workflow`");
        report.refuse_at((child.at.line, child.at.column), problem);
    }
    let definition = Definition {
        name: "plan".to_owned(),
        description: None,
        version: None,
        input: None,
        limits: Limits::default(),
        on_failure: OnFailure::default(),
        phases: BTreeMap::new(),
        steps: steps(drafts, needs)?,
        output: None,
    };
    Some((definition, agents))
}

fn bad(path: &str, problem: Problem) -> Problem {
    Problem::new(Code::BadPlan, format!("`{path}`: {}", problem.message)).hint(problem.hint)
}

fn column(problem: &Problem) -> u64 {
    problem.at.as_ref().map_or(0, |at| at.column)
}

/// A JSON document as a tree on one line, whose columns are bytes. A key stands where its value does.
fn tree(document: &str, text: &str, depth: usize) -> Result<Tree, String> {
    if depth > DEPTH_MAX {
        return Err(format!("it is nested deeper than {DEPTH_MAX} levels"));
    }
    let text = text.trim();
    let start = (text.as_ptr() as usize).saturating_sub(document.as_ptr() as usize);
    let written = start..start + text.len();
    let value = match Level::of(text).map_err(|why| format!("it is not JSON: {why}"))? {
        Level::Null => Value::Null,
        Level::Bool(flag) => Value::Bool(flag),
        Level::Number(digits) => Value::Number(digits.to_owned()),
        Level::Text(text) => Value::Text(text.into_owned()),
        Level::List(items) => {
            let items = items.into_iter().map(|item| tree(document, item, depth + 1));
            Value::List(items.collect::<Result<_, _>>()?)
        }
        Level::Map(members) => {
            let mut names = HashSet::with_capacity(members.len());
            let mut entries = Vec::with_capacity(members.len());
            for (name, member) in members {
                let value = tree(document, member, depth + 1)?;
                if !names.insert(name.clone()) {
                    return Err(format!("`{name}` stands twice in one map"));
                }
                entries.push((part(value.written.clone(), Value::Text(name.into_owned())), value));
            }
            Value::Map(entries)
        }
    };
    Ok(part(written, value))
}

fn part(written: Range<usize>, value: Value) -> Tree {
    Tree { line: 1, column: written.start as u64 + 1, written, direct: true, value }
}

/// What stands at a column, as a path.
pub(super) fn path(tree: &Tree, column: u64) -> String {
    let holds = |tree: &Tree| {
        let byte = usize::try_from(column).unwrap_or(usize::MAX).saturating_sub(1);
        tree.written.contains(&byte)
    };
    let (mut path, mut at) = ("add_steps".to_owned(), tree);
    loop {
        let inner = match &at.value {
            Value::List(items) => {
                items.iter().enumerate().find(|(_, item)| holds(item)).map(|(index, item)| {
                    path.push_str(&format!("[{index}]"));
                    item
                })
            }
            Value::Map(entries) => entries.iter().find(|(_, value)| holds(value)).map(|(key, value)| {
                if let Value::Text(name) = &key.value {
                    path.push_str(&format!(".{name}"));
                }
                value
            }),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) => None,
        };
        match inner {
            Some(inner) => at = inner,
            None => return path,
        }
    }
}
