//! What was said during an attempt.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};

use crate::events::json::Json;
use crate::events::time::Timestamp;

/// What was said during an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transcript {
    /// The prompt that its agent got, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
    /// What its program wrote to stdout, without `PROGRESS:` lines; or what its function said.
    #[serde(default, skip_serializing_if = "Written::is_empty")]
    pub stdout: Written,
    /// How many bytes of stdout followed that are not kept. A program that writes too much is ended, so it
    /// may have been about to write more.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub stdout_cut: u64,
    /// What its program wrote to stderr.
    #[serde(default, skip_serializing_if = "Written::is_empty")]
    pub stderr: Written,
    /// How many earlier bytes of stderr are not kept: the end of stderr says what went wrong.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub stderr_cut: u64,
    /// The status with which its program exited; none if it did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// The number of the signal that ended its program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<i32>,
    /// When the attempt was started.
    pub started_at: Timestamp,
    /// When the attempt had ended.
    pub ended_at: Timestamp,
}

impl Transcript {
    /// The JSON that a run records.
    pub fn to_json(&self) -> Json {
        // Keys are names of fields, and no number is a fraction: it always has a JSON form.
        Json::of(self).unwrap_or_default()
    }

    /// The same, of one that is needed no more: what a program said may be megabytes.
    pub fn into_json(self) -> Json {
        Json::of_owned(self).unwrap_or_default()
    }
}

/// What a program wrote: `{"text": "…"}` or `{"base64": "…"}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Written {
    /// Text: UTF-8 without zero bytes.
    Text(String),
    /// Other bytes, in Base64 with padding.
    Base64(String),
}

impl Written {
    /// Takes in bytes. Text is taken without a copy. Bytes with zeros are not text: JSON would write each
    /// zero in six bytes.
    pub fn of(bytes: Vec<u8>) -> Self {
        let encoded = |bytes: &[u8]| Self::Base64(BASE64.encode(bytes));
        match String::from_utf8(bytes) {
            Ok(text) if text.contains('\0') => encoded(text.as_bytes()),
            Ok(text) => Self::Text(text),
            Err(error) => encoded(error.as_bytes()),
        }
    }

    /// The bytes that were written. Invalid Base64, which this program never writes, counts as no bytes.
    pub fn bytes(&self) -> Cow<'_, [u8]> {
        match self {
            Self::Text(text) => Cow::Borrowed(text.as_bytes()),
            Self::Base64(text) => Cow::Owned(BASE64.decode(text).unwrap_or_default()),
        }
    }

    /// Whether no byte was written.
    pub fn is_empty(&self) -> bool {
        let (Self::Text(text) | Self::Base64(text)) = self;
        text.is_empty()
    }
}

impl Default for Written {
    fn default() -> Self {
        Self::Text(String::new())
    }
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_comes_back() {
        let all: Vec<u8> = (0..=255).collect();
        for bytes in [&b""[..], b"text \xc3\xa4\n", b"\xff", b"a\0b", &all] {
            let transcript = Transcript { stdout: Written::of(bytes.to_vec()), ..Transcript::default() };
            let read: Transcript = serde_json::from_str(transcript.to_json().text()).unwrap();
            assert_eq!(read.stdout.bytes(), bytes, "{transcript:?}");
        }
    }

    #[test]
    fn zeros_take_no_more_room_than_base64_does() {
        let zeros = Transcript { stdout: Written::of(vec![0; 30_000]), ..Transcript::default() };
        assert!(zeros.to_json().text().len() < 41_000);
    }

    #[test]
    fn what_was_not_said_takes_no_room() {
        assert_eq!(
            Transcript::default().to_json().text(),
            r#"{"started_at":"1970-01-01T00:00:00.000000Z","ended_at":"1970-01-01T00:00:00.000000Z"}"#
        );
    }
}
