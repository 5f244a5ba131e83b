//! Walking through the past of a run on a terminal, whose screen is read as a person would.

mod kit;
mod long;
mod shown;
mod walks;

use crate::support::Sandbox;
use kit::Terminal;

/// A run of 43 steps in a row, the last of which fails, after a second attempt.
fn with_failure() -> Sandbox {
    let sandbox = Sandbox::new();
    let mut file = "name: long\non_failure: stop\nsteps:\n".to_owned();
    for step in 1..43 {
        file.push_str(&format!("  - {{id: step{step}, sleep: 1ms}}\n"));
    }
    file.push_str(
        "  - id: deploy
    run: seq 1 60; echo no such host >&2; exit 75
    retry: {policy: fixed, attempts: 2, initial: 1ms}
",
    );
    sandbox.write("long.yaml", file);
    assert_eq!(sandbox.json(1, &["run", "long.yaml", "--id", "r"])["status"], "failed");
    sandbox
}

/// The versions of the events of a run that are of one of these types.
fn versions(sandbox: &Sandbox, kinds: &[&str]) -> Vec<u64> {
    let history = sandbox.history("r");
    let events = history.iter().filter(|event| kinds.contains(&event["type"].as_str().unwrap()));
    events.map(|event| event["version"].as_u64().unwrap()).collect()
}

/// The newest version of a run.
fn newest(sandbox: &Sandbox) -> u64 {
    sandbox.status("r")["version"].as_u64().unwrap()
}

/// Both sizes in which all has to be seen.
const SIZES: [(u16, u16); 2] = [(24, 80), (10, 40)];
