//! `reenact validate FILE…`: checks workflow files; nothing runs.

use std::path::Path;

use serde::Serialize;

use super::arguments::ValidateArguments;
use super::checked::CheckedFile;
use super::text::{Call, Text, terminal};
use super::{Exit, Scene};
use crate::api::start::Wrong;
use crate::api::wording::Worded;
use crate::events::problem::Problem;

/// The JSON that `validate --json` prints.
#[derive(Clone, Serialize)]
struct Validated {
    files: Vec<CheckedFile<Workflow>>,
}

/// The part of a checked file that only workflows have.
#[derive(Clone, Serialize)]
struct Workflow {
    /// The number of its steps; 0 of one that cannot be read.
    steps: usize,
}

impl Worded for Validated {
    fn word(&mut self, call: &Call) {
        self.files.iter_mut().for_each(|file| file.word(call));
    }
}

pub(super) fn validate(scene: &Scene, arguments: &ValidateArguments) -> Result<Exit, Problem> {
    let files: Vec<_> = arguments.files.iter().map(|file| check_one(scene, file)).collect();
    let exit = if files.iter().all(|file| file.ok) { Exit::Good } else { Exit::BadInput };
    scene.say.result(&Validated { files }, |validated| {
        let steps = |workflow: &Workflow| terminal!("{} steps", workflow.steps);
        Text::lines(validated.files.iter().map(|file| file.text(&scene.call, steps)))
    });
    Ok(exit)
}

fn check_one(scene: &Scene, path: &Path) -> CheckedFile<Workflow> {
    let (ok, steps, errors, warnings) = match scene.check(path) {
        Ok(family) => (true, family.root.definition.steps.len(), Vec::new(), family.warnings),
        Err(Wrong { errors, warnings }) => (false, 0, errors, warnings),
    };
    CheckedFile { file: path.display().to_string(), ok, holds: Workflow { steps }, errors, warnings }
}
