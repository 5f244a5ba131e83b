//! `--input k=v`, `k:=JSON` and `a.b=v`.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::events::json::{Json, is_number};
use crate::events::problem::{Code, Problem};
use crate::events::text::is_control;
use crate::workflow::json_text::{Edited, Level};
use crate::workflow::schema::Schema;

/// The value that an argument gives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Given {
    /// A text, which becomes what the schema declares.
    Text(String),
    /// JSON, which is taken as it is.
    Json(Json),
}

/// An input made of the file and, over it, the arguments; later ones win. `k=v` is text, converted
/// where the schema declares another type; `k:=JSON` is JSON; `a.b=v` is the member `b` of `a`.
/// Numbers keep their digits.
///
/// # Errors
/// All arguments that are not written like that, and those that cannot become what the schema declares.
pub fn input_from_arguments(
    schema: Option<&Schema>,
    file: Option<Json>,
    arguments: &[String],
) -> Result<Json, Vec<Problem>> {
    let schema = schema.map(Schema::value);
    if let (Some(file), []) = (&file, arguments) {
        return Ok(file.clone());
    }
    let mut input = file.map_or(Edited::Map(Vec::new()), |file| Edited::Text(file.text().to_owned()));
    let mut problems = Vec::new();
    if input.members().is_none() {
        let problem = Problem::new(
            Code::BadInput,
            "the input file is no object, so that no single input can be added to it",
        );
        return Err(vec![problem.hint("let the file hold an object: `{\"name\": \"value\"}`")]);
    }
    for argument in arguments {
        if let Err(problem) = add(schema, &mut input, argument) {
            problems.push(problem);
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let made = Json::made(&input.text());
    made.map_err(|why| vec![Problem::new(Code::TooDeep, format!("the input: {}", why.why))])
}

/// The name and the value that an argument gives, where nothing declares what that has to be: `k=v` is a text, `k:=JSON` is
/// JSON. A name with a `.` stays as it is.
///
/// # Errors
/// When it is not written like that.
pub fn pair_from_argument(argument: &str) -> Result<(String, Json), Problem> {
    let (path, given) = given(argument)?;
    let value = match given {
        Given::Text(text) => Json::from(&Value::from(text)),
        Given::Json(json) => json,
    };
    Ok((path.join("."), value))
}

/// How many characters arguments may have together that say an input.
const ARGUMENTS_CHARS_MAX: usize = 1_000;

/// Arguments of which [`input_from_arguments`] makes this input. What the schema says anyhow is left out. None where they
/// would be too long to be typed, or where an argument cannot name it.
pub fn arguments_of(schema: Option<&Schema>, input: &Json) -> Option<Vec<String>> {
    let Ok(Level::Map(members)) = Level::of(input.text()) else { return None };
    let properties = schema.and_then(|schema| schema.value().get("properties"));
    let is_default = |name: &str, text: &str| {
        let default = properties.and_then(|properties| properties.get(name)?.get("default"));
        default
            .is_some_and(|default| serde_json::from_str::<Value>(text).is_ok_and(|value| value == *default))
    };
    let mut arguments = Vec::new();
    for (name, text) in members.iter().filter(|(name, text)| !is_default(name, text)) {
        if name.is_empty() || name.contains(['.', '=', ':']) || name.contains(is_control) {
            return None;
        }
        arguments.push(match Level::of(text) {
            Ok(Level::Text(plain)) if !plain.contains(is_control) => format!("{name}={plain}"),
            _ => format!("{name}:={text}"),
        });
    }
    let chars: usize = arguments.iter().map(|argument| argument.chars().count()).sum();
    (chars <= ARGUMENTS_CHARS_MAX && arguments.iter().all(|argument| !argument.contains(is_control)))
        .then_some(arguments)
}

fn bad(message: String) -> Problem {
    Problem::new(Code::BadInput, message).hint("write `name=text` or `name:=JSON`")
}

/// The path that an argument names, and the value that it gives.
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
    let json = Json::read(text).map_err(|why| {
        let problem = bad(format!("`{text}` for `{name}` is not JSON that can be taken: {why}"));
        problem.hint(why.code().remedies().to_vec())
    })?;
    Ok((path, Given::Json(json)))
}

fn add(schema: Option<&Value>, input: &mut Edited, argument: &str) -> Result<(), Problem> {
    let (path, given) = given(argument)?;
    let value = match given {
        Given::Json(json) => json,
        Given::Text(text) => convert(declared(schema, &path), &format!("input.{}", path.join(".")), &text)?,
    };
    insert(input, &path, Edited::Text(value.text().to_owned())).map_err(|part| {
        bad(format!("`{argument}` goes into `{part}`, which is no object"))
            .hint("give that as an object, or not at all")
    })
}

/// The schema of the value at a path.
pub(in crate::workflow) fn declared<'s, T: AsRef<str>>(
    schema: Option<&'s Value>,
    path: &[T],
) -> Option<&'s Value> {
    path.iter().try_fold(schema?, |schema, name| schema.get("properties")?.get(name.as_ref()))
}

/// A text as the declared type of what is called `name`. If several types are declared, the text stays a text
/// where that is one of them; otherwise it becomes the first type that it can.
pub(in crate::workflow) fn convert(schema: Option<&Value>, name: &str, text: &str) -> Result<Json, Problem> {
    let declared = schema.and_then(|schema| schema.get("type"));
    let types: Vec<&str> = match declared {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    if types.is_empty() || types.contains(&"string") {
        return Ok(Json::from(&Value::from(text)));
    }
    types.iter().find_map(|kind| as_type(kind, text)).ok_or_else(|| {
        let message =
            format!("`{name}` must be of type {}, and `{text}` cannot be read as that", types.join(" or "));
        Problem::new(Code::BadInput, message)
            .hint(format!("give JSON: `{}:=…`", name.trim_start_matches("input.")))
    })
}

fn as_type(kind: &str, text: &str) -> Option<Json> {
    let json = |begins: char| Json::read(text).ok().filter(|json| json.text().starts_with(begins));
    let made = |number: String| Json::made(&number).ok();
    match kind {
        "null" => (text.is_empty() || text == "null").then(Json::null),
        "boolean" => made(text.parse::<bool>().ok()?.to_string()),
        "integer" if is_number(text) => made(text.to_owned()).filter(|_| !text.contains(['.', 'e', 'E'])),
        "integer" => made(text.parse::<i64>().ok()?.to_string()),
        "number" if is_number(text) => made(text.to_owned()),
        "number" => Json::of(&text.parse::<f64>().ok().filter(|number| number.is_finite())?).ok(),
        "array" => json('['),
        "object" => json('{'),
        _ => None,
    }
}

/// Puts a value at a path, making objects on the way; if something is in the way, answers its name.
fn insert<'p>(into: &mut Edited, path: &[&'p str], value: Edited) -> Result<(), &'p str> {
    let Some((last, parents)) = path.split_last() else { return Ok(()) };
    let mut place = into;
    for name in parents {
        let members = place.members().ok_or(*name)?;
        let known = members.iter().position(|(known, _)| known == name);
        let at = known.unwrap_or(members.len());
        if known.is_none() {
            members.push(((*name).to_owned(), Edited::Map(Vec::new())));
        }
        place = members.get_mut(at).map(|(_, member)| member).ok_or(*name)?;
        if place.members().is_none() {
            return Err(name);
        }
    }
    place.members().ok_or(*last)?;
    place.set((*last).to_owned(), value);
    Ok(())
}
