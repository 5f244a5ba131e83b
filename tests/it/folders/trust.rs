//! Programs that a folder's own configuration names.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use super::{LOOKS, code_of, code_of_look};
use crate::support::{Ended, Sandbox};

const NOTICE: &str = "[[notify]]\non = ['run_completed', 'run_failed']\ncommand = ['./evil']\n";

/// What a folder may name, each with the key that a message names.
const NAMED: [(&str, &str); 4] = [
    ("notify", NOTICE),
    ("notify", "[[notify]]\non = ['run_failed']\nurl = 'http://127.0.0.1:9/'\n"),
    ("approvals.check", "[approvals]\ncheck = ['./evil']\n"),
    ("agents.helper.command", "[agents.helper]\ncommand = ['./evil']\n"),
];

/// A machine whose work folder's configuration names a program that leaves a trace.
fn machine(configuration: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("good.yaml", "name: good\nsteps:\n  - {id: a, run: 'true'}\n");
    sandbox.write("reenact.toml", configuration);
    let evil = sandbox.write("evil", "#!/bin/sh\necho x >> pwned\n");
    fs::set_permissions(evil, PermissionsExt::from_mode(0o755)).unwrap();
    sandbox
}

/// The same with the data folder beside the configuration, where nobody names one.
fn beside(sandbox: &Sandbox, folder: &str, arguments: &[&str]) -> Ended {
    let mut command = sandbox.command(arguments);
    command.env_remove("REENACT_DATA").current_dir(sandbox.work(folder));
    sandbox.start(command).wait()
}

fn refuses(ended: &Ended) {
    assert_eq!((ended.code(), code_of(ended).as_str()), (Some(2), "RE-5002"), "{ended}");
    assert!(ended.json()["error"]["hint"].as_str().unwrap().contains("reenact trust /"), "{ended}");
}

#[test]
fn what_a_folder_names_is_not_run_until_somebody_says_so_and_anew_when_it_changes() {
    for (key, text) in NAMED {
        let sandbox = machine(text);
        let run = || sandbox.reenact(&["--json", "run", "good.yaml"]);
        let refused = run();
        refuses(&refused);
        assert!(
            refused.json()["error"]["message"].as_str().unwrap().contains(&format!("`{key}`")),
            "{refused}"
        );
        assert!(!sandbox.data().exists(), "something was started");
        assert_eq!(sandbox.json(0, &["trust"])["programs"], serde_json::json!([key]));
        assert_eq!(run().code(), Some(0));
        sandbox.write("reenact.toml", format!("{text}# another\n"));
        refuses(&run());
        sandbox.json(0, &["trust", sandbox.work("").to_str().unwrap()]);
        assert_eq!(run().code(), Some(0));
    }
}

#[test]
fn every_verb_that_acts_is_refused_and_none_that_looks() {
    let sandbox = machine("");
    sandbox.write("bad.yaml", "name: bad\nsteps:\n  - {id: a, run: 'exit 65'}\n");
    sandbox.json(1, &["run", "bad.yaml", "--id", "one"]);
    sandbox.write("reenact.toml", NOTICE);
    for verb in ["resume", "pause", "unpause", "cancel", "retry", "rollback"] {
        refuses(&sandbox.reenact(&["--json", verb, "one"]));
    }
    refuses(&sandbox.reenact(&["--json", "approve", "one", "a"]));
    refuses(&sandbox.reenact(&["--json", "reject", "one", "a", "--reason", "x"]));
    refuses(&sandbox.reenact(&["--json", "signal", "one", "go"]));
    for verb in LOOKS.iter().copied().chain([["validate", "good.yaml"].as_slice()]) {
        let ended = sandbox.reenact(verb);
        assert_eq!(ended.code(), code_of_look(verb), "{ended}");
    }
    assert!(!sandbox.work("pwned").exists());
}

#[test]
fn where_the_data_folder_was_made_beside_it_nobody_need_say_so() {
    let sandbox = machine(NOTICE);
    assert_eq!(beside(&sandbox, "", &["run", "good.yaml"]).code(), Some(0));
    assert!(sandbox.work("pwned").exists());
    assert_eq!(beside(&sandbox, "", &["run", "good.yaml"]).code(), Some(0));
}

/// A clone brings its configuration and its data folder, with a notice that was not delivered: `list` ran its program.
#[test]
fn a_clone_brings_its_own_data_folder_and_that_proves_nothing() {
    let sandbox = machine(NOTICE);
    sandbox.write("evil", "#!/bin/sh\nexit 1\n");
    assert_eq!(beside(&sandbox, "", &["run", "good.yaml", "--id", "one"]).code(), Some(0));
    let clone = sandbox.root().join("clone");
    assert!(Command::new("cp").arg("-a").args([sandbox.work(""), clone.clone()]).status().unwrap().success());
    fs::rename(clone, sandbox.work("clone")).unwrap();
    sandbox.write("clone/evil", "#!/bin/sh\necho x >> pwned\n");
    for verb in [["list"].as_slice(), &["status", "one"], &["verify"]] {
        let ended = beside(&sandbox, "clone", verb);
        assert_eq!(ended.code(), Some(0), "{ended}");
    }
    refuses(&beside(&sandbox, "clone", &["--json", "run", "good.yaml"]));
    assert!(!sandbox.work("clone/pwned").exists());
    assert_eq!(beside(&sandbox, "clone", &["trust"]).code(), Some(0));
    assert_eq!(beside(&sandbox, "clone", &["run", "good.yaml"]).code(), Some(0));
    assert!(sandbox.work("clone/pwned").exists());
}

#[test]
fn what_the_user_names_is_not_concerned() {
    let sandbox = machine("");
    let named = |name: &str| {
        fs::rename(sandbox.work("reenact.toml"), sandbox.work(name)).unwrap();
    };
    sandbox.write("reenact.toml", NOTICE);
    named("mine.toml");
    let run = |arguments: &[&str]| sandbox.reenact(&[arguments, &["run", "good.yaml"]].concat()).code();
    assert_eq!(run(&["--config", "mine.toml"]), Some(0));
    assert_eq!(fs::read_to_string(sandbox.work("pwned")).unwrap().lines().count(), 1);
    let home = sandbox.root().join("home/.config/reenact");
    fs::create_dir_all(&home).unwrap();
    fs::rename(sandbox.work("mine.toml"), home.join("config.toml")).unwrap();
    assert_eq!(run(&[]), Some(0));
    // What the user says goes over what the folder says.
    sandbox.write("reenact.toml", "[approvals]\ncheck = ['./evil']\n");
    let mut command = sandbox.command(&["run", "good.yaml"]);
    command.env("REENACT_APPROVALS__CHECK", "[\"true\"]");
    assert_eq!(sandbox.start(command).wait().code(), Some(0));
}

#[test]
fn what_is_trusted_is_kept_where_the_users_configuration_is_for_the_user_only() {
    let sandbox = machine(NOTICE);
    for (variable, folder) in [("HOME", "home/.config/reenact"), ("XDG_CONFIG_HOME", "xdg/reenact")] {
        let trust = |verb: &[&str]| {
            let mut command = sandbox.command(verb);
            if variable != "HOME" {
                command.env(variable, sandbox.root().join("xdg"));
            }
            sandbox.start(command).wait()
        };
        refuses(&trust(&["--json", "run", "good.yaml"]));
        assert_eq!(trust(&["trust"]).code(), Some(0));
        let files: Vec<_> = fs::read_dir(sandbox.root().join(folder).join("trusted")).unwrap().collect();
        let [Ok(file)] = files.as_slice() else { panic!("{files:?}") };
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(trust(&["run", "good.yaml"]).code(), Some(0));
    }
}

#[test]
fn there_may_be_nothing_to_trust() {
    let sandbox = machine("[run]\nlost = 7\n");
    assert_eq!(sandbox.json(0, &["trust"])["programs"], serde_json::json!([]));
    for (dir, code) in [("absent", "RE-1101"), ("empty", "RE-1101"), ("bad", "RE-5001")] {
        fs::create_dir_all(sandbox.work("empty")).unwrap();
        sandbox.write("bad/reenact.toml", "[[notify]]\non = ['run_failed']\n");
        let ended = sandbox.reenact(&["--json", "trust", dir]);
        assert_eq!((ended.code(), code_of(&ended).as_str()), (Some(2), code), "{ended}");
    }
}
