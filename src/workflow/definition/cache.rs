//! When a step may take an earlier answer in place of an attempt.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::micros;
use crate::workflow::template::Template;

/// When a step may take an earlier answer in place of an attempt.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CacheRules {
    /// How old the answer may be; none for any age.
    #[serde(default, rename = "ttl_us", with = "micros::optional", skip_serializing_if = "Option::is_none")]
    pub ttl: Option<Duration>,
    /// The globs of the files in the work folder that may not have changed: a list of texts; none for no files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<Template>,
}
