//! One run: watched until it rests, and with what it was given and answered.

use serde_json::{Value, json};

use super::terminal::Terminal;
use super::{completed, open, start_gated, waiting};
use crate::support::{Sandbox, wait_until};

#[test]
fn watching_ends_as_the_run_that_has_come_to_rest_does() {
    let sandbox = Sandbox::new();
    completed(&sandbox, "done");
    waiting(&sandbox, "asks");
    sandbox.write("fails.yaml", "name: fails\nsteps: [{id: a, run: exit 65}]");
    sandbox.json(1, &["run", "fails.yaml", "--id", "fails"]);
    sandbox.write(
        "undone.yaml",
        "name: undone\nsteps: [{id: a, run: 'true', compensate: {run: 'true'}}, {id: b, run: exit 65}]",
    );
    sandbox.json(3, &["run", "undone.yaml", "--id", "undone"]);
    waiting(&sandbox, "held");
    sandbox.json(0, &["pause", "held"]);
    waiting(&sandbox, "given-up");
    sandbox.json(0, &["cancel", "given-up"]);
    for (run, code) in [("done", 0), ("asks", 4), ("fails", 1), ("undone", 3), ("held", 4), ("given-up", 6)] {
        let report = sandbox.json(code, &["status", run, "--watch"]);
        assert_eq!((&report["run"], &report["interrupted"]), (&json!(run), &json!(false)));
        assert_eq!(sandbox.reenact(&["status", run, "--watch"]).code(), Some(code), "{run}");
        assert_eq!(sandbox.reenact(&["status", run]).code(), Some(0), "looking once is looking");
    }
}

#[test]
fn a_run_is_watched_while_another_process_drives_it_and_until_it_rests() {
    let sandbox = Sandbox::new();
    let run = start_gated(&sandbox, "r");
    let watching = sandbox.spawn(&["status", "r", "--watch"]);
    wait_until("it is shown", || watching.stdout().contains("running"));
    open(&sandbox);
    let ended = watching.wait();
    assert_eq!(ended.code(), Some(0), "{ended}");
    assert!(ended.stdout.contains("r  gated  completed"), "{ended}");
    assert_eq!(run.wait().code(), Some(0));
}

#[test]
fn watching_a_run_that_nobody_drives_any_more_ends_as_interrupted() {
    let sandbox = Sandbox::new();
    let run = start_gated(&sandbox, "r");
    let watching = sandbox.spawn(&["--json", "status", "r", "--watch"]);
    wait_until("it is shown", || watching.stdout().contains("running"));
    run.kill();
    let ended = watching.wait();
    assert_eq!(ended.code(), Some(130), "{ended}");
    let last = ended.json_lines().pop().unwrap();
    assert_eq!((&last["status"], &last["interrupted"]), (&json!("running"), &json!(true)));
    let text = sandbox.reenact(&["status", "r", "--watch"]);
    assert_eq!(text.code(), Some(130), "{text}");
    // It was shown once more when it was over, though nothing had changed.
    assert_eq!(text.stdout.matches("interrupted: reenact").count(), 1, "{text}");
}

#[test]
fn a_terminal_that_gets_another_size_shows_the_run_anew() {
    let sandbox = Sandbox::new();
    let run = start_gated(&sandbox, "a-run-with-quite-a-long-name-for-so-small-a-terminal");
    let terminal = Terminal::start(&sandbox, 120, &["status", "--watch"]);
    let whole = |screen: &[String]| screen.iter().any(|line| line.contains("terminal  gated  running"));
    terminal.until("it is shown", whole);
    terminal.resize(30, 40);
    terminal.until("it is cut", |screen| screen[0].chars().count() < 40 && screen[0].ends_with('…'));
    terminal.resize(30, 120);
    terminal.until("it is whole again", whole);
    terminal.interrupt();
    assert_eq!(terminal.wait().0, Some(130));
    open(&sandbox);
    assert_eq!(run.wait().code(), Some(0));
}

/// It read `interrupted` right after it was granted, although nothing of it had been.
#[test]
fn a_run_that_waited_until_now_is_ready_to_go_on_and_not_interrupted_for_people() {
    let sandbox = Sandbox::new();
    let text = "name: w\nsteps: [{id: a, run: 'true'}, {id: b, run: 'true', approve: before}]\n";
    sandbox.write("w.yaml", text);
    sandbox.json(4, &["run", "w.yaml", "--id", "r"]);
    sandbox.json(0, &["approve", "r", "b"]);
    let text = sandbox.reenact(&["status", "r"]).stdout;
    assert!(text.ends_with("\nready to go on: reenact resume r\n"), "{text}");
    let report = sandbox.status("r");
    assert_eq!((&report["interrupted"], &report["ready"]), (&json!(true), &json!(true)));
    sandbox.json(0, &["resume", "r"]);
    assert_eq!(sandbox.status("r")["ready"], json!(null));
    start_gated(&sandbox, "k").kill();
    assert_eq!(sandbox.status("k")["ready"], json!(null));
}

#[test]
fn ctrl_c_leaves_a_watched_run_alone_and_says_nothing() {
    let sandbox = Sandbox::new();
    let run = start_gated(&sandbox, "r");
    let watching = sandbox.spawn(&["status", "r", "--watch"]);
    wait_until("it is shown", || watching.stdout().contains("running"));
    watching.interrupt();
    let ended = watching.wait();
    assert_eq!((ended.code(), ended.stderr.as_str()), (Some(130), ""), "{ended}");
    let terminal = Terminal::start(&sandbox, 80, &["status", "r", "--watch"]);
    terminal.until("it is shown", |screen| screen.iter().any(|line| line.contains("running")));
    terminal.interrupt();
    let (code, screen) = terminal.wait();
    assert_eq!(code, Some(130));
    assert!(!screen.concat().contains("interrupted"), "{screen:?}");
    let last = screen.iter().filter(|line| line.starts_with("r  gated  running")).count();
    assert_eq!(last, 1, "what was seen last is left there: {screen:?}");
    assert!(screen.iter().any(|line| line.contains("work")), "all of it: {screen:?}");
    open(&sandbox);
    assert_eq!(run.wait().code(), Some(0));
    assert_eq!(sandbox.count("r", "attempt_lost", None), 0);
}

#[test]
fn a_run_that_has_ended_is_driven_by_nobody() {
    let sandbox = Sandbox::new();
    sandbox.write("done.yaml", "name: done\nsteps: [{id: a, run: 'true'}]");
    let ended = sandbox.json(0, &["run", "done.yaml", "--id", "r"]);
    for report in [ended, sandbox.status("r"), sandbox.json(0, &["replay", "r"])] {
        assert_eq!((&report["driven"], &report["interrupted"]), (&json!(false), &json!(false)), "{report}");
    }
    assert!(!sandbox.reenact(&["status", "r"]).stdout.contains("interrupted"));
}

/// A run that was given much, and whose steps answer much.
fn with_values() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write(
        "values.yaml",
        "name: values
input: {type: object, properties: {size: {type: integer}, who: {type: string}}}
steps:
  - {id: small, run: 'echo hello {{ input.who }}'}
  - {id: large, run: 'head -c {{ input.size }} /dev/zero | tr \"\\\\0\" x'}
  - {id: waits, wait_for: go}
",
    );
    sandbox.json(4, &["run", "values.yaml", "--id", "r", "--input", "size=5000", "--input", "who=ada"]);
    sandbox
}

#[test]
fn what_a_run_and_its_steps_were_given_and_answered_is_shown_when_asked_for() {
    let sandbox = with_values();
    let plain = sandbox.status("r");
    assert_eq!((plain.get("input"), plain["steps"][0].get("input")), (None, None));
    let report = sandbox.json(0, &["status", "r", "-v"]);
    assert_eq!(report["input"], json!({"size": 5000, "who": "ada"}));
    assert_eq!(report["steps"][0]["input"], json!({"run": "echo hello 'ada'"}));
    assert_eq!(report["steps"][1]["output"]["stdout"].as_str().unwrap().len(), 5000, "whole");
    assert_eq!(report["steps"][2].get("input"), None, "no attempt was made");
    let text = sandbox.reenact(&["status", "r", "--verbose"]);
    for part in ["  who   ada\n", "  size  5000\n", "echo hello 'ada'", "{\"stdout\":\"hello ada\"}"] {
        assert!(text.stdout.contains(part), "`{part}` in {text}");
    }
    let longest = text.stdout.lines().map(|line| line.chars().count()).max().unwrap();
    assert!(longest < 500, "it can be read: {text}");
    let data = sandbox.data();
    let whole = text.stdout.lines().last().unwrap().replace(&format!("--data {} ", data.display()), "");
    assert_eq!(whole, "values are cut; whole: reenact --json status r -v");
}

#[test]
fn a_run_as_it_was_shows_what_its_steps_had_answered() {
    let sandbox = with_values();
    let history = sandbox.history("r");
    let version = |step: &str| {
        let done = |event: &&Value| event["type"] == "step_completed" && event["data"]["step"] == step;
        history.iter().find(done).unwrap()["version"].as_u64().unwrap()
    };
    let at = |version: u64| sandbox.reenact(&["replay", "r", "--at", &version.to_string()]).stdout;
    assert!(!at(version("small") - 1).contains("values of"));
    let then = at(version("small"));
    assert!(then.contains("values of small:\n    output  {\"stdout\":\"hello ada\"}"), "{then}");
    assert!(!then.contains("values of large"), "{then}");
    assert!(at(version("large")).contains(&format!("replay r --at {}", version("large"))), "it is cut");
}
