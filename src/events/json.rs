//! JSON as events carry it: its text. Text keeps big integers whole, and the codec cannot hold a tree.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::ids::Hash;

mod strict;

pub use strict::{BadJson, DEPTH_MAX, Why};

/// A JSON document, as its text; parsed when somebody looks.
#[derive(Clone, PartialEq, Eq)]
pub struct Json(Arc<str>);

impl Json {
    /// Reads JSON that comes from outside: from a program, a person, a file, the socket. Its text
    /// stays as it is.
    ///
    /// # Errors
    /// When it is not JSON, when a key stands twice in one object, or when it is
    /// nested deeper than [`DEPTH_MAX`].
    pub fn read(text: &str) -> Result<Self, BadJson> {
        strict::read(text).map(|document| Self(document.into()))
    }

    /// Checks a message from outside. The documents in it may be as deep as documents can be.
    ///
    /// # Errors
    /// The same as those of [`Json::read`], with room for the nesting of the message itself.
    pub fn check_message(text: &str) -> Result<(), BadJson> {
        strict::message(text).map(drop)
    }

    /// JSON that was put together here from parts that were read before.
    ///
    /// # Errors
    /// When it is nested deeper than [`DEPTH_MAX`]: parts grow when they are put into each other.
    pub fn made(text: &str) -> Result<Self, BadJson> {
        strict::made(text).map(|document| Self(document.into()))
    }

    /// Checks that a text which was recorded is one JSON document. An older version may have recorded a text
    /// that [`Json::read`] refuses today.
    ///
    /// # Errors
    /// Where and why it is not.
    pub fn parse(text: &str) -> Result<Self, serde_json::Error> {
        let raw: &RawValue = serde_json::from_str(text)?;
        Ok(Self(raw.get().into()))
    }

    /// The JSON of a value.
    ///
    /// # Errors
    /// When the value has no JSON form: map keys that are no texts, or a number that is NaN or infinite
    /// (`serde_json` would write null).
    pub fn of<T: Serialize + ?Sized>(value: &T) -> Result<Self, serde_json::Error> {
        serde_json::to_string(value).map(|text| Self(text.into()))
    }

    /// The JSON form of a value that is needed no more, which may be large: it is gone before its form is copied into its
    /// place.
    ///
    /// # Errors
    /// As for [`Json::of`].
    pub fn of_owned<T: Serialize>(value: T) -> Result<Self, serde_json::Error> {
        let text = serde_json::to_string(&value)?;
        drop(value);
        Ok(Self(text.into()))
    }

    /// The JSON document `null`.
    pub fn null() -> Self {
        Self("null".into())
    }

    /// Whether it is `null`.
    pub fn is_null(&self) -> bool {
        &*self.0 == "null"
    }

    /// The document's text, exactly as it was given.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// The parsed tree, only to look at: numbers beyond 64 bits lose digits here, and a number beyond the
    /// range of a float becomes the largest float. Null for a document that is nested deeper than
    /// `serde_json` reads, which only an older version recorded.
    pub fn value(&self) -> serde_json::Value {
        let read = serde_json::from_str(&self.0);
        read.or_else(|_| serde_json::from_str(&strict::within_range(&self.0))).unwrap_or_default()
    }
}

/// Whether a text is a number of JSON, and nothing else.
pub fn is_number(text: &str) -> bool {
    strict::number_length(text) == Some(text.len())
}

impl From<&serde_json::Value> for Json {
    fn from(value: &serde_json::Value) -> Self {
        Self(value.to_string().into())
    }
}

impl Default for Json {
    fn default() -> Self {
        Self::null()
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Json {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if !serializer.is_human_readable() {
            return serializer.serialize_str(&self.0);
        }
        // Between tokens a line break means no more than a space, and within texts it is escaped. So every
        // document fits on one line, as JSON lines need it.
        let line: std::borrow::Cow<'_, str> = if self.0.contains(['\n', '\r']) {
            self.0.replace(['\n', '\r'], " ").into()
        } else {
            (&*self.0).into()
        };
        let raw: &RawValue = serde_json::from_str(&line).map_err(serde::ser::Error::custom)?;
        raw.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if !deserializer.is_human_readable() {
            // The codec lends the bytes that it decodes.
            let text = <&str>::deserialize(deserializer)?;
            return Self::parse(text).map_err(serde::de::Error::custom);
        }
        let raw = <Box<RawValue>>::deserialize(deserializer)?;
        Ok(Self(raw.get().into()))
    }
}

/// Names a blob: content stored once by its hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct BlobRef {
    /// The BLAKE3 hash of the content.
    #[serde(rename = "blob")]
    pub hash: Hash,
    /// The content's length in bytes.
    #[serde(rename = "size")]
    pub size_bytes: u64,
}

/// Content on its way into the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blob {
    /// The hash and length by which it will be named.
    pub reference: BlobRef,
    /// The content as it will be stored.
    pub bytes: Arc<[u8]>,
}

impl Blob {
    /// Names some content by its hash.
    pub fn new(bytes: impl Into<Arc<[u8]>>) -> Self {
        let bytes = bytes.into();
        Self { reference: BlobRef { hash: Hash::of(&bytes), size_bytes: bytes.len() as u64 }, bytes }
    }
}

/// JSON of this many bytes or more is stored as a blob: below it, a reference would save nothing.
pub const BLOB_FROM_BYTES: usize = 512;

/// JSON in an event: itself if it is short, else the blob that holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payload {
    /// JSON shorter than [`BLOB_FROM_BYTES`], kept in the event itself.
    Inline(Json),
    /// JSON whose text is the content of this blob.
    Blob(BlobRef),
}

impl Payload {
    /// Splits JSON into what the event carries and, if it is long, the blob to store with it.
    pub fn new(json: Json) -> (Self, Option<Blob>) {
        if json.text().len() < BLOB_FROM_BYTES {
            return (Self::Inline(json), None);
        }
        let blob = Blob::new(json.text().as_bytes());
        (Self::Blob(blob.reference), Some(blob))
    }

    /// The blob that holds it, if one does.
    pub fn blob(&self) -> Option<BlobRef> {
        match self {
            Self::Inline(_) => None,
            Self::Blob(reference) => Some(*reference),
        }
    }

    /// The length of its JSON, in bytes.
    pub fn size_bytes(&self) -> u64 {
        match self {
            Self::Inline(json) => json.text().len() as u64,
            Self::Blob(reference) => reference.size_bytes,
        }
    }
}

impl Default for Payload {
    fn default() -> Self {
        Self::Inline(Json::null())
    }
}

/// The form that the codec writes; people read the JSON itself or `{"blob", "size"}`.
#[derive(Serialize, Deserialize)]
enum Stored {
    Inline(Json),
    Blob(BlobRef),
}

impl Serialize for Payload {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match (self, serializer.is_human_readable()) {
            (Self::Inline(json), true) => json.serialize(serializer),
            (Self::Blob(reference), true) => reference.serialize(serializer),
            (Self::Inline(json), false) => Stored::Inline(json.clone()).serialize(serializer),
            (Self::Blob(reference), false) => Stored::Blob(*reference).serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Payload {
    /// Reads the stored form only: from what people read, a blob could not be told from an object.
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            return Json::deserialize(deserializer).map(Self::Inline);
        }
        Ok(match Stored::deserialize(deserializer)? {
            Stored::Inline(json) => Self::Inline(json),
            Stored::Blob(reference) => Self::Blob(reference),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn big_integers_stay_whole() {
        let json = Json::parse(" {\"n\": 123456789012345678901234567890} ").unwrap();
        assert_eq!(serde_json::to_string(&json).unwrap(), "{\"n\": 123456789012345678901234567890}");
    }

    #[test]
    fn long_json_becomes_a_blob() {
        let text = format!("\"{}\"", "x".repeat(BLOB_FROM_BYTES));
        let (payload, blob) = Payload::new(Json::parse(&text).unwrap());
        assert_eq!(payload.blob(), blob.map(|blob| blob.reference));
        assert!(Payload::new(Json::null()).1.is_none());
    }
}
