//! The input of a run: from arguments, against its schema.

use serde_json::Value;

use super::json_text::{Edited, Level};
use super::schema::Schema;
use crate::events::json::Json;
use crate::events::problem::{Code, Problem, Remedy, nearest};

mod arguments;
#[cfg(test)]
mod tests;

pub use arguments::{Given, arguments_of, input_from_arguments, pair_from_argument};
pub(super) use arguments::{convert, declared, given};

/// How many inputs are named to whoever gives one that is not known.
const INPUTS_NAMED: usize = 20;

/// The input with its defaults filled in, if it fits the schema. Without a schema everything fits. Parts that
/// need no defaults keep the text that was given: numbers keep their digits.
///
/// # Errors
/// Everything that does not fit, each with its path, such as `input.version`.
pub fn check_input(schema: Option<&Schema>, input: &Json) -> Result<Json, Vec<Problem>> {
    let Some(schema) = schema else { return Ok(input.clone()) };
    let mut filled = Edited::Text(input.text().to_owned());
    let changed = fill_defaults(schema.text(), &mut filled);
    let filled = if changed { Json::made(&filled.text()) } else { Ok(input.clone()) };
    let filled = filled.map_err(|why| vec![Problem::new(Code::BadInput, format!("the input: {why}"))])?;
    let value = filled.value();
    let validator = schema
        .validator()
        .map_err(|why| vec![Problem::new(Code::BadSchema, format!("`input` is no JSON Schema: {why}"))])?;
    let problems: Vec<_> =
        validator.iter_errors(&value).flat_map(|error| problems(schema.value(), &error)).collect();
    if problems.is_empty() { Ok(filled) } else { Err(problems) }
}

/// Fills in absent members that have a `default`, in objects that are there or are a default themselves.
/// Answers whether it filled in any.
fn fill_defaults(schema: &str, value: &mut Edited) -> bool {
    let Some(Level::Map(properties)) =
        member(schema, "properties").and_then(|properties| Level::of(properties).ok())
    else {
        return false;
    };
    let mut changed = false;
    for (name, schema) in properties {
        let Some(members) = value.members() else { return changed };
        if let (false, Some(default)) =
            (members.iter().any(|(known, _)| *known == name), member(schema, "default"))
        {
            members.push((name.clone().into_owned(), Edited::Text(default.to_owned())));
            changed = true;
        }
        if let Some((_, member)) = members.iter_mut().find(|(known, _)| *known == name) {
            changed |= fill_defaults(schema, member);
        }
    }
    changed
}

/// The JSON text of a member of an object.
fn member<'a>(object: &'a str, name: &str) -> Option<&'a str> {
    let Ok(Level::Map(members)) = Level::of(object) else { return None };
    members.into_iter().rfind(|(known, _)| known == name).map(|(_, text)| text)
}

/// The problems for an error of the validator; each names its path.
fn problems(schema: &Value, error: &jsonschema::ValidationError<'_>) -> Vec<Problem> {
    use jsonschema::error::ValidationErrorKind as Kind;
    let path = path(error.instance_path().as_str());
    match error.kind() {
        Kind::Required { property } => {
            let name = property.as_str().unwrap_or_default();
            let message = format!("`{path}.{name}` is missing");
            vec![Problem::new(Code::BadInput, message).hint(give(&path, name))]
        }
        Kind::AdditionalProperties { unexpected } | Kind::UnevaluatedProperties { unexpected } => {
            let known = properties_at(schema, error.instance_path().as_str());
            unexpected.iter().map(|name| unknown(&path, name, &known)).collect()
        }
        Kind::Type { kind } => {
            let wanted = match kind {
                jsonschema::error::TypeKind::Single(kind) => kind.to_string(),
                jsonschema::error::TypeKind::Multiple(kinds) => {
                    kinds.iter().map(|kind| kind.to_string()).collect::<Vec<_>>().join(" or ")
                }
            };
            let message = format!("`{path}` must be of type {wanted}, and is {}", shown(error.instance()));
            vec![Problem::new(Code::BadInput, message)]
        }
        _ => {
            let masked = error.masked_with(shown(error.instance())).to_string();
            vec![Problem::new(Code::BadInput, format!("`{path}`: {masked}"))]
        }
    }
}

fn unknown(path: &str, name: &str, known: &[&str]) -> Problem {
    let problem = Problem::new(Code::BadInput, format!("`{path}.{name}` is not an input of this workflow"));
    problem.hint(instead_of_input(name, known))
}

/// What may be meant by an input that is not known: the nearest that is, and all.
pub fn instead_of_input(name: &str, known: &[&str]) -> String {
    let named = known.iter().take(INPUTS_NAMED).map(|known| format!("`{known}`"));
    let more = (known.len() > INPUTS_NAMED).then(|| format!("and {} more", known.len() - INPUTS_NAMED));
    let all = named.chain(more).collect::<Vec<_>>().join(", ");
    match (nearest(name, known.iter().copied()), known) {
        (_, []) => "no input is known there: leave it out".to_owned(),
        (Some(near), [_]) => format!("did you mean `{near}`?"),
        (Some(near), _) => format!("did you mean `{near}`? Its inputs are {all}"),
        (None, [_]) => format!("its only input is {all}"),
        (None, _) => format!("its inputs are {all}"),
    }
}

/// To give an input that is missing.
fn give(path: &str, name: &str) -> Remedy {
    let prefix = path.strip_prefix("input").unwrap_or_default().trim_start_matches('.');
    let dot = if prefix.is_empty() { "" } else { "." };
    Remedy::GiveInput(format!("{prefix}{dot}{name}"))
}

/// A JSON pointer as a path: `/a/0/b` becomes `input.a[0].b`.
fn path(pointer: &str) -> String {
    let mut path = "input".to_owned();
    for part in pointer.split('/').skip(1) {
        let part = part.replace("~1", "/").replace("~0", "~");
        if part.bytes().all(|byte| byte.is_ascii_digit()) {
            path.push_str(&format!("[{part}]"));
        } else {
            path.push('.');
            path.push_str(&part);
        }
    }
    path
}

/// The names that the schema lists for the object at a JSON pointer.
fn properties_at<'s>(schema: &'s Value, pointer: &str) -> Vec<&'s str> {
    let mut schema = Some(schema);
    for part in pointer.split('/').skip(1) {
        schema = schema.and_then(|schema| schema.get("properties")?.get(part));
    }
    let properties = schema.and_then(|schema| schema.get("properties")?.as_object());
    properties.map(|properties| properties.keys().map(String::as_str).collect()).unwrap_or_default()
}

/// A value as a message quotes it: cut to what fits in a line.
fn shown(value: &Value) -> String {
    const CHARS_MAX: usize = 60;
    let text = value.to_string();
    match text.char_indices().nth(CHARS_MAX) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

/// What a schema says about a property with some name.
pub(super) enum Property<'s> {
    /// It declares the property with this schema.
    Known(&'s Value),
    /// The property may be there or not: the schema does not say.
    Open,
    /// There is no such property: these are all.
    Unknown(Vec<&'s str>),
}

/// What a schema says about a property of that name. A schema with `properties` is taken to list all of them,
/// unless one of the keywords below says that there may be others.
pub(super) fn property<'s>(schema: &'s Value, name: &str) -> Property<'s> {
    const OPENING: [&str; 9] = [
        "patternProperties",
        "allOf",
        "anyOf",
        "oneOf",
        "$ref",
        "$dynamicRef",
        "if",
        "not",
        "dependentSchemas",
    ];
    let Some(members) = schema.as_object() else { return Property::Open };
    let Some(properties) = members.get("properties").and_then(Value::as_object) else {
        return Property::Open;
    };
    if let Some(schema) = properties.get(name) {
        return Property::Known(schema);
    }
    let others = members.get("additionalProperties").is_some_and(|others| *others != Value::Bool(false));
    if others || OPENING.iter().any(|keyword| members.contains_key(*keyword)) {
        return Property::Open;
    }
    Property::Unknown(properties.keys().map(String::as_str).collect())
}
