//! Files: whatever bytes they hold, who reads them says what is wrong, at once, on the smallest stack that there is.

use std::time::{Duration, Instant};

use reenact::testing::Dice;
use reenact::workflow::definition::Definition;
use reenact::workflow::parse::{Known, parse};

use super::kit::play;
use super::words;

/// The stack of a thread on which runs are decided.
const STACK_BYTES: usize = 2 * 1024 * 1024;

/// Far more than any file takes.
const PATIENCE: Duration = Duration::from_secs(10);

/// Files that are right, to be spoilt.
const RIGHT: &[&str] = &[
    include_str!("../../../examples/release.yaml"),
    include_str!("../../../examples/notice.yaml"),
    include_str!("../../../examples/review.yaml"),
    include_str!("../../../examples/fan-out.yaml"),
];

/// What the keys of a step are given.
fn value(dice: &mut Dice) -> String {
    match dice.below(6) {
        0 => words::json(dice, 4),
        1 => serde_json::to_string(&words::text(dice)).unwrap(),
        2 => serde_json::to_string(&words::any_expression(dice)).unwrap(),
        3 => serde_json::to_string(&format!("{{{{ {} }}}}", words::any_expression(dice))).unwrap(),
        4 => format!("{}x{}", "[".repeat(dice.below(500)), "]".repeat(dice.below(500))),
        _ => words::noise(dice, 60),
    }
}

const KEYS: &[&str] = &[
    "id",
    "run",
    "agent",
    "with",
    "prompt",
    "sleep",
    "wait_for",
    "workflow",
    "if",
    "for_each",
    "repeat",
    "timeout",
    "retry",
    "on_error",
    "fallback",
    "compensate",
    "irreversible",
    "approve",
    "approvers",
    "expires",
    "schema",
    "phase",
    "env",
    "cwd",
    "needs",
    "max_parallel",
    "checklist",
];

/// A file made of keys that exist and values that do not fit.
fn made(dice: &mut Dice) -> String {
    let mut file = format!("name: {}\nsteps:\n", value(dice));
    for step in 0..=dice.below(3) {
        file.push_str(&format!("  - id: s{step}\n"));
        for _ in 0..dice.below(5) {
            file.push_str(&format!("    {}: {}\n", KEYS[dice.below(KEYS.len())], value(dice)));
        }
    }
    if dice.one_in(3) {
        file.push_str(&format!("output: {}\ninput: {}\n", value(dice), value(dice)));
    }
    file
}

/// A file that is right but for some characters.
fn spoilt(dice: &mut Dice) -> String {
    let mut file: Vec<char> = RIGHT[dice.below(RIGHT.len())].chars().collect();
    for _ in 0..=dice.below(4) {
        let at = dice.below(file.len());
        let end = (at + dice.below(12)).min(file.len());
        let new = match dice.below(4) {
            0 => String::new(),
            1 => words::text(dice),
            2 => words::noise(dice, 8),
            _ => file[at..end].iter().collect::<String>().repeat(1 + dice.below(20)),
        };
        file.splice(at..end, new.chars());
    }
    file.into_iter().collect()
}

fn read(text: &str) -> bool {
    let since = Instant::now();
    let parsed = parse(text, "fuzz.yaml", &Known::default());
    let right = match parsed {
        Ok(parsed) => {
            // What was read is recorded, and read again by whoever goes on with the run.
            let recorded = parsed.definition.to_json();
            assert_eq!(Definition::from_json(recorded.text()).as_ref(), Ok(&parsed.definition), "{text}");
            true
        }
        Err(problems) => {
            assert!(!problems.is_empty(), "{text}");
            for problem in problems {
                assert!(
                    !problem.message.is_empty() && !problem.remedies.all.is_empty(),
                    "{problem:?}\n{text}"
                );
            }
            false
        }
    };
    assert!(since.elapsed() < PATIENCE, "it took {:?}:\n{text}", since.elapsed());
    right
}

#[test]
fn no_workflow_file_harms_who_reads_it() {
    let reading = std::thread::Builder::new().stack_size(STACK_BYTES).spawn(|| {
        let (mut right, mut wrong) = (0, 0);
        play(3_000, |_, mut dice| {
            let text = if dice.one_in(2) { made(&mut dice) } else { spoilt(&mut dice) };
            if read(&text) { right += 1 } else { wrong += 1 }
        });
        (right, wrong)
    });
    let (right, wrong) = reading.unwrap().join().expect("a file brought its reader down");
    if right + wrong > 1 {
        assert!(right > 20 && wrong > 1_000, "{right} right, {wrong} wrong: these files show nothing");
    }
}
