//! The keys, and where they lead.

use rustix::process::{Pid, Signal, kill_process};

use super::{SIZES, Terminal, newest, versions, with_failure};
use crate::support::{Sandbox, wait_for, wait_until};

/// Of 43 steps nobody ever saw the last, which was the one that failed.
#[test]
fn the_next_failure_is_one_key_away_and_its_value_is_shown_whole() {
    let sandbox = with_failure();
    let newest = newest(&sandbox);
    let failed = versions(&sandbox, &["attempt_failed"]);
    for size in SIZES {
        let mut terminal = Terminal::start(&sandbox, size, &["replay", "r"]);
        terminal.when_shown(&format!("version {newest} of {newest}"), "g");
        terminal.shows("at version 1:");
        assert!(!terminal.screen().contains("deploy"), "{}", terminal.screen());
        terminal.press("n");
        terminal.shows(&format!("version {} of {newest}", failed[0]));
        terminal.shows("attempt_failed deploy");
        terminal.shows("deploy  running");
        terminal.press("n");
        terminal.shows(&format!("version {} of {newest}", failed[1]));
        // The state is that of this version, with the step that it is about.
        terminal.shows(&format!("at version {}", failed[1]));
        terminal.press("\r");
        terminal.shows("attempt_failed  version");
        if size == SIZES[0] {
            // A small screen begins with the words of the event.
            terminal.shows("code: RE-3001");
        }
        terminal.press("G");
        terminal.shows("no such host");
        terminal.when_shown("q: close", "q");
        terminal.shows("q: leave");
        terminal.press("q");
        let (code, screen) = terminal.ends();
        assert_eq!(code, Some(0));
        // What stays is the run as it was at the version that was looked at last.
        assert!(screen.contains("r  long  running  42 of 43 steps"), "{screen}");
    }
}

#[test]
fn keys_lead_to_every_event_and_to_every_step() {
    let sandbox = with_failure();
    let newest = newest(&sandbox);
    let mut terminal = Terminal::start(&sandbox, SIZES[0], &["replay", "r"]);
    let at = |version: u64| format!("version {version} of {newest}");
    for (keys, version) in [
        ("k", newest - 1),
        ("\x1b[A", newest - 2),
        ("j", newest - 1),
        ("\x1b[B", newest),
        ("j", newest),
        ("\x1b[H", 1),
        ("k", 1),
        ("\x1b[C", 2),
        ("\x1b[D", 1),
        // 21 rows are left for events, and one stays.
        ("\x1b[6~", 21),
        ("\x1b[5~", 1),
        ("17\r", 17),
        ("4\x7f9\r", 9),
        ("99999999999999999999\r", newest),
        ("g", 1),
        ("\x1b[F", newest),
    ] {
        terminal.press(keys);
        terminal.shows(&at(version));
        terminal.shows(&format!("at version {version}"));
    }
    let failures = versions(&sandbox, &["attempt_failed", "step_failed", "run_failed"]);
    for version in failures.iter().rev().skip(1).chain([failures.last().unwrap()]) {
        terminal.press("N");
        terminal.shows(&at(*version));
    }
    terminal.when_shown("last failure again", "n");
    terminal.shows("first failure again");
    terminal.shows(&at(failures[0]));
    terminal.press("\t\x1b[H");
    terminal.when_shown("step1 ", "j\r");
    terminal.shows("step step");
    terminal.press("\x1b");
    terminal.when_shown("q: leave", "?");
    terminal.shows("to the next failure");
    terminal.when_shown("ctrl-c", "\x03");
    assert_eq!(terminal.ends().0, Some(0), "ctrl-c leaves, whatever is open");
}

#[test]
fn a_terminal_that_is_made_smaller_or_larger_shows_what_was_looked_at() {
    let sandbox = with_failure();
    let newest = newest(&sandbox);
    let mut terminal = Terminal::start(&sandbox, SIZES[0], &["replay", "r"]);
    terminal.when_shown(&format!("version {newest} of {newest}"), "n");
    terminal.shows("deploy  running");
    for (rows, columns) in [(10, 40), (24, 80), (3, 12), (1, 1), (50, 200), (10, 40)] {
        terminal.resize(rows, columns);
        if rows >= 10 {
            terminal.shows("attempt_failed deploy");
            terminal.shows("deploy  running");
            // The first line, and the last.
            wait_until("all of it is used", || {
                let screen = terminal.screen();
                let last = screen.lines().nth(usize::from(rows) - 1);
                screen.starts_with("long  r") && last.is_some_and(|last| last.starts_with("version 172 of"))
            });
        }
    }
    terminal.press("q");
    assert_eq!(terminal.gives_back().0, Some(0));
}

#[test]
fn only_what_has_changed_is_drawn() {
    let sandbox = with_failure();
    let newest = newest(&sandbox);
    let mut terminal = Terminal::start(&sandbox, (24, 80), &["replay", "r"]);
    terminal.when_shown(&format!("version {newest} of {newest}"), "k");
    terminal.shows(&format!("at version {}", newest - 1));
    terminal.written();
    terminal.press("j");
    terminal.shows(&format!("at version {newest}"));
    let written = terminal.written();
    assert!(!written.contains("\x1b[2J"), "the screen is never wiped: {written:?}");
    assert!(written.len() < 1_500, "{} bytes for one line down: {written:?}", written.len());
    terminal.press("q");
    terminal.ends();
}

#[test]
fn who_is_told_to_end_gives_the_terminal_back() {
    let sandbox = with_failure();
    let terminal = Terminal::start(&sandbox, SIZES[0], &["replay", "r"]);
    terminal.shows("q: leave");
    kill_process(Pid::from_child(&terminal.child), Signal::TERM).unwrap();
    assert_eq!(terminal.ends().0, Some(130));
}

#[test]
fn for_one_version_for_programs_and_for_a_terminal_that_cannot_draw_it_only_prints() {
    let sandbox = with_failure();
    for arguments in [&["replay", "r", "--at", "2"][..], &["replay", "r", "--json"]] {
        let mut terminal = Terminal::start(&sandbox, SIZES[0], arguments);
        assert_eq!(wait_for("it ends", || terminal.child.try_wait().unwrap()).code(), Some(0));
        assert!(!terminal.written().contains("\x1b[?1049h"), "{arguments:?}");
    }
    let piped = sandbox.reenact(&["replay", "r"]);
    assert_eq!(piped.code(), Some(0), "{piped}");
    assert!(piped.stdout.contains("✗ deploy"), "{piped}");
}

#[test]
fn the_past_of_an_agent_is_walked_through_too() {
    let sandbox = Sandbox::new();
    for order in ["pause", "unpause", "pause"] {
        let ended = sandbox.reenact(&["agents", order, "shell", "--by", "ada"]);
        assert_eq!(ended.code(), Some(0), "{ended}");
    }
    for size in SIZES {
        let mut terminal = Terminal::start(&sandbox, size, &["replay", "agent/shell"]);
        terminal.when_shown("version 3 of 3", "g");
        terminal.when_shown("at version 1", "\r");
        terminal.shows("version 1");
        terminal.shows("ada");
        terminal.press("q");
        terminal.when_shown("q: leave", "q");
        let (code, screen) = terminal.ends();
        assert_eq!(code, Some(0));
        assert!(screen.contains("agent/shell"), "{screen}");
    }
}

// In raw mode ctrl-c is a key as well: nothing ended it while the process that holds the store was stopped.
#[test]
fn who_leaves_does_not_wait_for_a_process_that_does_not_answer() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "w.yaml",
        "name: w\nsteps: [{id: a, run: 'touch up; while [ ! -e go ]; do sleep 0.01; done'}]",
    );
    let run = sandbox.spawn(&["run", "w.yaml", "--id", "r"]);
    wait_until("it runs", || sandbox.work("up").exists());
    for key in ["q", "\u{3}"] {
        let mut terminal = Terminal::start(&sandbox, (24, 80), &["replay", "r"]);
        terminal.shows("attempt_started");
        run.freeze();
        terminal.press("k");
        terminal.press(key);
        assert_eq!(terminal.ends().0, Some(0), "{key:?}");
        run.thaw();
    }
    sandbox.write("go", "");
    assert_eq!(run.wait().code(), Some(0));
}
