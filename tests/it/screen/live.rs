//! What is seen of a run while it goes on, on a terminal.

use super::pty::Terminal;
use super::{BUSY, busy};
use crate::support::Sandbox;

/// The lines of attempts, and what is said below them.
fn is_attempt(line: &str) -> bool {
    line.starts_with("▸ ")
}

#[test]
fn with_more_attempts_than_rows_the_last_line_says_how_far_all_of_it_is() {
    let sandbox = busy();
    let command = sandbox.command(&["run", "busy.yaml", "--id", "r"]);
    let terminal = Terminal::start(command, (10, 80));
    let lines = terminal.when("all run and say how far they are", |lines| {
        lines.iter().any(|line| line.contains("16 running"))
            && lines.iter().filter(|line| is_attempt(line)).all(|line| line.contains("40% compiling"))
    });
    assert!(lines.len() <= 10, "{lines:#?}");
    assert!(lines.last().unwrap().starts_with("0 of 18 steps done, 16 running"), "{lines:#?}");
    let attempts: Vec<_> = lines.iter().filter(|line| is_attempt(line)).collect();
    assert_eq!(attempts.len(), 7, "{lines:#?}");
    assert_eq!(lines[lines.len() - 2], "  +9 more");
    let of_first = attempts[0].split_whitespace().take(2).collect::<Vec<_>>();
    assert_eq!(of_first, ["▸", "each[0]"]);
    let clock = attempts[0].split_whitespace().nth(2).unwrap();
    assert!(clock.ends_with('s'), "the time that it takes: {lines:#?}");
    sandbox.write("go", "");
    ends_clean(terminal);
}

/// The screen has the result at the end, and nothing of what was drawn before.
fn ends_clean(mut terminal: Terminal) {
    assert_eq!(terminal.wait(), Some(0));
    let lines = terminal.lines();
    let ghosts = lines.iter().filter(|line| is_attempt(line) || line.contains("steps done"));
    assert_eq!(ghosts.count(), 0, "{lines:#?}");
    assert_eq!(lines.iter().filter(|line| line.contains("r  busy  completed")).count(), 1, "{lines:#?}");
}

#[test]
fn on_a_narrow_terminal_each_attempt_has_one_line_and_no_word_goes_on_in_the_next() {
    let sandbox = busy();
    let terminal = Terminal::start(sandbox.command(&["run", "busy.yaml", "--id", "r"]), (10, 40));
    let lines = terminal.when("all run and say how far they are", |lines| {
        lines.iter().any(|line| line.contains("16 running"))
            && lines.iter().filter(|line| is_attempt(line)).all(|line| line.contains("40% comp"))
    });
    let drawn = &lines[lines.len() - 9..];
    assert!(drawn[..7].iter().all(|line| is_attempt(line) && line.ends_with('…')), "{lines:#?}");
    assert_eq!(drawn[7], "  +9 more");
    assert!(drawn[8].starts_with("0 of 18 steps done, 16 running"), "{lines:#?}");
    assert!(drawn.iter().all(|line| line.chars().count() < 40), "{lines:#?}");
    sandbox.write("go", "");
    ends_clean(terminal);
}

#[test]
fn the_lines_follow_the_size_of_the_terminal_and_leave_nothing_behind() {
    let sandbox = busy();
    let terminal = Terminal::start(sandbox.command(&["run", "busy.yaml", "--id", "r"]), (24, 80));
    let count = |lines: &[String]| lines.iter().filter(|line| is_attempt(line)).count();
    terminal.when("all have a line", |lines| count(lines) == 16);
    for (rows, columns, shown) in [(24, 40, 16), (10, 40, 7), (30, 100, 16)] {
        terminal.resize(rows, columns);
        let lines = terminal.when("as many as fit have a line", |lines| {
            count(lines) == shown && lines.last().is_some_and(|line| line.contains("16 running"))
        });
        let sums = lines.iter().filter(|line| line.contains("steps done"));
        assert_eq!(sums.count(), 1, "{rows}x{columns}: {lines:#?}");
    }
    sandbox.write("go", "");
    ends_clean(terminal);
}

#[test]
fn ctrl_c_takes_the_lines_away_and_says_how_the_run_goes_on() {
    let sandbox = busy();
    let mut command = sandbox.command(&["run", "busy.yaml", "--id", "r"]);
    command.env("REENACT_SHUTDOWN__GRACE", "200ms").env("REENACT_PROCESS__GRACE", "200ms");
    let mut terminal = Terminal::start(command, (24, 80));
    terminal.when("all run", |lines| lines.iter().any(|line| line.contains("16 running")));
    terminal.interrupt();
    assert_eq!(terminal.wait(), Some(130));
    assert_eq!(
        terminal.lines(),
        [
            "run r",
            "interrupted: what runs may end; press ctrl-c again to stop it at once",
            "interrupted: go on with `reenact resume r`",
        ]
    );
    sandbox.write("go", "");
    let resumed = Terminal::start(sandbox.command(&["resume", "r"]), (24, 80));
    ends_clean(resumed);
}

/// What is said meanwhile stands above the lines, whole.
#[test]
fn warnings_stand_above_the_lines() {
    let sandbox = Sandbox::new();
    let busy =
        BUSY.replace("steps:\n", "steps:\n  - {id: bad, run: exit 3, on_error: continue, needs: []}\n");
    sandbox.write("busy.yaml", busy.replace("for_each:", "needs: []\n    for_each:"));
    let terminal = Terminal::start(sandbox.command(&["run", "busy.yaml", "--id", "r"]), (24, 80));
    let lines = terminal.when("all run, and one has failed", |lines| {
        lines.iter().any(|line| line.contains("16 running"))
            && lines.iter().any(|line| line.contains("`bad` failed"))
    });
    let warned = lines.iter().position(|line| line.starts_with("warning: step `bad` failed")).unwrap();
    let first = lines.iter().position(|line| is_attempt(line)).unwrap();
    assert!(warned < first, "{lines:#?}");
    sandbox.write("go", "");
    let mut terminal = terminal;
    assert_eq!(terminal.wait(), Some(0));
    let lines = terminal.lines();
    assert!(lines.iter().all(|line| !is_attempt(line)), "{lines:#?}");
}

/// A terminal may be far away: what is drawn of many short steps is bounded by time, not by their number.
#[test]
fn a_run_of_2000_steps_writes_less_than_200_kb_to_the_terminal() {
    let sandbox = Sandbox::new();
    let items = (0..2000).map(|item| item.to_string()).collect::<Vec<_>>().join(",");
    sandbox.write(
        "w.yaml",
        format!("name: many\nsteps:\n  - {{id: each, for_each: '[{items}]', run: 'true'}}\n"),
    );
    let mut command = sandbox.command(&["run", "w.yaml", "--id", "r"]);
    command.env("REENACT_STORE__DURABILITY", "process");
    let mut terminal = Terminal::start(command, (24, 80));
    assert_eq!(terminal.wait(), Some(0));
    let lines = terminal.lines();
    assert!(lines.iter().any(|line| line.contains("✓ each") && line.contains("2000 ✓")), "{lines:#?}");
    assert!(terminal.was_told("of 2001 steps done"), "nothing was drawn: the test shows nothing");
    assert!(terminal.bytes() < 200_000, "{}", terminal.bytes());
}

#[test]
fn a_terminal_that_cannot_take_lines_back_gets_a_line_for_each_thing_that_happens() {
    let sandbox = busy();
    sandbox.write("go", "");
    let mut command = sandbox.command(&["run", "busy.yaml", "--id", "r"]);
    command.env("TERM", "dumb");
    let mut terminal = Terminal::start(command, (60, 100));
    assert_eq!(terminal.wait(), Some(0));
    assert!(terminal.was_told("each[3]: started, by shell\r\n") && !terminal.was_told("\u{1b}"));
}
