//! People and programs see what a run waits for, and answer it: approvals, signals, phases, transcripts.

mod answers;
mod edits;
mod expiry;
mod pages;
mod phases;
mod refused;
mod relatives;
mod signals;
mod transcripts;

use serde_json::Value;

use crate::support::Sandbox;

/// A release: `build`, then `publish`, which ada and bob have to grant, then `tell`. Each writes into the file `log`.
const RELEASE: &str = "name: release
steps:
  - {id: build, run: 'echo build >> log; echo \"{\\\"file\\\": \\\"a.tar\\\"}\"', phase: make}
  - id: publish
    agent: publisher
    with: {file: '{{ steps.build.output.file }}', times: 1}
    phase: ship
    approve: before
    approvers: [ada, bob]
    approvals: 2
    checklist: [Is it built?, Is it signed?]
  - {id: tell, run: 'echo tell >> log', phase: ship}
output: '{{ steps.publish.output.input }}'
";

/// An agent that answers with what it is told, and writes its name into the file `log`.
const PUBLISHER: &str = "---
name: publisher
description: Publishes a file
executor: subprocess
command: [sh, -c, 'echo publish >> log; cat']
---
";

/// A step that one person has to grant.
const GATED: &str = "name: gated
on_failure: stop
steps:
  - {id: a, run: echo a >> log, approve: before}
  - {id: b, run: echo b >> log}
";

/// Writes a workflow as `w.yaml`, with the agent `publisher`.
fn with(workflow: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("w.yaml", workflow);
    sandbox.write("agents/publisher.md", PUBLISHER);
    sandbox
}

/// The run `r` of a workflow, which waits.
fn waiting(workflow: &str) -> (Sandbox, Value) {
    let sandbox = with(workflow);
    let report = sandbox.json(4, &["run", "w.yaml", "--id", "r"]);
    assert_eq!(report["status"], "waiting", "{report:#}");
    (sandbox, report)
}

/// The id of the first thing that a run waits for.
fn first(report: &Value) -> String {
    report["waiting_for"][0]["id"]
        .as_str()
        .unwrap_or_else(|| panic!("nothing is waited for: {report:#}"))
        .to_owned()
}

/// What steps have said.
fn log(sandbox: &Sandbox) -> Vec<String> {
    let text = std::fs::read_to_string(sandbox.work("log")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// The step of a report.
fn step<'r>(report: &'r Value, id: &str) -> &'r Value {
    let steps = report["steps"].as_array().unwrap();
    steps.iter().find(|step| step["id"] == id).unwrap_or_else(|| panic!("no step `{id}`: {report:#}"))
}
