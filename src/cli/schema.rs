//! `reenact schema`: the JSON Schema of workflow files, for editors.

use serde::Serialize;
use serde_json::Value;

use super::text::terminal::written;
use super::{Exit, Scene};
use crate::api::wording::Worded;
use crate::events::problem::Problem;
use crate::workflow::parse::json_schema;

/// What `schema` prints.
#[derive(Clone, Serialize)]
#[serde(transparent)]
struct OfWorkflows(Value);

impl Worded for OfWorkflows {}

pub(super) fn schema(scene: &Scene) -> Result<Exit, Problem> {
    scene.say.result(&OfWorkflows(json_schema()), |schema| {
        // A tree of JSON always has a text.
        written(&serde_json::to_string_pretty(&schema.0).unwrap_or_default())
    });
    Ok(Exit::Good)
}
