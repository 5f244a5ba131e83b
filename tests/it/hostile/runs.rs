//! Runs: whatever expressions, answers and plans they hold, the process that drives them ends in order, all of it can be
//! read, and others go on.

use std::fs;

use reenact::testing::Dice;
use reenact::workflow::expression::Expression;
use reenact::workflow::parse::{Known, parse};

use super::kit::{begin_innocent, bounded, end_innocent, play};
use super::words;
use crate::support::Sandbox;

/// How many steps a run begins with.
const STEPS: usize = 24;

/// A step, as JSON in one line. What its program answers is in a file of its own.
fn step(dice: &mut Dice, number: usize) -> (String, String) {
    let answer = match dice.below(3) {
        0 => words::plan(dice),
        1 => words::json(dice, 5),
        _ => words::text(dice),
    };
    let quoted = |text: &str| serde_json::to_string(text).unwrap();
    let mut keys = vec![format!("id: s{number}, on_error: continue, timeout: 60s")];
    keys.push(match dice.below(4) {
        0 => format!("run: {}", quoted(&format!("echo {{{{ {} }}}}", words::any_expression(dice)))),
        1 => format!("run: [echo, {}]", quoted(&format!("{{{{ {} }}}}", words::any_expression(dice)))),
        _ => format!("run: cat answers/{number}"),
    });
    match dice.below(6) {
        0 => keys.push(format!("if: {}", quoted(&words::any_expression(dice)))),
        1 => keys.push(format!("for_each: {}", quoted(&words::any_expression(dice)))),
        2 => keys.push(format!("repeat: {{until: {}, max: 3}}", quoted(&words::any_expression(dice)))),
        _ => {}
    }
    if dice.one_in(3) {
        keys.push("needs: []".to_owned());
    }
    (format!("  - {{{}}}\n", keys.join(", ")), answer)
}

/// A workflow file whose steps are all allowed, with what their programs answer.
fn workflow(dice: &mut Dice) -> (String, Vec<(usize, String)>) {
    let (mut file, mut answers) = ("name: hostile\nlimits: {parallel: 8}\nsteps:\n".to_owned(), Vec::new());
    let mut tries = 0;
    while answers.len() < STEPS && tries < 10 * STEPS {
        tries += 1;
        let (step, answer) = step(dice, answers.len());
        if parse(&format!("steps:\n{step}"), "w.yaml", &Known::default()).is_ok() {
            file.push_str(&step);
            answers.push((answers.len(), answer));
        }
    }
    (file, answers)
}

#[test]
fn no_answer_and_no_expression_harms_the_store_its_readers_or_other_runs() {
    play(8, |seed, mut dice| {
        let sandbox = Sandbox::new();
        begin_innocent(&sandbox);
        let (file, answers) = workflow(&mut dice);
        sandbox.write("w.yaml", &file);
        for (number, answer) in &answers {
            sandbox.write(&format!("answers/{number}"), answer);
        }
        let ended = bounded(&sandbox, &["--json", "run", "w.yaml", "--id", "r"]);
        assert!(matches!(ended.code(), Some(0 | 1 | 3 | 4 | 5)), "seed {seed}: {ended}");
        let version = version(&ended.stdout);
        let halfway = (1 + version / 2).to_string();
        for verb in [&["status", "r"][..], &["history", "r"], &["replay", "r", "--at", &halfway], &["list"]] {
            let told = bounded(&sandbox, verb);
            assert_eq!(told.code(), Some(0), "seed {seed}: {told}");
            assert_eq!(unprintable(&told.stdout), None, "seed {seed}: {told}");
        }
        assert!(!sandbox.work("owned").exists(), "seed {seed}: a value became a command");
        assert!(!sandbox.root().join("outside").exists(), "seed {seed}: something was written outside");
        end_innocent(&sandbox);
        drop(fs::remove_dir_all(sandbox.data()));
    });
}

/// The version that a run's report names. (Numbers in it have digits that this test's reader has no room for.)
fn version(report: &str) -> u64 {
    #[derive(serde::Deserialize)]
    struct SystemReport {
        version: u64,
    }
    serde_json::from_str::<SystemReport>(report).unwrap().version
}

/// The first character that does something to a terminal rather than to be seen.
pub(super) fn unprintable(text: &str) -> Option<char> {
    let acts = |character: char| {
        (character.is_control() && !matches!(character, '\n' | '\t'))
            || matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    text.chars().find(|character| acts(*character))
}

#[test]
fn an_expression_that_is_allowed_can_be_recorded_and_read_again_by_any_thread() {
    let reading = std::thread::Builder::new().stack_size(512 * 1024).spawn(|| {
        let mut allowed = 0;
        play(4_000, |_, mut dice| {
            let source = words::any_expression(&mut dice);
            if let Ok(expression) = Expression::parse(&source) {
                allowed += 1;
                let again = serde_json::from_str::<Expression>(&serde_json::to_string(&expression).unwrap());
                assert_eq!(again.unwrap(), expression);
            }
        });
        allowed
    });
    let allowed = reading.unwrap().join().expect("an expression brought its reader down");
    assert!(
        allowed != 1 || std::env::var_os("REENACT_FUZZ_SEED").is_some(),
        "{allowed} allowed: they show nothing"
    );
}
