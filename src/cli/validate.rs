//! `reenact validate FILE…`: checks workflow files; nothing runs.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::arguments::ValidateArguments;
use super::say::problem_text;
use super::{Exit, Scene};
use crate::events::problem::{Code, Problem};
use crate::executors::AgentDefinition;
use crate::executors::discovery::Catalog;
use crate::workflow::definition::Definition;
use crate::workflow::parse::{Known, NamedAgent, Parsed, decode, parse};

/// A workflow file that can be run.
pub(super) struct Checked {
    pub(super) definition: Definition,
    /// The agents that its steps and compensations name, as files and the configuration define them.
    pub(super) agents: Vec<AgentDefinition>,
    pub(super) warnings: Vec<Problem>,
    /// The folder of the file.
    pub(super) work_folder: PathBuf,
}

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
    match check(scene, path) {
        Ok(checked) => FileResult {
            file,
            ok: true,
            steps: checked.definition.steps.len(),
            errors: Vec::new(),
            warnings: checked.warnings,
        },
        Err(errors) => FileResult { file, ok: false, steps: 0, errors, warnings: Vec::new() },
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

/// Reads a workflow file and checks all of it, the agents that it names too.
///
/// # Errors
/// Everything that is wrong with it, in the order of its lines.
pub(super) fn check(scene: &Scene, path: &Path) -> Result<Checked, Vec<Problem>> {
    let file = path.display().to_string();
    let unread = |error: std::io::Error| {
        vec![Problem::new(Code::FileNotRead, format!("{file} cannot be read: {error}"))]
    };
    let whole = fs::canonicalize(scene.cwd.join(path)).map_err(unread)?;
    if whole.extension().is_some_and(|kind| kind == "md") {
        let message = format!("{file}: workflows in Markdown are not supported by this version");
        return Err(vec![
            Problem::new(Code::NotBuilt, message).hint("write it as YAML: see docs/workflows.md"),
        ]);
    }
    let bytes = fs::read(&whole).map_err(unread)?;
    let text = decode(&bytes, &file).map_err(|problem| vec![problem])?;
    let work_folder = whole.parent().unwrap_or(&scene.cwd).to_path_buf();
    let config = &scene.house.config;
    let mut parsed = parse(
        text,
        &file,
        &Known { env: &config.expressions.env, fallback_attempts: config.run.max_fallback_attempts },
    )?;
    let catalog = Catalog::discover(&work_folder, &config.agent_paths, &config.agents);
    let agents = bind_agents(&mut parsed, &catalog)?;
    Ok(Checked { definition: parsed.definition, agents, warnings: parsed.warnings, work_folder })
}

/// Finds the agents that steps and compensations name, and lets those name them as they call themselves.
fn bind_agents(parsed: &mut Parsed, catalog: &Catalog) -> Result<Vec<AgentDefinition>, Vec<Problem>> {
    let (mut agents, mut errors) = (Vec::<AgentDefinition>::new(), Vec::new());
    for NamedAgent { agent, step, role, at } in &parsed.agents {
        let usable = catalog.find(agent).and_then(|found| {
            found.definition.check_usable()?;
            Ok(&found.definition)
        });
        match usable {
            Ok(found) => {
                parsed.definition.set_agent(step, *role, &found.name);
                if !agents.contains(found) {
                    agents.push(found.clone());
                }
            }
            Err(problem) if problem.at.is_some() => errors.push(problem.step(step)),
            Err(problem) => errors.push(problem.step(step).at(&at.file, at.line, at.column)),
        }
    }
    if errors.is_empty() { Ok(agents) } else { Err(errors) }
}
