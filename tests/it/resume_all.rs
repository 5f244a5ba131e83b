//! `resume --all`: drives what can go on, tells of every run, and leaves those that wait to whoever answers them.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::support::{Sandbox, wait_until};

const GOOD: &str = "name: good\nsteps:\n  - {id: a, run: echo a >> log}\n";
const ASKS: &str = "name: asks\nsteps:\n  - {id: a, run: echo $REENACT_RUN >> log, approve: before}\n";
const SLEEPS: &str = "name: sleeps\nsteps:\n  - {id: nap, sleep: 1d}\n  - {id: a, run: echo slept >> log}\n";

fn machine() -> Sandbox {
    let sandbox = Sandbox::new();
    for (name, text) in [("good.yaml", GOOD), ("asks.yaml", ASKS), ("sleeps.yaml", SLEEPS)] {
        sandbox.write(name, text);
    }
    sandbox
}

fn log(sandbox: &Sandbox) -> String {
    std::fs::read_to_string(sandbox.work("log")).unwrap_or_default()
}

#[test]
fn every_run_is_told_of_once_also_one_that_waits_for_people() {
    let sandbox = machine();
    sandbox.json(4, &["run", "asks.yaml", "--id", "waits"]);
    sandbox.json(4, &["run", "asks.yaml", "--id", "asks", "--detach"]);
    sandbox.json(4, &["run", "good.yaml", "--id", "good", "--detach"]);
    sandbox.json(4, &["run", "good.yaml", "--id", "paused", "--detach"]);
    sandbox.json(0, &["pause", "paused"]);
    let ended = sandbox.reenact(&["--json", "resume", "--all"]);
    assert_eq!(ended.code(), Some(4), "{ended}");
    let lines = ended.json_lines();
    let told = lines.iter().map(|line| (line["run"].as_str().unwrap(), line["status"].as_str().unwrap()));
    let expected = BTreeMap::from([("asks", "waiting"), ("good", "completed"), ("waits", "waiting")]);
    assert_eq!((told.collect::<BTreeMap<_, _>>(), lines.len()), (expected, 3), "{ended}");
    assert_eq!(log(&sandbox), "a\n");
}

/// It ended with 1 where all that was left only waited, as if something had failed.
#[test]
fn it_ends_with_4_where_the_others_only_wait_and_with_1_where_one_failed() {
    let sandbox = machine();
    sandbox.write("bad.yaml", "name: bad\nsteps:\n  - {id: a, run: exit 65}\n");
    let begin = |file: &str, id: &str| sandbox.json(4, &["run", file, "--id", id, "--detach"]);
    let all = || sandbox.reenact(&["resume", "--all"]).code();
    begin("good.yaml", "good");
    assert_eq!(all(), Some(0));
    begin("good.yaml", "better");
    begin("asks.yaml", "asks");
    assert_eq!(all(), Some(4));
    assert_eq!(all(), Some(4), "it still waits");
    begin("bad.yaml", "bad");
    assert_eq!(all(), Some(1));
}

#[test]
fn an_approval_given_meanwhile_lets_its_step_start_in_the_process_that_drives_all() {
    let sandbox = machine();
    sandbox.json(4, &["run", "asks.yaml", "--id", "waits"]);
    sandbox.json(4, &["run", "sleeps.yaml", "--id", "sleeps", "--detach"]);
    let mut holder = sandbox.spawn(&["--json", "resume", "--all"]);
    wait_until("the sleeper sleeps", || sandbox.count("sleeps", "timer_set", None) == 1);
    assert_eq!(sandbox.status("sleeps")["driven"], true, "who sleeps on disk is driven all the same");
    let recorded = sandbox.json(0, &["approve", "waits", "a"]);
    assert_eq!(recorded["run"], "waits");
    wait_until("the approved step is done", || log(&sandbox) == "waits\n");
    wait_until("it is told of", || holder.stdout().contains("\"completed\""));
    // The other process may have finished it before this one says where it is.
    let detached = sandbox.reenact(&["run", "good.yaml", "--id", "new", "--detach"]);
    assert!(matches!(detached.code(), Some(0 | 4)), "{detached}");
    wait_until("what is new is driven too", || log(&sandbox) == "waits\na\n");
    assert!(holder.is_running(), "it awaits who sleeps");
    holder.interrupt();
    assert_eq!(holder.wait().code(), Some(130));
    assert_eq!(sandbox.status("sleeps")["driven"], false);
}

/// Its attempt was started and killed at once: its limit had passed before anybody drove it.
#[test]
fn a_run_has_all_its_time_when_somebody_comes_to_drive_it() {
    let sandbox = machine();
    sandbox.write("short.yaml", format!("limits: {{duration: 3s}}\n{GOOD}"));
    sandbox.json(4, &["run", "short.yaml", "--id", "short", "--detach"]);
    let recorded = Instant::now();
    wait_until("its time would be over", || recorded.elapsed() > Duration::from_secs(3));
    assert_eq!(sandbox.json(0, &["resume", "--all"])["status"], "completed");
    assert_eq!(sandbox.count("short", "driving_began", None), 1);
    assert_eq!((sandbox.count("short", "attempt_started", None), log(&sandbox)), (1, "a\n".to_owned()));
}
