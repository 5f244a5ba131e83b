//! Labels: `**Agent**: …`, `**Output** (JSON):`, `**Prompt:**`.

use crate::events::problem::nearest;

/// What a label says that stands behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    Goal,
    Agent,
    /// A list of variables, each with what it means.
    Input,
    /// The names of variables on a line: the older form.
    InputVariables,
    /// An example of the answer.
    Output,
    /// The names of what is answered: the older form.
    OutputVariables,
    Prompt,
    /// What stands behind a rule, or behind a label that means nothing: it is not read.
    Unread,
}

/// The labels that mean something, in small letters.
const KEYS: [(&str, Key); 11] = [
    ("goal", Key::Goal),
    ("agent", Key::Agent),
    ("agents", Key::Agent),
    ("input", Key::Input),
    ("inputs", Key::Input),
    ("input variables", Key::InputVariables),
    ("output", Key::Output),
    ("outputs", Key::Output),
    ("output variables", Key::OutputVariables),
    ("prompt", Key::Prompt),
    ("prompt template", Key::Prompt),
];

/// The longest label that is looked at, in bytes: a longer one is a sentence in bold.
const LABEL_BYTES_MAX: usize = 60;

/// A label at the beginning of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Label<'a> {
    /// As it is written, without what stands in parentheses.
    pub(super) name: &'a str,
    /// What stands behind it on its line.
    pub(super) rest: &'a str,
    /// The column in which that begins, from 1.
    pub(super) column: u64,
}

impl<'a> Label<'a> {
    /// The label at the beginning of a line, perhaps of an item of a list.
    pub(super) fn of(line: &'a str) -> Option<Self> {
        let text = item(line).unwrap_or(line).trim_start();
        let (name, behind) = text.strip_prefix("**")?.split_once("**")?;
        let rest = match name.trim_end().strip_suffix(':') {
            Some(_) => behind,
            None => without_parentheses(behind).strip_prefix(':')?,
        };
        let name = name.trim_end().trim_end_matches(':');
        let name = name.split_once('(').map_or(name, |(name, _)| name).trim();
        let column = (line.get(..line.len() - rest.trim_start().len())?).chars().count() as u64 + 1;
        let is_label = !name.is_empty() && name.len() <= LABEL_BYTES_MAX;
        is_label.then_some(Self { name, rest: rest.trim(), column })
    }

    /// What it means; none of one that means nothing here.
    pub(super) fn key(&self) -> Option<Key> {
        KEYS.iter().find(|(name, _)| self.name.eq_ignore_ascii_case(name)).map(|(_, key)| *key)
    }

    /// The label that may be meant by one that means nothing.
    pub(super) fn meant(&self) -> Option<String> {
        let near = nearest(self.name, KEYS.iter().map(|(name, _)| *name))?;
        let (first, rest) = near.split_at_checked(1)?;
        Some(format!("{}{rest}", first.to_ascii_uppercase()))
    }
}

/// What stands behind a remark in parentheses, as in `**Output** (JSON):`.
fn without_parentheses(text: &str) -> &str {
    let text = text.trim_start();
    let behind = text.strip_prefix('(').and_then(|inside| inside.split_once(')'));
    behind.map_or(text, |(_, behind)| behind.trim_start())
}

/// The text of an item of a list, if a line is one.
pub(super) fn item(line: &str) -> Option<&str> {
    let text = line.trim_start();
    let bullet = ["- ", "* ", "+ "].iter().find_map(|mark| text.strip_prefix(mark));
    let numbered = || {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let rest = text.get(digits..).filter(|_| digits > 0)?;
        rest.strip_prefix(". ").or_else(|| rest.strip_prefix(") "))
    };
    bullet.or_else(numbered)
}
