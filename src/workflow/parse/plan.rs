//! The steps that a step's output adds to its run: JSON, read like the `steps` of a file. Places in it are
//! told as paths, because nobody sees the text.

use std::collections::BTreeMap;

use super::defaults::Defaults;
use super::diagnostics::Diagnostics;
use super::names::Checker;
use super::shared::Contexts;
use super::tree::{self, Tree, path};
use super::{FILE_BYTES_MAX, NamedAgent, drafts_of, named, order, steps};
use crate::events::ids::ContextName;
use crate::events::json::Why;
use crate::events::problem::{Code, Problem};
use crate::workflow::definition::Definition;

/// What the steps of a plan may refer to, beside each other.
#[derive(Clone, Copy)]
pub struct PlanScope<'a> {
    /// The names that `env.NAME` may use: those whose values the run recorded.
    pub env: &'a [String],
    /// How often a fallback agent is tried at most.
    pub fallback_attempts: u32,
    /// The shared contexts of the run's workflow, by their aliases: no others may be named.
    pub contexts: &'a BTreeMap<String, ContextName>,
    /// Whether the run has a step with that id. Expressions may name it; it is not known here whether it will
    /// be done by then.
    pub steps: &'a dyn Fn(&str) -> bool,
}

/// Reads the list of an `add_steps`. The definition has only steps, which call each other by the ids in
/// the list. A place in it, such as `add_steps[1].agent`, is told in problems, and stands for the file
/// in the agents' places.
///
/// # Errors
/// [`Code::BadPlan`] for the first thing that is wrong, with its path.
pub fn plan(text: &str, scope: &PlanScope<'_>) -> Result<(Definition, Vec<NamedAgent>), Problem> {
    if text.len() > FILE_BYTES_MAX {
        let message = format!("it has {} bytes, and no more than {FILE_BYTES_MAX} are read", text.len());
        return Err(bad("add_steps", Problem::new(Code::TooLarge, message)));
    }
    let tree = tree::plan(text).map_err(|why| {
        let says = match why.why {
            Why::Syntax(_) => format!("it is not JSON: {why}"),
            Why::Duplicate { .. } | Why::TooDeep => why.to_string(),
        };
        bad("add_steps", Problem::new(Code::BadPlan, says))
    })?;
    let mut report = Diagnostics::of_plan(text, &tree);
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
    report: &mut Diagnostics<'s>,
    tree: &'s Tree,
    scope: &PlanScope<'_>,
) -> Option<(Definition, Vec<NamedAgent>)> {
    let list = report.list("add_steps", tree)?;
    if list.is_empty() {
        report.refuse(tree, Problem::new(Code::NoSteps, "it adds no steps"));
    }
    let contexts = Contexts { by_alias: scope.contexts.clone(), no_others: true };
    let defaults = Defaults { fallback_attempts: scope.fallback_attempts, contexts, ..Defaults::default() };
    let drafts = drafts_of(report, list, &defaults);
    let (needs, ancestors) = order::order(report, &drafts);
    let checker = Checker::new(scope.env, None, &drafts, ancestors).beside(scope.steps);
    checker.with(&defaults.contexts).check_steps(report, &drafts);
    let (agents, children) = named(&drafts);
    for child in children {
        let problem = Problem::new(Code::ChildWorkflow, "a plan cannot start a workflow");
        let problem = problem
            .hint("all that a run may start is known when it starts: give the file a step with `workflow`");
        report.refuse_at((child.at.line, child.at.column), problem);
    }
    let definition = Definition::grown("plan", steps(drafts, needs)?);
    Some((definition, agents))
}

fn bad(path: &str, problem: Problem) -> Problem {
    Problem::new(Code::BadPlan, format!("`{path}`: {}", problem.message)).hint(problem.remedies)
}

fn column(problem: &Problem) -> u64 {
    problem.at.as_ref().map_or(0, |at| at.column)
}
