//! What is no cassette, is one of another version, or was cut short starts nothing.

use std::fs;

use serde_json::json;

use super::{CASSETTE, FILE};
use crate::support::Sandbox;

fn machine() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write(
        FILE,
        "name: w\nsteps:\n  - {id: a, run: 'echo a >> traces'}\n  - {id: b, run: 'echo b >> traces'}\n",
    );
    sandbox.json(0, &["run", FILE, "--mode", "record", "--id", "r"]);
    fs::remove_file(sandbox.work("traces")).unwrap();
    sandbox
}

#[test]
fn what_is_no_cassette_is_refused_before_anything_starts() {
    let sandbox = machine();
    let whole = fs::read_to_string(sandbox.work(CASSETTE)).unwrap();
    let lines: Vec<&str> = whole.lines().collect();
    let cut = lines[..lines.len() - 3].join("\n");
    let other = whole.replacen("\"cassette\": 1", "\"cassette\": 2", 1);
    let garbage = format!("{whole}no json\n");
    let wrong = whole.replacen("\"answer\"", "\"anwser\"", 1);
    for (text, code, words) in [
        (cut.as_str(), "RE-2303", "cut short"),
        (&other, "RE-2304", "version 2"),
        (&garbage, "RE-2303", "no JSON"),
        (&wrong, "RE-2303", "anwser"),
        ("", "RE-2303", "empty"),
        ("{\"a\": 1}", "RE-2303", "head"),
        ("steps: []", "RE-2303", "no JSON"),
        ("\u{0}\u{1}", "RE-2303", "no JSON"),
    ] {
        sandbox.write(CASSETTE, text);
        let error = sandbox.json(2, &["run", FILE, "--mode", "replay"])["error"].clone();
        assert_eq!(error["code"], code, "{text}: {error}");
        let message = error["message"].as_str().unwrap();
        assert!(message.contains(words) && message.contains(CASSETTE), "{error}");
        assert!(error["at"]["line"].as_u64().is_some(), "{error}");
    }
    fs::write(sandbox.work(CASSETTE), b"\xff\xfe{").unwrap();
    assert_eq!(sandbox.json(2, &["run", FILE, "--mode", "replay"])["error"]["code"], "RE-2303");
    fs::remove_file(sandbox.work(CASSETTE)).unwrap();
    let error = sandbox.json(2, &["run", FILE, "--mode", "replay"])["error"].clone();
    assert_eq!(error["code"], "RE-2302", "{error}");
    assert_eq!(sandbox.json(0, &["list"])["runs"].as_array().unwrap().len(), 1, "nothing was started");
    assert!(!sandbox.work("traces").exists());
    // What comes before it is whole: another recording takes the place of one that is cut short.
    sandbox.write(CASSETTE, &cut);
    sandbox.json(0, &["run", FILE, "--mode", "record"]);
    sandbox.json(0, &["run", FILE, "--mode", "replay"]);
}

#[test]
fn nothing_is_recorded_over_what_is_no_cassette() {
    let sandbox = machine();
    sandbox.write("notes.txt", "my notes");
    for (cassette, code) in [("notes.txt", "RE-2303"), (FILE, "RE-2303"), ("none/c.json", "RE-2305")] {
        let error =
            sandbox.json(2, &["run", FILE, "--mode", "record", "--cassette", cassette])["error"].clone();
        assert_eq!(error["code"], code, "{error}");
    }
    assert_eq!(fs::read_to_string(sandbox.work("notes.txt")).unwrap(), "my notes");
    assert!(!sandbox.work("traces").exists());
}

#[test]
fn options_that_do_not_belong_together_are_refused() {
    let sandbox = machine();
    for arguments in [
        &["--cassette", "c.json"][..],
        &["--script", "s.yaml"],
        &["--mode", "scripted"],
        &["--mode", "replay", "--script", "s.yaml"],
        &["--mode", "scripted", "--cassette", "c.json", "--script", "s.yaml"],
        &["--mode", "recorded"],
    ] {
        let error = sandbox.json(2, &[&["run", FILE], arguments].concat())["error"].clone();
        assert_eq!(error["code"], "RE-1001", "{arguments:?}: {error}");
    }
    sandbox.write(
        "agents/talks.md",
        "---\nname: talks\ndescription: Talks\nexecutor: subprocess\ncommand: [cat]\nstream: true\n---\n",
    );
    sandbox.write("talks.yaml", "name: talks\nsteps: [{id: a, agent: talks}]\n");
    let error = sandbox.json(2, &["run", "talks.yaml", "--mode", "record"])["error"].clone();
    assert_eq!(error["code"], "RE-2306", "{error}");
}

#[test]
fn a_run_whose_cassette_is_gone_is_left_alone_until_it_is_there_again() {
    let sandbox = machine();
    sandbox.json(4, &["run", FILE, "--mode", "replay", "--id", "p", "--detach"]);
    fs::rename(sandbox.work(CASSETTE), sandbox.work("away")).unwrap();
    let before = sandbox.history("p");
    let error = sandbox.json(2, &["resume", "p"])["error"].clone();
    assert_eq!(error["code"], "RE-2302", "{error}");
    assert_eq!(sandbox.history("p"), before, "nothing is recorded of it");
    fs::rename(sandbox.work("away"), sandbox.work(CASSETTE)).unwrap();
    let report = sandbox.json(0, &["resume", "p"]);
    assert_eq!((&report["status"], sandbox.work("traces").exists()), (&json!("completed"), false));
}
