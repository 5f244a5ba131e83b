//! `reenact validate FILE…`: checks workflow files; nothing runs.

use std::path::Path;

use serde::Serialize;

use super::arguments::ValidateArguments;
use super::text::{self, Call, Text, terminal};
use super::{Exit, Scene};
use crate::api::start::Wrong;
use crate::api::wording::Worded;
use crate::events::problem::Problem;

#[derive(Clone, Serialize)]
struct Validated {
    files: Vec<FileResult>,
}

#[derive(Clone, Serialize)]
struct FileResult {
    file: String,
    ok: bool,
    steps: usize,
    errors: Vec<Problem>,
    warnings: Vec<Problem>,
}

impl Worded for Validated {
    fn word(&mut self, call: &Call) {
        let problems =
            self.files.iter_mut().flat_map(|file| file.errors.iter_mut().chain(&mut file.warnings));
        problems.for_each(|problem| problem.word(call));
    }
}

pub(super) fn validate(scene: &Scene, arguments: &ValidateArguments) -> Result<Exit, Problem> {
    let files: Vec<FileResult> = arguments.files.iter().map(|file| check_one(scene, file)).collect();
    let exit = if files.iter().all(|file| file.ok) { Exit::Good } else { Exit::BadInput };
    scene.say.result(&Validated { files }, |validated| {
        Text::lines(validated.files.iter().map(|file| file_text(file, &scene.call)))
    });
    Ok(exit)
}

fn check_one(scene: &Scene, path: &Path) -> FileResult {
    let file = path.display().to_string();
    match scene.check(path) {
        Ok(family) => FileResult {
            file,
            ok: true,
            steps: family.root.definition.steps.len(),
            errors: Vec::new(),
            warnings: family.warnings,
        },
        Err(Wrong { errors, warnings }) => FileResult { file, ok: false, steps: 0, errors, warnings },
    }
}

fn file_text(file: &FileResult, call: &Call) -> Text {
    let head = match file.ok {
        true => terminal!("{}: good, {} steps", file.file, file.steps),
        false => terminal!("{}: {} to mend", file.file, file.errors.len()),
    };
    let errors = file.errors.iter().map(|error| text::problem("error", error, call));
    let warnings = file.warnings.iter().map(|warning| text::problem("warning", warning, call));
    Text::lines(std::iter::once(head).chain(errors).chain(warnings))
}
