//! What a process that dies leaves: an answer that was recorded is never paid for twice, and of one that was not nobody knows.

use serde_json::json;

use super::{KINDS, Machine};
use crate::support::provider::{Does, KEY, USUAL};
use crate::support::wait_until;

/// Three calls, one after the other.
const THREE: &str = "name: three\nsteps:\n  - {id: a, agent: writer, prompt: 'first'}\n  \
    - {id: b, agent: writer, prompt: 'second, after {{ steps.a.output.stdout }}'}\n  - {id: c, agent: writer, prompt: 'third'}\n";

#[test]
fn a_process_that_is_killed_while_a_model_answers_pays_for_no_recorded_answer_twice() {
    for kind in KINDS {
        for hangs in [Does::HangsBefore, Does::HangsWithin("It was a dark")] {
            let machine = Machine::new(kind);
            machine.sandbox.write("three.yaml", THREE);
            machine.provider.then([Does::says("one"), hangs.clone()]);
            let running = machine.sandbox.start(machine.command(&["run", "three.yaml", "--id", "r"]));
            wait_until("the second is asked", || machine.provider.calls() == 2);
            running.kill();
            let ended = machine.reenact(&["--json", "resume", "r"]);
            assert_eq!(ended.code(), Some(0), "{ended}");
            let report = ended.json();
            assert_eq!(report["steps"][0]["output"], json!({ "stdout": "one" }));
            // One for each step, and the one that was lost.
            assert_eq!(machine.provider.calls(), 4, "{kind} {hangs:?}");
            assert_eq!(machine.sandbox.count("r", "attempt_lost", Some("b")), 1);
            assert_eq!(report["usage"]["calls"], 3, "what is recorded is what was answered");
            let prompts: Vec<String> =
                machine.provider.bodies().iter().map(|body| body["messages"].to_string()).collect();
            let asked = |what: &str| prompts.iter().filter(|prompt| prompt.contains(what)).count();
            assert_eq!((asked("first"), asked("second, after one"), asked("third")), (1, 2, 1), "{kind}");
            // The history bears all of it out, and what is decided on it is decided so again.
            assert_eq!(machine.reenact(&["verify"]).code(), Some(0));
        }
    }
}

#[test]
fn a_process_that_is_killed_before_it_asks_or_after_it_was_answered_asks_once() {
    for kind in KINDS {
        let machine = Machine::new(kind);
        machine.sandbox.write(
            "pauses.yaml",
            "name: pauses\nsteps:\n  - {id: a, agent: writer, prompt: 'first'}\n  - {id: hold, run: 'touch held; while test -e held; do sleep 0.02; done'}\n  \
             - {id: b, agent: writer, prompt: 'second'}\n",
        );
        let running = machine.sandbox.start(machine.command(&["run", "pauses.yaml", "--id", "r"]));
        wait_until("the first is answered and the second not asked", || {
            machine.sandbox.work("held").exists()
        });
        running.kill();
        std::fs::remove_file(machine.sandbox.work("held")).unwrap();
        machine.sandbox.write("pauses.yaml", "it is not read again");
        let resumed = machine.sandbox.start(machine.command(&["--json", "resume", "r"]));
        wait_until("it holds again", || machine.sandbox.work("held").exists());
        std::fs::remove_file(machine.sandbox.work("held")).unwrap();
        let ended = resumed.wait();
        assert_eq!((ended.code(), machine.provider.calls()), (Some(0), 2), "{ended}");
        assert_eq!(ended.json()["usage"]["calls"], 2);
        // Looking at it, and resuming what has ended, asks nobody.
        machine.reenact(&["status", "r"]);
        assert_eq!(machine.reenact(&["resume", "r"]).code(), Some(0));
        assert_eq!(machine.provider.calls(), 2);
    }
}

#[test]
fn a_run_that_goes_on_elsewhere_needs_the_model_and_the_key_there() {
    let machine = Machine::new("openai");
    machine.sandbox.write("three.yaml", THREE);
    let command = machine.reenact(&["run", "three.yaml", "--id", "r", "--detach"]);
    assert_eq!(command.code(), Some(4), "{command}");
    // Without the key nothing is asked, and the failure says which variable it is.
    let mut without = machine.sandbox.command(&["--json", "resume", "r"]);
    without.env("LOCAL_KEY", "");
    let ended = machine.sandbox.start(without).wait();
    assert_eq!((ended.code(), machine.provider.calls()), (Some(1), 0), "{ended}");
    assert_eq!(ended.json()["error"]["code"], "RE-2104");
    assert!(ended.json()["error"]["message"].as_str().unwrap().contains("`LOCAL_KEY`"), "{ended}");
    // A run whose model this process lacks is left alone.
    assert_eq!(machine.reenact(&["run", "three.yaml", "--id", "s", "--detach"]).code(), Some(4));
    machine.sandbox.configure("");
    let ended = machine.reenact(&["--json", "resume", "s"]);
    assert_eq!(ended.code(), Some(2), "{ended}");
    machine.sandbox.configure(&machine.provider.configuration("openai"));
    let ended = machine.reenact(&["--json", "resume", "s"]);
    assert_eq!((ended.code(), ended.json()["steps"][0]["output"]["stdout"].clone()), (Some(0), USUAL.into()));
}

/// Providers repeat the key that they do not know, and a model may say anything that it was told.
#[test]
fn the_key_stands_in_no_file_and_in_nothing_that_is_shown() {
    for kind in KINDS {
        let machine = Machine::with(kind, "[log]\nfile = 'log.txt'\nlevel = 'trace'\n");
        let (first, second) = KEY.split_at(9);
        machine.provider.then([
            Does::refuses(401, "authentication_error", &format!("the key {KEY} is not known")),
            Does::says(&format!("My key is {KEY}, that is {first}{second}.")),
            Does::Html,
        ]);
        let mut shown = Vec::new();
        for run in ["a", "b", "c"] {
            let command =
                machine.command(&["--json", "run", "one.yaml", "--input", "topic=tea", "--id", run]);
            shown.push(machine.sandbox.start(command).wait());
            for verb in [
                &["history", run, "--full"][..],
                &["transcript", run, "draft"],
                &["logs", run],
                &["status", run, "-v"],
            ] {
                shown.push(machine.reenact(verb));
                shown.push(machine.reenact(&[&["--json"], verb].concat()));
            }
        }
        shown.push(machine.reenact(&["--json", "config", "show"]));
        shown.push(machine.reenact(&["doctor"]));
        for ended in &shown {
            assert!(!format!("{}{}", ended.stdout, ended.stderr).contains(KEY), "{kind}: {ended}");
        }
        let masked = &shown.iter().find(|ended| ended.stdout.contains("[LOCAL_KEY]"));
        assert!(masked.is_some(), "what a model says of the key is masked: {kind}");
        let (mut looked_at, mut folders) = (0, vec![machine.sandbox.root().to_path_buf()]);
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
                if entry.file_type().unwrap().is_dir() {
                    folders.push(entry.path());
                } else if entry.file_type().unwrap().is_file() {
                    let bytes = std::fs::read(entry.path()).unwrap();
                    let found = bytes.windows(KEY.len()).any(|window| window == KEY.as_bytes());
                    assert!(!found, "{kind}: {}", entry.path().display());
                    looked_at += 1;
                }
            }
        }
        assert!(looked_at > 8, "{looked_at}");
    }
}
