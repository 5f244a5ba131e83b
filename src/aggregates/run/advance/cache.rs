//! A step that may takes an earlier answer in place of an attempt: it is looked up before the step is tried, and what the step answers
//! is kept for others.

use std::sync::Arc;

use super::{Advance, Completion, StartError};
use crate::aggregates::run::report::Report;
use crate::aggregates::run::shared::{FoundAnswer, Preparing, failure};
use crate::aggregates::run::{Impossible, RunRejection, StepIndex};
use crate::events::ids::{AgentName, Hash, KeyVersion, StepId};
use crate::events::json::{Json, Payload};
use crate::events::problem::Code;
use crate::events::run::*;
use crate::events::time::micros;
use crate::workflow::cache::KeyedWork;
use crate::workflow::definition::{CacheRules, Step};
use crate::workflow::work::{Failure, Output};

/// Who gave the answer of a step.
#[derive(Default)]
pub(in crate::aggregates::run) enum Given {
    /// Nobody: it follows from what is there.
    #[default]
    ByItself,
    /// An agent: all that it answered, and the files that it named.
    ByAgent(Json, Vec<String>),
    /// An agent, for an earlier step.
    Earlier,
}

impl Advance<'_, '_> {
    /// Whether it has to be looked up first whether there is an answer that a step could take; then it waits for that. What was looked
    /// up for other work than there is to do now is looked up again.
    pub(super) fn must_look_up(&mut self, place: StepIndex, step: &Step) -> Result<bool, RunRejection> {
        let Some(rules) = &step.cache else { return Ok(false) };
        let node = self.node(place)?;
        let Some(agent) = node.slot(Purpose::Do).filter(|_| node.fallback.is_none()).cloned() else {
            return Ok(false);
        };
        // What it is told beside its work is for this run alone, and has to be handled.
        if self.draft.state().messages().waiting_for(&agent) > 0 || self.converses(&agent)? {
            return Ok(false);
        }
        let (work, files) = match self.looked_for(place, step, &agent) {
            Ok(looked_for) => looked_for,
            Err(hindrance) => return self.hinder(place, hindrance).map(|()| true),
        };
        let run = self.draft.state();
        if run.shared.looked_up.get(&place).is_some_and(|looked_up| looked_up.work == work) {
            return Ok(false);
        }
        let about = run.about().ok_or(Impossible::NotBegun)?;
        let awaited = CacheAwaited {
            step: self.node(place)?.id().clone(),
            work,
            files,
            work_folder: Arc::clone(&about.started.work_folder),
            ttl_us: ttl_us(rules),
            reads: !run.shared.bypasses_cache,
        };
        self.draft.emit(awaited);
        Ok(true)
    }

    /// The hash of what the agent would get, and the globs of the files that its answer hangs on.
    fn looked_for(
        &self,
        place: StepIndex,
        step: &Step,
        agent: &AgentName,
    ) -> Result<(Hash, Vec<Arc<str>>), StartError> {
        let work = self.work(place, step, agent)?;
        let files = step.cached_files(&self.scope(Some(place), &step.references())?)?;
        let run = self.draft.state();
        let about = run.about().ok_or(Impossible::NotBegun)?;
        let own = run.context().iter().filter(|(_, known)| known.is_there());
        let own = own.map(|(key, known)| (format!("context/{key}"), &known.value));
        let read = run.read_by(place).into_iter().flat_map(|reads| &reads.values);
        let read = read.filter(|(_, read)| read.version > KeyVersion(0));
        let read = read.map(|((context, key), read)| (format!("contexts/{context}/{key}"), &read.value));
        let values: Vec<(String, &Payload)> = own.chain(read).collect();
        let keyed = KeyedWork {
            agent: Some(agent),
            definition: run.agent(agent),
            work: Some(&work),
            schema: step.schema.as_ref(),
            work_folder: &about.started.work_folder,
            values,
        };
        Ok((keyed.hash(), files))
    }

    /// Takes in what came of looking up an answer.
    pub(super) fn looked_up(
        &mut self,
        step: &StepId,
        key: Hash,
        found: Option<FoundAnswer>,
    ) -> Result<(), RunRejection> {
        let Some(place) = self.looks_up(step) else { return Ok(()) };
        if let Some(found) = found.filter(|_| !self.draft.state().shared.bypasses_cache)
            && self.take_answer(place, key, found)?
        {
            return Ok(());
        }
        self.draft.emit(CacheMissed { step: step.clone(), key });
        Ok(())
    }

    pub(super) fn not_looked_up(&mut self, step: &StepId, why: (Code, String)) -> Result<(), RunRejection> {
        let Some(place) = self.looks_up(step) else { return Ok(()) };
        let Failure { class, code, message, .. } = failure(why);
        self.fail(place, class, code, message)
    }

    fn looks_up(&self, step: &StepId) -> Option<StepIndex> {
        let run = self.draft.state();
        let waits =
            |place: &StepIndex| matches!(run.shared.preparing.get(place), Some(Preparing::LookingUp(_)));
        run.steps.index(step).filter(waits)
    }

    /// Completes a step with an answer that was given before. Answers whether it could: what the step takes may be less than what
    /// another took.
    fn take_answer(&mut self, place: StepIndex, key: Hash, found: FoundAnswer) -> Result<bool, RunRejection> {
        let node = self.node(place)?;
        let Some(agent) = node.slot(Purpose::Do).cloned() else { return Ok(false) };
        let step = node.id().clone();
        let FoundAnswer { source, answer, artifacts } = found;
        let output = Output { output: answer, artifacts, ..Output::default() };
        let report = Report::of(&agent, &output);
        if report.failure().is_some() || report.is_degraded {
            return Ok(false);
        }
        let Ok(output) = self.taken(place, output.output)? else { return Ok(false) };
        self.draft.emit(CacheHit { step, key, source });
        let said = report.recorded(self.draft);
        let artifacts = report.artifacts;
        let came = Completion { output, artifacts, said, given: Given::Earlier, ..Completion::default() };
        self.came_through(place, came).map(|()| true)
    }

    /// Keeps what an attempt answered for whoever may take it, if the step says so, and the attempt has done nothing else to its run.
    pub(super) fn keep_answer(
        &mut self,
        place: StepIndex,
        attempt: u32,
        answer: Json,
        artifacts: Vec<String>,
    ) -> Result<(), RunRejection> {
        let run = self.draft.state();
        let Some(key) = run.shared.looked_up.get(&place).map(|looked_up| looked_up.key) else {
            return Ok(());
        };
        let template = self.template(place)?;
        let Some(rules) = &template.cache else { return Ok(()) };
        let node = self.node(place)?;
        let Some(agent) = node.slot(Purpose::Do).cloned() else { return Ok(()) };
        let (step, ttl_us) = (node.id().clone(), ttl_us(rules));
        let answer = self.draft.payload(answer);
        self.draft.emit(AnswerKept { step, attempt, agent, key, ttl_us, answer, artifacts });
        Ok(())
    }
}

fn ttl_us(rules: &CacheRules) -> Option<u64> {
    rules.ttl.map(micros)
}
