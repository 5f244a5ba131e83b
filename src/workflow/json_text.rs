//! JSON text, parsed one level at a time. Parsing it whole would turn numbers beyond 64 bits into floats, and
//! would build trees of which an expression uses one leaf.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use serde::Deserialize;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;

/// One level of a JSON document; everything below it is still text, a slice of the document's.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Level<'a> {
    /// The value `null` of JSON.
    Null,
    /// The value `true` or `false`.
    Bool(bool),
    /// A number: its digits, as they are written.
    Number(&'a str),
    /// A text, with its escapes decoded.
    Text(Cow<'a, str>),
    /// A list: the text of each item.
    List(Vec<&'a str>),
    /// An object: the key and the text of each member, in order.
    Map(Vec<(Cow<'a, str>, &'a str)>),
}

impl<'a> Level<'a> {
    /// The first level of a document.
    ///
    /// # Errors
    /// When the text is not JSON.
    pub(crate) fn of(text: &'a str) -> Result<Self, serde_json::Error> {
        let text = text.trim();
        Ok(match text.as_bytes().first() {
            Some(b'{') => Self::Map(serde_json::from_str::<Members<'a>>(text)?.0),
            Some(b'[') => Self::List(
                serde_json::from_str::<Vec<&'a RawValue>>(text)?.into_iter().map(RawValue::get).collect(),
            ),
            Some(b'"') => Self::Text(serde_json::from_str::<Borrowed<'a>>(text)?.0),
            Some(b't' | b'f') => Self::Bool(serde_json::from_str(text)?),
            Some(b'n') => serde_json::from_str(text).map(|()| Self::Null)?,
            _ => Self::Number(serde_json::from_str::<&'a RawValue>(text)?.get()),
        })
    }
}

/// A document in which members are set. Parts that are not parsed stay text, so numbers keep their digits.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Edited {
    /// The text of a value.
    Text(String),
    /// An object that was parsed. No two of its keys are equal.
    Map(Vec<(String, Self)>),
}

impl Edited {
    /// The members, if it is an object; it is parsed if it was not.
    pub(crate) fn members(&mut self) -> Option<&mut Vec<(String, Self)>> {
        if let Self::Text(text) = self {
            let Ok(Level::Map(members)) = Level::of(text) else { return None };
            let own = |(key, member): (Cow<'_, str>, &str)| (key.into_owned(), Self::Text(member.to_owned()));
            *self = Self::Map(last_of_each(members).into_iter().map(own).collect());
        }
        match self {
            Self::Map(members) => Some(members),
            Self::Text(_) => None,
        }
    }

    /// Sets a member; does nothing if this is not an object.
    pub(crate) fn set(&mut self, key: String, value: Self) {
        let Some(members) = self.members() else { return };
        match members.iter_mut().find(|(known, _)| *known == key) {
            Some((_, member)) => *member = value,
            None => members.push((key, value)),
        }
    }

    /// The document as JSON text.
    pub(crate) fn text(&self) -> String {
        let mut out = String::new();
        self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) {
        match self {
            Self::Text(text) => out.push_str(text),
            Self::Map(members) => {
                out.push('{');
                for (place, (key, member)) in members.iter().enumerate() {
                    if place > 0 {
                        out.push(',');
                    }
                    write_text(out, key);
                    out.push(':');
                    member.write(out);
                }
                out.push('}');
            }
        }
    }
}

/// The members of an object; of those with one key only the last. An older version may have recorded a key
/// twice, and readers take the last.
pub(crate) fn last_of_each<'a>(members: Vec<(Cow<'a, str>, &'a str)>) -> Vec<(Cow<'a, str>, &'a str)> {
    let mut seen = HashSet::with_capacity(members.len());
    let mut last: Vec<_> = members.into_iter().rev().filter(|(key, _)| seen.insert(key.clone())).collect();
    last.reverse();
    last
}

/// A JSON document as plain text: a text without its quotes, everything else as JSON.
pub(super) fn plain(json: &str) -> String {
    match Level::of(json) {
        Ok(Level::Text(text)) => text.into_owned(),
        _ => json.to_owned(),
    }
}

/// The members of an object, also those with equal keys: a lookup takes the last, as `serde_json` does.
struct Members<'a>(Vec<(Cow<'a, str>, &'a str)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Members<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some((Borrowed(key), value)) = map.next_entry::<Borrowed<'de>, &'de RawValue>()? {
                    members.push((key, value.get()));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Collect)
    }
}

/// A text that borrows where it has no escapes. (`Cow` itself never borrows when it is deserialised.)
#[derive(Deserialize)]
#[serde(transparent)]
struct Borrowed<'a>(#[serde(borrow)] Cow<'a, str>);

/// Writes a text as JSON.
pub(super) fn write_text(out: &mut String, text: &str) {
    // A text always has a JSON form; an error here would be one of formatting into memory.
    out.push_str(&serde_json::to_string(text).unwrap_or_default());
}
