//! A family of runs in one process: each in the core that keeps it alive, and messages between them.

mod acts;

use std::any::TypeId;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use reenact::aggregates::run::{Ask, Grants, Run, RunEffect, RunEffectId, RunStatus, StartRun};
use reenact::events::codec::Encoded;
use reenact::events::ids::{Fence, RunId, StreamId, Version};
use reenact::events::json::Json;
use reenact::events::problem::Problem;
use reenact::events::run::{AttemptStarted, RunEvent};
use reenact::events::time::Timestamp;
use reenact::kernel::core::Residency;
use reenact::kernel::{Aggregate, Due, Effect, Lasts, Own, Value, ValueKey};
use reenact::testing::Broken;
use reenact::testing::hosted::{Hosted, Saying, Supply};
use reenact::testing::simulation::{child_of, start_of};
use reenact::testing::words::words;
use reenact::testing::world::{Failure, Output, Stop, Task};
use reenact::workflow::definition::Definition;
use reenact::workflow::parse::{Known, parse};

use super::post::{Habits, Mail, Post};
use super::promises::Audit;
use super::world::{World, is_held};

/// A family and what happens to it.
#[derive(Clone, Copy)]
pub(super) struct Story {
    pub(super) name: &'static str,
    /// The steps of the workflows `root`, `child` and, where there is one, `grandchild`.
    pub(super) files: &'static [&'static str],
    /// What happens before anything else does, with messages on their way.
    pub(super) at_once: fn(&Family) -> Option<Act>,
    /// Whether approvals are granted; else they are refused.
    pub(super) grants: bool,
    /// Whether nobody answers the first child.
    pub(super) ignores_first: bool,
    /// How the runs end, by workflow, in the order in which they began.
    pub(super) ends: Ends,
    /// How they may end too if the process dies at a moment that makes that difference.
    pub(super) may_end: Ends,
}

type Ends = &'static [(&'static str, &'static [RunStatus])];

/// As many slots as could be used, and the definition as it was given.
#[derive(Clone, Default)]
struct Slots(Option<(ValueKey, Value)>);

impl Supply<Run> for Slots {
    fn grants(&mut self, state: &Run, ask: &Ask) -> Grants {
        if let (None, Some(start)) = (&self.0, ask.begins()) {
            let key = (start.definition_blob.reference.hash, TypeId::of::<Definition>());
            self.0 = Some((key, Arc::clone(&start.definition) as Value));
        }
        state.startable(ask)
    }

    fn remembered(&self) -> Option<(ValueKey, Value)> {
        self.0.clone()
    }
}

type Host = Hosted<Run, Slots>;

/// A run of the family.
#[derive(Clone)]
struct Member {
    host: Host,
    /// How often it was put away.
    life: u32,
}

/// Whom the next process drives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Drives {
    /// The root, and nobody else.
    Root,
    /// The youngest first, and the root when nothing more follows.
    YoungestFirst,
    /// Nobody.
    Nobody,
    /// Whoever has something to do, for as long as it has, and nobody by name.
    All,
}

/// What becomes of what is on its way when the process dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Loss {
    /// It is lost.
    Lost,
    /// It was heard, and what followed is lost.
    Heard,
}

/// What happens next.
#[derive(Debug, Clone)]
pub(super) enum Act {
    /// Somebody asks something of the run of a workflow.
    Ask(&'static str, Ask),
    /// Somebody answers a run.
    Say(StreamId, Ask),
    /// Somebody drives a run.
    Drive(StreamId, Residency),
    /// What is on its way there is delivered.
    Deliver(usize),
    /// An attempt is made.
    Make(StreamId, Arc<AttemptStarted>),
    /// An attempt that was told to stop does.
    Stop(StreamId, Arc<AttemptStarted>),
    /// What waits for a slot gets one.
    Go(StreamId),
    /// It gets so late.
    Wake(StreamId, Timestamp),
}

#[derive(Clone)]
pub(super) struct Family {
    pub(super) story: &'static Story,
    members: BTreeMap<StreamId, Member>,
    root: StreamId,
    start: Arc<StartRun>,
    post: Post,
    habits: Habits,
    drives: Drives,
    /// Who is still to be driven because a process has taken over.
    takes_over: VecDeque<StreamId>,
    /// The process dies before that output.
    dies_before: Option<usize>,
    has_crashed: bool,
    /// In which order they began.
    born: Vec<StreamId>,
    /// The attempts that this process and those before it began to make, of those that are open.
    made: BTreeSet<(StreamId, Fence)>,
    /// The versions at which nothing came of a slot.
    idle: BTreeMap<StreamId, Version>,
    pub(super) world: World,
    now: Timestamp,
    audit: Audit,
    acts: Vec<Arc<str>>,
}

/// How long everything takes that is not a timer.
const TICK: Duration = Duration::from_millis(1);

/// A family in which more happens goes in a circle.
const ACTS_MAX: usize = 1_000;

impl Family {
    pub(super) fn new(story: &'static Story, habits: Habits, drives: Drives) -> Self {
        let names = ["root", "child", "grandchild"];
        let definition = |(name, steps): (&str, &&str)| {
            let yaml = format!("name: {name}\nsteps:\n{steps}");
            parse(&yaml, name, &Known::default()).unwrap_or_else(|problems| panic!("{problems:?}")).definition
        };
        let mut files = names.into_iter().zip(story.files).map(|file| (file.0, definition(file)));
        let mut start = start_of(files.next().unwrap().1, Json::parse("{}").unwrap());
        start.children = files.map(|(file, definition)| child_of(file, &definition)).collect();
        Self {
            story,
            members: BTreeMap::new(),
            root: StreamId::of_run(&RunId::parse("root").unwrap()),
            start: Arc::new(start),
            post: Post::default(),
            habits,
            drives,
            takes_over: VecDeque::new(),
            dies_before: None,
            has_crashed: false,
            born: Vec::new(),
            made: BTreeSet::new(),
            idle: BTreeMap::new(),
            world: World::default(),
            now: Timestamp(1_800_000_000_000_000),
            audit: Audit::default(),
            acts: Vec::new(),
        }
    }

    /// What happens next, if anything does.
    pub(super) fn next(&self) -> Option<Act> {
        if self.host(&self.root).is_none_or(|host| host.state().about().is_none()) {
            return Some(Act::Ask("root", Ask::Start(Box::new((*self.start).clone()))));
        }
        let first = self.takes_over.front().map(|first| Act::Drive(first.clone(), self.residency()));
        let nobody_is_driven = self.drives != Drives::All && !self.hosts().any(|(_, host)| host.is_driven());
        (self.story.at_once)(self)
            .or_else(|| first.clone().filter(|_| nobody_is_driven))
            .or_else(|| self.post.next(self.habits, self.acts.len() as u64).map(Act::Deliver))
            .or_else(|| self.goes())
            .or_else(|| self.stops())
            .or_else(|| self.left_alone())
            .or_else(|| self.answers())
            .or_else(|| {
                self.attempts().into_iter().find(|(_, attempt)| !is_held(attempt.agent.as_str())).map(make)
            })
            .or(first)
            .or_else(|| self.timers())
    }

    /// Lets that happen.
    pub(super) fn play(&mut self, act: &Act) -> Result<(), String> {
        if matches!(act, Act::Say(..) | Act::Wake(..)) {
            self.check_waiting().map_err(|why| self.tell(&why))?;
        }
        self.acts.push(self.words_of(act).into());
        if self.acts.len() > ACTS_MAX {
            return Err(self.tell("it never ends"));
        }
        self.carry_out(act).map_err(|why| self.tell(&why))
    }

    /// Lets things happen until nothing does.
    pub(super) fn finish(&mut self) -> Result<(), String> {
        while let Some(act) = self.next() {
            self.play(&act)?;
        }
        self.check_waiting().map_err(|why| self.tell(&why))?;
        let may_end = self.has_crashed && self.ends_as(self.story.may_end);
        if !may_end && !self.ends_as_told() {
            return Err(self.tell(&format!("nothing more follows, and they are {:?}", self.ends())));
        }
        for (_, host) in self.hosts() {
            host.check_prefixes().map_err(|broken| self.tell(&broken.to_string()))?;
        }
        Ok(())
    }

    /// Lets the process die before that output of what happens next, counted from 0.
    pub(super) fn die_before(&mut self, nth: usize) {
        self.dies_before = Some(nth);
    }

    /// How many outputs came of what happened since this was last asked.
    pub(super) fn take_outputs(&mut self) -> usize {
        self.members.values_mut().map(|member| member.host.take_trail().len()).sum()
    }

    /// The process dies, and what was on its way with it. Another will drive these.
    pub(super) fn crash(&mut self, loss: Loss, drives: Drives) -> Result<(), String> {
        self.acts.push(format!("crash, {loss:?}, {drives:?}").into());
        let mail = self.post.take_all();
        for mail in mail.into_iter().filter(|_| loss == Loss::Heard) {
            self.deliver(mail).map_err(|why| self.tell(&why))?;
        }
        self.post = Post::default();
        for (stream, member) in &mut self.members {
            let made = member.host.performs().filter_map(|effect| match effect {
                RunEffect::Attempt(attempt) => Some((stream.clone(), attempt.fence)),
                _ => None,
            });
            self.made.extend(made);
            member.host.crash();
            member.host.take_trail();
            member.life += 1;
        }
        (self.dies_before, self.has_crashed, self.drives) = (None, true, drives);
        let mut left = self.born.iter().filter(|stream| !self.is_over(stream));
        let youngest = left.next_back().filter(|_| drives == Drives::YoungestFirst).cloned();
        let by_name = matches!(drives, Drives::Root | Drives::YoungestFirst);
        let root = Some(self.root.clone()).filter(|root| by_name && !self.is_over(root));
        let youngest = youngest.filter(|youngest| *youngest != self.root);
        self.takes_over = youngest.into_iter().chain(root).collect();
        Ok(())
    }

    /// All that the next process finds.
    pub(super) fn left(&self) -> String {
        let hosts = self.hosts().map(|(stream, host)| (stream, host.head()));
        let left: Vec<_> = hosts.collect();
        format!("{left:?}{:?}{:?}{:?}", self.made, self.world, self.takes_over)
    }

    /// How the runs are, by workflow, in the order in which they began.
    pub(super) fn ends(&self) -> BTreeMap<String, Vec<RunStatus>> {
        let mut ends: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for host in self.born.iter().filter_map(|stream| self.host(stream)) {
            let of = host.state().about().map(|about| about.started.workflow.clone());
            ends.entry(of.unwrap_or_default()).or_default().push(host.state().status());
        }
        ends
    }

    /// Whether it is how the story says that it ends whoever dies.
    pub(super) fn ends_as_told(&self) -> bool {
        self.ends_as(self.story.ends)
    }

    fn ends_as(&self, expected: Ends) -> bool {
        let ends = self.ends();
        let is_so =
            |(of, expected): &(&str, &[RunStatus])| ends.get(*of).is_some_and(|ends| ends == expected);
        ends.len() == expected.len() && expected.iter().all(is_so)
    }

    /// A run is driven, if it is not.
    pub(super) fn drive(&self, workflow: &str) -> Option<Act> {
        let mut hosts =
            self.runs_of(workflow).filter(|host| !host.is_driven() && !self.is_over(host.stream()));
        hosts.next().map(|host| Act::Drive(host.stream().clone(), self.residency()))
    }

    /// All that happened to anybody.
    pub(super) fn histories(&self) -> impl Iterator<Item = &Arc<RunEvent>> {
        self.hosts().flat_map(|(_, host)| host.history())
    }

    /// Whether an event of that type happened to a run of that workflow.
    pub(super) fn has(&self, workflow: &str, kind: &str) -> bool {
        self.runs_of(workflow).any(|host| host.history().iter().any(|event| event.kind() == kind))
    }

    /// How many runs of that workflow there are.
    pub(super) fn count(&self, workflow: &str) -> usize {
        self.runs_of(workflow).count()
    }

    /// Whether a step of a run of that workflow was begun.
    pub(super) fn has_begun(&self, workflow: &str, step: &str) -> bool {
        let is_it = |event: &Arc<RunEvent>| matches!(&**event, RunEvent::AttemptStarted(started) if started.step.as_str() == step);
        self.runs_of(workflow).any(|host| host.history().iter().any(is_it))
    }

    /// An attempt at that step that is held is made.
    pub(super) fn held(&self, step: &str) -> Option<Act> {
        let mut attempts = self.attempts().into_iter();
        attempts.find(|(_, attempt)| attempt.step.as_str() == step).map(make)
    }

    fn host(&self, stream: &StreamId) -> Option<&Host> {
        self.members.get(stream).map(|member| &member.host)
    }

    fn hosts(&self) -> impl Iterator<Item = (&StreamId, &Host)> {
        self.members.iter().map(|(stream, member)| (stream, &member.host))
    }

    fn runs_of(&self, workflow: &str) -> impl Iterator<Item = &Host> {
        let is_of =
            move |host: &&Host| host.state().about().is_some_and(|about| about.started.workflow == workflow);
        self.hosts().map(|(_, host)| host).filter(is_of)
    }

    fn is_over(&self, stream: &StreamId) -> bool {
        self.host(stream).is_none_or(|host| host.state().attention().over)
    }

    fn residency(&self) -> Residency {
        if self.drives == Drives::All { Residency::UntilIdle } else { Residency::Pinned }
    }
}

fn make((stream, attempt): (StreamId, Arc<AttemptStarted>)) -> Act {
    Act::Make(stream, attempt)
}
