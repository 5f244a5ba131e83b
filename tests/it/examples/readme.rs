//! What the README shows is what there is: its commands are run, and what they print is compared line by line.

use super::sandbox;
use super::told::{install, tell};

const README: &str = include_str!("../../../README.md");

/// The blocks of the README that are fenced so, below a heading.
fn blocks<'r>(heading: &str, fence: &str) -> Vec<&'r str> {
    let (_, below) = README.split_once(&format!("## {heading}\n")).unwrap();
    let section = below.split_once("\n## ").map_or(below, |(section, _)| section);
    let fence = format!("```{fence}\n");
    section.split(&fence).skip(1).map(|block| block.split_once("```").unwrap().0).collect()
}

#[test]
fn what_it_says_of_people_waiting_and_growing_is_so() {
    let heading = "Ask people, wait, grow";
    let sandbox = sandbox();
    install(&sandbox);
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
