//! An example in JSON, and the shape that it shows: the keys of its outermost object, which an answer has to have, and the
//! kinds of its values.

use std::collections::{BTreeMap, BTreeSet};

use super::lines::Block;
use super::report::{Place, Report};
use crate::events::json::Json;
use crate::events::problem::Problem;
use crate::workflow::json_text::Level;
use crate::workflow::parse::{Tree, Value};

/// An example that was read.
pub(super) struct Example {
    json: Json,
    /// The line of the block's first fence.
    line: u64,
    /// The members of its outermost object, each with its line.
    members: Vec<(String, u64)>,
}

/// Whether a block holds JSON: it says so, or says nothing and begins like JSON.
fn is_json(block: &Block<'_>) -> bool {
    let begins = || block.lines.iter().find_map(|line| line.trim_start().chars().next());
    match block.language.to_ascii_lowercase().as_str() {
        "json" | "jsonc" | "json5" => true,
        "" => matches!(begins(), Some('{' | '[')),
        _ => false,
    }
}

impl Example {
    /// Reads an example; none of a block that is no JSON, nor says that it is. What should be JSON and is none is reported.
    pub(super) fn read(block: &Block<'_>, what: &str, report: &mut Report<'_>) -> Option<Self> {
        if !is_json(block) {
            return None;
        }
        let text = with_nothing_for_dots(block.text());
        let json = Json::read(&text).map_err(|why| {
            let message = format!("{what} is not JSON that can be taken: {}", why.why);
            let place = (block.line + why.line, why.column);
            report.refuse(place, Problem::new(why.code(), message).hint(why.code().remedies().to_vec()));
        });
        let json = json.ok()?;
        let members = match Level::of(json.text()) {
            Ok(Level::Map(members)) => members.into_iter().map(|(key, _)| key.into_owned()).collect(),
            _ => Vec::new(),
        };
        let members = placed(members, block);
        Some(Self { json, line: block.line, members })
    }

    pub(super) fn json(&self) -> &Json {
        &self.json
    }

    /// The members of its outermost object, each with its place.
    pub(super) fn members(&self) -> impl Iterator<Item = (&str, Place)> {
        self.members.iter().map(|(name, line)| (name.as_str(), (*line, 1)))
    }

    /// The JSON Schema of what has this shape.
    pub(super) fn schema(&self) -> Tree {
        let mut schema = Shape::of(self.json.text()).schema(0);
        let required = self.members.iter().map(|(name, _)| text(name)).collect::<Vec<_>>();
        if let Value::Map(entries) = &mut schema.value
            && !required.is_empty()
        {
            entries.insert(1, (text("required"), node(Value::List(required))));
        }
        at(schema, (self.line, 1))
    }
}

/// The line of each member: the first, from that of the one before on, that has its name in quotes.
fn placed(names: Vec<String>, block: &Block<'_>) -> Vec<(String, u64)> {
    let (mut line, mut is_lost) = (0, false);
    let place = |name: String| {
        let quoted = Json::from(&serde_json::Value::from(name.as_str()));
        let mut ahead = block.lines.iter().enumerate().skip(line).filter(|_| !is_lost);
        match ahead.find(|(_, text)| text.contains(quoted.text())) {
            Some((found, _)) => line = found,
            // One that is written with escapes is looked for once: each search is as long as the block.
            None => is_lost = true,
        }
        (name, block.line + line as u64 + 1)
    };
    names.into_iter().map(place).collect()
}

/// The same text, in which `{...}` and `[...]` hold nothing: people write dots for what they leave out.
fn with_nothing_for_dots(text: String) -> String {
    if !text.contains("...") && !text.contains('…') {
        return text;
    }
    let (mut out, mut quoted, mut escaped) = (String::with_capacity(text.len()), false, false);
    let mut rest = text.as_str();
    while let Some(c) = rest.chars().next() {
        let behind = rest.get(c.len_utf8()..).unwrap_or_default();
        out.push(c);
        rest = behind;
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '{' | '[' if !quoted => {
                let inside = behind.trim_start_matches([' ', '.', '…']);
                let dots = behind.get(..behind.len() - inside.len()).unwrap_or_default();
                if inside.starts_with(if c == '{' { '}' } else { ']' }) {
                    out.extend(dots.chars().map(|_| ' '));
                    rest = inside;
                }
            }
            _ => {}
        }
    }
    out
}

/// The kinds of the values that stand in one place.
#[derive(Default)]
struct Shape {
    kinds: BTreeSet<&'static str>,
    members: BTreeMap<String, Shape>,
    items: Option<Box<Shape>>,
}

impl Shape {
    fn of(json: &str) -> Self {
        let mut shape = Self::default();
        shape.add(json);
        shape
    }

    /// Adds the kind of another value. What is null may be anything.
    fn add(&mut self, json: &str) {
        let kind = match Level::of(json) {
            Ok(Level::Bool(_)) => "boolean",
            Ok(Level::Number(_)) => "number",
            Ok(Level::Text(_)) => "string",
            Ok(Level::List(items)) => {
                let shape = self.items.get_or_insert_default();
                items.into_iter().for_each(|item| shape.add(item));
                "array"
            }
            Ok(Level::Map(members)) => {
                for (name, member) in members {
                    self.members.entry(name.into_owned()).or_default().add(member);
                }
                "object"
            }
            Ok(Level::Null) | Err(_) => "null",
        };
        self.kinds.insert(kind);
    }

    /// The JSON Schema of it, so many levels below the outermost. Only the outermost object has to have its members, and only
    /// those have to be something: an example shows one case, and there are others.
    fn schema(&self, level: usize) -> Tree {
        let mut entries = Vec::new();
        if !self.kinds.is_empty() && !self.kinds.contains("null") {
            let kinds = self.kinds.iter().copied().chain((level > 1).then_some("null"));
            let mut kinds: Vec<Tree> = kinds.map(text).collect();
            let kind = if kinds.len() == 1 { kinds.pop() } else { None };
            entries.push((text("type"), kind.unwrap_or_else(|| node(Value::List(kinds)))));
        }
        if !self.members.is_empty() {
            let members = self.members.iter().map(|(name, shape)| (text(name), shape.schema(level + 1)));
            entries.push((text("properties"), node(Value::Map(members.collect()))));
        }
        if let Some(items) = self.items.as_ref().filter(|items| !items.kinds.is_empty()) {
            entries.push((text("items"), items.schema(level + 2)));
        }
        node(Value::Map(entries))
    }
}

/// A part of a tree that has no place yet.
pub(super) fn node(value: Value) -> Tree {
    Tree { line: 1, column: 1, written: 0..0, direct: false, value }
}

/// A text in a tree.
pub(super) fn text(text: &str) -> Tree {
    node(Value::Text(text.to_owned()))
}

/// The same tree, all of it at one place.
pub(super) fn at(mut tree: Tree, (line, column): Place) -> Tree {
    (tree.line, tree.column) = (line, column);
    tree.value = match tree.value {
        Value::List(items) => Value::List(items.into_iter().map(|item| at(item, (line, column))).collect()),
        Value::Map(entries) => Value::Map(
            entries
                .into_iter()
                .map(|(key, value)| (at(key, (line, column)), at(value, (line, column))))
                .collect(),
        ),
        value => value,
    };
    tree
}

/// A JSON document as a tree, in which numbers keep their digits; `of_text` makes something of its texts.
pub(super) fn tree(json: &str, of_text: &mut dyn FnMut(&str) -> String) -> Tree {
    node(match Level::of(json) {
        Ok(Level::Bool(flag)) => Value::Bool(flag),
        Ok(Level::Number(digits)) => Value::Number(digits.to_owned()),
        Ok(Level::Text(text)) => Value::Text(of_text(&text)),
        Ok(Level::List(items)) => Value::List(items.into_iter().map(|item| tree(item, of_text)).collect()),
        Ok(Level::Map(members)) => {
            Value::Map(members.into_iter().map(|(key, value)| (text(&key), tree(value, of_text))).collect())
        }
        Ok(Level::Null) | Err(_) => Value::Null,
    })
}
