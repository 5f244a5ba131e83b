//! What docs/chains.md shows can be done as it stands there: its files are written, its commands run.

use super::told::{install, tell};
use crate::support::Sandbox;

const PAGE: &str = include_str!("../../../docs/chains.md");

/// The blocks of the page: the line before each, its language, and what it holds. A fence is closed by its own kind.
fn blocks() -> Vec<(&'static str, &'static str, String)> {
    let (mut found, mut before, mut open) = (Vec::new(), "", None::<(&str, &str, Vec<&str>)>);
    for line in PAGE.lines() {
        match &mut open {
            Some((fence, language, lines)) if line == *fence => {
                found.push((before, *language, lines.join("\n") + "\n"));
                open = None;
            }
            Some((_, _, lines)) => lines.push(line),
            None => {
                match ["```", "~~~"].into_iter().find_map(|fence| Some((fence, line.strip_prefix(fence)?))) {
                    Some((fence, language)) => open = Some((fence, language, Vec::new())),
                    None if !line.is_empty() => before = line,
                    None => {}
                }
            }
        }
    }
    found
}

#[test]
fn the_chain_of_the_page_is_run_and_converted_as_the_page_says() {
    let sandbox = Sandbox::new();
    install(&sandbox);
    let (mut files, mut commands) = (0, 0);
    for (before, language, text) in blocks() {
        if language == "console" {
            commands += text.lines().filter(|line| line.starts_with("$ ")).count();
            tell(&sandbox, &text);
        } else if let Some((_, named)) = before.rsplit_once("his is `") {
            sandbox.write(named.split_once('`').unwrap().0, text);
            files += 1;
        }
    }
    assert_eq!((files, commands), (4, 5));
    let (_, _, shown) = blocks().into_iter().find(|(_, language, _)| *language == "json").unwrap();
    let checked = sandbox.json(0, &["validate", "trip.md"]);
    assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), checked);
}
