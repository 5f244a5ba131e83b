//! What starts and what ends of itself, after any command: steps that became ready are examined, attempts start as
//! far as there are slots. How a run with nothing left to do ends is in `end`, how it is undone in `unwind`.

mod end;
mod unwind;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::{Grants, Node, Phase, Run, RunEffect, RunRejection, StepPhase};
use crate::events::ids::{AgentName, StepId, TimerId};
use crate::events::json::Json;
use crate::events::problem::{Class, Code};
use crate::events::run::*;
use crate::workflow::aggregate::{Draft, Moment, Unreadable};
use crate::workflow::definition::{Definition, Does, OnError, Step};
use crate::workflow::expression::RenderError;
use crate::workflow::scope::{Scope, StepReferences, StepView};
use crate::workflow::work::Work;

/// A decision on its way, with what every part of it needs.
pub(super) struct Advance<'d, 'a> {
    pub(super) draft: &'d mut Draft<'a, Run>,
    pub(super) definition: &'d Definition,
    pub(super) moment: &'d Moment<'d>,
    drive: Option<Grants>,
    /// How many of the draft's opened effects have been looked at.
    seen: usize,
    /// Whether steps that were ready before this decision are to be looked at too.
    all: bool,
    /// Whether this decision leaves steps that go forward as they are.
    undoes_only: bool,
}

/// What keeps a step from starting.
pub(super) enum Hindrance {
    NotStarted,
    Render(RenderError),
    Unreadable(Unreadable),
}

impl From<RenderError> for Hindrance {
    fn from(error: RenderError) -> Self {
        Self::Render(error)
    }
}

impl From<Unreadable> for Hindrance {
    fn from(error: Unreadable) -> Self {
        Self::Unreadable(error)
    }
}

impl Hindrance {
    /// What is wrong with the step itself.
    ///
    /// # Errors
    /// What keeps the run from deciding at all.
    fn of_the_step(self) -> Result<RenderError, RunRejection> {
        match self {
            Self::Render(error) => Ok(error),
            Self::Unreadable(unreadable) => Err(unreadable.into()),
            Self::NotStarted => Err(RunRejection::NotStarted),
        }
    }
}

impl<'d, 'a> Advance<'d, 'a> {
    pub(super) fn new(
        draft: &'d mut Draft<'a, Run>,
        definition: &'d Definition,
        moment: &'d Moment<'d>,
        drive: Option<Grants>,
    ) -> Self {
        let seen = draft.opened().len();
        Self { draft, definition, moment, drive, seen, all: false, undoes_only: false }
    }

    /// Looks at every step that is ready, not only at those that this decision makes so.
    pub(super) fn look_at_all(&mut self) {
        self.all = true;
    }

    /// Looks at no step for being given up: none was left by the decision before, and this one changes what is undone
    /// only. Thousands of steps are undone one by one, and none of them may cost a look at all the others.
    pub(super) fn undoes_only(&mut self) {
        self.undoes_only = true;
    }

    /// Whether a step is not to be done any more: the run is about to end, or undoes what it would be part of.
    pub(super) fn is_given_up(&self, place: usize) -> bool {
        match &self.draft.state().phase {
            Phase::Ending(_) | Phase::Ended(_) => true,
            Phase::Unwinding(unwinding) => unwinding.undoes(place),
            Phase::Going | Phase::Back(_) | Phase::Empty => false,
        }
    }

    fn goes_forward(&self) -> bool {
        let run = self.draft.state();
        run.phase == Phase::Going && !run.paused
    }

    /// The step of the definition that says what this one does.
    pub(super) fn template(&self, place: usize) -> Result<&'d Step, RunRejection> {
        let template = &self.node(place)?.added.template;
        self.definition.step(template).ok_or_else(|| RunRejection::Template(template.clone()))
    }

    fn node(&self, place: usize) -> Result<&Node, RunRejection> {
        self.draft.state().steps.get(place).ok_or(RunRejection::NotStarted)
    }

    /// Lets everything follow that follows.
    pub(super) fn run(mut self) -> Result<(), RunRejection> {
        if self.drive.is_some() {
            // Nothing starts that was not looked at: its `if` may keep it from that.
            while self.goes_forward() && (self.examine()? || self.start_granted()?) {}
        }
        if matches!(self.draft.state().phase, Phase::Ending(_)) {
            self.end()?;
        }
        if matches!(self.draft.state().phase, Phase::Unwinding(_)) {
            self.unwind()?;
        }
        if self.draft.state().phase == Phase::Going { self.complete_run() } else { Ok(()) }
    }

    /// Looks at the steps that became ready: whether they are to be done at all, and those that need no slot.
    /// Answers whether there were any.
    fn examine(&mut self) -> Result<bool, RunRejection> {
        let run = self.draft.state();
        let ready: Vec<usize> = if std::mem::take(&mut self.all) {
            run.ready.values().flatten().copied().collect()
        } else {
            let opened = self.draft.opened().get(self.seen..).unwrap_or_default();
            opened
                .iter()
                .filter_map(|effect| match effect {
                    RunEffect::Start { step, purpose: Purpose::Do, .. } => run.index.get(step).copied(),
                    _ => None,
                })
                .collect()
        };
        self.seen = self.draft.opened().len();
        for place in &ready {
            if !self.goes_forward() {
                break;
            }
            if self.node(*place)?.phase == StepPhase::Ready {
                self.examine_one(*place)?;
            }
        }
        Ok(!ready.is_empty())
    }

    fn examine_one(&mut self, place: usize) -> Result<(), RunRejection> {
        let step = self.template(place)?;
        let node = self.node(place)?;
        // The condition of a fan-out holds for all of it, and what has begun was judged before that.
        let first = node.added.item.is_none() && node.started_at.is_none();
        if let Some(condition) = step.condition.as_ref().filter(|_| first) {
            let holds = self
                .scope(place, &condition.references().steps)
                .and_then(|scope| condition.is_true(&scope).map_err(Hindrance::Render));
            match holds {
                Ok(true) => {}
                Ok(false) => {
                    return self.skip(place, SkipReason::Condition, "its `if` is not true".to_owned());
                }
                Err(hindrance) => return self.hinder(place, hindrance),
            }
        }
        match (&self.node(place)?.added.kind, &step.does) {
            (StepKind::FanOut { .. }, _) => self.fan_out(place, step),
            (StepKind::Sleep, Does::Sleep(length)) => {
                let step = self.node(place)?.id().clone();
                let at = self.moment.now.after(*length);
                self.draft.emit(TimerSet { timer: TimerId::sleep(&step), step, at });
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Adds a step for each item.
    fn fan_out(&mut self, place: usize, step: &Step) -> Result<(), RunRejection> {
        let items = self
            .scope(place, &step.references().steps)
            .and_then(|scope| step.items(&scope).map_err(Hindrance::Render));
        let items = match items {
            Ok(items) => items,
            Err(hindrance) => return self.hinder(place, hindrance),
        };
        let id = self.node(place)?.id().clone();
        if items.is_empty() {
            self.complete(&id, Json::of(&[(); 0]).unwrap_or_default());
            return self.done(place);
        }
        for (index, value) in items.into_iter().enumerate() {
            let value = self.draft.payload(value);
            let index = u32::try_from(index).unwrap_or(u32::MAX);
            self.draft.emit(StepAdded {
                inside: Some(id.clone()),
                item: Some(Item { index, value }),
                ..step.added(id.item(index as usize), Because::ForEach)
            });
        }
        Ok(())
    }

    /// Starts attempts as far as there are slots. Answers whether anything came of it.
    fn start_granted(&mut self) -> Result<bool, RunRejection> {
        let mut started = false;
        let agents: Vec<AgentName> = self.draft.state().ready.keys().flatten().cloned().collect();
        for agent in agents {
            while self.goes_forward() && self.draft.state().room() > 0 {
                let ready = self.draft.state().ready.get(&Some(agent.clone()));
                let Some(place) = ready.and_then(|steps| steps.first()).copied() else { break };
                if !self.drive.as_mut().is_some_and(|grants| grants.take(&agent)) {
                    break;
                }
                if !self.start_attempt(place, &agent)? {
                    // What was skipped made others ready, and those were not looked at.
                    return Ok(true);
                }
                started = true;
            }
        }
        Ok(started)
    }

    /// Answers whether the attempt started; if not, the step has ended without.
    fn start_attempt(&mut self, place: usize, agent: &AgentName) -> Result<bool, RunRejection> {
        let step = self.template(place)?;
        let work = self
            .scope(place, &step.references().steps)
            .and_then(|scope| step.work(&scope).map_err(Hindrance::Render));
        let mut work = match work {
            Ok(work) => work,
            Err(hindrance) => return self.hinder(place, hindrance).map(|()| false),
        };
        let fallback = step.fallback.as_ref().filter(|fallback| fallback.agent == *agent);
        if let Some(suffix) = fallback.and_then(|fallback| fallback.prompt_suffix.as_ref()) {
            work.prompt.get_or_insert_default().push_str(suffix);
        }
        self.begin_attempt(place, agent.clone(), Purpose::Do, step.timeout, work).map(|()| true)
    }

    /// Starts an attempt, whose slot was taken.
    fn begin_attempt(
        &mut self,
        place: usize,
        agent: AgentName,
        purpose: Purpose,
        timeout: Option<Duration>,
        work: Work,
    ) -> Result<(), RunRejection> {
        let input = self.draft.payload(Json::of(&work).unwrap_or_default());
        let run = self.draft.state();
        let node = self.node(place)?;
        let id = node.id().clone();
        let run_id = run.about().ok_or(RunRejection::NotStarted)?.id.as_str();
        let before = match purpose {
            Purpose::Do => node.attempts,
            Purpose::Compensate => node.undo_attempts,
        };
        let event = AttemptStarted {
            purpose,
            attempt: before + 1,
            generation: node.generation,
            agent,
            fence: run.fence.next(),
            idempotency_key: idempotency_key(run_id, &id, node.generation, purpose),
            deadline: timeout.map(|timeout| self.moment.now.after(timeout)),
            step: id,
            input,
        };
        self.draft.emit(event);
        Ok(())
    }

    /// What the expressions of a step see. Only what they refer to is looked up.
    fn scope(&self, place: usize, references: &StepReferences) -> Result<Scope, Hindrance> {
        let run = self.draft.state();
        let about = run.about().ok_or(Hindrance::NotStarted)?;
        let mut steps = BTreeMap::new();
        let mut see = |node: &Node| -> Result<(), Unreadable> {
            let output = node.output().map(|output| self.draft.json(output, self.moment)).transpose()?;
            let view = StepView { status: node.status(), attempts: node.attempts_now(), output };
            steps.insert(node.id().clone(), view);
            Ok(())
        };
        match references {
            StepReferences::All => run.steps.iter().try_for_each(&mut see)?,
            StepReferences::These(ids) => {
                ids.iter().filter_map(|id| run.node(id)).try_for_each(|(_, node)| see(node))?;
            }
        }
        let item = run.steps.get(place).and_then(Node::item);
        let item = item
            .map(|item| Ok::<_, Unreadable>((item.index, self.draft.json(&item.value, self.moment)?)))
            .transpose()?;
        Ok(Scope {
            input: self.draft.json(&about.started.input, self.moment)?,
            run: about.id.clone(),
            env: about.started.environment.clone(),
            steps,
            item,
            undone: None,
        })
    }

    /// A step cannot start: it uses what is not there, or an expression fails.
    fn hinder(&mut self, place: usize, hindrance: Hindrance) -> Result<(), RunRejection> {
        match hindrance.of_the_step()? {
            RenderError::NoOutput(of) => {
                let message = format!("it uses the output of step `{of}`, which has none");
                self.skip(place, SkipReason::Dependency, message)
            }
            error => {
                let problem = error.problem();
                self.fail(place, problem.class, problem.code, problem.message)
            }
        }
    }

    fn skip(&mut self, place: usize, reason: SkipReason, message: String) -> Result<(), RunRejection> {
        let step = self.node(place)?.id().clone();
        self.draft.emit(StepSkipped { step, reason, message });
        self.done(place)
    }

    /// An agent has failed for good at a step: if another is to do it then, that one's turn comes; else the step has
    /// failed.
    pub(super) fn fail_or_fall_back(
        &mut self,
        place: usize,
        class: Class,
        code: Code,
        message: String,
    ) -> Result<(), RunRejection> {
        let fallback = self.template(place)?.fallback.as_ref();
        let node = self.node(place)?;
        let may = class != Class::Fatal && node.fallback.is_none() && !self.is_given_up(place);
        let (Some(fallback), Some(from)) = (fallback.filter(|_| may), node.slot()) else {
            return self.fail(place, class, code, message);
        };
        let (step, from, to) = (node.id().clone(), from.clone(), fallback.agent.clone());
        self.draft.emit(FallbackEngaged { step, from, to });
        Ok(())
    }

    /// A step failed for good: what that does to the run is the step's to say, unless the failure is fatal.
    pub(super) fn fail(
        &mut self,
        place: usize,
        class: Class,
        code: Code,
        message: String,
    ) -> Result<(), RunRejection> {
        let policy = self.template(place)?.on_error;
        let step = self.node(place)?.id().clone();
        let handling = match (class, policy) {
            (Class::Fatal, _) | (_, OnError::FailFast) => Handling::FailsFast,
            (_, OnError::Continue) => Handling::Tolerated,
            (_, OnError::RetryThenFail) => Handling::Fails,
            (_, OnError::RetryThenSkip) => return self.skip(place, SkipReason::Failure, message),
        };
        self.draft.emit(StepFailed { step, class, code, message, handling });
        if handling == Handling::Tolerated { self.done(place) } else { Ok(()) }
    }

    /// Records a step that needed no attempt as completed.
    pub(super) fn complete(&mut self, step: &StepId, output: Json) {
        let output = self.draft.payload(output);
        self.draft.emit(StepCompleted {
            step: step.clone(),
            attempt: 0,
            output,
            artifacts: Vec::new(),
            usage: Usage::default(),
            cached: false,
            degraded: false,
            transcript: None,
        });
    }

    /// A step is done with. If it was the last inside of another, that one is completed.
    pub(super) fn done(&mut self, place: usize) -> Result<(), RunRejection> {
        self.pause_after(place)?;
        let Some(parent) = self.node(place)?.inside else { return Ok(()) };
        let grower = self.node(parent)?;
        let StepPhase::Expanded(expansion) = &grower.phase else { return Ok(()) };
        if expansion.done < grower.children.len() {
            return Ok(());
        }
        let (id, output) = (grower.id().clone(), self.list_of(&grower.children)?);
        self.complete(&id, output);
        self.done(parent)
    }

    /// A run that was to go on until this step or its phase is done pauses, unless there is nothing more to do.
    fn pause_after(&mut self, place: usize) -> Result<(), RunRejection> {
        let run = self.draft.state();
        let is_last = run.done == run.steps.len();
        let node = self.node(place)?;
        let is_meant = |until: &Arc<str>| {
            **until == *node.id().as_str()
                || node.added.phase.as_ref() == Some(until) && run.is_reached(until)
        };
        if self.goes_forward() && run.until.as_ref().is_some_and(is_meant) && !is_last {
            let (by, reason) = ("reenact".into(), Some("it was to go on until here only".to_owned()));
            self.draft.emit(RunPaused { by, reason });
        }
        Ok(())
    }

    /// The outputs of some steps as a list; null for those that have none.
    fn list_of(&self, places: &[usize]) -> Result<Json, RunRejection> {
        let mut outputs = Vec::with_capacity(places.len());
        for place in places {
            let output = self.node(*place)?.output();
            let json = output.map(|output| self.draft.json(output, self.moment)).transpose()?;
            outputs.push(json.unwrap_or_default());
        }
        Ok(Json::of(&outputs).unwrap_or_default())
    }
}

/// The same for all tries of a generation of a step, and for no other.
fn idempotency_key(run: &str, step: &StepId, generation: u32, purpose: Purpose) -> Arc<str> {
    let mut hasher = blake3::Hasher::new();
    for part in [run, step.as_str(), purpose.text()] {
        hasher.update(&(part.len() as u64).to_le_bytes()).update(part.as_bytes());
    }
    hasher.update(&generation.to_le_bytes());
    let hex = hasher.finalize().to_hex();
    hex.as_str().get(..KEY_DIGITS).unwrap_or_default().into()
}

/// 128 bits: no two keys of a store will ever be alike.
const KEY_DIGITS: usize = 32;
