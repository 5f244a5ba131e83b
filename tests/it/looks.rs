//! The verbs that look at runs: what they show of runs that work, wait, were left or have ended, on a terminal and elsewhere.

mod gone;
mod history;
mod list;
mod status;
pub(crate) mod terminal;
mod time;

use std::fs;

use crate::support::{Process, Sandbox, wait_until};

/// Starts a run of two steps, the first of which waits for the file `go`, and waits until that step runs.
fn start_gated(sandbox: &Sandbox, run: &str) -> Process {
    sandbox.write(
        "gated.yaml",
        "name: gated
steps:
  - {id: work, run: 'echo work >> log; for _ in $(seq 6000); do [ -e go ] && break; sleep 0.01; done; echo through'}
  - {id: after, run: 'echo {{ steps.work.output.stdout }} after'}
",
    );
    let before = log(sandbox);
    let process = sandbox.spawn(&["run", "gated.yaml", "--id", run]);
    wait_until("`work` runs", || log(sandbox) > before);
    process
}

/// How many attempts at `work` began.
fn log(sandbox: &Sandbox) -> usize {
    fs::read_to_string(sandbox.work("log")).unwrap_or_default().lines().count()
}

/// Lets `work` end.
fn open(sandbox: &Sandbox) {
    sandbox.write("go", "");
}

/// A run that waits for the signal `go`.
fn waiting(sandbox: &Sandbox, run: &str) {
    sandbox.write("waits.yaml", "name: waits\nsteps: [{id: a, wait_for: go}, {id: b, run: 'true'}]");
    sandbox.json(4, &["run", "waits.yaml", "--id", run]);
}

/// A run that has completed.
fn completed(sandbox: &Sandbox, run: &str) {
    sandbox.write("done.yaml", "name: done\nsteps: [{id: a, run: echo hello}]");
    sandbox.json(0, &["run", "done.yaml", "--id", run]);
}
