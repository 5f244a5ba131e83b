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
use crate::workflow::definition::Definition;
use crate::workflow::parse::Subtask;

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
    /// What a Markdown chain says of its subtasks, as far as it can be read; left out of other files.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    subtasks: Vec<OfSubtask>,
}

/// The JSON of a subtask.
#[derive(Clone, Serialize)]
struct OfSubtask {
    name: String,
    /// The agent that does it, as it calls itself where it was found.
    agent: Option<String>,
    inputs: Vec<String>,
    outputs: Vec<String>,
    /// In characters, before anything is filled in.
    prompt_length: usize,
}

impl OfSubtask {
    fn of(subtask: Subtask, found: Option<&Definition>) -> Self {
        let Subtask { step, name, agent, inputs, outputs, prompt_length } = subtask;
        let found = found.and_then(|definition| definition.step(&step)?.agent());
        let agent = found.or(agent).map(|agent| agent.to_string());
        Self { name, agent, inputs, outputs, prompt_length }
    }
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
    let (found, errors, warnings, subtasks) = match scene.check(path) {
        Ok(family) => (Some(family.root.definition), Vec::new(), family.warnings, family.subtasks),
        Err(Wrong { errors, warnings, subtasks }) => (None, errors, warnings, subtasks),
    };
    let subtasks = subtasks.into_iter().map(|subtask| OfSubtask::of(subtask, found.as_ref())).collect();
    let holds = Workflow { steps: found.as_ref().map_or(0, |found| found.steps.len()), subtasks };
    CheckedFile { file: path.display().to_string(), ok: found.is_some(), holds, errors, warnings }
}
