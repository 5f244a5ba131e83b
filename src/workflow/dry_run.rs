//! What a run of a workflow would do, in which order, as far as that is known before it starts. Nothing here starts anything.
//!
//! What is not known yet stays as it is written: a text is rendered once all that its expressions use is known.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::definition::{
    Approval, Definition, Does, ForEach, Integrate, Items, PlanOfTasks, Step, WORKFLOW_AGENT,
};
use super::expression::names::{Names, Path};
use super::expression::{Expression, RenderError};
use super::graph::Graph;
use super::pieces::Piece;
use super::scope::{Scope, StepView};
use super::template::{Node, Template};
use super::work::Work;
use crate::events::ids::{AgentName, RunId, StepId};
use crate::events::json::Json;
use crate::events::problem::Problem;
use crate::events::run::{Gate, UndoWhen};
use crate::events::time::format_duration;

/// What a run would do.
#[derive(Debug, Clone, Serialize)]
pub struct DryRun {
    /// The name of the workflow.
    pub workflow: String,
    /// The input, with its defaults.
    pub input: Json,
    /// The steps, each after all that it needs; of those that could be next, the first of the file.
    pub steps: Vec<DryStep>,
    /// The phases about which people are asked.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub phases: Vec<DryPhase>,
}

/// A step that would be done.
#[derive(Debug, Clone, Serialize)]
pub struct DryStep {
    /// The id of the step.
    pub id: StepId,
    /// The steps that must be done with before it starts.
    pub needs: Vec<StepId>,
    /// The agent that would do it; null if no agent does.
    pub agent: Option<AgentName>,
    /// What would be done, rendered as far as it is known.
    #[serde(flatten)]
    pub task: Task,
    /// The group of steps that it belongs to, by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
    /// Whether it is done at all.
    #[serde(rename = "if", skip_serializing_if = "Option::is_none")]
    pub condition: Option<Condition>,
    /// Why it would be skipped, where that is known: `if`, or `dependency` because it uses the output of one that is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skipped: Option<&'static str>,
    /// The items for each of which it would be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub for_each: Option<DryItems>,
    /// What ends the loop.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repeat: Option<DryRepeat>,
    /// What becomes of its answer, where that is a plan of tasks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<DryPlan>,
    /// Who is asked about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approve: Option<DryApproval>,
    /// What would undo it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compensate: Option<DryUndo>,
    /// Whether nothing of the run can be undone any more once it has started.
    #[serde(skip_serializing_if = "is_false")]
    pub irreversible: bool,
}

/// Work as far as it is known.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Task {
    /// What would be done: `run`, `with`, `prompt`, `env`, `cwd`, `workflow`, `sleep` or `wait_for`. A text that waits for
    /// something stands there as it is written.
    pub work: Json,
    /// What it waits for, as expressions name it: `steps.build.output`, `run.id`.
    pub unknown: Vec<String>,
    /// Why it cannot be rendered, although all that it uses is known: it would fail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Problem>,
}

/// The `if` of a step.
#[derive(Debug, Clone, Serialize)]
pub struct Condition {
    /// The expression.
    pub expression: String,
    /// Whether it is true; null where that is not known yet.
    pub outcome: Option<bool>,
    /// What it waits for.
    pub unknown: Vec<String>,
}

/// The items of a fan-out.
#[derive(Debug, Clone, Serialize)]
pub struct DryItems {
    /// How many there are; null where that is not known yet.
    pub count: Option<usize>,
    /// The work of each, where they are known.
    pub items: Vec<DryItem>,
}

/// An item of a fan-out.
#[derive(Debug, Clone, Serialize)]
pub struct DryItem {
    /// The id of the step that would do it.
    pub id: StepId,
    /// What would be done.
    #[serde(flatten)]
    pub task: Task,
}

/// A loop.
#[derive(Debug, Clone, Serialize)]
pub struct DryRepeat {
    /// It ends after the first round after which this is true.
    pub until: String,
    /// How many rounds there may be.
    pub max: u32,
}

/// The steps that a plan of tasks would add: one for each task, known only when it is planned, and those that follow.
#[derive(Debug, Clone, Serialize)]
pub struct DryPlan {
    /// To whom tasks may be assigned; empty for all that can be used, but for the one that plans.
    pub agents: Vec<AgentName>,
    /// How many tasks, mended plans and questions to the one that plans there may be together.
    pub max: u32,
    /// The command that would be run when all tasks are done, as it is written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test: Option<Json>,
    /// Who would bring together what the tasks came to; null if nobody would.
    pub integrate: Option<AgentName>,
}

/// People who are asked.
#[derive(Debug, Clone, Serialize)]
pub struct DryApproval {
    /// Whether they are asked before, or after.
    pub when: Gate,
    /// The names of those who may answer; empty means anybody.
    pub approvers: Vec<String>,
    /// How many have to grant it.
    pub approvals: u32,
}

/// A phase about which people are asked.
#[derive(Debug, Clone, Serialize)]
pub struct DryPhase {
    /// The name of the phase.
    pub name: String,
    /// Who is asked.
    pub approve: DryApproval,
}

/// A compensation.
#[derive(Debug, Clone, Serialize)]
pub struct DryUndo {
    /// The agent that would undo it; null where a run of its own would be rolled back.
    pub agent: Option<AgentName>,
    /// In which cases.
    pub when: UndoWhen,
    /// What would be done.
    #[serde(flatten)]
    pub task: Task,
}

fn is_false(value: &bool) -> bool {
    !value
}

/// What is known before a run starts.
#[derive(Debug, Clone)]
pub struct Before {
    /// The input, checked, with its defaults.
    pub input: Json,
    /// The environment that would be captured.
    pub environment: BTreeMap<String, String>,
    /// The id of the run.
    pub run: RunId,
    /// Whether it would have just that id. Without, `run.id` is not known.
    pub is_named: bool,
}

impl DryRun {
    /// What a run of that workflow would do, if all that it does succeeds.
    pub fn of(definition: &Definition, before: &Before) -> Self {
        let graph = definition.graph();
        let places: BTreeMap<&StepId, usize> =
            graph.iter().enumerate().map(|(place, step)| (&step.id, place)).collect();
        let needs = graph.iter().map(|step| step.needs.iter().filter_map(|need| places.get(need).copied()));
        let order = Graph::new(needs.map(Iterator::collect).collect()).in_order();
        let mut known = Known::of(before);
        let steps = order.into_iter().filter_map(|place| definition.step(&graph.get(place)?.id));
        let steps = steps.map(|step| known.step(step)).collect();
        let phase = |(name, rules): (&String, &super::definition::PhaseRules)| DryPhase {
            name: name.clone(),
            approve: approval(&rules.approval),
        };
        let phases = definition.phases.iter().map(phase).collect();
        Self { workflow: definition.name.clone(), input: before.input.clone(), steps, phases }
    }
}

/// What is known so far: beside what a run begins with, which steps would be skipped.
struct Known {
    scope: Scope,
    /// Whether the scope has the run's own id.
    has_run: bool,
}

impl Known {
    fn of(before: &Before) -> Self {
        let Before { input, environment, run, is_named } = before.clone();
        let scope = Scope {
            input,
            // No expression that uses it is evaluated where it is not known.
            run,
            env: environment,
            steps: BTreeMap::new(),
            context: BTreeMap::new(),
            contexts: BTreeMap::new(),
            item: None,
            round: None,
            answer: None,
            undone: None,
        };
        Self { scope, has_run: is_named }
    }

    fn step(&mut self, step: &Step) -> DryStep {
        let condition = step.condition.as_ref().map(|condition| self.condition(condition));
        let mut skipped = match &condition {
            Some((_, Some(error))) if error.skips().is_some() => Some("dependency"),
            Some((Condition { outcome: Some(false), .. }, _)) => Some("if"),
            _ => None,
        };
        let failed = condition.as_ref().and_then(|(_, error)| error.as_ref().map(RenderError::problem));
        let for_each = step.for_each.as_ref().map(|each| self.items(step, each));
        let (mut task, why) = self.task(step, &step.does);
        if let Some((_, waits, error)) = &for_each {
            task.unknown.retain(|name| name != "item" && name != "index");
            task.unknown.extend(
                waits.iter().filter(|name| !task.unknown.contains(name)).cloned().collect::<Vec<_>>(),
            );
            task.unknown.sort();
            task.error = task.error.or(error.clone());
        }
        task.error = failed.or(task.error);
        if skipped.is_none() && why.is_some_and(|why| why.skips().is_some()) {
            skipped = Some("dependency");
        }
        if skipped.is_some() {
            task.error = None;
            let view = StepView { status: "skipped", attempts: 0, output: None };
            self.scope.steps.insert(step.id.clone(), view);
        }
        DryStep {
            id: step.id.clone(),
            needs: step.needs.clone(),
            agent: by(&step.does),
            task,
            phase: step.phase.clone(),
            condition: condition.map(|(condition, _)| condition),
            skipped,
            for_each: for_each.map(|(items, ..)| items),
            repeat: step
                .repeat
                .as_ref()
                .map(|repeat| DryRepeat { until: repeat.until.source().to_owned(), max: repeat.max }),
            plan: step.plan.as_ref().map(|plan| planned(plan, step.agent())),
            approve: step.approval.as_ref().map(approval),
            compensate: self.undo(step),
            irreversible: step.irreversible,
        }
    }

    fn condition(&self, condition: &Expression) -> (Condition, Option<RenderError>) {
        let unknown = self.unknown(condition);
        let evaluated = unknown.is_empty().then(|| condition.is_true(&self.scope));
        let (outcome, error) = match evaluated {
            Some(Ok(outcome)) => (Some(outcome), None),
            Some(Err(error)) => (None, Some(error)),
            None => (None, None),
        };
        let unknown = unknown.into_iter().collect();
        (Condition { expression: condition.source().to_owned(), outcome, unknown }, error)
    }

    /// The items of a fan-out, what they wait for, and why they cannot be listed.
    fn items(&self, step: &Step, each: &ForEach) -> (DryItems, Vec<String>, Option<Problem>) {
        let unknown = match &each.items {
            Items::Of(expression) => self.unknown(expression),
            Items::List(list) => self.unknown_of(list),
        };
        let nothing = DryItems { count: None, items: Vec::new() };
        if !unknown.is_empty() {
            return (nothing, unknown.into_iter().collect(), None);
        }
        let items = match step.items(&self.scope) {
            Ok(items) => items,
            Err(error) => return (nothing, Vec::new(), Some(error.problem())),
        };
        let item = |(index, item): (usize, Json)| {
            let scope =
                Scope { item: Some((u32::try_from(index).unwrap_or(u32::MAX), item)), ..self.scope.clone() };
            let known = Self { scope, has_run: self.has_run };
            DryItem { id: step.id.item(index), task: known.task(step, &step.does).0 }
        };
        let items: Vec<DryItem> = items.into_iter().enumerate().map(item).collect();
        (DryItems { count: Some(items.len()), items }, Vec::new(), None)
    }

    fn undo(&self, step: &Step) -> Option<DryUndo> {
        let undo = step.undo()?;
        let Some(compensate) = &step.compensate else {
            return Some(DryUndo { agent: None, when: undo.when, task: Task::default() });
        };
        let (mut task, _) = self.task(step, &compensate.does);
        let own = |name: String| match name.as_str() {
            "output" => named(&step.id, "output"),
            _ => name,
        };
        task.unknown = task.unknown.into_iter().map(own).collect::<BTreeSet<_>>().into_iter().collect();
        Some(DryUndo { agent: by(&compensate.does), when: undo.when, task })
    }

    /// Work of a step as far as it is known, and why it cannot be rendered.
    fn task(&self, step: &Step, does: &Does) -> (Task, Option<RenderError>) {
        let mut unknown = BTreeSet::new();
        let held = self.held(step, does, &mut |expression| {
            let waits = self.unknown(expression);
            let holds = !waits.is_empty();
            unknown.extend(waits);
            holds
        });
        let unknown = unknown.into_iter().collect();
        match held.work(&self.scope) {
            Ok(work) => (Task { work: shown(&work, does), unknown, error: None }, None),
            Err(error) => {
                let plain = self.held(step, does, &mut |_| true).work(&self.scope).unwrap_or_default();
                let problem = error.problem().step(&step.id);
                (Task { work: shown(&plain, does), unknown, error: Some(problem) }, Some(error))
            }
        }
    }

    /// The same step, in which each text is plain that holds an expression for which `holds` is true.
    fn held(&self, step: &Step, does: &Does, holds: &mut dyn FnMut(&Expression) -> bool) -> Step {
        let mut hold = |template: &Template| Template::new(hold(template.root(), holds));
        let does = match does {
            Does::Run(run) => Does::Run(hold(run)),
            Does::Agent { agent, with, prompt } => Does::Agent {
                agent: agent.clone(),
                with: with.as_ref().map(&mut hold),
                prompt: prompt.as_ref().map(&mut hold),
            },
            Does::Workflow { file, with } => {
                Does::Workflow { file: file.clone(), with: with.as_ref().map(&mut hold) }
            }
            Does::Sleep(_) | Does::WaitFor(_) | Does::AskOfPhase => does.clone(),
        };
        let env = step.env.iter().map(|(name, value)| (name.clone(), hold(value))).collect();
        let cwd = step.cwd.as_ref().map(&mut hold);
        Step { does, env, cwd, ..step.clone() }
    }

    fn unknown_of(&self, template: &Template) -> BTreeSet<String> {
        let mut unknown = BTreeSet::new();
        hold(template.root(), &mut |expression| {
            unknown.extend(self.unknown(expression));
            true
        });
        unknown
    }

    /// What an expression waits for.
    fn unknown(&self, expression: &Expression) -> BTreeSet<String> {
        let names = Names::of(expression.source());
        names.paths.iter().filter_map(|path| self.waits_for(path)).collect()
    }

    fn waits_for(&self, path: &Path<'_>) -> Option<String> {
        let mut attributes = path.attributes.iter().map(|(name, _)| *name);
        match path.root {
            "input" | "env" => None,
            "run" => (!self.has_run).then(|| "run.id".to_owned()),
            "item" | "index" => self.scope.item.is_none().then(|| path.root.to_owned()),
            "steps" => {
                let Some(step) = attributes.next().map(StepId::grown) else {
                    return Some("steps".to_owned());
                };
                let is_known = self.scope.steps.contains_key(&step);
                (!is_known).then(|| named(&step, attributes.next().unwrap_or_default()))
            }
            "contexts" => {
                let named: Vec<&str> = std::iter::once("contexts").chain(attributes.take(2)).collect();
                Some(named.join("."))
            }
            other => Some(other.to_owned()),
        }
    }
}

/// The tree, in which each text is plain that holds an expression for which `holds` is true. It is asked about all.
fn hold(node: &Node, holds: &mut dyn FnMut(&Expression) -> bool) -> Node {
    match node {
        Node::Constant(_) => node.clone(),
        Node::Text { source, pieces } => {
            let mut held = false;
            for piece in pieces {
                if let Piece::Value { expression, .. } = piece {
                    held |= holds(expression);
                }
            }
            if held { Node::Constant(Json::from(&serde_json::Value::from(&**source))) } else { node.clone() }
        }
        Node::List(items) => Node::list(items.iter().map(|item| hold(item, holds)).collect()),
        Node::Map(members) => {
            Node::map(members.iter().map(|(name, member)| (name.clone(), hold(member, holds))).collect())
        }
    }
}

/// What of a step is used, as an expression names it.
fn named(step: &StepId, attribute: &str) -> String {
    let step = step.as_str();
    let dot = if attribute.is_empty() { "" } else { "." };
    match step.contains('-') {
        true => format!("steps['{step}']{dot}{attribute}"),
        false => format!("steps.{step}{dot}{attribute}"),
    }
}

/// The agent that does something; none where a run of its own does, or nobody has to.
fn by(does: &Does) -> Option<AgentName> {
    does.agent().filter(|agent| agent.as_str() != WORKFLOW_AGENT)
}

fn shown(work: &Work, does: &Does) -> Json {
    let instead = match does {
        Does::Sleep(length) => Some(serde_json::json!({ "sleep": format_duration(*length) })),
        Does::WaitFor(signal) => Some(serde_json::json!({ "wait_for": signal })),
        Does::Run(_) | Does::Agent { .. } | Does::Workflow { .. } | Does::AskOfPhase => None,
    };
    instead.map_or_else(|| Json::of(work).unwrap_or_default(), |instead| Json::from(&instead))
}

fn planned(plan: &PlanOfTasks, planner: Option<AgentName>) -> DryPlan {
    let integrate = match &plan.integrate {
        Integrate::Planner => planner,
        Integrate::By(agent) => Some(agent.clone()),
        Integrate::Nobody => None,
    };
    let test = plan.test.as_ref().and_then(|test| Json::of(test).ok());
    DryPlan { agents: plan.agents.clone(), max: plan.max, test, integrate }
}

fn approval(approval: &Approval) -> DryApproval {
    DryApproval { when: approval.gate, approvers: approval.approvers.clone(), approvals: approval.needed }
}
