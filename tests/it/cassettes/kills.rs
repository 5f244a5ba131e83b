//! A process that is killed while it records keeps what was answered; one that is killed while it replays goes on where it was.

use std::fs;

use serde_json::Value;

use super::{CASSETTE, FILE};
use crate::support::{Sandbox, wait_until};

/// The second step fails once, and hangs until it may go on; the others are done at once.
const HOLDS: &str = "name: w\nsteps:\n  - {id: a, run: 'echo a >> traces; date +%N'}\n  \
    - {id: b, run: 'echo b >> traces; [ -e second ] || { touch second; exit 75; }; touch held; while [ ! -e go ]; do sleep 0.01; done; date +%N', retry: {attempts: 3, initial: 10ms}}\n  \
    - {id: c, run: 'echo c >> traces; date +%N'}\n";

/// The steps of a cassette, in the order in which they stand there.
fn recorded(sandbox: &Sandbox) -> Vec<(String, u64)> {
    let text = fs::read_to_string(sandbox.work(CASSETTE)).unwrap();
    let documents = serde_json::Deserializer::from_str(&text).into_iter::<Value>().map(Result::unwrap);
    let at = |document: Value| {
        (document["at"]["step"].as_str().unwrap().to_owned(), document["at"]["attempt"].as_u64().unwrap())
    };
    documents.skip(1).map(at).collect()
}

fn outputs(report: &Value) -> Vec<Value> {
    report["steps"].as_array().unwrap().iter().map(|step| step["output"].clone()).collect()
}

#[test]
fn a_process_that_is_killed_while_it_records_keeps_what_was_answered() {
    let sandbox = Sandbox::new();
    sandbox.write(FILE, HOLDS);
    let running = sandbox.spawn(&["run", FILE, "--mode", "record", "--id", "r"]);
    wait_until("the second step holds", || sandbox.work("held").exists());
    running.kill();
    let of = |steps: &[(&str, u64)]| {
        steps.iter().map(|(step, nth)| ((*step).to_owned(), *nth)).collect::<Vec<_>>()
    };
    assert_eq!(recorded(&sandbox), of(&[("a", 1), ("b", 1)]));
    // A part of an answer, as a process leaves it that is killed while it writes.
    let mut text = fs::read_to_string(sandbox.work(CASSETTE)).unwrap();
    text.push_str("{\n  \"at\": {\n    \"step\": \"b\",");
    sandbox.write(CASSETTE, text);
    sandbox.write("go", "");
    let report = sandbox.json(0, &["resume", "r"]);
    // The attempt that died had no answer: the one after it has the answer of the second try.
    assert_eq!(recorded(&sandbox), of(&[("a", 1), ("b", 1), ("b", 2), ("c", 1)]));
    assert_eq!(report["steps"][1]["attempts"], 3);
    fs::remove_file(sandbox.work("traces")).unwrap();
    let replayed = sandbox.json(0, &["run", FILE, "--mode", "replay"]);
    assert_eq!(outputs(&replayed), outputs(&report));
    assert_eq!(replayed["steps"][1]["attempts"], 2);
    assert!(!sandbox.work("traces").exists());
    // Again with that id it is the same run: nothing is recorded over.
    let before = fs::read(sandbox.work(CASSETTE)).unwrap();
    sandbox.json(0, &["run", FILE, "--mode", "record", "--id", "r"]);
    assert_eq!(fs::read(sandbox.work(CASSETTE)).unwrap(), before);
    assert_eq!(
        sandbox.json(2, &["run", FILE, "--id", "r"])["error"]["code"],
        "RE-1005",
        "it began in another mode"
    );
}

#[test]
fn a_process_that_is_killed_while_it_replays_goes_on_with_the_answers_of_its_own_numbers() {
    let sandbox = Sandbox::new();
    sandbox.write("go", "");
    let naps = HOLDS.replace("  - {id: c,", "  - {id: nap, sleep: 2s}\n  - {id: c,");
    sandbox.write(FILE, naps);
    let recorded = sandbox.json(0, &["run", FILE, "--mode", "record"]);
    fs::remove_file(sandbox.work("traces")).unwrap();
    let running = sandbox.spawn(&["run", FILE, "--mode", "replay", "--id", "p"]);
    wait_until("it sleeps", || {
        let ended = sandbox.reenact(&["--json", "history", "p", "--type", "timer_set"]);
        ended.stdout.contains("nap")
    });
    running.kill();
    let report = sandbox.json(0, &["resume", "p"]);
    assert_eq!(outputs(&report), outputs(&recorded));
    assert!(!sandbox.work("traces").exists(), "nothing is started, then as before");
}

#[test]
fn two_runs_do_not_record_into_one_cassette() {
    let sandbox = Sandbox::new();
    sandbox.write(FILE, HOLDS);
    let first = sandbox.spawn(&["run", FILE, "--mode", "record", "--id", "r"]);
    wait_until("the second step holds", || sandbox.work("held").exists());
    let other = sandbox.root().join("other");
    let mut command = sandbox.command(&["--json", "run", FILE, "--mode", "record", "--id", "s"]);
    command.env("REENACT_DATA", &other);
    let ended = sandbox.start(command).wait();
    assert_eq!(ended.code(), Some(2), "{ended}");
    assert_eq!(ended.json()["error"]["code"], "RE-2305", "{ended}");
    sandbox.write("go", "");
    let ended = first.wait();
    assert_eq!(ended.code(), Some(0), "{ended}");
    sandbox.json(0, &["run", FILE, "--mode", "replay"]);
}
