//! What docs/agents.md shows can be done as it stands there: its files are written, its commands run, and all else is read as what
//! it is.

use std::process::Command;

use super::told::{install, tell};
use crate::support::Sandbox;

const PAGE: &str = include_str!("../../../docs/agents.md");

/// The blocks of a text: what stands before each, the language, and the code. Between fences are text and code, by turns.
fn blocks(text: &str) -> Vec<(&str, &str, &str)> {
    let parts: Vec<&str> = text.split("```").collect();
    let mut blocks = Vec::new();
    for [before, code] in parts.as_chunks().0 {
        let (language, code) = code.split_once('\n').unwrap();
        blocks.push((*before, language, code));
    }
    blocks
}

#[test]
fn an_agent_of_ones_own_is_made_as_the_page_says() {
    if Command::new("python3").arg("--version").output().is_err() {
        return;
    }
    let (_, section) = PAGE.split_once("## Your own agent\n").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let sandbox = Sandbox::new();
    install(&sandbox);
    let mut commands = 0;
    for (before, language, code) in blocks(section) {
        if language == "console" {
            commands += code.lines().filter(|line| line.starts_with("$ ")).count();
            tell(&sandbox, code);
        } else {
            let (_, named) = before.rsplit_once("his is `").expect("a file has a name");
            sandbox.write(named.split_once('`').unwrap().0, code);
        }
    }
    assert!(commands > 5, "{commands} commands");
}

#[test]
fn every_other_block_of_the_page_is_what_it_says_that_it_is() {
    let (before, rest) = PAGE.split_once("## Your own agent\n").unwrap();
    let page = format!("{before}{}", rest.split_once("\n## ").unwrap().1);
    let (mut files, mut settings, mut scripts, mut documents) = (0, 0, 0, 0);
    for (_, language, code) in blocks(&page) {
        let sandbox = Sandbox::new();
        match language {
            "markdown" => {
                sandbox.write("agents/a.md", code);
                sandbox.json(0, &["agents", "validate", "agents/a.md"]);
                files += 1;
            }
            "toml" => {
                sandbox.write("reenact.toml", code);
                sandbox.json(0, &["config", "show"]);
                settings += 1;
            }
            "yaml" => {
                sandbox.write("agents/a.yaml", code);
                sandbox.write("agents/a.md", "---\nname: a\ndescription: b\nscript: a.yaml\n---\n");
                sandbox.json(0, &["agents", "validate", "agents/a.md"]);
                scripts += 1;
            }
            "json" => {
                drop(
                    serde_json::from_str::<serde_json::Value>(code)
                        .unwrap_or_else(|why| panic!("{why}: {code}")),
                );
                documents += 1;
            }
            // What is run elsewhere: `executors::subprocess::tests::docs`, and what shows a screen.
            "sh" | "python" | "rust,ignore" | "" => {}
            other => panic!("a block of {other}"),
        }
    }
    assert_eq!([files, settings, scripts], [2, 2, 1]);
    assert!(documents >= 2);
}
