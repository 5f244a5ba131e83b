//! One layer of the configuration: a TOML file, or the environment, as a list of keys with values and places.

use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::keys;
use crate::events::problem::{Code, Problem};

/// A key with its value.
#[derive(Debug)]
pub(super) struct Setting {
    /// The names of its sections, then its own name.
    pub(super) path: Vec<String>,
    pub(super) value: toml::Value,
    pub(super) origin: Origin,
}

/// The place where a setting stands.
#[derive(Debug)]
pub(super) enum Origin {
    File { file: String, line: u64, column: u64 },
    Variable(String),
}

impl Origin {
    /// Adds to a problem where it is.
    pub(super) fn place(&self, problem: Problem) -> Problem {
        match self {
            Self::File { file, line, column } => problem.at(file, *line, *column),
            Self::Variable(name) => {
                let message = format!("in the environment, `{name}`: {}", problem.message);
                Problem { message, ..problem }
            }
        }
    }
}

/// The settings of a TOML file, in the order of their places.
///
/// # Errors
/// [`Code::BadConfig`] with the place where the text is not TOML.
pub(super) fn of_file(text: &str, file: &str) -> Result<Vec<Setting>, Problem> {
    let source = Source { text, file };
    let table = DeTable::parse(text).map_err(|error| {
        let at = source.origin(error.span().map_or(0, |span| span.start));
        at.place(
            Problem::new(Code::BadConfig, format!("this is not TOML: {}", error.message()))
                .hint("check quotes, brackets and `=` at that place"),
        )
    })?;
    let mut settings = Vec::new();
    source.collect(table.get_ref(), &[], &mut settings)?;
    Ok(settings)
}

/// The text of a file, with the file's name.
struct Source<'a> {
    text: &'a str,
    file: &'a str,
}

impl Source<'_> {
    /// Descends into tables until a key takes values.
    fn collect(
        &self,
        table: &DeTable<'_>,
        above: &[String],
        settings: &mut Vec<Setting>,
    ) -> Result<(), Problem> {
        for (key, value) in table {
            let path: Vec<String> = above.iter().cloned().chain([key.get_ref().to_string()]).collect();
            match value.get_ref() {
                DeValue::Table(inner) if keys::is_section(&path) => self.collect(inner, &path, settings)?,
                _ => {
                    let origin = self.origin(key.span().start);
                    let value =
                        value_of(value).map_err(|why| origin.place(Problem::new(Code::BadConfig, why)))?;
                    settings.push(Setting { path, value, origin });
                }
            }
        }
        Ok(())
    }

    fn origin(&self, byte: usize) -> Origin {
        let before = self.text.get(..byte).unwrap_or_default();
        let line = before.matches('\n').count() as u64 + 1;
        let column = before.chars().rev().take_while(|char| *char != '\n').count() as u64 + 1;
        Origin::File { file: self.file.to_owned(), line, column }
    }
}

/// A value without its places.
fn value_of(value: &Spanned<DeValue<'_>>) -> Result<toml::Value, String> {
    use serde::Deserialize;
    let deserializer = toml::de::ValueDeserializer::from(value.clone());
    toml::Value::deserialize(deserializer).map_err(|error| error.message().to_owned())
}

/// The settings in the environment: `REENACT_SECTION__KEY`, and `REENACT__KEY` for a key without
/// a section. Other names have other meanings: `REENACT_DATA`, and what a step's program is
/// given, such as `REENACT_RUN`.
pub(super) fn of_environment(variables: &BTreeMap<String, String>) -> Vec<Setting> {
    let setting = |(name, text): (&String, &String)| {
        let rest =
            name.strip_prefix("REENACT").filter(|rest| rest.starts_with('_') && rest.contains("__"))?;
        let rest = rest.strip_prefix("__").or_else(|| rest.strip_prefix('_'))?;
        let path = rest.to_lowercase().split("__").map(str::to_owned).collect();
        Some(Setting { path, value: value_of_text(text), origin: Origin::Variable(name.clone()) })
    };
    variables.iter().filter_map(setting).collect()
}

/// A text as TOML reads it, if it is a number, a list and so on; otherwise the text itself.
pub(super) fn value_of_text(text: &str) -> toml::Value {
    let read = DeValue::parse(text).ok().and_then(|value| value_of(&value).ok());
    read.unwrap_or_else(|| toml::Value::String(text.to_owned()))
}
