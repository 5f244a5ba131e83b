//! Which words of the command line stand in the texts of the sources.

use std::collections::BTreeSet;

use super::code::{Code, Token};
use super::house::{House, Source};

/// The verbs and the options of the command line, and where the docs lie.
pub(super) struct CommandLine {
    verbs: BTreeSet<String>,
    options: BTreeSet<String>,
}

impl CommandLine {
    /// What `help` tells of it, which is given the words before `--help`.
    pub(super) fn of(help: &dyn Fn(&[&str]) -> String) -> Self {
        let mut all = Self { verbs: BTreeSet::new(), options: BTreeSet::new() };
        let top = help(&[]);
        all.options.extend(options_in(&top));
        for verb in verbs_in(&top) {
            let of_verb = help(&[verb]);
            all.options.extend(options_in(&of_verb));
            verbs_in(&of_verb).for_each(|inner| all.options.extend(options_in(&help(&[verb, inner]))));
            all.verbs.insert(verb.to_owned());
        }
        // Every program has those.
        all.options.retain(|option| !matches!(option.as_str(), "--help" | "--version"));
        all
    }

    /// How much of it is known.
    pub(super) fn size(&self) -> (usize, usize) {
        (self.verbs.len(), self.options.len())
    }

    /// The texts of these rooms that name something of it, or a page of the docs.
    pub(super) fn named(&self, sources: &[Source], house: &House<'_>, rooms: &[&str]) -> Vec<String> {
        let files = house.files();
        let is_in = |file: &str| {
            let room = file.strip_prefix("src/").and_then(|path| path.split(['/', '.']).next());
            files.contains(file) && room.is_some_and(|room| rooms.contains(&room))
        };
        let concerned = sources.iter().filter(|source| is_in(&source.file));
        concerned
            .flat_map(|Source { file, code, .. }| {
                let told = texts(code).filter_map(|token| Some((token.line, self.word_in(&token.text)?)));
                told.map(|(line, word)| format!("{file}:{line}: {word}")).collect::<Vec<_>>()
            })
            .collect()
    }

    fn word_in(&self, text: &str) -> Option<String> {
        let verbs = text.match_indices("reenact ").map(|(at, said)| word(&text[at + said.len()..]));
        let verb =
            verbs.filter(|verb| self.verbs.contains(*verb)).map(|verb| format!("reenact {verb}")).next();
        let options = text.match_indices("--").map(|(at, dashes)| word(&text[at + dashes.len()..]));
        let option = options.map(|name| format!("--{name}")).find(|option| self.options.contains(option));
        let pages = text.match_indices("docs/").map(|(at, _)| &text[at..]);
        let page = pages.filter(|page| page[5..].starts_with(|letter: char| letter.is_ascii_lowercase()));
        verb.or(option).or(page.map(|page| page.split([' ', '"']).next().unwrap().to_owned()).next())
    }
}

/// The literals that are texts, but for what documents an item.
fn texts(code: &Code) -> impl Iterator<Item = &Token> {
    let before = |at: usize, back: usize| at.checked_sub(back).map(|at| code.tokens[at].text.as_str());
    let documents = move |at: usize| before(at, 1) == Some("=") && before(at, 2) == Some("doc");
    let is_text = |token: &Token| !token.is_name && token.text.contains('"');
    let tokens = code.tokens.iter().enumerate();
    tokens.filter(move |(at, token)| is_text(token) && !documents(*at)).map(|(_, token)| token)
}

fn word(text: &str) -> &str {
    let end = text.find(|letter: char| !letter.is_ascii_lowercase() && letter != '-').unwrap_or(text.len());
    &text[..end]
}

/// The first word of each line below `Commands:`.
fn verbs_in(help: &str) -> impl Iterator<Item = &str> {
    let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    lines.take_while(|line| !line.is_empty()).filter_map(|line| line.split_whitespace().next())
}

/// What begins with two dashes on the lines of options.
fn options_in(help: &str) -> impl Iterator<Item = String> {
    let lines = help.lines().map(str::trim_start).filter(|line| line.starts_with('-'));
    lines.filter_map(|line| line.split_once("--")).map(|(_, name)| format!("--{}", word(name)))
}
