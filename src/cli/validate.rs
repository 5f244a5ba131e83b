//! `reenact validate FILE…`: checks workflow files; nothing runs.

use std::path::Path;

use serde::Serialize;

use super::arguments::ValidateArguments;
use super::say::problem_text;
use super::{Exit, Scene, files};
use crate::events::problem::Problem;

#[derive(Serialize)]
struct Validated {
    files: Vec<FileResult>,
}

#[derive(Serialize)]
struct FileResult {
    file: String,
    ok: bool,
    steps: usize,
    errors: Vec<Problem>,
    warnings: Vec<Problem>,
}

pub(super) fn validate(scene: &Scene, arguments: &ValidateArguments) -> Result<Exit, Problem> {
    let files: Vec<FileResult> = arguments.files.iter().map(|file| check_one(scene, file)).collect();
    let exit = if files.iter().all(|file| file.ok) { Exit::Good } else { Exit::BadInput };
    scene.say.result(&Validated { files }, |validated| {
        validated.files.iter().map(file_text).collect::<Vec<_>>().join("\n")
    });
    Ok(exit)
}

fn check_one(scene: &Scene, path: &Path) -> FileResult {
    let file = path.display().to_string();
    match files::check(scene, path) {
        Ok(family) => FileResult {
            file,
            ok: true,
            steps: family.root.definition.steps.len(),
            errors: Vec::new(),
            warnings: family.warnings,
        },
        Err(files::Wrong { errors, warnings }) => FileResult { file, ok: false, steps: 0, errors, warnings },
    }
}

fn file_text(file: &FileResult) -> String {
    let mut lines = vec![match file.ok {
        true => format!("{}: good, {} steps", file.file, file.steps),
        false => format!("{}: {} to mend", file.file, file.errors.len()),
    }];
    lines.extend(file.errors.iter().map(|error| problem_text("error", error)));
    lines.extend(file.warnings.iter().map(|warning| problem_text("warning", warning)));
    lines.join("\n")
}
