//! Reads the text of a command piece by piece, and keeps what it finds out about each value.

use std::collections::{BTreeMap, BTreeSet};

use super::flow::{Flow, POSITIONAL};
use super::{Piece, WordPosition};

/// How deep commands may be nested. It bounds the stack; nobody writes half of it.
const DEPTH_MAX: usize = 64;

/// So many items back at most the name of what is read again is looked for: it stands in the command that was just read.
const NAMED_WITHIN: usize = 4_096;

/// A piece of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Item {
    Char(char),
    /// A value that is inserted in quotes; the number of the value in the text, from 0.
    Value(usize),
    /// A value that is inserted as it is: its author promises that it does not change how the rest is read.
    Raw(usize),
}

/// The reader does not understand what follows; the text says what it met.
#[derive(Debug)]
pub(super) struct Lost(pub(super) String);

pub(super) type Read<T> = Result<T, Lost>;

pub(super) fn lost<T>(what: impl Into<String>) -> Read<T> {
    Err(Lost(what.into()))
}

/// A here-document whose body begins on the next line.
#[derive(Debug)]
pub(super) struct HereDocument {
    pub(super) end: String,
    /// Whether tabs at the beginning of its lines are ignored.
    pub(super) tabs: bool,
    /// Whether the shell expands nothing in it.
    pub(super) quoted: bool,
    /// Whether it is read as commands.
    pub(super) evaluated: bool,
}

#[derive(Debug)]
pub(super) struct Reader {
    items: Vec<Item>,
    at: usize,
    verdicts: Vec<Option<Result<WordPosition, String>>>,
    raw: BTreeSet<usize>,
    /// How many values were read so far.
    pub(super) seen: usize,
    pub(super) here_documents: Vec<HereDocument>,
    /// How many `$( … )` are open.
    pub(super) substitutions: usize,
    pub(super) depth: usize,
    pub(super) flow: Flow,
}

impl Reader {
    pub(super) fn of(pieces: &[Piece]) -> Self {
        let (mut items, mut values) = (Vec::new(), 0);
        for piece in pieces {
            match piece {
                Piece::Text(text) => items.extend(text.chars().map(Item::Char)),
                Piece::Value { expression, .. } => {
                    items.push(if expression.is_raw() { Item::Raw(values) } else { Item::Value(values) });
                    values += 1;
                }
            }
        }
        Self::new(items, values, 0)
    }

    fn new(items: Vec<Item>, values: usize, depth: usize) -> Self {
        let raw: BTreeSet<usize> = items
            .iter()
            .filter_map(|item| match item {
                Item::Raw(value) => Some(*value),
                _ => None,
            })
            .collect();
        Self {
            verdicts: (0..values)
                .map(|value| raw.contains(&value).then_some(Ok(WordPosition::Words)))
                .collect(),
            raw,
            items,
            at: 0,
            seen: 0,
            here_documents: Vec::new(),
            substitutions: 0,
            depth,
            flow: Flow::default(),
        }
    }

    /// Reads the whole text. Answers for each value how it stands, or why it cannot stand there; and of those that get into a
    /// variable which is read again, the item of the text where that is named.
    pub(super) fn read(mut self) -> (Vec<Result<WordPosition, String>>, BTreeMap<usize, usize>) {
        let end = self.commands();
        let behind = match &end {
            Ok(()) => "where nothing is expected".to_owned(),
            Err(Lost(what)) => format!("in or behind {what}"),
        };
        let mut named = BTreeMap::new();
        for (value, name, at) in self.flow.read_again() {
            let is_known = matches!(self.verdicts.get(value), Some(Some(Err(_))));
            if let Some(at) = at.filter(|_| !is_known) {
                named.entry(value).or_insert(at);
            }
            self.refuse(value, &format!("where {name} gets it, which the command has read again"));
        }
        if end.is_err() {
            for (value, name) in self.flow.assigned() {
                self.refuse(value, &format!("where {name} gets it, which may be read again {behind}"));
            }
        }
        let verdicts = self.verdicts.into_iter();
        (verdicts.map(|verdict| verdict.unwrap_or_else(|| Err(behind.clone()))).collect(), named)
    }

    /// Notes that what a variable holds is read again, where it was named last.
    pub(super) fn evaluate(&mut self, name: &str) {
        let at = self.named_before(name);
        self.flow.evaluate(name, at);
    }

    /// The item with which the last mention of a name begins, up to the one behind the next.
    fn named_before(&self, name: &str) -> Option<usize> {
        let name: Vec<char> = name.chars().filter(|_| is_name(name)).collect();
        let letter = |at: usize| match self.items.get(at) {
            Some(Item::Char(c)) if is_of_name(*c) => Some(*c),
            _ => None,
        };
        let stands_at = |at: &usize| {
            let is_whole = at.checked_sub(1).and_then(letter).is_none() && letter(at + name.len()).is_none();
            is_whole && name.iter().enumerate().all(|(offset, c)| letter(at + offset) == Some(*c))
        };
        let last = self.at.min(self.items.len());
        (!name.is_empty()).then(|| (0..=last).rev().take(NAMED_WITHIN).find(stands_at)).flatten()
    }

    /// Reads a text that a command of this text takes as commands, and notes which variables
    /// are read again there.
    pub(super) fn read_inner(&mut self, text: &str) -> Read<()> {
        let mut inner = Self::new(text.chars().map(Item::Char).collect(), 0, self.depth + 1);
        inner.deeper()?;
        inner.commands()?;
        inner.flow.evaluated.keys().for_each(|name| self.evaluate(name));
        Ok(())
    }

    fn commands(&mut self) -> Read<()> {
        if self.items.contains(&Item::Char('\0')) {
            return lost("a zero byte");
        }
        self.list(&[])?;
        match self.peek() {
            None => Ok(()),
            Some(Item::Char(c)) => lost(format!("a `{c}` that closes nothing")),
            Some(_) => lost("what is no command"),
        }
    }

    /// Enters one more level of nesting, and fails if it is too deep. The caller leaves the level again.
    pub(super) fn deeper(&mut self) -> Read<()> {
        self.depth += 1;
        if self.depth > DEPTH_MAX { lost(format!("commands nested over {DEPTH_MAX} deep")) } else { Ok(()) }
    }

    pub(super) fn peek(&self) -> Option<Item> {
        self.items.get(self.at).copied()
    }

    pub(super) fn peek_at(&self, offset: usize) -> Option<Item> {
        self.items.get(self.at + offset).copied()
    }

    /// The next character; none at the end and before a value.
    pub(super) fn char(&self) -> Option<char> {
        self.char_at(0)
    }

    pub(super) fn char_at(&self, offset: usize) -> Option<char> {
        match self.peek_at(offset) {
            Some(Item::Char(c)) => Some(c),
            _ => None,
        }
    }

    pub(super) fn looking_at(&self, text: &str) -> bool {
        text.chars().enumerate().all(|(offset, c)| self.char_at(offset) == Some(c))
    }

    pub(super) fn skip(&mut self, items: usize) {
        for _ in 0..items {
            if let Some(Item::Value(value) | Item::Raw(value)) = self.peek() {
                self.seen = value + 1;
            }
            self.at += 1;
        }
    }

    /// Takes a text, if it is next.
    pub(super) fn take(&mut self, text: &str) -> bool {
        let is_next = self.looking_at(text);
        if is_next {
            self.skip(text.chars().count());
        }
        is_next
    }

    /// Refuses a value where it stands. Only the first reason is kept.
    pub(super) fn refuse(&mut self, value: usize, why: &str) {
        if let Some(verdict) = self.verdicts.get_mut(value)
            && !self.raw.contains(&value)
            && !matches!(verdict, Some(Err(_)))
        {
            *verdict = Some(Err(why.to_owned()));
        }
    }

    pub(super) fn refuse_all(&mut self, values: std::ops::Range<usize>, why: &str) {
        values.for_each(|value| self.refuse(value, why));
    }

    pub(super) fn accept(&mut self, value: usize, place: WordPosition) {
        if let Some(verdict @ None) = self.verdicts.get_mut(value) {
            *verdict = Some(Ok(place));
        }
    }

    /// Skips spaces, continued lines and a comment: what may stand before a token.
    pub(super) fn blanks(&mut self) -> Read<()> {
        loop {
            match self.char() {
                Some(' ' | '\t') => self.skip(1),
                Some('\\') if self.char_at(1) == Some('\n') => {
                    if !self.after_a_blank() {
                        return lost("a line that is continued in the middle of a word");
                    }
                    self.skip(2);
                }
                Some('#') => return self.comment(),
                _ => return Ok(()),
            }
        }
    }

    fn after_a_blank(&self) -> bool {
        let before = self.at.checked_sub(1).and_then(|at| self.items.get(at));
        matches!(before, None | Some(Item::Char(' ' | '\t' | '\n')))
    }

    fn comment(&mut self) -> Read<()> {
        if self.substitutions > 0 {
            return lost("a comment in `$( … )`");
        }
        while let Some(item) = self.peek().filter(|item| *item != Item::Char('\n')) {
            if let Item::Value(value) = item {
                self.refuse(value, "in a comment, which a line break in the value would end");
            }
            self.skip(1);
        }
        Ok(())
    }

    /// Reads the end of a line, if it is next, with the here-documents that begin there.
    pub(super) fn newline(&mut self) -> Read<bool> {
        if self.char() != Some('\n') {
            return Ok(false);
        }
        self.no_here_document_waits()?;
        self.skip(1);
        for document in std::mem::take(&mut self.here_documents) {
            self.body(&document)?;
        }
        Ok(true)
    }

    /// Skips blanks and ends of lines.
    pub(super) fn newlines(&mut self) -> Read<()> {
        self.blanks()?;
        while self.newline()? {
            self.blanks()?;
        }
        Ok(())
    }

    /// Fails if a here-document is announced: shells do not agree where its body begins if the line ends in
    /// `$( … )` or in quotes.
    fn no_here_document_waits(&self) -> Read<()> {
        if self.substitutions > 0 { self.line_ends_in_a_word() } else { Ok(()) }
    }

    pub(super) fn line_ends_in_a_word(&self) -> Read<()> {
        if self.here_documents.is_empty() {
            return Ok(());
        }
        lost("a line that ends in a word while a here-document is to come")
    }

    fn body(&mut self, document: &HereDocument) -> Read<()> {
        while self.peek().is_some() {
            let mut line = String::new();
            while let Some(item) = self.peek().filter(|item| *item != Item::Char('\n')) {
                match item {
                    Item::Char(c) => line.push(c),
                    Item::Value(value) => {
                        self.refuse(value, "in a here-document, where its quotes would be text");
                        line.push('\u{fffc}');
                    }
                    Item::Raw(_) => line.push('\u{fffc}'),
                }
                self.skip(1);
            }
            self.skip(1);
            if (if document.tabs { line.trim_start_matches('\t') } else { &line }) == document.end {
                return Ok(());
            }
            if !document.quoted {
                self.expanded_line(&line, document.evaluated)?;
            }
        }
        Ok(())
    }

    /// Reads a line of a here-document in which variables are expanded. Fails for what could reach
    /// into the next line.
    fn expanded_line(&mut self, line: &str, evaluated: bool) -> Read<()> {
        let mut rest = line.chars();
        while let Some(c) = rest.next() {
            let after = rest.as_str();
            let inside = |end| after.get(1..).and_then(|text| text.split_once(end)).map(|(inside, _)| inside);
            let is_known = match (c, after.chars().next()) {
                ('\\', next) => rest.next().or(next).is_some(),
                ('`', _) => false,
                ('$', Some('(')) => inside(')').is_some_and(|text| text.chars().all(is_simple)),
                ('$', Some('{')) => inside('}').is_some_and(is_name),
                _ => true,
            };
            if !is_known {
                return lost("a here-document with an expansion that is more than a variable's name");
            }
            if c == '$' && evaluated {
                let name = after.trim_start_matches('{');
                let end = name.find(|c: char| !is_of_name(c)).unwrap_or(name.len());
                let name = name.get(..end).unwrap_or_default();
                let is_positional = after.starts_with(|c: char| c.is_ascii_digit() || "@*".contains(c));
                self.evaluate(if is_positional { POSITIONAL } else { name });
            }
        }
        Ok(())
    }
}

/// Whether a character means itself wherever it stands in a command.
pub(super) fn is_simple(c: char) -> bool {
    c.is_ascii_alphanumeric() || " _./:,+%@=-".contains(c)
}

pub(super) fn is_of_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// Whether a text may be the name of a variable.
pub(super) fn is_name(text: &str) -> bool {
    text.chars().all(is_of_name) && text.starts_with(|c: char| !c.is_ascii_digit())
}
