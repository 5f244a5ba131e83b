//! `doctor`: what is wrong is found, what is well is called so, and nothing is changed.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

use serde_json::Value;

use crate::folders::all;
use crate::support::{Sandbox, wait_until};

/// What `doctor --json` found, which must end so.
fn doctor(sandbox: &Sandbox, code: i32) -> Vec<Value> {
    let found = sandbox.json(code, &["doctor"]);
    assert_eq!(found["ok"], code == 0, "{found}");
    let checks = found["checks"].as_array().unwrap().clone();
    for check in &checks {
        let is_good = check["state"] == "good";
        assert!(is_good || ["warning", "wrong"].contains(&check["state"].as_str().unwrap()), "{check}");
        assert!(!check["says"].as_str().unwrap().is_empty(), "{check}");
        assert_eq!(check["hint"].is_null(), is_good, "whoever has to do something is told what: {check}");
    }
    assert_eq!(checks.iter().any(|check| check["state"] == "wrong"), code == 1, "{checks:?}");
    checks
}

/// The state of a check, and what it says.
fn check(checks: &[Value], name: &str) -> (String, String) {
    let found = checks.iter().filter(|check| check["name"] == name);
    // The worst of several.
    let worst = found
        .max_by_key(|check| ["good", "warning", "wrong"].iter().position(|state| check["state"] == *state));
    let text = |key: &str| {
        worst.unwrap_or_else(|| panic!("no `{name}`: {checks:?}"))[key].as_str().unwrap().to_owned()
    };
    (text("state"), text("says"))
}

fn with_run() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("w.yaml", "name: w\nsteps: [{id: a, run: 'true'}]");
    sandbox.json(0, &["run", "w.yaml", "--id", "one"]);
    sandbox
}

#[test]
fn where_nothing_is_yet_all_is_well_and_nothing_is_made() {
    let sandbox = Sandbox::new();
    let checks = doctor(&sandbox, 0);
    for name in ["version", "configuration", "agents", "programs", "disk", "sync", "data", "clock"] {
        let (state, says) = check(&checks, name);
        // What lies in memory is told, and tests may lie there.
        assert!(state == "good" || name == "sync", "{name}: {says}");
    }
    assert!(check(&checks, "data").1.contains("not there yet"));
    assert!(!sandbox.data().exists() && fs::read_dir(sandbox.work("")).unwrap().next().is_none());
    let people = sandbox.reenact(&["doctor"]);
    assert_eq!(people.code(), Some(0), "{people}");
    assert!(people.stdout.contains("✓ clock") && people.stdout.trim_end().lines().count() > 7, "{people}");
    assert_eq!(sandbox.reenact(&["doctor", "everything"]).code(), Some(2));
}

#[test]
fn a_store_that_nobody_holds_is_looked_into_and_stays_as_it_is() {
    let sandbox = with_run();
    let before = all(&sandbox.data());
    let checks = doctor(&sandbox, 0);
    let (state, says) = check(&checks, "store");
    assert!(state == "good" && says.contains("one, completed"), "{says}");
    assert_eq!(check(&checks, "holder").1, "nobody holds the store");
    assert!(all(&sandbox.data()) == before, "something was changed");
    assert!(fs::read_dir(sandbox.tmp()).unwrap().next().is_none(), "a copy is left behind");
}

#[test]
fn beside_a_process_that_holds_the_store_it_says_who_and_a_stopped_one_is_wrong() {
    let sandbox = Sandbox::new();
    sandbox.write("w.yaml", "name: w\nsteps: [{id: a, run: 'touch up; sleep 60'}]");
    let holder = sandbox.spawn(&["run", "w.yaml", "--id", "one"]);
    wait_until("it runs", || sandbox.work("up").exists());
    let checks = doctor(&sandbox, 0);
    let (state, says) = check(&checks, "holder");
    assert!(state == "good" && says.contains(&holder.pid().to_string()) && says.contains("w.yaml"), "{says}");
    assert!(check(&checks, "store").1.contains("one, running"), "{checks:?}");
    holder.freeze();
    let (state, says) = check(&doctor(&sandbox, 1), "holder");
    assert!(state == "wrong" && says.contains(&holder.pid().to_string()), "{says}");
}

#[test]
fn a_socket_that_a_dead_process_left_is_named_and_left() {
    let sandbox = Sandbox::new();
    sandbox.write("w.yaml", "name: w\nsteps: [{id: a, run: 'touch up; sleep 60'}]");
    let holder = sandbox.spawn(&["run", "w.yaml", "--id", "one"]);
    wait_until("it runs", || sandbox.work("up").exists());
    holder.kill();
    let (state, says) = check(&doctor(&sandbox, 0), "socket");
    assert!(state == "warning" && says.contains("control.sock"), "{says}");
    assert!(sandbox.data().join("control.sock").exists());
    sandbox.json(0, &["cancel", "one"]);
    assert!(doctor(&sandbox, 0).iter().all(|check| check["name"] != "socket"));
}

#[test]
fn a_damaged_store_and_one_of_another_version_are_wrong() {
    let sandbox = with_run();
    fs::write(sandbox.data().join("damaged"), "a page cannot be read").unwrap();
    assert_eq!(check(&doctor(&sandbox, 1), "store").0, "wrong");
    fs::remove_file(sandbox.data().join("damaged")).unwrap();
    doctor(&sandbox, 0);
    fs::write(sandbox.data().join("events/db"), [0x55; 4096]).unwrap();
    let (state, says) = check(&doctor(&sandbox, 1), "store");
    assert!(state == "wrong" && says.contains("damaged"), "{says}");
}

#[test]
fn a_data_folder_that_cannot_be_used_is_wrong() {
    let sandbox = Sandbox::new();
    fs::write(sandbox.data(), "a file").unwrap();
    assert_eq!(check(&doctor(&sandbox, 1), "data").0, "wrong");
    fs::remove_file(sandbox.data()).unwrap();
    // One that is open to others is closed by the next verb that opens it.
    let sandbox = with_run();
    fs::set_permissions(sandbox.data(), fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(check(&doctor(&sandbox, 0), "data").0, "warning");
}

#[test]
fn a_configuration_that_cannot_be_read_is_wrong_with_its_place() {
    let sandbox = Sandbox::new();
    sandbox.write("reenact.toml", "[run]\nparalel = 4\n");
    let checks = doctor(&sandbox, 1);
    let (state, says) = check(&checks, "configuration");
    assert!(state == "wrong" && says.contains("reenact.toml:2:1") && says.contains("run.paralel"), "{says}");
    let hint = checks.iter().find(|check| check["name"] == "configuration").unwrap()["hint"].to_string();
    assert!(hint.contains("run.parallel"), "{hint}");
    // All the rest is looked at.
    assert_eq!(check(&checks, "clock").0, "good");
    sandbox.write("reenact.toml", "[run]\nparallel = 4\n");
    let (state, says) = check(&doctor(&sandbox, 0), "configuration");
    assert!(state == "good" && says.contains("reenact.toml"), "{says}");
}

#[test]
fn what_is_not_in_effect_or_not_there_is_warned_of() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "reenact.toml",
        "[approvals]\ncheck = ['true']\n[process]\nsecrets = ['TOKEN']\n[[notify]]\non = ['run_failed']\nurl = 'https://example.org'\ntoken_env = 'CHAT'\n",
    );
    let checks = doctor(&sandbox, 0);
    let (state, says) = check(&checks, "trust");
    assert!(state == "warning" && says.contains("approvals.check") && says.contains("notify"), "{says}");
    let (state, says) = check(&checks, "secrets");
    assert!(state == "warning" && says.contains("`CHAT`, `TOKEN`"), "{says}");
    sandbox.json(0, &["trust"]);
    let mut with_secrets = sandbox.command(&["doctor", "--json"]);
    with_secrets.env("CHAT", "abc").env("TOKEN", "a long secret");
    let ended = sandbox.start(with_secrets).wait();
    let checks = ended.json()["checks"].as_array().unwrap().clone();
    assert!(checks.iter().all(|check| check["name"] != "trust"), "{ended}");
    assert!(check(&checks, "secrets").1.contains("`CHAT` has under 4 bytes"), "{ended}");
    assert!(!ended.stdout.contains("a long secret"));
}

#[test]
fn agents_and_the_programs_that_they_need_are_looked_for() {
    let sandbox = Sandbox::new();
    let agent = |name: &str, rest: &str| {
        sandbox.write(
            &format!("agents/{name}.md"),
            format!("---\nname: {name}\ndescription: Does it\n{rest}\n---\n"),
        );
    };
    agent("good", "executor: subprocess\ncommand: [sh, work]");
    let (state, says) = check(&doctor(&sandbox, 0), "agents");
    assert!(state == "good" && says.contains("good"), "{says}");
    agent("absent", "executor: subprocess\ncommand: [no-such-program]");
    let (state, says) = check(&doctor(&sandbox, 1), "programs");
    assert!(state == "wrong" && says.contains("`absent`") && says.contains("no-such-program"), "{says}");
    fs::remove_file(sandbox.work("agents/absent.md")).unwrap();
    agent("own", "executor: subprocess\ncommand: [bin/own]");
    sandbox.write("bin/own", "#!/bin/sh\n");
    let checks = doctor(&sandbox, 1);
    assert!(check(&checks, "programs").1.contains("may not be executed"), "{checks:?}");
    fs::set_permissions(sandbox.work("bin/own"), fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(check(&doctor(&sandbox, 0), "programs").0, "good");
    // Files of other tools may be meant for them only; one that cannot be read is meant for nobody.
    agent("model", "model: large");
    assert_eq!(check(&doctor(&sandbox, 0), "agent model").0, "warning");
    sandbox.write("agents/broken.md", "---\nname: [\n---\n");
    assert_eq!(check(&doctor(&sandbox, 1), "agent broken").0, "wrong");
}

// A store was well that no run could go on with: a file of it was not to be written, below a folder that was.
#[test]
fn what_cannot_be_written_below_a_folder_that_can_is_named() {
    let sandbox = with_run();
    // To root modes mean nothing.
    let user = rustix::process::geteuid().is_root().then_some(54_321);
    if let Some(user) = user {
        let is_there =
            Command::new(env!("CARGO_BIN_EXE_reenact")).arg("--version").uid(user).output().is_ok();
        if !is_there {
            return;
        }
        let owner = user.to_string();
        assert!(Command::new("chown").arg("-R").arg(owner).arg(sandbox.root()).status().unwrap().success());
    }
    let look = || {
        let mut command = sandbox.command(&["--json", "doctor"]);
        user.map(|user| command.uid(user));
        sandbox.start(command).wait().json()["checks"].as_array().unwrap().clone()
    };
    assert_eq!(check(&look(), "files").0, "good");
    for name in ["events/db", "mark", "lock", "blobs", "snapshots", "events", "processes"] {
        let path = sandbox.data().join(name);
        let before = fs::metadata(&path).unwrap().permissions();
        fs::set_permissions(&path, fs::Permissions::from_mode(before.mode() & 0o555)).unwrap();
        let (state, says) = check(&look(), "files");
        assert_eq!((state.as_str(), says), ("wrong", format!("you cannot write to {}", path.display())));
        fs::set_permissions(&path, before).unwrap();
    }
    assert_eq!(check(&look(), "files").0, "good");
}
