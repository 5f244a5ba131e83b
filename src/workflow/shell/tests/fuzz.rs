//! Commands made by chance, with hostile values, for real shells. What the reader accepts is run by
//! every shell that is installed: no value may become a command, and each must arrive as the words
//! that it stands for.
//!
//! `REENACT_SHELL_SEEDS=500000` makes more of them than usual, `REENACT_SHELL_SEED=17` that one alone.

mod attacks;
mod grammar;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use super::*;
use crate::events::ids::RunId;
use crate::events::json::Json;
use crate::workflow::expression::view::LazyView;
use crate::workflow::scope::Scope;
use crate::workflow::template::{Node, Template};
use grammar::Made;

/// How many texts are made by default.
const SEEDS: u64 = 20_000;

/// How often each kind of command must have been accepted and run.
const OF_EACH_KIND: usize = 20;

/// What the shells run before a text. `show` writes its arguments at once, to a place that no redirection of
/// the text reaches; the limits bound what a text can do by mistake.
const PRELUDE: &str = "ulimit -t 2; ulimit -f 200; exec 9>&1; between=$(printf '\\3')
show() { local IFS; IFS=$between; printf '%s\\4' \"$*\" >&9; }
";

#[test]
fn no_value_becomes_a_command_in_any_text_that_is_accepted() {
    if let Some(seed) = number("REENACT_SHELL_SEED") {
        let made = Made::of(seed);
        let Some(text) = command(&made) else { panic!("not accepted: {}", made.source) };
        assert_eq!(Shells::new().wrong(&made, &text), None, "{}\n{}\n{text}", made.source, made.input);
        return;
    }
    let next = AtomicU64::new(0);
    let (failed, kinds) = (Mutex::new(Vec::new()), Mutex::new(BTreeMap::<&str, usize>::new()));
    let seeds = number("REENACT_SHELL_SEEDS").unwrap_or(SEEDS);
    std::thread::scope(|threads| {
        for _ in 0..4 {
            threads.spawn(|| {
                let shells = Shells::new();
                while let Some(seed) = Some(next.fetch_add(1, Ordering::Relaxed)).filter(|seed| *seed < seeds)
                {
                    let made = Made::of(seed);
                    let Some(text) = command(&made) else { continue };
                    if let Some(wrong) = shells.wrong(&made, &text) {
                        failed.lock().unwrap().push(format!("seed {seed}: {wrong}\n{text}"));
                    }
                    let mut kinds = kinds.lock().unwrap();
                    made.kinds.iter().for_each(|kind| *kinds.entry(kind).or_default() += 1);
                }
            });
        }
    });
    let (failed, kinds) = (failed.into_inner().unwrap(), kinds.into_inner().unwrap());
    let some = failed.iter().take(5).cloned().collect::<Vec<_>>().join("\n\n");
    assert!(failed.is_empty(), "{} texts\n{some}", failed.len());
    let rare: Vec<_> = grammar::KINDS
        .iter()
        .filter(|kind| kinds.get(**kind).is_none_or(|seen| *seen < OF_EACH_KIND))
        .collect();
    assert!(seeds < SEEDS || rare.is_empty(), "hardly any of {rare:?} in {kinds:?}");
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// The command that the shell gets; none if the text is not accepted or cannot be rendered.
fn command(made: &Made) -> Option<String> {
    // A brace before a value makes `{{{` of it, which is no text.
    let node = Node::text(&made.source).ok()?;
    let Node::Text { pieces, .. } = &node else { return None };
    if !misplaced(&made.source, pieces).is_empty() {
        return None;
    }
    let scope = Scope {
        input: Json::parse(&made.input).unwrap(),
        run: RunId::parse("r").unwrap(),
        env: BTreeMap::new(),
        steps: BTreeMap::new(),
        context: BTreeMap::new(),
        contexts: BTreeMap::new(),
        item: None,
        round: None,
        answer: None,
        undone: None,
    };
    Template::new(node).render_shell(&LazyView::new(&scope)).ok()
}

/// The shells of this machine, and the only folder that they find, with nothing in it that a text could harm.
struct Shells {
    folder: tempfile::TempDir,
    shells: Vec<PathBuf>,
}

impl Shells {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (bin, work) = (folder.path().join("bin"), folder.path().join("work"));
        fs::create_dir(&bin).unwrap();
        fs::create_dir(&work).unwrap();
        let canary = folder.path().join("canary");
        fs::write(bin.join("PWN"), format!("#!/bin/sh\necho fired >> {}\n", canary.display())).unwrap();
        Command::new("chmod").arg("+x").arg(bin.join("PWN")).status().unwrap();
        let known = ["/bin/sh", "/bin/dash", "/bin/bash", "/usr/local/bin/bash", "/opt/homebrew/bin/bash"];
        let mut shells: Vec<PathBuf> = Vec::new();
        for shell in known.map(PathBuf::from).into_iter().filter(|shell| shell.exists()) {
            let real = fs::canonicalize(&shell).unwrap();
            if !shells.iter().any(|other| fs::canonicalize(other).unwrap() == real) {
                std::os::unix::fs::symlink(&shell, bin.join(shell.file_name().unwrap())).unwrap();
                shells.push(shell);
            }
        }
        Self { folder, shells }
    }

    fn each(&self, mut see: impl FnMut(&Path)) {
        self.shells.iter().for_each(|shell| see(shell));
    }

    fn run(&self, shell: &Path, text: &str) -> Vec<u8> {
        let output = Command::new(shell)
            .arg("-c")
            .arg(format!("{PRELUDE}{text}"))
            .env_clear()
            .env("PATH", self.folder.path().join("bin"))
            .current_dir(self.folder.path().join("work"))
            .stdin(Stdio::null())
            .output()
            .unwrap();
        output.stdout
    }

    /// What goes wrong when the shells run a text; none if nothing does.
    fn wrong(&self, made: &Made, text: &str) -> Option<String> {
        let mut wrong = None;
        self.each(|shell| {
            let said = self.run(shell, text);
            let canary = self.folder.path().join("canary");
            if canary.exists() {
                fs::remove_file(&canary).unwrap();
                wrong = Some(format!("{}: a value became a command", shell.display()));
            }
            if let Some(other) = other_words(made, &said) {
                wrong = Some(format!("{}: {other}", shell.display()));
            }
        });
        wrong
    }
}

/// The words that arrived, if they are not those that the text shows: each `show N` as often as it was run.
fn other_words(made: &Made, said: &[u8]) -> Option<String> {
    let said = String::from_utf8_lossy(said);
    let mut shown: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let is_complete = |record: &&str| record.ends_with('\u{4}');
    for record in said.split_inclusive('\u{4}').filter(is_complete) {
        // What the text itself printed stands before it.
        let mut words = record.trim_end_matches('\u{4}').split('\u{3}');
        let before = words.next().unwrap_or_default();
        let number = before.rfind(|c: char| !c.is_ascii_digit()).map_or(before, |at| &before[at + 1..]);
        shown.entry(number).or_default().extend(words);
    }
    for (number, words) in shown {
        let Some(expected) = number.parse().ok().and_then(|number: usize| made.shown.get(number)) else {
            continue;
        };
        let is_right = if expected.is_empty() {
            words.is_empty()
        } else {
            words.len() % expected.len() == 0 && words.chunks(expected.len()).all(|chunk| chunk == expected)
        };
        if !is_right {
            return Some(format!("`show {number}` got {words:?} for {expected:?}"));
        }
    }
    None
}
