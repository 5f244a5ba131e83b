//! Runs with tasks that follow from a seed, of which people and programs want something, whose process dies between any two
//! outputs of its core. What events say of tasks and leases is held against rules that were written apart from the engine.
//!
//! `REENACT_TASK_SEEDS=2000` runs more seeds than usual.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use reenact::aggregates::run::{Ask, OfTask, Order, RunEffect, RunStatus, TaskDoes};
use reenact::events::codec::Encoded;
use reenact::events::ids::{AgentName, Fence, RunId, StepId};
use reenact::events::json::{Blob, Json};
use reenact::events::problem::Class;
use reenact::events::run::{Purpose, Resolution, RunEvent};
use reenact::events::time::Timestamp;
use reenact::kernel::Aggregate;
use reenact::testing::Dice;
use reenact::testing::simulation::{Move, Simulation, start_of};
use reenact::testing::world::{Failure, Output, Task, answer};
use reenact::workflow::parse::{Known, parse};

const SEEDS: u64 = 120;

/// How many things happen to a run before it is let come to its end.
const TURNS: usize = 14;

/// At how many outputs of one thing that happens the process dies, at most.
const DEATHS: usize = 10;

type World = fn(&Task) -> Result<Output, Failure>;
type Run = Simulation<World>;

/// What programs do: those that are told to fail do.
fn world(task: &Task) -> Result<Output, Failure> {
    let fails = task.work.run.as_ref().is_some_and(|run| format!("{run:?}").contains("false"));
    if fails { Err(Failure::validation("it is told to")) } else { Ok(answer(&task.attempt)) }
}

fn workflow(dice: &mut Dice) -> String {
    let mut file = String::from("name: w\nsteps:\n");
    let steps = 2 + dice.below(3);
    for step in 0..steps {
        let needs: Vec<_> = (0..step).filter(|_| dice.one_in(2)).map(|need| format!("s{need}")).collect();
        file.push_str(&format!("  - id: s{step}\n    needs: [{}]\n", needs.join(", ")));
        let does = match dice.below(8) {
            0 => "    run: 'true'\n",
            1 if step + 1 == steps => "    run: 'false'\n",
            2 => "    agent: eve\n    prompt: look\n    for_each: [1, 2]\n",
            3 => "    agent: eve\n    timeout: 90s\n    retry: {attempts: 2, initial: 1s}\n",
            4 => "    agent: eve\n    at_most_once: true\n",
            5 => "    agent: eve\n    fallback: {agent: shelly}\n",
            _ => "    agent: eve\n    prompt: look\n",
        };
        file.push_str(does);
        file.push_str(match dice.below(6) {
            0 => "    compensate: {agent: eve, prompt: undo}\n",
            1 => "    compensate: {run: undo, when: attempted}\n",
            2 => "    irreversible: true\n",
            _ => "",
        });
    }
    file
}

fn begin(file: &str, seed: u64) -> Run {
    let known = Known { fallback_attempts: 2, ..Known::default() };
    let definition = parse(file, "w.yaml", &known).unwrap().definition;
    let mut start = start_of(definition, Json::parse("{}").unwrap());
    let agents = [
        ("eve", r#"{"name":"eve","executor":"external"}"#),
        ("shelly", r#"{"name":"shelly","executor":"function"}"#),
    ];
    start.agents =
        agents.map(|(name, said)| (AgentName::new(name), Blob::new(said.as_bytes()))).into_iter().collect();
    Simulation::start(RunId::parse("r").unwrap(), start, world as World, seed).unwrap()
}

/// What events say of who has tasks.
#[derive(Debug, Default)]
struct Ledger {
    open: BTreeMap<(StepId, bool, u32), Lease>,
    ended: BTreeSet<(StepId, bool, u32)>,
}

#[derive(Debug, Clone)]
struct Lease {
    fence: Fence,
    taken: u32,
    until: Option<Timestamp>,
}

impl Ledger {
    fn of(run: &Run) -> Self {
        let mut ledger = Self::default();
        for event in run.history() {
            ledger.see(event).unwrap_or_else(|why| panic!("{why}: {event:?}\n{}", run.broken("it is wrong")));
        }
        ledger
    }

    fn see(&mut self, event: &RunEvent) -> Result<(), &'static str> {
        let key = |step: &StepId, purpose: Purpose, attempt| (step.clone(), purpose == Purpose::Do, attempt);
        match event {
            RunEvent::TaskOffered(task) => {
                let lease = Lease { fence: task.fence, taken: 0, until: None };
                let before = self.open.insert(key(&task.step, task.purpose, task.attempt), lease);
                return before.map_or(Ok(()), |_| Err("a task is handed out twice"));
            }
            RunEvent::TaskTaken(task) => {
                let lease = self.lease(&key(&task.step, task.purpose, task.attempt))?;
                if lease.until.is_some() || task.lease != lease.taken + 1 {
                    return Err("two have a task");
                }
                (lease.taken, lease.until) = (task.lease, Some(task.until));
            }
            RunEvent::TaskProgressed(task) => {
                let lease = self.lease(&key(&task.step, task.purpose, task.attempt))?;
                if lease.until.is_none() || lease.taken != task.lease {
                    return Err("somebody goes on with what they do not have");
                }
                lease.until = Some(task.until);
            }
            RunEvent::TaskLapsed(task) => {
                let lease = self.lease(&key(&task.step, task.purpose, task.attempt))?;
                if lease.until.take().is_none() || lease.taken != task.lease {
                    return Err("a lease is over that there was not");
                }
            }
            RunEvent::StepCompleted(done) if done.attempt > 0 => {
                return self.end(key(&done.step, Purpose::Do, done.attempt));
            }
            RunEvent::StepCompensated(done) => {
                return self.end(key(&done.step, Purpose::Compensate, done.attempt));
            }
            RunEvent::AttemptFailed(failed) => {
                return self.end(key(&failed.step, failed.purpose, failed.attempt));
            }
            RunEvent::AttemptLost(lost)
                if self.open.contains_key(&key(&lost.step, lost.purpose, lost.attempt)) =>
            {
                return Err("a task is lost with a process");
            }
            RunEvent::RunCompleted(_) | RunEvent::RunFailed(_) | RunEvent::RunCancelled(_) => {
                return if self.open.is_empty() { Ok(()) } else { Err("a run ends with open tasks") };
            }
            _ => {}
        }
        Ok(())
    }

    fn lease(&mut self, key: &(StepId, bool, u32)) -> Result<&mut Lease, &'static str> {
        self.open.get_mut(key).ok_or("there is no such task")
    }

    fn end(&mut self, key: (StepId, bool, u32)) -> Result<(), &'static str> {
        self.open.remove(&key);
        if self.ended.insert(key) { Ok(()) } else { Err("an attempt ends twice") }
    }

    fn counts(&self, fence: Fence, lease: u32, wall: Timestamp) -> bool {
        let open = self.open.values().find(|open| open.fence == fence);
        open.is_some_and(|open| open.taken == lease && open.until.is_some_and(|until| until > wall))
    }
}

/// What happens next.
#[derive(Debug, Clone)]
enum Turn {
    Moves(Move),
    Asked(Ask),
}

fn of(fence: Fence, does: TaskDoes) -> Ask {
    Ask::OfTask(Box::new(OfTask { fence, by: "eve".into(), does }))
}

fn any_turn(run: &mut Run, dice: &mut Dice) -> Option<Turn> {
    let ledger = Ledger::of(run);
    let open: Vec<Lease> = ledger.open.values().cloned().collect();
    if dice.one_in(9) {
        let order = Order { by: "ada".into(), reason: None };
        return Some(Turn::Asked(match dice.below(5) {
            0 => Ask::Pause(order),
            1 | 2 => Ask::Unpause(order),
            3 => Ask::Cancel { order, rollback: dice.one_in(2) },
            _ => Ask::Rollback { order, to: None },
        }));
    }
    if open.is_empty() || dice.one_in(3) {
        return run.next_move().map(Turn::Moves);
    }
    let Lease { fence, taken, .. } = open[dice.below(open.len())];
    let lease = if dice.one_in(6) { taken.saturating_sub(1) } else { taken };
    let length = Duration::from_secs(20 + dice.below(60) as u64);
    let does = match dice.below(6) {
        0..2 => TaskDoes::Take { length },
        2 => TaskDoes::Heartbeat { lease, length, percent: Some(50), text: Some("half".to_owned()) },
        3 => TaskDoes::Fail { lease, class: Class::Unknown, reason: "no".to_owned() },
        _ => TaskDoes::Complete { lease, answer: Json::parse("{\"n\": 1}").unwrap() },
    };
    Some(Turn::Asked(of(fence, does)))
}

/// Lets it happen. Answers whether it was refused.
fn happen(run: &mut Run, turn: &Turn) -> bool {
    match turn {
        Turn::Moves(next) => {
            let played = run.play(next);
            assert!(played.is_ok() || run.is_dead(), "{}", played.unwrap_err());
            false
        }
        Turn::Asked(ask) => match run.ask(ask.clone()) {
            Ok(answer) => answer.is_err(),
            Err(broken) => {
                assert!(run.is_dead(), "{broken}");
                false
            }
        },
    }
}

/// Whether who asks has a right to be heard, as far as that is about leases.
fn may_be_asked(run: &Run, ask: &Ask) -> Option<bool> {
    let Ask::OfTask(asked) = ask else { return None };
    let lease = match asked.does {
        TaskDoes::Take { .. } => return None,
        TaskDoes::Complete { lease, .. }
        | TaskDoes::Fail { lease, .. }
        | TaskDoes::Heartbeat { lease, .. } => lease,
    };
    Some(Ledger::of(run).counts(asked.fence, lease, run.now()))
}

/// An honest person does all that is handed out, until the run has ended.
fn come_to_an_end(mut run: Run) -> Run {
    for _ in 0..300 {
        if run.status().has_ended() && run.status() != RunStatus::Stuck {
            return run;
        }
        let order = Order { by: "ada".into(), reason: None };
        let tasks = run.state().open().into_iter().find_map(|effect| match effect {
            RunEffect::Task(attempt) => Some(attempt.fence),
            _ => None,
        });
        let failed = run.state().rollback_plan(None).is_err();
        match (run.status(), tasks, run.next_move()) {
            (RunStatus::Stuck, ..) => {
                let undo = run.history().iter().rev().find_map(|event| match &**event {
                    RunEvent::CompensationFailed(failed) => Some(failed.step.clone()),
                    _ => None,
                });
                let Some(step) = undo.filter(|_| failed) else { return run };
                let (by, reason) = ("ada".into(), "looked".to_owned());
                let ask = Ask::Resolve { by, reason, step, how: Resolution::Done };
                if run.ask(ask).unwrap().is_err() {
                    return run;
                }
            }
            (RunStatus::Paused, ..) => {
                if run.ask(Ask::Unpause(order.clone())).unwrap().is_err() {
                    run.ask(Ask::Cancel { order, rollback: false }).unwrap().unwrap();
                }
            }
            (_, Some(fence), next) => {
                let taken = run.ask(of(fence, TaskDoes::Take { length: Duration::from_secs(60) })).unwrap();
                match (taken, next) {
                    (Ok(_), _) => {
                        let ledger = Ledger::of(&run);
                        let Some(open) = ledger.open.values().find(|open| open.fence == fence) else {
                            continue;
                        };
                        let answer = Json::parse("{\"n\": 2}").unwrap();
                        run.ask(of(fence, TaskDoes::Complete { lease: open.taken, answer }))
                            .unwrap()
                            .unwrap();
                    }
                    // Somebody who has forgotten it has it: time passes.
                    (Err(_), Some(next)) => run.play(&next).unwrap(),
                    (Err(problem), None) => {
                        panic!("{}", run.broken(&format!("nobody may take it: {problem}")))
                    }
                }
            }
            (_, None, Some(next)) => run.play(&next).unwrap(),
            (_, None, None) => run.drive().unwrap(),
        }
    }
    panic!("{}", run.broken("it comes to no end"))
}

/// What a crash leaves is what had happened, and goes on to an end.
fn crash(before: &Run, turn: &Turn, nth: usize) -> bool {
    let mut dying = before.clone();
    dying.die_before(nth);
    happen(&mut dying, turn);
    if !dying.is_dead() {
        return false;
    }
    let mut next = dying.crash().unwrap_or_else(|broken| panic!("{turn:?}: {broken}"));
    let (had, has) = (before.history(), next.history());
    assert!(has.len() >= had.len() && had.iter().zip(has).all(|(one, other)| one == other), "{turn:?}: lost");
    let ledger = Ledger::of(&next);
    if matches!(turn, Turn::Asked(_)) {
        // Who was not answered asks again: it is one question.
        next.repeat().unwrap_or_else(|broken| panic!("{turn:?}: {broken}"));
        drop(Ledger::of(&next));
    }
    for (key, open) in &Ledger::of(before).open {
        let is_known = ledger.ended.contains(key) || ledger.open.contains_key(key);
        assert!(is_known, "{turn:?}: task {} is gone", open.fence);
    }
    let ended = come_to_an_end(next);
    drop(Ledger::of(&ended));
    true
}

#[test]
fn a_crash_at_any_moment_loses_no_task_and_lets_nobody_answer_twice() {
    let seeds =
        std::env::var("REENACT_TASK_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(SEEDS);
    let (mut kinds, mut crashes, mut refused) = (BTreeSet::new(), 0_usize, 0_usize);
    for seed in 0..seeds {
        let mut dice = Dice::of(seed);
        let file = workflow(&mut dice);
        let mut run = begin(&file, seed);
        for _ in 0..TURNS {
            let Some(turn) = any_turn(&mut run, &mut dice) else { break };
            crashes += (0..DEATHS).take_while(|nth| crash(&run, &turn, *nth)).count();
            let may = if let Turn::Asked(ask) = &turn { may_be_asked(&run, ask) } else { None };
            let is_refused = happen(&mut run, &turn);
            refused += usize::from(is_refused);
            if let Some(may) = may {
                assert_eq!(!is_refused, may, "seed {seed}\n{file}\n{turn:?}\n{}", run.broken("it is wrong"));
            }
            drop(Ledger::of(&run));
        }
        run.check_prefixes().unwrap_or_else(|broken| panic!("seed {seed}\n{file}\n{broken}"));
        let run = come_to_an_end(run);
        kinds.extend(run.history().iter().map(|event| event.kind()));
    }
    for kind in ["task_offered", "task_taken", "task_progressed", "task_lapsed", "step_compensated"] {
        assert!(kinds.contains(kind), "never seen: {kind}");
    }
    assert!(crashes > 1_000 && refused > 20, "{crashes} crashes, {refused} refused");
    eprintln!("{crashes} crashes, {refused} refused");
}
