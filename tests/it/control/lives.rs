//! A run that ended comes alive again: who sees it through is told of its new end, never of the old one, also beside
//! another process that holds the store. Of two who want what cannot both be, one wins and the other is told.

use serde_json::Value;

use super::{log, open, start, status, with_sale};
use crate::support::{Ended, Sandbox};

/// A workflow that completes once there is a file NAME.
fn needs_file(name: &str) -> String {
    format!("name: {name}\non_failure: stop\nsteps:\n  - {{id: a, run: '[ -e {name} ] && rm {name}'}}\n")
}

#[test]
fn every_retry_beside_a_holder_is_answered_with_its_own_end() {
    let sandbox = with_sale();
    let holder = start(&sandbox);
    sandbox.write("f.yaml", needs_file("f"));
    sandbox.json(1, &["run", "f.yaml", "--id", "f"]);
    let mut version = 0;
    for round in 0..15 {
        let report = sandbox.json(1, &["retry", "f"]);
        assert_eq!(report["steps"][0]["attempts"], round + 2, "the end of an earlier round was shown");
        assert!(report["version"].as_u64().unwrap() > version);
        version = report["version"].as_u64().unwrap();
    }
    sandbox.write("f", "");
    assert_eq!(sandbox.json(0, &["retry", "f"])["status"], "completed");
    assert_eq!(sandbox.json(3, &["rollback", "f"])["status"], "compensated");
    open(&sandbox);
    assert_eq!(holder.wait().code(), Some(0));
}

#[test]
fn who_watches_a_run_in_one_terminal_sees_what_is_wanted_in_another() {
    let sandbox = with_sale();
    let run = start(&sandbox);
    let rollback = sandbox.spawn(&["--json", "rollback", "r"]);
    let (run, rollback) = (run.wait(), rollback.wait());
    assert_eq!((run.code(), rollback.code()), (Some(3), Some(3)), "{run}{rollback}");
    assert_eq!(run.json()["status"], "compensated");
    assert_eq!(log(&sandbox), ["before", "work", "undo work", "undo before"]);
}

/// Both started at once; how they ended.
fn race(sandbox: &Sandbox, one: &[&str], other: &[&str]) -> [Ended; 2] {
    let (one, other) = (sandbox.spawn(one), sandbox.spawn(other));
    [one.wait(), other.wait()]
}

/// The one that was refused, and its code.
fn refused(ended: &[Ended; 2], won: i32) -> String {
    let mut codes: Vec<_> = ended.iter().map(|ended| ended.code().unwrap()).collect();
    codes.sort_unstable();
    let mut expected = vec![2, won];
    expected.sort_unstable();
    assert_eq!(codes, expected, "{}{}", ended[0], ended[1]);
    let refused: Vec<Value> = ended.iter().filter(|ended| ended.code() == Some(2)).map(Ended::json).collect();
    refused[0]["error"]["code"].as_str().unwrap().to_owned()
}

#[test]
fn of_two_who_retry_at_once_one_wins_and_the_other_is_told() {
    let sandbox = Sandbox::new();
    for round in 0..4 {
        let name = format!("f{round}");
        sandbox.write("f.yaml", needs_file(&name));
        sandbox.json(1, &["run", "f.yaml", "--id", &name]);
        sandbox.write(&name, "");
        let retry = ["--json", "retry", &name];
        assert_eq!(refused(&race(&sandbox, &retry, &retry), 0), "RE-2007");
        assert_eq!(sandbox.count(&name, "retry_requested", None), 1);
        assert_eq!(sandbox.count(&name, "run_completed", None), 1);
    }
}

#[test]
fn of_two_who_want_a_run_to_end_in_two_ways_one_wins_and_the_other_is_told() {
    for _ in 0..3 {
        let sandbox = with_sale();
        let run = start(&sandbox);
        let (cancel, undo) = (["--json", "cancel", "r"], ["--json", "cancel", "r", "--rollback"]);
        let ended = race(&sandbox, &cancel, &undo);
        let code = refused(&ended, 0);
        assert!(["RE-2001", "RE-2008", "RE-2012"].contains(&code.as_str()), "{code}");
        let run = run.wait();
        let plain_won = ended[0].code() == Some(0);
        assert_eq!(run.code(), Some(if plain_won { 6 } else { 3 }), "{run}");
        assert_eq!(status(&sandbox, "r").0, if plain_won { "cancelled" } else { "compensated" });
        assert_eq!(sandbox.count("r", "cancel_requested", None), 1);
    }
}
