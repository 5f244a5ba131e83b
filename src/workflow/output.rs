//! Checks the output of a step against its schema.

use serde_json::Value;

use super::schema::validator;
use crate::events::json::Json;

/// Checks an output against a schema.
///
/// # Errors
/// The first thing that does not fit, with its place, in a sentence.
pub(crate) fn check(schema: &Value, output: &Json) -> Result<(), String> {
    let shape = Shape::new(schema).map_err(|why| format!("`schema` is none: {why}"))?;
    match shape.misfit("output", output) {
        None => Ok(()),
        Some(why) => Err(format!("its output is not what its `schema` says: {why}")),
    }
}

/// A schema against which any number of values are checked.
pub(crate) struct Shape(jsonschema::Validator);

impl Shape {
    /// The shape that a schema says.
    ///
    /// # Errors
    /// Why it is none.
    pub(crate) fn new(schema: &Value) -> Result<Self, String> {
        validator(schema).map(Self).map_err(|why| why.to_string())
    }

    /// The first thing of a value that does not fit, with its place in what it is called; none if it fits.
    pub(crate) fn misfit(&self, called: &str, value: &Json) -> Option<String> {
        let value = value.value();
        let error = self.0.iter_errors(&value).next()?;
        let place = error.instance_path().as_str().replace('/', ".");
        Some(format!("`{called}{place}`: {error}"))
    }
}
