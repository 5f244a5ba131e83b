//! Requests for approvals are answered: granted, changed, refused, from any terminal and in any order.

use super::{GATED, RELEASE, first, log, step, waiting, with};
use crate::support::{Sandbox, wait_until};

#[test]
fn a_run_that_asks_waits_and_says_how_it_is_answered() {
    let (sandbox, report) = waiting(RELEASE);
    let asked = &report["waiting_for"][0];
    assert_eq!((&asked["kind"], &asked["step"]), (&"approval".into(), &"publish".into()));
    assert_eq!(asked["approvers"], serde_json::json!(["ada", "bob"]));
    assert_eq!((&asked["needed"], &asked["granted"]), (&2.into(), &serde_json::json!([])));
    assert!(asked["since"].is_string() && asked["expires"].is_null(), "{asked}");
    assert_eq!((&report["driven"], &step(&report, "publish")["status"]), (&true.into(), &"waiting".into()));
    assert_eq!(log(&sandbox), ["build"]);
    let id = first(&report);
    let shown = sandbox.reenact(&["status", "r"]).stdout;
    assert!(shown.contains(&format!("reenact approve r {id}\n")), "{shown}");
    assert!(shown.contains(&format!("reenact reject r {id} --reason")), "{shown}");
    let resumed = sandbox.reenact(&["resume", "r"]);
    assert_eq!(resumed.code(), Some(4), "{resumed}");
    assert!(resumed.stdout.contains(&format!("reenact approve r {id}\n")), "{resumed}");
    let listed = sandbox.json(0, &["list", "--status", "waiting"]);
    assert_eq!(listed["runs"][0]["run"], "r");
    // Nobody has to go on with it: it is not interrupted.
    assert_eq!(sandbox.json(2, &["resume"])["error"]["code"], "RE-1006");
}

/// The commands were refused, and nothing said what to add.
#[test]
fn whoever_may_not_answer_is_told_whom_to_name() {
    let sandbox = with(
        "name: w\nsteps: [{id: a, run: 'true', approve: before, approvals: 2, approvers: [ada of the test, bob of the test]}]",
    );
    let said = |sandbox: &Sandbox| sandbox.reenact(&["status", "r"]).stdout;
    sandbox.json(4, &["run", "w.yaml", "--id", "r"]);
    assert!(said(&sandbox).contains("\n  with --by 'ada of the test', for "), "{}", said(&sandbox));
    sandbox.json(0, &["approve", "r", "a", "--by", "ada of the test"]);
    assert!(said(&sandbox).contains("\n  with --by 'bob of the test', for "), "{}", said(&sandbox));
    let refused = sandbox.json(2, &["approve", "r", "a"]);
    assert!(refused["error"]["hint"].as_str().unwrap().ends_with("; --by says who answers"), "{refused}");
    // Anybody may, but each once.
    sandbox.write("w.yaml", "name: w\nsteps: [{id: a, run: 'true', approve: before, approvals: 2}]");
    sandbox.json(4, &["run", "w.yaml", "--id", "s"]);
    assert!(!sandbox.reenact(&["status", "s"]).stdout.contains("with --by"));
    sandbox.json(0, &["approve", "s", "a"]);
    assert!(sandbox.reenact(&["status", "s"]).stdout.contains("\n  with --by NAME, for "));
}

#[test]
fn an_approval_is_recorded_and_the_run_is_not_driven_for_it() {
    let (sandbox, report) = waiting(GATED);
    let recorded = sandbox.json(0, &["approve", "r", &first(&report), "--by", "ada", "--note", "go on"]);
    assert_eq!(recorded["run"], "r");
    assert_ne!(recorded["status"], "waiting");
    assert_eq!(recorded["version"], report["version"].as_u64().unwrap() + 1);
    assert_eq!(log(&sandbox), [""; 0]);
    assert_eq!(sandbox.status("r")["driven"], false);
    let granted = sandbox.history("r").pop().unwrap();
    assert_eq!((&granted["type"], &granted["data"]["by"]), (&"approval_granted".into(), &"ada".into()));
    assert_eq!(granted["data"]["note"], "go on");
    assert_eq!(sandbox.json(0, &["resume"])["status"], "completed");
    assert_eq!(log(&sandbox), ["a", "b"]);
}

#[test]
fn what_was_changed_is_what_is_done_and_grants_before_that_do_not_count() {
    let (sandbox, report) = waiting(RELEASE);
    let id = first(&report);
    sandbox.json(0, &["approve", "r", &id, "--by", "ada"]);
    assert_eq!(sandbox.status("r")["waiting_for"][0]["granted"], serde_json::json!(["ada"]));
    let edits = ["--set", "file=b.tar", "--set", "to.host=x", "--set", "times:=2"];
    sandbox.json(0, &[&["approve", "r", &id, "--by", "bob"][..], &edits].concat());
    assert_eq!(sandbox.status("r")["waiting_for"][0]["granted"], serde_json::json!(["bob"]));
    sandbox.json(0, &["approve", "r", "publish", "--by", "ada"]);
    let output = sandbox.json(0, &["resume", "r"])["output"].clone();
    assert_eq!(output, serde_json::json!({"file": "b.tar", "times": 2, "to": {"host": "x"}}));
    assert_eq!(log(&sandbox), ["build", "publish", "tell"]);
}

#[test]
fn a_refusal_fails_the_step_and_says_who_and_why() {
    let (sandbox, report) = waiting(RELEASE);
    let asked = first(&report);
    let recorded = sandbox.json(0, &["reject", "r", &asked, "--by", "bob", "--reason", "not signed"]);
    assert_eq!(recorded["status"], "failed");
    let report = sandbox.json(1, &["resume", "r"]);
    let error = &step(&report, "publish")["error"];
    assert_eq!((&error["code"], &error["class"]), (&"RE-3018".into(), &"validation".into()));
    assert_eq!(error["message"], "bob refused it: not signed");
    assert_eq!(log(&sandbox), ["build"]);
    // Trying again asks again: an old answer is for an old request.
    let again = sandbox.json(4, &["retry", "r"]);
    assert_ne!(first(&again), asked);
    assert_eq!(log(&sandbox), ["build"]);
}

#[test]
fn what_a_step_answered_can_be_changed_before_it_is_used() {
    let (sandbox, report) = waiting(
        "name: after
steps:
  - {id: draft, run: 'echo draft >> log; echo \"{\\\"text\\\": \\\"helo\\\"}\"', approve: after}
  - {id: send, run: 'echo {{ steps.draft.output.text }} >> log'}
",
    );
    assert_eq!(step(&report, "draft")["status"], "waiting");
    sandbox.json(0, &["approve", "r", "draft", "--set", "text=hello"]);
    assert_eq!(sandbox.json(0, &["resume", "r"])["status"], "completed");
    assert_eq!(log(&sandbox), ["draft", "hello"]);
}

#[test]
fn requests_are_answered_in_any_order_and_by_phase_at_once() {
    let (sandbox, report) = waiting(
        "name: many
steps:
  - {id: a, needs: [], run: echo a >> log, approve: before, phase: ship}
  - {id: b, needs: [], run: echo b >> log, approve: before}
  - {id: c, needs: [], run: echo c >> log, approve: before, phase: ship}
",
    );
    assert_eq!(report["waiting_for"].as_array().unwrap().len(), 3);
    sandbox.json(0, &["approve", "r", "b"]);
    let rest = sandbox.json(4, &["resume", "r"]);
    assert_eq!((log(&sandbox), rest["waiting_for"].as_array().unwrap().len()), (vec!["b".to_owned()], 2));
    sandbox.json(0, &["approve", "r", "ship"]);
    assert_eq!(sandbox.json(0, &["resume", "r"])["status"], "completed");
    let mut done = log(&sandbox);
    done.sort();
    assert_eq!(done, ["a", "b", "c"]);
}

#[test]
fn an_answer_beside_the_process_that_drives_the_run_lets_it_go_on_there() {
    let sandbox = with(
        "name: beside
steps:
  - {id: hold, needs: [], run: 'until [ -e go ]; do sleep 0.01; done'}
  - {id: a, needs: [], run: echo a >> log, approve: before}
",
    );
    let run = sandbox.spawn(&["--json", "run", "w.yaml", "--id", "r"]);
    wait_until("`a` is asked for", || {
        let ended = sandbox.reenact(&["--json", "status", "r"]);
        ended.code() == Some(0) && ended.json()["waiting_for"][0]["kind"] == "approval"
    });
    // While something else runs, the run does not wait.
    assert_eq!(sandbox.status("r")["status"], "running");
    sandbox.json(0, &["approve", "r", "a"]);
    wait_until("`a` is done", || log(&sandbox) == ["a"]);
    sandbox.write("go", "");
    let ended = run.wait();
    assert_eq!(ended.code(), Some(0), "{ended}");
}

/// The workflow that the documentation tells its story with.
fn told() -> String {
    let docs = include_str!("../../../docs/orchestration.md");
    let (_, block) = docs.split_once("```yaml\n").unwrap();
    block.split_once("```").unwrap().0.to_owned()
}

#[test]
fn the_story_of_the_documentation_is_true() {
    let sandbox = with(&told());
    let place = "sed 's/.*\"to\":\"\\([a-z]*\\)\".*/{\"to\":\"\\1\"}/'";
    let uploader = format!(
        "---\nname: uploader\ndescription: d\nexecutor: subprocess\ncommand: [sh, -c, {place:?}]\n---\n"
    );
    sandbox.write("agents/uploader.md", uploader);
    let asked = sandbox.json(4, &["run", "w.yaml", "--id", "p"]);
    assert_eq!(asked["waiting_for"][0]["kind"], "approval");
    sandbox.json(0, &["approve", "p", "upload", "--by", "ada", "--check", "1,2"]);
    sandbox.json(
        0,
        &["approve", "p", "upload", "--by", "ada", "--set", "to=production", "--note", "looks good"],
    );
    assert_eq!(sandbox.json(4, &["resume", "p"])["waiting_for"][0]["kind"], "signal");
    sandbox.json(0, &["signal", "p", "market open", "{\"price\": 3}"]);
    assert_eq!(sandbox.json(0, &["resume", "p"])["output"], "production at 3");
    assert_eq!(sandbox.json(0, &["transcript", "p", "tell"])["stdout"], "production at 3\n");
}
