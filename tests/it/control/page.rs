//! The page that says what a person must undo by hand.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::support::Sandbox;

/// The page of the run `r`.
fn page(sandbox: &Sandbox) -> PathBuf {
    sandbox.data().join("runs/r/ROLLBACK-r.md")
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

/// A workflow in which `last` fails while there is no file `works`; `made` has no compensation, that of `told` fails.
const HALF: &str = "name: half
steps:
  - {id: made, run: 'touch a.tar; echo ARTIFACT: a.tar; echo made'}
  - {id: kept, run: 'true', compensate: {run: 'true'}}
  - {id: told, run: 'true', compensate: {run: 'echo no way >&2; exit 1', retry: {policy: none}}}
  - {id: late, run: sleep 600, timeout: 100ms, on_error: continue}
  - {id: last, run: '[ -e works ]'}
";

fn stuck() -> (Sandbox, Value) {
    let sandbox = Sandbox::new();
    sandbox.write("half.yaml", HALF);
    let report = sandbox.json(5, &["run", "half.yaml", "--id", "r"]);
    (sandbox, report)
}

#[test]
fn a_stuck_run_leaves_a_page_with_what_to_do_and_the_commands() {
    let (sandbox, report) = stuck();
    assert_eq!(report["rollback_file"], page(&sandbox).to_str().unwrap());
    let version = format!("As of version {},", report["version"]);
    assert_says(
        &fs::read_to_string(page(&sandbox)).unwrap(),
        &[
            "# Rollback of `half`, run `r`",
            "**stuck**",
            "RE-3005 in `told`: exit 1: no way",
            "It was rolled back for RE-3005 in `last`: exit 1",
            &version,
            "## What was done",
            "- `made`: completed; it made `a.tar`",
            "- `told`: completed",
            "- `late`: nobody knows how far it came",
            "- `last`: failed",
            "## What was undone",
            "Nothing.",
            "## What a person must undo by hand",
            "- `made`: it is done and has no compensation",
            "- `told`: undoing it failed for good: RE-3005",
            "- `late`: nobody knows how far it came, and it has no compensation",
            "## What can still be undone",
            "- `kept`",
            "## How to go on",
            "reenact rollback resolve r told --retry --reason",
            "reenact rollback resolve r told --done --reason",
            "reenact rollback resolve r told --skip --reason",
            "reenact resume r",
        ],
    );
    let text = sandbox.reenact(&["status", "r"]).stdout;
    assert!(text.contains("reenact rollback resolve r told --retry|--skip|--done --reason R"), "{text}");
    assert!(text.contains(&format!("what to undo by hand: {}", page(&sandbox).display())), "{text}");
}

#[test]
fn a_page_is_renewed_when_the_run_ends_again() {
    let (sandbox, _) = stuck();
    sandbox.json(0, &["rollback", "resolve", "r", "told", "--done", "--reason", "called them"]);
    let report = sandbox.json(3, &["resume", "r"]);
    let text = fs::read_to_string(page(&sandbox)).unwrap();
    assert_says(
        &text,
        &[
            "**compensated**",
            "It was rolled back for RE-3005 in `last`",
            "## What was undone",
            "- `kept`",
            "- `told`",
            "by hand",
            "- `made`: it is done",
            "How to go on",
        ],
    );
    assert!(!text.contains("rollback resolve"), "{text}");
    assert_eq!(report["rollback_file"], page(&sandbox).to_str().unwrap());
}

#[test]
fn a_page_that_a_crash_has_kept_from_being_written_is_written_when_the_run_is_seen() {
    let (sandbox, report) = stuck();
    let whole = fs::read_to_string(page(&sandbox)).unwrap();
    fs::write(page(&sandbox), "").unwrap();
    assert_eq!(sandbox.status("r").get("rollback_file"), None, "looking on writes nothing");
    assert_eq!(fs::read_to_string(page(&sandbox)).unwrap(), "");
    assert_eq!(sandbox.json(5, &["resume", "r"])["rollback_file"], report["rollback_file"]);
    assert_eq!(fs::read_to_string(page(&sandbox)).unwrap(), whole);
}

#[test]
fn a_disk_that_refuses_the_page_fails_no_run() {
    let sandbox = Sandbox::new();
    sandbox.write("half.yaml", HALF);
    sandbox.json(4, &["run", "half.yaml", "--id", "r", "--detach"]);
    fs::write(sandbox.data().join("runs"), "in the way").unwrap();
    let ended = sandbox.reenact(&["--json", "resume", "r"]);
    assert_eq!(ended.code(), Some(5), "{ended}");
    assert_eq!(ended.json()["status"], "stuck");
    assert!(ended.stderr.contains("could not be written down"), "{ended}");
}

#[test]
fn a_run_that_leaves_nothing_behind_gets_no_page() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "clean.yaml",
        "name: clean
steps:
  - {id: a, run: 'true', compensate: {run: 'true'}}
  - {id: b, run: 'false'}
",
    );
    assert_eq!(sandbox.json(3, &["run", "clean.yaml", "--id", "r"]).get("rollback_file"), None);
    assert!(!page(&sandbox).exists());
    sandbox.write("plain.yaml", "name: plain\nsteps: [{id: a, run: 'true'}, {id: b, run: 'false'}]\n");
    let failed = sandbox.json(1, &["run", "plain.yaml", "--id", "p"]);
    assert!(failed["rollback_file"].as_str().unwrap().ends_with("ROLLBACK-p.md"), "`a` is done for good");
}

#[test]
fn commands_about_an_item_are_words_of_a_shell() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "w.yaml",
        "name: w
steps:
  - {id: copy, for_each: [1, 2], run: 'true', compensate: {run: 'false', retry: {policy: none}}}
  - {id: last, run: 'false'}
",
    );
    let said = sandbox.reenact(&["run", "w.yaml", "--id", "r"]).stdout;
    assert_says(&said, &["cannot undo `copy[0]`: reenact rollback resolve r 'copy[0]' --retry"]);
    let page = fs::read_to_string(page(&sandbox)).unwrap();
    assert_says(&page, &["reenact rollback resolve r 'copy[1]' --done --reason"]);
}

#[test]
fn a_run_that_is_stuck_past_an_irreversible_step_is_told_only_what_can_be() {
    let sandbox = Sandbox::new();
    let workflow = |sent: &str| {
        format!(
            "steps: [{{id: a, run: 'true'}}, {{id: sent, run: {sent}, timeout: 1s, irreversible: true}}, {{id: z, run: 'false'}}]"
        )
    };
    for (sent, back) in [("'true'", true), ("sleep 60", false)] {
        sandbox.write("w.yaml", workflow(sent));
        let id = if back { "back" } else { "unknown" };
        sandbox.json(5, &["run", "w.yaml", "--id", id]);
        let file = sandbox.data().join(format!("runs/{id}/ROLLBACK-{id}.md"));
        let text = fs::read_to_string(file).unwrap();
        assert_says(&text, &[&format!("reenact retry {id}")]);
        assert_eq!(text.contains(&format!("reenact rollback {id} --to sent ")), back, "{text}");
        assert!(!text.contains("STEP"), "{text}");
    }
}

#[test]
fn what_has_nothing_to_undo_is_named_by_no_plan_and_no_page() {
    let sandbox = Sandbox::new();
    let none = "{run: 'true', compensate: none}";
    let step = |id: &str| none.replace("{run", &format!("{{id: {id}, run"));
    let file = |last: &str| {
        format!("name: w\nsteps:\n  - {}\n  - {last}\n  - {{id: no, run: exit 1}}\n", step("look"))
    };
    sandbox.write("w.yaml", file("{id: made, run: 'true'}"));
    sandbox.json(1, &["run", "w.yaml", "--id", "r"]);
    let plan = sandbox.json(0, &["rollback", "r", "--dry-run"]);
    let cannot: Vec<&Value> = plan["cannot"].as_array().unwrap().iter().map(|step| &step["step"]).collect();
    assert_eq!(cannot, ["made"]);
    let text = fs::read_to_string(page(&sandbox)).unwrap();
    let by_hand = text.split("## What a person must undo by hand").nth(1).unwrap();
    let by_hand = by_hand.split("\n## ").next().unwrap();
    assert!(by_hand.contains("`made`") && !by_hand.contains("`look`"), "{text}");
    assert!(text.contains("- `look`: completed"), "it was done all the same: {text}");

    // Where nothing else was done, a person has nothing to do.
    sandbox.write("w.yaml", file(&step("again")));
    let report = sandbox.json(1, &["run", "w.yaml", "--id", "harmless"]);
    assert_eq!(report.get("rollback_file"), None, "{report:#}");
    assert!(!sandbox.data().join("runs/harmless/ROLLBACK-harmless.md").exists());
    assert_eq!(sandbox.reenact(&["validate", "w.yaml"]).code(), Some(0));
}

/// It told a person to undo what a run did that had completed after all.
#[test]
fn nothing_is_to_be_undone_of_a_run_that_completed_after_a_retry() {
    let sandbox = Sandbox::new();
    sandbox.write("w.yaml", "name: w\nsteps: [{id: a, run: 'true'}, {id: b, run: 'test -e ok'}]\n");
    sandbox.json(1, &["run", "w.yaml", "--id", "r"]);
    let page = sandbox.data().join("runs/r/ROLLBACK-r.md");
    let by_hand = "## What a person must undo by hand\n\n";
    assert!(fs::read_to_string(&page).unwrap().contains(&format!("{by_hand}- `a`")));
    sandbox.write("ok", "");
    sandbox.json(0, &["retry", "r"]);
    let text = fs::read_to_string(&page).unwrap();
    assert!(
        text.contains(&format!("{by_hand}Nothing.")) && text.contains("what it did is to stay"),
        "{text}"
    );
}
