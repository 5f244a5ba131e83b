//! The agents to which the body of a file says that it hands its work over, where no front matter says it.
//!
//! Read are declarations as they are to be made (`To:` below `HANDOFF DECLARATION:`), lists below a heading or a label that
//! speaks of handing over, and sentences that hand over to somebody whose name is set apart. What stands there in place of a
//! name (`[agent_name]`) is none.

#[cfg(test)]
mod tests;

use crate::events::ids::AgentName;
use crate::workflow::definition::is_built_in;

/// How many agents a body may declare; further ones are not read. Who could hand over to more knows nobody in particular.
const DECLARED_MAX: usize = 100;

/// How many words the name of an agent has at most, in a text that does not set names apart.
const WORDS_MAX: usize = 5;

/// What introduces the one to whom work is handed over, in lower case.
const PHRASES: [&str; 7] = [
    "hand off to ",
    "hands off to ",
    "hand over to ",
    "hands over to ",
    "hand it over to ",
    "handoff to ",
    "handover to ",
];

/// What ends a name that nothing sets apart.
const ENDS: [&str; 10] = [":", ",", ";", ". ", " (", " - ", " — ", " – ", " when ", " if "];

/// The words that stand where a name would, by the keys of names: in lists what a declaration consists of, and what stands for
/// any name.
const NO_NAMES: [&str; 46] = [
    "to",
    "from",
    "reason",
    "context",
    "when",
    "what",
    "why",
    "how",
    "who",
    "whom",
    "format",
    "example",
    "examples",
    "note",
    "notes",
    "protocol",
    "trigger",
    "triggers",
    "workcompleted",
    "currentstate",
    "nextsteps",
    "keydata",
    "summary",
    "input",
    "inputs",
    "output",
    "outputs",
    "always",
    "never",
    "do",
    "dont",
    "agent",
    "agentname",
    "agents",
    "name",
    "target",
    "targetname",
    "next",
    "nextagentname",
    "other",
    "another",
    "any",
    "specialist",
    "anotherspecialist",
    "x",
    "you",
];

/// The agents that a body declares, in the order in which it does: each once.
pub(super) fn handoffs(body: &str) -> Vec<AgentName> {
    let mut reader = Reader::default();
    body.lines().for_each(|line| reader.line(line));
    whole(reader.found)
}

/// Where in a body a line stands.
#[derive(Default)]
struct Reader {
    found: Vec<AgentName>,
    /// How many fences are open. One with a language opens another inside, a bare one closes the innermost.
    fences: usize,
    /// Whether the lines above begin a declaration as it is to be made.
    declares: bool,
    /// The level of the heading that speaks of handing over, if the line is below one.
    section: Option<usize>,
    /// Whether the items of a list are agents.
    lists: bool,
}

impl Reader {
    fn line(&mut self, line: &str) {
        let text = line.trim();
        if let Some(heading) = heading(line).filter(|heading| self.fences == 0 || speaks(heading.1)) {
            self.heading(heading);
        } else if text.starts_with("```") || text.starts_with("~~~") {
            let is_bare = text.trim_matches(['`', '~']).is_empty();
            self.fences = if is_bare && self.fences > 0 { self.fences - 1 } else { self.fences + 1 };
            self.declares = false;
        } else if plain(text).trim_end_matches(':').eq_ignore_ascii_case("handoff declaration") {
            self.declares = true;
        } else if self.declares {
            self.declares = !text.is_empty();
            if let Some(to) = plain(text).strip_prefix("To:") {
                self.several(to);
            }
        } else if self.fences == 0 {
            self.text(text);
        }
    }

    fn heading(&mut self, (level, text): (usize, &str)) {
        (self.fences, self.declares) = (0, false);
        self.lists = speaks(text);
        self.section = match self.section {
            Some(above) if level > above => Some(above),
            _ => self.lists.then_some(level),
        };
    }

    /// A line that stands in no fence, and is no heading.
    fn text(&mut self, text: &str) {
        let item = ["- ", "* ", "+ ", "• "].iter().find_map(|bullet| text.strip_prefix(bullet));
        if let Some(to) = handed_to(item.unwrap_or(text)) {
            let name = set_apart(to).or_else(|| match item.filter(|_| self.lists) {
                Some(_) => Some(up_to_end(to)).filter(|name| name.split_whitespace().count() <= WORDS_MAX),
                None => first_word(to).filter(|word| word.contains(['_', '-'])),
            });
            name.into_iter().for_each(|name| self.one(name));
        } else if let Some(item) = item.filter(|_| self.lists) {
            let name = set_apart(item).or_else(|| Some(up_to_end(item)).filter(|name| is_identifier(name)));
            name.into_iter().for_each(|name| self.one(name));
        } else if item.is_none() && (text.ends_with(':') || text.ends_with(":**")) {
            let label = text.to_lowercase();
            self.lists = speaks(text) || self.section.is_some() && label.contains("collaborat");
        }
    }

    /// One name, or several of which one is meant.
    fn several(&mut self, names: &str) {
        if !names.contains(PLACEHOLDER) {
            names.split([',', '|', '/']).flat_map(|name| name.split(" or ")).for_each(|name| self.one(name));
        }
    }

    /// A name, unless it is none.
    fn one(&mut self, text: &str) {
        let name = plain(text).trim_end_matches(['.', ':', ';', ',']);
        let name = AgentName::new(name.strip_prefix("the ").unwrap_or(name).trim());
        let key = name.key();
        let is_one = !name.as_str().contains(PLACEHOLDER)
            && !text.contains("...")
            && name.check().is_ok()
            && !NO_NAMES.contains(&key.as_str())
            && !is_built_in(&name);
        if is_one && self.found.len() < DECLARED_MAX && self.found.iter().all(|known| known.key() != key) {
            self.found.push(name);
        }
    }
}

/// Characters that stand in no name, but around what stands for one.
const PLACEHOLDER: [char; 12] = ['[', ']', '{', '}', '<', '>', '(', ')', '…', '$', '"', '='];

/// The level and the text of a heading.
fn heading(line: &str) -> Option<(usize, &str)> {
    let text = line.trim_start_matches('#');
    let level = line.len() - text.len();
    ((1..=6).contains(&level) && text.starts_with(' ')).then(|| (level, text.trim()))
}

/// Whether a heading or a label speaks of handing over.
fn speaks(text: &str) -> bool {
    let text = text.to_lowercase();
    ["handoff", "hand-off", "hand off", "handover", "hand over", "hands over", "hands off"]
        .iter()
        .any(|word| text.contains(word))
}

/// What stands behind the words that hand over.
fn handed_to(text: &str) -> Option<&str> {
    // Only ASCII letters change, so places are the same.
    let lower = text.to_ascii_lowercase();
    let behind = |phrase: &&str| lower.find(phrase).map(|at| at + phrase.len());
    let to = text.get(PHRASES.iter().filter_map(behind).min()?..)?.trim();
    Some(to.strip_prefix("the ").unwrap_or(to))
}

/// What a text begins with that is set in bold or as code, or is a link.
fn set_apart(text: &str) -> Option<&str> {
    let marks = [("**", "**"), ("__", "__"), ("`", "`"), ("[", "](")];
    let inside = |(opens, closes): (&str, &str)| text.strip_prefix(opens)?.split_once(closes);
    let (name, _) = marks.into_iter().find_map(inside)?;
    Some(name).filter(|name| name.split_whitespace().count() <= WORDS_MAX)
}

fn up_to_end(text: &str) -> &str {
    let end = ENDS.iter().filter_map(|end| text.find(end)).min();
    text.get(..end.unwrap_or(text.len())).unwrap_or(text).trim()
}

fn first_word(text: &str) -> Option<&str> {
    text.split_whitespace().next()
}

/// Whether a text is one word as programs write names.
fn is_identifier(text: &str) -> bool {
    let is_part =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-');
    !text.is_empty() && text.bytes().all(is_part)
}

/// A text without what sets it apart.
fn plain(text: &str) -> &str {
    text.trim().trim_matches(['*', '`', '\'', '@']).trim()
}

/// Without names of several words that another one only begins with: texts shorten names that they have said in full.
fn whole(found: Vec<AgentName>) -> Vec<AgentName> {
    let words: Vec<Vec<String>> = found.iter().map(words).collect();
    let is_short = |short: &[String]| {
        short.len() > 1 && words.iter().any(|long| long.len() > short.len() && long.starts_with(short))
    };
    let kept: Vec<bool> = words.iter().map(|words| !is_short(words)).collect();
    found.into_iter().zip(kept).filter_map(|(name, is_kept)| is_kept.then_some(name)).collect()
}

/// The words of a name, without those that make no difference.
fn words(name: &AgentName) -> Vec<String> {
    let lower = name.as_str().to_lowercase();
    let words = lower.split(['-', '_', ' ']).filter(|word| !word.is_empty());
    let mut words: Vec<String> = words.map(str::to_owned).collect();
    if words.len() > 1 && words.last().is_some_and(|last| last == "agent") {
        words.pop();
    }
    words
}
