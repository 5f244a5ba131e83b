//! What is known of a run beside its events: its steps, and what they use.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::aggregates::run::{ApprovalRequest, Node, Run, StepPhase};
use crate::events::ids::{KeyVersion, RequestId, StepId};
use crate::events::json::{Json, Payload};
use crate::events::run::{Purpose, SkipReason};
use crate::events::text::shortened;
use crate::kernel::Blobs;
use crate::workflow::definition::{Definition, Step};
use crate::workflow::expression::Expression;
use crate::workflow::scope::{Scope, StepView};
use crate::workflow::uses::{Use, Whose};
use crate::workflow::work::Work;

/// How much of a value is told, in characters.
const VALUE_CHARS_MAX: usize = 80;

/// How many values are told that a step used.
const VALUES_MAX: usize = 8;

/// A run, with what its definition and its content say.
#[derive(Clone, Copy)]
pub struct Past<'a> {
    pub(super) run: &'a Run,
    pub(super) definition: &'a Definition,
    pub(super) blobs: &'a dyn Blobs,
}

/// A value that a step's work used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Used {
    /// How the work names it.
    pub path: String,
    /// The step that it is of; none for what is no step's.
    pub step: Option<StepId>,
    /// What it is, as JSON, if that is known. Values of the environment are not told: they may be secret.
    pub value: Option<String>,
}

impl<'a> Past<'a> {
    /// That run, of that definition.
    pub fn new(run: &'a Run, definition: &'a Definition, blobs: &'a dyn Blobs) -> Self {
        Self { run, definition, blobs }
    }

    /// A value that was recorded, if it can be read.
    pub(in crate::views::presenters) fn json(&self, payload: &Payload) -> Option<Json> {
        self.blobs.json(payload).ok()
    }

    /// The work that was recorded with an attempt, if it can be read.
    pub(super) fn work(&self, input: &Payload) -> Option<Work> {
        serde_json::from_str(self.json(input)?.text()).ok()
    }

    pub(super) fn node(&self, step: &StepId) -> Option<&'a Node> {
        self.run.node(step).map(|(_, node)| node)
    }

    pub(super) fn request(&self, request: &RequestId) -> Option<&'a ApprovalRequest> {
        self.run.people().requests.get(request)
    }

    /// The step of the definition, or of a plan, that says what this one does.
    pub(super) fn template(&self, node: &Node) -> Option<Arc<Step>> {
        let template = &node.added.template;
        match node.added.planned {
            Some(plan) => self.blobs.value::<Definition>(&plan.hash).ok()?.step(template).cloned(),
            None => self.definition.step(template).cloned(),
        }
    }

    /// Those that grew in a step, in order.
    pub(super) fn inside(&self, node: &'a Node) -> impl DoubleEndedIterator<Item = &'a Node> {
        let run = self.run;
        node.children.iter().filter_map(move |child| run.nodes().get(*child))
    }

    /// What a step uses to be done, or undone.
    pub(super) fn uses(&self, step: &StepId, purpose: Purpose) -> Vec<Use> {
        let template = self.node(step).and_then(|node| self.template(node));
        let uses = template.map(|template| match purpose {
            Purpose::Do => template.used_to_do(),
            Purpose::Compensate => template.used_to_undo(),
        });
        uses.unwrap_or_default()
    }

    /// The steps whose values those are, as this step means them, each once. Where a name is computed that may be all that
    /// it needs.
    pub(super) fn producers(&self, step: Option<&StepId>, uses: &[Use]) -> Vec<&'a StepId> {
        let at = step.and_then(|step| self.run.node(step));
        let place = at.map(|(place, _)| place);
        let mut found: Vec<&StepId> = Vec::new();
        for used in uses {
            match &used.of {
                Whose::Step(id) => found.extend(self.run.meant(place, id).map(Node::id)),
                Whose::SomeStep => {
                    let needs = at.map(|(_, node)| &*node.added.needs).unwrap_or_default();
                    found.extend(needs.iter().filter_map(|need| self.node(need)).map(Node::id));
                }
                Whose::Input
                | Whose::Environment
                | Whose::Context(_)
                | Whose::Shared(..)
                | Whose::Part
                | Whose::Run => {}
            }
        }
        let mut once: Vec<&StepId> = Vec::new();
        for id in found.into_iter().filter(|id| Some(*id) != step) {
            if !once.contains(&id) {
                once.push(id);
            }
        }
        once
    }

    /// The values that the work of a step used, as they are known now, and whose they are.
    pub fn used(&self, step: &StepId, purpose: Purpose) -> Vec<Used> {
        let uses = self.uses(step, purpose);
        let place = self.run.node(step).map(|(place, _)| place);
        let scope = self.scope(step, &uses);
        let tell = |used: &Use| {
            let meant = match &used.of {
                Whose::Step(id) => self.run.meant(place, id).map(|node| node.id().clone()),
                _ => None,
            };
            let is_told = !matches!(used.of, Whose::SomeStep | Whose::Environment | Whose::Context(_));
            let value = Expression::parse(&used.path).ok().filter(|_| is_told);
            let value = value.zip(scope.as_ref()).and_then(|(path, scope)| path.evaluate(scope).ok());
            let value = value.map(|value| shortened(value.text(), VALUE_CHARS_MAX).into_owned());
            Used { path: used.path.clone(), step: meant, value }
        };
        uses.iter().take(VALUES_MAX).map(tell).collect()
    }

    fn scope(&self, step: &StepId, uses: &[Use]) -> Option<Scope> {
        let (place, node) = self.run.node(step)?;
        let about = self.run.about()?;
        let mut steps = BTreeMap::new();
        for used in uses {
            let Whose::Step(id) = &used.of else { continue };
            let Some(meant) = self.run.meant(Some(place), id) else { continue };
            let output = meant.output().and_then(|output| self.blobs.json(output).ok());
            let view = StepView { status: meant.status(), attempts: meant.attempts_now(), output };
            steps.insert(id.clone(), view);
        }
        let item = node.item().and_then(|item| Some((item.index, self.blobs.json(&item.value).ok()?)));
        Some(Scope {
            input: self.blobs.json(&about.started.input).unwrap_or_default(),
            run: about.id.clone(),
            env: BTreeMap::new(),
            steps,
            // What it was then is not known here: others may have written it since.
            context: BTreeMap::new(),
            contexts: self.contexts(step),
            item,
            round: None,
            answer: None,
            undone: None,
        })
    }
}

impl Past<'_> {
    /// What a step has read of shared contexts, by alias.
    fn contexts(&self, step: &StepId) -> BTreeMap<String, BTreeMap<String, Json>> {
        let mut contexts = BTreeMap::<String, BTreeMap<String, Json>>::new();
        for (context, key, version, value) in self.run.reads_of(step) {
            let Some(value) = self.blobs.json(&value).ok().filter(|_| version > KeyVersion(0)) else {
                continue;
            };
            for (alias, _) in self.definition.contexts.iter().filter(|(_, named)| **named == context) {
                contexts.entry(alias.clone()).or_default().insert(key.to_string(), value.clone());
            }
        }
        contexts
    }
}

/// Whether a step answered nothing because it, or what it needs, failed.
pub(super) fn has_failed(node: &Node) -> bool {
    match &node.doing.phase {
        StepPhase::Skipped { reason, .. } => *reason != SkipReason::Condition,
        StepPhase::Failed { .. } => true,
        _ => false,
    }
}
