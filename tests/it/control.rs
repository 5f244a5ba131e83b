//! What people do to a run from outside: pause, go on, end, try again, undo, look back. Each is an event with who and why.

mod afterwards;
mod changed;
mod lives;
mod page;
mod pauses;
mod refused;
mod replay;
mod tolerated;
mod undoes;

use serde_json::Value;

use crate::support::{Process, Sandbox, wait_until};

/// A shell command that says NAME in the file `log`, and then waits for the file `go`.
const GATED: &str =
    "echo work >> log; for _ in $(seq 6000); do [ -e go ] && break; sleep 0.01; done; echo through";

/// Three steps, each of which can be undone: `before`, `work`, which waits for the file `go`, and `after`, which needs
/// the file `works`. Each writes its name into the file `log`, `undo NAME` when it is undone.
fn sale() -> String {
    format!(
        "name: sale
steps:
  - id: before
    run: echo before >> log
    compensate: {{run: echo undo before >> log}}
  - id: work
    run: {GATED}
    compensate: {{run: echo undo work >> log}}
  - id: after
    run: echo after >> log; [ -e works ]
    compensate: {{run: echo undo after >> log}}
"
    )
}

/// Writes [`sale`] as `sale.yaml`, with a file `works`.
fn with_sale() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("sale.yaml", sale());
    sandbox.write("works", "");
    sandbox
}

/// Starts the run `r` of [`sale`] and waits until `work` runs.
fn start(sandbox: &Sandbox) -> Process {
    let mut command = sandbox.command(&["--json", "run", "sale.yaml", "--id", "r"]);
    command.env("REENACT_SHUTDOWN__GRACE", "200ms").env("REENACT_PROCESS__GRACE", "200ms");
    let process = sandbox.start(command);
    wait_until("`work` runs", || log(sandbox).ends_with(&["work".to_owned()]));
    process
}

/// Lets `work` end.
fn open(sandbox: &Sandbox) {
    sandbox.write("go", "");
}

/// What steps have said.
fn log(sandbox: &Sandbox) -> Vec<String> {
    let text = std::fs::read_to_string(sandbox.work("log")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// The status of a run, and what its `driven` says.
fn status(sandbox: &Sandbox, run: &str) -> (String, bool) {
    let report = sandbox.status(run);
    (report["status"].as_str().unwrap().to_owned(), report["driven"].as_bool().unwrap())
}

/// The statuses of a report's steps, in order.
fn steps(report: &Value) -> Vec<&str> {
    report["steps"].as_array().unwrap().iter().map(|step| step["status"].as_str().unwrap()).collect()
}

/// The newest version of a run.
fn version(sandbox: &Sandbox, run: &str) -> u64 {
    sandbox.status(run)["version"].as_u64().unwrap()
}

/// What the one event of that type says.
fn said(sandbox: &Sandbox, run: &str, kind: &str) -> Value {
    let history = sandbox.history(run);
    let mut events = history.iter().filter(|event| event["type"] == kind);
    match (events.next(), events.next()) {
        (Some(event), None) => event["data"].clone(),
        _ => panic!("not one `{kind}` in {history:#?}"),
    }
}
