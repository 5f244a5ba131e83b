//! Commands that a text shows, with what they print: they are run, and what they print is compared line by line.

use std::os::unix::fs::symlink;
use std::process::Command;

use crate::support::Sandbox;

/// Puts `reenact` where the shell of [`tell`] finds it.
pub(super) fn install(sandbox: &Sandbox) {
    std::fs::create_dir(sandbox.root().join("bin")).unwrap();
    symlink(env!("CARGO_BIN_EXE_reenact"), sandbox.root().join("bin/reenact")).unwrap();
}

/// Runs the commands of a block as they stand there, and compares what they print; a line `…` stands for any lines.
pub(super) fn tell(sandbox: &Sandbox, block: &str) {
    for story in format!("\n{block}").split("\n$ ").skip(1) {
        let (command, shown) = story.split_once('\n').unwrap();
        let printed = shell(sandbox, command);
        let (shown, printed): (Vec<_>, Vec<_>) =
            (shown.trim_end().lines().map(plain).collect(), printed.lines().map(plain).collect());
        match shown.iter().position(|line| line == "…") {
            Some(at) => {
                assert!(printed.starts_with(&shown[..at]), "{command}\n{printed:#?}");
                assert!(printed.ends_with(&shown[at + 1..]), "{command}\n{printed:#?}");
            }
            None => assert_eq!(printed, shown, "{command}"),
        }
    }
}

/// What a command prints to stdout, in a shell that knows `reenact` and keeps its runs where it stands.
fn shell(sandbox: &Sandbox, command: &str) -> String {
    let path = format!("{}:{}", sandbox.root().join("bin").display(), std::env::var("PATH").unwrap());
    let output = Command::new("sh")
        .args(["-c", command])
        .current_dir(sandbox.work(""))
        .env_clear()
        .envs([("PATH", path.as_str()), ("HOME", "/nonexistent")])
        .env("TMPDIR", sandbox.tmp())
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// A line without what is new each time: times, ids, places, and how long people let a run wait, which goes unsaid where it
/// was no longer than a test takes.
pub(super) fn plain(line: &str) -> String {
    let waited = line.split_once(" (waited ");
    let waited = waited.and_then(|(before, behind)| Some([before, behind.split_once(')')?.1].concat()));
    let line = waited.as_deref().unwrap_or(line);
    let words = line.split_whitespace().map(|word| if is_new(word) { "#" } else { word });
    words.collect::<Vec<_>>().join(" ")
}

fn is_new(word: &str) -> bool {
    let word = word.trim_matches(['(', ')']);
    let is_time = word.ends_with('s') && word.trim_end_matches(['m', 's']).parse::<f64>().is_ok();
    is_time || word.len() >= 10 && word.bytes().any(|byte| byte.is_ascii_digit())
}
