//! The log: what a run does as it does it, for people or for programs, on stderr or in a file.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use crate::support::{Sandbox, wait_until};

const FILE: &str = "name: w
steps:
  - {id: nap, sleep: 20ms}
  - {id: a, run: 'exit 1', retry: {attempts: 2, initial: 10ms}, on_error: retry_then_skip}
  - {id: b, run: echo s3cret, approve: before}
";

fn with_file() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("w.yaml", FILE);
    sandbox
}

/// The user's own configuration says so.
fn own(sandbox: &Sandbox, configuration: &str) {
    let folder = sandbox.root().join("home/.config/reenact");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("config.toml"), configuration).unwrap();
}

/// The lines of a log of JSON.
fn lines(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|why| panic!("{line}: {why}")))
        .collect()
}

/// How often that was said of the run `r`, and of that step if one is named.
fn count(lines: &[Value], says: &str, step: Option<&str>) -> usize {
    let is_one = |line: &&Value| {
        let fields = &line["fields"];
        fields["message"] == says && fields["run"] == "r" && step.is_none_or(|step| fields["step"] == step)
    };
    lines.iter().filter(is_one).count()
}

#[test]
fn attempts_commits_waits_and_timers_are_logged_with_run_and_step() {
    let sandbox = with_file();
    let mut command = sandbox.command(&["--log", "trace", "run", "w.yaml", "--id", "r"]);
    command.env("REENACT_LOG__FORMAT", "json").env("REENACT_PROCESS__SECRETS", "WORD").env("WORD", "s3cret");
    let ended = sandbox.start(command).wait();
    assert_eq!(ended.code(), Some(4), "{ended}");
    let logged: Vec<&str> = ended.stderr.lines().filter(|line| line.starts_with('{')).collect();
    let logged = lines(&logged.join("\n"));
    for line in &logged {
        let keys: Vec<&str> = line.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(keys.len(), 4, "{line}");
        assert!(keys.iter().all(|key| ["timestamp", "level", "target", "fields"].contains(key)), "{line}");
    }
    assert_eq!(count(&logged, "an attempt begins", Some("a")), 2);
    assert_eq!(count(&logged, "an attempt has failed", Some("a")), 2);
    assert_eq!(count(&logged, "people are asked", Some("b")), 1);
    // The nap, and the pause before the second attempt.
    for step in ["nap", "a"] {
        assert_eq!(count(&logged, "waits for a timer", Some(step)), 1, "{step}");
    }
    let versions = logged.iter().filter(|line| line["fields"]["message"] == "recorded");
    let versions: Vec<u64> = versions.map(|line| line["fields"]["version"].as_u64().unwrap()).collect();
    assert!(versions.is_sorted() && versions.len() > 4, "{versions:?}");
    let last = sandbox.status("r")["version"].as_u64();
    assert_eq!(versions.last().copied(), last, "{versions:?}");
    assert!(logged.iter().any(|line| line["fields"]["message"] == "this process holds the store"));
    assert!(!ended.stderr.contains("s3cret"), "{ended}");
}

#[test]
fn what_is_logged_is_chosen_by_level_and_by_module() {
    let sandbox = with_file();
    let logged = |levels: &str, id: &str| {
        let run = ["--log", levels, "run", "w.yaml", "--id", id, "--until", "nap", "--show", "quiet"];
        let ended = sandbox.reenact(&run);
        assert_eq!(ended.code(), Some(4), "{ended}");
        ended.stderr
    };
    assert_eq!(logged("warn", "one"), "");
    assert_eq!(logged("info", "two"), "");
    let store = logged("warn,reenact::store=debug", "three");
    assert!(store.contains("commits are durable") && store.contains("reenact::store"), "{store}");
    assert!(store.lines().all(|line| line.contains("reenact::store")), "{store}");
    let runs = logged("reenact::actors::runs=debug", "four");
    assert!(runs.contains("recorded run=four version=") && !runs.contains("durable"), "{runs}");
    for wrong in ["loud", "info,loud", "reenact::store=loud", "reenact store=debug", "", "=debug"] {
        let error = sandbox.json(2, &["--log", wrong, "list"])["error"].clone();
        assert_eq!(error["code"], "RE-5001", "{wrong}: {error}");
        assert!(error["hint"].as_str().unwrap().contains("info,reenact::store=debug"), "{error}");
    }
}

#[test]
fn a_log_file_is_added_to_by_every_process_and_nothing_of_it_is_on_stderr() {
    let sandbox = with_file();
    own(&sandbox, "[log]\nlevel = 'debug'\nformat = 'json'\nfile = 'app.log'\n");
    for _ in 0..2 {
        let run = ["run", "w.yaml", "--id", "r", "--until", "nap", "--show", "quiet"];
        let ended = sandbox.reenact(&run);
        assert_eq!((ended.code(), ended.stderr.as_str()), (Some(4), ""), "{ended}");
    }
    let file = sandbox.work("app.log");
    let logged = lines(&fs::read_to_string(&file).unwrap());
    let opened = logged.iter().filter(|line| line["fields"]["message"] == "this process holds the store");
    assert_eq!(opened.count(), 2);
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);

    // A path from the home folder; and one that cannot be.
    own(&sandbox, "[log]\nlevel = 'debug'\nfile = '~/mine.log'\n");
    sandbox.reenact(&["list"]);
    assert!(fs::read_to_string(sandbox.root().join("home/mine.log")).unwrap().contains("holds the store"));
    own(&sandbox, "[log]\nfile = 'gone/app.log'\n");
    let error = sandbox.json(2, &["list"])["error"].clone();
    assert_eq!(error["code"], "RE-5001", "{error}");
    assert!(error["message"].as_str().unwrap().contains("gone/app.log"), "{error}");
}

/// A clone could have had any file of its user written to.
#[test]
fn the_file_that_a_folder_names_is_not_written_until_somebody_says_so() {
    let sandbox = with_file();
    let mine = sandbox.root().join("home/.profile");
    fs::write(&mine, "mine\n").unwrap();
    sandbox.write("reenact.toml", "[log]\nlevel = 'trace'\nfile = '~/.profile'\n");
    let refused = sandbox.json(2, &["run", "w.yaml"])["error"].clone();
    assert_eq!(refused["code"], "RE-5002", "{refused}");
    assert!(refused["message"].as_str().unwrap().contains("`log.file`"), "{refused}");
    for verb in [&["list"][..], &["validate", "w.yaml"], &["schema"]] {
        assert_eq!(sandbox.reenact(verb).code(), Some(0), "{verb:?}");
    }
    assert_eq!(fs::read_to_string(&mine).unwrap(), "mine\n");
    sandbox.json(0, &["trust"]);
    sandbox.json(4, &["run", "w.yaml"]);
    assert_ne!(fs::read_to_string(&mine).unwrap(), "mine\n");
}

#[test]
fn a_client_and_the_process_that_holds_the_store_log_each_other() {
    let sandbox = Sandbox::new();
    let step = "echo x >> log; for _ in $(seq 3000); do [ -e go ] && break; sleep 0.01; done";
    sandbox.write("w.yaml", format!("name: w\nsteps:\n  - {{id: a, run: '{step}'}}\n"));
    let mut holder = sandbox.spawn(&["--log", "debug", "--json", "run", "w.yaml", "--id", "r"]);
    wait_until("it runs", || sandbox.work("log").exists());
    let client = sandbox.reenact(&["--log", "debug", "list"]);
    let pid = format!("pid={}", holder.pid());
    assert!(
        client.stderr.lines().any(|line| line.contains("another process holds") && line.ends_with(&pid)),
        "{client}"
    );
    assert!(
        holder.is_running() && holder.stderr().contains("a client is let in pid="),
        "{}",
        holder.stderr()
    );
    sandbox.write("go", "");
    assert_eq!(holder.wait().code(), Some(0));
}
