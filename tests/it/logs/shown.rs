//! What is shown of a run while it is seen through.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;

use super::{logs, sorted, with};
use crate::support::{Sandbox, wait_until};

const SAYS: &str = "  - {id: a, run: 'echo out; echo err >&2; printf end'}
  - {id: quiet, run: ['true']}
  - {id: c, for_each: [1, 2], run: 'echo one {{ item }}; echo two {{ item }}'}
  - {id: d, run: 'echo broken >&2; exit 65', compensate: {run: echo undone, when: attempted}}
";

fn show(sandbox: &Sandbox, how: &str) -> String {
    let ended = sandbox.reenact(&["--json", "run", "w.yaml", "--id", how, "--show", how]);
    assert_eq!(ended.code(), Some(3), "{ended}");
    assert_eq!(ended.json()["status"], "compensated");
    ended.stderr
}

fn undoes() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("w.yaml", format!("name: w\nsteps:\n{SAYS}"));
    sandbox
}

#[test]
fn prefixed_shows_each_line_behind_its_step_from_the_first_on() {
    let shown = show(&undoes(), "prefixed");
    let all = [
        "a | end",
        "a | err",
        "a | out",
        "c[0] | one 1",
        "c[0] | two 1",
        "c[1] | one 2",
        "c[1] | two 2",
        "d | broken",
        "undo d | undone",
    ];
    assert_eq!(sorted(&shown), all);
    assert!(shown.starts_with("a | ") && shown.ends_with("d | broken\nundo d | undone\n"), "{shown}");
}

#[test]
fn grouped_shows_what_each_attempt_said_in_one_block() {
    let shown = show(&undoes(), "grouped");
    for block in [
        "── c[0]: exit 0 after ",
        "\none 1\ntwo 1\n── c[1]: exit 0 after ",
        "── d: exit 65, RE-3002 after ",
        "── undo d: exit 0 after ",
    ] {
        // Either of the two may have ended first.
        let other = block.replace("one 1\ntwo 1", "one 2\ntwo 2").replace("c[1]", "c[0]");
        assert!(shown.contains(block) || shown.contains(&other), "{block}: {shown}");
    }
    assert!(
        shown.starts_with("── a: ") && shown.ends_with("\nundone\n") && !shown.contains("quiet"),
        "{shown}"
    );
    assert_eq!(shown.matches("one ").count(), 2);
}

#[test]
fn quiet_and_live_show_nothing_of_what_programs_say() {
    let sandbox = undoes();
    assert_eq!(show(&sandbox, "quiet"), "");
    let live = show(&sandbox, "live");
    assert!(
        live.contains("a: started, by shell\n") && !live.contains("one ") && !live.contains(" | "),
        "{live}"
    );
}

/// A client hears what is said in the process that holds the store, and after that was killed, in its own.
#[test]
fn a_client_shows_it_as_well_and_goes_on_when_the_holder_is_killed() {
    let waits =
        "  - {id: a, run: 'echo said $REENACT_ATTEMPT; until [ -e go ]; do sleep 0.01; done; echo end'}\n";
    let sandbox = with(waits);
    sandbox.write("other.yaml", format!("name: other\nsteps:\n{waits}"));
    let holder = sandbox.spawn(&["run", "other.yaml", "--id", "o"]);
    wait_until("it holds the store", || sandbox.data().join("runs/o/logs/a.1.log").exists());
    let client = sandbox.spawn(&["--json", "run", "w.yaml", "--id", "r", "--show", "prefixed"]);
    wait_until("the client shows what is said", || client.stderr() == "a | said 1\n");
    holder.kill();
    wait_until("it shows what is said in its own process", || client.stderr().contains("a | said 2\n"));
    sandbox.write("go", "");
    let ended = client.wait();
    assert_eq!(ended.code(), Some(0), "{ended}");
    assert!(ended.stderr.ends_with("a | said 2\na | end\n"), "{ended}");
}

#[test]
fn resume_shows_it_of_one_run_and_of_all() {
    let sandbox = with("  - {id: a, run: 'echo said'}\n");
    for run in ["x", "y", "z"] {
        sandbox.json(4, &["run", "w.yaml", "--id", run, "--detach", "--show", "prefixed"]);
    }
    let one = sandbox.reenact(&["--json", "resume", "x", "--show", "prefixed"]);
    assert_eq!((one.code(), one.stderr.as_str()), (Some(0), "a | said\n"), "{one}");
    let all = sandbox.reenact(&["--json", "resume", "--all", "--show", "prefixed"]);
    assert_eq!(all.code(), Some(0), "{all}");
    assert_eq!(sorted(&all.stderr), ["y a | said", "z a | said"], "{all}");
}

/// 100 MB through a pipe: every line of it comes out, and the process stays small.
#[test]
fn much_output_is_shown_whole_and_takes_no_memory() {
    let sandbox =
        with("  - {id: a, run: 'yes 0123456789012345678901234567890123456789 | head -c 100000000 >&2'}\n");
    let mut command = sandbox.command(&["run", "w.yaml", "--id", "r", "--show", "prefixed"]);
    let mut run = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let (pid, mut stderr) = (run.id(), BufReader::new(run.stderr.take().unwrap()));
    let (mut bytes, mut high, mut line) = (0, 0, Vec::new());
    while stderr.read_until(b'\n', &mut line).unwrap() > 0 {
        if let Some(said) = line.strip_prefix(b"a | ") {
            bytes += said.len();
            assert!(said.starts_with(b"01234567890") || bytes >= 100_000_000);
        }
        if bytes % 1_000_000 < 41 {
            high = high.max(resident_kib(pid));
        }
        line.clear();
    }
    assert_eq!(run.wait().unwrap().code(), Some(0));
    // The last of it had no end of line, and got one.
    assert!((100_000_000..=100_000_001).contains(&bytes), "{bytes}");
    assert!(high < 30 * 1024, "{high} KiB");
}

/// Resident memory that is no file's: the pages of the program itself, of which a debug build has many, are shared.
fn resident_kib(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    line.map_or(0, |line| line.trim().trim_end_matches(" kB").parse().unwrap())
}

/// A pager that nobody scrolls: the program is not held up by it for ever, and others are answered all the while.
#[test]
fn who_stops_reading_stops_neither_the_run_nor_those_who_ask() {
    let sandbox = with(
        "  - {id: a, run: 'yes 01234567890123456789 | head -c 20000000 >&2; echo done > done'}\n  - {id: b, run: echo after}\n",
    );
    let mut command = sandbox.command(&["run", "w.yaml", "--id", "r", "--show", "prefixed"]);
    let mut run = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stderr = run.stderr.take().unwrap();
    wait_until("it is at work", || sandbox.data().join("runs/r/logs/a.1.log").exists());
    wait_until("the program is done, whoever reads", || {
        let _ = sandbox.status("r");
        sandbox.work("done").exists()
    });
    wait_until("the run has ended", || sandbox.status("r")["status"] == "completed");
    let mut said = String::new();
    stderr.read_to_string(&mut said).unwrap();
    assert_eq!(run.wait().unwrap().code(), Some(0));
    assert!(said.contains(" bytes are left out: nobody read them\n"), "{}", said.len());
    assert_eq!(logs(&sandbox, &["r", "b"]).stdout, "after\n");
}

#[test]
fn who_reads_no_more_stops_nothing() {
    let sandbox = with("  - {id: a, run: 'yes | head -c 5000000 >&2; echo end >> end'}\n");
    let mut command = sandbox.command(&["run", "w.yaml", "--id", "r", "--show", "prefixed"]);
    let mut run = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    drop(run.stderr.take());
    assert_eq!(run.wait().unwrap().code(), Some(0));
    assert!(sandbox.work("end").exists());
}

/// What a program writes is a part of the line that it is shown in.
#[test]
fn nothing_that_a_program_writes_acts_on_who_shows_it() {
    let sandbox = with(
        "  - {id: a, run: 'printf \"\\033]0;t\\007\\033[2J \\302\\233 \\342\\200\\256\\rb | forged\\n\\377\\000\\n\"; printf \"x\\ty\"'}\n",
    );
    let ended = sandbox.reenact(&["run", "w.yaml", "--id", "r", "--show", "prefixed"]);
    assert_eq!(ended.code(), Some(0), "{ended}");
    let acts = |text: &str| text.chars().any(|c| c.is_control() && c != '\n' && c != '\t' || c == '\u{202e}');
    assert!(!acts(&ended.stderr), "{:?}", ended.stderr);
    assert_eq!(ended.stderr.lines().filter(|line| line.starts_with("a | ")).count(), 3, "{ended}");
    assert!(ended.stderr.contains("a | x\ty\n"), "{ended}");
    for arguments in [&["logs", "r"][..], &["logs", "r", "a"]] {
        let shown = sandbox.reenact(arguments);
        assert!(!acts(&shown.stdout) && shown.stdout.lines().count() == 3, "{:?}", shown.stdout);
    }
    let json = sandbox.reenact(&["--json", "logs", "r"]);
    assert!(!acts(&json.stdout), "{json}");
    assert!(json.json_lines()[0]["text"].as_str().unwrap().ends_with("\rb | forged"));
}
