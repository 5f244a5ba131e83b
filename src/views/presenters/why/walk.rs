//! From the last event of a run to the first.

use std::collections::BTreeSet;

use super::past::Past;
use super::want::{Met, Want};
use super::{Cause, LINKS_MAX, begin, follow, says};
use crate::events::codec::Encoded;
use crate::events::ids::{RunId, StepId, Version};
use crate::events::run::{ChildEnded, ChildRested, Parent, Purpose, RunEvent, RunStarted};
use crate::events::time::Timestamp;

/// How many of the messages are followed that an attempt handled, the last first.
const MESSAGES_MAX: usize = 3;

/// A look at the events of one run, from the last to the first.
pub struct Walk<'a> {
    past: Past<'a>,
    run: RunId,
    wants: Vec<Want>,
    /// Steps whose own attempts are told.
    asked_about: BTreeSet<StepId>,
    /// What was wanted before: nothing is looked for twice, but for those of whom several count.
    known: Vec<Want>,
    chain: Vec<Cause>,
    /// What is told of the attempts before another: where that stands, which one it was, and how many there were.
    earlier: Vec<Earlier>,
    left: usize,
}

struct Earlier {
    step: StepId,
    purpose: Purpose,
    link: usize,
    count: u32,
}

/// What came of looking at an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// On to the event before it.
    On,
    /// It is a link, and what it follows from happened to a run that this one has started: up to that version of it.
    Child(RunId, Version),
    /// It is a link, and what it follows from happened to the run that has started this one.
    Parent(Parent),
}

impl<'a> Walk<'a> {
    /// Looks for what shows how a run is, or a step of it, and on from there. At most so many links are wanted.
    pub fn new(run: &RunId, past: Past<'a>, step: Option<&StepId>, links: usize) -> Self {
        let wants = match step {
            Some(step) => begin::of_step(&past, step),
            None => begin::of_run(&past),
        };
        Self::with(run, past, wants, step, links)
    }

    /// Looks for what a run gave the run that one of its steps has started, and on from there.
    pub fn of_giver(run: &RunId, past: Past<'a>, step: &StepId, links: usize) -> Self {
        let wants = vec![Want::Began(step.clone(), Purpose::Do)];
        Self::with(run, past, wants, Some(step), links)
    }

    fn with(run: &RunId, past: Past<'a>, wants: Vec<Want>, step: Option<&StepId>, links: usize) -> Self {
        let wants: Vec<Want> = wants.into_iter().map(|want| want.at_the_end_of_its_chain(&past)).collect();
        Self {
            past,
            run: run.clone(),
            known: wants.clone(),
            wants,
            asked_about: step.into_iter().cloned().collect(),
            chain: Vec::new(),
            earlier: Vec::new(),
            left: links.min(LINKS_MAX),
        }
    }

    /// Whether nothing is looked for any more but perhaps with what the run began, which is its first event.
    pub fn is_over(&self) -> bool {
        self.left == 0 || !self.wants.iter().any(Want::is_sought)
    }

    /// Whether the first event is wanted.
    pub fn wants_start(&self) -> bool {
        self.left > 0 && (self.chain.is_empty() || self.wants.contains(&Want::Start))
    }

    /// Looks at an event: after all that were recorded later.
    pub fn see(&mut self, version: Version, at: Timestamp, event: &RunEvent) -> Seen {
        let mut found = false;
        for want in std::mem::take(&mut self.wants) {
            match want.met_by(event, &self.past) {
                Met::No => self.wants.push(want),
                Met::Never => {}
                Met::Found => found = true,
                Met::Part => {
                    found |= self.is_news(&want, event);
                    self.wants.push(want);
                }
            }
        }
        let is_start = self.wants.is_empty() && self.chain.is_empty();
        let is_start = is_start && matches!(event, RunEvent::RunStarted(_));
        if !(found || is_start) || self.left == 0 {
            return Seen::On;
        }
        self.link(version, at, event)
    }

    /// Makes an event the next link.
    fn link(&mut self, version: Version, at: Timestamp, event: &RunEvent) -> Seen {
        let (step, says) = says::says(&self.past, event, at);
        let is_asked_about = step.as_ref().is_none_or(|step| self.asked_about.contains(step));
        let kind = event.kind().to_owned();
        self.chain.push(Cause { run: self.run.clone(), version, kind, step, says });
        self.left -= 1;
        for want in follow::causes(&self.past, event, is_asked_about) {
            let want = want.at_the_end_of_its_chain(&self.past);
            if !self.is_known(&want) {
                self.known.push(want.clone());
                self.wants.push(want);
            }
        }
        match event {
            RunEvent::ChildEnded(ChildEnded { run, version, .. })
            | RunEvent::ChildRested(ChildRested { run, version, .. }) => Seen::Child(run.clone(), *version),
            RunEvent::RunStarted(RunStarted { parent: Some(parent), .. }) => Seen::Parent(parent.clone()),
            _ => Seen::On,
        }
    }

    /// Whether that was looked for before. Several may have granted one request; and attempts before one are those before
    /// the next.
    fn is_known(&self, want: &Want) -> bool {
        match want {
            Want::Granted(_) => false,
            Want::Earlier(step, purpose, _) => self
                .known
                .iter()
                .any(|known| matches!(known, Want::Earlier(of, to, _) if (of, to) == (step, purpose))),
            want => self.known.contains(want),
        }
    }

    /// Of attempts before another only the last is a link; how many there were stands in it. Of the messages that an attempt
    /// handled a few are.
    fn is_news(&mut self, want: &Want, event: &RunEvent) -> bool {
        if let Want::Handled(step, ..) = want {
            let is_one = |cause: &&Cause| cause.kind == event.kind() && cause.step.as_ref() == Some(step);
            return self.chain.iter().filter(is_one).count() < MESSAGES_MAX;
        }
        let Want::Earlier(step, purpose, _) = want else { return true };
        let is_it = |earlier: &&mut Earlier| (&earlier.step, earlier.purpose) == (step, *purpose);
        match self.earlier.iter_mut().find(is_it) {
            Some(earlier) => {
                earlier.count += 1;
                if let Some(link) = self.chain.get_mut(earlier.link) {
                    says::count_earlier(&mut link.says, event, earlier.count);
                }
                false
            }
            None => {
                let (step, purpose, link) = (step.clone(), *purpose, self.chain.len());
                self.earlier.push(Earlier { step, purpose, link, count: 0 });
                true
            }
        }
    }

    /// Goes on after the chain of a run that this one has started. If that used what it was given, this run has given it.
    pub fn after_child(&mut self, event: &RunEvent, chain: Vec<Cause>, used_input: bool) {
        self.left = self.left.saturating_sub(chain.len());
        self.chain.extend(chain);
        if let (
            true,
            RunEvent::ChildEnded(ChildEnded { step, .. }) | RunEvent::ChildRested(ChildRested { step, .. }),
        ) = (used_input, event)
        {
            self.asked_about.insert(step.clone());
            self.wants.push(Want::Began(step.clone(), Purpose::Do));
        }
    }

    /// How many further links may be told.
    pub fn left(&self) -> usize {
        self.left
    }

    /// Whether an event of that type could be what is looked for now: others need not be decoded. `says` tells whether a
    /// text may stand in it.
    pub fn could_be(&self, kind: &str, says: impl Fn(&str) -> bool) -> bool {
        self.wants.iter().any(|want| want.could_be(kind) && want.names(kind).is_none_or(&says))
    }

    /// The links that were found.
    pub fn chain(self) -> Vec<Cause> {
        self.chain
    }
}
