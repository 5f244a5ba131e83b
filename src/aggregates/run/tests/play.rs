//! A run in the hands of a test: it makes the attempts, and the time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crate::aggregates::run::{
    Ask, Grants, Insists, Order, Run, RunEffect, RunEffectId, RunRejection, RunStatus, StartChild, StartRun,
};
use crate::events::ids::{AgentName, StepId};
use crate::events::json::{Blob, Json};
use crate::events::problem::{Code, Problem};
use crate::events::run::*;
use crate::events::time::Timestamp;
use crate::kernel::Aggregate;
use crate::testing::{Given, given};
use crate::workflow::parse::{Known, parse};
use crate::workflow::work::{Failure, Output};

/// A run in the hands of a test: it makes the attempts, and the time.
pub(super) struct Play {
    pub(super) run: Option<Given<Run>>,
    pub(super) now: Timestamp,
    /// How far the wall clock was set, in µs.
    pub(super) wall_set_by_us: i64,
    /// The time since which somebody drives it; none while nobody does.
    pub(super) driven_since: Option<Timestamp>,
    /// All events of the run, in order.
    pub(super) log: Vec<RunEvent>,
    /// The time of each event in `log`.
    pub(super) times: Vec<Timestamp>,
    /// Effects that each command closed, and then those that it opened and left open.
    pub(super) changes: Vec<(Vec<RunEffect>, Vec<RunEffectId>)>,
    pub(super) slots: u32,
    /// Agents that start nothing.
    pub(super) paused: BTreeSet<AgentName>,
    /// Whether at random nobody drives it for a while, and somebody sets the wall clock.
    pub(super) comes_and_goes: bool,
    /// Whether at random agents are paused, and take work again.
    pub(super) pauses: bool,
    /// Whether what can start does right after each command, as with a dispatcher that has slots.
    pub(super) eager: bool,
}

impl Play {
    pub(super) fn start(yaml: &str) -> Self {
        Self::start_with(yaml, "{}", 16)
    }

    pub(super) fn start_with(yaml: &str, input: &str, parallel: u32) -> Self {
        Self::start_as(yaml, |start| {
            start.input = Json::parse(input).unwrap();
            start.parallel = parallel;
        })
    }

    pub(super) fn start_until(yaml: &str, step: &str) -> Self {
        Self::start_as(yaml, |start| start.until = Some(step.into()))
    }

    pub(super) fn start_limited(yaml: &str, limit: Duration) -> Self {
        Self::start_as(yaml, |start| start.duration_limit = Some(limit))
    }

    pub(super) fn start_as(yaml: &str, change: impl FnOnce(&mut StartRun)) -> Self {
        let definition =
            parse(yaml, "test.yaml", &Known { fallback_attempts: 2, ..Known::default() }).unwrap().definition;
        let definition_blob = Blob::new(definition.to_json().text().as_bytes());
        let mut play = Self {
            run: Some(given("run/r").blob(&definition_blob)),
            now: Timestamp(1_000_000),
            wall_set_by_us: 0,
            driven_since: Some(Timestamp(1_000_000)),
            log: Vec::new(),
            times: Vec::new(),
            changes: Vec::new(),
            slots: 100,
            paused: BTreeSet::new(),
            comes_and_goes: false,
            pauses: false,
            eager: false,
        };
        let mut start = StartRun {
            definition: Arc::new(definition),
            definition_blob,
            input: Json::parse("{}").unwrap(),
            tags: BTreeMap::new(),
            work_folder: "/".into(),
            parent: None,
            environment: BTreeMap::new(),
            agents: Vec::new(),
            parallel: 16,
            lost_limit: 3,
            duration_limit: None,
            until: None,
            children: Vec::new(),
            growth: GrowthLimits {
                depth: 3,
                width: 100,
                total: 1_000,
                fallback_attempts: 2,
                critical_fails: true,
                items: 1_000,
                handoffs: 5,
            },
            stuck: StuckLimits::default(),
            routed: None,
            bypasses_cache: false,
            insists: Insists::default(),
            drive: true,
        };
        change(&mut start);
        play.driven_since = play.driven_since.filter(|_| start.drive);
        let blobs = start.agents.iter().map(|(_, definition)| definition).chain([&start.definition_blob]);
        play.run = blobs.fold(play.run.take(), |run, blob| run.map(|run| run.blob(blob)));
        play.ask(Ask::Start(Box::new(start)));
        play
    }

    /// A run, one of whose steps starts this workflow.
    pub(super) fn start_with_child(yaml: &str, file: &str, definition: Blob) -> Self {
        let blob = definition.clone();
        let mut play = Self::start_as(yaml, |start| {
            start.children.push(StartChild {
                file: file.into(),
                definition,
                work_folder: "/".into(),
                agents: Vec::new(),
                parallel: 16,
                lost_limit: 3,
                duration_limit: None,
            });
        });
        play.run = play.run.take().map(|run| run.blob(&blob));
        play
    }

    /// A run that knows these agents, in which what can start does right after each command.
    pub(super) fn eager_with(
        yaml: &str,
        agents: &[(&str, &str)],
        change: impl FnOnce(&mut StartRun),
    ) -> Self {
        let mut play = Self::start_as(yaml, |start| {
            let bound =
                |(name, definition): &(&str, &str)| (AgentName::new(name), Blob::new(definition.as_bytes()));
            start.agents = agents.iter().map(bound).collect();
            change(start);
        });
        play.eager = true;
        play.ask(Ask::Go);
        play
    }

    /// A run in which what can start does right after each command.
    pub(super) fn eager(yaml: &str) -> Self {
        let mut play = Self::start(yaml);
        play.eager = true;
        play
    }

    /// Asks with as many slots as the test has; answers the names of what happened.
    pub(super) fn ask(&mut self, ask: Ask) -> Vec<String> {
        let goes_on = self.eager && !matches!(ask, Ask::Go);
        let mut happened = self.ask_once(ask);
        if goes_on {
            happened.extend(self.ask_once(Ask::Go));
        }
        happened
    }

    fn ask_once(&mut self, ask: Ask) -> Vec<String> {
        let run = self.run.take().unwrap().at(self.now).at_wall(self.wall());
        let wanted = run.state().startable(&ask).0.into_keys();
        let slots =
            wanted.filter(|agent| !self.paused.contains(agent)).map(|agent| (agent, self.slots)).collect();
        let (before, asked) = (run.state().clone(), format!("{ask:?}"));
        let when = match self.driven_since {
            Some(since) => run.granted(Grants(slots)).driven_since(since).when(ask),
            None => run.when(ask),
        };
        let again = when.redecided(before).unwrap_or_else(|why| panic!("{asked}: {why}"));
        let changes = when.changes();
        self.changes.push((changes.still_open().cloned().collect(), changes.closed().cloned().collect()));
        let mut happened = Vec::new();
        self.run = Some(when.then_events(|events| happened = events.to_vec()));
        assert_eq!(again.unwrap_or_default(), happened, "{asked}, decided again");
        let run = self.run.as_ref().unwrap().state();
        let waits = Aggregate::attention(run).is_waiting();
        assert_eq!(waits, run.status() == RunStatus::Waiting, "what it needs next and its status agree");
        self.times.resize(self.times.len() + happened.len(), self.now);
        let words = happened.iter().map(word).collect();
        self.log.extend(happened);
        words
    }

    /// Asks what is refused; answers the code.
    pub(super) fn refused(&self, ask: Ask) -> Code {
        self.refusal(&ask).unwrap_or_else(|| panic!("{ask:?} is not refused")).code
    }

    /// What is asked is refused for this, if it is. Nothing happens.
    pub(super) fn refusal(&self, ask: &Ask) -> Option<Problem> {
        self.rejection(ask).map(|rejection| rejection.problem())
    }

    /// The same, as the run says it.
    pub(super) fn rejection(&self, ask: &Ask) -> Option<RunRejection> {
        let run = self.run.clone().unwrap().at(self.now).at_wall(self.wall());
        let mut refused = None;
        let when = run.granted(Grants::default()).when(ask.clone());
        if when.is_rejected() {
            when.then_rejected(|rejection| {
                refused = Some(rejection.clone());
                true
            });
        }
        refused
    }

    /// Asks what may be refused: then nothing happens.
    pub(super) fn try_ask(&mut self, ask: Ask) {
        let before = self.run.clone().unwrap().at(self.now).at_wall(self.wall());
        let slots = before.state().startable(&ask).0.into_keys().map(|agent| (agent, self.slots)).collect();
        if before.granted(Grants(slots)).when(ask.clone()).is_rejected() {
            return;
        }
        self.ask(ask);
    }

    /// Whether what depends on a step only was undone last.
    pub(super) fn partial(&self) -> bool {
        let last = self.log.iter().rev().find_map(|event| match event {
            RunEvent::RollbackStarted(started) => Some(started.to.is_some()),
            _ => None,
        });
        last == Some(true)
    }

    /// Somebody rolls it back.
    pub(super) fn roll_back(&mut self, to: Option<&str>) -> Vec<String> {
        self.ask(Ask::Rollback { order: order(), to: to.map(Into::into) })
    }

    pub(super) fn retry(&mut self) -> Vec<String> {
        self.ask(Ask::Retry { order: order(), step: None })
    }

    pub(super) fn resolve(&mut self, step: &str, how: Resolution) -> Vec<String> {
        let (by, reason, step) = ("ada".into(), "looked at it".to_owned(), StepId::grown(step));
        self.ask(Ask::Resolve { by, reason, step, how })
    }

    /// An agent is paused, and the run told.
    pub(super) fn pause_agent(&mut self, agent: &str) -> Vec<String> {
        let agent = AgentName::new(agent);
        self.paused.insert(agent.clone());
        self.ask(Ask::AgentPaused { agent })
    }

    /// An agent takes work again, and the run is told.
    pub(super) fn free_agent(&mut self, agent: &str) -> Vec<String> {
        let agent = AgentName::new(agent);
        self.paused.remove(&agent);
        self.ask(Ask::AgentFree { agent })
    }

    /// Another process goes on.
    pub(super) fn recover(&mut self) -> Vec<String> {
        self.ask(Ask::Recover { in_flight: BTreeSet::new() })
    }

    pub(super) fn open(&self, step: &str) -> Arc<AttemptStarted> {
        let open = self.state().open().into_iter().find_map(|effect| match effect {
            RunEffect::Attempt(started) | RunEffect::Child { attempt: started, .. }
                if started.step.as_str() == step =>
            {
                Some(started)
            }
            _ => None,
        });
        open.unwrap_or_else(|| panic!("`{step}` has no open attempt"))
    }

    /// All open attempts, in the order in which they began.
    pub(super) fn attempts(&self) -> Vec<Arc<AttemptStarted>> {
        let open = self.state().open().into_iter().filter_map(|effect| match effect {
            RunEffect::Attempt(started) | RunEffect::Child { attempt: started, .. } => Some(started),
            _ => None,
        });
        let mut open: Vec<_> = open.collect();
        open.sort_by_key(|started| started.fence);
        open
    }

    pub(super) fn complete(&mut self, step: &str, output: &str) -> Vec<String> {
        let fence = self.open(step).fence;
        let output = Output { output: Json::parse(output).unwrap(), ..Output::default() };
        self.ask(Ask::Completed { step: StepId::grown(step), fence, output })
    }

    pub(super) fn complete_all(&mut self, steps: &[&str]) {
        for step in steps {
            self.complete(step, "1");
        }
    }

    pub(super) fn fail(&mut self, step: &str, failure: Failure) -> Vec<String> {
        let fence = self.open(step).fence;
        self.ask(Ask::Failed { step: StepId::grown(step), fence, failure })
    }

    /// The time by the wall clock, which may differ from the one that timers go by.
    pub(super) fn wall(&self) -> Timestamp {
        Timestamp(self.now.0 + self.wall_set_by_us)
    }

    /// Nobody drives it for so long. Then somebody does, in whose process nothing of it is left.
    pub(super) fn leave(&mut self, length: Duration) {
        self.driven_since = None;
        self.sleep(length);
        self.driven_since = Some(self.now);
    }

    /// Lets time pass. What comes by itself is decided only where somebody drives the run.
    pub(super) fn sleep(&mut self, length: Duration) -> Vec<String> {
        self.now = self.now.after(length);
        if self.driven_since.is_none() {
            return Vec::new();
        }
        let timers = self.state().open_timers();
        timers
            .into_iter()
            .flat_map(|effect| match effect {
                RunEffect::Wake { timer, .. } => self.ask(Ask::Due { timer }),
                _ => Vec::new(),
            })
            .collect()
    }

    pub(super) fn state(&self) -> &Run {
        self.run.as_ref().unwrap().state()
    }

    pub(super) fn status(&self, step: &str) -> &'static str {
        self.state().nodes().iter().find(|node| node.id().as_str() == step).unwrap().status()
    }

    pub(super) fn result(&self) -> (RunStatus, bool) {
        (self.state().status(), self.state().is_degraded())
    }

    /// The rendered work of a step's open attempt.
    pub(super) fn work(&self, step: &str) -> serde_json::Value {
        self.json(&self.open(step).input)
    }

    /// The output of a step.
    pub(super) fn output(&self, step: &str) -> Option<serde_json::Value> {
        let (_, node) = self.state().node(&StepId::grown(step)).unwrap();
        node.output().map(|output| self.json(output))
    }

    pub(super) fn json(&self, payload: &crate::events::json::Payload) -> serde_json::Value {
        self.run.as_ref().unwrap().json(payload).value()
    }
}

/// The person who asks in tests, with a reason.
pub(super) fn order() -> Order {
    Order { by: "ada".into(), reason: None }
}

/// An event as a test names it: its type, whether it is about undoing, and its step if it has one.
pub(super) fn word(event: &RunEvent) -> String {
    use crate::events::codec::Encoded;
    let data = serde_json::to_value(event).unwrap();
    let step = data.get("step").and_then(|step| step.as_str()).map(|step| format!(" {step}"));
    let undo = data.get("purpose").is_some_and(|purpose| purpose == "compensate");
    let undo = if undo { " undo" } else { "" };
    format!("{}{undo}{}", event.kind(), step.unwrap_or_default())
}
