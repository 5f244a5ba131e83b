//! The verbs, with the real binary: with nobody who holds the store, and through who does.

use std::fs::File;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::support::{Ended, Sandbox, wait_until};

const AGENT: &str =
    "---\nname: reviewer\ndescription: A person who looks\nexecutor: external\n---\nLook well.\n";

const WORKFLOW: &str = "
name: review
steps:
  - id: draft
    run: |
      echo '{\"title\": \"A\"}'
  - id: look
    agent: reviewer
    prompt: \"Review {{ steps.draft.output.title }}.\\nSay whether it is good, and say why you think so.\"
    with: {depth: 2, files: [a.md]}
    schema: {type: object, required: [good]}
  - id: publish
    run: echo published
output: \"{{ steps.look.output }}\"
";

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("agents/reviewer.md", AGENT);
    sandbox.write("w.yaml", WORKFLOW);
    sandbox
}

/// Runs the binary with that on stdin.
fn with_stdin(sandbox: &Sandbox, arguments: &[&str], stdin: impl AsRef<[u8]>) -> Ended {
    let path = sandbox.root().join("stdin");
    std::fs::write(&path, stdin).unwrap();
    let mut command = sandbox.command(arguments);
    command.stdin(Stdio::from(File::open(path).unwrap()));
    sandbox.start(command).wait()
}

fn next(sandbox: &Sandbox, more: &[&str]) -> Value {
    sandbox.json(0, &[&["tasks", "next", "--agent", "reviewer"], more].concat())
}

fn code(ended: &Ended) -> String {
    assert_eq!(ended.code(), Some(2), "{ended}");
    ended.json()["error"]["code"].as_str().unwrap().to_owned()
}

#[test]
fn a_person_takes_a_task_and_answers_it_and_the_run_goes_on() {
    let sandbox = sandbox();
    let report = sandbox.json(4, &["run", "w.yaml", "--id", "r"]);
    assert_eq!(report["status"], "waiting");
    let waiting = &report["waiting_for"][0];
    assert_eq!((&waiting["kind"], &waiting["step"]), (&json!("task"), &json!("look")));
    let listed = sandbox.json(0, &["tasks"]);
    assert_eq!(listed["tasks"][0]["id"], waiting["id"]);
    let task = next(&sandbox, &[]);
    let expected = json!({"run": "r", "step": "look", "agent": "reviewer", "subagent_type": "reviewer",
        "input": {"depth": 2, "files": ["a.md"]}, "files": ["a.md"],
        "prompt": "Review A.\nSay whether it is good, and say why you think so.",
        "description": "Review A.\nSay whether it is good, and say why you "});
    for (key, value) in expected.as_object().unwrap() {
        assert_eq!(&task[key], value, "{key}");
    }
    assert_eq!(task["system"], "Look well.");
    assert_eq!(task["schema"]["required"], json!(["good"]));
    let id = task["id"].as_str().unwrap();
    assert!(task["answer"].as_str().unwrap().contains(&format!("tasks complete {id} < answer")));
    assert!(task["lease_until"].is_string());
    let nothing = sandbox.reenact(&["--json", "tasks", "next", "--agent", "reviewer"]);
    assert_eq!((nothing.code(), nothing.stdout.as_str()), (Some(4), ""), "{nothing}");
    let ended = sandbox.reenact(&["tasks", "heartbeat", id, "--progress", "40", "half way"]);
    assert_eq!(ended.code(), Some(0), "{ended}");
    let listed = sandbox.json(0, &["tasks", "--agent", "Reviewer"]);
    assert_eq!(
        (&listed["tasks"][0]["percent"], &listed["tasks"][0]["text"]),
        (&json!(40), &json!("half way"))
    );
    assert_eq!(sandbox.status("r")["steps"][1]["progress"], json!({"percent": 40, "text": "half way"}));
    let ended = with_stdin(&sandbox, &["--json", "tasks", "complete", id], "{\"good\": true}\n");
    assert_eq!(ended.code(), Some(0), "{ended}");
    assert_eq!(ended.json()["run"], "r");
    assert_eq!(sandbox.json(0, &["resume", "r"])["output"], json!({"good": true}));
    assert_eq!(sandbox.count("r", "task_taken", Some("look")), 1);
    let again = with_stdin(&sandbox, &["--json", "tasks", "complete", id], "{\"good\": true}\n");
    assert_eq!(code(&again), "RE-1802");
    assert_eq!(sandbox.json(0, &["tasks"])["tasks"], json!([]));
}

#[test]
fn an_answer_is_text_where_it_is_no_json_and_with_resume_the_run_is_seen_through() {
    let sandbox = sandbox();
    sandbox.write("t.yaml", "name: t\nsteps: [{id: a, agent: reviewer}]\noutput: '{{ steps.a.output }}'");
    sandbox.json(4, &["run", "t.yaml", "--id", "t"]);
    let task = next(&sandbox, &["--by", "ada"]);
    let id = task["id"].as_str().unwrap();
    let ended = with_stdin(&sandbox, &["--json", "tasks", "complete", id, "--resume"], "it is good\n");
    assert_eq!(ended.code(), Some(0), "{ended}");
    assert_eq!(ended.json()["output"], json!({"text": "it is good"}));
    assert_eq!(sandbox.events("t", "task_taken")[0]["data"]["by"], "ada");
}

#[test]
fn bad_input_is_refused_with_a_code_and_nothing_is_lost() {
    let sandbox = sandbox();
    let empty = sandbox.reenact(&["--json", "tasks", "next", "--agent", "reviewer"]);
    assert_eq!(empty.code(), Some(4), "{empty}");
    assert!(!sandbox.data().exists(), "looking for work makes no data folder");
    sandbox.json(4, &["run", "w.yaml", "--id", "r"]);
    let first = next(&sandbox, &["--lease", "1ms", "--by", "ada"]);
    let second = next(&sandbox, &["--by", "bob", "--wait", "10s"]);
    let (first, second) = (first["id"].as_str().unwrap(), second["id"].as_str().unwrap());
    assert_ne!(first, second);
    let before = sandbox.history("r").len();
    let late = with_stdin(&sandbox, &["--json", "tasks", "complete", first], "{\"good\": true}");
    assert_eq!(code(&late), "RE-1804", "somebody else has it");
    assert!(late.json()["error"]["message"].as_str().unwrap().contains("bob"), "{late}");
    let too_long = with_stdin(&sandbox, &["--json", "tasks", "complete", second], vec![b'x'; 100 << 20]);
    assert_eq!(code(&too_long), "RE-1807");
    for (arguments, expected) in [
        (vec!["complete", "r/2"], "RE-1801"),
        (vec!["complete", "nonsense"], "RE-1801"),
        (vec!["complete", "r/99/1"], "RE-1801"),
        (vec!["complete", "gone/1/1"], "RE-1003"),
        (vec!["fail", second, "--reason", " "], "RE-1001"),
        (vec!["heartbeat", second, "--progress", "101"], "RE-1001"),
        (vec!["heartbeat", second, "--lease", "400d"], "RE-1806"),
        (vec!["next", "--agent", "reviewer", "--lease", "400d"], "RE-1806"),
    ] {
        let arguments = [vec!["--json", "tasks"], arguments].concat();
        assert_eq!(code(&sandbox.reenact(&arguments)), expected, "{arguments:?}");
    }
    let double = with_stdin(&sandbox, &["--json", "tasks", "complete", second], "{\"a\": 1, \"a\": 2}");
    assert_eq!(code(&double), "RE-3030");
    assert_eq!(sandbox.history("r").len(), before, "nothing of that is recorded");
    let good = with_stdin(&sandbox, &["--json", "tasks", "complete", second, "--resume"], "{\"good\": 1}");
    assert_eq!(good.code(), Some(0), "{good}");
}

#[test]
fn a_task_that_cannot_be_done_fails_its_step() {
    let sandbox = sandbox();
    sandbox.json(4, &["run", "w.yaml", "--id", "r"]);
    let task = next(&sandbox, &[]);
    let id = task["id"].as_str().unwrap();
    let ended = sandbox.reenact(&["--json", "tasks", "fail", id, "--reason", "no access", "--resume"]);
    assert_eq!(ended.code(), Some(1), "{ended}");
    let error = ended.json()["error"].clone();
    assert_eq!((&error["code"], &error["message"]), (&json!("RE-3039"), &json!("no access")));
}

#[test]
fn who_waits_for_a_task_gets_it_when_another_process_hands_it_out_through_them() {
    let sandbox = sandbox();
    let waiting = sandbox.spawn(&["--json", "tasks", "next", "--agent", "reviewer", "--wait", "50s"]);
    wait_until("it holds the store", || sandbox.data().join("control.sock").exists());
    // It goes through who waits, and holds the store.
    sandbox.json(4, &["run", "w.yaml", "--id", "r"]);
    let ended = waiting.wait();
    assert_eq!(ended.code(), Some(0), "{ended}");
    let id = ended.json()["id"].as_str().unwrap().to_owned();
    let ended = with_stdin(&sandbox, &["--json", "tasks", "complete", &id, "--resume"], "{\"good\": 1}");
    assert_eq!(ended.code(), Some(0), "{ended}");
    let short = sandbox.reenact(&["tasks", "next", "--agent", "reviewer", "--wait", "10ms"]);
    assert_eq!(short.code(), Some(4), "{short}");
}

#[test]
fn a_paused_agent_and_a_paused_run_hand_out_nothing() {
    let sandbox = sandbox();
    sandbox.json(4, &["run", "w.yaml", "--id", "r"]);
    sandbox.json(0, &["agents", "pause", "reviewer"]);
    let paused = sandbox.reenact(&["tasks", "next", "--agent", "reviewer"]);
    assert_eq!(paused.code(), Some(4), "{paused}");
    assert!(paused.stderr.contains("paused"), "{paused}");
    sandbox.json(0, &["agents", "unpause", "reviewer"]);
    sandbox.json(0, &["pause", "r"]);
    let paused = sandbox.reenact(&["tasks", "next", "--agent", "reviewer"]);
    assert_eq!(paused.code(), Some(4), "{paused}");
    sandbox.json(0, &["unpause", "r"]);
    next(&sandbox, &[]);
}

#[test]
fn tasks_are_shown_where_runs_are() {
    let sandbox = sandbox();
    let ended = sandbox.reenact(&["run", "w.yaml", "--id", "r"]);
    assert!(
        ended.stdout.contains("reenact tasks next --agent reviewer")
            || ended.stdout.contains("tasks next --agent reviewer"),
        "{ended}"
    );
    let taken = sandbox.reenact(&["tasks", "next", "--agent", "reviewer", "--by", "ada"]);
    for line in ["agent     reviewer", "Review A.", "tasks complete r/2/1 < answer", "tasks fail r/2/1"] {
        assert!(taken.stdout.contains(line), "{line}: {taken}");
    }
    let status = sandbox.reenact(&["status", "r"]);
    assert!(status.stdout.contains("waits for `ada`, who has the task of `look`"), "{status}");
    let listed = sandbox.reenact(&["tasks"]);
    assert!(listed.stdout.contains("ada has it until"), "{listed}");
    let validated = sandbox.json(0, &["agents", "validate", "agents/reviewer.md"]);
    assert!(!validated.to_string().contains("RE-1007"), "{validated}");
    let file = "name: w\ncontexts: {t: things}\nsteps: [{id: a, agent: reviewer, locks: [t/one]}]";
    sandbox.write("l.yaml", file);
    assert_eq!(code(&sandbox.reenact(&["--json", "run", "l.yaml"])), "RE-1112");
}

/// Whoever takes a task does it by what is printed: nothing of that is cut, however long it is, and nothing of it acts on a terminal.
#[test]
fn what_is_printed_of_a_task_is_whole() {
    let sandbox = sandbox();
    let long = "word ".repeat(60);
    let file = format!(
        "steps:\n  - id: look\n    agent: reviewer\n    prompt: \"{long}end\\n\\n  - indented \\e[2J line\"\n    with: {{note: \"{long}\"}}\n    schema: {{type: object, description: \"{long}\"}}\n"
    );
    sandbox.write("long.yaml", file);
    sandbox.json(4, &["run", "long.yaml", "--id", "r"]);
    let shown = sandbox.reenact(&["tasks", "next", "--agent", "reviewer"]);
    assert_eq!(shown.code(), Some(0), "{shown}");
    assert!(shown.stdout.contains(&format!("\n{long}end\n\n  - indented ")), "{shown}");
    assert_eq!(shown.stdout.matches(long.trim_end()).count(), 3, "{shown}");
    assert!(!shown.stdout.contains(['\u{1b}', '…']), "{shown}");
}
