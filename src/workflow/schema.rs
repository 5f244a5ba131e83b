//! JSON Schemas, as files write them.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::events::json::Json;

/// A JSON Schema. Its text is what is recorded, so that the numbers of its defaults keep their digits.
#[derive(Clone)]
pub struct Schema(Arc<Read>);

struct Read {
    text: Json,
    value: Value,
}

impl Schema {
    /// The schema that this JSON is. Whether it is one that can be used, [`Schema::check`] says.
    pub fn new(text: Json) -> Self {
        let value = text.value();
        Self(Arc::new(Read { text, value }))
    }

    /// Checks that it is a JSON Schema that can be used here: nothing is fetched for it.
    ///
    /// # Errors
    /// Why not, in a sentence.
    pub fn check(&self) -> Result<(), String> {
        self.validator().map(drop)
    }

    /// The parsed schema.
    pub fn value(&self) -> &Value {
        &self.0.value
    }

    pub(super) fn text(&self) -> &str {
        self.0.text.text()
    }

    /// What checks values against it.
    pub(super) fn validator(&self) -> Result<jsonschema::Validator, String> {
        jsonschema::validator_for(self.value()).map_err(|why| {
            let place = why.instance_path().as_str().to_owned();
            if place.is_empty() { why.to_string() } else { format!("{why} (at {place})") }
        })
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
