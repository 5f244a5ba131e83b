//! `reenact agents validate PATH`: checks the files of agents; nothing is recorded.

use std::path::Path;

use serde::Serialize;

use crate::api::wording::{Call, Worded};
use crate::cli::text::{self, Text, terminal};
use crate::cli::{Exit, Scene};
use crate::events::problem::{Code, Problem};
use crate::executors::discovery::{CheckedAgent, check_files};

/// What `agents validate --json` prints.
#[derive(Clone, Serialize)]
struct Validated {
    ok: bool,
    files: Vec<CheckedFile>,
}

#[derive(Clone, Serialize)]
struct CheckedFile {
    file: String,
    ok: bool,
    /// The agent's name; none of a file that cannot be read.
    agent: Option<String>,
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
    scene.say.result(&Validated { ok, files }, |validated| {
        Text::lines(validated.files.iter().map(|file| file_text(file, &scene.call)))
    });
    Ok(if ok { Exit::Good } else { Exit::Failed })
}

fn file_text(file: &CheckedFile, call: &Call) -> Text {
    let head = match (&file.agent, file.ok) {
        (Some(agent), true) => terminal!("{}: good, agent {}", file.file, agent),
        _ => terminal!("{}: {} to mend", file.file, file.errors.len()),
    };
    let errors = file.errors.iter().map(|error| text::problem("error", error, call));
    let warnings = file.warnings.iter().map(|warning| text::problem("warning", warning, call));
    Text::lines(std::iter::once(head).chain(errors).chain(warnings))
}
