//! What is kept, and what is shown of it when nothing runs any more.

use std::fs;
use std::path::PathBuf;

use serde_json::json;

use super::{lines, logs, sorted, with};
use crate::support::Sandbox;

fn log(sandbox: &Sandbox, name: &str) -> PathBuf {
    sandbox.data().join("runs/r/logs").join(name)
}

const TRIED_AND_UNDONE: &str = "  - id: a
    run: 'echo out $REENACT_ATTEMPT; [ -e works ] || { touch works; sleep 0.02; echo broken >&2; exit 75; }'
    retry: {attempts: 2, initial: 1ms}
    compensate: {run: 'echo undone; sleep 0.02; printf end >&2'}
  - {id: quiet, run: ['true']}
  - {id: c, for_each: [x, y], run: 'echo {{ item }}'}
";

#[test]
fn all_that_programs_said_is_shown_with_its_time_its_step_and_its_attempt() {
    let sandbox = with(TRIED_AND_UNDONE);
    sandbox.json(0, &["run", "w.yaml", "--id", "r"]);
    sandbox.json(3, &["rollback", "r"]);
    let shown = logs(&sandbox, &["r"]).stdout;
    let all =
        ["a | broken", "a | out 1", "a | out 2", "c[0] | x", "c[1] | y", "undo a | end", "undo a | undone"];
    assert_eq!(sorted(&shown), all);
    assert!(shown.starts_with("a | out 1\n") && shown.contains("a | out 2\nc["), "{shown}");
    let told = lines(&sandbox, &["r", "a"]);
    let facts = |line: &serde_json::Value| {
        json!([line["step"], line["attempt"], line["purpose"], line["stream"], line["text"]])
    };
    assert_eq!(
        told.iter().map(facts).collect::<Vec<_>>(),
        [
            json!(["a", 1, "do", "stdout", "out 1"]),
            json!(["a", 1, "do", "stderr", "broken"]),
            json!(["a", 2, "do", "stdout", "out 2"]),
            json!(["a", 1, "compensate", "stdout", "undone"]),
            json!(["a", 1, "compensate", "stderr", "end"]),
        ]
    );
    let times: Vec<_> = told.iter().map(|line| line["at"].as_str().unwrap()).collect();
    assert!(times.is_sorted() && times[0].ends_with('Z'), "{times:?}");
    assert!(told.iter().all(|line| line.as_object().unwrap().len() == 6), "{told:?}");
    let a = logs(&sandbox, &["r", "a", "--attempt", "1"]);
    assert_eq!(a.stdout, "out 1\nbroken\n");
    assert!(a.stderr.contains("a: exit 75, RE-3001 after "), "{a}");
    assert_eq!(logs(&sandbox, &["r", "a", "--undo"]).stdout, "undone\nend\n");
    assert_eq!(logs(&sandbox, &["r", "c[1]"]).stdout, "y\n");
    assert_eq!(logs(&sandbox, &["last", "quiet"]).stdout, "");
    // Who says nothing has no file.
    assert!(log(&sandbox, "c[0].1.log").exists() && !log(&sandbox, "quiet.1.log").exists());
    let end = fs::read_to_string(log(&sandbox, "a.2.log")).unwrap();
    assert!(end.lines().last().unwrap().contains(" end {\"exit\":0,\"duration_ms\":"), "{end}");
}

#[test]
fn what_is_not_there_is_said_and_nothing_is_made() {
    let sandbox = with("  - {id: a, run: echo said}\n");
    for _ in 0..2 {
        assert_eq!(sandbox.json(2, &["logs", "r"])["error"]["code"], "RE-1003");
        assert!(!sandbox.data().exists());
    }
    sandbox.json(0, &["run", "w.yaml", "--id", "r"]);
    let version = sandbox.status("r")["version"].clone();
    assert_eq!(sandbox.json(2, &["logs", "other"])["error"]["code"], "RE-1003");
    assert_eq!(sandbox.json(2, &["logs", "r", "b"])["error"]["code"], "RE-2009");
    assert_eq!(sandbox.json(2, &["logs", "r", "a", "--attempt", "2"])["error"]["code"], "RE-2017");
    assert_eq!(sandbox.json(2, &["logs", "r", "a", "--undo", "--attempt", "1"])["error"]["code"], "RE-2017");
    assert_eq!(logs(&sandbox, &["r", "a", "-f"]).stdout, "said\n", "nobody drives it: it rests");
    assert_eq!(sandbox.status("r")["version"], version);
}

/// A log is a cache: what an attempt said is recorded with its end.
#[test]
fn where_a_log_is_gone_the_transcript_is_shown() {
    let sandbox = with("  - {id: a, run: 'echo out; echo err >&2; printf end; exit 65'}\n");
    sandbox.json(1, &["run", "w.yaml", "--id", "r"]);
    let before = logs(&sandbox, &["--json", "r"]).json_lines().len();
    fs::remove_dir_all(sandbox.data().join("runs/r")).unwrap();
    let after = logs(&sandbox, &["--json", "r", "a"]).json_lines();
    let texts: Vec<_> = after.iter().map(|line| line["text"].as_str().unwrap()).collect();
    assert_eq!((before, texts), (3, vec!["out", "end", "err"]));
    let shown = logs(&sandbox, &["r"]);
    assert!(shown.stderr.contains("a: exit 65, RE-3002 after "), "{shown}");
    assert!(!sandbox.data().join("runs/r").exists());
}

#[test]
fn a_damaged_log_is_told_of_and_the_rest_of_it_is_shown() {
    let sandbox = with("  - {id: a, run: 'echo one; sleep 0.01; echo two'}\n  - {id: b, run: echo other}\n");
    sandbox.json(0, &["run", "w.yaml", "--id", "r"]);
    let kept = fs::read(log(&sandbox, "a.1.log")).unwrap();
    let text = String::from_utf8(kept.clone()).unwrap();
    let second = text.lines().nth(1).unwrap();
    fs::write(log(&sandbox, "a.1.log"), text.replace(second, "\u{1}\u{2}spoilt \u{1b}[2J")).unwrap();
    let shown = logs(&sandbox, &["r"]);
    assert_eq!(shown.stdout, "a | two\nb | other\n");
    assert!(shown.stderr.contains("a: … 1 lines of the log are damaged"), "{shown}");
    for spoilt in [&b""[..], b"\n\n", &[0xff; 5000], &kept[..kept.len() / 2]] {
        fs::write(log(&sandbox, "a.1.log"), spoilt).unwrap();
        let shown = logs(&sandbox, &["r"]).stdout;
        assert!(shown.ends_with("b | other\n"), "{shown}");
    }
    // Something else in its place is not looked into.
    fs::remove_file(log(&sandbox, "a.1.log")).unwrap();
    fs::create_dir(log(&sandbox, "a.1.log")).unwrap();
    assert_eq!(logs(&sandbox, &["r"]).stdout, "a | one\na | two\nb | other\n");
}

/// The disk is full, or something is in the way: the attempt is as good as any, and somebody is told once.
#[test]
fn a_log_that_cannot_be_written_fails_nothing_and_is_told_of_once() {
    let sandbox = with("  - {id: a, for_each: [1, 2, 3], run: 'echo said; sleep 0.05; echo again'}\n");
    sandbox.json(0, &["run", "w.yaml", "--id", "before"]);
    for run in ["r", "grouped"] {
        fs::write(sandbox.data().join("runs").join(run), "in the way").unwrap();
    }
    let ended = sandbox.reenact(&["--json", "run", "w.yaml", "--id", "r", "--show", "prefixed"]);
    assert_eq!(ended.code(), Some(0), "{ended}");
    assert_eq!(ended.json()["status"], "completed");
    assert_eq!(ended.stderr.matches("cannot be kept while they say it").count(), 1, "{ended}");
    assert_eq!(ended.stderr.matches("| again\n").count(), 3, "{ended}");
    let grouped = sandbox.reenact(&["run", "w.yaml", "--id", "grouped", "--show", "grouped"]);
    assert_eq!(grouped.stderr.matches("its transcript has what it said").count(), 3, "{grouped}");
    let shown = logs(&sandbox, &["r"]).stdout;
    assert_eq!(sorted(&shown)[..2], ["a[0] | again", "a[0] | said"]);
}

/// Much was said: the log stays within its bound, says what is not there, and has the end.
#[test]
fn a_program_that_says_much_has_a_log_that_stays_small() {
    let sandbox = with("  - {id: a, run: 'yes 0123456789abcdef | head -c 59500000 >&2; echo last >&2'}\n");
    sandbox.json(0, &["run", "w.yaml", "--id", "r"]);
    let bytes: u64 =
        fs::read_dir(log(&sandbox, "")).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum();
    assert!(bytes <= 16 * 1024 * 1024, "{bytes}");
    let shown = logs(&sandbox, &["r", "a"]);
    assert!(shown.stdout.ends_with("0123456789abcdef\nlast\n"));
    assert!(shown.stderr.contains(" bytes that were written here are not kept"), "{}", shown.stderr);
}
