//! `reenact agents validate PATH`: checks the files of agents; nothing is recorded.

use std::path::Path;

use serde::Serialize;

use super::catalog;
use crate::api::wording::{Call, Worded};
use crate::cli::checked::CheckedFile;
use crate::cli::text::{Text, terminal};
use crate::cli::{Exit, Scene};
use crate::events::problem::{Code, Problem};
use crate::executors::discovery::{CheckedAgent, check_files};

/// The JSON that `agents validate --json` prints.
#[derive(Clone, Serialize)]
struct Validated {
    ok: bool,
    files: Vec<CheckedFile<Agent>>,
}

/// What is in the file of an agent.
#[derive(Clone, Serialize)]
struct Agent {
    /// The agent's name; none of a file that cannot be read.
    agent: Option<String>,
}

impl Worded for Validated {
    fn word(&mut self, call: &Call) {
        self.files.iter_mut().for_each(|file| file.word(call));
    }
}

pub(super) fn validate(scene: &Scene, path: &Path) -> Result<Exit, Problem> {
    let whole = scene.cwd.join(path);
    // A link that leads nowhere is there, and is what is wrong.
    if whole.symlink_metadata().is_err() {
        return Err(Problem::new(Code::FileNotRead, format!("there is no `{}`", path.display())));
    }
    let files = check_files(&whole, path, &catalog(scene)).into_iter().map(
        |CheckedAgent { file, agent, errors, warnings }| {
            let holds = Agent { agent: agent.map(|agent| agent.to_string()) };
            CheckedFile { file, ok: errors.is_empty(), holds, errors, warnings }
        },
    );
    let files: Vec<_> = files.collect();
    let ok = files.iter().all(|file| file.ok);
    scene.say.result(&Validated { ok, files }, |validated| {
        let name = |found: &Agent| terminal!("agent {}", found.agent.as_deref().unwrap_or_default());
        Text::lines(validated.files.iter().map(|file| file.text(&scene.call, name)))
    });
    Ok(if ok { Exit::Good } else { Exit::Failed })
}
