//! The saga test: workflows that follow from a seed, in worlds that follow from it too, whose process dies at every
//! event boundary, in the middle of every effect, and between any two outputs of the core. Each run, whatever becomes of
//! it, is compared with an oracle that was written apart from the engine.
//!
//! `REENACT_SAGA_SEEDS=5000` runs more seeds than usual, `REENACT_SAGA_SEED=17` that one alone, and shows its workflow.

mod duel;
mod examples;
mod family;
mod kit;
mod model;
mod oracle;
mod script;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use reenact::aggregates::run::RunEffect;
use reenact::events::codec::Encoded;
use reenact::events::run::RunEvent;
use reenact::testing::Dice;
use reenact::testing::simulation::Move;
use serde_json::json;

use duel::{Duel, Left, Step, Verdict, die_twice, finish_alone};
use model::Model;
use oracle::{Command, How, Named, Undoing};

/// How many seeds are run where nothing else is said.
const SEEDS: u64 = 2_500;

/// How much is asked of a run at most.
const COMMANDS_MAX: usize = 6;

/// Outputs between which processes must have died: before a commit is stored and after, before and between effects, before
/// an answer, when what a dead process left is ended, and when it is put away.
const BETWEEN: [(&str, &str); 9] = [
    ("show", "append"),
    ("append", "close"),
    ("append", "perform"),
    ("perform", "perform"),
    ("perform", "show"),
    ("show", "reply"),
    ("show", "clear"),
    ("clear", "append"),
    ("show", "passivate"),
];

/// A workflow of so many steps dies between all outputs.
const SMALL: usize = 2;

/// About how many outputs there are until a run is taken over.
const TAKING_OVER: usize = 12;

/// How many seeds fail before the test gives up.
const FAILURES_MAX: usize = 12;

/// What only happens between a run and its children: here each run is alone, and its children are played.
const OF_FAMILIES: [&str; 7] = [
    "child_rested",
    "child_stirred",
    "telling_began",
    "parent_told",
    "return_asked",
    "return_answered",
    "child_past_return",
];

/// What only happens where agents are paused: here none is. `testing::simulation::agents` crashes a run that waits for one
/// before each of its outputs, on its way forward and on its way back.
const OF_PAUSED_AGENTS: [&str; 2] = ["agent_awaited", "agent_await_ended"];

/// What only happens where agents are stuck, which nobody looks for here. `engine::stuck` ends the process with each commit of
/// such a run.
const OF_STUCK_AGENTS: [&str; 2] = ["answer_noted", "escalated"];

/// What only happens where somebody asked for something and named no agent: here each run has a file. `engine::routing` ends the process
/// with each commit of such a run.
const OF_REQUESTS: [&str; 1] = ["request_routed"];

/// What only happens where a plan of tasks is refused: here none is answered. `goals` kills a run while a plan is mended.
const OF_PLANNERS: [&str; 1] = ["repair_asked"];

/// What only happens where agents are models: here none is. `models::crashes` kills the process around calls.
const OF_MODELS: [&str; 1] = ["model_called"];

/// What only happens where agents handle messages as soon as they come, or converse: here none does. `engine::deliveries` ends the
/// process with each commit of a run with the first, `streaming` kills one with the second.
const OF_TALKING_AGENTS: [&str; 4] =
    ["delivery_started", "delivery_failed", "delivery_lost", "message_given"];

/// What only happens where attempts are handed out: here all are made. `tasks::crashes` crashes such runs at each output.
const OF_TASKS: [&str; 4] = ["task_offered", "task_taken", "task_progressed", "task_lapsed"];

/// What only happens where a run has limits of what it spends, which these workflows have not. `engine::budget` ends the process with each
/// commit of such a run, and `run::tests::random` has limits.
const OF_BUDGETS: [&str; 5] =
    ["budget_set", "budget_reserved", "budget_settled", "budget_exhausted", "budget_raised"];

/// What only happens where a run is paused just while a step waits for a shared context: too seldom to be met here each time.
/// `run::tests::random` meets it, and `run::tests::sharing` says what follows.
const OF_PAUSES: [&str; 1] = ["preparation_withdrawn"];

/// What only happens where steps may take earlier answers: here none may. `engine::cache` ends the process with each commit of such a run,
/// and `run::tests::random` answers it at random.
const OF_CACHES: [&str; 5] = ["cache_bypassed", "cache_awaited", "cache_hit", "cache_missed", "answer_kept"];

/// What only happens where steps go on with conversations: here none does. `engine::conversations` ends the process with each commit of such a
/// run, and `run::tests::random` answers them at random.
const OF_CONVERSATIONS: [&str; 3] = ["conversation_awaited", "conversation_read", "conversation_continued"];

/// What was seen.
#[derive(Debug, Default)]
struct Seen {
    crashes: usize,
    /// Between which outputs a process died, and how often.
    between: BTreeMap<(&'static str, &'static str), usize>,
    kinds: BTreeMap<&'static str, usize>,
    statuses: BTreeMap<&'static str, usize>,
}

impl Seen {
    fn note(&mut self, duel: &Duel) {
        for event in duel.engine.history() {
            *self.kinds.entry(event.kind()).or_default() += 1;
        }
        *self.statuses.entry(duel.engine.status().text()).or_default() += 1;
    }

    /// A test that never met something has not tested it.
    fn saw_everything(&self) {
        let known: BTreeSet<&str> = RunEvent::TABLE.iter().map(|(kind, _)| *kind).collect();
        let elsewhere = [
            &OF_FAMILIES[..],
            &OF_CACHES[..],
            &OF_CONVERSATIONS,
            &OF_PAUSED_AGENTS,
            &OF_STUCK_AGENTS,
            &OF_PLANNERS,
            &OF_MODELS,
            &OF_REQUESTS,
            &OF_TALKING_AGENTS,
            &OF_PAUSES,
            &OF_TASKS,
            &OF_BUDGETS,
        ];
        let elsewhere = elsewhere.concat();
        let alone = known.iter().filter(|kind| !elsewhere.contains(*kind));
        let missed: Vec<&&str> = alone.filter(|kind| !self.kinds.contains_key(**kind)).collect();
        assert!(missed.is_empty(), "these events never happened: {missed:?}");
        for pair in BETWEEN {
            assert!(self.between.contains_key(&pair), "no process died between {pair:?}");
        }
        for status in ["completed", "failed", "compensated", "cancelled", "stuck", "paused", "waiting"] {
            assert!(self.statuses.contains_key(status), "no run ended {status}");
        }
    }

    fn and(&mut self, other: Self) {
        self.crashes += other.crashes;
        for (pair, count) in other.between {
            *self.between.entry(pair).or_default() += count;
        }
        for (kind, count) in other.kinds {
            *self.kinds.entry(kind).or_default() += count;
        }
        for (status, count) in other.statuses {
            *self.statuses.entry(status).or_default() += count;
        }
    }
}

#[test]
fn a_crash_at_any_moment_changes_nothing_that_was_promised() {
    let began = Instant::now();
    let seen = every_seed(|seed| {
        let mut dice = Dice::of(seed);
        let model = Model::generate(&mut dice);
        crash_everywhere(&model, seed)
    });
    let per_minute = seen.crashes as f64 / began.elapsed().as_secs_f64() * 60.0;
    eprintln!("{} crash points, {per_minute:.0} a minute: {:?}", seen.crashes, seen.statuses);
    eprintln!("{:?}\n{:?}", seen.kinds, seen.between);
    if std::env::var_os("REENACT_SAGA_SEED").is_none() {
        seen.saw_everything();
    }
}

/// Runs a workflow, asks it things, and lets its process die wherever it can.
fn crash_everywhere(model: &Model, seed: u64) -> Verdict<Seen> {
    let (mut seen, mut dice) = (Seen::default(), Dice::of(!seed));
    let mut duel = Duel::begin(model, seed)?;
    duel.watch();
    // Every other run is left alone.
    let mut commands = if seed.is_multiple_of(2) { 0 } else { COMMANDS_MAX };
    loop {
        // The commit before this is stored, and nothing was done about it.
        crash_here(duel.fork(), &mut seen)?;
        die_while_taking_over(&duel, model, &mut seen)?;
        for fence in duel.in_flight() {
            // Done, and not heard of: this is also a crash before the commit that would record it.
            let mut done = duel.fork();
            done.make_unheard(fence)?;
            crash_here(done, &mut seen)?;
        }
        let next = duel.engine.next_move();
        if commands > 0 && (next.is_none() || dice.one_in(6)) {
            commands -= 1;
            ask_anything(&mut duel, &mut dice, &mut seen)?;
        } else if let Some(next) = next {
            duel.play(&next)?;
        } else {
            break;
        }
        for step in duel.take_steps() {
            die_within(&step, model, &mut seen)?;
        }
    }
    duel.finish()?;
    duel.engine.check_prefixes().map_err(|broken| broken.to_string())?;
    seen.note(&duel);
    Ok(seen)
}

/// A person asks anything, while the run is driven or not.
fn ask_anything(duel: &mut Duel, dice: &mut Dice, seen: &mut Seen) -> Verdict {
    let command = any_command(duel, dice);
    let answers = matches!(
        command,
        Command::Approve { .. } | Command::Reject { .. } | Command::Check { .. } | Command::Signal { .. }
    );
    if !answers || dice.one_in(2) {
        return duel.command(&command).map(drop);
    }
    duel.record(&command)?;
    crash_here(duel.fork(), seen)?;
    duel.drive()
}

/// Anything that a person might ask at any moment, sensible or not.
fn any_command(duel: &Duel, dice: &mut Dice) -> Command {
    let step = dice.below(duel.oracle.steps.len());
    let name = |dice: &mut Dice| match dice.below(4) {
        0 => ["build", "ship", "nothing"][dice.below(3)].to_owned(),
        _ => duel.oracle.steps[dice.below(duel.oracle.model.steps.len())].id.clone(),
    };
    if dice.one_in(2) {
        return any_answer(duel, dice, &name(&mut dice.clone()));
    }
    match dice.below(13) {
        12 => Command::PauseAfter { until: name(dice) },
        0 | 1 => Command::Pause,
        2..5 => Command::Unpause,
        5 => Command::Cancel { rollback: dice.one_in(2) },
        6 => Command::Retry { only: None },
        7 => Command::Retry { only: Some(name(dice)) },
        8 => Command::Rollback { to: None },
        9 => Command::Rollback { to: may_keep(duel).then(|| name(dice)) },
        _ => {
            let stuck = duel.oracle.steps.iter().position(|step| step.undo == Undoing::Failed);
            let how = [How::Retry, How::Skip, How::Done][dice.below(3)];
            Command::Resolve { step: stuck.unwrap_or(step), how }
        }
    }
}

/// What a person might answer.
fn any_answer(duel: &Duel, dice: &mut Dice, name: &str) -> Command {
    let requests = &duel.oracle.requests;
    let by = ["ada", "bob", "cyd"][dice.below(3)].to_owned();
    let what = match dice.below(4) {
        0 => Named::Step(name.to_owned()),
        _ if requests.is_empty() => Named::Step("0123456789ab".to_owned()),
        // Mostly one of the last, which may be open.
        _ => Named::Request(requests.len() - 1 - dice.below(requests.len().min(3))),
    };
    let edits = [json!({ "got": 7 }), json!({ "ok": false }), json!({ "note": { "by": by } })];
    match dice.below(9) {
        0..2 => Command::Approve { what, by, edit: None },
        2 => Command::Approve { what, by, edit: Some(edits[dice.below(3)].clone()) },
        3 => Command::Reject { what, by },
        4..6 => Command::Check { what, by, point: 1 + dice.below(3) as u32 },
        _ => Command::Signal {
            name: ["go", "on"][dice.below(2)].to_owned(),
            data: json!({ "told": dice.below(3) }),
        },
    }
}

/// Whether a run may be rolled back to a step: when nothing is on its way. The oracle does not know what becomes of
/// attempts that a partial rollback lets run, nor of steps that may be started once and are to be done anew.
fn may_keep(duel: &Duel) -> bool {
    let steps = &duel.oracle.steps;
    let waits = |next: &Move| matches!(next, Move::Answer(_) | Move::Signal(_) | Move::Wake(_));
    let is_of_people =
        |effect| matches!(effect, RunEffect::Wake { timer, .. } if is_of_people(timer.as_str()));
    duel.engine.moves().iter().all(waits)
        && duel.engine.state().open_timers().into_iter().all(is_of_people)
        && !steps.iter().any(|step| step.rules.at_most_once)
}

fn is_of_people(timer: &str) -> bool {
    timer.starts_with("approval/") || timer.starts_with("wait/")
}

/// Lets the process die between any two outputs of a step: of a small workflow always, of others where no process has died
/// between two such.
fn die_within(step: &Step, model: &Model, seen: &mut Seen) -> Verdict {
    let befores = std::iter::once("rest").chain(step.trail.iter().copied());
    for (nth, pair) in befores.zip(step.trail.iter().copied()).enumerate() {
        let count = seen.between.entry(pair).or_default();
        if *count > 0 && model.steps.len() > SMALL {
            continue;
        }
        *count += 1;
        let left = step.die_before(nth).and_then(|left| go_on(left, seen));
        left.map_err(|why| format!("between `{}` and `{}`: {why}", pair.0, pair.1))?;
    }
    Ok(())
}

/// Another process takes over what one left that died between two outputs.
fn go_on(left: Left, seen: &mut Seen) -> Verdict {
    match left {
        // That is mostly what one leaves that dies between two steps, so few go on to their ends.
        Left::Known(duel) if seen.crashes.is_multiple_of(4) => return crash_here(*duel, seen),
        Left::Known(duel) => duel.crash().map(drop)?,
        Left::Between(engine) => finish_alone(*engine).map(drop)?,
    }
    seen.crashes += 1;
    Ok(())
}

/// Lets the process die, and the next while it takes over: in a small workflow before each output, in others now and then
/// before one.
fn die_while_taking_over(duel: &Duel, model: &Model, seen: &mut Seen) -> Verdict {
    let outputs = match (model.steps.len() > SMALL, seen.crashes % (3 * TAKING_OVER)) {
        (false, _) => 0..TAKING_OVER,
        (true, nth) if nth < TAKING_OVER => nth..nth + 1,
        (true, _) => 0..0,
    };
    for nth in outputs {
        let Some((pair, left)) = die_twice(duel, nth)? else { break };
        *seen.between.entry(pair).or_default() += 1;
        go_on(left, seen)
            .map_err(|why| format!("taking over, between `{}` and `{}`: {why}", pair.0, pair.1))?;
    }
    Ok(())
}

fn crash_here(duel: Duel, seen: &mut Seen) -> Verdict {
    let mut after = duel.crash().map_err(|why| format!("after a crash: {why}"))?;
    seen.crashes += 1;
    if seen.crashes.is_multiple_of(3) {
        // It dies again as soon as it has taken over, or a little later.
        if let Some(next) = after.engine.next_move().filter(|_| seen.crashes.is_multiple_of(2)) {
            after.play(&next).map_err(|why| format!("after a crash: {why}"))?;
        }
        after = after.crash().map_err(|why| format!("after two crashes: {why}"))?;
        seen.crashes += 1;
    }
    after.finish().map_err(|why| format!("after a crash: {why}"))?;
    seen.note(&after);
    Ok(())
}

/// Plays every seed, on every core. The first that fails ends the test, and says how to play it again.
fn every_seed(play: impl Fn(u64) -> Verdict<Seen> + Sync) -> Seen {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().expect("a number"));
    if let Some(seed) = number("REENACT_SAGA_SEED") {
        eprintln!("{}", Model::generate(&mut Dice::of(seed)).yaml());
        return play(seed).unwrap_or_else(|why| panic!("seed {seed}: {why}"));
    }
    let (seeds, next) = (number("REENACT_SAGA_SEEDS").unwrap_or(SEEDS), AtomicU64::new(0));
    let (seen, failed) = (Mutex::new(Seen::default()), Mutex::new(Vec::new()));
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds || failed.lock().unwrap().len() >= FAILURES_MAX {
                return;
            }
            match play(seed) {
                Ok(found) => seen.lock().unwrap().and(found),
                Err(why) => failed.lock().unwrap().push((seed, why)),
            }
        }
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| (0..cores).for_each(|_| drop(scope.spawn(work))));
    let mut failed = failed.into_inner().unwrap();
    // The shortest story is the easiest to read.
    failed.sort_by_key(|(_, why)| why.len());
    if let Some((seed, why)) = failed.first() {
        let others: Vec<String> =
            failed.iter().map(|(seed, why)| format!("{seed}: {}", first_line(why))).collect();
        let yaml = Model::generate(&mut Dice::of(*seed)).yaml();
        panic!("{}\nREENACT_SAGA_SEED={seed} plays this again:\n{yaml}{why}", others.join("\n"));
    }
    seen.into_inner().unwrap()
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}
