//! `reenact why`: what it prints, of runs in every state, and what it leaves as it was.

use serde_json::Value;

use crate::support::{Sandbox, copy_folder};

/// The chain of a run, or of a step of it. Every link is an event of the run that it names.
pub(super) fn chain(sandbox: &Sandbox, asked: &[&str]) -> Vec<Value> {
    let why = sandbox.json(0, &[&["why"], asked].concat());
    let chain = why["chain"].as_array().unwrap().clone();
    assert!(!chain.is_empty(), "{why}");
    for link in &chain {
        let history = sandbox.history(link["run"].as_str().unwrap());
        let event = &history[link["version"].as_u64().unwrap() as usize - 1];
        assert_eq!(event["type"], link["type"], "{link}");
        if !event["data"]["step"].is_null() && !link["step"].is_null() {
            assert_eq!(event["data"]["step"], link["step"], "{link}");
        }
    }
    // What is on the screen is the same, and fits.
    let ended = sandbox.reenact(&[&["why"], asked].concat());
    assert_eq!(ended.code(), Some(0), "{ended}");
    let lines: Vec<&str> = ended.stdout.lines().collect();
    assert!(lines.len() <= 23 && lines.iter().all(|line| line.chars().count() <= 80), "{ended}");
    chain
}

pub(super) fn kinds(chain: &[Value]) -> Vec<&str> {
    chain.iter().map(|link| link["type"].as_str().unwrap()).collect()
}

pub(super) fn says<'a>(chain: &'a [Value], kind: &str) -> &'a str {
    let link =
        chain.iter().find(|link| link["type"] == kind).unwrap_or_else(|| panic!("no {kind}: {chain:#?}"));
    link["says"].as_str().unwrap()
}

const RELEASE: &str = "name: release
input: {type: object, required: [version], properties: {version: {type: string}}}
on_failure: stop
steps:
  - {id: build, run: 'echo \"{\\\"file\\\": \\\"app.tgz\\\"}\"'}
  - id: publish
    run: 'echo looking for {{ steps.build.output.file }} >&2; echo no such index {{ input.version }} >&2; exit 7'
    retry: {attempts: 3, initial: 1ms, policy: fixed, jitter: 0}
  - {id: tell, run: 'true'}
";

#[test]
fn a_failure_is_followed_to_what_was_rendered_from_which_output_and_who_made_that() {
    let sandbox = Sandbox::new();
    sandbox.write("w.yaml", RELEASE);
    sandbox.json(1, &["run", "w.yaml", "--id", "r", "--input", "version=v2"]);
    let before = sandbox.history("r");
    let chain_of_run = chain(&sandbox, &[]);
    assert_eq!(
        kinds(&chain_of_run),
        [
            "run_failed",
            "step_failed",
            "attempt_failed",
            "attempt_started",
            "attempt_failed",
            "step_completed"
        ]
    );
    let failed = says(&chain_of_run, "attempt_failed");
    assert!(failed.starts_with("attempt 3 at `publish` failed, RE-3005: exit 7"), "{failed}");
    assert!(failed.contains("no such index v2"), "{failed}");
    let began = says(&chain_of_run, "attempt_started");
    assert!(began.contains("echo looking for 'app.tgz' >&2"), "{began}");
    assert!(began.contains("input.version = \"v2\", steps.build.output.file = \"app.tgz\""), "{began}");
    let earlier = chain_of_run[4]["says"].as_str().unwrap();
    assert!(
        earlier.starts_with("attempt 2 at `publish` failed") && earlier.contains("before it 1 another"),
        "{earlier}"
    );
    let made = chain_of_run[5].clone();
    assert_eq!(
        (&made["step"], &made["says"]),
        (&"build".into(), &"`build` answered {\"file\": \"app.tgz\"}".into())
    );
    assert_eq!(chain(&sandbox, &["last", "publish"])[0]["type"], "step_failed");
    // It did not begin because the run had ended.
    assert_eq!(kinds(&chain(&sandbox, &["r", "tell"]))[0], "run_failed");
    assert_eq!(chain(&sandbox, &["r", "build"])[0]["type"], "step_completed");
    assert_eq!(sandbox.history("r"), before, "looking appends nothing");
    let unknown = sandbox.json(2, &["why", "r", "publisch"]);
    assert_eq!(
        (&unknown["error"]["code"], &unknown["error"]["hint"]),
        (&"RE-2009".into(), &"did you mean `publish`?".into())
    );
}

#[test]
fn without_a_store_there_is_no_run_and_none_is_made() {
    let sandbox = Sandbox::new();
    let ended = sandbox.json(2, &["why"]);
    assert_eq!(ended["error"]["code"], "RE-1003");
    assert!(!sandbox.data().exists());
}

#[test]
fn a_store_that_cannot_be_written_is_looked_at_all_the_same() {
    let sandbox = Sandbox::new();
    sandbox.write("w.yaml", "name: w\non_failure: stop\nsteps: [{id: a, run: exit 1}]");
    sandbox.json(1, &["run", "w.yaml", "--id", "r"]);
    let copy = Sandbox::new();
    copy_folder(&sandbox.data(), &copy.data());
    assert_eq!(
        kinds(&chain(&copy, &["r"])),
        ["run_failed", "step_failed", "attempt_failed", "attempt_started"]
    );
}

#[test]
fn what_a_child_died_of_is_a_part_of_the_chain_and_what_it_was_given_too() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "w.yaml",
        "name: w\non_failure: stop\nsteps:\n  - {id: a, run: 'echo {}', env: {}}\n  - {id: n, run: 'echo 7'}\n  - {id: k, workflow: child.yaml, with: {n: '{{ steps.n.output.stdout }}'}}\n",
    );
    sandbox.write(
        "child.yaml",
        "name: child\non_failure: stop\nsteps:\n  - {id: x, run: 'exit {{ input.n }}'}\n",
    );
    sandbox.json(1, &["run", "w.yaml", "--id", "r"]);
    let of_parent = chain(&sandbox, &["r"]);
    assert_eq!(
        kinds(&of_parent),
        [
            "run_failed",
            "step_failed",
            "attempt_failed",
            "child_ended",
            "run_failed",
            "step_failed",
            "attempt_failed",
            "attempt_started",
            "run_started",
            "attempt_started",
            "step_completed"
        ],
        "{of_parent:#?}"
    );
    assert_eq!(of_parent.last().unwrap()["step"], "n");
    let child = of_parent[4]["run"].as_str().unwrap();
    let of_child = chain(&sandbox, &[child]);
    assert_eq!(
        kinds(&of_child),
        [
            "run_failed",
            "step_failed",
            "attempt_failed",
            "attempt_started",
            "run_started",
            "attempt_started",
            "step_completed"
        ]
    );
    assert_eq!(of_child.last().unwrap(), of_parent.last().unwrap());
}

#[test]
fn a_run_that_waits_says_for_what_and_since_when() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "w.yaml",
        "name: w\nsteps:\n  - {id: b, run: 'echo 5'}\n  - {id: a, agent: x, with: {n: '{{ steps.b.output.stdout }}'}, approve: before}\n  - {id: s, wait_for: go}\n  - {id: z, run: 'exit 3', approve: after}\n",
    );
    sandbox.write("agents/x.md", "---\nname: x\ndescription: x\ncommand: [cat]\n---\n");
    sandbox.json(4, &["run", "w.yaml", "--id", "r"]);
    let asked = chain(&sandbox, &["r"]);
    assert_eq!(kinds(&asked), ["approval_requested", "step_completed"]);
    assert!(
        says(&asked, "approval_requested").contains("were asked about `a`, whether it may start, since 20")
    );
    assert_eq!(kinds(&chain(&sandbox, &["r", "z"]))[0], "approval_requested", "it waits for what it needs");
    sandbox.json(0, &["approve", "r", "a", "--by", "ada", "--set", "n=6"]);
    sandbox.json(4, &["resume", "r"]);
    let awaited = chain(&sandbox, &["r"]);
    assert_eq!(kinds(&awaited), ["signal_awaited"]);
    let granted = chain(&sandbox, &["r", "a"]);
    assert_eq!(
        kinds(&granted),
        ["step_completed", "attempt_started", "approval_granted", "approval_requested", "step_completed"]
    );
    assert!(says(&granted, "approval_granted").contains("ada granted `a`, changed with {\"n\":\"6\"}"));
    sandbox.json(0, &["signal", "r", "go", "{\"k\": 1}", "--by", "bob"]);
    sandbox.json(1, &["resume", "r"]);
    assert_eq!(
        kinds(&chain(&sandbox, &["r"])),
        ["run_failed", "step_failed", "attempt_failed", "attempt_started"]
    );
    let signalled = chain(&sandbox, &["r", "s"]);
    assert_eq!(kinds(&signalled), ["step_completed", "signal_received"]);
    assert_eq!(says(&signalled, "signal_received"), "bob sent the signal `go`: {\"k\": 1}");
}

#[test]
fn a_run_that_completed_says_what_its_output_is_made_of() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "w.yaml",
        "name: w\nsteps:\n  - {id: a, run: 'echo 1'}\n  - {id: b, needs: [], run: 'echo 2'}\n  - {id: c, needs: [a, b], run: 'echo {{ steps.a.output.stdout }}'}\noutput: '{{ steps.c.output.stdout }}'\n",
    );
    sandbox.json(0, &["run", "w.yaml", "--id", "r"]);
    let made = chain(&sandbox, &["r"]);
    assert_eq!(kinds(&made), ["run_completed", "step_completed", "step_completed"]);
    let steps: Vec<&Value> = made.iter().map(|link| &link["step"]).collect();
    assert_eq!(steps, [&Value::Null, &"c".into(), &"a".into()], "`b` is no part of it");
    let pending = sandbox.json(4, &["run", "w.yaml", "--id", "n", "--detach"]);
    assert_eq!(pending["status"], "pending");
    assert_eq!(kinds(&chain(&sandbox, &["n"])), ["run_started"]);
    assert_eq!(kinds(&chain(&sandbox, &["n", "c"])), ["step_added", "step_added", "step_added"]);
}

/// Three items were followed, the last ones: those that had failed were among them by chance.
#[test]
fn a_run_that_completed_without_some_items_names_each_and_why() {
    for (left_out, kind) in [("continue", "step_failed"), ("retry_then_skip", "step_skipped")] {
        let sandbox = Sandbox::new();
        let each = "run: 'test {{ item }} -ne 1 && test {{ item }} -ne 4 && test {{ item }} -ne 6 && test {{ item }} -ne 9 || { echo broken {{ item }} >&2; exit 65; }'";
        sandbox.write(
            "w.yaml",
            format!("name: w\nsteps:\n  - {{id: each, for_each: '[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]', max_parallel: 1, {each}, on_error: {left_out}}}\n  - {{id: z, run: 'true'}}\n"),
        );
        sandbox.json(0, &["run", "w.yaml", "--id", "r"]);
        for asked in [&["r"][..], &["r", "each"]] {
            let made = chain(&sandbox, asked);
            let failed = made.iter().filter(|link| link["type"] == kind);
            let failed: Vec<_> = failed.map(|link| link["step"].as_str().unwrap()).collect();
            assert_eq!(failed, ["each[9]", "each[6]", "each[4]", "each[1]"], "{made:#?}");
            assert!(says(&made, kind).ends_with("exit 65: broken 9"), "{made:#?}");
            let shown = sandbox.reenact(&[&["why"], asked].concat());
            for item in [1, 4, 6, 9] {
                assert!(shown.stdout.contains(&format!("exit 65: broken {item}")), "{shown}");
            }
        }
        let made = chain(&sandbox, &["r", "each"]);
        let answered = says(&made, "step_completed");
        assert!(
            answered.starts_with(
                "`each` answered, without `each[1]`, `each[4]`, `each[6]`, `each[9]`, which failed, ["
            ),
            "{answered}"
        );
    }
}

/// A script was told in one line, in which nobody could read it.
#[test]
fn a_script_is_told_line_by_line() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "w.yaml",
        "name: w\nsteps:\n  - id: a\n    run: |\n      set -eu\n      if true; then\n        exit 3\n      fi\n",
    );
    sandbox.json(1, &["run", "w.yaml", "--id", "r"]);
    let why = sandbox.reenact(&["why", "r"]);
    let lines = ["began, by shell: set -eu\n", "     if true; then\n", "       exit 3\n", "     fi\n"];
    assert!(lines.iter().all(|line| why.stdout.contains(line)), "{why}");
    let status = sandbox.reenact(&["status", "r", "-v"]);
    let script = "    run  set -eu\n         if true; then\n           exit 3\n         fi\n";
    assert!(status.stdout.contains(script), "{status}");
}

/// What programs and people wrote does not act on the terminal that shows why.
#[test]
fn nothing_in_a_chain_acts_on_a_terminal() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "w.yaml",
        "name: w\non_failure: stop\nsteps: [{id: a, run: \"printf 'x\\\\033[2Jy\\\\n' >&2; exit 1\"}, {id: b, run: 'true'}]",
    );
    sandbox.json(1, &["run", "w.yaml", "--id", "r"]);
    let ended = sandbox.reenact(&["why", "r"]);
    assert!(!ended.stdout.contains('\u{1b}') && ended.stdout.contains("exit 1"), "{ended}");
}
