//! Trying again, undoing, and settling what could not be undone.

use serde_json::{Value, json};

use super::{log, open, said, status, steps, with_sale};
use crate::support::Sandbox;

/// A run that completed.
fn completed() -> Sandbox {
    let sandbox = with_sale();
    open(&sandbox);
    sandbox.json(0, &["run", "sale.yaml", "--id", "r"]);
    sandbox
}

/// A run of two steps, of which the second fails and the first cannot be undone while there is no file `undoable`. It
/// says that there is no rollback by itself where `on_failure` is `stop`.
fn stuck(on_failure: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write(
        "w.yaml",
        format!(
            "name: w
on_failure: {on_failure}
steps:
  - id: a
    run: echo a >> log
    compensate: {{run: '[ -e undoable ] && echo undo a >> log', retry: {{policy: none}}}}
  - id: b
    run: '[ -e works ] && echo b >> log'
"
        ),
    );
    sandbox
}

#[test]
fn a_completed_run_is_rolled_back_in_order_and_seen_through() {
    let sandbox = completed();
    let plan = sandbox.json(0, &["rollback", "r", "--dry-run"]);
    assert_eq!(plan, json!({"run": "r", "order": [["after"], ["work"], ["before"]], "cannot": []}));
    let report = sandbox.json(3, &["rollback", "r", "--by", "ada", "--reason", "recalled"]);
    assert_eq!(report["status"], "compensated");
    assert_eq!(report["driven"], false, "it has ended");
    assert_eq!(steps(&report), ["compensated"; 3]);
    assert_eq!(log(&sandbox)[3..], ["undo after", "undo work", "undo before"]);
    assert_eq!(
        said(&sandbox, "r", "rollback_started"),
        json!({"cause": {"request": {"by": "ada", "reason": "recalled"}}, "to": null, "keeps": [], "rounds": "last_first"})
    );
    assert_eq!(sandbox.json(3, &["resume", "r"])["version"], report["version"]);
}

#[test]
fn a_run_that_is_rolled_back_to_a_step_goes_forward_again_in_a_new_generation() {
    let sandbox = completed();
    let plan = sandbox.json(0, &["rollback", "r", "--to", "before", "--dry-run"]);
    assert_eq!(plan["order"], json!([["after"], ["work"]]));
    let report = sandbox.json(3, &["rollback", "r", "--to", "before"]);
    assert_eq!((&report["status"], &report["rolled_back_to"]), (&json!("paused"), &json!("before")));
    assert_eq!(steps(&report), ["completed", "compensated", "compensated"]);
    assert_eq!(sandbox.json(0, &["list"])["runs"][0]["status"], "paused");
    assert_eq!(sandbox.json(3, &["resume", "r"])["version"], report["version"]);
    assert_eq!(sandbox.json(0, &["unpause", "r"])["status"], "running");
    assert_eq!(sandbox.json(0, &["list"])["runs"][0]["status"], "running");
    let report = sandbox.json(0, &["resume", "r"]);
    let generations: Vec<&Value> =
        report["steps"].as_array().unwrap().iter().map(|step| &step["generation"]).collect();
    assert_eq!(generations, [1, 2, 2]);
    assert_eq!(log(&sandbox)[3..], ["undo after", "undo work", "work", "after"]);
}

#[test]
fn a_failed_run_that_is_tried_again_is_seen_through_to_its_new_end() {
    let sandbox = stuck("stop");
    assert_eq!(sandbox.json(1, &["run", "w.yaml", "--id", "r"])["status"], "failed");
    assert_eq!(sandbox.json(1, &["retry", "r"])["status"], "failed", "what failed fails again");
    sandbox.write("works", "");
    let report = sandbox.json(0, &["retry", "r", "--step", "b", "--reason", "mended"]);
    assert_eq!((&report["status"], &report["error"]), (&json!("completed"), &json!(null)));
    assert_eq!(report["steps"][1]["attempts"], 3);
    assert_eq!(log(&sandbox), ["a", "b"]);
    let row = &sandbox.json(0, &["list"])["runs"][0];
    assert_eq!((&row["status"], &row["version"]), (&json!("completed"), &report["version"]));
}

#[test]
fn a_stuck_run_is_settled_by_a_person() {
    let sandbox = stuck("rollback");
    let report = sandbox.json(5, &["run", "w.yaml", "--id", "r"]);
    assert_eq!(report["status"], "stuck");
    assert_eq!(steps(&report), ["compensating", "failed"]);
    assert_eq!(report["error"]["step"], "a", "{report}");
    assert_eq!(sandbox.json(5, &["resume", "r"])["version"], report["version"]);
    assert_eq!(sandbox.json(0, &["list", "--status", "stuck"])["runs"][0]["run"], "r");
    // Tried again, it fails again.
    let retry = ["rollback", "resolve", "r", "a", "--retry", "--reason", "perhaps now"];
    assert_eq!(sandbox.json(0, &retry)["status"], "compensating");
    assert_eq!(status(&sandbox, "r"), ("compensating".to_owned(), false));
    assert_eq!(sandbox.json(5, &["resume", "r"])["status"], "stuck");
    // Mended, it does not.
    sandbox.write("undoable", "");
    assert_eq!(sandbox.json(0, &retry)["status"], "compensating");
    assert_eq!(sandbox.json(3, &["resume", "r"])["status"], "compensated");
    assert_eq!(log(&sandbox), ["a", "undo a"]);
}

#[test]
fn what_a_person_undid_or_leaves_ends_the_rollback() {
    for (how, step) in [("--done", "compensated"), ("--skip", "completed")] {
        let sandbox = stuck("rollback");
        sandbox.json(5, &["run", "w.yaml", "--id", "r"]);
        let settled =
            sandbox.json(0, &["rollback", "resolve", "r", "a", how, "--reason", "by hand", "--by", "ada"]);
        assert_eq!(settled["status"], "compensated", "nothing is left to be done");
        let how = how.trim_start_matches("--");
        assert_eq!(
            said(&sandbox, "r", "compensation_resolved"),
            json!({"step": "a", "how": how, "by": "ada", "reason": "by hand"})
        );
        let report = sandbox.status("r");
        assert_eq!(steps(&report), [step, "failed"]);
        assert_eq!(report["steps"][0]["error"].is_null(), how == "done", "undone by hand it failed no more");
        assert_eq!(log(&sandbox), ["a"]);

        // A person reads what a person said, and neither that it completed nor what had gone wrong.
        assert_eq!(report["steps"][0]["settled"], json!({"how": how, "by": "ada", "reason": "by hand"}));
        assert_eq!(report["steps"][1].get("settled"), None);
        let (sign, said, why, page) = match how {
            "skip" => (
                "= a  kept (ada: by hand)",
                "kept",
                "ada said that `a` stays as it is",
                "ada left it as it is",
            ),
            _ => (
                "↩ a  undone by hand (ada: by hand)",
                "undone",
                "ada said that `a` was undone",
                "as ada said",
            ),
        };
        let shown = sandbox.reenact(&["status", "r"]).stdout;
        let line = shown.lines().find(|line| line.contains(" a  ")).unwrap();
        assert!(line.contains(sign) && !line.contains("RE-"), "{said}: {shown}");
        let why_shown = sandbox.reenact(&["why", "r", "a"]).stdout;
        assert!(why_shown.contains(why) && why_shown.contains("by hand"), "{why_shown}");
        sandbox.json(3, &["resume", "r"]);
        let file = sandbox.status("r")["rollback_file"].as_str().map(std::fs::read_to_string);
        if how == "skip" {
            let text = file.unwrap().unwrap();
            assert!(text.contains(&format!("`a`: {page}: by hand")), "{text}");
        }
    }
}

/// The run was paused, and nothing said that nothing had been done.
#[test]
fn a_rollback_that_finds_nothing_to_undo_says_so() {
    let sandbox = Sandbox::new();
    sandbox.write("w.yaml", "name: w\nsteps: [{id: a, run: 'true', compensate: {run: 'true'}}, {id: z, run: 'true', compensate: {run: 'true'}}]\n");
    sandbox.json(0, &["run", "w.yaml", "--id", "r"]);
    let back = sandbox.reenact(&["rollback", "r", "--to", "z"]);
    let said = "rolled back to `z`, and nothing was there to undo; forward again: reenact retry r\n";
    assert!(back.code() == Some(3) && back.stdout.contains(said), "{back}");
    sandbox.json(0, &["retry", "r"]);
    let back = sandbox.reenact(&["rollback", "r", "--to", "a"]);
    assert!(back.stdout.contains("rolled back to `a`; forward again"), "{back}");
}
