//! What the README shows is what there is: its commands are run, and what they print is compared line by line.

use std::os::unix::fs::symlink;
use std::process::Command;

use super::sandbox;
use crate::support::Sandbox;

const README: &str = include_str!("../../../README.md");

/// The blocks of the README that are fenced so, below a heading.
fn blocks<'r>(heading: &str, fence: &str) -> Vec<&'r str> {
    let (_, below) = README.split_once(&format!("## {heading}\n")).unwrap();
    let section = below.split_once("\n## ").map_or(below, |(section, _)| section);
    let fence = format!("```{fence}\n");
    section.split(&fence).skip(1).map(|block| block.split_once("```").unwrap().0).collect()
}

/// Runs the commands of a block as they stand there, and compares what they print; a line `…` stands for any lines.
fn tell(sandbox: &Sandbox, block: &str) {
    for story in block.split("$ ").skip(1) {
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

/// A line without what is new each time: times, ids, places.
fn plain(line: &str) -> String {
    let words = line.split_whitespace().map(|word| if is_new(word) { "#" } else { word });
    words.collect::<Vec<_>>().join(" ")
}

fn is_new(word: &str) -> bool {
    let is_time = word.ends_with('s') && word.trim_end_matches(['m', 's']).parse::<f64>().is_ok();
    is_time || word.len() >= 10 && word.bytes().any(|byte| byte.is_ascii_digit())
}

#[test]
fn what_it_says_of_people_waiting_and_growing_is_so() {
    let heading = "Ask people, wait, grow";
    let sandbox = sandbox();
    std::fs::create_dir(sandbox.root().join("bin")).unwrap();
    symlink(env!("CARGO_BIN_EXE_reenact"), sandbox.root().join("bin/reenact")).unwrap();
    let [workflow] = blocks(heading, "yaml")[..] else { panic!("not one workflow") };
    sandbox.write("grow.yaml", workflow);
    let stories = blocks(heading, "console");
    assert_eq!(stories.len(), 3);
    stories.iter().for_each(|block| tell(&sandbox, block));
}

#[test]
fn the_program_that_the_readme_shows_is_the_example_and_no_longer_than_a_reader_bears() {
    let example = include_str!("../../../examples/embed.rs");
    let [program] = blocks("As a crate", "rust")[..] else { panic!("one program is shown") };
    assert!(example.contains(program), "examples/embed.rs is another program");
    assert!(program.lines().count() <= 25, "{} lines", program.lines().count());
}
