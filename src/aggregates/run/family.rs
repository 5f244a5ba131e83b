//! What a run says to its parent and to its children, and what follows from their answers.

use std::sync::Arc;

use super::child;
use super::kin::{ChildSays, EndedChild, ForParent, OfChild, Says, Wants, Word};
use super::{About, Ask, End, Ended, Phase, Run, RunEffect, RunEffectId, StartRun, Unwanted};
use crate::events::ids::{Fence, RunId, StepId, StreamId, Version};
use crate::events::json::Payload;
use crate::events::problem::{Class, Code, Problem};
use crate::events::run::{AttemptStarted, Parent, Purpose, RollbackCause};
use crate::kernel::{Blobs, EffectChanges, Message, Said};
use crate::workflow::work::{Child, Output, Work};

impl Run {
    /// The run and the step that started it, if any did.
    pub fn parent(&self) -> Option<&Parent> {
        self.about.as_ref()?.started.parent.as_ref()
    }

    /// The runs that make its open attempts, and whether each rests.
    pub fn open_children(&self) -> impl Iterator<Item = (&RunId, bool)> {
        let nodes = self.steps.iter().filter(|_| self.seen_through > 0);
        let open = nodes.filter(|node| node.open_at_child().is_some());
        open.filter_map(|node| node.child.as_ref()).map(|child| (&child.run, child.rests))
    }

    /// Whether nothing of it goes on but runs that it has started, not all of which are known to rest.
    pub fn awaits_children_only(&self) -> bool {
        self.phase == Phase::Going
            && !self.paused
            && self.resting < self.seen_through
            && self.running == self.seen_through.saturating_add(self.tasks.count())
            && !self.could_start()
            && !self.is_asking()
            && !self.shared.is_asking()
            && !self.has_own_timers()
    }

    /// What there is to tell a parent now; none as long as it goes on since its beginning.
    fn says(&self) -> Option<Says> {
        match &self.phase {
            Phase::Empty => None,
            Phase::Ended(_) => Some(Says::Ended),
            _ if self.rests() => Some(Says::Rests),
            _ => self.word.map(|_| Says::Goes),
        }
    }

    /// Takes note of what there is to tell, after the event of that version.
    pub(super) fn note_word(&mut self, version: Version, changes: &mut EffectChanges<RunEffect>) {
        if self.parent().is_none() {
            return;
        }
        let says = self.says();
        if says == self.word.map(|word| word.says) {
            return;
        }
        self.word = says.map(|says| Word { says, version });
        self.parent_may_rest |= says == Some(Says::Rests);
        self.telling = false;
        changes.close(RunEffectId::Tell);
        self.word.into_iter().for_each(|word| changes.open(RunEffect::Tell(word)));
    }

    /// Whether it has ended, its parent may rest, and nobody would wake that one again.
    pub(super) fn leaves_parent_at_rest(&self) -> bool {
        matches!(self.phase, Phase::Ended(_)) && self.parent_may_rest && !self.telling
    }

    /// What an effect says to a run of the family, if it does.
    pub(super) fn message(&self, effect: &RunEffect) -> Option<Message> {
        let about = self.about.as_ref()?;
        match effect {
            RunEffect::Child { attempt, .. } => self.to_child(about, attempt),
            RunEffect::Stop { step, fence } => {
                let (_, node) = self.node(step)?;
                let attempt = node.open_attempt().filter(|attempt| attempt.fence == *fence)?;
                let child = node.child.as_ref().filter(|_| child::is_made_by(&attempt.agent))?;
                let wants = Wants::Cancelled { rollback: node.doing.stop() == Some(Unwanted::Overdue) };
                Some(to(&child.run, about, step, format!("stop/{fence}"), wants))
            }
            RunEffect::Tell(word) => Some(self.to_parent(about, *word)),
            RunEffect::AskReturn => {
                let (parent, run) = (about.started.parent.clone()?, about.id.clone());
                Some(of_child(&parent, run, "return".to_owned(), true, |_| Ok(ChildSays::AsksReturn)))
            }
            RunEffect::AnswerReturn { step, granted } => {
                let child = self.node(step)?.1.child.as_ref()?;
                Some(to(
                    &child.run,
                    about,
                    step,
                    format!("return/{step}"),
                    Wants::Answered { granted: *granted },
                ))
            }
            RunEffect::Shared(effect) => self.to_context(effect),
            RunEffect::Start { .. }
            | RunEffect::Attempt(_)
            | RunEffect::Task(_)
            | RunEffect::HandOut { .. }
            | RunEffect::Deliver(_)
            | RunEffect::Give { .. }
            | RunEffect::Answer { .. }
            | RunEffect::Ask { .. }
            | RunEffect::Wake { .. } => None,
        }
    }

    /// What an attempt wants of the run that makes it.
    fn to_child(&self, about: &Arc<About>, attempt: &Arc<AttemptStarted>) -> Option<Message> {
        let (_, node) = self.node(&attempt.step)?;
        let child = node.child.as_ref();
        let told = child.and_then(|child| child.ended.as_ref()).map(|ended| ended.version);
        let run = child.map_or_else(
            || child::child_id(&about.id, &attempt.step, attempt.generation, None),
            |child| child.run.clone(),
        );
        let (step, effect) = (attempt.step.clone(), format!("attempt/{}", attempt.fence));
        let wants = match (attempt.purpose, node.doing.stop()) {
            (Purpose::Compensate, _) => Wants::Undone { told },
            (Purpose::Do, Some(why)) => Wants::Cancelled { rollback: why == Unwanted::Overdue },
            (Purpose::Do, None) => {
                let (about, attempt) = (Arc::clone(about), Arc::clone(attempt));
                let bypasses_cache = self.shared.bypasses_cache;
                let write = move |blobs: &dyn Blobs| {
                    let start = Box::new(start(&about, &attempt, bypasses_cache, blobs)?);
                    let parent = Parent { run: about.id.clone(), step: attempt.step.clone() };
                    let wants = Wants::Done { start, told };
                    Ok(Said::new(Ask::ForParent(Box::new(ForParent { parent, wants }))))
                };
                let (to, effect) = (StreamId::of_run(&run), effect.into());
                return Some(Message {
                    to,
                    effect,
                    id: None,
                    asks: true,
                    insists: false,
                    write: Arc::new(write),
                });
            }
        };
        Some(to(&run, about, &step, effect, wants))
    }

    /// What a child has to tell.
    fn to_parent(&self, about: &About, word: Word) -> Message {
        // Only who has a parent has a word for it.
        let parent = about.started.parent.clone();
        let parent = parent.unwrap_or_else(|| Parent { run: about.id.clone(), step: StepId::grown("") });
        let (run, effect) = (about.id.clone(), format!("tell/{}", word.version));
        match (word.says, &self.phase) {
            (Says::Ended, Phase::Ended(ended)) => {
                let (output, failure) = came_to(ended);
                let seen = Child {
                    status: self.status(),
                    version: word.version,
                    past_return: self.is_past_return(),
                    degraded: self.is_degraded(),
                };
                let message = of_child(&parent, run, effect, false, move |blobs| {
                    let output = blobs.json(&output).map_err(|unreadable| unreadable.problem())?;
                    let (seen, failure) = (seen.clone(), failure.clone());
                    Ok(ChildSays::Ended(Box::new(EndedChild { seen, output, failure })))
                });
                Message { insists: self.telling, ..message }
            }
            (Says::Rests, _) => {
                of_child(&parent, run, effect, false, move |_| Ok(ChildSays::Rests(word.version)))
            }
            (Says::Goes | Says::Ended, _) => {
                of_child(&parent, run, effect, false, move |_| Ok(ChildSays::Goes(word.version)))
            }
        }
    }

    /// The command that follows from what another run of the family answered.
    pub(super) fn answered(effect: &RunEffect, answer: Result<Version, Problem>) -> Option<Ask> {
        match (effect, answer) {
            (RunEffect::Shared(effect), answer) => Self::context_answered(effect, answer),
            // Nothing fails for what this process lacks: another goes on with it.
            (_, Err(problem)) if problem.code == Code::AgentLacking => None,
            (RunEffect::Child { attempt, .. }, Err(problem)) => Some(refused(attempt, problem)),
            (RunEffect::Stop { step, fence }, Err(problem)) if problem.code == Code::UnknownRun => {
                Some(Ask::NoChild { step: step.clone(), fence: *fence })
            }
            (RunEffect::Tell(word), Ok(_)) => Some(Ask::ParentTold { version: word.version }),
            // Nobody is there who would have to hear of it.
            (RunEffect::Tell(word), Err(problem)) if problem.code == Code::UnknownRun => {
                Some(Ask::ParentTold { version: word.version })
            }
            (RunEffect::AskReturn, Err(problem)) => Some(Ask::ReturnRefused { reason: problem.message }),
            _ => None,
        }
    }
}

/// The output of an end, and the class and the message of its error, if it had one.
fn came_to(ended: &Ended) -> (Payload, Option<(Class, String)>) {
    match &ended.how {
        End::Completed { output, error } => {
            (output.clone(), error.as_ref().map(|error| (error.class, error.message.clone())))
        }
        End::Failed(failed) => (Payload::default(), Some((failed.class, failed.message.clone()))),
        End::Stuck(stuck, _) => (Payload::default(), Some((stuck.class, stuck.message.clone()))),
        End::Compensated(RollbackCause::Failure { class, message, .. }) => {
            (Payload::default(), Some((*class, message.clone())))
        }
        End::Compensated(_) | End::Cancelled => (Payload::default(), None),
    }
}

/// A child does not do what an attempt wants of it.
fn refused(attempt: &AttemptStarted, problem: Problem) -> Ask {
    let (step, fence): (StepId, Fence) = (attempt.step.clone(), attempt.fence);
    if problem.code == Code::UnknownRun {
        return match attempt.purpose {
            // There is nothing to undo.
            Purpose::Compensate => Ask::Completed { step, fence, output: Output::default() },
            Purpose::Do => Ask::NoChild { step, fence },
        };
    }
    Ask::Failed { step, fence, failure: problem.into() }
}

fn to(run: &RunId, parent: &About, step: &StepId, effect: String, wants: Wants) -> Message {
    let ask = ForParent { parent: Parent { run: parent.id.clone(), step: step.clone() }, wants };
    let write = move |_: &dyn Blobs| Ok(Said::new(Ask::ForParent(Box::new(ask.clone()))));
    let (to, effect, write) = (StreamId::of_run(run), effect.into(), Arc::new(write));
    Message { to, effect, id: None, asks: true, insists: false, write }
}

fn of_child(
    parent: &Parent,
    run: RunId,
    effect: String,
    asks: bool,
    says: impl Fn(&dyn Blobs) -> Result<ChildSays, Problem> + Send + Sync + 'static,
) -> Message {
    let (to, step) = (StreamId::of_run(&parent.run), parent.step.clone());
    let write = move |blobs: &dyn Blobs| {
        let tidings = OfChild { run: run.clone(), step: step.clone(), says: says(blobs)? };
        Ok(Said::new(Ask::OfChild(Box::new(tidings))))
    };
    Message { to, effect: effect.into(), id: None, asks, insists: false, write: Arc::new(write) }
}

/// What the child of an attempt begins with.
fn start(
    about: &About,
    attempt: &AttemptStarted,
    bypasses_cache: bool,
    blobs: &dyn Blobs,
) -> Result<StartRun, Problem> {
    let input = blobs.json(&attempt.input).map_err(|unreadable| unreadable.problem())?;
    let work: Work = serde_json::from_str(input.text())
        .map_err(|error| Problem::new(Code::Internal, format!("an attempt's input: {error}")))?;
    let file = work.workflow.as_deref().unwrap_or_default();
    let binding = about.started.children.iter().find(|child| *child.file == *file);
    let unknown = || {
        let message = format!("the workflow `{file}` was not known when the run started");
        Problem::new(Code::ChildWorkflow, message)
    };
    let binding = binding.ok_or_else(unknown)?;
    child::start(about, &attempt.step, binding, &work.with, bypasses_cache, blobs).map_err(Problem::from)
}
