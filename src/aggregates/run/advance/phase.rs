//! What people are told of a phase that they are asked about.

use super::{Advance, StartError};
use crate::aggregates::run::{Node, Run, RunRejection, StepIndex, StepPhase};
use crate::events::ids::Hash;
use crate::events::run::StepKind;
use crate::workflow::approval::{ApprovalSubject, SubjectPhase, SubjectStep};
use crate::workflow::scope::StepReferences;
use crate::workflow::work::Work;

/// More steps of a phase are not told one by one: nobody reads a thousand lines.
const STEPS_TOLD: usize = 500;

/// How much is told of what a step answered.
const OUTPUT_CHARS_TOLD: usize = 200;

impl Advance<'_, '_> {
    /// How the steps of a phase are, and before it begins what each would do, as far as that is known.
    pub(super) fn asked_of_phase(&self, place: StepIndex) -> Result<ApprovalSubject, StartError> {
        let node = self.node(place)?;
        let name = node.added.phase.as_deref().unwrap_or_default();
        let steps = self.draft.state().in_phase(name).into_iter();
        let told = steps.map(|step| self.asked_step(step)).collect::<Result<Vec<_>, _>>()?;
        let (first, rest) = told.split_at(told.len().min(STEPS_TOLD));
        let more = (!rest.is_empty()).then(|| {
            let text = serde_json::to_vec(rest).unwrap_or_default();
            (rest.len(), Hash::of(&text))
        });
        let phase = SubjectPhase { name: name.to_owned(), steps: first.to_vec(), more };
        Ok(ApprovalSubject { phase: Some(phase), ..self.asked_about(node.id(), node.generation) })
    }

    fn asked_step(&self, place: StepIndex) -> Result<SubjectStep, StartError> {
        let node = self.node(place)?;
        let output = node.output().map(|output| self.draft.json(output, self.moment)).transpose()?;
        let begun = node.doing.phase != StepPhase::Blocked;
        let short = |text: &str| match text.char_indices().nth(OUTPUT_CHARS_TOLD) {
            Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
            None => text.to_owned(),
        };
        Ok(SubjectStep {
            step: node.id().clone(),
            status: node.status().to_owned(),
            agent: node.agent().cloned(),
            attempts: node.attempts_now(),
            work: if begun { None } else { self.work_known(place, node)? },
            output: output.as_ref().map(|output| short(output.text())),
            output_hash: output.map(|output| Hash::of(output.text().as_bytes())),
        })
    }

    /// What a step would do, if that is known: all that it uses is done with.
    fn work_known(&self, place: StepIndex, node: &Node) -> Result<Option<Work>, RunRejection> {
        let StepKind::Work { agent } = &node.added.kind else { return Ok(None) };
        let step = self.template(place)?;
        let run = self.draft.state();
        let is_done = |id| run.meant(Some(place), id).is_some_and(Node::is_done);
        let is_known = match step.references().steps {
            StepReferences::These(ids) => ids.iter().all(is_done),
            StepReferences::All => false,
        };
        if !is_known {
            return Ok(None);
        }
        match self.work(place, &step, agent) {
            Ok(work) => Ok(Some(work)),
            Err(StartError::Render(_)) => Ok(None),
            Err(StartError::Rejected(rejection)) => Err(rejection),
        }
    }
}

impl Run {
    /// The steps of a phase, each followed by those that grew in it.
    fn in_phase(&self, name: &str) -> Vec<StepIndex> {
        let is_of_it = |node: &Node| node.inside.is_none() && node.added.phase.as_deref() == Some(name);
        let whole = self.steps.indexed().filter(|(_, node)| is_of_it(node) && !node.asks_of_phase());
        let mut left: Vec<StepIndex> = whole.map(|(place, _)| place).collect();
        left.reverse();
        let mut steps = Vec::with_capacity(left.len());
        while let Some(place) = left.pop() {
            steps.push(place);
            left.extend(self.steps.get(place).into_iter().flat_map(|node| node.children.iter().rev()));
        }
        steps
    }
}
