//! One process holds a store. Every verb run meanwhile goes through it and behaves the same, and goes on by itself when
//! the holder goes.

mod clients;
mod folder;
mod goes;
mod hostile;
mod records;
mod repeats;
mod silent;
mod told;

use crate::support::{Process, Sandbox, wait_until};

/// A workflow whose one step, `work`, says in the file NAME.log that it runs, waits for the file NAME.go, and answers.
fn gated(name: &str) -> String {
    let step = format!(
        "echo $REENACT_ATTEMPT >> {name}.log; for _ in $(seq 3000); do [ -e {name}.go ] && break; sleep 0.01; done; echo done"
    );
    format!("name: {name}\nsteps:\n  - id: work\n    run: {step}\n")
}

/// Starts a run of [`gated`], with the same id, and waits until its step runs.
fn start_gated(sandbox: &Sandbox, name: &str) -> Process {
    sandbox.write(&format!("{name}.yaml"), gated(name));
    let mut command = sandbox.command(&["--json", "run", &format!("{name}.yaml"), "--id", name]);
    command.env("REENACT_SHUTDOWN__GRACE", "200ms").env("REENACT_PROCESS__GRACE", "200ms");
    let process = sandbox.start(command);
    wait_until(&format!("{name} runs"), || starts(sandbox, name) == 1);
    process
}

/// Lets the step of a [`gated`] run end.
fn open(sandbox: &Sandbox, name: &str) {
    sandbox.write(&format!("{name}.go"), "");
}

/// How often the step of a [`gated`] run was started.
fn starts(sandbox: &Sandbox, name: &str) -> usize {
    std::fs::read_to_string(sandbox.work(&format!("{name}.log"))).map_or(0, |log| log.lines().count())
}

/// The status of a run, as it is seen from outside.
fn status(sandbox: &Sandbox, run: &str) -> String {
    sandbox.status(run)["status"].as_str().unwrap().to_owned()
}
