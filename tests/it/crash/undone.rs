//! The same of runs that are undone: transfers of money (`examples/transfer.yaml`) are killed on their way there, on
//! their way back, on their way back to a step and there again. After every kill no cent may have come or gone.

use std::collections::BTreeSet;
use std::time::Duration;

use reenact::testing::Dice;
use serde_json::Value;

use super::audit::Audit;
use super::{LANES, RUN, patient, seed};
use crate::examples::{self, Bank};
use crate::support::Sandbox;

/// How often is killed before it is enough, if all was hit.
const KILLS_MIN: usize = 40;

/// Transfers in one lane after which it gives up hitting all.
const TRANSFERS_MAX: usize = 30;

const FILE: &str = "examples/transfer.yaml";

const AMOUNT: i64 = 2_500;

/// The bank, so slow that it is killed at its work, and writing down what it does as the audit reads it.
const SLOWLY: &str = r#"set -eu
name=$REENACT_STEP
[ "$REENACT_PURPOSE" = do ] || name=undo:$name
echo "start $name $REENACT_ATTEMPT $REENACT_IDEMPOTENCY_KEY" >> ../log
trap '[ $? != 0 ] || echo "end $name $REENACT_ATTEMPT" >> ../log; sleep 0.05' EXIT
sleep 0.03
"#;

/// What becomes of a transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Story {
    /// It goes through.
    Forward,
    /// It fails, and undoes itself.
    Fails,
    /// Somebody has it undone.
    Recalled,
    /// Somebody has it undone in part, and then done again.
    Again,
    /// It gets stuck when it is settled; somebody mends that and has it tried again.
    Mended,
}

const STORIES: [Story; 5] = [Story::Forward, Story::Fails, Story::Recalled, Story::Again, Story::Mended];

/// What a kill may hit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Hit {
    Forward,
    Rollback,
    PartialRollback,
    ForwardAgain,
}

#[test]
fn killed_at_random_moments_a_run_is_undone_once_in_order_and_wholly() {
    let seed = seed();
    let lanes = (0..LANES).map(|lane| std::thread::spawn(move || survive_often(seed.wrapping_add(lane))));
    let lanes: Vec<_> = lanes.collect();
    let hits: Vec<Hit> = lanes.into_iter().flat_map(|lane| lane.join().unwrap()).collect();
    let count = |hit| hits.iter().filter(|other| **other == hit).count();
    let all = [Hit::Forward, Hit::Rollback, Hit::PartialRollback, Hit::ForwardAgain];
    let counts = all.map(|hit| (hit, count(hit)));
    eprintln!("{counts:?}");
    // If one of these was never hit, the test proves less than it says.
    assert!(counts.iter().all(|(_, count)| *count > 0), "{counts:?}");
}

/// Goes through transfers until enough kills hit something.
fn survive_often(seed: u64) -> Vec<Hit> {
    let (mut random, mut hits) = (Dice::of(seed), Vec::new());
    for number in 0..TRANSFERS_MAX {
        let kinds: BTreeSet<_> = hits.iter().collect();
        if number >= STORIES.len() && kinds.len() == 4 && hits.len() >= KILLS_MIN.div_ceil(LANES as usize) {
            break;
        }
        survive_once(&mut random, STORIES[number % STORIES.len()], &mut hits);
    }
    hits
}

/// One transfer, killed until it is over.
fn survive_once(random: &mut Dice, story: Story, hits: &mut Vec<Hit>) {
    let sandbox = slow_bank();
    let mut audit = Audit::new(RUN);
    let mut report = None;
    while let Some(command) = story.next(report.as_ref(), &sandbox) {
        let process = sandbox.start(patient(&sandbox, command));
        std::thread::sleep(moment(random));
        let ended = process.kill();
        audit.look(&sandbox);
        Bank::read(&sandbox).check(AMOUNT);
        report = audit.has_begun().then(|| sandbox.status(RUN));
        match ended.code() {
            None => hits.extend(report.as_ref().and_then(|report| story.hit(report))),
            Some(0 | 3 | 4 | 5) => {}
            Some(code) => panic!("{story:?}: {command:?} ended with {code}\n{}", audit.shown(&sandbox)),
        }
    }
    story.conclude(&audit, &sandbox);
}

/// A sandbox with the example, whose bank is slow.
fn slow_bank() -> Sandbox {
    let sandbox = examples::sandbox();
    for (file, from, to) in [
        ("examples/bin/bank", "set -eu\n", SLOWLY),
        // A step may be killed as often as it likes.
        (FILE, "steps:\n", "limits: {lost: 1000}\nsteps:\n"),
    ] {
        let text = std::fs::read_to_string(sandbox.work(file)).unwrap();
        assert_eq!(text.matches(from).count(), 1);
        sandbox.write(file, text.replace(from, to));
    }
    sandbox
}

/// When to kill: soon, while the store is opened or the run recovered, or while it is at work.
fn moment(random: &mut Dice) -> Duration {
    let range_ms = [60, 250, 600][random.below(3)];
    Duration::from_micros(random.below(range_ms * 1000) as u64)
}

/// Whether the money is withdrawn for the second time, or is about to be.
fn is_again(report: &Value) -> bool {
    step(report, "withdraw")["generation"] == 2
}

fn step<'a>(report: &'a Value, id: &str) -> &'a Value {
    report["steps"].as_array().unwrap().iter().find(|step| step["id"] == id).unwrap()
}

impl Story {
    /// What brings the transfer on; none when its story is over.
    fn next(self, report: Option<&Value>, sandbox: &Sandbox) -> Option<&'static [&'static str]> {
        let Some(report) = report else { return Some(self.begins()) };
        let status = report["status"].as_str().unwrap();
        if status == self.ends() {
            return None;
        }
        let is_back = report["rolled_back_to"].is_string() || is_again(report);
        Some(match (self, status) {
            (Self::Recalled, "paused") => &["rollback", RUN],
            (Self::Again, "paused") if !is_back => &["rollback", RUN, "--to", "accounts"],
            (Self::Again, "paused") => &["unpause", RUN],
            (Self::Mended, "stuck") => {
                Bank::mend(sandbox);
                &["retry", RUN]
            }
            (_, "pending" | "running" | "compensating") => &["resume", RUN],
            _ => panic!("{self:?}: it must not be {status}: {report}"),
        })
    }

    /// What a kill hit, if something was under way.
    fn hit(self, report: &Value) -> Option<Hit> {
        match (report["status"].as_str().unwrap(), self) {
            ("running", _) if is_again(report) => Some(Hit::ForwardAgain),
            ("running", _) => Some(Hit::Forward),
            ("compensating", Self::Again) => Some(Hit::PartialRollback),
            ("compensating", _) => Some(Hit::Rollback),
            _ => None,
        }
    }

    fn begins(self) -> &'static [&'static str] {
        match self {
            Self::Forward => &["run", FILE, "--id", RUN],
            Self::Fails => &["run", FILE, "--id", RUN, "--input", "fail_at=deposit"],
            Self::Recalled | Self::Again => &["run", FILE, "--id", RUN, "--until", "deposit"],
            Self::Mended => &["run", FILE, "--id", RUN, "--input", "fail_at=confirm"],
        }
    }

    /// The status that it comes to in the end.
    fn ends(self) -> &'static str {
        match self {
            Self::Fails | Self::Recalled => "compensated",
            Self::Forward | Self::Again | Self::Mended => "completed",
        }
    }

    /// The story is over: what was done was done once, what was undone was undone once and in order, and the bank has
    /// what it is to have.
    fn conclude(self, audit: &Audit, sandbox: &Sandbox) {
        audit.check_work(sandbox);
        let (bank, history) = (Bank::read(sandbox), sandbox.history(RUN));
        let shown = || format!("{self:?}\n{bank:#?}\n{}", audit.shown(sandbox));
        let moved = if self.ends() == "completed" { AMOUNT } else { 0 };
        assert_eq!(bank.moved(RUN), (moved, moved), "{}", shown());
        let told = usize::from(moved > 0);
        assert_eq!((bank.clearing.len(), bank.letters.len()), (told, told), "{}", shown());
        let about = |kind: &str| -> Vec<&str> {
            let of_kind = history.iter().filter(|event| event["type"] == kind);
            of_kind.map(|event| event["data"]["step"].as_str().unwrap()).collect()
        };
        // A deposit that was killed may have been made, and is undone; one that failed was not.
        let is_unknown = about("attempt_lost").contains(&"deposit");
        let undone: &[&str] = match self {
            Self::Forward | Self::Mended => &[],
            Self::Fails if !is_unknown => &["withdraw"],
            Self::Fails | Self::Recalled | Self::Again => &["deposit", "withdraw"],
        };
        assert_eq!(about("step_compensated"), undone, "{}", shown());
        assert_eq!(about("compensation_started"), undone, "{}", shown());
        let times = |step| about("step_completed").into_iter().filter(|other| *other == step).count();
        let (again, deposited) = (usize::from(self == Self::Again), usize::from(self != Self::Fails));
        assert_eq!((times("accounts"), times("withdraw")), (1, 1 + again), "{}", shown());
        assert_eq!(times("deposit"), deposited + again, "{}", shown());
        assert_eq!([times("settle"), times("confirm"), times("statement")], [told; 3], "{}", shown());
        let position = |kind: &str, step: &str| {
            history.iter().position(|event| event["type"] == kind && event["data"]["step"] == step)
        };
        if undone.len() == 2 {
            let (first, second) =
                (position("step_compensated", "deposit"), position("compensation_started", "withdraw"));
            assert!(first < second, "{}", shown());
        }
    }
}
