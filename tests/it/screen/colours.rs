//! Where texts have colours, and where they have none.

use std::process::Command;

use super::pty::Terminal;
use crate::support::Sandbox;

/// What a change of colours begins with.
const ESCAPE: char = '\u{1b}';
const GREEN: &str = "\u{1b}[32mcompleted\u{1b}[0m";

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("good.yaml", "name: good\nsteps: [{id: a, run: 'true'}]\n");
    sandbox.write("bad.yaml", "name: bad\nsteps: [{id: a, run: exit 65}]\n");
    sandbox.reenact(&["run", "good.yaml", "--id", "r"]);
    sandbox
}

fn with(mut command: Command, environment: &[(&str, &str)]) -> Command {
    command.envs(environment.iter().copied());
    command
}

#[test]
fn in_a_pipe_there_are_colours_only_where_they_are_asked_for() {
    let sandbox = sandbox();
    for (options, environment, coloured) in [
        (&[][..], &[][..], false),
        (&["--color", "auto"], &[], false),
        (&["--color", "always"], &[], true),
        (&["--color=always"], &[("NO_COLOR", "1"), ("TERM", "dumb")], true),
        (&["--color", "never"], &[("CLICOLOR_FORCE", "1")], false),
        (&[], &[("CLICOLOR_FORCE", "1")], true),
        (&[], &[("CLICOLOR_FORCE", "0")], false),
        (&[], &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], false),
        (&[], &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "")], true),
        (&[], &[("CLICOLOR", "1")], false),
    ] {
        let run = |arguments: &[&str]| {
            sandbox.start(with(sandbox.command(&[options, arguments].concat()), environment)).wait()
        };
        let (status, refused, help) = (run(&["status", "r"]), run(&["status", "x"]), run(&["--help"]));
        let (wrong, failed) = (run(&["frobnicate"]), run(&["run", "bad.yaml"]));
        assert_eq!(status.stdout.contains(GREEN), coloured, "{options:?} {environment:?}: {status}");
        for (text, ended) in [
            (&status.stdout, &status),
            (&refused.stderr, &refused),
            (&help.stdout, &help),
            (&wrong.stderr, &wrong),
            (&failed.stdout, &failed),
            (&failed.stderr, &failed),
        ] {
            assert_eq!(text.contains(ESCAPE), coloured, "{options:?} {environment:?}: {ended}");
        }
        // Programs read JSON: that has none.
        let json = run(&["--json", "status", "r"]);
        assert!(!json.stdout.contains(ESCAPE) && json.code() == Some(0), "{json}");
    }
}

#[test]
fn on_a_terminal_there_are_colours_unless_somebody_wants_none() {
    let sandbox = sandbox();
    for (options, environment, coloured) in [
        (&[][..], &[][..], true),
        (&["--color", "never"], &[], false),
        (&["--color", "auto"], &[("NO_COLOR", "1")], false),
        (&["--color", "always"], &[("NO_COLOR", "1")], true),
        (&[], &[("CLICOLOR", "0")], false),
        (&[], &[("TERM", "dumb")], false),
    ] {
        let command = sandbox.command(&[options, &["status", "r"]].concat());
        let mut terminal = Terminal::start(with(command, environment), (24, 80));
        assert_eq!(terminal.wait(), Some(0));
        assert_eq!(terminal.was_told(GREEN), coloured, "{options:?} {environment:?}");
        assert_eq!(terminal.was_told("\u{1b}"), coloured, "{options:?} {environment:?}");
    }
}

/// A person without colours wants to see what runs all the same.
#[test]
fn without_colours_what_runs_is_still_seen() {
    let sandbox = super::busy();
    let command = sandbox.command(&["run", "busy.yaml", "--id", "r"]);
    let mut terminal = Terminal::start(with(command, &[("NO_COLOR", "1")]), (24, 80));
    terminal.when("all run", |lines| lines.iter().any(|line| line.contains("16 running")));
    sandbox.write("go", "");
    assert_eq!(terminal.wait(), Some(0));
    assert!(!terminal.was_told("m▸") && !terminal.was_told("[32m"));
}

#[test]
fn each_outcome_has_its_colour() {
    let sandbox = sandbox();
    sandbox.write("ask.yaml", "name: ask\nsteps: [{id: a, run: 'true', approve: before}]\n");
    sandbox.write("skip.yaml", "name: skip\nsteps: [{id: a, run: 'true', if: 'false'}]\n");
    for (file, word, style) in [
        ("good.yaml", "completed", "32"),
        ("bad.yaml", "failed", "1m\u{1b}[31"),
        ("ask.yaml", "waiting", "33"),
        ("skip.yaml", "skipped", "2"),
    ] {
        let ended = sandbox.reenact(&["--color", "always", "run", file]);
        let coloured = format!("\u{1b}[{style}m{word}\u{1b}[0m");
        assert!(ended.stdout.contains(&coloured), "{coloured:?}: {:?}", ended.stdout);
    }
}
