//! `--input k=v`, `k:=JSON` and `a.b=v`.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Number, Value};

use crate::events::json::Json;
use crate::events::problem::{Code, Problem};

/// What an argument gives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Given {
    /// A text, which becomes what the schema declares.
    Text(String),
    /// JSON, which is taken as it is.
    Json(Json),
}

/// An input put together: the file, and over it the arguments, of which later ones win. `k=v` is text, converted where
/// the schema declares another type; `k:=JSON` is JSON; `a.b=v` is the member `b` of `a`.
///
/// # Errors
/// All arguments that are none, and those that cannot become what the schema declares.
pub fn input_from_arguments(
    schema: Option<&Value>,
    file: Option<Value>,
    arguments: &[String],
) -> Result<Value, Vec<Problem>> {
    let mut input = file.unwrap_or_else(|| Value::Object(Map::new()));
    let mut problems = Vec::new();
    if !input.is_object() && !arguments.is_empty() {
        let problem =
            Problem::new(Code::BadInput, "the input file is no object, so `--input` has nothing to add to");
        return Err(vec![problem.hint("let the file hold an object: `{\"name\": \"value\"}`")]);
    }
    for argument in arguments {
        if let Err(problem) = add(schema, &mut input, argument) {
            problems.push(problem);
        }
    }
    if problems.is_empty() { Ok(input) } else { Err(problems) }
}

fn bad(message: String) -> Problem {
    Problem::new(Code::BadInput, message).hint("write `name=text` or `name:=JSON`")
}

/// The path that an argument names, and what it gives.
pub(in crate::workflow) fn given(argument: &str) -> Result<(Vec<&str>, Given), Problem> {
    let Some((name, text)) = argument.split_once('=') else {
        return Err(bad(format!("`{argument}` gives no value")));
    };
    let (name, is_json) = name.strip_suffix(':').map_or((name, false), |name| (name, true));
    let path: Vec<&str> = name.split('.').collect();
    if path.iter().any(|part| part.is_empty()) {
        return Err(bad(format!("`{argument}` gives no name")));
    }
    if !is_json {
        return Ok((path, Given::Text(text.to_owned())));
    }
    // It is parsed whole: what is so deep that no expression could look into it is none here.
    let json = serde_json::from_str::<Value>(text).and_then(|_| Json::parse(text));
    let json = json.map_err(|why| bad(format!("`{text}` for `{name}` is not JSON: {why}")))?;
    Ok((path, Given::Json(json)))
}

fn add(schema: Option<&Value>, input: &mut Value, argument: &str) -> Result<(), Problem> {
    let (path, given) = given(argument)?;
    let value = match given {
        Given::Json(json) => json.value(),
        Given::Text(text) => convert(declared(schema, &path), &format!("input.{}", path.join(".")), &text)?,
    };
    insert(input, &path, value).map_err(|part| {
        bad(format!("`{argument}` goes into `{part}`, which is no object"))
            .hint("give that as an object, or not at all")
    })
}

/// The schema of what is at a path.
pub(in crate::workflow) fn declared<'s, T: AsRef<str>>(
    schema: Option<&'s Value>,
    path: &[T],
) -> Option<&'s Value> {
    path.iter().try_fold(schema?, |schema, name| schema.get("properties")?.get(name.as_ref()))
}

/// A text as the declared type of what is called `name`. Where several are declared, the text stays one if it may; else it becomes the first of
/// them that it can.
pub(in crate::workflow) fn convert(schema: Option<&Value>, name: &str, text: &str) -> Result<Value, Problem> {
    let declared = schema.and_then(|schema| schema.get("type"));
    let types: Vec<&str> = match declared {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    if types.is_empty() || types.contains(&"string") {
        return Ok(Value::String(text.to_owned()));
    }
    types.iter().find_map(|kind| as_type(kind, text)).ok_or_else(|| {
        let message =
            format!("`{name}` must be of type {}, and `{text}` cannot be read as that", types.join(" or "));
        Problem::new(Code::BadInput, message)
            .hint(format!("give JSON: `{}:=…`", name.trim_start_matches("input.")))
    })
}

fn as_type(kind: &str, text: &str) -> Option<Value> {
    let json = || serde_json::from_str::<Value>(text).ok();
    match kind {
        "null" => (text.is_empty() || text == "null").then_some(Value::Null),
        "boolean" => text.parse().ok().map(Value::Bool),
        "integer" => match text.parse::<i64>() {
            Ok(number) => Some(number.into()),
            Err(_) => text.parse::<u64>().ok().map(Value::from),
        },
        "number" => json().filter(Value::is_number).or_else(|| {
            let number = text.parse::<f64>().ok()?;
            Number::from_f64(number).map(Value::Number)
        }),
        "array" => json().filter(Value::is_array),
        "object" => json().filter(Value::is_object),
        _ => None,
    }
}

/// Puts a value at a path, making objects on the way; the name of what is in the way, if something is.
fn insert<'p>(into: &mut Value, path: &[&'p str], value: Value) -> Result<(), &'p str> {
    let Some((last, parents)) = path.split_last() else { return Ok(()) };
    let mut place = into;
    for name in parents {
        let members = place.as_object_mut().ok_or(*name)?;
        place = members.entry(*name).or_insert_with(|| Value::Object(Map::new()));
        if !place.is_object() {
            return Err(name);
        }
    }
    place.as_object_mut().ok_or(*last)?.insert((*last).to_owned(), value);
    Ok(())
}
