//! `reenact agents validate PATH`: checks the files of agents; nothing is recorded.

use std::path::Path;

use serde::Serialize;

use crate::cli::text::{self, Text, terminal};
use crate::cli::{Exit, Scene};
use crate::events::problem::{Code, Problem};
use crate::executors::discovery::{CheckedAgent, check_files};

/// What `agents validate --json` prints.
#[derive(Serialize)]
struct Validated {
    ok: bool,
    files: Vec<CheckedFile>,
}

#[derive(Serialize)]
struct CheckedFile {
    file: String,
    ok: bool,
    /// The agent's name; none of a file that cannot be read.
    agent: Option<String>,
    errors: Vec<Problem>,
    warnings: Vec<Problem>,
}

pub(super) fn validate(scene: &Scene, path: &Path) -> Result<Exit, Problem> {
    let whole = scene.cwd.join(path);
    if !whole.exists() {
        return Err(Problem::new(Code::FileNotRead, format!("there is no `{}`", path.display())));
    }
    let files =
        check_files(&whole, path).into_iter().map(|CheckedAgent { file, agent, errors, warnings }| {
            let (ok, agent) = (errors.is_empty(), agent.map(|agent| agent.to_string()));
            CheckedFile { file, ok, agent, errors, warnings }
        });
    let files: Vec<CheckedFile> = files.collect();
    let ok = files.iter().all(|file| file.ok);
    scene
        .say
        .result(&Validated { ok, files }, |validated| Text::lines(validated.files.iter().map(file_text)));
    Ok(if ok { Exit::Good } else { Exit::Failed })
}

fn file_text(file: &CheckedFile) -> Text {
    let head = match (&file.agent, file.ok) {
        (Some(agent), true) => terminal!("{}: good, agent {}", file.file, agent),
        _ => terminal!("{}: {} to mend", file.file, file.errors.len()),
    };
    let errors = file.errors.iter().map(|error| text::problem("error", error));
    let warnings = file.warnings.iter().map(|warning| text::problem("warning", warning));
    Text::lines(std::iter::once(head).chain(errors).chain(warnings))
}
