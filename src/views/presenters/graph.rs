//! The picture of a workflow, or of a run with where its steps are, as data. Each format that it is written in has a file.
//!
//! - `mermaid`, `dot`: for programs that draw
//! - `text`: for a terminal, layer by layer
//! - `facts`: what is said of a step, whatever the format

mod dot;
mod facts;
mod mermaid;
mod text;

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use super::report::primary_agent;
use crate::aggregates::run::child::is_made_by;
use crate::aggregates::run::{Node, Run, RunStatus};
use crate::events::ids::{AgentName, RunId, StepId};
use crate::events::run::{Because, Gate, StepKind};
use crate::events::time::format_duration;
use crate::workflow::definition::{Definition, Does, Step};

/// The picture of a workflow, or of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Graph {
    /// The name of the workflow.
    pub workflow: String,
    /// The id of the run; null for a workflow that nobody runs.
    pub run: Option<RunId>,
    /// The status of the run.
    pub status: Option<RunStatus>,
    /// The steps in the order of the definition, each followed by those that a plan added in it. Items of a fan-out and rounds
    /// of a loop are counted in the step that grew them.
    pub nodes: Vec<GraphNode>,
    /// The edges between them.
    pub edges: Vec<GraphEdge>,
}

/// A step in a picture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GraphNode {
    /// The id of the step.
    pub id: StepId,
    /// What kind of step it is.
    pub kind: NodeKind,
    /// The agent that does it; null if no agent does.
    pub agent: Option<String>,
    /// What it waits for, how long it sleeps, or which workflow it starts.
    pub what: Option<String>,
    /// The group of steps that it belongs to, by name.
    pub phase: Option<String>,
    /// The expression that decides whether it is done, if there is one.
    #[serde(rename = "if")]
    pub condition: Option<String>,
    /// Whether people are asked before it, or after it.
    pub approve: Option<String>,
    /// The agent that undoes it; null if nothing does.
    pub undone_by: Option<String>,
    /// Whether, once it has started, nothing of the run may be undone any more.
    pub irreversible: bool,
    /// The step in which it grew; null for a step of the definition.
    pub inside: Option<StepId>,
    /// Its status; null for a workflow that nobody runs.
    pub status: Option<String>,
    /// How many items or rounds grew in it, by their status.
    pub grown: BTreeMap<String, usize>,
}

/// The kinds of steps in a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeKind {
    /// An agent does it.
    Work,
    /// A run of another workflow does it.
    Workflow,
    /// It sleeps.
    Sleep,
    /// It waits for a signal.
    Wait,
    /// It is done for each item of a list.
    ForEach,
    /// It is done again until an expression is true.
    Repeat,
    /// People are asked about a phase.
    Approval,
}

/// An edge of a picture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GraphEdge {
    /// The step that comes first.
    pub from: StepId,
    /// The step that comes after it.
    pub to: StepId,
    /// What ties them.
    pub kind: EdgeKind,
}

/// What ties two steps of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EdgeKind {
    /// The second needs the first.
    Needs,
    /// A plan of the first added the second.
    Grew,
    /// The first handed its work over to the second.
    HandedOver,
}

/// The formats in which a picture is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For Mermaid, as on pages of Git hosts.
    Mermaid,
    /// For Graphviz.
    Dot,
    /// For a terminal.
    Text,
}

impl Graph {
    /// The picture of a workflow.
    pub fn of_workflow(definition: &Definition) -> Self {
        let steps = definition.graph();
        let needs = |step: &Step| needs(&step.id, &step.needs);
        Self {
            workflow: definition.name.clone(),
            run: None,
            status: None,
            edges: steps.iter().flat_map(|step| needs(step)).collect(),
            nodes: steps.iter().map(|step| GraphNode::of_step(step)).collect(),
        }
    }

    /// The picture of a run. The definition that it was started with tells what the run itself need not know. None if nothing
    /// was recorded of it.
    pub fn of_run(run: &Run, definition: Option<&Definition>) -> Option<Self> {
        let about = run.about()?;
        let is_drawn = |node: &&Node| !matches!(node.added.because, Because::ForEach | Because::Repeat);
        // A step inside one that is only counted is counted with it.
        let mut drawn: HashMap<&StepId, &Node> = HashMap::new();
        for node in run.nodes().iter().filter(is_drawn) {
            if node.added.inside.as_ref().is_none_or(|inside| drawn.contains_key(inside)) {
                drawn.insert(node.id(), node);
            }
        }
        let in_order = super::report::in_order(run.nodes()).into_iter();
        let in_order: Vec<&Node> = in_order.filter(|node| drawn.contains_key(node.id())).collect();
        let grown = |node: &Node| {
            let mut grown = BTreeMap::new();
            for inner in node.children.iter().filter_map(|place| run.nodes().get(*place)) {
                if !is_drawn(&inner) {
                    *grown.entry(inner.status().to_owned()).or_default() += 1;
                }
            }
            grown
        };
        let mut edges = Vec::new();
        for node in &in_order {
            let is_handed = node.added.because == Because::Handoff;
            let kind = if is_handed { EdgeKind::HandedOver } else { EdgeKind::Grew };
            let needed = needs(node.id(), &node.added.needs).into_iter();
            edges.extend(needed.map(|edge| if is_handed { GraphEdge { kind, ..edge } } else { edge }));
            if let Some(inside) = node.added.inside.as_ref().filter(|_| node.added.needs.is_empty()) {
                edges.push(GraphEdge { from: inside.clone(), to: node.id().clone(), kind });
            }
        }
        let node = |node: &&Node| {
            let step = definition.filter(|_| node.added.planned.is_none());
            let step = step.and_then(|definition| definition.step(&node.added.template));
            GraphNode { grown: grown(node), ..GraphNode::of_node(node, step.map(|step| &**step)) }
        };
        Some(Self {
            workflow: about.started.workflow.clone(),
            run: Some(about.id.clone()),
            status: Some(run.status()),
            nodes: in_order.iter().map(node).collect(),
            edges,
        })
    }

    /// The picture, written in that format. Nothing in it acts, whatever the names are.
    pub fn written(&self, format: Format) -> String {
        match format {
            Format::Mermaid => mermaid::written(self),
            Format::Dot => dot::written(self),
            Format::Text => text::written(self),
        }
    }

    /// The number of each step in the picture, from 0.
    fn places(&self) -> HashMap<&StepId, usize> {
        self.nodes.iter().enumerate().map(|(place, node)| (&node.id, place)).collect()
    }

    /// The steps of each phase by their numbers, in the order in which they first name it; then those without one.
    fn by_phase(&self) -> Vec<(Option<&str>, Vec<usize>)> {
        let mut groups: Vec<(Option<&str>, Vec<usize>)> = Vec::new();
        let mut found: HashMap<Option<&str>, usize> = HashMap::new();
        for (place, node) in self.nodes.iter().enumerate() {
            let phase = node.phase.as_deref();
            let group = *found.entry(phase).or_insert_with(|| {
                groups.push((phase, Vec::new()));
                groups.len() - 1
            });
            groups.get_mut(group).into_iter().for_each(|(_, places)| places.push(place));
        }
        groups
    }
}

fn needs(step: &StepId, needs: &[StepId]) -> Vec<GraphEdge> {
    let edge = |need: &StepId| GraphEdge { from: need.clone(), to: step.clone(), kind: EdgeKind::Needs };
    needs.iter().map(edge).collect()
}

impl GraphNode {
    fn of_step(step: &Step) -> Self {
        let who = |agent: AgentName| Some(agent).filter(|agent| !is_made_by(agent));
        let kind = match step.kind() {
            StepKind::FanOut { .. } => NodeKind::ForEach,
            StepKind::Repeat { .. } => NodeKind::Repeat,
            kind => kind_of(&kind, matches!(step.does, Does::Workflow { .. })),
        };
        let gate = step.approval.as_ref().filter(|_| step.does != Does::AskOfPhase);
        Self {
            id: step.id.clone(),
            kind,
            agent: step.agent().and_then(who).map(|agent| agent.to_string()),
            what: what(&step.does),
            phase: step.phase.clone(),
            condition: step.condition.as_ref().map(|condition| condition.source().to_owned()),
            approve: gate.map(|approval| word_of(approval.gate).to_owned()),
            undone_by: step.undo().map(|undo| undo.agent.to_string()),
            irreversible: step.irreversible,
            inside: None,
            status: None,
            grown: BTreeMap::new(),
        }
    }

    fn of_node(node: &Node, step: Option<&Step>) -> Self {
        let added = &node.added;
        let of_step = step.map(Self::of_step);
        let is_child = matches!(&added.kind, StepKind::Work { agent } if is_made_by(agent));
        let signal = match &added.kind {
            StepKind::Wait { signal } => Some(signal.to_string()),
            _ => None,
        };
        let agent = node.fallback.as_ref().or(primary_agent(node));
        let undone_by = added.undo.as_ref().map(|undo| undo.agent.to_string());
        Self {
            id: node.id().clone(),
            kind: kind_of(&added.kind, is_child),
            agent: agent.map(ToString::to_string),
            what: of_step.as_ref().and_then(|step| step.what.clone()).or(signal),
            phase: added.phase.as_deref().map(str::to_owned),
            condition: of_step.as_ref().and_then(|step| step.condition.clone()),
            approve: of_step.as_ref().and_then(|step| step.approve.clone()),
            // Of what grows, the definition says how that is undone which grew.
            undone_by: undone_by.or(of_step.and_then(|step| step.undone_by)),
            irreversible: added.irreversible || step.is_some_and(|step| step.irreversible),
            inside: added.inside.clone(),
            status: Some(node.status().to_owned()),
            grown: BTreeMap::new(),
        }
    }
}

fn kind_of(kind: &StepKind, is_child: bool) -> NodeKind {
    match kind {
        StepKind::Work { .. } if is_child => NodeKind::Workflow,
        StepKind::Work { .. } => NodeKind::Work,
        StepKind::Sleep => NodeKind::Sleep,
        StepKind::FanOut { .. } => NodeKind::ForEach,
        StepKind::Wait { .. } => NodeKind::Wait,
        StepKind::Repeat { .. } => NodeKind::Repeat,
        StepKind::AskOfPhase => NodeKind::Approval,
    }
}

/// What a step waits for, how long it sleeps, or the file of the workflow that it starts, by its name.
fn what(does: &Does) -> Option<String> {
    match does {
        Does::Sleep(length) => Some(format_duration(*length)),
        Does::WaitFor(signal) => Some(signal.clone()),
        Does::Workflow { file, .. } => {
            let name = file.rsplit('/').next();
            Some(name.unwrap_or(file).to_owned())
        }
        Does::Run(_) | Does::Agent { .. } | Does::AskOfPhase => None,
    }
}

const fn word_of(gate: Gate) -> &'static str {
    match gate {
        Gate::Before => "before",
        Gate::After => "after",
    }
}
