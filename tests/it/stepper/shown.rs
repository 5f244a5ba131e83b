//! What is shown, whatever it is.

use super::{SIZES, Terminal};
use crate::support::Sandbox;

/// What an event says may lie beside it: then it names only a hash.
#[test]
fn a_value_that_is_stored_beside_its_event_is_shown_whole() {
    let sandbox = Sandbox::new();
    let long: String = (1..200).map(|line| format!("line {line} of what is asked\\n")).collect();
    sandbox.write("w.yaml", format!("name: w\nsteps: [{{id: a, run: [printf, \"%s\", \"{long}\"]}}]"));
    sandbox.json(0, &["run", "w.yaml", "--id", "r"]);
    let started = super::versions(&sandbox, &["attempt_started"])[0];
    assert!(sandbox.history("r")[started as usize - 1]["data"]["input"]["blob"].is_string());
    for size in SIZES {
        let mut terminal = Terminal::start(&sandbox, size, &["replay", "r"]);
        terminal.when_shown("q: leave", &format!("{started}\r"));
        terminal.when_shown(&format!("at version {started}"), "\r");
        terminal.shows("attempt_started  version");
        terminal.scrolls_to("line 1 of what is asked");
        terminal.scrolls_to("line 199 of what is asked");
        terminal.scrolls_to("a  running");
        terminal.press("qq");
        terminal.ends();
    }
}

#[test]
fn nothing_that_a_program_says_acts_on_the_screen() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "w.yaml",
        r#"{"name": "w", "steps": [{"id": "a", "run": "printf '\\033[2J\\033[?1049lgone\\007日本' >&2; exit 65"}]}"#,
    );
    sandbox.json(1, &["run", "w.yaml", "--id", "r"]);
    for size in SIZES {
        let mut terminal = Terminal::start(&sandbox, size, &["replay", "r"]);
        terminal.when_shown("q: leave", "n\r");
        terminal.shows("attempt_failed  version");
        terminal.scrolls_to("gone 日本");
        assert!(terminal.is_taken());
        assert!(!terminal.written().contains("\x1b[2J\x1b[?1049l"));
        terminal.press("\x03");
        terminal.ends();
    }
}
