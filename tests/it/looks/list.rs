//! The list of runs.

use std::fs;
use std::io::Read;
use std::process::Command;

use reenact::events::time::Timestamp;
use serde_json::{Value, json};

use super::terminal::{Kept, Terminal};
use super::{completed, open, start_gated, waiting};
use crate::support::{Ended, Sandbox, wait_for, wait_until};

/// The line of a run, as the words that stand in it.
fn words<'l>(lines: impl IntoIterator<Item = &'l str>, run: &str) -> Vec<String> {
    let mut lines = lines.into_iter();
    let line = lines.find(|line| line.contains(run)).unwrap_or_else(|| panic!("no line of `{run}`"));
    line.split_whitespace().map(str::to_owned).collect()
}

fn in_zone(sandbox: &Sandbox, zone: &str, arguments: &[&str]) -> Ended {
    let mut command = sandbox.command(arguments);
    command.env("TZ", zone);
    sandbox.start(command).wait()
}

fn rows(sandbox: &Sandbox, arguments: &[&str]) -> Vec<(String, bool)> {
    let listed = sandbox.json(0, &[&["list"], arguments].concat());
    let rows = listed["runs"].as_array().unwrap().iter();
    rows.map(|row| (row["run"].as_str().unwrap().to_owned(), row["interrupted"].as_bool().unwrap())).collect()
}

#[test]
fn below_a_header_stand_the_runs_with_their_start_by_the_clock_of_the_place() {
    let sandbox = Sandbox::new();
    sandbox.write("w.yaml", "name: release\nsteps: [{id: a, run: 'true'}]");
    sandbox.json(0, &["run", "w.yaml", "--id", "one", "--tag", "team=blue"]);
    let row = sandbox.json(0, &["list"])["runs"][0].clone();
    let started = Timestamp::parse(row["started_at"].as_str().unwrap()).unwrap();
    // Five hours and a half east of Greenwich, which POSIX writes as minus.
    let there = Timestamp(started.0 + 5 * 3_600_000_000 + 30 * 60_000_000).to_string();
    let ended = in_zone(&sandbox, "IST-5:30", &["list"]);
    let lines: Vec<&str> = ended.stdout.lines().collect();
    let heads: Vec<&str> = lines[0].split_whitespace().collect();
    assert_eq!(heads, ["RUN", "WORKFLOW", "STATUS", "STARTED", "DURATION", "TAGS"]);
    let told = words(lines.clone(), "one");
    assert_eq!(told[..3], ["one", "release", "completed"], "{ended}");
    assert_eq!(format!("{}T{}", told[3], told[4]), there.split_once('.').unwrap().0, "{ended}");
    assert_eq!((told[6].as_str(), lines.len()), ("team=blue", 2), "{ended}");
    let took = row["duration_ms"].as_u64().unwrap();
    assert!(took > 0 && took < 60_000, "{row}");
    let utc = words(in_zone(&sandbox, "IST-5:30", &["list", "--utc"]).stdout.lines(), "one");
    assert_eq!(utc[3], format!("{}Z", row["started_at"].as_str().unwrap().split_once('.').unwrap().0));
}

#[test]
fn the_list_fits_the_terminal_and_is_whole_elsewhere() {
    let sandbox = Sandbox::new();
    let name = "a-workflow-with-quite-a-long-name-that-nobody-would-type";
    sandbox.write("w.yaml", format!("name: {name}\nsteps: [{{id: a, run: 'true'}}]"));
    sandbox.write("u.yaml", "name: 你好世界你好世界你好世界你好世界\nsteps: [{id: a, run: 'true'}]");
    let tag = format!("where={}", "far-away-".repeat(9));
    let run = sandbox.json(0, &["run", "w.yaml", "--tag", &tag])["run"].as_str().unwrap().to_owned();
    sandbox.json(0, &["run", "u.yaml", "--tag", "a=b"]);
    let piped = sandbox.reenact(&["list"]);
    assert!(
        piped.stdout.contains(name) && piped.stdout.contains(&run) && piped.stdout.contains("where="),
        "{piped}"
    );
    for columns in [200, 120, 80, 60, 40, 20] {
        let (code, screen) = Terminal::start(&sandbox, columns, &["list"]).wait();
        assert_eq!(code, Some(0));
        let table = &screen[..3];
        for line in table {
            let wide = line.chars().filter(|character| *character >= '\u{2e80}').count();
            assert!(line.chars().count() + wide <= usize::from(columns), "{columns}: {line}");
        }
        assert!(table[0].starts_with("RUN"), "{screen:?}");
        let has_run = table.iter().any(|line| line.contains(&run));
        assert_eq!(
            has_run,
            columns >= 60,
            "an id stays whole as long as there is room: {columns}: {screen:?}"
        );
        assert!(columns < 40 || table[2].contains("complete"), "{screen:?}");
    }
}

#[test]
fn a_run_whose_process_was_killed_reads_interrupted_and_keeps_its_status() {
    let sandbox = Sandbox::new();
    completed(&sandbox, "done");
    waiting(&sandbox, "asks");
    let working = start_gated(&sandbox, "killed");
    let status = |run: &str| words(sandbox.reenact(&["list"]).stdout.lines(), run)[2].clone();
    assert_eq!(status("killed"), "running");
    assert_eq!(rows(&sandbox, &["--status", "interrupted"]), []);
    working.kill();
    assert_eq!([status("killed"), status("asks"), status("done")], ["interrupted", "waiting", "completed"]);
    let all = [("killed", true), ("asks", false), ("done", false)].map(|(run, is)| (run.to_owned(), is));
    assert_eq!(rows(&sandbox, &[]), all);
    assert_eq!(rows(&sandbox, &["--status", "interrupted"]), all[..1]);
    let row = &sandbox.json(0, &["list", "--status", "interrupted"])["runs"][0];
    assert_eq!(row["status"], "running", "a status is a contract");
    let report = sandbox.status("killed");
    assert_eq!((&report["interrupted"], &report["driven"]), (&json!(true), &json!(false)));
    open(&sandbox);
    sandbox.json(0, &["resume", "killed"]);
    assert_eq!(rows(&sandbox, &["--status", "interrupted"]), []);
    assert_eq!(
        sandbox.json(2, &["list", "--status", "interupted"])["error"]["hint"],
        "did you mean `interrupted`?"
    );
}

#[test]
fn a_part_of_the_list_says_how_to_see_more() {
    let sandbox = Sandbox::new();
    for run in ["a", "b", "c", "d", "e"] {
        completed(&sandbox, run);
    }
    let ids = |listed: &Value| {
        let rows = listed["runs"].as_array().unwrap().iter();
        rows.map(|row| row["run"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let first = sandbox.json(0, &["list", "--limit", "2", "--workflow", "done"]);
    assert_eq!((ids(&first), &first["next"]), (vec!["e".to_owned(), "d".to_owned()], &json!("d")));
    let shown = sandbox.reenact(&["list", "--limit", "2", "--workflow", "done"]);
    let more = "reenact --data DATA list --workflow done --limit 2 --after d";
    let told = shown.stderr.replace(sandbox.data().to_str().unwrap(), "DATA");
    assert!(
        told.ends_with(&format!("{}\n", more.replace("--data DATA ", ""))) || told.contains(more),
        "{shown}"
    );
    let next = sandbox.json(0, &["list", "--limit", "2", "--after", "d"]);
    assert_eq!((ids(&next), &next["next"]), (vec!["c".to_owned(), "b".to_owned()], &json!("b")));
    let last = sandbox.json(0, &["list", "--limit", "2", "--after", "b"]);
    assert_eq!((ids(&last), &last["next"]), (vec!["a".to_owned()], &Value::Null));
    assert_eq!(ids(&sandbox.json(0, &["list", "--limit", "0"])).len(), 5, "all of them");
    assert!(!sandbox.reenact(&["list"]).stderr.contains("more"));
    assert!(sandbox.reenact(&["list", "--help"]).stdout.contains("[default: 50]"));
}

#[test]
fn without_a_limit_fifty_runs_are_shown() {
    let sandbox = Sandbox::new();
    sandbox.write("child.yaml", "name: child\nsteps: [{id: a, sleep: 0s}]");
    sandbox.write(
        "many.yaml",
        format!(
            "name: many\nsteps: [{{id: each, for_each: {:?}, workflow: child.yaml}}]",
            (0..55).collect::<Vec<_>>()
        ),
    );
    sandbox.json(0, &["run", "many.yaml", "--id", "many"]);
    let listed = sandbox.json(0, &["list"]);
    assert_eq!(listed["runs"].as_array().unwrap().len(), 50);
    assert_eq!(listed["next"], listed["runs"][49]["run"]);
}

#[test]
fn in_a_tree_runs_stand_below_the_run_that_has_started_them() {
    let sandbox = Sandbox::new();
    sandbox.write("leaf.yaml", "name: leaf\nsteps: [{id: a, run: 'true'}]");
    sandbox.write("inner.yaml", "name: inner\nsteps: [{id: a, workflow: leaf.yaml}]");
    sandbox.write(
        "outer.yaml",
        "name: outer\nsteps: [{id: a, workflow: inner.yaml}, {id: b, workflow: leaf.yaml}]",
    );
    sandbox.json(0, &["run", "outer.yaml", "--id", "first"]);
    completed(&sandbox, "alone");
    let shape = |arguments: &[&str]| {
        let ended = sandbox.reenact(&[&["list", "--tree"], arguments].concat());
        let line = |line: &str| {
            let depth = line.find("└─ ").map_or(0, |at| at / 3 + 1);
            let workflows = ["outer", "inner", "leaf", "done"];
            (depth, *workflows.iter().find(|name| line.contains(**name)).unwrap())
        };
        ended.stdout.lines().skip(1).map(line).collect::<Vec<_>>()
    };
    let tree = [(0, "done"), (0, "outer"), (1, "inner"), (2, "leaf"), (1, "leaf")];
    assert_eq!(shape(&[]), tree);
    // Of what is shown those are shown, too, that it hangs from.
    assert_eq!(shape(&["--workflow", "leaf"]), tree[1..]);
    let listed = sandbox.json(0, &["list", "--tree", "--limit", "2"]);
    let workflows: Vec<_> =
        listed["runs"].as_array().unwrap().iter().map(|row| row["workflow"].clone()).collect();
    assert_eq!(workflows, ["done", "outer", "leaf"]);
    assert_eq!(listed["runs"][2]["parent"], "first");
}

#[test]
fn whoever_watches_the_list_is_told_of_changes_and_holds_nothing() {
    let sandbox = Sandbox::new();
    completed(&sandbox, "old");
    let watching = sandbox.spawn(&["list", "--watch"]);
    let in_json = sandbox.spawn(&["list", "--watch", "--json"]);
    let told = |run: &str, status: &str| {
        watching.stdout().lines().any(|line| line.starts_with(run) && line.contains(status))
    };
    wait_until("what there is is told", || told("old", "completed"));
    let run = start_gated(&sandbox, "new");
    let documents = || -> Vec<Value> {
        in_json.stdout().lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    };
    let in_json_too =
        |status: &str| documents().iter().any(|row| row["run"] == "new" && row["status"] == status);
    wait_until("that it runs is told", || told("new", "running") && in_json_too("running"));
    let holder = fs::read_to_string(sandbox.data().join("lock")).unwrap();
    assert_eq!(holder.lines().next(), Some(run.pid().to_string().as_str()), "who watches drives nothing");
    open(&sandbox);
    assert_eq!(run.wait().code(), Some(0));
    wait_until("that it ended is told", || told("new", "completed") && in_json_too("completed"));
    for process in [watching, in_json] {
        process.interrupt();
        let ended = process.wait();
        assert_eq!((ended.code(), ended.stderr.as_str()), (Some(130), ""), "{ended}");
    }
}

#[test]
fn that_a_process_was_killed_is_told_to_who_watches() {
    let sandbox = Sandbox::new();
    let watching = sandbox.spawn(&["list", "--watch"]);
    let told =
        |status: &str| watching.stdout().lines().any(|line| line.starts_with("r ") && line.contains(status));
    let run = start_gated(&sandbox, "r");
    wait_until("that it runs is told", || told("running"));
    run.kill();
    wait_until("that nobody drives it is told", || told("interrupted"));
}

#[test]
fn watching_ends_when_nobody_reads_it_any_more() {
    let sandbox = Sandbox::new();
    completed(&sandbox, "old");
    let mut command = sandbox.command(&["list", "--watch"]);
    let (mut reader, writer) = std::io::pipe().unwrap();
    let mut watching = Kept(command.stdout(writer).spawn().unwrap());
    drop(command);
    reader.read_exact(&mut [0; 3]).unwrap();
    drop(reader);
    completed(&sandbox, "new");
    assert_eq!(wait_for("it ends", || watching.0.try_wait().unwrap()).code(), Some(0));
}

#[test]
fn on_a_terminal_the_watched_list_is_drawn_anew() {
    let sandbox = Sandbox::new();
    completed(&sandbox, "old");
    let terminal = Terminal::start(&sandbox, 80, &["list", "--watch"]);
    let has = |run: &'static str, status: &'static str| {
        move |screen: &[String]| screen.iter().any(|line| line.starts_with(run) && line.contains(status))
    };
    terminal.until("what there is is shown", has("old", "completed"));
    let run = start_gated(&sandbox, "new");
    terminal.until("that it runs is shown", has("new", "running"));
    open(&sandbox);
    assert_eq!(run.wait().code(), Some(0));
    let screen = terminal.until("that it ended is shown", has("new", "completed"));
    assert!(!has("new", "running")(&screen), "in its place: {screen:?}");
    terminal.interrupt();
    let (code, screen) = terminal.wait();
    assert_eq!(code, Some(130));
    assert_eq!(screen.len(), 3, "the list stays, and nothing else: {screen:?}");
    assert!(screen[0].starts_with("RUN") && has("new", "completed")(&screen), "{screen:?}");
}

#[test]
fn the_list_names_the_folder_that_it_read() {
    let sandbox = Sandbox::new();
    let beside = |folder: &str, arguments: &[&str]| {
        let mut command: Command = sandbox.command(arguments);
        command.env_remove("REENACT_DATA").current_dir(sandbox.work(folder));
        sandbox.start(command).wait()
    };
    sandbox.write("w.yaml", "name: w\nsteps: [{id: a, run: 'true'}]");
    sandbox.write("in/here/file", "");
    assert_eq!(beside("", &["run", "w.yaml"]).code(), Some(0));
    let data = fs::canonicalize(sandbox.work("")).unwrap().join(".reenact");
    let ended = beside("in/here", &["list"]);
    assert_eq!(ended.code(), Some(0), "{ended}");
    assert!(ended.stderr.contains(data.to_str().unwrap()), "{ended}");
    let ended = beside("in/here", &["--json", "list"]);
    assert_eq!((ended.stderr.as_str(), ended.json()["runs"].as_array().unwrap().len()), ("", 1), "{ended}");
    assert!(!ended.stdout.contains(".reenact"), "{ended}");
}

#[test]
fn after_a_run_that_is_not_there_nothing_can_be_listed_be_there_a_store_or_not() {
    let sandbox = Sandbox::new();
    for _ in 0..2 {
        for watch in [&[][..], &["--watch"]] {
            let error = sandbox.json(2, &[&["list", "--after", "nosuch"], watch].concat());
            assert_eq!(error["error"]["code"], "RE-1003");
        }
        completed(&sandbox, "old");
    }
}

// Of a narrow terminal the workflow took the room that the status needed.
#[test]
fn on_a_narrow_terminal_the_list_says_how_each_run_is() {
    let sandbox = Sandbox::new();
    sandbox.write("w.yaml", "name: release-everything\nsteps: [{id: a, run: 'true'}]");
    let run = sandbox.json(0, &["run", "w.yaml"])["run"].as_str().unwrap().to_owned();
    for columns in [24, 20, 16, 15] {
        let (code, screen) = Terminal::start(&sandbox, columns, &["list"]).wait();
        assert_eq!(code, Some(0));
        let end = &run[run.len() - 3..];
        assert!(screen[1].contains("completed") && screen[1].contains(end), "{columns}: {screen:?}");
        assert!(screen[..2].iter().all(|line| line.chars().count() <= usize::from(columns)), "{screen:?}");
    }
}

#[test]
fn a_terminal_that_gets_another_size_shows_the_list_anew() {
    let sandbox = Sandbox::new();
    for number in 0..12 {
        completed(&sandbox, &format!("run-{number}"));
    }
    let terminal = Terminal::start(&sandbox, 80, &["list", "--watch"]);
    let has = |run: &str| {
        let run = run.to_owned();
        move |screen: &[String]| screen.iter().any(|line| line.starts_with(&run))
    };
    terminal.until("all are shown", has("run-0 "));
    terminal.resize(8, 30);
    let screen = terminal.until("as many as fit", |screen| screen.len() < 8 && has("run-11")(screen));
    assert!(
        screen[0].starts_with("RUN") && screen.iter().all(|line| line.chars().count() <= 30),
        "{screen:?}"
    );
    assert!(screen.iter().skip(1).all(|line| line.contains("completed")), "{screen:?}");
    terminal.resize(30, 80);
    let screen = terminal.until("all are shown again", has("run-0 "));
    assert!(screen[0].contains("STARTED"), "{screen:?}");
    terminal.interrupt();
    let (code, screen) = terminal.wait();
    assert_eq!((code, screen.len()), (Some(130), 13), "{screen:?}");
}

// It drew the table.
#[test]
fn with_json_a_terminal_gets_documents_too() {
    let sandbox = Sandbox::new();
    completed(&sandbox, "old");
    let terminal = Terminal::start(&sandbox, 200, &["--json", "list", "--watch"]);
    terminal
        .until("a document is there", |screen| screen.iter().any(|line| line.contains("\"run\":\"old\"")));
    terminal.interrupt();
    assert_eq!(terminal.wait().0, Some(130));
}
