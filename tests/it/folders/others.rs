//! Looking at what the process of another user drives, which one may not ask.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::is_root;
use crate::support::{Process, Sandbox, wait_until};

/// Users that nobody here is: one drives, one may only look.
const DRIVER: u32 = 54_321;
const LOOKER: u32 = 54_322;

/// A machine that is the driver's; none where this test may not act for others, or they may not run the binary.
fn of_driver() -> Option<Sandbox> {
    let binary = || Command::new(env!("CARGO_BIN_EXE_reenact"));
    let runs = |user: u32| binary().arg("--version").uid(user).stdout(Stdio::null()).status().is_ok();
    if !is_root() || !runs(DRIVER) || !runs(LOOKER) {
        return None;
    }
    let sandbox = Sandbox::new();
    sandbox.write(
        "gated.yaml",
        "name: gated
steps:
  - {id: work, run: 'echo work >> log; while [ ! -e go ]; do sleep 0.01; done'}
  - {id: after, run: 'true'}
",
    );
    fs::set_permissions(sandbox.root(), Permissions::from_mode(0o755)).unwrap();
    let owner = format!("{DRIVER}:{DRIVER}");
    assert!(Command::new("chown").arg("-R").arg(owner).arg(sandbox.root()).status().unwrap().success());
    fs::set_permissions(sandbox.tmp(), Permissions::from_mode(0o1777)).unwrap();
    Some(sandbox)
}

/// Starts it as that user.
fn spawn(sandbox: &Sandbox, user: u32, arguments: &[&str]) -> Process {
    let mut command = sandbox.command(arguments);
    command.uid(user).gid(user);
    sandbox.start(command)
}

/// Starts a run as the driver, and lets everybody read what it has stored.
fn drive(sandbox: &Sandbox, run: &str) -> Process {
    let _ = fs::remove_file(sandbox.work("log"));
    let process = spawn(sandbox, DRIVER, &["run", "gated.yaml", "--id", run]);
    wait_until("it runs", || sandbox.work("log").exists());
    share(sandbox);
    process
}

/// Lets everybody read what is stored by now.
fn share(sandbox: &Sandbox) {
    let data = sandbox.data();
    assert!(Command::new("chmod").args(["-R", "a+rX"]).arg(data).status().unwrap().success());
}

fn json_of(sandbox: &Sandbox, user: u32, arguments: &[&str]) -> Value {
    let ended = spawn(sandbox, user, &[&["--json"], arguments].concat()).wait();
    assert_eq!(ended.code(), Some(0), "{ended}");
    ended.json()
}

// Whoever looked at a colleague's run read `interrupted: reenact resume`, and a script that watched it went on with 130.
#[test]
fn a_run_that_another_user_may_drive_is_not_called_interrupted() {
    let Some(sandbox) = of_driver() else { return };
    let run = drive(&sandbox, "r");
    for user in [0, LOOKER] {
        let report = json_of(&sandbox, user, &["status", "r"]);
        assert_eq!(report["status"], "running", "{report}");
        assert_eq!((&report["driven"], &report["interrupted"]), (&Value::Null, &Value::Null), "{report}");
        assert_eq!(json_of(&sandbox, user, &["list"])["runs"][0]["interrupted"], Value::Null);
        assert_eq!(json_of(&sandbox, user, &["list", "--status", "interrupted"])["runs"], json!([]));
        for verb in [&["status", "r"][..], &["list"]] {
            let ended = spawn(&sandbox, user, verb).wait();
            assert!(ended.stdout.contains("running") && !ended.stdout.contains("interrupted"), "{ended}");
            let holder = format!("process {} (`", run.pid());
            assert!(ended.stderr.contains(&holder), "who knows is named: {ended}");
        }
    }
    assert_eq!(run.kill().code(), None);
    for user in [0, LOOKER] {
        let report = json_of(&sandbox, user, &["status", "r"]);
        assert_eq!((&report["driven"], &report["interrupted"]), (&json!(false), &json!(true)), "{report}");
        assert_eq!(json_of(&sandbox, user, &["list"])["runs"][0]["interrupted"], true);
        let watched = spawn(&sandbox, user, &["status", "r", "--watch"]).wait();
        assert_eq!(watched.code(), Some(130), "{watched}");
    }
}

#[test]
fn what_another_user_drives_is_followed_to_its_end() {
    let Some(sandbox) = of_driver() else { return };
    let run = drive(&sandbox, "r");
    for user in [0, LOOKER] {
        share(&sandbox);
        let follow = |verb: &[&str]| spawn(&sandbox, user, verb);
        let status = follow(&["status", "r", "--watch"]);
        let history = follow(&["history", "r", "--follow"]);
        let logs = follow(&["logs", "r", "--follow"]);
        let list = follow(&["list", "--watch"]);
        wait_until("all of them look", || {
            let shows = [(&status, "running"), (&history, "attempt_started"), (&list, "running")];
            shows.into_iter().all(|(process, text)| process.stdout().contains(text))
        });
        if user == LOOKER {
            sandbox.write("go", "");
        } else {
            // What is recorded meanwhile is seen, though nobody tells of it.
            let paused = spawn(&sandbox, DRIVER, &["pause", "r", "--reason", "lunch"]).wait();
            assert_eq!(paused.code(), Some(0), "{paused}");
            wait_until("it is seen", || history.stdout().contains("lunch"));
            let unpaused = spawn(&sandbox, DRIVER, &["unpause", "r"]).wait();
            assert_eq!(unpaused.code(), Some(0), "{unpaused}");
            for process in [status, history, logs, list] {
                process.interrupt();
                assert_eq!(process.wait().code(), Some(130));
            }
            continue;
        }
        let ended = status.wait();
        assert_eq!(ended.code(), Some(0), "{ended}");
        assert!(ended.stdout.contains("completed"), "{ended}");
        let ended = history.wait();
        assert!(ended.code() == Some(0) && ended.stdout.contains("run_completed"), "{ended}");
        let versions = ended.stdout.lines().count();
        assert_eq!(versions, sandbox.history("r").len(), "each event once: {ended}");
        assert_eq!(logs.wait().code(), Some(0));
        wait_until("the end is listed", || list.stdout().contains("completed"));
        assert!(!list.stdout().contains("interrupted"), "{}", list.stdout());
        list.interrupt();
        assert_eq!(list.wait().code(), Some(130));
    }
    assert_eq!(run.wait().code(), Some(0));
    assert_eq!(fs::read_dir(sandbox.tmp()).unwrap().count(), 0, "no copy is left behind");
}
