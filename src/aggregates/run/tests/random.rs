//! Any workflow, driven in any order, with failures of any class, losses, interruptions, late timers and too few slots:
//! what must hold of every run.

mod conversations;
mod delivering;
mod shared;
mod spend;
mod tasks;
mod tools;
mod workflow;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

pub(super) use self::workflow::workflow;
use super::play::{Play, order};
use crate::aggregates::run::kin::{ChildSays, ForParent, OfChild, Wants};
use crate::aggregates::run::{Ask, Phase, Run, RunEffect, RunEffectId, RunStatus};
use crate::events::ids::{AgentName, Fence, MessageNumber, RunId, StepId, Version};
use crate::events::json::{Blob, Json};
use crate::events::problem::{Class, Code};
use crate::events::run::{
    Because, Category, Domain, Parent, Purpose, Resolution, Routed, RoutedAgent, RunEvent, Share, Strategy,
    StuckLimits,
};
use crate::kernel::{Aggregate, Attention, Effect};
use crate::testing::promises::budget::Purse;
use crate::testing::promises::messages::Post;
use crate::testing::{Dice, given};
use crate::workflow::work::{AgentRequest, Child, Failure, ModelCall, Output, Stop};

/// One of several. A test that fails names its seed, and the seed makes the same test again.
fn pick<'a, T>(dice: &mut Dice, from: &'a [T]) -> &'a T {
    &from[dice.below(from.len())]
}

/// What attempts answer: sometimes a plan, or that another agent is to go on.
const ANSWERS: [&str; 11] = [
    "{\"x\": 1, \"tasks\": [{\"task_id\": \"p\", \"description\": \"x\", \"assigned_to\": \"bob\"}, {\"task_id\": \"q\", \"description\": \"y\", \"assigned_to\": \"Bob\", \"dependencies\": [\"p\"]}]}",
    "{\"x\": 2, \"blockers\": [\"b\"]}",
    "{\"add_steps\": [{\"id\": \"p\", \"run\": \"true\", \"compensate\": {\"run\": \"undo\"}}, {\"id\": \"q\", \"run\": \"true\"}]}",
    "{\"add_steps\": [{\"id\": \"p\", \"needs\": [\"p\"], \"run\": \"true\"}]}",
    "{\"context\": {\"k\": 1, \"l\": [2]}}",
    "{\"context\": {\"k@1\": 2}}",
    "{\"context\": {\"no key\": 1}}",
    "{\"context\": {\"t/k\": 1, \"o/k@1\": 2}}",
    "{\"context\": {\"t/k@3\": null}}",
    "{\"text\": \"HANDOFF DECLARATION:\\nTo: Ada\\nReason: r\\nContext:\\n- K: 1\"}",
    "\"HANDOFF DECLARATION:\\nTo: bob\\nReason: r\\nContext:\\n- L: 2\"",
];

/// What must hold of every run, whatever happens.
#[derive(Default)]
struct Audit {
    /// Open effects, as the changes tell them.
    open: HashMap<RunEffectId, RunEffect>,
    keys: BTreeMap<(StepId, u32), Arc<str>>,
    undo_keys: BTreeMap<(StepId, u32), Arc<str>>,
    done: BTreeSet<(StepId, u32)>,
    undone: BTreeSet<(StepId, u32)>,
    /// Locks that steps have got since they were tried last.
    locks: BTreeMap<StepId, usize>,
    post: Post,
    purse: Purse,
    leases: tasks::Leases,
    talks: conversations::Talks,
    seen: BTreeSet<&'static str>,
    events: usize,
    commands: usize,
}

impl Audit {
    /// Each step is undone once in a generation, after all that needs it.
    fn undone(&mut self, play: &Play, step: &StepId, context: &str) {
        let nodes = play.state().nodes();
        let node = nodes.iter().find(|node| node.id() == step).unwrap();
        assert!(self.undone.insert((step.clone(), node.generation)), "{context}: `{step}` undone twice");
        for dependent in nodes.iter().filter(|node| node.added.needs.contains(step)) {
            let owes = dependent.owes().is_some() && dependent.compensation.is_none();
            assert!(!owes, "{context}: `{step}` was undone before `{}`", dependent.id());
        }
        let past = nodes.iter().enumerate().find(|(_, node)| node.is_past_return());
        let kept = play.state().rolled_back_to().is_some() || play.partial();
        assert!(past.is_none() || kept, "{context}: rolled back over an irreversible step");
    }

    fn check(&mut self, play: &Play, parallel: usize, context: &str) {
        use crate::events::codec::Encoded;
        for (event, next) in
            play.log.iter().zip(play.log.iter().skip(1).map(Some).chain([None])).skip(self.events)
        {
            self.seen.insert(event.kind());
            self.locked(play, event, context);
            self.post.see(event).unwrap_or_else(|why| panic!("{context}: {why}"));
            self.leases.see(event).unwrap_or_else(|why| panic!("{context}: {why}"));
            match event {
                RunEvent::AttemptStarted(started) if play.paused.contains(&started.agent) => {
                    panic!("{context}: `{}` is paused and starts `{}`", started.agent, started.step);
                }
                RunEvent::AttemptStarted(started) if started.purpose == Purpose::Compensate => {
                    let key = self.undo_keys.entry((started.step.clone(), started.generation));
                    let key = key.or_insert(started.idempotency_key.clone());
                    assert_eq!(*key, started.idempotency_key, "{context}");
                }
                RunEvent::AttemptStarted(started) => {
                    let this = (started.step.clone(), started.generation);
                    assert!(!self.done.contains(&this), "{context}: `{}` was done", started.step);
                    let nodes = play.state().nodes();
                    let node = |id: &StepId| nodes.iter().find(|node| node.id() == id).unwrap();
                    for need in &node(&started.step).added.needs {
                        let waited = node(need).is_done();
                        assert!(waited, "{context}: `{}` did not wait for `{need}`", started.step);
                    }
                    let key = self.keys.entry(this).or_insert(started.idempotency_key.clone());
                    assert_eq!(*key, started.idempotency_key, "{context}");
                }
                RunEvent::StepCompleted(completed) => {
                    let nodes = play.state().nodes();
                    let node = nodes.iter().find(|node| *node.id() == completed.step).unwrap();
                    let this = (completed.step.clone(), node.generation);
                    assert!(self.done.insert(this), "{context}: done twice");
                }
                RunEvent::Escalated(asked) => {
                    let Some(RunEvent::StepAdded(added)) = next else { panic!("{context}: nobody is asked") };
                    let asks =
                        (added.because, added.inside.as_ref()) == (Because::Escalation, Some(&asked.step));
                    assert!(asks, "{context}: nobody is asked about `{}`", asked.step);
                }
                RunEvent::StepCompensated(undone) => self.undone(play, &undone.step, context),
                _ => {}
            }
        }
        self.events = play.log.len();
        for (opened, closed) in &play.changes[self.commands..] {
            closed.iter().for_each(|id| drop(self.open.remove(id)));
            self.open.extend(opened.iter().map(|effect| (effect.id(), effect.clone())));
        }
        self.commands = play.changes.len();
        let told: BTreeSet<String> = self.open.values().map(|effect| format!("{effect:?}")).collect();
        let open: BTreeSet<String> = play.state().open().iter().map(|effect| format!("{effect:?}")).collect();
        assert_eq!(told, open, "{context}: changes and state disagree");
        for started in play.attempts() {
            let given = play.state().messages().given(started.fence).map(|sent| sent.message.number);
            let expected = self.post.given(&started.step, started.purpose);
            assert_eq!(given.collect::<Vec<_>>(), expected, "{context}: `{}` is given these", started.step);
        }
        let attempts = play
            .state()
            .open()
            .iter()
            .filter(|effect| matches!(effect, RunEffect::Attempt(_) | RunEffect::Child { .. }))
            .count();
        assert!(attempts <= parallel, "{context}: {attempts} attempts at once");
        let awaited: BTreeSet<_> = play.state().awaited_agents().keys().cloned().collect();
        assert!(awaited.is_subset(&play.paused), "{context}: it waits for {awaited:?}");
    }
}

/// A run of that workflow, which may be the child of another.
pub(super) fn begin(file: &str, dice: &mut Dice, limits: (u32, Option<Duration>)) -> Play {
    let parent = Parent { run: RunId::parse("up").unwrap(), step: StepId::grown("c") };
    let parent = dice.one_in(2).then_some(parent);
    let looks = dice.one_in(2);
    let routed = dice.one_in(3).then(routed);
    let bypasses_cache = dice.one_in(4);
    Play::start_as(file, |start| {
        start.routed = routed;
        start.bypasses_cache = bypasses_cache;
        ((start.parallel, start.duration_limit), start.parent) = (limits, parent);
        let agents = [
            ("ada", delivering::ADA),
            ("bob", spend::BOB),
            ("cyd", delivering::CYD),
            ("boss", "{}"),
            ("eve", tasks::EVE),
            ("fay", tools::FAY),
            ("dig", tools::DIG),
            ("raze", tools::RAZE),
        ];
        start.agents =
            agents.map(|(name, definition)| (AgentName::new(name), Blob::new(definition.as_bytes()))).into();
        if looks {
            let manager = Some(AgentName::new("boss"));
            start.stuck = StuckLimits { answers: 1, handoffs: 1, time_us: Some(5_000_000), manager };
        }
    })
}

/// That somebody asked for it and named no agent.
fn routed() -> Routed {
    let agents = vec![RoutedAgent { name: AgentName::new("ada"), score: Share::of(0.5) }];
    Routed {
        domain: Domain::Ops,
        category: Category::Task,
        complexity: 3,
        confidence: Share::of(0.75),
        strategy: Strategy::SingleAgent,
        agents,
    }
}

/// Lets one random thing happen to the run.
pub(super) fn turn(dice: &mut Dice, play: &mut Play) {
    let open = play.attempts();
    play.slots = dice.below(4) as u32;
    if play.comes_and_goes && dice.one_in(10) {
        // Whoever drives it leaves, or somebody comes.
        play.driven_since = if play.driven_since.is_some() { None } else { Some(play.now) };
    }
    if play.comes_and_goes && dice.one_in(20) {
        play.wall_set_by_us = 1_000_000 * (dice.below(20) as i64 - 10);
    }
    if play.pauses && dice.one_in(6) {
        let agent = pick::<&str>(dice, &["shell", "shell", "ada", "bob", "cyd"]);
        let is_paused = play.paused.iter().any(|paused| paused.as_str() == *agent);
        return drop(if is_paused { play.free_agent(agent) } else { play.pause_agent(agent) });
    }
    if dice.one_in(6) && delivering::converse(dice, play) {
        return;
    }
    if dice.one_in(3) && tasks::any(dice, play) {
        return;
    }
    if dice.one_in(12) {
        return spend::any_raise(dice, play);
    }
    if dice.one_in(6) {
        let ask = any_order(dice, play);
        return play.try_ask(ask);
    }
    if dice.one_in(4) {
        let ask = any_answer(dice, play);
        return play.try_ask(ask);
    }
    if play.state().shared.is_asking() && dice.one_in(2) {
        return shared::any_answer(dice, play);
    }
    match dice.below(10) {
        0 => drop(play.recover()),
        6 if dice.one_in(2) => shared::any_answer(dice, play),
        1 => drop(play.ask(Ask::Interrupt)),
        2 | 3 => drop(play.sleep(Duration::from_millis(dice.below(4000) as u64))),
        4 => drop(play.ask(Ask::Go)),
        7 | 8 if dice.one_in(2) => delivering::any_word(dice, play),
        7 | 8 => any_tidings(dice, play),
        _ if open.is_empty() => drop(play.ask(Ask::Go)),
        5 | 6 => {
            let failure = any_failure(dice);
            let step = pick(dice, &open).step.to_string();
            play.fail(&step, failure);
        }
        _ => {
            let started = pick(dice, &open);
            let child = Child {
                status: *pick(dice, &[RunStatus::Completed, RunStatus::Failed]),
                version: Version(7),
                // In a run that is being undone it asks, and is refused.
                past_return: dice.one_in(8) && !matches!(play.state().life(), Phase::Unwinding(_)),
                degraded: false,
            };
            let child = (started.agent.as_str() == "workflow").then_some(child);
            let output = Json::parse(pick::<&str>(dice, &ANSWERS)).unwrap();
            let (requests, usage) = (any_messages(dice), spend::any_usage(dice));
            let calls = some_calls(started.fence);
            let output = Output { output, child, usage, requests, calls, ..Output::default() };
            let output = tools::any_calls(dice, started).unwrap_or(output);
            play.ask(Ask::Completed { step: started.step.clone(), fence: started.fence, output });
        }
    }
}

/// The calls of models of an attempt, of every fourth.
fn some_calls(fence: Fence) -> Vec<ModelCall> {
    let calls = fence.0.is_multiple_of(4).then(|| ModelCall { turn: 1, ..ModelCall::default() });
    calls.into_iter().collect()
}

/// What an attempt may send.
fn any_messages(dice: &mut Dice) -> Vec<AgentRequest> {
    let count = if dice.one_in(2) { 0 } else { 1 + dice.below(3) };
    let message = |_| {
        let to = pick::<&str>(dice, &["shell", "shell", "Shell", "ada", "bob", "*", "nobody", "topic:a"]);
        if dice.one_in(4) {
            return AgentRequest::Send(delivering::any_message(dice));
        }
        let more = pick::<&str>(
            dice,
            &[
                "",
                "",
                r#","priority":"high""#,
                r#","priority":"low""#,
                r#","deadline":"3s""#,
                r#","kind":"no""#,
            ],
        );
        let kind = if more.contains("kind") { "" } else { r#","kind":"task""# };
        AgentRequest::Send(Json::parse(&format!(r#"{{"to":"{to}"{kind}{more},"body":[1]}}"#)).unwrap())
    };
    (0..count).map(message).collect()
}

/// What a run of the family may say.
fn any_tidings(dice: &mut Dice, play: &mut Play) {
    let parent = play.state().parent().cloned();
    if let Some(parent) = parent.filter(|_| dice.one_in(4)) {
        let granted = !dice.one_in(3);
        let wants = Wants::Answered { granted };
        return drop(play.ask(Ask::ForParent(Box::new(ForParent { parent, wants }))));
    }
    if let Some(word) = play.state().word.filter(|_| dice.one_in(4)) {
        return drop(play.ask(Ask::ParentTold { version: word.version }));
    }
    let nodes = play.state().nodes().iter();
    let children = nodes.filter_map(|node| {
        let child = node.child.as_ref()?;
        Some((node.id().clone(), child.run.clone(), child.rests))
    });
    let children: Vec<_> = children.collect();
    if children.is_empty() {
        return;
    }
    let (step, run, rests) = pick(dice, &children).clone();
    let version = Version(100 + play.log.len() as u64);
    let says = match dice.below(4) {
        0 => ChildSays::AsksReturn,
        _ if rests => ChildSays::Goes(version),
        _ => ChildSays::Rests(version),
    };
    play.try_ask(Ask::OfChild(Box::new(OfChild { run, step, says })));
}

/// What a person may ask of a run.
fn any_order(dice: &mut Dice, play: &Play) -> Ask {
    let status = play.state().status();
    let done: Vec<StepId> = play
        .log
        .iter()
        .filter_map(|event| match event {
            RunEvent::StepCompleted(completed) => Some(completed.step.clone()),
            RunEvent::CompensationFailed(failed) => Some(failed.step.clone()),
            _ => None,
        })
        .collect();
    let step = (!done.is_empty()).then(|| pick(dice, &done).clone());
    let how = *pick(dice, &[Resolution::Retry, Resolution::Skip, Resolution::Done]);
    let (by, reason) = ("ada".into(), "because".to_owned());
    if dice.one_in(10) {
        let steps: Vec<StepId> = play.state().nodes().iter().map(|node| node.id().clone()).collect();
        let until = if steps.is_empty() { "next".into() } else { pick(dice, &steps).as_str().into() };
        return Ask::PauseAfter { order: order(), until };
    }
    match (dice.below(8), step, status) {
        (_, Some(step), RunStatus::Stuck) => Ask::Resolve { by, reason, step, how },
        (0, ..) if dice.one_in(2) => {
            let number = MessageNumber(1 + dice.below(4) as u64);
            Ask::Resend { number, by }
        }
        (0, ..) => Ask::Pause(order()),
        (1 | 2, ..) | (_, _, RunStatus::Paused) => Ask::Unpause(order()),
        (3, ..) => Ask::Cancel { order: order(), rollback: dice.one_in(2) },
        (4 | 5, ..) | (_, _, RunStatus::Failed) => Ask::Retry { order: order(), step: None },
        (_, to, _) => {
            let to = to.filter(|_| dice.one_in(2)).map(|to| to.as_str().into());
            Ask::Rollback { order: order(), to: to.or_else(|| dice.one_in(4).then(|| "build".into())) }
        }
    }
}

/// A random answer to an open request, or a random signal.
fn any_answer(dice: &mut Dice, play: &Play) -> Ask {
    let by: Arc<str> = pick::<&str>(dice, &["ada", "bob"]).to_owned().into();
    let asked: Vec<String> = play.state().people().open.iter().map(ToString::to_string).collect();
    let request = if asked.is_empty() { "s1".to_owned() } else { pick(dice, &asked).clone() };
    match dice.below(8) {
        0..3 => Ask::Approve { request, by, note: None, edits: None, hash: None },
        3 => {
            let edits = Some(Json::parse("{\"x\": 3}").unwrap().into());
            Ask::Approve { request, by, note: None, edits, hash: None }
        }
        4 => Ask::Reject { request, by, reason: "no".to_owned() },
        5 => Ask::Check { request, by, points: vec![1] },
        _ => Ask::Signal { name: "go".into(), data: Json::null(), by },
    }
}

fn any_failure(dice: &mut Dice) -> Failure {
    let classes = [
        Class::Transient,
        Class::Unknown,
        Class::Validation,
        Class::Dependency,
        Class::Transient,
        Class::Fatal,
    ];
    let class = *pick(dice, &classes);
    match dice.below(4) {
        0 => Failure::stopped(Stop::Cancelled),
        1 => Failure::stopped(Stop::TimedOut),
        2 => Failure::new(Code::ModelFailed, "no").class(class).with_calls(vec![ModelCall::default()]),
        _ => Failure::new(Code::ExitUnknown, "no").class(class),
    }
}

/// Lets all happen that a run waits for, and nothing go wrong.
fn let_go_on(play: &mut Play) {
    play.slots = 10;
    for agent in std::mem::take(&mut play.paused) {
        play.free_agent(agent.as_str());
    }
    play.driven_since.get_or_insert(play.now);
    play.try_ask(Ask::Unpause(order()));
    if play.state().status() == RunStatus::Paused {
        play.ask(Ask::Cancel { order: order(), rollback: false });
    }
    for request in play.state().people().open.clone() {
        for by in ["ada", "bob"] {
            let (request, by): (_, Arc<str>) = (request.to_string(), by.into());
            play.try_ask(Ask::Check { request: request.clone(), by: Arc::clone(&by), points: vec![1] });
            play.try_ask(Ask::Approve { request, by, note: None, edits: None, hash: None });
        }
    }
    play.try_ask(Ask::Signal { name: "go".into(), data: Json::null(), by: "ada".into() });
    if let Some(parent) = play.state().parent().cloned() {
        let wants = Wants::Answered { granted: true };
        play.ask(Ask::ForParent(Box::new(ForParent { parent, wants })));
    }
    spend::let_go_on(play);
    play.ask(Ask::Go);
    shared::let_go_on(play);
    tasks::let_go_on(play);
    play.sleep(Duration::from_secs(60));
    for started in play.attempts() {
        if play.attempts().contains(&started) {
            play.complete(started.step.as_str(), "1");
        }
    }
}

#[test]
fn whatever_happens_a_run_keeps_its_promises_and_ends() {
    let (mut seen, mut tools) = (BTreeSet::new(), tools::SeenTools::default());
    for seed in 0..2_000 {
        let mut dice = Dice::of(seed);
        let file = workflow(&mut dice);
        let parallel = 1 + dice.below(3) as u32;
        let comes_and_goes = seed >= 1_000;
        let limit = comes_and_goes.then(|| Duration::from_secs(1 + dice.below(20) as u64));
        let mut play = begin(&file, &mut dice, (parallel, limit));
        (play.comes_and_goes, play.pauses) = (comes_and_goes, seed >= 1_500);
        let post = Post::of(std::iter::once(AgentName::new("ada")));
        let mut audit = Audit { post, ..Audit::default() };
        let context = format!("seed {seed}\n{file}");
        audit.check(&play, parallel as usize, &context);
        for _ in 0..dice.below(30) {
            turn(&mut dice, &mut play);
            audit.check(&play, parallel as usize, &context);
        }
        // From here on nothing goes wrong any more: it must end, and soon.
        for round in 0.. {
            assert!(round < 500, "{context}: it does not end");
            if play.state().status().has_ended() {
                break;
            }
            let_go_on(&mut play);
            audit.check(&play, parallel as usize, &context);
        }
        shared::let_go_on(&mut play);
        audit.check(&play, parallel as usize, &context);
        if let Some(word) = play.state().word {
            play.ask(Ask::ParentTold { version: word.version });
            audit.check(&play, parallel as usize, &context);
        }
        assert_eq!(play.state().attention(), Attention::OVER, "{context}: nobody has to act any more");
        // A parent is told in any case.
        // What a rollback to a step keeps waits on, should the run be stuck no longer.
        let is_kept = play.partial() && play.state().status() == RunStatus::Stuck;
        let is_left = |effect: &RunEffect| match effect {
            RunEffect::Tell(_) => false,
            RunEffect::Ask { .. } => !is_kept,
            _ => true,
        };
        let open = play.state().open();
        assert!(!open.iter().any(is_left), "{context}: nothing is open at the end: {open:?}");
        let mut folded = given::<Run>("run/r");
        for (event, at) in play.log.iter().zip(&play.times) {
            folded = folded.at(*at).events([event.clone()]);
            let restored = Run::restore(&folded.state().snapshot().unwrap()).unwrap();
            assert_eq!(&restored, folded.state(), "{context}: a snapshot is not what was folded");
        }
        assert_eq!(folded.state(), play.state(), "{context}: the fold is not what deciding left");
        seen.extend(audit.seen);
        tools.see(&play.log);
    }
    tools.assert_all_seen();
    let known: BTreeSet<_> = RunEvent::TABLE.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(seen, known, "every kind of event must have been seen");
}
