//! What happened to a run: whole, in part, and as it happens.

use serde_json::Value;

use super::terminal::Terminal;
use super::{completed, open, start_gated, waiting};
use crate::support::{Sandbox, wait_until};

/// A run with an event that is longer than any line.
fn with_long_event() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox
        .write("long.yaml", format!("name: long\nsteps: [{{id: a, run: 'echo {}end'}}]", "word ".repeat(80)));
    sandbox.json(0, &["run", "long.yaml", "--id", "r"]);
    sandbox
}

#[test]
fn an_event_is_whole_where_no_terminal_is_and_one_line_where_one_is() {
    let sandbox = with_long_event();
    let whole = |text: &str| text.contains(&format!("{}end", "word ".repeat(80)));
    let piped = sandbox.reenact(&["history", "r"]).stdout;
    assert!(whole(&piped), "{piped}");
    assert_eq!(piped.lines().count(), sandbox.history("r").len(), "a line each");
    for columns in [80, 132] {
        let (_, screen) = Terminal::start(&sandbox, columns, &["history", "r"]).wait();
        assert_eq!(screen.len(), sandbox.history("r").len(), "{screen:#?}");
        for line in &screen {
            assert!(line.chars().count() <= usize::from(columns), "{line}");
        }
        assert!(screen.iter().any(|line| line.ends_with('…')), "{screen:#?}");
        let (_, screen) = Terminal::start(&sandbox, columns, &["history", "r", "--full"]).wait();
        // It stands on several lines, each without the spaces at its end.
        let shown = screen.concat().replace(' ', "");
        assert!(shown.contains(&format!("{}end", "word".repeat(80))), "{screen:#?}");
    }
}

#[test]
fn events_are_found_by_their_type_and_by_the_step_that_they_are_about() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "w.yaml",
        "name: w
steps:
  - {id: a, run: 'true'}
  - {id: nap, sleep: 10ms}
  - {id: asks, run: 'true', approve: before}
  - {id: last, wait_for: go}
",
    );
    sandbox.json(4, &["run", "w.yaml", "--id", "r"]);
    sandbox.json(0, &["approve", "r", "asks", "--by", "ada"]);
    sandbox.json(0, &["signal", "r", "go"]);
    sandbox.json(0, &["resume", "r"]);
    let told = |arguments: &[&str]| {
        let ended = sandbox.reenact(&[&["--json", "history", "r"], arguments].concat());
        assert_eq!(ended.code(), Some(0), "{ended}");
        let lines = ended.json_lines().into_iter();
        lines.map(|line: Value| line["type"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(told(&["--step", "nap"]), ["step_added", "timer_set", "timer_fired", "step_completed"]);
    assert_eq!(
        told(&["--step", "asks"]),
        ["step_added", "approval_requested", "approval_granted", "attempt_started", "step_completed"]
    );
    assert_eq!(told(&["--step", "asks", "--type", "approval_granted"]), ["approval_granted"]);
    let from = sandbox.history("r").iter().position(|event| event["type"] == "timer_fired").unwrap() + 1;
    assert_eq!(told(&["--step", "nap", "--from", &from.to_string()]), ["timer_fired", "step_completed"]);
    assert_eq!(told(&["--type", "timer_set", "--type", "timer_fired"]), ["timer_set", "timer_fired"]);
    // The signal came early.
    let last = ["step_added", "signal_received", "signal_awaited", "step_completed"];
    assert_eq!(told(&["--step", "last"]), last);
    for (arguments, near, named) in [
        (["--type", "step_complete"], "did you mean `step_completed`?", "run_started"),
        (["--type", "xyz"], "there are run_started, step_added", "run_stuck"),
        (["--step", "nop"], "did you mean `nap`?", ""),
    ] {
        let refused = sandbox.json(2, &[&["history", "r"], &arguments[..]].concat());
        let hint = refused["error"]["hint"].as_str().unwrap();
        assert!(hint.starts_with(near) && hint.contains(named), "{refused}");
    }
}

#[test]
fn a_history_is_followed_while_another_process_makes_it() {
    let sandbox = Sandbox::new();
    let run = start_gated(&sandbox, "r");
    let following = sandbox.spawn(&["--json", "history", "r", "--follow"]);
    let some = sandbox.spawn(&["history", "r", "--follow", "--step", "after"]);
    wait_until("what there is is told", || following.stdout().contains("attempt_started"));
    wait_until("of the step, too", || some.stdout().contains("step_added"));
    open(&sandbox);
    let ended = following.wait();
    assert_eq!(
        (ended.code(), ended.json_lines()),
        (Some(0), sandbox.history("r")),
        "each event once: {ended}"
    );
    assert_eq!(some.wait().stdout.lines().count(), 3, "added, begun, completed");
    assert_eq!(run.wait().code(), Some(0));
}

#[test]
fn following_ends_where_nothing_comes_any_more() {
    let sandbox = Sandbox::new();
    completed(&sandbox, "done");
    waiting(&sandbox, "asks");
    start_gated(&sandbox, "left").kill();
    for run in ["done", "asks", "left"] {
        let ended = sandbox.reenact(&["--json", "history", run, "--follow"]);
        assert_eq!((ended.code(), ended.json_lines()), (Some(0), sandbox.history(run)), "{ended}");
    }
    let run = start_gated(&sandbox, "killed");
    let following = sandbox.spawn(&["history", "killed", "--follow"]);
    wait_until("what there is is told", || following.stdout().contains("attempt_started"));
    run.kill();
    assert_eq!(following.wait().code(), Some(0));
}

#[test]
fn ctrl_c_ends_following_and_nothing_else() {
    let sandbox = Sandbox::new();
    let run = start_gated(&sandbox, "r");
    let following = sandbox.spawn(&["history", "r", "--follow"]);
    wait_until("what there is is told", || following.stdout().contains("attempt_started"));
    following.interrupt();
    let ended = following.wait();
    assert_eq!((ended.code(), ended.stderr.as_str()), (Some(130), ""), "{ended}");
    open(&sandbox);
    assert_eq!(run.wait().code(), Some(0));
}
