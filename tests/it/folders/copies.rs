//! Copies of data folders, and those that go away.

use std::fs;
use std::process::Command;

use super::{code_of, is_root};
use crate::support::{Process, Sandbox, wait_until};

const GATED: &str = "name: gated\nsteps:\n  - id: a\n    run: echo x >> started; for _ in $(seq 3000); do [ -e go ] && break; sleep 0.01; done; echo x >> ended\n";

/// The run `r` at work, and the process that sees it through.
fn at_work() -> (Sandbox, Process) {
    let sandbox = Sandbox::new();
    sandbox.write("gated.yaml", GATED);
    let mut command = sandbox.command(&["--json", "run", "gated.yaml", "--id", "r"]);
    command.env("REENACT_PROCESS__GRACE", "200ms").env("REENACT_SHUTDOWN__GRACE", "200ms");
    let run = sandbox.start(command);
    wait_until("the step runs", || count(&sandbox, "started") == 1);
    (sandbox, run)
}

fn count(sandbox: &Sandbox, file: &str) -> usize {
    fs::read_to_string(sandbox.work(file)).map_or(0, |text| text.lines().count())
}

/// A backup of a data folder, made while a run was at work, was asked to cancel that run: the original's program was
/// ended, and the original's run failed.
#[test]
fn a_copy_ends_nothing_of_the_original() {
    for verb in [["cancel", "r"], ["resume", "r"], ["pause", "r"]] {
        let (sandbox, run) = at_work();
        let copy = sandbox.root().join("copy");
        assert!(
            Command::new("cp").arg("-a").args([sandbox.data(), copy.clone()]).status().unwrap().success()
        );
        let mut command = sandbox.command(&verb);
        command.env("REENACT_DATA", &copy);
        let beside = sandbox.start(command);
        if verb[0] == "resume" {
            // It starts what was lost to it; the original's goes on.
            wait_until("the copy starts it again", || count(&sandbox, "started") == 2);
        } else {
            let ended = beside.wait();
            assert_eq!(ended.code(), Some(0), "{ended}");
        }
        sandbox.write("go", "");
        let ended = run.wait();
        assert_eq!(ended.code(), Some(0), "{verb:?}: {ended}");
        assert_eq!(ended.json()["steps"][0]["attempts"], 1);
    }
}

#[test]
fn a_folder_that_was_moved_ends_what_it_left_running() {
    let (sandbox, run) = at_work();
    run.kill();
    fs::rename(sandbox.data(), sandbox.root().join("moved")).unwrap();
    let mut command = sandbox.command(&["--json", "cancel", "r"]);
    command.env("REENACT_DATA", sandbox.root().join("moved"));
    let ended = sandbox.start(command).wait();
    assert_eq!(ended.code(), Some(0), "{ended}");
    sandbox.write("go", "");
    let mut command = sandbox.command(&["--json", "status", "r"]);
    command.env("REENACT_DATA", sandbox.root().join("moved"));
    assert_eq!(sandbox.start(command).wait().json()["status"], "cancelled");
    assert_eq!(count(&sandbox, "ended"), 0, "what was left running went on");
}

/// Its holder went on, recorded into nothing, and ended with 0 beside a second one that did the same steps.
#[test]
fn a_holder_whose_folder_is_removed_stops_what_runs_and_says_so() {
    let (sandbox, run) = at_work();
    fs::remove_dir_all(sandbox.data()).unwrap();
    let ended = run.wait();
    assert_eq!((ended.code(), code_of(&ended).as_str()), (Some(7), "RE-4013"), "{ended}");
    sandbox.write("go", "");
    assert_eq!(count(&sandbox, "ended"), 0);
    assert!(!sandbox.data().exists(), "it was made again");
}

#[test]
fn a_holder_whose_folder_is_replaced_leaves_the_new_one_alone() {
    let (sandbox, first) = at_work();
    fs::rename(sandbox.data(), sandbox.root().join("moved")).unwrap();
    sandbox.write(
        "waits.yaml",
        "name: waits\nsteps:\n  - {id: a, wait_for: go}\n  - {id: b, sleep: 10m, needs: []}\n",
    );
    let second = sandbox.spawn(&["run", "waits.yaml", "--id", "w"]);
    let socket = sandbox.data().join("control.sock");
    wait_until("the second holds its store", || socket.exists());
    let ended = first.wait();
    assert_eq!((ended.code(), code_of(&ended).as_str()), (Some(7), "RE-4013"), "{ended}");
    assert!(socket.exists(), "the second one's socket was removed");
    assert_eq!(sandbox.status("w")["driven"], true);
    second.interrupt();
    assert_eq!(second.wait().code(), Some(130));
}

#[test]
fn the_nearest_folder_upwards_that_holds_a_store_is_meant() {
    let sandbox = Sandbox::new();
    let in_folder = |folder: &str, arguments: &[&str]| {
        let mut command = sandbox.command(arguments);
        fs::create_dir_all(sandbox.work(folder)).unwrap();
        command.env_remove("REENACT_DATA").current_dir(sandbox.work(folder));
        sandbox.start(command).wait()
    };
    sandbox.write("good.yaml", "name: good\nsteps:\n  - {id: a, run: 'true'}\n");
    assert_eq!(in_folder("", &["run", "good.yaml", "--id", "r"]).code(), Some(0));
    // One without a store is not meant: a repository may keep agents in it.
    sandbox.write("a/.reenact/agents/x.md", "# X\n");
    let seen = in_folder("a/b", &["--json", "status", "r"]);
    assert_eq!((seen.code(), seen.json()["status"].as_str()), (Some(0), Some("completed")), "{seen}");
    assert!(!sandbox.work("a/b/.reenact").exists());
    fs::create_dir_all(sandbox.work("c")).unwrap();
    fs::create_dir_all(sandbox.work("another/events")).unwrap();
    std::os::unix::fs::symlink(sandbox.work("another"), sandbox.work("c/.reenact")).unwrap();
    let seen = in_folder("c", &["--json", "status", "r"]);
    assert_eq!(seen.code(), Some(0), "a link that nobody named is passed over: {seen}");
    // Named, it may be one.
    fs::remove_file(sandbox.work("c/.reenact")).unwrap();
    std::os::unix::fs::symlink(sandbox.work(".reenact"), sandbox.work("c/.reenact")).unwrap();
    let seen = in_folder("c", &["--json", "--data", ".reenact", "status", "r"]);
    assert_eq!(seen.code(), Some(0), "{seen}");
}

/// Where a script had left the variable empty, the folder itself became the store, beside the sources.
#[test]
fn an_empty_variable_names_no_folder() {
    let sandbox = Sandbox::new();
    sandbox.write("good.yaml", "name: good\nsteps:\n  - {id: a, run: 'true'}\n");
    let mut command = sandbox.command(&["run", "good.yaml"]);
    command.env("REENACT_DATA", "");
    let ended = sandbox.start(command).wait();
    assert_eq!(ended.code(), Some(0), "{ended}");
    assert!(sandbox.work(".reenact/events").exists() && !sandbox.work("events").exists());
}

#[test]
fn a_folder_that_is_somebody_elses_is_passed_over() {
    if !is_root() {
        // Nobody else gives a folder away.
        return;
    }
    let sandbox = Sandbox::new();
    let listed = |folder: &str| {
        let mut command = sandbox.command(&["--json", "list"]);
        command.env_remove("REENACT_DATA").current_dir(sandbox.work(folder));
        let ended = sandbox.start(command).wait();
        assert_eq!(ended.code(), Some(0), "{ended}");
        ended.json()["runs"][0]["run"].as_str().unwrap_or("none").to_owned()
    };
    sandbox.write("good.yaml", "name: good\nsteps:\n  - {id: a, run: 'true'}\n");
    sandbox.write("a/b/file", "");
    for (data, run) in [(".reenact", "upper"), ("a/.reenact", "nearer")] {
        sandbox.json(0, &["--data", data, "run", "good.yaml", "--id", run]);
    }
    assert_eq!(listed("a/b"), "nearer");
    std::os::unix::fs::chown(sandbox.work("a/.reenact"), Some(54_321), None).unwrap();
    assert_eq!([listed("a/b"), listed("a")], ["upper", "upper"]);
}

#[test]
fn a_link_that_nobody_named_is_not_used() {
    let sandbox = Sandbox::new();
    sandbox.write("good.yaml", "name: good\nsteps:\n  - {id: a, run: 'true'}\n");
    fs::create_dir_all(sandbox.root().join("precious")).unwrap();
    std::os::unix::fs::symlink(sandbox.root().join("precious"), sandbox.work(".reenact")).unwrap();
    let mut command = sandbox.command(&["--json", "run", "good.yaml"]);
    command.env_remove("REENACT_DATA");
    let ended = sandbox.start(command).wait();
    assert_eq!((ended.code(), code_of(&ended).as_str()), (Some(7), "RE-4011"), "{ended}");
    assert!(fs::read_dir(sandbox.root().join("precious")).unwrap().next().is_none());
}
