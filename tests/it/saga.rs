//! The saga test: workflows that follow from a seed, in worlds that follow from it too, whose process dies at every
//! event boundary and in the middle of every effect. Each run, whatever becomes of it, is compared with an oracle that was
//! written apart from the engine.
//!
//! `REENACT_SAGA_SEEDS=5000` runs more seeds than usual, `REENACT_SAGA_SEED=17` that one alone, and shows its workflow.

mod duel;
mod model;
mod oracle;
mod script;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use reenact::events::codec::Encoded;
use reenact::testing::Dice;

use duel::{Duel, Verdict};
use model::Model;

/// How many seeds are run where nothing else is said.
const SEEDS: u64 = 300;

/// What was seen.
#[derive(Debug, Default)]
struct Seen {
    crashes: usize,
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

    fn and(&mut self, other: Self) {
        self.crashes += other.crashes;
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
    eprintln!("{:?}", seen.kinds);
}

/// Runs a workflow, and lets its process die wherever it can.
fn crash_everywhere(model: &Model, seed: u64) -> Verdict<Seen> {
    let mut seen = Seen::default();
    let mut duel = Duel::begin(model, seed)?;
    loop {
        // The commit before this is stored, and nothing was done about it.
        crash_here(duel.clone(), &mut seen)?;
        for fence in duel.in_flight() {
            // Done, and not heard of: this is also a crash before the commit that would record it.
            let mut done = duel.clone();
            done.make_unheard(fence)?;
            crash_here(done, &mut seen)?;
        }
        let Some(next) = duel.engine.next_move() else { break };
        duel.play(&next)?;
    }
    duel.finish()?;
    duel.engine.check_prefixes().map_err(|broken| broken.to_string())?;
    seen.note(&duel);
    Ok(seen)
}

fn crash_here(duel: Duel, seen: &mut Seen) -> Verdict {
    let mut after = duel.crash().map_err(|why| format!("after a crash: {why}"))?;
    after.finish().map_err(|why| format!("after a crash: {why}"))?;
    seen.crashes += 1;
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
    let seen = Mutex::new(Seen::default());
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds {
                return;
            }
            match play(seed) {
                Ok(found) => seen.lock().unwrap().and(found),
                Err(why) => {
                    next.store(seeds, Ordering::Relaxed);
                    let yaml = Model::generate(&mut Dice::of(seed)).yaml();
                    panic!("seed {seed} (REENACT_SAGA_SEED={seed} plays it again)\n{yaml}\n{why}");
                }
            }
        }
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| (0..cores).for_each(|_| drop(scope.spawn(work))));
    seen.into_inner().unwrap()
}
