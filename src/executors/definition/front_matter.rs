//! The YAML between the two `---` at the top of an agent's file.

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_saphyr::{Location, Spanned};

use super::{AgentDefinition, unknown_key};
use crate::events::ids::AgentName;
use crate::events::problem::{Class, Code, Problem};

/// The parts of a file with front matter. The YAML begins with the first line of the file, so that its line
/// numbers are the file's.
pub(super) struct Parts<'a> {
    yaml: &'a str,
    /// None if the second `---` is missing.
    body: Option<&'a str>,
}

/// Splits a file whose first line is `---`, but for empty ones.
pub(super) fn split(text: &str) -> Option<Parts<'_>> {
    let is_fence = |line: &str| line.trim_end() == "---";
    let mut lines = text.split_inclusive('\n');
    let mut at = 0;
    let first = lines.by_ref().find(|line| {
        at += line.len();
        !line.trim().is_empty()
    });
    first.filter(|line| is_fence(line))?;
    for line in lines {
        if is_fence(line) {
            return Some(Parts { yaml: text.get(..at)?, body: text.get(at + line.len()..) });
        }
        at += line.len();
    }
    // Below empty lines it may as well be a line that parts a text.
    is_fence(text.lines().next().unwrap_or_default()).then_some(Parts { yaml: text, body: None })
}

/// Reads a file with front matter; also answers warnings about it.
pub(super) fn read(parts: Parts<'_>, file: &str) -> Result<(AgentDefinition, Vec<Problem>), Problem> {
    let bad = |message: String| Problem::new(Code::BadAgent, message);
    let Some(body) = parts.body else {
        return Err(bad("the front matter does not end".to_owned())
            .hint("put `---` on a line below it")
            .at(file, 1, 1));
    };
    let mut agent = AgentDefinition::named(AgentName::new(""));
    let mut warnings = Vec::new();
    let entries = match entries(parts.yaml, file) {
        Ok(entries) => entries,
        Err(problem) => {
            let Some(entries) = mended(parts.yaml).and_then(|yaml| entries(&yaml, file).ok()) else {
                return Err(problem);
            };
            warnings.push(loosely(problem));
            entries
        }
    };
    let names_executor = entries.iter().any(|entry| entry.key == "executor");
    for Entry { key, at, value } in entries {
        match agent.set(&key, value.value) {
            Ok(true) => {}
            Ok(false) => {
                warnings.push(placed(unknown_key(Code::UnknownAgentKey, Class::Validation, &key), file, at));
            }
            Err(why) => return Err(placed(bad(format!("`{key}` is {why}")), file, value.referenced)),
        }
    }
    for (key, missing) in
        [("name", agent.name.as_str().is_empty()), ("description", agent.description.is_empty())]
    {
        if missing {
            return Err(bad(format!("`{key}` is missing"))
                .hint(format!("add `{key}:` to the front matter"))
                .at(file, 1, 1));
        }
    }
    if !names_executor {
        agent.work_by_what_it_has();
    }
    agent.system_prompt = body.trim().to_owned();
    Ok((agent, warnings))
}

/// The same YAML, line by line, with the texts in quotes that stand on the line of their key and hold what means something in
/// YAML: other tools take all behind the first colon for a text. None if there is no such line.
fn mended(yaml: &str) -> Option<String> {
    let mut is_mended = false;
    let mend = |line: &str| {
        let quoted = line.split_once(": ").and_then(|(key, text)| {
            let text = text.trim();
            let is_key =
                !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b));
            let is_plain = !text.starts_with(['"', '\'', '[', '{', '|', '>', '&', '*', '!', '#']);
            let means_more = text.contains(": ") || text.ends_with(':') || text.starts_with(['@', '`', '%']);
            (is_key && is_plain && means_more).then(|| format!("{key}: {}", Value::from(text)))
        });
        is_mended |= quoted.is_some();
        quoted.unwrap_or_else(|| line.to_owned())
    };
    let lines: Vec<String> = yaml.lines().map(mend).collect();
    is_mended.then(|| lines.join("\n"))
}

/// The warning that front matter was read in spite of what is wrong with it.
fn loosely(problem: Problem) -> Problem {
    let message = format!("{}; texts with colons were taken as they stand", problem.message);
    let loose = Problem::new(Code::LooseFrontMatter, message);
    Problem { at: problem.at, ..loose }
}

fn placed(problem: Problem, file: &str, at: Location) -> Problem {
    problem.at(file, at.line(), at.column())
}

struct Entry {
    key: String,
    at: Location,
    value: Spanned<Value>,
}

fn entries(yaml: &str, file: &str) -> Result<Vec<Entry>, Problem> {
    let options = serde_saphyr::options! {
        // JSON has no word for infinity, and null is not what was written.
        non_finite_float_policy: serde_saphyr::options::NonFiniteFloatPolicy::Reject,
        with_snippet: false,
    };
    // Nothing but comments between the fences is a mapping without keys.
    let read: Result<Option<Entries>, _> = serde_saphyr::from_str_with_options(yaml, options);
    read.map(|entries| entries.map(|entries| entries.0).unwrap_or_default()).map_err(|error| {
        let (line, column) = error.location().map_or((1, 1), |at| (at.line(), at.column()));
        Problem::new(
            Code::BadAgent,
            format!("the front matter is not YAML: {}", first_line(&error.to_string())),
        )
        .hint("check indentation, quotes and colons at that place")
        .at(file, line, column)
    })
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

/// A mapping with the places of its keys and values.
struct Entries(Vec<Entry>);

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Keys;
        impl<'de> Visitor<'de> for Keys {
            type Value = Entries;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("keys and values, as in `name: publisher`")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries, A::Error> {
                let mut entries = Vec::new();
                while let Some(key) = map.next_key::<Spanned<String>>()? {
                    entries.push(Entry { key: key.value, at: key.referenced, value: map.next_value()? });
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(Keys)
    }
}
