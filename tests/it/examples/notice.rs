//! `notice.yaml`: nothing hangs on the board that nobody has granted, and what was granted hangs there as it was granted.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use super::hang::Hanging;
use super::sandbox;
use crate::support::{Sandbox, wait_until};

const FILE: &str = "examples/notice.yaml";

/// All that lies in a board, file by file.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Board {
    /// What hangs there: topic, then text.
    pub(crate) notices: BTreeMap<String, String>,
    pub(crate) drafts: usize,
    /// What is kept to be put back.
    pub(crate) replaced: usize,
}

impl Board {
    /// Reads that of a sandbox.
    fn read(sandbox: &Sandbox) -> Self {
        Self::read_in(&sandbox.tmp())
    }

    /// Reads that in a folder for temporary files. Nothing is on a board that is not there yet.
    pub(crate) fn read_in(tmp: &Path) -> Self {
        let board = tmp.join(format!("reenact-board-{}", rustix::process::getuid().as_raw()));
        let notices = files(&board.join("notices"), ".txt");
        let text = |file: &PathBuf| {
            (file.file_stem().unwrap().to_string_lossy().into_owned(), fs::read_to_string(file).unwrap())
        };
        Self {
            notices: notices.iter().map(text).collect(),
            drafts: files(&board.join("drafts"), ".json").len(),
            replaced: files(&board.join("replaced"), ".txt").len(),
        }
    }

    /// A board on which only this hangs, at the usual place.
    fn with(text: &str, drafts: usize, replaced: usize) -> Self {
        Self { notices: [("hours".to_owned(), text.to_owned())].into(), drafts, replaced }
    }
}

/// The whole files of a folder; what was being written when somebody was killed counts for nothing.
fn files(folder: &Path, end: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.to_string_lossy().ends_with(end)).collect()
}

/// The run `r`, which has written its draft and asks whether to post it.
fn asking(sandbox: &Sandbox) -> Value {
    let report = sandbox.json(4, &["run", FILE, "--id", "r"]);
    let asked = &report["waiting_for"][0];
    assert_eq!((&asked["kind"], &asked["step"]), (&json!("approval"), &json!("post")), "{report:#}");
    assert_eq!(Board::read(sandbox), Board { drafts: 1, ..Board::default() }, "nothing hangs there yet");
    report
}

fn step<'r>(report: &'r Value, id: &str) -> &'r Value {
    report["steps"].as_array().unwrap().iter().find(|step| step["id"] == id).unwrap()
}

#[test]
fn what_is_granted_is_put_up_and_the_run_says_who_wrote_it() {
    let sandbox = sandbox();
    asking(&sandbox);
    sandbox.json(0, &["approve", "r", "post", "--by", "ada"]);
    assert!(Board::read(&sandbox).notices.is_empty(), "an answer does not drive the run");
    let report = sandbox.json(0, &["resume", "r"]);
    let text = "Closed on Monday\n\nThe library is closed on Monday.\n\n(run r)\n";
    assert_eq!(Board::read(&sandbox), Board::with(text, 1, 0));
    assert_eq!(report["output"]["notice"], text.trim_end());
    assert_eq!((&report["degraded"], &report["output"]["replaced"]), (&json!(true), &json!(false)));
    let draft = step(&report, "draft");
    assert_eq!((&draft["agent"], &draft["primary_agent"]), (&json!("form_writer"), &json!("writer")));
    assert_eq!((&draft["attempts"], &draft["degraded"]), (&json!(3), &json!(true)));
    assert_eq!(sandbox.count("r", "fallback_engaged", Some("draft")), 1);
    assert_eq!(step(&report, "review")["output"], json!({"remarks": [], "grade": "A"}), "as it is written");
}

#[test]
fn what_is_changed_is_put_up_as_it_was_changed() {
    let sandbox = sandbox();
    asking(&sandbox);
    sandbox.json(0, &["approve", "r", "post", "--by", "ada", "--set", "title=Closed, \"sorry\" & all"]);
    sandbox.json(0, &["resume", "r"]);
    let text = "Closed, \"sorry\" & all\n\nThe library is closed on Monday.\n\n(run r)\n";
    assert_eq!(Board::read(&sandbox), Board::with(text, 1, 0));
    let history = sandbox.history("r");
    let granted = history.iter().find(|event| event["type"] == "approval_granted").unwrap();
    assert_eq!(granted["data"]["edits"], json!({"title": "Closed, \"sorry\" & all"}));
}

#[test]
fn what_is_refused_leaves_nothing() {
    let sandbox = sandbox();
    asking(&sandbox);
    let recorded = sandbox.json(0, &["reject", "r", "post", "--by", "ben", "--reason", "not that day"]);
    assert_eq!(recorded["status"], "compensating");
    let report = sandbox.json(3, &["resume", "r"]);
    assert_eq!((&report["status"], &report["error"]["step"]), (&json!("compensated"), &json!("post")));
    assert_eq!(report["error"]["code"], "RE-3018");
    assert_eq!(report["error"]["message"], "ben refused it: not that day");
    assert_eq!(Board::read(&sandbox), Board::default());
    assert_eq!(sandbox.count("r", "attempt_started", Some("post")), 0);
    assert_eq!(sandbox.json(2, &["approve", "r", "post"])["error"]["code"], "RE-2014", "it is over");
}

#[test]
fn what_nobody_answers_in_time_leaves_nothing() {
    let sandbox = sandbox();
    let text = fs::read_to_string(sandbox.work(FILE)).unwrap();
    assert_eq!(text.matches("expires: 24h").count(), 1);
    sandbox.write(FILE, text.replace("expires: 24h", "expires: 300ms"));
    let expires = asking(&sandbox)["waiting_for"][0]["expires"].as_str().unwrap().to_owned();
    let now = || Command::new("date").args(["-u", "+%Y-%m-%dT%H:%M:%S"]).output().unwrap().stdout;
    wait_until("its time is over", || String::from_utf8(now()).unwrap().trim() > &expires[..19]);
    // Nothing happens by itself: no process is there for it to happen in.
    assert_eq!(Board::read(&sandbox).drafts, 1);
    let report = sandbox.json(3, &["resume", "r"]);
    assert_eq!((&report["status"], &report["error"]["code"]), (&json!("compensated"), &json!("RE-3019")));
    assert_eq!(Board::read(&sandbox), Board::default());
}

#[test]
fn a_writer_that_works_needs_no_fallback() {
    let sandbox = sandbox();
    sandbox.json(4, &["run", FILE, "--id", "r", "--input", "outage=false"]);
    sandbox.json(0, &["approve", "r", "post"]);
    let report = sandbox.json(0, &["resume", "r"]);
    assert_eq!((&report["degraded"], &step(&report, "draft")["agent"]), (&json!(false), &json!("writer")));
    assert_eq!(sandbox.count("r", "fallback_engaged", None), 0);
    let notice = report["output"]["notice"].as_str().unwrap();
    assert!(notice.contains("Dear readers: The library is closed on Monday. See you soon!"), "{notice}");
}

#[test]
fn a_notice_that_is_taken_down_gives_its_place_back() {
    let sandbox = sandbox();
    asking(&sandbox);
    sandbox.json(0, &["approve", "r", "post"]);
    sandbox.json(0, &["resume", "r"]);
    let before = Board::read(&sandbox);
    sandbox.json(4, &["run", FILE, "--id", "s", "--input", "title=Open again"]);
    sandbox.json(0, &["approve", "s", "post"]);
    assert_eq!(sandbox.json(0, &["resume", "s"])["output"]["replaced"], true);
    assert_ne!(Board::read(&sandbox).notices, before.notices);
    sandbox.json(3, &["rollback", "s"]);
    assert_eq!(Board::read(&sandbox), before);
    sandbox.json(3, &["rollback", "r"]);
    assert_eq!(Board::read(&sandbox), Board::default());
}

#[test]
fn what_cannot_be_put_up_is_refused_and_leaves_nothing() {
    for edit in ["title=", "text:=\"two\\nlines\"", "topic=../hours"] {
        let sandbox = sandbox();
        asking(&sandbox);
        sandbox.json(0, &["approve", "r", "post", "--set", edit]);
        let report = sandbox.json(3, &["resume", "r"]);
        assert_eq!(
            (&report["error"]["step"], &report["error"]["class"]),
            (&json!("post"), &json!("validation"))
        );
        assert_eq!(Board::read(&sandbox), Board::default(), "{edit}");
    }
}

#[test]
fn input_that_is_no_notice_starts_nothing() {
    let sandbox = sandbox();
    for input in ["topic=Hours", "title=", "outage=perhaps", "when=now"] {
        let refused = sandbox.json(2, &["run", FILE, "--input", input]);
        assert!(refused["error"]["code"].is_string(), "{refused}");
    }
    assert_eq!(sandbox.json(0, &["list"])["runs"], json!([]));
}

/// Posts a notice as the run `old`, for another to replace.
fn post_old(sandbox: &Sandbox) {
    sandbox.json(4, &["run", FILE, "--id", "old", "--input", "title=Old"]);
    sandbox.json(0, &["approve", "old", "post"]);
    sandbox.json(0, &["resume", "old"]);
}

/// The worst moments: a file has changed, and nobody has recorded it. With an old notice that is before the new one hangs
/// in its place, without one after.
#[test]
fn a_notice_whose_run_is_killed_after_each_effect_is_put_up_once() {
    for replaces in [true, false] {
        let sandbox = sandbox();
        if replaces {
            post_old(&sandbox);
        }
        let hanging = Hanging::after(&sandbox, &["mv"], "do");
        let again = ["resume", "r"];
        let (ended, kills) = hanging.see_through(&["run", FILE, "--id", "r"], &again, || ());
        assert_eq!((ended.code(), kills), (Some(4), 1), "{ended}");
        sandbox.json(0, &["approve", "r", "post", "--set", "title=New"]);
        let (ended, kills) = hanging.see_through(&again, &again, || ());
        assert_eq!((ended.code(), kills), (Some(0), 2), "{ended}");
        let text = "New\n\nThe library is closed on Monday.\n\n(run r)\n";
        let old = usize::from(replaces);
        assert_eq!(Board::read(&sandbox), Board::with(text, 1 + old, old));
        assert_eq!(sandbox.count("r", "approval_requested", None), 1, "people are asked once");
    }
}

#[test]
fn a_notice_whose_run_is_killed_after_each_effect_of_its_rollback_leaves_nothing() {
    let sandbox = sandbox();
    post_old(&sandbox);
    let before = Board::read(&sandbox);
    sandbox.json(4, &["run", FILE, "--id", "r"]);
    sandbox.json(0, &["approve", "r", "post"]);
    sandbox.json(0, &["resume", "r"]);
    let hanging = Hanging::after(&sandbox, &["mv", "rm"], "compensate");
    let (ended, kills) = hanging.see_through(&["rollback", "r"], &["resume", "r"], || ());
    assert_eq!((ended.code(), kills), (Some(3), 3), "{ended}");
    assert_eq!(Board::read(&sandbox), before);
}
