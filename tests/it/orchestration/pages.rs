//! Each request has a page in the run's folder: what is asked, what ran, how the work folder is, and how to answer.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::{GATED, RELEASE, first, waiting, with};
use crate::support::{Process, Sandbox, wait_until};

fn path(sandbox: &Sandbox, request: &str) -> PathBuf {
    sandbox.data().join(format!("runs/r/REQUEST-{request}.md"))
}

fn page(sandbox: &Sandbox, request: &str) -> String {
    fs::read_to_string(path(sandbox, request)).unwrap()
}

/// Asserts that a text has these parts, in this order.
fn assert_says(text: &str, parts: &[&str]) {
    let mut rest = text;
    for part in parts {
        let at =
            rest.find(part).unwrap_or_else(|| panic!("`{part}` is not there, or not in its place:\n{text}"));
        rest = &rest[at + part.len()..];
    }
}

#[test]
fn a_page_says_all_that_a_reviewer_needs() {
    let (sandbox, report) = waiting(RELEASE);
    let id = first(&report);
    let file = report["waiting_for"][0]["file"].as_str().unwrap();
    assert_eq!(PathBuf::from(file), path(&sandbox, &id));
    let hash = sandbox.history("r").pop().unwrap()["data"]["hash"].as_str().unwrap().to_owned();
    assert_says(
        &page(&sandbox, &id),
        &[
            &format!("# Request `{id}` of `release`, run `r`"),
            "It is **open**: 0 of 2 people have granted it.",
            "step `publish` of phase `ship`: may it start?",
            "done by `publisher`",
            "answered by `ada`, `bob`; 2 different people have to grant it",
            "## What is asked",
            "\"file\": \"a.tar\"",
            &format!("`{hash}`"),
            "## What ran so far",
            "- `build`: completed",
            "## State of the work folder",
            "git: the folder is in no repository",
            "## Checklist",
            "- [ ] 1. Is it built?",
            "- [ ] 2. Is it signed?",
            "## How to answer",
            &format!("    reenact approve r {id} --hash {}\n", &hash[..16]),
            &format!("    reenact reject r {id} --reason"),
        ],
    );
}

#[test]
fn a_page_says_what_became_of_its_request() {
    let (sandbox, report) = waiting(RELEASE);
    let id = first(&report);
    sandbox.json(0, &["approve", "r", &id, "--by", "ada", "--check", "1,2"]);
    sandbox.json(0, &["approve", "r", &id, "--by", "bob", "--set", "file=b.tar"]);
    let open = page(&sandbox, &id);
    assert_says(&open, &["1 of 2 people", "granted by bob", "b.tar", "- [x] 1. Is it built? (ada)"]);
    sandbox.json(0, &["approve", "r", &id, "--by", "ada", "--note", "well done"]);
    let closed = page(&sandbox, &id);
    assert_says(&closed, &["It is **granted**.", "granted by ada: well done", "It is closed."]);
    assert!(!closed.contains("reenact approve"), "{closed}");
}

#[test]
fn a_refused_request_says_who_refused_it() {
    let (sandbox, report) = waiting(GATED);
    let id = first(&report);
    sandbox.json(0, &["reject", "r", &id, "--by", "eve", "--reason", "not\nyet"]);
    assert_says(&page(&sandbox, &id), &["It is **refused** by eve: not yet"]);
}

#[test]
fn a_page_that_was_not_written_is_when_somebody_takes_the_run_over() {
    let (sandbox, report) = waiting(GATED);
    let id = first(&report);
    fs::remove_file(path(&sandbox, &id)).unwrap();
    sandbox.json(4, &["resume", "r"]);
    assert_says(&page(&sandbox, &id), &["It is **open**", "## State of the work folder"]);
}

#[test]
fn the_repository_is_as_it_was_when_people_were_asked() {
    let sandbox = with(GATED);
    let git = |arguments: &[&str]| {
        let who = ["-c", "user.name=t", "-c", "user.email=t@t", "-c", "commit.gpgsign=false"];
        let ran =
            Command::new("git").args(who).args(arguments).current_dir(sandbox.work("")).output().unwrap();
        assert!(ran.status.success(), "{ran:?}");
    };
    git(&["init", "-q", "-b", "main"]);
    git(&["add", "."]);
    git(&["commit", "-q", "-m", "first"]);
    sandbox.write("changed", "");
    let id = first(&sandbox.json(4, &["run", "w.yaml", "--id", "r"]));
    let found = ["git: branch `main`, at commit `", "**not clean**: 1 file differs", "`??` `changed`"];
    assert_says(&page(&sandbox, &id), &found);
    // What the run does after the answer is not what was reviewed.
    fs::remove_file(sandbox.work("changed")).unwrap();
    sandbox.json(0, &["approve", "r", &id]);
    sandbox.json(0, &["resume", "r"]);
    assert_says(&page(&sandbox, &id), &found);
}

#[test]
fn a_configured_check_is_run_and_its_score_shown() {
    let sandbox = with(GATED);
    sandbox.configure("[approvals]\ncheck = [\"sh\", \"-c\", \"echo '{\\\"score\\\": 92.5}'; exit 1\"]\n");
    let id = first(&sandbox.json(4, &["run", "w.yaml", "--id", "r"]));
    assert_says(&page(&sandbox, &id), &["- check `sh -c", "**did not pass**, exit 1, score **92.5**"]);
}

/// The run `r`, which waits, of a process that ends when a check does, which is never.
fn checked() -> (Sandbox, Process) {
    let sandbox = with(GATED);
    sandbox.configure("[approvals]\ncheck = [\"sleep\", \"600\"]\n");
    let run = sandbox.spawn(&["run", "w.yaml", "--id", "r"]);
    wait_until("the run waits", || run.stdout().contains("waits for an approval"));
    (sandbox, run)
}

#[test]
fn a_check_that_takes_long_delays_no_answer_and_nobody_who_wants_to_go_on() {
    let (sandbox, run) = checked();
    sandbox.json(0, &["approve", "r", "a"]);
    assert_eq!(sandbox.json(0, &["resume", "r"])["status"], "completed");
    let ended = run.wait();
    assert_eq!(ended.code(), Some(4), "{ended}");
}

#[test]
fn a_check_that_takes_long_is_ended_with_the_process() {
    let (sandbox, run) = checked();
    let id = first(&sandbox.status("r"));
    wait_until("there is a page", || path(&sandbox, &id).exists());
    assert_says(&page(&sandbox, &id), &["It is **open**", "The work folder is being looked at."]);
    run.interrupt();
    let ended = run.wait();
    assert_eq!(ended.code(), Some(4), "{ended}");
    // Who takes it over looks again.
    sandbox.configure("[approvals]\ncheck = [\"true\"]\n");
    sandbox.json(4, &["resume", "r"]);
    assert_says(&page(&sandbox, &id), &["- check `true`: passed, exit 0"]);
}
