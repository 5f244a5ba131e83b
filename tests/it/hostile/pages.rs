//! Pages and terminals: whatever the texts are that come from outside, what a page says of its own stays what it is.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use reenact::testing::Dice;
use serde_json::{Value, json};

use super::kit::play;
use super::runs::unprintable;
use super::words;
use crate::support::Sandbox;

/// The texts of one case. None of them changes what is asked, only how it is worded.
struct Texts {
    name: String,
    description: String,
    value: String,
    answer: String,
    tag: String,
    by: String,
    note: String,
    file: String,
}

impl Texts {
    fn of(mut text: impl FnMut() -> String) -> Self {
        let line = |text: String| -> String { text.chars().filter(|character| *character != '\0').collect() };
        let mut text = || Some(line(text())).filter(|text| !text.trim().is_empty()).unwrap_or("x".to_owned());
        Self {
            name: text(),
            description: text(),
            value: text(),
            answer: text(),
            tag: text(),
            by: text(),
            note: text(),
            file: text().replace('/', "-").chars().take(40).collect(),
        }
    }

    fn workflow(&self) -> String {
        json!({
            "name": self.name,
            "description": self.description,
            "steps": [
                {"id": "look", "run": ["cat", "answer"], "compensate": {"run": ["true"]}},
                {"id": "ship", "agent": "shipper", "with": {"to": self.value}, "approve": "before", "needs": ["look"]},
            ],
        })
        .to_string()
    }
}

fn git(sandbox: &Sandbox, arguments: &[&str]) {
    let mut git = Command::new("git");
    git.current_dir(sandbox.work(""))
        .env("HOME", sandbox.root().join("home"))
        .env("GIT_CONFIG_NOSYSTEM", "1");
    git.args(["-c", "user.name=ada", "-c", "user.email=ada@localhost"]).args(arguments);
    assert!(git.output().unwrap().status.success(), "{arguments:?}");
}

/// Asks for an approval with such texts and refuses it. Answers the pages that were written, in order, and what was
/// printed; nothing where the workflow is refused, as one whose name would not fit on a line.
fn pages(texts: &Texts) -> Option<(Vec<String>, String)> {
    let sandbox = Sandbox::new();
    git(&sandbox, &["init", "-q", "."]);
    sandbox.write("answer", &texts.answer);
    git(&sandbox, &["add", "answer"]);
    git(&sandbox, &["commit", "-q", "-m", "first"]);
    sandbox.write(
        "agents/shipper.md",
        "---\nname: shipper\ndescription: ships\nexecutor: subprocess\ncommand: [\"true\"]\n---\n",
    );
    sandbox.write("w.json", texts.workflow());
    let _ = fs::write(sandbox.work(&texts.file), "new");
    let tag = format!("t={}", texts.tag.split_whitespace().collect::<String>());
    let mut printed = String::new();
    let mut say = |arguments: &[&str]| {
        let ended = sandbox.reenact(arguments);
        printed.push_str(&ended.stdout);
        printed.push_str(&ended.stderr);
        ended.code()
    };
    let tagged = say(&["run", "w.json", "--id", "r", "--tag", &tag]);
    if tagged != Some(4) && say(&["run", "w.json", "--id", "r"]) != Some(4) {
        return None;
    }
    let by =
        say(&["reject", "r", "ship", &format!("--by={}", texts.by), &format!("--reason={}", texts.note)]);
    if by != Some(0) {
        assert_eq!(say(&["reject", "r", "ship", "--by=ada", "--reason=no"]), Some(0));
    }
    say(&["resume", "r"]);
    for verb in [&["status", "r"][..], &["list"], &["history", "r"], &["transcript", "r", "look"]] {
        assert_eq!(say(verb), Some(0), "{printed}");
    }
    let folder = sandbox.data().join("runs/r");
    let mut found: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.retain(|path| path.extension().is_some_and(|end| end == "md"));
    // The id of a request follows from its content: the kind of page orders them.
    found.sort_by_key(|path| path.file_name().unwrap().to_string_lossy().chars().take(4).collect::<String>());
    Some((found.iter().map(|path| fs::read_to_string(path).unwrap()).collect(), printed))
}

/// What a page says of its own: its headings and what begins each line. What differs in length only is one.
fn shape(page: &str) -> Vec<String> {
    let mut shape: Vec<String> = Vec::new();
    for line in page.lines() {
        let kind = match line {
            line if line.starts_with("## ") => line.to_owned(),
            line if line.starts_with("    ") => "    ".to_owned(),
            line => line.chars().take_while(|first| "#-*|`>+=123456789.".contains(*first)).collect(),
        };
        if shape.last() != Some(&kind) {
            shape.push(kind);
        }
    }
    shape
}

#[test]
fn no_text_changes_what_a_page_says_or_does_anything_to_a_terminal() {
    let plain = Texts::of(|| "plain".to_owned());
    let (usual, _) = pages(&plain).unwrap();
    let mut asked = 0;
    play(30, |seed, mut dice: Dice| {
        let texts = Texts::of(|| words::text(&mut dice).chars().take(3_000).collect());
        let Some((pages, printed)) = pages(&texts) else { return };
        asked += 1;
        assert_eq!(pages.len(), usual.len(), "seed {seed}");
        for (page, usual) in pages.iter().zip(&usual) {
            assert_eq!(shape(page), shape(usual), "seed {seed}:\n{page}");
            assert_eq!(unprintable(page), None, "seed {seed}:\n{page:?}");
            let said = |what: &str| page.lines().any(|line| line.trim() == what);
            assert!(!said("It is **granted**."), "seed {seed}:\n{page}");
        }
        assert_eq!(unprintable(&printed), None, "seed {seed}:\n{printed:?}");
    });
    assert!(
        asked != 0 || std::env::var_os("REENACT_FUZZ_SEED").is_some(),
        "nothing was asked: this shows nothing"
    );
}

#[test]
fn documents_for_programs_are_one_line_whatever_they_hold() {
    play(10, |seed, mut dice| {
        let sandbox = Sandbox::new();
        let note = words::text(&mut dice).replace('\0', "");
        sandbox.write("w.yaml", "name: w\nsteps: [{id: a, wait_for: go}]");
        sandbox.json(4, &["run", "w.yaml", "--id", "r"]);
        let data = serde_json::to_string(&note).unwrap();
        sandbox.json(0, &["signal", "r", "go", &data]);
        let run = sandbox.json(0, &["resume", "r"]);
        assert_eq!(run["steps"][0]["output"], Value::String(note), "seed {seed}");
        for line in sandbox.reenact(&["--json", "history", "r"]).stdout.lines() {
            assert_eq!(unprintable(line), None, "seed {seed}: {line:?}");
        }
    });
}
