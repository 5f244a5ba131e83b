//! Approvals, signals and phases.

use std::time::Duration;

use reenact::testing::Dice;
use serde_json::json;

use super::super::seed;
use super::{RUN, Scene, awaited, step};
use crate::support::wait_until;

/// `hold` hangs while `gated` is asked for; `gated` hangs when it was granted.
const GATED: &str = "name: gated
steps:
  - {id: hold, needs: [], run: [./hangs, 'true']}
  - {id: gated, needs: [], agent: echo, with: {to: staging}, approve: before, approvals: 2, checklist: [Built?]}
  - {id: after, needs: [gated, hold], run: [./hangs, 'true']}
output: '{{ steps.gated.output.input.to }}'
";

const ECHO: &str = "---\nname: echo\ndescription: d\nexecutor: subprocess\ncommand: [./hangs, cat]\n---\n";

/// The run, killed while people are asked; and the request.
fn killed_while_it_asks() -> (Scene, String) {
    let mut scene = Scene::of(GATED).with("agents/echo.md", ECHO);
    let process = scene.spawn(&["run", "w.yaml", "--id", RUN]);
    scene.kill_when_it_hangs(process);
    let report = scene.sandbox.status(RUN);
    let waits = awaited(&report);
    assert_eq!((waits.len(), waits[0].0.as_str(), waits[0].1.as_str()), (1, "approval", "gated"));
    (scene, waits[0].2.clone())
}

#[test]
fn people_are_asked_once_and_their_answers_are_kept() {
    let (mut scene, request) = killed_while_it_asks();
    let page = scene.sandbox.data().join(format!("runs/{RUN}/REQUEST-{request}.md"));
    scene.sandbox.json(0, &["approve", RUN, &request, "--by", "ada", "--set", "to=production"]);
    // A process that is killed may not have come to writing the page.
    std::fs::remove_file(&page).unwrap();
    let report = scene.survive_from(&["resume", RUN], 4);
    assert_eq!(awaited(&report)[0].2, request, "it is the same request");
    assert_eq!(report["waiting_for"][0]["granted"], json!(["ada"]));
    let page = std::fs::read_to_string(&page).unwrap();
    assert!(page.contains("1 of 2 people have granted it") && page.contains("production"), "{page}");
    scene.sandbox.json(0, &["approve", RUN, &request, "--by", "bob"]);
    let report = scene.survive_from(&["resume", RUN], 0);
    assert_eq!(report["output"], "production", "both tries were given what was granted");
    scene.check(&["hold", "gated", "after"]);
    assert_eq!((scene.count("approval_requested", None), scene.count("approval_granted", None)), (1, 2));
    assert_eq!(step(&report, "gated")["attempts"], 2);
}

#[test]
fn a_tick_and_a_refusal_are_kept() {
    let (mut scene, request) = killed_while_it_asks();
    scene.sandbox.json(0, &["approve", RUN, &request, "--by", "ada", "--check", "1"]);
    scene.sandbox.json(0, &["reject", RUN, &request, "--by", "bob", "--reason", "no"]);
    let report = scene.survive_from(&["resume", RUN], 1);
    assert_eq!(
        (&report["error"]["code"], &report["error"]["message"]),
        (&json!("RE-3018"), &json!("bob refused it: no"))
    );
    assert_eq!((scene.count("approval_checked", None), scene.count("approval_refused", None)), (1, 1));
    assert_eq!(scene.count("attempt_started", Some("gated")), 0);
}

/// What a step answered is asked for, and it is not done again because the process was killed meanwhile.
#[test]
fn what_is_asked_after_the_work_does_not_have_it_done_again() {
    let mut scene = Scene::of(
        "name: after
steps:
  - {id: draft, run: [./hangs, echo, '{\"text\": \"helo\"}'], approve: after}
  - {id: send, run: [./hangs, echo, '{{ steps.draft.output.text }}']}
output: '{{ steps.send.output.stdout }}'
",
    );
    let request = awaited(&scene.survive(4))[0].2.clone();
    scene.sandbox.json(0, &["approve", RUN, &request, "--set", "text=hello"]);
    assert_eq!(scene.survive_from(&["resume", RUN], 0)["output"], "hello");
    scene.check(&["draft", "send"]);
}

/// Who answers is killed too: the answer is recorded wholly or not at all, and once.
#[test]
fn an_answer_whose_process_is_killed_was_given_or_was_not() {
    const GATES: usize = 12;
    let mut random = Dice::of(seed());
    let gates: String =
        (0..GATES).map(|n| format!("  - {{id: s{n}, needs: [], run: 'true', approve: before}}\n")).collect();
    let scene = Scene::of(&format!("name: gates\nsteps:\n{gates}"));
    scene.sandbox.json(4, &["run", "w.yaml", "--id", RUN]);
    let (mut given, mut killed) = (0, 0);
    for number in 0..GATES {
        let gate = format!("s{number}");
        let process = scene.spawn(&["--json", "approve", RUN, &gate]);
        // This waits for nothing: it is the moment at which the process is killed.
        let range_us = [4_000, 20_000, 60_000][random.below(3)];
        std::thread::sleep(Duration::from_micros(random.below(range_us) as u64));
        killed += usize::from(process.kill().code().is_none());
        let again = scene.sandbox.reenact(&["--json", "approve", RUN, &gate]);
        match again.code() {
            Some(0) => {}
            Some(2) => {
                assert_eq!(again.json()["error"]["code"], "RE-2014", "{again}");
                given += 1;
            }
            _ => panic!("{again}"),
        }
    }
    eprintln!("{killed} of {GATES} were killed, {given} had answered");
    assert!(killed > 0, "nobody was killed at it");
    scene.sandbox.json(0, &["resume", RUN]);
    assert_eq!((scene.count("approval_granted", None), scene.count("attempt_started", None)), (GATES, GATES));
    assert_eq!(scene.sandbox.json(0, &["verify"])["ok"], true);
}

/// `hold` hangs; then two signals are waited for, one after the other.
const SIGNALS: &str = "name: signals
steps:
  - {id: hold, run: [./hangs, 'true']}
  - {id: one, wait_for: go}
  - {id: two, wait_for: go}
  - {id: after, run: [./hangs, echo, '{{ steps.one.output.n }}{{ steps.two.output.n }}']}
output: '{{ steps.after.output.stdout }}'
";

#[test]
fn a_signal_that_came_early_is_kept() {
    let mut scene = Scene::of(SIGNALS);
    let process = scene.spawn(&["run", "w.yaml", "--id", RUN]);
    wait_until("`hold` hangs", || scene.hung() == 1);
    // The process that is killed then is the one that has recorded it.
    scene.sandbox.json(0, &["signal", RUN, "go", r#"{"n": 1}"#]);
    scene.kill(process);
    scene.sandbox.json(0, &["signal", RUN, "go", r#"{"n": 2}"#]);
    assert_eq!(scene.survive_from(&["resume", RUN], 0)["output"], "12");
    scene.check(&["hold", "after"]);
    assert_eq!(scene.count("signal_received", None), 2);
}

#[test]
fn who_waits_for_a_signal_when_it_is_killed_still_waits() {
    let mut scene = Scene::of(&SIGNALS.replace("{id: one,", "{id: one, needs: [],"));
    let process = scene.spawn(&["run", "w.yaml", "--id", RUN]);
    scene.kill_when_it_hangs(process);
    let waits = [("signal".to_owned(), "one".to_owned(), "go".to_owned())];
    assert_eq!(awaited(&scene.sandbox.status(RUN)), waits);
    assert_eq!(awaited(&scene.survive_from(&["resume", RUN], 4)), waits);
    assert_eq!(scene.count("signal_awaited", Some("one")), 1);
    for number in 1..=2 {
        scene.sandbox.json(0, &["signal", RUN, "go", &format!("{{\"n\": {number}}}")]);
    }
    assert_eq!(scene.survive_from(&["resume", RUN], 0)["output"], "12");
    scene.check(&["hold", "after"]);
}

#[test]
fn a_run_pauses_after_the_phase_that_it_was_to_come_to() {
    let mut scene = Scene::of(
        "name: phases
steps:
  - {id: a, run: [./hangs, 'true'], phase: make, compensate: {run: [./hangs, 'true']}}
  - {id: b, run: [./hangs, 'true'], phase: make, compensate: {run: [./hangs, 'true']}}
  - {id: c, run: [./hangs, 'true'], phase: ship, compensate: {run: [./hangs, 'true']}}
",
    );
    let report = scene.survive_from(&["run", "w.yaml", "--id", RUN, "--until", "make"], 4);
    assert_eq!(report["status"], "paused");
    scene.check(&["a", "b"]);
    scene.sandbox.json(0, &["unpause", RUN]);
    scene.survive_from(&["resume", RUN], 0);
    let report = scene.survive_from(&["rollback", RUN, "--to", "make"], 3);
    assert_eq!((&report["status"], &report["rolled_back_to"]), (&json!("paused"), &json!("make")));
    scene.check(&["a", "b", "c", "undo:c"]);
}
