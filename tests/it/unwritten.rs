//! A result that cannot be written is told by the exit code; a reader that went is not.

use std::fs::File;
use std::process::{Command, Stdio};

use crate::support::Sandbox;

/// Every verb that answers at once, text and JSON alike.
const VERBS: &[&[&str]] = &[
    &["--help"],
    &["--version"],
    &["run", "--help"],
    &["completions", "bash"],
    &["validate", "w.yaml"],
    &["run", "w.yaml"],
    &["resume", "r"],
    &["list"],
    &["status", "r"],
    &["status", "r", "--watch"],
    &["history", "r"],
    &["replay", "r"],
    &["replay", "r", "--at", "1"],
    &["rollback", "r", "--dry-run"],
    &["logs", "r"],
    &["transcript", "r", "a"],
    &["verify"],
];

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("w.yaml", "steps: [{id: a, run: echo hi}]");
    sandbox.json(0, &["run", "w.yaml", "--id", "r"]);
    sandbox
}

fn full() -> File {
    File::options().write(true).open("/dev/full").unwrap()
}

/// How a command ends, and what it says on stderr, with that stdout.
fn ended(mut command: Command, stdout: impl Into<Stdio>) -> (Option<i32>, String) {
    let ended = command.stdout(stdout).stderr(Stdio::piped()).output().unwrap();
    (ended.status.code(), String::from_utf8(ended.stderr).unwrap())
}

// A backup script took an empty file for the list of runs: the disk was full, and the verb said that all was well.
#[test]
fn a_result_that_could_not_be_written_ends_with_8() {
    let sandbox = sandbox();
    for verb in VERBS {
        for verb in [verb.to_vec(), [&["--json"], *verb].concat()] {
            let (code, said) = ended(sandbox.command(&verb), full());
            assert_eq!(code, Some(8), "{verb:?}: {said}");
            assert_eq!(said.matches("RE-1009").count(), 1, "{verb:?}: {said}");
        }
    }
    // What is wrong is a result, too, for who reads JSON.
    assert_eq!(ended(sandbox.command(&["--json", "status", "nobody"]), full()).0, Some(8));
    assert_eq!(ended(sandbox.command(&["status", "nobody"]), full()).0, Some(2));
}

#[test]
fn a_reader_that_went_changes_no_exit_code_and_is_not_told_of() {
    let sandbox = sandbox();
    for verb in VERBS {
        for verb in [verb.to_vec(), [&["--json"], *verb].concat()] {
            let (reader, writer) = std::io::pipe().unwrap();
            drop(reader);
            let (code, said) = ended(sandbox.command(&verb), writer);
            assert_eq!(code, Some(0), "{verb:?}: {said}");
            assert!(!said.contains("error"), "{verb:?}: {said}");
        }
    }
}

// A log line that could not be written was told of on stderr, where it could not be written either: that was a panic.
#[test]
fn what_cannot_be_written_to_stderr_is_ignored() {
    let sandbox = sandbox();
    for verb in [&["--log", "trace", "run", "w.yaml"][..], &["list"], &["--help"]] {
        let mut command = sandbox.command(verb);
        let ended = command.stdout(Stdio::piped()).stderr(full()).output().unwrap();
        assert_eq!(ended.status.code(), Some(0), "{verb:?}");
        assert!(verb == ["list"] || !ended.stdout.is_empty(), "{verb:?}");
    }
    let mut wrong = sandbox.command(&["status", "nobody"]);
    assert_eq!(wrong.stderr(full()).status().unwrap().code(), Some(2));
}
