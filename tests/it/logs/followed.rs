//! Beside a run, while it runs; and when whoever drove it was killed.

use std::fs;
use std::time::{Duration, Instant};

use super::{lines, logs, sorted, with};
use crate::support::{Process, Sandbox, wait_for, wait_until};

/// Says something, also half a line, and goes on when the file `go` is there.
const WAITS: &str = "  - id: a
    run: 'echo out $REENACT_ATTEMPT; echo err >&2; printf half; until [ -e go ]; do sleep 0.01; done; echo done'
  - {id: b, run: echo after}
";

fn at_work() -> (Sandbox, Process) {
    let sandbox = with(WAITS);
    let holder = sandbox.spawn(&["run", "w.yaml", "--id", "r"]);
    wait_until("it has said all", || said(&sandbox) >= 3);
    (sandbox, holder)
}

/// How many lines of its log the program wrote.
fn said(sandbox: &Sandbox) -> usize {
    let log = fs::read_to_string(sandbox.data().join("runs/r/logs/a.1.log")).unwrap_or_default();
    log.lines().filter(|line| line.contains(" out") || line.contains(" err")).count()
}

#[test]
fn who_follows_a_run_of_another_process_sees_each_line_until_the_run_rests() {
    let (sandbox, holder) = at_work();
    // Without -f it shows what there is, and half a line as well.
    assert_eq!(sorted(&logs(&sandbox, &["r", "a"]).stdout), ["err", "half", "out 1"]);
    let follows = sandbox.spawn(&["logs", "r", "-f"]);
    let json = sandbox.spawn(&["--json", "logs", "r", "a", "--follow"]);
    wait_until("it shows what was said", || sorted(&follows.stdout()) == ["a | err", "a | out 1"]);
    sandbox.write("go", "");
    let (ended, json, holder) = (follows.wait(), json.wait(), holder.wait());
    assert_eq!((ended.code(), json.code(), holder.code()), (Some(0), Some(0), Some(0)), "{ended}{json}");
    assert_eq!(sorted(&ended.stdout), ["a | err", "a | halfdone", "a | out 1", "b | after"]);
    assert!(ended.stdout.ends_with("a | halfdone\nb | after\n"), "{ended}");
    let texts: Vec<_> =
        json.json_lines().iter().map(|line| line["text"].as_str().unwrap().to_owned()).collect();
    assert_eq!((sorted(&texts[..2].join("\n")), texts[2].as_str()), (vec!["err", "out 1"], "halfdone"));
}

/// What the program said, it said: also if nobody was there to record it.
#[test]
fn after_a_crash_all_that_was_said_is_there_and_the_next_attempt_has_a_log_of_its_own() {
    let (sandbox, holder) = at_work();
    let follows = sandbox.spawn(&["logs", "r", "-f"]);
    wait_until("it shows what was said", || sorted(&follows.stdout()) == ["a | err", "a | out 1"]);
    holder.kill();
    let ended = follows.wait();
    assert_eq!(ended.code(), Some(0), "{ended}");
    assert_eq!(sorted(&ended.stdout), ["a | err", "a | half", "a | out 1"], "{ended}");
    assert_eq!(sandbox.status("r")["driven"], false);
    assert_eq!(sorted(&logs(&sandbox, &["r", "a"]).stdout), ["err", "half", "out 1"]);
    sandbox.write("go", "");
    sandbox.json(0, &["resume", "r"]);
    let of = |attempt| logs(&sandbox, &["r", "a", "--attempt", attempt]).stdout;
    assert_eq!(sorted(&of("1")), ["err", "half", "out 1"]);
    assert_eq!(sorted(&of("2")), ["err", "halfdone", "out 2"]);
    let attempts: Vec<_> =
        lines(&sandbox, &["r"]).iter().map(|line| line["attempt"].as_u64().unwrap()).collect();
    assert_eq!(attempts, [1, 1, 1, 2, 2, 2, 1]);
}

/// The figure: a line is shown within 100 ms of being written. On a busy machine the best of several counts.
#[test]
fn a_line_is_shown_soon_after_it_was_written() {
    let sandbox = with("  - {id: a, run: 'until [ -e go ]; do date +%s%N; sleep 0.2; done'}\n");
    let holder = sandbox.spawn(&["run", "w.yaml", "--id", "r"]);
    wait_until("it says something", || sandbox.data().join("runs/r/logs/a.1.log").exists());
    let follows = sandbox.spawn(&["logs", "r", "a", "-f"]);
    let (mut seen, mut best) = (0, Duration::MAX);
    let deadline = Instant::now() + Duration::from_secs(20);
    while best > Duration::from_millis(100) && Instant::now() < deadline {
        let line =
            wait_for("the next line is shown", || follows.stdout().lines().nth(seen).map(str::to_owned));
        let shown = std::time::UNIX_EPOCH.elapsed().unwrap();
        seen += 1;
        let written = Duration::from_nanos(line.parse().unwrap());
        best = best.min(shown.saturating_sub(written));
    }
    sandbox.write("go", "");
    assert!(best <= Duration::from_millis(100), "{best:?}");
    assert_eq!(follows.wait().code(), Some(0));
    assert_eq!(holder.wait().code(), Some(0));
}

#[test]
fn a_run_that_waits_for_somebody_rests() {
    let sandbox = with("  - {id: a, run: echo said}\n  - {id: b, wait_for: news}\n");
    sandbox.json(4, &["run", "w.yaml", "--id", "r"]);
    assert_eq!(logs(&sandbox, &["r", "-f"]).stdout, "a | said\n");
}

#[test]
fn who_stops_following_stops_nothing() {
    let (sandbox, mut holder) = at_work();
    let follows = sandbox.spawn(&["logs", "r", "-f"]);
    wait_until("it shows what was said", || sorted(&follows.stdout()) == ["a | err", "a | out 1"]);
    follows.interrupt();
    assert_eq!(follows.wait().code(), Some(130));
    assert!(holder.is_running());
    sandbox.write("go", "");
    assert_eq!(holder.wait().code(), Some(0));
}

/// Its programs have logs of their own, in the folder of that run.
#[test]
fn what_a_child_says_is_found() {
    let sandbox = with("  - {id: sub, workflow: child.yaml}\n");
    sandbox.write("child.yaml", "name: child\nsteps: [{id: inner, run: echo said}]\n");
    let ended = sandbox.reenact(&["run", "w.yaml", "--id", "r", "--show", "prefixed"]);
    assert_eq!(ended.code(), Some(0), "{ended}");
    assert!(ended.stderr.contains("\nsub > inner | said\n"), "{ended}");
    let told = logs(&sandbox, &["r"]);
    let command =
        told.stderr.lines().find_map(|line| line.split_once("a run of its own: reenact logs ")).unwrap();
    assert_eq!(logs(&sandbox, &[command.1]).stdout, "inner | said\n");
}
