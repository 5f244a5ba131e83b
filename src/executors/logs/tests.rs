//! Logs, written and read.

mod heard;
mod kept;

use std::fs;
use std::time::Instant;

use super::line::{Entry, Head};
use super::read::{Reader, Told, Which};
use super::*;

/// Longer than anything takes; only what hangs meets it.
const LONG: Duration = Duration::from_secs(60);

fn speaker(step: &str) -> Speaker {
    Speaker {
        run: RunId::parse("r").unwrap(),
        step: StepId::grown(step),
        purpose: Purpose::Do,
        attempt: 1,
        generation: 1,
        agent: AgentName::new("shell"),
    }
}

fn written(at: i64, entry: &Entry) -> String {
    let mut log = Vec::new();
    line::put(&mut log, Timestamp(at), entry);
    String::from_utf8(log).unwrap()
}

/// What is read of this format is what older versions wrote: the lines here never change.
#[test]
fn the_lines_of_a_log_are_these() {
    let head = Head::of(&speaker("a[0]"), 2, 7);
    let said = |stream, text: &str, ends| Entry::Said { stream, text: text.into(), ends };
    let ended = Ended {
        exit: Some(65),
        signal: None,
        error: Some("RE-3002".to_owned()),
        duration_ms: 12,
        artifacts: vec!["x y".to_owned()],
    };
    for (line, entry) in [
        (
            "1970-01-01T00:00:00.000001Z log {\"format\":1,\"run\":\"r\",\"step\":\"a[0]\",\"purpose\":\"do\",\"attempt\":1,\
             \"generation\":1,\"agent\":\"shell\",\"part\":2,\"before\":7}\n",
            Entry::Head(head),
        ),
        ("1970-01-01T00:00:00.000001Z out a  b \n", said(Stream::Stdout, "a  b ", true)),
        ("1970-01-01T00:00:00.000001Z out- a\n", said(Stream::Stdout, "a", false)),
        ("1970-01-01T00:00:00.000001Z err \n", said(Stream::Stderr, "", true)),
        ("1970-01-01T00:00:00.000001Z err- 1970 out x\n", said(Stream::Stderr, "1970 out x", false)),
        ("1970-01-01T00:00:00.000001Z cut 12345\n", Entry::Cut(12345)),
        (
            "1970-01-01T00:00:00.000001Z end {\"exit\":65,\"error\":\"RE-3002\",\"duration_ms\":12,\"artifacts\":[\"x y\"]}\n",
            Entry::Ended(ended),
        ),
    ] {
        assert_eq!(written(1, &entry), line);
        assert_eq!(line::read(line.trim_end_matches('\n').as_bytes()), Some((Timestamp(1), entry)));
    }
}

#[test]
fn what_is_no_line_of_a_log_is_told_from_one() {
    for line in [
        "",
        "out",
        "1970-01-01T00:00:00.000001Z",
        "1970-01-01T00:00:00.000001Z out",
        "1970-01-01T00:00:00.00 out x",
        "yesterday out x",
        "1970-01-01T00:00:00.000001Z say x",
        "1970-01-01T00:00:00.000001Z cut many",
        "1970-01-01T00:00:00.000001Z log {}",
        "1970-01-01T00:00:00.000001Z end {\"exit\":\"x\"}",
    ] {
        assert_eq!(line::read(line.as_bytes()), None, "{line}");
    }
}

/// Every byte that a program wrote is read again, and nothing of it is taken for what is said about it.
#[test]
fn whatever_is_written_is_read_again() {
    let all: Vec<u8> = (0..=255).collect();
    for bytes in [&all[..], b"\n\n", b"\r\n\0", b"1970-01-01T00:00:00.000001Z end {}\n", b"no end", b""] {
        let mut log = Vec::new();
        line::put_said(&mut log, Timestamp(1), Stream::Stderr, bytes);
        let mut read = Vec::new();
        for line in log.split_inclusive(|byte| *byte == b'\n') {
            let (_, entry) = line::read(line.strip_suffix(b"\n").unwrap()).unwrap();
            let Entry::Said { stream: Stream::Stderr, text, ends } = entry else { panic!("{entry:?}") };
            read.extend(text);
            read.extend(ends.then_some(b'\n'));
        }
        assert_eq!(read, bytes);
    }
}

#[test]
fn each_attempt_has_a_file_of_its_own_whatever_its_step_is_called() {
    let name = |step: &str, purpose, attempt| file_name(&StepId::grown(step), purpose, attempt);
    assert_eq!(name("build", Purpose::Do, 1), "build.1.log");
    assert_eq!(name("copy[12]#3", Purpose::Compensate, 4), "copy[12]#3.undo.4.log");
    assert_eq!(name("plan/a-b", Purpose::Do, 2), "plan%2Fa-b.2.log");
    assert_eq!(name("../..", Purpose::Do, 1), "%2E%2E%2F%2E%2E.1.log");
    let long = ["x".repeat(300), "x".repeat(301), format!("{}/y", "x".repeat(300))];
    let names: std::collections::BTreeSet<_> = long.iter().map(|step| name(step, Purpose::Do, 1)).collect();
    assert_eq!(names.len(), 3);
    assert!(names.iter().all(|name| name.len() < 250), "{names:?}");
}
