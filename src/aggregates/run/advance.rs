//! What starts and what ends of itself, after any command: steps that became ready are examined, attempts start as
//! far as there are slots (`start`), people are asked (`people`), the graph grows (`grow`), earlier answers are taken (`cache`), expressions see what is there (`scope`). How a run with nothing left
//! to do ends is in `end`, how it is undone in `unwind`.

mod cache;
mod conversations;
mod end;
pub(super) mod grow;
mod people;
mod phase;
mod plan;
mod scope;
pub(super) mod shared;
mod start;
mod unwind;

use std::sync::Arc;

pub(super) use self::cache::Given;
use super::{Grants, Impossible, Moment, Node, Phase, Run, RunEffect, RunRejection, StepIndex, StepPhase};
use crate::events::ids::{StepId, TimerId};
use crate::events::json::{Json, Payload};
use crate::events::problem::{Class, Code};
use crate::events::run::*;
use crate::kernel::Draft;
use crate::workflow::definition::{Definition, Does, OnError, Step};
use crate::workflow::expression::RenderError;

/// A decision on its way, with what every part of it needs.
pub(super) struct Advance<'d, 'a> {
    pub(super) draft: &'d mut Draft<'a, Run>,
    pub(super) definition: &'d Definition,
    pub(super) moment: &'d Moment<'d>,
    /// What is left of what was granted. Without, nobody drives the run: what is asked is recorded, and nothing starts.
    drive: Option<Grants>,
    /// How many of the draft's opened effects have been looked at.
    seen: usize,
    /// Whether steps that were ready before this decision are to be looked at too.
    all: bool,
    /// Whether this decision leaves steps that go forward as they are.
    undoes_only: bool,
    /// How much the fan-outs of this decision add to its commit, in bytes.
    fanned_bytes: usize,
}

/// Ends the tasks that the run does not want any more, as attempts end.
type Withdraw = fn(&mut Advance<'_, '_>) -> Result<(), RunRejection>;

/// What a step is completed with.
#[derive(Default)]
pub(super) struct Completion {
    /// The attempt that did it; none where none was needed.
    pub(super) attempt: Option<u32>,
    pub(super) output: Json,
    pub(super) artifacts: Vec<String>,
    pub(super) usage: Usage,
    pub(super) degraded: bool,
    pub(super) transcript: Option<Payload>,
    /// What its agent says of the work.
    pub(super) said: Option<Said>,
    /// Who gave the answer.
    pub(super) given: Given,
}

/// What keeps a step from starting, from being undone, or from being asked about.
pub(super) enum StartError {
    /// The step's own: what it says cannot be rendered.
    Render(RenderError),
    /// It keeps the run from deciding at all.
    Rejected(RunRejection),
}

impl From<RenderError> for StartError {
    fn from(error: RenderError) -> Self {
        Self::Render(error)
    }
}

impl<T: Into<RunRejection>> From<T> for StartError {
    fn from(rejection: T) -> Self {
        Self::Rejected(rejection.into())
    }
}

impl StartError {
    /// What is wrong with the step itself.
    ///
    /// # Errors
    /// What keeps the run from deciding at all.
    pub(super) fn of_the_step(self) -> Result<RenderError, RunRejection> {
        match self {
            Self::Render(error) => Ok(error),
            Self::Rejected(rejection) => Err(rejection),
        }
    }

    /// What keeps the run from deciding where what a step asks cannot be told.
    fn of_what_is_asked(self, step: &StepId) -> RunRejection {
        match self {
            Self::Render(_) => Impossible::NotTold(step.clone()).into(),
            Self::Rejected(rejection) => rejection,
        }
    }
}

impl<'d, 'a> Advance<'d, 'a> {
    pub(super) fn new(
        draft: &'d mut Draft<'a, Run>,
        definition: &'d Definition,
        moment: &'d Moment<'d>,
    ) -> Self {
        let (seen, drive) = (draft.opened().len(), moment.grants.cloned());
        Self { draft, definition, moment, drive, seen, all: false, undoes_only: false, fanned_bytes: 0 }
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
    pub(super) fn is_given_up(&self, place: StepIndex) -> bool {
        self.draft.state().is_given_up(place)
    }

    /// Whether steps may start.
    pub(super) fn goes_forward(&self) -> bool {
        let run = self.draft.state();
        run.phase == Phase::Going && !run.paused
    }

    /// The step of the definition, or of a plan, that says what this one does.
    pub(super) fn template(&self, place: StepIndex) -> Result<Arc<Step>, RunRejection> {
        let added = &self.node(place)?.added;
        let planned = added
            .planned
            .map(|plan| self.draft.value::<Definition, _>(&plan.hash, self.moment))
            .transpose()?;
        let definition = planned.as_deref().unwrap_or(self.definition);
        let found = definition.step(&added.template).cloned();
        let found = found.or_else(|| definition.phase_gate(&added.template).map(Arc::new));
        found.ok_or_else(|| Impossible::NoTemplate(added.template.clone()).into())
    }

    pub(super) fn node(&self, place: StepIndex) -> Result<&Node, Impossible> {
        self.draft.state().steps.get(place).ok_or(Impossible::NoStep(place.number()))
    }

    /// Lets everything follow that follows. `withdraw` ends the tasks that the run does not want any more.
    pub(super) fn run(mut self, withdraw: Withdraw) -> Result<(), RunRejection> {
        if self.drive.is_some() && self.goes_forward() {
            self.go_on()?;
            // Nothing starts that was not looked at: its `if` may keep it from that.
            while self.goes_forward() && (self.examine()? || self.start_granted()?) {}
        }
        self.end_vain_waits();
        withdraw(&mut self)?;
        if matches!(self.draft.state().phase, Phase::Ending(_)) {
            self.end()?;
            withdraw(&mut self)?;
            self.end_vain_waits();
        }
        if matches!(self.draft.state().phase, Phase::Unwinding(_)) {
            self.unwind()?;
        }
        if self.draft.state().phase == Phase::Going {
            self.complete_run()?;
        }
        self.start_deliveries();
        self.give_while_they_run()?;
        Ok(())
    }

    /// Whether somebody drives the run, so that something may start.
    pub(super) fn is_driven(&self) -> bool {
        self.drive.is_some()
    }

    /// Lets those go on that stood still while the run did.
    fn go_on(&mut self) -> Result<(), RunRejection> {
        for place in self.draft.state().stalled.iter().copied().collect::<Vec<_>>() {
            // One of them may have failed for good, and who has ended asks nobody.
            if !self.goes_forward() {
                break;
            }
            let step = self.template(place)?;
            let node = self.node(place)?;
            let is_asked_again = matches!(node.doing.phase, StepPhase::Completed(_));
            match step.approval.as_ref().filter(|_| is_asked_again) {
                Some(approval) => {
                    let output = node.output().cloned().unwrap_or_default();
                    let output = self.draft.json(&output, self.moment)?;
                    self.ask_after(place, approval, &output)?;
                }
                None => self.inner_done(place)?,
            }
        }
        Ok(())
    }

    /// Looks at the steps that became ready: whether they are to be done at all, and those that need no slot.
    /// Answers whether there were any.
    fn examine(&mut self) -> Result<bool, RunRejection> {
        let run = self.draft.state();
        let ready: Vec<StepIndex> = if std::mem::take(&mut self.all) {
            run.ready.steps().copied().collect()
        } else {
            let opened = self.draft.opened().get(self.seen..).unwrap_or_default();
            opened
                .iter()
                .filter_map(|effect| match effect {
                    RunEffect::Start { step, purpose: Purpose::Do, .. } => run.steps.index(step),
                    _ => None,
                })
                .collect()
        };
        self.seen = self.draft.opened().len();
        for place in &ready {
            if !self.goes_forward() {
                break;
            }
            if self.node(*place)?.doing.is_ready() {
                self.examine_one(*place)?;
            }
        }
        Ok(!ready.is_empty())
    }

    fn examine_one(&mut self, place: StepIndex) -> Result<(), RunRejection> {
        let step = self.template(place)?;
        if self.must_read(place, &step)? || !self.may_start(place, &step)? {
            return Ok(());
        }
        if self.must_look_up(place, &step)? {
            return Ok(());
        }
        match &self.node(place)?.added.kind {
            // An attempt starts as soon as there is a slot.
            StepKind::Work { .. } => self.begin_turns(place, &step).map(drop),
            StepKind::FanOut { .. } => self.fan_out(place, &step),
            StepKind::Repeat { .. } => self.add_round(place, &step),
            // It has asked, if it was to ask before its phase.
            StepKind::AskOfPhase => self.complete(place, Json::null()),
            StepKind::Wait { signal } => self.await_signal(place, &Arc::clone(signal), &step),
            StepKind::Sleep => self.sleep(place, &step),
        }
    }

    fn sleep(&mut self, place: StepIndex, step: &Step) -> Result<(), RunRejection> {
        let id = self.node(place)?.id().clone();
        // It would never end.
        let Does::Sleep(length) = step.does else { return Err(Impossible::NoTemplate(id).into()) };
        let at = self.moment.now.after(length);
        self.draft.emit(TimerSet { timer: TimerId::sleep(&id), step: id, at });
        Ok(())
    }

    /// Whether a step that is ready is to start: its `if` holds, and what people have to grant is granted. If not, it has
    /// ended, or they are asked. A part of a step was judged with the whole, and what has begun before that.
    fn may_start(&mut self, place: StepIndex, step: &Step) -> Result<bool, RunRejection> {
        let node = self.node(place)?;
        if node.is_part() {
            return Ok(true);
        }
        if let Some(condition) = step.condition.as_ref().filter(|_| node.started_at.is_none()) {
            let holds = self
                .scope(Some(place), condition.references())
                .and_then(|scope| condition.is_true(&scope).map_err(StartError::Render));
            match holds {
                Ok(true) => {}
                Ok(false) => {
                    let why = "its `if` is not true".to_owned();
                    return self.skip(place, SkipReason::Condition, why).map(|()| false);
                }
                Err(hindrance) => return self.hinder(place, hindrance).map(|()| false),
            }
        }
        match step.approval.as_ref().filter(|approval| approval.gate == Gate::Before) {
            Some(approval) if self.node(place)?.granted.is_none() => {
                self.ask_before(place, step, approval).map(|()| false)
            }
            _ => Ok(true),
        }
    }

    /// A step cannot start: it uses what is not there, or an expression fails.
    pub(super) fn hinder(&mut self, place: StepIndex, hindrance: StartError) -> Result<(), RunRejection> {
        let error = hindrance.of_the_step()?;
        match error.skips() {
            Some(message) => self.skip(place, SkipReason::Dependency, message),
            None => {
                let problem = error.problem();
                self.fail(place, problem.class, problem.code, problem.message)
            }
        }
    }

    pub(super) fn skip(
        &mut self,
        place: StepIndex,
        reason: SkipReason,
        message: String,
    ) -> Result<(), RunRejection> {
        let step = self.node(place)?.id().clone();
        self.draft.emit(StepSkipped { step, reason, message });
        self.done(place)
    }

    /// Doing a step, or undoing it, is not tried any more.
    pub(super) fn give_up(
        &mut self,
        place: StepIndex,
        purpose: Purpose,
        class: Class,
        code: Code,
        message: String,
    ) -> Result<(), RunRejection> {
        match purpose {
            Purpose::Do => self.fail_or_fall_back(place, class, code, message),
            Purpose::Compensate => {
                let step = self.node(place)?.id().clone();
                self.draft.emit(CompensationFailed { step, class, code, message });
                Ok(())
            }
        }
    }

    /// An agent has failed for good at a step: if another is to do it then, that one's turn comes; else the step has
    /// failed.
    fn fail_or_fall_back(
        &mut self,
        place: StepIndex,
        class: Class,
        code: Code,
        message: String,
    ) -> Result<(), RunRejection> {
        let step = self.template(place)?;
        let node = self.node(place)?;
        let may = class != Class::Fatal && node.fallback.is_none() && !self.is_given_up(place);
        let (Some(fallback), Some(from)) = (step.fallback.as_ref().filter(|_| may), node.slot(Purpose::Do))
        else {
            return self.fail(place, class, code, message);
        };
        let (step, from, to) = (node.id().clone(), from.clone(), fallback.agent.clone());
        self.draft.emit(FallbackEngaged { step, from, to });
        Ok(())
    }

    /// A step failed for good: what that does to the run is the step's to say, unless the failure is fatal.
    pub(super) fn fail(
        &mut self,
        place: StepIndex,
        class: Class,
        code: Code,
        message: String,
    ) -> Result<(), RunRejection> {
        let policy = self.template(place)?.on_error;
        let step = self.node(place)?.id().clone();
        let tolerates = matches!(policy, OnError::Continue | OnError::RetryThenSkip);
        let message = if class == Class::Fatal && tolerates {
            format!("{message} (a fatal failure is never tolerated)")
        } else {
            message
        };
        let handling = match (class, policy) {
            (Class::Fatal, _) | (_, OnError::FailFast) => Handling::FailsFast,
            (_, OnError::Continue) => Handling::Tolerated,
            (_, OnError::RetryThenFail) => Handling::Fails,
            (_, OnError::RetryThenSkip) => return self.skip(place, SkipReason::Failure, message),
        };
        self.draft.emit(StepFailed { step, class, code, message, handling });
        if handling == Handling::Tolerated { self.done(place) } else { Ok(()) }
    }

    /// A step that needed no attempt came through.
    pub(super) fn complete(&mut self, place: StepIndex, output: Json) -> Result<(), RunRejection> {
        self.came_through(place, Completion { output, ..Completion::default() })
    }

    /// A step is completed, unless people have to say something about it first; if it answered a plan, that joins the
    /// graph.
    pub(super) fn came_through(&mut self, place: StepIndex, came: Completion) -> Result<(), RunRejection> {
        let step = self.template(place)?;
        let gate = step.approval.as_ref().filter(|approval| approval.gate == Gate::After);
        let is_part = self.node(place)?.is_part();
        match gate.filter(|_| !is_part) {
            // The last of a chain is asked about, in which the whole has come through.
            Some(_) if self.draft.state().has_handed_over(place) => {}
            Some(approval) => self.ask_after(place, approval, &came.output)?,
            None if came.attempt.is_some() => self.grow(place, &came.output)?,
            None => {}
        }
        let step = self.node(place)?.id().clone();
        let Completion { attempt, artifacts, usage, degraded, transcript, said, given, output } = came;
        let cached = matches!(given, Given::Earlier);
        if let (Some(attempt), Given::ByAgent(answer, files), false) = (attempt, given, degraded) {
            self.keep_answer(place, attempt, answer, files)?;
        }
        let output = self.draft.payload(output);
        self.draft.emit(StepCompleted {
            step,
            attempt: attempt.unwrap_or_default(),
            output,
            artifacts,
            usage,
            cached,
            degraded,
            transcript,
            said,
        });
        if self.node(place)?.is_done() { self.done(place) } else { Ok(()) }
    }

    /// A step is done with. What it is inside of may be, too, or go on.
    pub(super) fn done(&mut self, place: StepIndex) -> Result<(), RunRejection> {
        self.pause_after(place)?;
        let Some(parent) = self.node(place)?.inside else { return Ok(()) };
        let outer = self.node(parent)?;
        if outer.doing.phase == StepPhase::Expanded {
            self.inner_done(parent)
        } else if outer.is_done() && matches!(outer.doing.phase, StepPhase::Completed(_)) {
            // It is done with when all is that it planned.
            self.done(parent)
        } else {
            Ok(())
        }
    }

    /// A run that was to go on until this step or its phase is done pauses, unless there is nothing more to do.
    fn pause_after(&mut self, place: StepIndex) -> Result<(), RunRejection> {
        let run = self.draft.state();
        let is_last = run.done == run.steps.len();
        let node = self.node(place)?;
        let is_meant = |until: &Arc<str>| {
            **until == *node.id().as_str()
                || node.added.phase.as_ref() == Some(until) && run.is_reached(until)
        };
        if self.goes_forward() && run.until.as_ref().is_some_and(is_meant) && !is_last {
            let (by, reason) = ("reenact".into(), Some("it was to go on until here only".to_owned()));
            Run::pause(self.draft, by, reason);
        }
        Ok(())
    }
}
