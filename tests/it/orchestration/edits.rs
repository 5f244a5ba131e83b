//! What an answer changes: it becomes what is wanted there, or is refused, and it is granted as it was read.

use std::fs;

use serde_json::{Value, json};

use super::{first, log, step, waiting, with};
use crate::support::Sandbox;

const CHILD: &str = "name: child
input: {properties: {v: {type: integer}}, required: [v]}
steps: [{id: x, run: 'echo {{ input.v }} >> log'}]
";

const PARENT: &str = "name: parent
steps:
  - {id: a, run: 'true', compensate: {run: echo undone >> log}}
  - {id: k, workflow: child.yaml, with: {v: 3}, approve: before}
";

const AFTER: &str = "name: after
steps:
  - id: a
    run: echo '{\"n\":1}'
    approve: after
    schema: {type: object, properties: {n: {type: integer}}}
output: '{{ steps.a.output }}'
";

fn parent() -> Sandbox {
    let sandbox = with(PARENT);
    sandbox.write("child.yaml", CHILD);
    sandbox.json(4, &["run", "w.yaml", "--id", "r"]);
    sandbox
}

fn assert_refused(sandbox: &Sandbox, arguments: &[&str], code: &str) {
    let before = sandbox.status("r")["version"].clone();
    let error = sandbox.json(2, arguments)["error"].clone();
    assert_eq!(error["code"], code, "{arguments:?}: {error}");
    assert_eq!(sandbox.status("r")["version"], before, "{arguments:?} recorded something");
}

fn page(sandbox: &Sandbox) -> String {
    let pages = fs::read_dir(sandbox.data().join("runs/r")).unwrap().map(|entry| entry.unwrap().path());
    let page = pages.into_iter().find(|path| path.to_string_lossy().ends_with(".md")).unwrap();
    fs::read_to_string(page).unwrap()
}

#[test]
fn a_text_for_a_child_becomes_what_the_childs_input_declares() {
    // It was passed on as a text, the child refused it, and everything before it was undone.
    let sandbox = parent();
    sandbox.json(0, &["approve", "r", "k", "--set", "v=8"]);
    let done = sandbox.json(0, &["resume", "r"]);
    assert_eq!((&done["status"], log(&sandbox)), (&json!("completed"), vec!["8".to_owned()]));
}

#[test]
fn what_does_not_fit_or_nobody_reads_is_refused_and_nothing_changes() {
    let sandbox = parent();
    for wrong in ["v=eight", "v:=\"8\"", "v:=1.5", "w=8", "v.x=8"] {
        assert_refused(&sandbox, &["approve", "r", "k", "--set", wrong], "RE-2016");
    }
    let (sandbox, _) = waiting(AFTER);
    for (wrong, code) in
        [("n=x", "RE-2016"), ("n:=\"x\"", "RE-3024"), ("n:=null", "RE-3024"), ("n.x=1", "RE-2016")]
    {
        assert_refused(&sandbox, &["approve", "r", "a", "--set", wrong], code);
    }
    sandbox.json(0, &["approve", "r", "a", "--set", "n=8"]);
    assert_eq!(sandbox.json(0, &["resume", "r"])["output"], json!({"n": 8}));
}

#[test]
fn an_argument_of_an_agent_stays_of_the_kind_that_it_is() {
    let (sandbox, _) = waiting(
        "name: w
steps: [{id: a, agent: publisher, with: {n: 1, on: true, t: x}, approve: before}]
output: '{{ steps.a.output.input }}'
",
    );
    for wrong in ["n=x", "on=1", "t.x=1"] {
        assert_refused(&sandbox, &["approve", "r", "a", "--set", wrong], "RE-2016");
    }
    let sets = ["--set", "n=2", "--set", "on=false", "--set", "t=3", "--set", "more=4"];
    sandbox.json(0, &[&["approve", "r", "a"][..], &sets].concat());
    let output = sandbox.json(0, &["resume", "r"])["output"].clone();
    assert_eq!(output, json!({"n": 2, "on": false, "t": "3", "more": "4"}));
}

#[test]
fn a_hash_grants_only_what_was_read() {
    let (sandbox, report) = waiting(&AFTER.replace("approve: after", "approve: after\n    approvals: 2"));
    let hash = |report: &Value| report["waiting_for"][0]["hash"].as_str().unwrap().to_owned();
    let read = hash(&report);
    assert_eq!(
        sandbox.history("r").iter().find(|event| event["type"] == "approval_requested").unwrap()["data"]["hash"],
        read
    );
    assert!(page(&sandbox).contains(&format!("`{read}`")));
    sandbox.json(0, &["approve", "r", "a", "--by", "ada", "--hash", &read[..8], "--set", "n=2"]);
    let edited = hash(&sandbox.status("r"));
    assert_ne!(edited, read);
    // What ada changed is on the page, with the hash of it.
    for said in ["with these changes:", "\"n\": 2", &format!("`{edited}`")] {
        assert!(page(&sandbox).contains(said), "{said}: {}", page(&sandbox));
    }
    assert_refused(&sandbox, &["approve", "r", "a", "--by", "bob", "--hash", &read], "RE-2018");
    assert_refused(
        &sandbox,
        &["approve", "r", "a", "--by", "bob", "--hash", &read[..16], "--set", "n=3"],
        "RE-2018",
    );
    for odd in ["", "1234567", "not a hash at all", &format!("{edited}0")] {
        assert_refused(&sandbox, &["approve", "r", "a", "--by", "bob", "--hash", odd], "RE-1001");
    }
    assert_refused(&sandbox, &["approve", "r", "a", "--check", "1", "--hash", &edited], "RE-1001");
    sandbox.json(0, &["approve", "r", "a", "--by", "bob", "--hash", &edited.to_uppercase()]);
    assert_eq!(sandbox.json(0, &["resume", "r"])["output"], json!({"n": 2}));
}

/// The commands of the part of a page that says how to answer.
fn commands(page: &str) -> Vec<String> {
    let (_, part) = page.split_once("\n## How to answer\n").unwrap();
    let lines = part.lines().filter_map(|line| line.strip_prefix("    reenact "));
    lines.map(|line| line.split("    #").next().unwrap().to_owned()).collect()
}

#[test]
fn every_command_of_a_page_works_as_it_stands_there() {
    let pages = [
        "{id: a, for_each: [x, y], run: 'echo {{ item }}', approve: before, checklist: [one]}",
        "{id: a, run: 'true', approve: before, approvers: [\"it's me\"]}",
        "{id: a, agent: publisher, with: {to: \"it's\", n: 1}, approve: before}",
        "{id: a, agent: publisher, with: {\"odd key\": 1, \"\\u001b\": 2, last: [1]}, approve: before}",
        "{id: a, run: 'echo \"{}\"', approve: after}",
        "{id: a, run: 'echo \"{\\\"n\\\": 1}\"', approve: after}",
        "{id: k, workflow: child.yaml, with: {v: 3}, approve: before}",
    ];
    for written in pages {
        let (sandbox, _) = {
            let sandbox = with(&format!("name: w\nsteps:\n  - {written}\n"));
            sandbox.write("child.yaml", CHILD);
            let report = sandbox.json(4, &["run", "w.yaml", "--id", "r"]);
            (sandbox, report)
        };
        let all = commands(&page(&sandbox));
        assert!(all.len() >= 3, "{all:?}");
        let sets = all.iter().filter(|command| command.contains("--set")).count();
        assert_eq!(sets, usize::from(written.contains("with:") || written.contains("\\\"n\\\"")), "{all:?}");
        for command in all {
            assert!(
                !command.starts_with("approve") || command.contains("--hash") || command.contains("--check"),
                "{command}"
            );
            // Each is followed by somebody who has read the same page.
            let copy = Sandbox::new();
            crate::support::copy_folder(&sandbox.data(), &copy.data());
            let mut shell = copy.command(&[]);
            let by = if written.contains("it's me") && !command.starts_with("status") {
                " --by \"it's me\""
            } else {
                ""
            };
            let by = if command.starts_with("transcript") { "" } else { by };
            let script = format!("\"$0\" {command}{by}");
            let program = shell.get_program().to_owned();
            let mut bash = std::process::Command::new("bash");
            bash.arg("-c")
                .arg(script)
                .arg(program)
                .current_dir(copy.work(""))
                .env("REENACT_DATA", copy.data());
            shell = bash;
            let ended = shell.output().unwrap();
            assert_eq!(ended.status.code(), Some(0), "{command}: {ended:?}");
        }
    }
}

#[test]
fn a_step_that_nothing_can_be_changed_of_is_not_offered_to_be() {
    let (sandbox, report) =
        waiting("name: w\nsteps: [{id: b, for_each: [x, y], run: 'true', approve: before}]\n");
    assert!(!page(&sandbox).contains("--set"), "{}", page(&sandbox));
    assert_refused(&sandbox, &["approve", "r", &first(&report), "--set", "name=q"], "RE-2016");
    assert_eq!(step(&sandbox.status("r"), "b")["status"], "waiting");
}
