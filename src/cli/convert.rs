//! `reenact convert FILE`: a Markdown chain as a workflow file in YAML.

use serde::Serialize;

use super::arguments::ConvertArguments;
use super::text::terminal::written;
use super::{Exit, Scene};
use crate::api::wording::Worded;
use crate::events::problem::Problem;

/// The JSON that `convert --json` prints.
#[derive(Clone, Serialize)]
struct Converted {
    /// The file of the chain, as it was named.
    file: String,
    /// The text of the workflow file.
    yaml: String,
}

impl Worded for Converted {}

pub(super) fn convert(scene: &Scene, arguments: &ConvertArguments) -> Result<Exit, Problem> {
    match scene.house.resolver().to_yaml(&arguments.file) {
        Ok((yaml, warnings)) => {
            scene.say.warnings(&warnings);
            let converted = Converted { file: arguments.file.display().to_string(), yaml };
            scene.say.result(&converted, |converted| written(converted.yaml.trim_end()));
            Ok(Exit::Good)
        }
        Err(problems) => Ok(scene.say.problems(&problems)),
    }
}
