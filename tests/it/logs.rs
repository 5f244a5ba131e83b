//! What programs say is seen while they say it, from any terminal, and is there after a crash.

mod followed;
mod kept;
mod shown;
mod status;

use serde_json::Value;

use crate::support::{Ended, Sandbox};

/// A sandbox with `w.yaml`, which has these steps.
fn with(steps: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("w.yaml", format!("name: w\non_failure: stop\nsteps:\n{steps}"));
    sandbox
}

/// What `logs` prints of a run, as JSON.
fn lines(sandbox: &Sandbox, arguments: &[&str]) -> Vec<Value> {
    let ended = logs(sandbox, &[&["--json"], arguments].concat());
    ended.json_lines()
}

/// Runs `logs`, which ends with 0 whatever the run's state.
fn logs(sandbox: &Sandbox, arguments: &[&str]) -> Ended {
    let at = arguments.iter().position(|argument| !argument.starts_with("--")).unwrap();
    let (options, rest) = arguments.split_at(at);
    let ended = sandbox.reenact(&[options, &["logs"], rest].concat());
    assert_eq!(ended.code(), Some(0), "{ended}");
    ended
}

/// The lines of a text, in whatever order.
fn sorted(text: &str) -> Vec<&str> {
    let mut lines: Vec<_> = text.lines().collect();
    lines.sort_unstable();
    lines
}
