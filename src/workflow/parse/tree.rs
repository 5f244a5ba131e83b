//! YAML as a tree that knows the place of each part and how it is written. Typed structs would stop at the
//! first mistake, and could not tell `1.10` from `1.1`.

use std::ops::Range;
use std::{fmt, io, thread};

use serde::Deserialize;
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde_saphyr::{Error, Spanned};

use crate::events::json::{DEPTH_MAX, is_number};
use crate::events::problem::{Code, Problem};

mod json;

pub(super) use json::{plan, whole};

/// The size of the stack on which YAML is read, in bytes: in a debug build the reader needs some 40 KiB of it
/// for each level, so that the deepest file would overflow the stack of a usual thread.
const STACK_BYTES: usize = 16 * 1024 * 1024;

/// A part of a file.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::workflow) struct Tree {
    /// The line on which it begins, from 1; for an alias, the line of the alias.
    pub(in crate::workflow) line: u64,
    pub(in crate::workflow) column: u64,
    /// The bytes of the file in which it is written; for an alias, those of what the alias stands for.
    pub(in crate::workflow) written: Range<usize>,
    /// Whether it stands where it is written: neither an alias, nor inside one.
    pub(in crate::workflow) direct: bool,
    pub(in crate::workflow) value: Value,
}

/// The kind of a part of a file. Only `true` and `false` are booleans: `no` and `on` are texts.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::workflow) enum Value {
    Null,
    Bool(bool),
    /// The number as JSON; empty while it is read, if no float can hold it.
    Number(String),
    Text(String),
    List(Vec<Tree>),
    /// The keys and values, in order. In YAML a key may be anything.
    Map(Vec<(Tree, Tree)>),
}

impl Tree {
    /// Reads a file: JSON if its name ends in `.json`, otherwise YAML.
    ///
    /// # Errors
    /// Only the first problem: what follows it may be misread.
    pub(super) fn read(source: &str, file: &str) -> Result<Self, Problem> {
        if file.ends_with(".json") && !source.trim().is_empty() {
            return whole(source).map_err(|why| why.in_file(file));
        }
        let read = thread::scope(|scope| {
            let reader = thread::Builder::new().stack_size(STACK_BYTES);
            reader
                .spawn_scoped(scope, || Self::of_yaml(source))?
                .join()
                .map_err(|_| io::Error::other("it panicked"))
        });
        let mut tree = match read {
            Ok(read) => read.map_err(|error| problem(&error, file))?,
            Err(error) => {
                return Err(Problem::new(Code::Internal, format!("the reader of YAML did not run: {error}")));
            }
        };
        tree.as_written(source);
        Ok(tree)
    }

    fn of_yaml(source: &str) -> Result<Self, Error> {
        // The reader's own budget bounds the nodes and what aliases expand to.
        let options = serde_saphyr::options! {
            strict_booleans: true,
            with_snippet: false,
            budget: serde_saphyr::budget! { max_depth: DEPTH_MAX },
            non_finite_float_policy: serde_saphyr::options::NonFiniteFloatPolicy::PassThrough,
        };
        serde_saphyr::from_str_with_options(source, options)
    }

    /// Takes numbers as they are written. What is a number in YAML but not in JSON, such as `02134`, `0x1F`,
    /// `1_000` and `.inf`, becomes a text: any other meaning would be a guess.
    fn as_written(&mut self, source: &str) {
        match &mut self.value {
            Value::Number(number) => {
                let written = source.get(self.written.clone()).unwrap_or_default();
                if is_number(written) {
                    written.clone_into(number);
                } else if number.is_empty() || !written.is_empty() && !written.starts_with(TAGGED_OR_QUOTED) {
                    self.value = Value::Text(written.to_owned());
                }
            }
            Value::List(items) => items.iter_mut().for_each(|item| item.as_written(source)),
            Value::Map(entries) => {
                for (key, value) in entries {
                    key.as_written(source);
                    value.as_written(source);
                }
            }
            Value::Null | Value::Bool(_) | Value::Text(_) => {}
        }
    }

    /// The line and the column of a part of its text that begins at byte `at` of the decoded text. Quotes,
    /// escapes and folded lines make the decoded text differ from what is written; so the first word of the
    /// part is searched for, and if it is not found, the beginning of the text is answered.
    pub(super) fn place_inside(&self, source: &str, at: usize) -> (u64, u64) {
        self.find_inside(source, at).unwrap_or((self.line, self.column))
    }

    fn find_inside(&self, source: &str, at: usize) -> Option<(u64, u64)> {
        let Value::Text(text) = &self.value else { return None };
        let written = source.get(self.written.clone()).filter(|_| self.direct)?;
        let (before, rest) = text.split_at_checked(at)?;
        let word = match rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_') {
            Some(0) => rest.get(..2).or_else(|| rest.get(..1))?,
            Some(length) => rest.get(..length)?,
            None => rest,
        };
        let earlier = before.matches(word).count();
        let (found, _) = written.match_indices(word).nth(earlier)?;
        let above = written.get(..found)?;
        Some(match above.rsplit_once('\n') {
            None => (self.line, self.column + count(above)),
            Some((lines, last)) => (self.line + 1 + lines.matches('\n').count() as u64, 1 + count(last)),
        })
    }

    /// The kind of value, as words for a sentence.
    pub(super) fn kind(&self) -> &'static str {
        match &self.value {
            Value::Null => "nothing",
            Value::Bool(_) => "true or false",
            Value::Number(_) => "a number",
            Value::Text(_) => "a text",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
        }
    }
}

/// The first characters of values that say by themselves of what kind they are.
const TAGGED_OR_QUOTED: [char; 5] = ['!', '"', '\'', '|', '>'];

fn count(text: &str) -> u64 {
    text.chars().count() as u64
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let found = Spanned::<Value>::deserialize(deserializer)?;
        let span = found.defined.span();
        let bytes = span.byte_offset().zip(span.byte_len()).and_then(|(start, length)| {
            let start = usize::try_from(start).ok()?;
            Some(start..start.checked_add(usize::try_from(length).ok()?)?)
        });
        Ok(Self {
            line: found.referenced.line().max(1),
            column: found.referenced.column().max(1),
            written: bytes.unwrap_or_default(),
            direct: found.referenced == found.defined,
            value: found.value,
        })
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }
    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_bool<E>(self, flag: bool) -> Result<Value, E> {
        Ok(Value::Bool(flag))
    }
    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Number(number.to_string()))
    }
    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(Value::Number(number.to_string()))
    }
    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<Value, E> {
        if !number.is_finite() {
            return Ok(Value::Number(String::new()));
        }
        serde_json::to_string(&number).map(Value::Number).map_err(E::custom)
    }
    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.to_owned()))
    }
    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(Value::Text(text))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(Value::List(items))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Value::Map(entries))
    }
}

/// The path to what stands at a column of a plan: `add_steps[1].agent`.
pub(super) fn path(tree: &Tree, column: u64) -> String {
    let holds = |tree: &Tree| {
        let byte = usize::try_from(column).unwrap_or(usize::MAX).saturating_sub(1);
        tree.written.contains(&byte)
    };
    let (mut path, mut at) = ("add_steps".to_owned(), tree);
    loop {
        let inner = match &at.value {
            Value::List(items) => {
                items.iter().enumerate().find(|(_, item)| holds(item)).map(|(index, item)| {
                    path.push_str(&format!("[{index}]"));
                    item
                })
            }
            Value::Map(entries) => entries.iter().find(|(_, value)| holds(value)).map(|(key, value)| {
                if let Value::Text(name) = &key.value {
                    path.push_str(&format!(".{name}"));
                }
                value
            }),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) => None,
        };
        match inner {
            Some(inner) => at = inner,
            None => return path,
        }
    }
}

/// The reader's error as a problem, in our words where people need more than the reader's.
fn problem(error: &Error, file: &str) -> Problem {
    let error = match error.without_snippet() {
        Error::AliasError { error, .. } => error.without_snippet(),
        error => error,
    };
    let text = error.to_string();
    let message = text.rsplit_once(" at line ").map_or(text.as_str(), |(message, _)| message);
    let problem = match error {
        Error::Budget { breach: serde_saphyr::budget::BudgetBreach::Depth { .. }, .. } => {
            Problem::new(Code::TooDeep, format!("this is nested deeper than {DEPTH_MAX} levels"))
        }
        Error::Budget { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. }
        | Error::AliasReplayCounterOverflow { .. } => Problem::new(Code::TooLarge, message),
        Error::DuplicateMappingKey { key, .. } => {
            let key = key.as_ref().map_or_else(|| "a key".to_owned(), |key| format!("`{key}`"));
            Problem::new(Code::DuplicateKey, format!("{key} stands twice in one map"))
        }
        Error::MultipleDocuments { .. } => Problem::new(Code::NotYaml, "a second document begins here")
            .hint("a file holds one workflow: take the `---` out, or make two files"),
        _ if message.contains("mapping values are not allowed") => {
            Problem::new(Code::NotYaml, format!("this is not YAML: {message}")).hint(
                "a colon and a space (`: `) inside a text make it a map: put the text on lines of its own under `|`, \
                 as in `run: |`, or in quotes",
            )
        }
        _ => Problem::new(Code::NotYaml, format!("this is not YAML: {message}")),
    };
    match error.location().filter(|location| location.line() > 0) {
        Some(location) => problem.at(file, location.line(), location.column().max(1)),
        None => problem.at(file, 1, 1),
    }
}
