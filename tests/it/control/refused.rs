//! What cannot be is refused: exit 2, a code, what can be instead, and nothing changed.

use super::{log, open, version, with_sale};
use crate::support::Sandbox;

/// Asserts that it is refused with that code, and that nothing is recorded for it.
fn assert_refused(sandbox: &Sandbox, run: &str, arguments: &[&str], code: &str) {
    let (before, said) = (version(sandbox, run), log(sandbox));
    let error = sandbox.json(2, arguments)["error"].clone();
    assert_eq!(error["code"], code, "{arguments:?}: {error}");
    assert!(!error["message"].as_str().unwrap().is_empty(), "{arguments:?}: {error}");
    let hint = error["hint"].as_str().unwrap();
    assert!(!hint.is_empty(), "{arguments:?}: {error}");
    assert!(!hint.contains(" RUN"), "a command to copy: {arguments:?}: {error}");
    assert_eq!(version(sandbox, run), before, "{arguments:?} recorded something");
    assert_eq!(log(sandbox), said, "{arguments:?} did something");
}

const DONE: [&str; 3] = ["--done", "--reason", "by hand"];

#[test]
fn control_of_a_run_that_ended_is_refused() {
    let sandbox = with_sale();
    open(&sandbox);
    sandbox.json(0, &["run", "sale.yaml", "--id", "r"]);
    for verb in ["pause", "unpause", "cancel"] {
        assert_refused(&sandbox, "r", &[verb, "r"], "RE-2001");
    }
    assert_refused(&sandbox, "r", &["cancel", "r", "--rollback"], "RE-2001");
    assert_refused(&sandbox, "r", &["retry", "r"], "RE-2007");
    assert_refused(&sandbox, "r", &["retry", "r", "--step", "work"], "RE-2007");
    assert_refused(&sandbox, "r", &[&["rollback", "resolve", "r", "work"][..], &DONE].concat(), "RE-2006");
    assert_refused(&sandbox, "r", &[&["rollback", "resolve", "r", "wrok"][..], &DONE].concat(), "RE-2009");
    sandbox.json(3, &["rollback", "r"]);
    for arguments in [&["rollback", "r"][..], &["rollback", "r", "--dry-run"], &["cancel", "r"]] {
        assert_refused(&sandbox, "r", arguments, "RE-2001");
    }
}

#[test]
fn a_rollback_to_a_step_that_never_ran_is_refused() {
    let sandbox = with_sale();
    open(&sandbox);
    sandbox.json(4, &["run", "sale.yaml", "--id", "r", "--until", "before"]);
    for arguments in [&["rollback", "r", "--to"][..], &["rollback", "r", "--dry-run", "--to"]] {
        assert_refused(&sandbox, "r", &[arguments, &["after"]].concat(), "RE-2005");
        assert_refused(&sandbox, "r", &[arguments, &["nowhere"]].concat(), "RE-2009");
    }
}

#[test]
fn nothing_before_an_irreversible_step_is_undone() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "w.yaml",
        "name: w
steps:
  - {id: a, run: echo a >> log, compensate: {run: echo undo a >> log}}
  - {id: sent, run: echo sent >> log, irreversible: true}
  - {id: b, run: echo b >> log, compensate: {run: echo undo b >> log}}
",
    );
    sandbox.json(0, &["run", "w.yaml", "--id", "r"]);
    assert_refused(&sandbox, "r", &["rollback", "r"], "RE-2011");
    assert_refused(&sandbox, "r", &["rollback", "r", "--to", "a"], "RE-2011");
    assert_refused(&sandbox, "r", &["rollback", "r", "--to", "a", "--dry-run"], "RE-2011");
    assert_eq!(sandbox.json(3, &["rollback", "r", "--to", "sent"])["status"], "paused");
    assert_eq!(log(&sandbox), ["a", "sent", "b", "undo b"]);
}

#[test]
fn a_version_that_is_not_there_is_refused() {
    let sandbox = with_sale();
    open(&sandbox);
    sandbox.json(0, &["run", "sale.yaml", "--id", "r"]);
    let past = (version(&sandbox, "r") + 1).to_string();
    for at in [past.as_str(), "0", "18446744073709551615"] {
        assert_refused(&sandbox, "r", &["replay", "r", "--at", at], "RE-2010");
    }
    assert_refused(&sandbox, "r", &["replay", "r", "--at", "-1"], "RE-1001");
}

#[test]
fn a_command_line_that_does_not_say_enough_or_says_too_much_is_refused() {
    let sandbox = with_sale();
    open(&sandbox);
    sandbox.json(0, &["run", "sale.yaml", "--id", "r"]);
    let resolve = ["rollback", "resolve", "r", "work"];
    for arguments in [
        &["rollback"][..],
        &["pause"],
        &["rollback", "resolve", "r"],
        &[&resolve[..], &["--done"]].concat(),
        &[&resolve[..], &["--reason", "x"]].concat(),
        &[&resolve[..], &["--done", "--skip", "--reason", "x"]].concat(),
        &[&resolve[..], &["--done", "--reason", " "]].concat(),
        &["completions", "fishy"],
    ] {
        assert_refused(&sandbox, "r", arguments, "RE-1001");
    }
}

#[test]
fn no_id_means_no_run_even_where_there_is_only_one() {
    let sandbox = with_sale();
    open(&sandbox);
    sandbox.json(4, &["run", "sale.yaml", "--id", "r", "--until", "before"]);
    for arguments in [&["cancel", ""][..], &["rollback", ""], &["unpause", ""], &["resume", ""]] {
        assert_refused(&sandbox, "r", arguments, "RE-1003");
    }
}

#[test]
fn a_run_that_is_not_there_is_refused_and_no_folder_made() {
    let sandbox = with_sale();
    for arguments in [
        &["pause", "r"][..],
        &["unpause", "r"],
        &["cancel", "r"],
        &["retry", "r"],
        &["rollback", "r"],
        &["rollback", "r", "--dry-run"],
        &[&["rollback", "resolve", "r", "a"][..], &DONE].concat(),
        &["replay", "r"],
        &["replay", "r", "--at", "1"],
    ] {
        assert_eq!(sandbox.json(2, arguments)["error"]["code"], "RE-1003", "{arguments:?}");
    }
    assert!(!sandbox.data().exists());
}
