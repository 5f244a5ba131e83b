//! What comes from outside is a part of the line that it is shown in: on a page, on a terminal, in a table, in JSON.

use std::fs;

use serde_json::Value;

use crate::support::{Ended, Sandbox};

/// Characters that act on a terminal, break a line, turn its direction or have no width.
const EVIL: &str =
    "\u{1b}]0;owned\u{7}\u{1b}[2J\u{9b}1m\u{7f}\u{202e}\u{2066}\u{200b}\u{2028}\r\n## Forged\n";

/// Whether a character does something to what shows it.
fn acts(character: char) -> bool {
    character.is_control()
        || ('\u{200b}'..='\u{200f}').contains(&character)
        || ('\u{2028}'..='\u{202e}').contains(&character)
        || ('\u{2060}'..='\u{206f}').contains(&character)
        || character == '\u{feff}'
}

/// Asserts that nothing acts in what was written, but what separates lines, and that no line is forged.
fn assert_harmless(ended: &Ended) {
    for text in [&ended.stdout, &ended.stderr] {
        let odd: Vec<char> =
            text.chars().filter(|character| *character != '\n' && acts(*character)).collect();
        assert!(odd.is_empty(), "{odd:?} in {text:?}\n{ended}");
        assert!(!text.lines().any(|line| line.starts_with("## Forged")), "{ended}");
    }
}

const HOSTILE: &str = r#"
name: "`evil` # *name* <b>x</b> [a](http://b)"
on_failure: stop
steps:
  - id: a
    run: |
      : >"$(printf 'a\033[31m')"
      printf 'ARTIFACT: a\033[31m\nout \033]0;t\007 \302\233 \342\200\256 \342\200\250 end'; printf 'err \033[2J\n' >&2
  - id: b
    run: printf 'boom \033[2J\302\233 \342\200\256\r## Forged' >&2; exit 65
    on_error: continue
  - {id: c, agent: x, prompt: p, with: {"k\u001b[31m\u202e": "v\u009b\u2028"}, approve: before, checklist: ["`x` ## y"], approvers: ["*ada* `x`", bob]}
output: {"key\u001b[2J\u202e": "{{ steps.a.output.stdout }}"}
"#;

const AGENT: &str = "---\nname: x\ndescription: x\nexecutor: subprocess\ncommand: [cat]\n---\n";

fn waiting() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("w.yaml", HOSTILE);
    sandbox.write("agents/x.md", AGENT);
    let ended = sandbox.reenact(&["run", "w.yaml", "--id", "r", "--tag", "key=[v](x)"]);
    assert_eq!(ended.code(), Some(4), "{ended}");
    assert_harmless(&ended);
    sandbox
}

fn page(sandbox: &Sandbox) -> String {
    let pages = fs::read_dir(sandbox.data().join("runs/r")).unwrap().map(|entry| entry.unwrap().path());
    let page = pages.into_iter().find(|path| path.to_string_lossy().ends_with(".md")).unwrap();
    fs::read_to_string(page).unwrap()
}

#[test]
fn no_verb_shows_a_text_from_outside_as_it_is() {
    let sandbox = waiting();
    let said = format!("because{EVIL}");
    let who = format!("eve{EVIL}");
    for (code, arguments) in [
        (0, &["list"][..]),
        (0, &["status", "r"]),
        (0, &["history", "r"]),
        (0, &["replay", "r"]),
        (0, &["logs", "r"]),
        (0, &["logs", "r", "b"]),
        (0, &["transcript", "r", "a"]),
        (0, &["transcript", "r", "b"]),
        (0, &["verify"]),
        (2, &["status", EVIL]),
        (2, &["approve", "r", EVIL]),
        (2, &["approve", "r", "c", "--by", &who]),
        (2, &["approve", "r", "c", "--by", "bob", "--set", &said]),
        (2, &["transcript", "r", EVIL]),
        (2, &["retry", "r", "--step", EVIL]),
        (2, &["run", EVIL]),
        (2, &["validate", EVIL]),
        (2, &[EVIL]),
        (2, &["run", "w.yaml", EVIL]),
        (2, &["list", "--status", EVIL]),
        (2, &["--data", EVIL, "status", "r"]),
        (0, &["signal", "r", EVIL, "\"\u{9b}\u{2028}\""]),
        (0, &["pause", "r", "--by", &who, "--reason", &said]),
        (0, &["unpause", "r"]),
        (0, &["reject", "r", "c", "--by", "bob", "--reason", &said]),
        (0, &["history", "r"]),
        (0, &["status", "r"]),
        (0, &["list"]),
    ] {
        let ended = sandbox.reenact(arguments);
        assert_eq!(ended.code(), Some(code), "{arguments:?}: {ended}");
        assert_harmless(&ended);
    }
}

#[test]
fn json_is_one_line_in_which_nothing_acts_and_means_the_same() {
    let sandbox = waiting();
    for arguments in [&["status", "r"][..], &["list"], &["history", "r"], &["transcript", "r", "a"]] {
        let ended = sandbox.reenact(&[&["--json"], arguments].concat());
        assert!(
            !ended.stdout.chars().any(|character| character != '\n' && acts(character)),
            "{:?}",
            ended.stdout
        );
        assert!(!ended.json_lines().is_empty());
    }
    let said = sandbox.json(0, &["transcript", "r", "a"])["stdout"].clone();
    assert!(said.as_str().unwrap().contains("\u{1b}]0;t\u{7} \u{9b} \u{202e} \u{2028} end"), "{said:?}");
}

#[test]
fn a_page_has_the_headings_that_it_has_and_no_markdown_from_outside() {
    let sandbox = waiting();
    let page = page(&sandbox);
    assert!(!page.chars().any(|character| character != '\n' && acts(character)), "{page:?}");
    let headings: Vec<_> = page.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    let wanted =
        ["What is asked", "What ran so far", "State of the work folder", "Checklist", "How to answer"];
    assert_eq!(headings, wanted, "{page}");
    assert!(page.contains("of `` `evil` # *name* <b>x</b> [a](http://b) ``, run `r`"), "{page}");
    assert!(page.contains("- [ ] 1. \\`x\\` \\#\\# y"), "{page}");
    assert!(page.contains("``*ada* `x` ``") || page.contains("`` *ada* `x` ``"), "{page}");
    assert!(page.contains("RE-3002: exit 65: boom"), "{page}");
}

#[test]
fn what_was_found_is_kept_as_data_and_never_read_from_a_page() {
    let sandbox = waiting();
    let file = fs::read_dir(sandbox.data().join("runs/r")).unwrap().map(|entry| entry.unwrap().path());
    let file = file.into_iter().find(|path| path.to_string_lossy().ends_with(".found.json")).unwrap();
    let found: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    assert_eq!(found["folder"], sandbox.work("").to_str().unwrap().trim_end_matches('/'));
    let whole = page(&sandbox);
    // A page that somebody else wrote is written over, whatever it says.
    let path = fs::read_dir(sandbox.data().join("runs/r")).unwrap().map(|entry| entry.unwrap().path());
    let path = path.into_iter().find(|path| path.to_string_lossy().ends_with(".md")).unwrap();
    fs::write(&path, "# x\n\n## State of the work folder\n\n- clean\n\n## How to answer\n").unwrap();
    sandbox.json(4, &["resume", "r"]);
    assert_eq!(page(&sandbox), whole);
}

#[test]
fn names_and_tags_with_control_characters_are_refused_on_the_way_in() {
    let sandbox = Sandbox::new();
    for name in ["two\\nlines", "red\\e[31m", "c1\\x9b", "rtl\\u202e", "sep\\u2028p", "iso\\u2066lated"] {
        sandbox.write("w.yaml", format!("name: \"{name}\"\nsteps: [{{id: a, run: 'true'}}]\n"));
        for arguments in [&["validate", "w.yaml"][..], &["run", "w.yaml"]] {
            let ended = sandbox.reenact(arguments);
            assert_eq!(ended.code(), Some(2), "{name}: {ended}");
            assert!(
                format!("{}{}", ended.stdout, ended.stderr).contains("error[RE-1104]"),
                "{name}: {ended}"
            );
            assert_harmless(&ended);
        }
    }
    sandbox.write("w.yaml", "name: Überweisung ✔️\nsteps: [{id: a, run: 'true'}]\n");
    for tag in ["k\nk=v", "k=v\u{1b}[2J", "k=\u{202e}v"] {
        let ended = sandbox.reenact(&["run", "w.yaml", "--tag", tag]);
        assert_eq!(ended.code(), Some(2), "{ended}");
        assert_harmless(&ended);
    }
    assert_eq!(sandbox.reenact(&["run", "w.yaml", "--tag", "größe=✔️"]).code(), Some(0));
    assert!(sandbox.reenact(&["list"]).stdout.contains("größe=✔️"));
}

#[test]
fn what_a_program_said_keeps_its_lines_and_tabs_in_a_transcript() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "w.yaml",
        "steps: [{id: a, run: \"printf 'one\\\\n\\\\ttwo\\\\033[2J\\\\rthree\\\\342\\\\200\\\\256'\"}]\n",
    );
    sandbox.json(0, &["run", "w.yaml", "--id", "r"]);
    let said = sandbox.reenact(&["transcript", "r", "a"]).stdout;
    assert!(said.ends_with("── stdout\none\n\ttwo [2J three\u{fffd}\n"), "{said:?}");
}

#[test]
fn a_name_as_long_as_a_book_does_not_flood_a_table() {
    let sandbox = Sandbox::new();
    // As long as is taken: with the run's tags, a name has to fit into its row of the list.
    let name = "n".repeat(3_000);
    sandbox.write("w.yaml", format!("name: {name}\nsteps: [{{id: a, run: 'true', phase: p}}]\n"));
    let ended = sandbox.reenact(&["run", "w.yaml", "--id", "r"]);
    assert_eq!(ended.code(), Some(0), "{ended}");
    for shown in [ended, sandbox.reenact(&["list"]), sandbox.reenact(&["status", "r"])] {
        assert!(shown.stdout.contains("nnn…") && shown.stdout.len() < 2_000, "{}", shown.stdout.len());
    }
    assert_eq!(sandbox.status("r")["workflow"], name, "programs have all of it");
}
