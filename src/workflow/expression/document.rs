//! JSON documents as values of the engine: they stay text, of which an expression parses only the
//! levels that it walks through. So a big output costs nothing when it is passed on whole, and its
//! numbers keep all their digits.

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use minijinja::value::{Enumerator, Object, ObjectRepr, Value, ValueKind};
use minijinja::{Error, ErrorKind};

use super::budget;
use super::number::{self, Digits, Numbers};
use crate::events::json::{DEPTH_MAX, Json};
use crate::workflow::json_text::{self, Level, last_of_each};

/// A JSON document as a value of the engine.
pub(crate) fn value_of(json: &Json) -> Value {
    Document { json: json.clone(), part: 0..json.text().len(), depth: 0, numbers: Numbers::Written }.value()
}

/// A value of the engine as JSON text.
///
/// # Errors
/// When it has no JSON form, with the reason as a sentence: a function, bytes, NaN, infinity, keys that are
/// not texts; and when the text is longer than [`RENDERED_BYTES_MAX`].
pub(crate) fn to_json_text(value: &Value) -> Result<String, String> {
    let mut out = String::new();
    write_json(&mut out, value)?;
    Ok(out)
}

/// The longest value that is rendered, in bytes, except for one that is passed on whole: several of them can
/// be put into the blob of one event.
pub(crate) const RENDERED_BYTES_MAX: usize = budget::READ_BYTES_MAX;

/// Checks the length of what was rendered so far.
///
/// # Errors
/// When it is too long, in a sentence.
pub(crate) fn check_length(rendered: &str) -> Result<(), String> {
    if rendered.len() <= RENDERED_BYTES_MAX {
        return Ok(());
    }
    Err(format!("what is rendered is longer than {RENDERED_BYTES_MAX} bytes"))
}

/// The JSON document that the value is; none if it is not one.
pub(crate) fn document(value: &Value) -> Option<Json> {
    let Document { json, part, .. } = &value.downcast_object_ref::<Container>()?.of;
    if part.len() == json.text().len() {
        return Some(json.clone());
    }
    Json::parse(json.text().get(part.clone())?).ok()
}

/// The value with its numbers in that form.
pub(crate) fn seen_as(value: &Value, numbers: Numbers) -> Result<Value, Error> {
    changed(value, numbers).map(|changed| changed.unwrap_or_else(|| value.clone()))
}

/// The value with its numbers in that form; none if that changes nothing.
fn changed(value: &Value, numbers: Numbers) -> Result<Option<Value>, Error> {
    if let Some(Digits(digits)) = value.downcast_object_ref::<Digits>() {
        return Ok((numbers != Numbers::Objects).then(|| number::value(digits, numbers)));
    }
    if let Some(Container { of, .. }) = value.downcast_object_ref::<Container>() {
        return Ok((of.numbers != numbers).then(|| Document { numbers, ..of.clone() }.value()));
    }
    match value.kind() {
        ValueKind::Number if numbers == Numbers::Objects => {
            Ok(to_json_text(value).ok().map(|digits| Value::from_object(Digits(digits.into()))))
        }
        ValueKind::Seq | ValueKind::Iterable => {
            budget::items(value.len().unwrap_or_default())?;
            let (mut items, mut any) = (Vec::new(), false);
            for item in value.try_iter()?.checked() {
                let item = item?;
                let new = changed(&item, numbers)?;
                any |= new.is_some();
                items.push(new.unwrap_or(item));
            }
            Ok(any.then(|| Value::from(items)))
        }
        ValueKind::Map => {
            budget::items(value.len().unwrap_or_default())?;
            let (mut members, mut any) = (Vec::new(), false);
            for key in value.try_iter()?.checked() {
                let key = key?;
                let member = value.get_item(&key)?;
                let new = changed(&member, numbers)?;
                any |= new.is_some();
                members.push((key, new.unwrap_or(member)));
            }
            Ok(any.then(|| members.into_iter().collect()))
        }
        _ => Ok(None),
    }
}

fn write_json(out: &mut String, value: &Value) -> Result<(), String> {
    check_length(out)?;
    if let Some(document) = value.downcast_object_ref::<Container>() {
        out.push_str(document.of.text());
        return Ok(());
    }
    if let Some(number) = value.downcast_object_ref::<Digits>() {
        out.push_str(&number.0);
        return Ok(());
    }
    if let Some(text) = value.as_str() {
        json_text::write_text(out, text);
        return Ok(());
    }
    match value.kind() {
        ValueKind::None => out.push_str("null"),
        ValueKind::Bool => out.push_str(if value.is_true() { "true" } else { "false" }),
        ValueKind::Number if value.is_integer() => out.push_str(&value.to_string()),
        ValueKind::Number => {
            let number = f64::try_from(value.clone()).map_err(|why| why.to_string())?;
            if !number.is_finite() {
                return Err(format!("{number} is no number that JSON has"));
            }
            out.push_str(&serde_json::to_string(&number).map_err(|why| why.to_string())?);
        }
        ValueKind::Seq | ValueKind::Iterable => write_list(out, value)?,
        ValueKind::Map => write_map(out, value)?,
        ValueKind::Undefined => return Err("it is not defined".to_owned()),
        kind => return Err(format!("a value of type {kind} has no JSON form")),
    }
    Ok(())
}

fn write_list(out: &mut String, list: &Value) -> Result<(), String> {
    out.push('[');
    for (index, item) in list.try_iter().map_err(|why| why.to_string())?.checked().enumerate() {
        if index > 0 {
            out.push(',');
        }
        write_json(out, &item.map_err(|why| why.to_string())?)?;
    }
    out.push(']');
    Ok(())
}

fn write_map(out: &mut String, map: &Value) -> Result<(), String> {
    out.push('{');
    for (index, key) in map.try_iter().map_err(|why| why.to_string())?.checked().enumerate() {
        let key = key.map_err(|why| why.to_string())?;
        let name = key.as_str().ok_or_else(|| format!("{key} is a key, and keys must be texts"))?;
        if index > 0 {
            out.push(',');
        }
        json_text::write_text(out, name);
        out.push(':');
        write_json(out, &map.get_item(&key).map_err(|why| why.to_string())?)?;
    }
    out.push('}');
    Ok(())
}

/// A part of a JSON document.
#[derive(Clone)]
struct Document {
    json: Json,
    part: Range<usize>,
    depth: u8,
    numbers: Numbers,
}

impl Document {
    fn text(&self) -> &str {
        self.json.text().get(self.part.clone()).unwrap_or_default()
    }

    fn value(self) -> Value {
        if self.text().starts_with(['{', '[']) {
            return if usize::from(self.depth) < DEPTH_MAX {
                Value::from_object(Container { of: self, parts: OnceLock::new() })
            } else {
                invalid(format!("JSON is nested deeper than {DEPTH_MAX} levels"))
            };
        }
        match Level::of(self.text()) {
            Ok(Level::Bool(flag)) => Value::from(flag),
            Ok(Level::Number(digits)) => number::value(digits, self.numbers),
            Ok(Level::Text(text)) => match budget::read(text.len()) {
                Ok(()) => Value::from(&*text),
                Err(why) => why.into(),
            },
            Ok(_) => Value::from(()),
            Err(why) => invalid(format!("this is not JSON: {why}")),
        }
    }

    /// The document whose text is a slice of this one's.
    fn inner(&self, slice: &str) -> Self {
        let start = (slice.as_ptr() as usize).saturating_sub(self.json.text().as_ptr() as usize);
        let part = start..start + slice.len();
        Self { json: self.json.clone(), part, depth: self.depth + 1, numbers: self.numbers }
    }
}

/// A value that fails the evaluation when it is used.
fn invalid(why: String) -> Value {
    Error::new(ErrorKind::InvalidOperation, why).into()
}

/// A list or an object, which is parsed when its content is first looked at.
struct Container {
    of: Document,
    parts: OnceLock<Parts>,
}

enum Parts {
    List(Vec<Document>),
    Map { members: Vec<(Arc<str>, Document)>, places: HashMap<Arc<str>, usize> },
}

impl Container {
    /// The parsed parts. Where they exceed the budget of the evaluation there are none,
    /// and the evaluation fails.
    fn parts(&self) -> &Parts {
        self.parts.get_or_init(|| match Level::of(self.of.text()) {
            Ok(Level::Map(members)) if budget::items(members.len()).is_ok() => {
                let members: Vec<(Arc<str>, Document)> = last_of_each(members)
                    .into_iter()
                    .map(|(key, part)| (Arc::from(&*key), self.of.inner(part)))
                    .collect();
                let places = members.iter().enumerate().map(|(place, (key, _))| (Arc::clone(key), place));
                Parts::Map { places: places.collect(), members }
            }
            Ok(Level::List(items)) if budget::items(items.len()).is_ok() => {
                Parts::List(items.into_iter().map(|part| self.of.inner(part)).collect())
            }
            _ => Parts::List(Vec::new()),
        })
    }
}

impl fmt::Debug for Container {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.of.text())
    }
}

impl Object for Container {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        if self.of.text().starts_with('{') { ObjectRepr::Map } else { ObjectRepr::Seq }
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        match self.parts() {
            Parts::List(items) => Some(items.get(key.as_usize()?)?.clone().value()),
            Parts::Map { members, places } => {
                let (_, part) = members.get(*places.get(key.as_str()?)?)?;
                Some(part.clone().value())
            }
        }
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        match self.parts() {
            Parts::List(items) => Enumerator::Seq(items.len()),
            Parts::Map { members, .. } => {
                Enumerator::Values(members.iter().map(|(key, _)| Value::from(Arc::clone(key))).collect())
            }
        }
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.of.text())
    }
}
