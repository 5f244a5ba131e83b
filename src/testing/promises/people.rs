//! What must hold for requests, signals and fallback agents: nothing passes a gate that was not opened, an
//! answer counts once, and a signal lets one step go on.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use super::{Verdict, must};
use crate::events::ids::{RequestId, RunId, StepId};
use crate::events::json::Payload;
use crate::events::run::*;

/// The requests and signals of a run, and what people have answered.
#[derive(Default)]
pub(super) struct People {
    requests: BTreeMap<RequestId, OpenRequest>,
    /// The last request for each step, for its work and for its output.
    last: HashMap<(StepId, Gate), RequestId>,
    needs: BTreeMap<StepId, Vec<StepId>>,
    waiting: BTreeMap<StepId, Arc<str>>,
    signals: HashMap<Arc<str>, VecDeque<Payload>>,
    /// The steps that a fallback agent does.
    fallen_back: BTreeSet<StepId>,
    children: BTreeMap<RunId, StepId>,
}

struct OpenRequest {
    of: ApprovalRequested,
    granted: BTreeSet<Arc<str>>,
    /// The points of its checklist that were looked at, from 1.
    ticked: BTreeSet<u32>,
    answer: Option<bool>,
}

impl OpenRequest {
    fn of(asked: &ApprovalRequested) -> Self {
        Self { of: asked.clone(), granted: BTreeSet::new(), ticked: BTreeSet::new(), answer: None }
    }

    /// Whether a grant counts.
    fn may_be_granted(&self) -> bool {
        !self.of.require_checklist || self.ticked.len() >= self.of.checklist.len()
    }
}

impl People {
    pub(super) fn see(&mut self, event: &RunEvent) -> Verdict {
        match event {
            RunEvent::StepAdded(added) => {
                self.needs.insert(added.step.clone(), added.needs.clone());
                Ok(())
            }
            RunEvent::AttemptStarted(started) if started.purpose == Purpose::Do => {
                self.started(&started.step)
            }
            RunEvent::StepCompleted(done) => self.completed(done),
            RunEvent::SignalAwaited(awaited) => {
                self.waiting.insert(awaited.step.clone(), Arc::clone(&awaited.name));
                self.started(&awaited.step)
            }
            RunEvent::TimerSet(set) => self.started(&set.step),
            RunEvent::SignalReceived(came) => {
                self.signals.entry(Arc::clone(&came.name)).or_default().push_back(came.data.clone());
                Ok(())
            }
            RunEvent::StepSkipped(StepSkipped { step, .. })
            | RunEvent::StepFailed(StepFailed { step, .. })
            | RunEvent::StepCancelled(StepCancelled { step }) => {
                self.waiting.remove(step);
                // The step's output is refused too, so no request for it is needed any more.
                self.last.remove(&(step.clone(), Gate::After));
                Ok(())
            }
            RunEvent::FallbackEngaged(engaged) => {
                let first = self.fallen_back.insert(engaged.step.clone());
                self.last.remove(&(engaged.step.clone(), Gate::Before));
                must(first, || format!("`{}` falls back again", engaged.step))
            }
            // Steps that failed are done by their first agent again.
            RunEvent::RetryRequested(_) | RunEvent::RunUnpaused(_) => {
                self.fallen_back.clear();
                Ok(())
            }
            RunEvent::ChildStarted(started) => {
                let step = self.children.entry(started.run.clone()).or_insert_with(|| started.step.clone());
                must(*step == started.step, || format!("run `{}` is another step's child", started.run))
            }
            RunEvent::ChildEnded(ended) => {
                let started = self.children.get(&ended.run) == Some(&ended.step);
                must(started, || format!("run `{}` ends, and `{}` never started it", ended.run, ended.step))
            }
            _ => self.answered(event),
        }
    }

    fn answered(&mut self, event: &RunEvent) -> Verdict {
        match event {
            RunEvent::ApprovalRequested(asked) => {
                self.last.insert((asked.step.clone(), asked.gate), asked.request.clone());
                let before = self.requests.insert(asked.request.clone(), OpenRequest::of(asked));
                must(before.is_none(), || "a request is made twice".to_owned())
            }
            RunEvent::ApprovalChecked(checked) => {
                let asked = self.open(&checked.request, Some(&checked.by))?;
                asked.ticked.extend(&checked.points);
                Ok(())
            }
            RunEvent::ApprovalGranted(granted) => {
                let asked = self.open(&granted.request, Some(&granted.by))?;
                let may = asked.may_be_granted();
                must(may, || format!("request `{}` is granted before it is looked at", granted.request))?;
                if granted.edits.is_some() {
                    asked.granted.clear();
                }
                let counts = asked.granted.insert(Arc::clone(&granted.by));
                asked.answer = (asked.granted.len() >= asked.of.needed as usize).then_some(true);
                must(counts, || format!("{} grants request `{}` twice", granted.by, granted.request))
            }
            RunEvent::ApprovalRefused(refused) => {
                self.open(&refused.request, Some(&refused.by))?.answer = Some(false);
                Ok(())
            }
            RunEvent::ApprovalExpired(expired) => {
                let asked = self.open(&expired.request, None)?;
                asked.answer = Some(false);
                must(asked.of.expires.is_some(), || format!("request `{}` cannot expire", expired.request))
            }
            _ => Ok(()),
        }
    }

    /// The open request with that id, which `by` must be allowed to answer.
    fn open(&mut self, request: &RequestId, by: Option<&Arc<str>>) -> Result<&mut OpenRequest, String> {
        let Some(asked) = self.requests.get_mut(request) else {
            return Err(format!("there is no request `{request}`"));
        };
        must(asked.answer.is_none(), || format!("request `{request}` is answered already"))?;
        let may = by.is_none_or(|by| asked.of.approvers.is_empty() || asked.of.approvers.contains(by));
        must(may, || format!("request `{request}` is answered by somebody who is not asked"))?;
        Ok(asked)
    }

    /// Checks that people have granted what they must grant before a step starts.
    fn started(&mut self, step: &StepId) -> Verdict {
        let is_granted = |step: &StepId, gate: Gate| {
            let last = self.last.get(&(step.clone(), gate)).and_then(|request| self.requests.get(request));
            last.is_none_or(|asked| asked.answer == Some(true))
        };
        must(is_granted(step, Gate::Before), || format!("`{step}` starts, and nobody has granted that"))?;
        for need in self.needs.get(step).into_iter().flatten() {
            must(is_granted(need, Gate::After), || {
                format!("`{step}` starts, and nobody has granted what `{need}` answered")
            })?;
        }
        self.last.remove(&(step.clone(), Gate::After));
        Ok(())
    }

    fn completed(&mut self, done: &StepCompleted) -> Verdict {
        let Some(name) = self.waiting.remove(&done.step) else { return Ok(()) };
        let taken = self.signals.get_mut(&name).and_then(VecDeque::pop_front);
        must(taken.as_ref() == Some(&done.output), || {
            format!("`{}` goes on without the signal `{name}`, or with another", done.step)
        })
    }
}
