//! A run as it was, at any version.

use serde_json::{Value, json};

use super::{open, start, with_sale};
use crate::support::Sandbox;

#[test]
fn a_run_is_shown_as_it_was_at_every_version() {
    let sandbox = with_sale();
    open(&sandbox);
    let done = sandbox.json(0, &["run", "sale.yaml", "--id", "r"]);
    let history = sandbox.history("r");
    let mut open_steps = Vec::new();
    for event in &history {
        let at = event["version"].to_string();
        let state = sandbox.json(0, &["replay", "r", "--at", &at]);
        assert_eq!(state["version"], event["version"]);
        assert_eq!(state["driven"], state["ended_at"].is_null(), "what was needs nobody");
        assert!(state["effects"].is_array(), "{state}");
        let data = &event["data"];
        match event["type"].as_str().unwrap() {
            "attempt_started" => open_steps.push(data["step"].clone()),
            "step_completed" => open_steps.retain(|step| *step != data["step"]),
            _ => {}
        }
        let effects = state["effects"].as_array().unwrap();
        let attempts = effects.iter().filter(|effect| effect["kind"] == "attempt");
        let attempts: Vec<Value> = attempts.map(|effect| effect["step"].clone()).collect();
        assert_eq!(attempts, open_steps, "version {at}");
    }
    let last = sandbox.json(0, &["replay", "r"]);
    assert_eq!(last["effects"], json!([]));
    for key in done.as_object().unwrap().keys() {
        assert_eq!(last[key], done[key], "the newest version is the run as it is: {key}");
    }
    let first = sandbox.json(0, &["replay", "r", "--at", "1"]);
    assert_eq!((&first["status"], &first["steps"]), (&json!("pending"), &json!([])));
}

#[test]
fn a_run_is_shown_as_it_was_while_another_process_goes_on_with_it() {
    let sandbox = with_sale();
    let run = start(&sandbox);
    let state = sandbox.json(0, &["replay", "r"]);
    let attempt = json!({"kind": "attempt", "step": "work", "purpose": "do", "attempt": 1, "agent": "shell"});
    assert_eq!((&state["effects"], &state["driven"]), (&json!([attempt]), &json!(true)));
    let text = sandbox.reenact(&["replay", "r"]);
    assert_eq!(text.code(), Some(0), "{text}");
    assert!(text.stdout.contains("attempt_started        work"), "{text}");
    assert!(text.stdout.contains("next: do work with shell, attempt 1"), "{text}");
    open(&sandbox);
    assert_eq!(run.wait().code(), Some(0));
}

#[test]
fn a_history_is_told_from_a_version_to_another() {
    let sandbox = with_sale();
    open(&sandbox);
    sandbox.json(0, &["run", "sale.yaml", "--id", "r"]);
    let all = sandbox.history("r");
    for (arguments, told) in [
        (&["--from", "3", "--to", "5"][..], &all[2..5]),
        (&["--from", "5"], &all[4..]),
        (&["--to", "2"], &all[..2]),
        (&["--from", "0", "--to", "1"], &all[..1]),
        (&["--from", "5", "--to", "3"], &[]),
        (&["--from", "9999"], &[]),
    ] {
        let ended = sandbox.reenact(&[&["--json", "history", "r"], arguments].concat());
        assert_eq!((ended.code(), &ended.json_lines()[..]), (Some(0), told), "{arguments:?}");
    }
}

#[test]
fn every_shell_gets_its_completions_and_no_data_folder_is_made() {
    let sandbox = with_sale();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ended = sandbox.reenact(&["completions", shell]);
        assert_eq!(ended.code(), Some(0), "{ended}");
        assert!(ended.stdout.contains("REENACT_COMPLETE"), "{shell} does not ask: {ended}");
    }
    assert!(!sandbox.data().exists());
}

#[test]
fn a_run_is_found_by_the_name_of_its_stream_and_other_streams_only_if_anything_was_recorded_of_them() {
    let sandbox = Sandbox::new();
    sandbox.write("w.yaml", "name: w\nsteps: [{id: a, run: 'true'}]");
    sandbox.json(0, &["run", "w.yaml", "--id", "r"]);
    assert_eq!(sandbox.json(0, &["replay", "run/r"])["run"], "r");
    assert_eq!(sandbox.json(0, &["replay", "run/r", "--at", "1"])["version"], 1);
    assert_eq!(sandbox.reenact(&["history", "run/r"]).stdout, sandbox.reenact(&["history", "r"]).stdout);
    for verb in ["history", "replay"] {
        for nothing in ["agent/nobody", "run/nobody", "nothing/", "/r", "run/"] {
            let refused = sandbox.json(2, &[verb, nothing]);
            assert_eq!(refused["error"]["code"], "RE-1003", "{verb} {nothing}: {refused}");
        }
    }
}
