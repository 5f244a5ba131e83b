//! Markdown chains: run, killed and resumed, checked, converted; by agents whose answers were written down before.

mod agents;
mod refused;

use std::path::Path;

use serde_json::{Value, json};

use crate::support::{Sandbox, copy_folder, wait_until};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/chains");

/// A chain of the fixtures: its file, what a run of it is given, and a part of the prompt of each subtask.
const CHAINS: [(&str, &[&str], &[&str]); 2] = [
    (
        "harbour.md",
        &["--input", "harbour=Sassnitz", "--input", "vessels:=[\"Hansa\"]", "--input", "budget=little"],
        &["surveying a basin", "the Dredging Planner agent"],
    ),
    (
        "lighthouse.md",
        &[
            "--input",
            "outage_id=LH-7",
            "--input",
            "seen_by=a ship",
            "--input",
            "lamps:=[\"main\"]",
            "--input",
            "weather:={\"wind\": \"7 Bft\", \"fog\": [true]}",
        ],
        &["looking at a dark lamp", "in search of a cause", "the Scribe agent"],
    ),
];

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    copy_folder(Path::new(FIXTURES), &sandbox.work(""));
    sandbox
}

/// The command that runs a chain.
fn run<'a>(file: &'a str, id: &'a str, given: &[&'a str]) -> Vec<&'a str> {
    [&["run", file, "--id", id], given].concat()
}

fn status_of<'a>(report: &'a Value, step: &str) -> &'a Value {
    let steps = report["steps"].as_array().unwrap();
    steps.iter().find(|found| found["id"] == step).unwrap_or_else(|| panic!("no {step}: {report}"))
}

#[test]
fn both_forms_run_and_each_subtask_is_told_what_those_before_it_answered() {
    let sandbox = sandbox();
    let [(harbour, of_harbour, _), (lighthouse, of_lighthouse, _)] = CHAINS;
    let report = sandbox.json(0, &run(harbour, "h", of_harbour));
    assert_eq!(report["workflow"], "Harbour Survey → Dredging Plan - Prompt Chain");
    assert_eq!(report["output"], json!({"plan": {"first": "north", "weeks": 3}, "cost": 120_000}));
    let told = sandbox.reenact(&["transcript", "h", "subtask_2"]).stdout;
    for part in ["\"depth_m\":7.5", "The north berth: 7.5 m. The first obstacle: a barge", "BUDGET: little"] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let told = sandbox.reenact(&["transcript", "h", "subtask_1"]).stdout;
    for part in [
        "- Sonar: true",
        "{braces} of no variable stay",
        "\"depth_m\": {\"low\": 7, \"high\": 8}}",
        "[\"Hansa\"]",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let report = sandbox.json(0, &run(lighthouse, "l", of_lighthouse));
    assert_eq!(report["output"]["level"], "DARK-1");
    assert_eq!((&report["output"]["closed"], &report["output"]["outage"]), (&true.into(), &"LH-7".into()));
    assert_eq!(report["output"]["cause"]["cause"], "an old fuse");
    let told = sandbox.reenact(&["transcript", "l", "subtask_3"]).stdout;
    for part in
        ["- Cause: an old fuse", "# Log of LH-7", "{{severity_in_words}}", "```text", "\"level\":\"DARK-1\""]
    {
        assert!(told.contains(part), "{part}: {told}");
    }
    // What a program gets as its input are the variables that the subtask declares.
    let started = sandbox.events("l", "attempt_started");
    let input = started[1]["data"]["input"].to_string();
    assert!(input.contains("subtask_1_output") && input.contains("outage_id"), "{input}");
}

/// A chain whose process is killed while a subtask is at work goes on there: nothing that was answered is asked again.
#[test]
fn a_chain_that_is_killed_in_any_subtask_goes_on_there() {
    for (file, given, prompts) in CHAINS {
        for (index, prompt) in prompts.iter().enumerate() {
            let sandbox = sandbox();
            let answers = std::fs::read_to_string(sandbox.work("answers.yaml")).unwrap();
            let hangs = format!("- {{prompt: {prompt}, attempt: 1, delay: 1h, output: 1}}\n");
            sandbox.write("answers.yaml", format!("{hangs}{answers}"));
            let process = sandbox.spawn(&run(file, "r", given));
            let step = format!("subtask_{}", index + 1);
            wait_until("the subtask is at work", || {
                let history = sandbox.reenact(&["history", "r", "--step", &step]);
                history.stdout.contains("attempt_started")
            });
            process.kill();
            assert_eq!(sandbox.status("r")["interrupted"], true);
            let report = sandbox.json(0, &["resume", "r"]);
            assert_eq!((&report["status"], &report["degraded"]), (&"completed".into(), &false.into()));
            for (other, _) in prompts.iter().enumerate() {
                let id = format!("subtask_{}", other + 1);
                let times = if other == index { 2 } else { 1 };
                assert_eq!(sandbox.count("r", "attempt_started", Some(&id)), times, "{file} {step}: {id}");
                assert_eq!(sandbox.count("r", "step_completed", Some(&id)), 1, "{file} {step}: {id}");
            }
            assert_eq!(sandbox.count("r", "attempt_lost", Some(&step)), 1);
            sandbox.write("answers.yaml", answers);
            let whole = sandbox.json(0, &run(file, "whole", given));
            assert_eq!(whole["output"], report["output"], "{file} {step}");
        }
    }
}

#[test]
fn an_answer_is_held_against_the_example() {
    let (file, given, _) = CHAINS[0];
    for (answer, says) in [
        ("{berths: {}, obstacles: []}", "surveyed_on"),
        ("{berths: [], obstacles: [], surveyed_on: x}", "output.berths"),
        ("{berths: {north: {depth_m: deep}}, obstacles: [], surveyed_on: x}", "output.berths.north.depth_m"),
        ("{berths: {}, obstacles: [3], surveyed_on: x}", "output.obstacles.0"),
    ] {
        let sandbox = sandbox();
        sandbox.write("answers.yaml", format!("- output: {answer}\n"));
        let report = sandbox.json(1, &run(file, "r", given));
        assert_eq!(report["error"]["code"], "RE-3024", "{answer}: {report}");
        assert!(report["error"]["message"].as_str().unwrap().contains(says), "{answer}: {report}");
        assert_eq!(report["error"]["at"]["line"], 12);
    }
    // What an example shows below its outermost object is one case of many, and others have more.
    let sandbox = sandbox();
    let answers = std::fs::read_to_string(sandbox.work("answers.yaml")).unwrap();
    let other = "- prompt: surveying a basin\n  output: {berths: {north: {depth_m: 1}, west: 2}, obstacles: [a], surveyed_on: x, more: 1}\n";
    sandbox.write("answers.yaml", format!("{other}{answers}"));
    sandbox.json(0, &run(file, "r", given));
}

#[test]
fn a_subtask_that_lacks_a_variable_is_skipped_and_the_chain_goes_on() {
    let sandbox = sandbox();
    let (file, given, _) = CHAINS[1];
    let answers = std::fs::read_to_string(sandbox.work("answers.yaml")).unwrap();
    sandbox.write("answers.yaml", answers.replace("severity: {level: DARK-1}", "severity: dark"));
    let report = sandbox.json(0, &run(file, "r", given));
    assert_eq!((&report["status"], &report["degraded"]), (&"completed".into(), &true.into()));
    let skipped = status_of(&report, "subtask_2");
    assert_eq!((&skipped["status"], &skipped["error"]["class"]), (&"skipped".into(), &"dependency".into()));
    let message = skipped["error"]["message"].as_str().unwrap();
    assert!(message.contains("severity.level") && message.contains("is needed"), "{message}");
    // It uses what the second has not answered, so it is skipped as well; the first is kept.
    assert_eq!(status_of(&report, "subtask_3")["status"], "skipped");
    assert_eq!(status_of(&report, "subtask_1")["status"], "completed");
    assert_eq!(sandbox.reenact(&["why", "r", "subtask_2"]).code(), Some(0));
    // A subtask that uses nothing of it is done all the same.
    let text = std::fs::read_to_string(sandbox.work(file)).unwrap();
    let alone = "### Subtask 4: Lock up\n**Agent**: Scribe\n**Input Variables**: `outage_id`\n**Prompt**: the Scribe agent locks {{outage_id}}\n\n## Notes";
    sandbox.write("longer.md", text.replace("## Notes", alone));
    let report = sandbox.json(0, &run("longer.md", "s", given));
    assert_eq!(status_of(&report, "subtask_4")["status"], "completed");
    let output = json!({"outage": "LH-7", "level": null, "cause": null, "log": null, "closed": true});
    assert_eq!((&report["output"], &report["error"]), (&output, &Value::Null), "{report}");
    // Nor is the rest of it lost where a whole part of an answer is not there.
    sandbox.write("answers.yaml", answers.replace("severity: {level: DARK-1}", "other: dark"));
    assert_eq!(sandbox.json(0, &run("longer.md", "t", given))["output"], output);
}

#[test]
fn validate_tells_what_each_subtask_is() {
    let sandbox = sandbox();
    let checked = sandbox.json(0, &["validate", "harbour.md", "lighthouse.md"]);
    let [harbour, lighthouse] = checked["files"].as_array().unwrap().as_slice() else { panic!("{checked}") };
    assert_eq!(
        (&harbour["ok"], &harbour["steps"], &harbour["warnings"]),
        (&true.into(), &2.into(), &json!([]))
    );
    let survey = &harbour["subtasks"][0];
    assert_eq!(survey["name"], "Survey of the Basin");
    assert_eq!(survey["agent"], "harbour_pilot");
    assert_eq!(survey["inputs"], json!(["harbour", "with_sonar", "vessels"]));
    assert_eq!(survey["outputs"], json!(["berths", "obstacles", "surveyed_on"]));
    assert_eq!(survey["prompt_length"], 400);
    assert_eq!(lighthouse["subtasks"][1]["inputs"], json!(["subtask_1_output", "outage_id"]));
    assert_eq!(lighthouse["warnings"][0]["code"], "RE-1125");
    assert!(lighthouse["warnings"][0]["message"].as_str().unwrap().contains("older form"));
    let people = sandbox.reenact(&["validate", "harbour.md"]).stdout;
    assert_eq!(people.trim(), "harbour.md: good, 2 steps");
    let yaml = sandbox.write("w.yaml", "steps: [{id: a, run: 'true'}]");
    let checked = sandbox.json(0, &["validate", yaml.to_str().unwrap()]);
    assert!(checked["files"][0].get("subtasks").is_none(), "{checked}");
    assert!(!sandbox.data().exists());
}

#[test]
fn what_is_converted_runs_the_same() {
    let sandbox = sandbox();
    for (file, given, prompts) in CHAINS {
        let converted = sandbox.reenact(&["convert", file]);
        assert_eq!(converted.code(), Some(0), "{converted}");
        sandbox.write("converted.yaml", &converted.stdout);
        assert_eq!(
            sandbox.json(0, &["convert", file])["yaml"].as_str().unwrap().trim(),
            converted.stdout.trim()
        );
        let checked = sandbox.json(0, &["validate", "converted.yaml"]);
        assert_eq!(checked["files"][0]["warnings"], json!([]), "{checked}");
        let of_chain = sandbox.json(0, &run(file, &format!("{file}-a"), given));
        let of_yaml = sandbox.json(0, &run("converted.yaml", &format!("{file}-b"), given));
        assert_eq!(of_chain["output"], of_yaml["output"]);
        for (index, _) in prompts.iter().enumerate() {
            let step = format!("subtask_{}", index + 1);
            let input = |run: &str| {
                let started = sandbox.events(run, "attempt_started");
                started.into_iter().find(|event| event["data"]["step"] == *step).unwrap()["data"]["input"]
                    .clone()
            };
            assert_eq!(input(&format!("{file}-a")), input(&format!("{file}-b")), "{step}");
        }
        let started = |run: String| sandbox.events(&run, "run_started")[0]["data"].clone();
        let (chain, yaml) = (started(format!("{file}-a")), started(format!("{file}-b")));
        assert_eq!(chain["agents"], yaml["agents"], "by the same agents");
    }
    let refused = sandbox.json(2, &["convert", "converted.yaml"]);
    assert_eq!(refused["error"]["code"], "RE-1126");
}

/// All that is true of a workflow is true of a chain.
#[test]
fn a_chain_is_drawn_tried_dry_started_by_a_step_and_forked() {
    let sandbox = sandbox();
    let (file, given, _) = CHAINS[1];
    let picture = sandbox.reenact(&["graph", file, "--format", "mermaid"]);
    assert!(picture.stdout.contains("n0 --> n1"), "{picture}");
    let dry = sandbox.json(0, &[&["run", file, "--dry-run"], given].concat());
    assert_eq!(dry["steps"][2]["needs"], json!(["subtask_1", "subtask_2"]));
    assert!(!sandbox.data().exists());
    sandbox.write(
        "parent.yaml",
        "steps:\n  - {id: log, workflow: lighthouse.md, with: {outage_id: X, seen_by: a, lamps: [], weather: {wind: none, fog: [1]}}}\noutput: \"{{ steps.log.output.outage }}\"\n",
    );
    let report = sandbox.json(0, &["run", "parent.yaml"]);
    assert_eq!(report["output"], "X");
    let paused = sandbox.json(4, &[&run(file, "p", given)[..], &["--until", "subtask_1"]].concat());
    assert_eq!(status_of(&paused, "subtask_1")["status"], "completed");
    sandbox.json(0, &["unpause", "p", "--resume"]);
}
