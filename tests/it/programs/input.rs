//! What programs are given, and how much of it.

use std::fs;

use serde_json::{Value, json};

use crate::support::{Sandbox, wait_for, wait_until};

const RUN: &str = "given";

/// A value of 140,000 bytes in a command was "fatal", with a hint to check that `sh` is there.
#[test]
fn a_value_that_is_too_long_for_an_argument_is_bad_input_and_the_way_out_is_named() {
    let sandbox = Sandbox::new();
    let long = "head -c 140000 /dev/zero | tr '\\0' x";
    let text = format!(
        "name: long\nsteps:\n  - {{id: a, run: \"{}\"}}\n  - {{id: b, on_error: continue, \
         run: \"printf %s {{{{ steps.a.output.stdout }}}} | wc -c\"}}\n  - {{id: c, on_error: continue, run: 'true', \
         env: {{LONG: \"{{{{ steps.a.output.stdout }}}}\"}}}}\n",
        long.replace('\\', "\\\\")
    );
    sandbox.write("workflow.yaml", text);
    let report = sandbox.json(0, &["run", "workflow.yaml", "--id", RUN]);
    for (step, what) in [(1, "an argument has 1400"), (2, "the variable `LONG` has 140005 bytes")] {
        let error = &report["steps"][step]["error"];
        assert_eq!((&error["code"], &error["class"]), (&"RE-3031".into(), &"validation".into()), "{report}");
        let message = error["message"].as_str().unwrap();
        assert!(
            message.contains(what) && message.contains("131072") && message.contains("stdin"),
            "{message}"
        );
    }
}

const AGENT: &str = "---\nname: teller\ndescription: Tells what it was told\ncommand: [bin/tell]\nmodel: small\nexpertise: [telling]\ncolor: blue\n---\nYou tell.\n\nAll of it.\n";

fn telling(script: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("agents/teller.md", AGENT);
    let tool = sandbox.write("bin/tell", format!("#!/bin/sh\n{script}\n"));
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(tool, mode).unwrap();
    sandbox
}

/// A Markdown agent means something to its program: who it is, and what its body says.
#[test]
fn the_document_says_who_the_agent_is_and_what_its_body_says() {
    let sandbox = telling("cat");
    sandbox.write("workflow.yaml", "name: told\nsteps: [{id: a, agent: teller, with: {n: 1}}]\n");
    let report = sandbox.json(0, &["run", "workflow.yaml", "--id", RUN]);
    let told = &report["steps"][0]["output"];
    assert_eq!(
        told["agent"],
        json!({"name": "teller", "description": "Tells what it was told", "system": "You tell.\n\nAll of it.",
               "model": "small", "expertise": ["telling"], "color": "blue"})
    );
    assert_eq!(told["input"], json!({"n": 1}));
}

/// A document that is bigger than a pipe is a file, which goes with its program, also if the process died.
#[test]
fn a_big_document_is_a_private_file_that_does_not_outlive_its_program() {
    let sandbox = telling(
        "echo \"$REENACT_INPUT\" >>names; stat -c %a \"$REENACT_INPUT\" >>modes; [ $REENACT_ATTEMPT = 2 ] || sleep 60\n\
         wc -c <\"$REENACT_INPUT\"",
    );
    let big = "y".repeat(200_000);
    sandbox.write(
        "workflow.yaml",
        format!("name: big\nsteps: [{{id: a, agent: teller, with: {{text: {big}}}}}]\n"),
    );
    let process = sandbox.spawn(&["run", "workflow.yaml", "--id", RUN]);
    let names = || fs::read_to_string(sandbox.work("names")).unwrap_or_default();
    let first = wait_for("it is at work", || names().lines().next().map(str::to_owned));
    wait_until("it has looked", || sandbox.work("modes").exists());
    process.kill();
    assert!(fs::read_to_string(&first).unwrap().contains("yyyy"), "{first}");
    let report = sandbox.json(0, &["resume", RUN]);
    let bytes: usize = report["steps"][0]["output"]["stdout"].as_str().unwrap().trim().parse().unwrap();
    assert!(bytes > 200_000, "{report}");
    assert_eq!(names().lines().count(), 2);
    assert!(names().lines().all(|name| !fs::exists(name).unwrap()), "a document is left: {}", names());
    assert_eq!(fs::read_to_string(sandbox.work("modes")).unwrap(), "600\n600\n");
}

#[test]
fn a_key_that_contradicts_an_agents_executor_is_refused_before_the_work() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "workflow.yaml",
        "name: odd\nsteps: [{id: first, run: echo x >> log}, {id: a, agent: odd, prompt: p}]\n",
    );
    for keys in [
        "executor: llm\ncommand: [cat]",
        "command: [cat]\nexecutor: scripted\nscript: s.yaml",
        "command: [cat]\nscript: s.yaml",
        "executor: subprocess\ncommand: [cat]\nscript: s.yaml",
    ] {
        sandbox.write("agents/s.yaml", "- {output: 1}\n");
        sandbox.write("agents/odd.md", format!("---\nname: odd\ndescription: odd\n{keys}\n---\n"));
        let refused = sandbox.json(2, &["run", "workflow.yaml", "--id", RUN]);
        let error = &refused["error"];
        assert_eq!(error["code"], "RE-1302", "{keys}: {refused}");
        assert!(error["message"].as_str().unwrap().contains("has no use for it"), "{keys}: {refused}");
        let checked: Value = sandbox.json(2, &["validate", "workflow.yaml"]);
        assert_eq!(checked["files"][0]["ok"], false, "{keys}");
    }
    assert!(!sandbox.work("log").exists(), "something was started");
}

#[test]
fn what_an_agent_is_given_to_work_with_says_how_it_works() {
    let sandbox = Sandbox::new();
    sandbox.write("agents/s.yaml", "- {output: written}\n");
    sandbox.write("agents/program.md", "---\nname: program\ndescription: d\ncommand: [echo, said]\n---\n");
    sandbox.write("agents/script.md", "---\nname: script\ndescription: d\nscript: s.yaml\n---\n");
    sandbox.write("workflow.yaml", "name: both\nsteps: [{id: a, agent: program}, {id: b, agent: script}]\n");
    let report = sandbox.json(0, &["run", "workflow.yaml", "--id", RUN]);
    assert_eq!(report["steps"][0]["output"]["stdout"], "said");
    assert_eq!(report["steps"][1]["output"], "written");
}

/// Files of others need not be edited: for a dry run a program's agent answers from a script.
#[test]
fn an_executor_that_the_configuration_names_replaces_what_the_file_works_with() {
    let sandbox = telling("exit 1");
    sandbox.write("s.yaml", "- {output: written}\n");
    sandbox.configure("[agents.teller]\nexecutor = \"scripted\"\nscript = \"s.yaml\"\n");
    sandbox.write("workflow.yaml", "name: dry\nsteps: [{id: a, agent: teller}]\n");
    let report = sandbox.json(0, &["run", "workflow.yaml", "--id", RUN]);
    assert_eq!(report["steps"][0]["output"], "written");
}

#[test]
fn a_file_that_a_program_names_and_did_not_make_fails_its_step() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "workflow.yaml",
        "name: made\nsteps: [{id: a, run: 'echo ARTIFACT: dist/app.tar', retry: {attempts: 3, initial: 1ms}}]\n",
    );
    let report = sandbox.json(1, &["run", "workflow.yaml", "--id", RUN]);
    let step = &report["steps"][0];
    assert_eq!((&step["error"]["code"], &step["error"]["class"]), (&"RE-3033".into(), &"validation".into()));
    assert_eq!(step["attempts"], 1, "it is not tried again");
}
