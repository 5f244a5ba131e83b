//! Checks the output of a step against its schema.

use serde_json::Value;

use super::schema::validator;
use crate::events::json::Json;

/// Checks an output against a schema.
///
/// # Errors
/// The first thing that does not fit, with its place, in a sentence.
pub(crate) fn check(schema: &Value, output: &Json) -> Result<(), String> {
    let validator = validator(schema).map_err(|why| format!("`schema` is none: {why}"))?;
    match validator.iter_errors(&output.value()).next() {
        None => Ok(()),
        Some(error) => {
            let place = error.instance_path().as_str().replace('/', ".");
            Err(format!("its output is not what its `schema` says: `output{place}`: {error}"))
        }
    }
}
