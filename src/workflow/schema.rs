//! JSON Schemas, as files write them.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::events::json::{DEPTH_MAX, Json};

/// The keywords of JSON Schema, of its drafts 4 to 2020-12.
pub(super) const KEYWORDS: &[&str] = &[
    "$anchor",
    "$comment",
    "$defs",
    "$dynamicAnchor",
    "$dynamicRef",
    "$id",
    "$recursiveAnchor",
    "$recursiveRef",
    "$ref",
    "$schema",
    "$vocabulary",
    "additionalItems",
    "additionalProperties",
    "allOf",
    "anyOf",
    "const",
    "contains",
    "contentEncoding",
    "contentMediaType",
    "contentSchema",
    "default",
    "definitions",
    "dependencies",
    "dependentRequired",
    "dependentSchemas",
    "deprecated",
    "description",
    "else",
    "enum",
    "examples",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "format",
    "if",
    "items",
    "maxContains",
    "maxItems",
    "maxLength",
    "maxProperties",
    "maximum",
    "minContains",
    "minItems",
    "minLength",
    "minProperties",
    "minimum",
    "multipleOf",
    "not",
    "oneOf",
    "pattern",
    "patternProperties",
    "prefixItems",
    "properties",
    "propertyNames",
    "readOnly",
    "required",
    "then",
    "title",
    "type",
    "unevaluatedItems",
    "unevaluatedProperties",
    "uniqueItems",
    "writeOnly",
];

/// A JSON Schema. Its text is recorded, so that the numbers in its defaults keep their digits.
#[derive(Clone)]
pub struct Schema(Arc<Read>);

struct Read {
    text: Json,
    value: Value,
}

impl Schema {
    /// The schema with this text. [`Schema::check`] tells whether it can be used.
    pub fn new(text: Json) -> Self {
        let value = text.value();
        Self(Arc::new(Read { text, value }))
    }

    /// Checks that it is a JSON Schema that can be used here: no part of it may have to be fetched.
    ///
    /// # Errors
    /// Why it cannot be used, in a sentence.
    pub fn check(&self) -> Result<(), String> {
        bounded(self.value())?;
        self.validator().map(drop)
    }

    /// The schema as a parsed tree.
    pub fn value(&self) -> &Value {
        &self.0.value
    }

    pub(super) fn text(&self) -> &str {
        self.0.text.text()
    }

    /// The validator of this schema.
    pub(super) fn validator(&self) -> Result<jsonschema::Validator, String> {
        validator(self.value()).map_err(|why| {
            let place = why.instance_path().as_str().to_owned();
            if place.is_empty() { why.to_string() } else { format!("{why} (at {place})") }
        })
    }
}

/// The validator of a schema. Its patterns may neither backtrack without end nor compile to something huge.
pub(super) fn validator(
    schema: &Value,
) -> Result<jsonschema::Validator, Box<jsonschema::ValidationError<'static>>> {
    const BACKTRACKS_MAX: usize = 100_000;
    const PATTERN_BYTES_MAX: usize = 1024 * 1024;
    let patterns = jsonschema::PatternOptions::fancy_regex();
    let patterns = patterns.backtrack_limit(BACKTRACKS_MAX).size_limit(PATTERN_BYTES_MAX);
    jsonschema::options().with_pattern_options(patterns).build(schema).map_err(Box::new)
}

/// Checks that validating a value comes to an end: the schema must not lead back to itself for the same
/// value, nor through itself in more ways than a machine can follow.
fn bounded(schema: &Value) -> Result<(), String> {
    let mut ways = Ways { whole: schema, known: HashMap::new() };
    each(schema, &mut |part| ways.of(part, 0).map(drop))
}

/// How many subschemas a value may be checked against, at most.
const WAYS_MAX: u64 = 10_000;

/// Calls `look` with every part of a schema that is an object.
fn each<'a>(value: &'a Value, look: &mut dyn FnMut(&'a Value) -> Result<(), String>) -> Result<(), String> {
    match value {
        Value::Object(members) => {
            look(value)?;
            members.values().try_for_each(|member| each(member, look))
        }
        Value::Array(items) => items.iter().try_for_each(|item| each(item, look)),
        _ => Ok(()),
    }
}

/// Counts against how many subschemas a value is checked that is checked against a given one.
struct Ways<'a> {
    whole: &'a Value,
    /// The counts by the address of the subschema; none while one is being counted.
    known: HashMap<*const Value, Option<u64>>,
}

impl<'a> Ways<'a> {
    fn of(&mut self, schema: &'a Value, depth: usize) -> Result<u64, String> {
        match self.known.get(&std::ptr::from_ref(schema)) {
            Some(Some(ways)) => return Ok(*ways),
            Some(None) => return Err("a `$ref` leads back to itself for the same value".to_owned()),
            None => {}
        }
        if depth > DEPTH_MAX {
            return Err(format!("`$ref`s lead deeper than {DEPTH_MAX} levels"));
        }
        self.known.insert(std::ptr::from_ref(schema), None);
        let mut ways = 1_u64;
        for (keyword, inner) in schema.as_object().into_iter().flatten() {
            let inner: Vec<&'a Value> = match (keyword.as_str(), inner) {
                ("allOf" | "anyOf" | "oneOf", Value::Array(all)) => all.iter().collect(),
                ("not" | "if" | "then" | "else", inner) => vec![inner],
                ("dependentSchemas", Value::Object(all)) => all.values().collect(),
                ("$ref" | "$dynamicRef", Value::String(reference)) => {
                    self.target(reference).into_iter().collect()
                }
                _ => Vec::new(),
            };
            for inner in inner {
                ways = ways.saturating_add(self.of(inner, depth + 1)?);
            }
        }
        if ways > WAYS_MAX {
            return Err(format!("it checks a value against more than {WAYS_MAX} subschemas"));
        }
        self.known.insert(std::ptr::from_ref(schema), Some(ways));
        Ok(ways)
    }

    /// The part that a reference within the schema means: `#`, a pointer, or an anchor.
    fn target(&self, reference: &str) -> Option<&'a Value> {
        let name = reference.strip_prefix('#')?;
        if name.is_empty() || name.starts_with('/') {
            return self.whole.pointer(name);
        }
        let mut found = None;
        let _ = each(self.whole, &mut |part| {
            let anchors = ["$anchor", "$dynamicAnchor"].map(|key| part.get(key).and_then(Value::as_str));
            found = found.or(anchors.contains(&Some(name)).then_some(part));
            Ok(())
        });
        found
    }
}

impl From<&Value> for Schema {
    fn from(value: &Value) -> Self {
        Self::new(Json::from(value))
    }
}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl PartialEq for Schema {
    fn eq(&self, other: &Self) -> bool {
        self.text() == other.text()
    }
}

impl Serialize for Schema {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.text.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Schema {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Json::deserialize(deserializer).map(Self::new)
    }
}
