//! The tutorial is done from its first line to its last: its files are written, its commands run, and what they print compared.

use super::told::{install, tell};
use crate::support::Sandbox;

const TUTORIAL: &str = include_str!("../../../docs/tutorial.md");

#[test]
fn the_tutorial_can_be_done_as_it_stands_there() {
    let sandbox = Sandbox::new();
    install(&sandbox);
    let mut commands = 0;
    // Between fences are text and code, by turns.
    let parts: Vec<_> = TUTORIAL.split("```").collect();
    for [text, code] in parts.as_chunks().0 {
        let (language, code) = code.split_once('\n').unwrap();
        match language {
            "yaml" => {
                let (_, named) = text.rsplit_once("This is `").expect("a file has a name");
                sandbox.write(named.split_once('`').unwrap().0, code);
            }
            "console" => {
                commands += code.lines().filter(|line| line.starts_with("$ ")).count();
                tell(&sandbox, code);
            }
            other => panic!("a block of {other}"),
        }
    }
    assert!(commands > 20, "{commands} commands");
}
