//! The file of a run that says something else by now than when the run began: the run goes on as it was recorded, and says so.

use std::fs;

use serde_json::json;

use super::log;
use crate::support::Sandbox;

const FILE: &str = "name: w
steps:
  - {id: a, run: 'echo a >> log'}
  - {id: b, run: 'echo b >> log'}
";

const SAID: &str = "w.yaml has changed since the run began, which goes on as it was recorded\n";

/// The run `r`, paused after `a`.
fn paused(sandbox: &Sandbox) {
    sandbox.write("w.yaml", FILE);
    sandbox.json(4, &["run", "w.yaml", "--id", "r", "--until", "a"]);
}

/// The files that have changed, as `status` says in both ways.
fn changed(sandbox: &Sandbox) -> Vec<String> {
    let files = sandbox.status("r")["changed_files"].as_array().cloned().unwrap_or_default();
    let shown = sandbox.reenact(&["status", "r"]).stdout;
    assert_eq!(shown.contains("changed since the run began"), !files.is_empty(), "{files:?}: {shown}");
    files.iter().map(|file| file.as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_file_that_says_something_else_is_told_of_and_the_recorded_one_is_used() {
    let sandbox = Sandbox::new();
    paused(&sandbox);
    let file = sandbox.write("w.yaml", FILE.replace("echo b", "echo c"));
    assert_eq!(changed(&sandbox), [fs::canonicalize(file).unwrap().to_str().unwrap()]);
    assert!(sandbox.reenact(&["status", "r"]).stdout.contains(SAID));
    let resumed = sandbox.reenact(&["unpause", "r", "--resume"]);
    assert!(resumed.stderr.contains(SAID), "{resumed}");
    assert_eq!(log(&sandbox), ["a", "b"]);
    // Nothing of it will be done any more.
    assert_eq!(changed(&sandbox), [""; 0]);
    assert_eq!(sandbox.reenact(&["resume", "r"]).stderr, "");
}

#[test]
fn resume_and_retry_say_so_too() {
    let sandbox = Sandbox::new();
    let file = |last: &str| {
        format!("name: w\nsteps:\n  - {{id: a, run: 'echo a >> log; [ -e ok ]'}}\n  - {{id: b, {last}}}\n")
    };
    sandbox.write("w.yaml", file("wait_for: go"));
    sandbox.json(1, &["run", "w.yaml", "--id", "r"]);
    assert_eq!(sandbox.reenact(&["resume", "r"]).stderr, "");
    sandbox.write("w.yaml", file("run: 'true'"));
    for verb in ["resume", "retry"] {
        let ended = sandbox.reenact(&[verb, "r"]);
        assert_eq!((ended.code(), ended.stderr.matches(SAID).count()), (Some(1), 1), "{verb}: {ended}");
        assert!(ended.stderr.starts_with(SAID), "{verb} says it before anything happens: {ended}");
    }
    sandbox.write("ok", "");
    assert_eq!(sandbox.json(4, &["retry", "r"])["waiting_for"][0]["kind"], "signal", "as it was recorded");
}

/// The run goes on as it was recorded, whatever is mended in its file, and nothing said how to run that.
#[test]
fn it_is_said_once_with_the_whole_command_how_what_stands_there_now_is_run() {
    let sandbox = Sandbox::new();
    let file = |run: &str| {
        format!(
            "name: w\ninput:\n  type: object\n  required: [to]\n  properties: {{to: {{type: string}}, count: {{type: integer, default: 3}}, deep: {{}}}}\nsteps:\n  - {{id: a, run: '{run}'}}\n"
        )
    };
    sandbox.write("my w.yaml", file("echo {{ input.to }} >> log; exit 1"));
    let inputs = ["--input", "to=it's me", "--input", "deep:={\"n\": [1, 2]}", "--tag", "for=ada"];
    sandbox.json(1, &[&["run", "my w.yaml", "--id", "r"][..], &inputs].concat());
    sandbox.write("my w.yaml", file("echo mended for {{ input.to }} >> log"));
    let start = "\nrun what stands there now, as another run: ";
    let ended = sandbox.reenact(&["retry", "r"]);
    assert_eq!((ended.stderr.matches(start).count(), ended.code()), (1, Some(1)), "{ended}");
    let status = sandbox.reenact(&["status", "r"]).stdout;
    let (_, command) = status.split_once(start).unwrap();
    let command = command.lines().next().unwrap();
    assert_eq!(
        command,
        r#"reenact run 'my w.yaml' --input 'to=it'\''s me' --input 'deep:={"n": [1, 2]}' --tag for=ada"#
    );
    let words = sandbox.status("r")["start_changed"].clone();
    let words: Vec<&str> = words.as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
    let started = sandbox.json(0, &words);
    assert_eq!((&started["status"], &started["tags"]["for"]), (&json!("completed"), &json!("ada")));
    assert_eq!(log(&sandbox), ["it's me", "it's me", "mended for it's me"]);
    // What cannot be run is not named.
    sandbox.write("my w.yaml", "steps: [");
    let status = sandbox.reenact(&["status", "r"]).stdout;
    assert!(status.contains("changed since the run began") && !status.contains("as another run"), "{status}");
}

#[test]
fn what_says_the_same_is_not_told_of_nor_is_what_is_not_there() {
    let sandbox = Sandbox::new();
    paused(&sandbox);
    // Another time is no change, nor are comments, places, and the order of keys.
    sandbox.write("w.yaml", FILE);
    assert_eq!(changed(&sandbox), [""; 0]);
    let commented = FILE.replace("steps:", "# What is done.\nsteps:\n\n");
    let turned = commented.replace("{id: b, run: 'echo b >> log'}", "{run: echo b >> log, id: b} # last");
    assert_ne!(turned, commented);
    sandbox.write("w.yaml", turned);
    assert_eq!(changed(&sandbox), [""; 0]);
    // What holds for all runs from here on changes no file.
    sandbox.write("w.yaml", FILE);
    sandbox.write("reenact.toml", "[defaults]\ntimeout = '1h'\n");
    assert_eq!(changed(&sandbox), [""; 0]);
    fs::remove_file(sandbox.work("reenact.toml")).unwrap();
    // What cannot be read as a workflow any more says something else.
    sandbox.write("w.yaml", "steps: [");
    assert_eq!(changed(&sandbox).len(), 1);
    fs::remove_file(sandbox.work("w.yaml")).unwrap();
    assert_eq!(changed(&sandbox), [""; 0]);
    fs::create_dir(sandbox.work("w.yaml")).unwrap();
    assert_eq!(changed(&sandbox), [""; 0]);
}

#[test]
fn the_file_of_a_run_that_a_step_is_to_start_is_told_of_as_well() {
    let sandbox = Sandbox::new();
    sandbox.write("child.yaml", "name: child\nsteps: [{id: x, run: 'echo x >> log'}]\n");
    sandbox.write("w.yaml", FILE.replace("run: 'echo b >> log'", "workflow: child.yaml"));
    sandbox.json(4, &["run", "w.yaml", "--id", "r", "--until", "a"]);
    sandbox.write("child.yaml", "name: child\nsteps: [{id: x, run: 'echo y >> log'}]\n");
    let files = changed(&sandbox);
    assert_eq!(files.len(), 1);
    assert!(files[0].ends_with("/child.yaml"), "{files:?}");
    assert_eq!(sandbox.json(0, &["unpause", "r", "--resume"])["changed_files"], json!(null));
    assert_eq!(log(&sandbox), ["a", "x"]);
}
