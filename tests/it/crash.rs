//! Promises 1, 3, 4, 5 and 6, seen from outside: the real binary is killed (SIGKILL) at random moments, again and again,
//! until a run of real programs is done; after every kill all that was known before must still be so.
//!
//! Every round follows from a seed, which is printed; `REENACT_CRASH_SEED=N` repeats one. (The moments of the kills are
//! drawn from it too; what they hit is up to the machine.)

mod audit;
mod generated;
mod leftover;
mod orchestration;
mod undone;

pub(crate) use audit::group_lives;

use std::time::Duration;

use reenact::testing::Dice;

use crate::support::{Process, Sandbox};
use audit::Audit;
use generated::Workflow;

/// How often is killed before it is enough.
const KILLS_MIN: u32 = 60;

/// Rounds that run beside each other. Most of the time they wait for programs.
const LANES: u64 = 3;

const RUN: &str = "survivor";

#[test]
fn killed_at_random_moments_nothing_acknowledged_is_lost_and_nothing_finished_runs_again() {
    let seed = seed();
    let lanes = (0..LANES).map(|lane| std::thread::spawn(move || survive_often(seed.wrapping_add(lane))));
    let lanes: Vec<_> = lanes.collect();
    let mut kills = Kills::default();
    lanes.into_iter().for_each(|lane| kills.add(lane.join().unwrap()));
    eprintln!("{kills:?}");
    // If one of these was never hit, the test proves less than it says.
    assert!(kills.before_it_began > 0 && kills.at_work > 0 && kills.between > 0, "{kills:?}");
}

/// The seed that was given, or a new one; it is printed.
fn seed() -> u64 {
    let given = std::env::var("REENACT_CRASH_SEED").ok().map(|seed| seed.parse().unwrap());
    let drawn = || std::time::UNIX_EPOCH.elapsed().unwrap().as_micros() as u64;
    let seed: u64 = given.unwrap_or_else(drawn);
    eprintln!("REENACT_CRASH_SEED={seed}");
    seed
}

/// What the kills hit.
#[derive(Debug, Default)]
struct Kills {
    /// Nothing was recorded yet.
    before_it_began: u32,
    /// Attempts were open.
    at_work: u32,
    /// No attempt was open: while the store was opened, or in a sleep.
    between: u32,
}

impl Kills {
    fn add(&mut self, other: Self) {
        self.before_it_began += other.before_it_began;
        self.at_work += other.at_work;
        self.between += other.between;
    }

    fn count(&mut self, audit: &Audit) {
        match (audit.has_begun(), audit.open_attempts()) {
            (false, _) => self.before_it_began += 1,
            (true, 0) => self.between += 1,
            (true, _) => self.at_work += 1,
        }
    }

    fn all(&self) -> u32 {
        self.before_it_began + self.at_work + self.between
    }
}

/// Goes through runs until enough kills hit something.
fn survive_often(seed: u64) -> Kills {
    let (mut random, mut kills) = (Dice::of(seed), Kills::default());
    while kills.all() < KILLS_MIN.div_ceil(LANES as u32) {
        survive_once(&mut random, &mut kills);
    }
    kills
}

/// One run, killed until it is done.
fn survive_once(random: &mut Dice, kills: &mut Kills) {
    let sandbox = Sandbox::new();
    let workflow = Workflow::generate(random);
    workflow.write_to(&sandbox);
    let mut audit = Audit::new(RUN);
    // The first kills come while the store is made.
    let mut early = 0..2;
    loop {
        let process = start(&sandbox, audit.has_begun() && random.below(2) == 0);
        std::thread::sleep(moment(random, early.next().is_some()));
        if audit.has_begun() && random.below(3) == 0 {
            // What another process was told counts as acknowledged too.
            audit.look(&sandbox);
        }
        let ended = process.kill();
        audit.look(&sandbox);
        match ended.code() {
            None => kills.count(&audit),
            Some(0) => break,
            Some(code) => panic!("the run ended with {code}\n{}\n{}", workflow.text(), audit.shown(&sandbox)),
        }
    }
    audit.conclude(&sandbox, &workflow);
}

/// Going on is the same whether one starts the run again under its id or resumes it.
fn start(sandbox: &Sandbox, resume: bool) -> Process {
    let arguments: &[&str] = if resume { &["resume", RUN] } else { &["run", "workflow.yaml", "--id", RUN] };
    sandbox.start(patient(sandbox, arguments))
}

fn patient(sandbox: &Sandbox, arguments: &[&str]) -> std::process::Command {
    let mut command = sandbox.command(arguments);
    // What a killed process left gets TERM, and soon KILL.
    command.env("REENACT_PROCESS__GRACE", "100ms");
    command
}

/// When to kill: often while the store is made, opened or recovered, else while steps run.
fn moment(random: &mut Dice, early: bool) -> Duration {
    let range_ms = if early { 20 } else { [25, 200, 600][random.below(3)] };
    Duration::from_micros(random.below(range_ms * 1000) as u64)
}

/// A step that takes its machine down must not do so for ever.
#[test]
fn a_step_that_kills_its_process_each_time_fails_when_its_limit_of_losses_is_met() {
    let sandbox = Sandbox::new();
    let text = "name: deadly\nlimits: {lost: 3}\nsteps:\n  - id: bomb\n    run: 'kill -9 $PPID; sleep 5'\n";
    sandbox.write("deadly.yaml", text);
    let first = sandbox.start(patient(&sandbox, &["run", "deadly.yaml", "--id", RUN])).wait();
    assert_eq!(first.code(), None, "it was killed: {first}");
    for _ in 0..2 {
        let killed = sandbox.start(patient(&sandbox, &["resume", RUN])).wait();
        assert_eq!(killed.code(), None, "it was killed: {killed}");
    }
    let last = sandbox.start(patient(&sandbox, &["--json", "resume", RUN])).wait();
    assert_eq!(last.code(), Some(1), "{last}");
    assert_eq!(last.json()["error"]["code"], "RE-3009", "{last}");
    assert_eq!(sandbox.count(RUN, "attempt_started", Some("bomb")), 3);
    assert_eq!(sandbox.count(RUN, "attempt_lost", Some("bomb")), 3);
    // A person who has looked may have it tried again, as often as before.
    for _ in 0..3 {
        assert_eq!(sandbox.count(RUN, "step_failed", Some("bomb")), 1);
        let verb = if sandbox.status(RUN)["status"] == "failed" { "retry" } else { "resume" };
        let killed = sandbox.start(patient(&sandbox, &[verb, RUN])).wait();
        assert_eq!(killed.code(), None, "it was killed: {killed}");
    }
    assert_eq!(sandbox.json(1, &["resume", RUN])["error"]["code"], "RE-3009");
    assert_eq!(sandbox.count(RUN, "attempt_lost", Some("bomb")), 6);
}
