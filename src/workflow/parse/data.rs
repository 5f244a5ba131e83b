//! Files and parts of files that are data: no expression in them is evaluated.

use super::FILE_BYTES_MAX;
use super::diagnostics::{Diagnostics, key_is_no_text};
use super::tree::{Tree, Value};
use crate::events::json::Json;
use crate::events::problem::{Code, Problem};
use crate::workflow::json_text::write_text;

/// The data in a file: JSON if its name ends in `.json`, otherwise YAML. Numbers keep their digits.
///
/// # Errors
/// The first thing that is wrong, with its place.
pub fn data(text: &str, file: &str) -> Result<Json, Problem> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if file.ends_with(".json") {
        return Json::read(text).map_err(|why| why.in_file(file));
    }
    if text.len() > 16 * FILE_BYTES_MAX {
        let message =
            format!("the file has {} bytes, and YAML is read up to {}", text.len(), 16 * FILE_BYTES_MAX);
        return Err(Problem::new(Code::TooLarge, message).hint("give it as JSON"));
    }
    let tree = Tree::read(text, file)?;
    let mut report = Diagnostics::new(file, text);
    let read = json(&mut report, "a map", &tree);
    let wrong = report.problems.into_iter().next();
    read.ok_or_else(|| wrong.unwrap_or_else(|| Problem::new(Code::NotYaml, "this is no data").at(file, 1, 1)))
}

/// A tree as JSON, in which numbers keep their digits. `of` names what has the keys, for the report of a key
/// that is not text.
pub(super) fn json(report: &mut Diagnostics<'_>, of: &str, tree: &Tree) -> Option<Json> {
    let mut out = String::new();
    write(report, of, tree, &mut out)?;
    Json::made(&out).ok()
}

fn write(report: &mut Diagnostics<'_>, of: &str, tree: &Tree, out: &mut String) -> Option<()> {
    match &tree.value {
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) => {
            out.push_str(scalar(tree).text());
        }
        Value::List(items) => {
            out.push('[');
            for (place, item) in items.iter().enumerate() {
                if place > 0 {
                    out.push(',');
                }
                write(report, of, item, out)?;
            }
            out.push(']');
        }
        Value::Map(entries) => {
            out.push('{');
            for (place, (name, value)) in entries.iter().enumerate() {
                let Value::Text(text) = &name.value else {
                    key_is_no_text(report, &format!("`{of}`"), name);
                    return None;
                };
                if place > 0 {
                    out.push(',');
                }
                write_text(out, text);
                out.push(':');
                write(report, of, value, out)?;
            }
            out.push('}');
        }
    }
    Some(())
}

/// A single value as JSON. A number keeps its digits.
pub(super) fn scalar(tree: &Tree) -> Json {
    let json = match &tree.value {
        Value::Bool(flag) => Json::of(flag),
        Value::Text(text) => Json::of(text),
        Value::Number(number) => Json::parse(number),
        Value::Null | Value::List(_) | Value::Map(_) => Ok(Json::null()),
    };
    json.unwrap_or_default()
}
