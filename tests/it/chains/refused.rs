//! What is wrong with a chain is told with its code and its line, and starts nothing.

use super::{CHAINS, run, sandbox};
use crate::support::Sandbox;

/// What a chain is refused for: `run` and `validate` say the same.
#[track_caller]
fn refused(sandbox: &Sandbox, text: &str, code: &str, line: u64) {
    sandbox.write("bad.md", text);
    let (file, given, _) = ("bad.md", CHAINS[0].1, ());
    let error = sandbox.json(2, &run(file, "r", given))["error"].clone();
    assert_eq!((&error["code"], &error["at"]["line"]), (&code.into(), &line.into()), "{error}");
    assert_eq!(error["at"]["file"], "bad.md");
    let checked = sandbox.json(2, &["validate", "bad.md"]);
    assert_eq!(checked["files"][0]["errors"][0], error, "{checked}");
    assert_eq!(sandbox.json(2, &["convert", "bad.md"])["error"], error);
    assert!(!sandbox.data().exists());
}

#[test]
fn what_is_wrong_with_a_chain_starts_nothing() {
    let sandbox = sandbox();
    let good = std::fs::read_to_string(sandbox.work("harbour.md")).unwrap();
    let line = |part: &str| good.lines().position(|line| line.contains(part)).unwrap() as u64 + 1;
    refused(&sandbox, "# Nothing\n\nNo subtask.\n", "RE-1122", 1);
    refused(&sandbox, &good.replacen("```\n\n---", "\n---", 1), "RE-1123", line("**Prompt**") + 1);
    refused(&sandbox, &good.replace("\"cost\": 120000", "\"cost\": "), "RE-1208", line("\"cost\""));
    refused(&sandbox, &good.replace("Subtask 2: D", "Subtask 1: D"), "RE-1105", line("Subtask 2: D"));
    refused(
        &sandbox,
        &good.replace("(`berths`, `ob", "(`birth`, `ob"),
        "RE-1202",
        line("- Output from Subtask 1"),
    );
    refused(
        &sandbox,
        &good.replace("from Subtask 1", "from Subtask 3"),
        "RE-1202",
        line("- Output from Subtask 1"),
    );
    refused(&sandbox, &good.replace("**Prompt**", "**Prompts and more**"), "RE-1124", 12);
    let nobody = good.replace("You are the Dredging Planner agent.", "You plan.");
    refused(&sandbox, &nobody, "RE-1311", line("Subtask 2: D"));
}

#[test]
fn an_input_without_a_source_is_missed_before_anything_starts() {
    let sandbox = sandbox();
    let (file, given, _) = CHAINS[0];
    let error = sandbox.json(2, &run(file, "r", &given[..4]))["error"].clone();
    assert_eq!((&error["code"], &error["message"]), (&"RE-1203".into(), &"`input.budget` is missing".into()));
    assert!(!sandbox.data().exists());
}

/// What a chain names is there and broken: nobody stands in for it, and its own file is named.
#[test]
fn an_agent_whose_file_has_changed_for_the_worse_is_named_with_its_line() {
    let sandbox = sandbox();
    sandbox.configure("default_agent = \"scribe\"\n");
    let (file, given, _) = CHAINS[0];
    sandbox.json(0, &["validate", file]);
    sandbox.write("agents/harbour_pilot.md", "---\nname: harbour_pilot\ndescription: [\n---\n");
    let error = sandbox.json(2, &run(file, "r", given))["error"].clone();
    assert_eq!(error["code"], "RE-1302", "{error}");
    let at = error["at"]["file"].as_str().unwrap();
    assert!(at.ends_with("agents/harbour_pilot.md") && error["at"]["line"].as_u64().unwrap() > 0, "{error}");
    assert!(sandbox.reenact(&["status", "r"]).code() != Some(0));
}
