//! `reenact run --goal "TEXT"`: an agent plans tasks that reach a goal, and others do them.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::arguments::{GivenArguments, GoalArguments, RunArguments};
use super::{Scene, start};
use crate::api::goal::Goal;
use crate::api::spec::RunSpec;
use crate::events::ids::{AgentName, RunId};
use crate::events::json::Json;
use crate::events::problem::{Code, Problem};
use crate::text_file::{self, Kind};
use crate::workflow::definition::PlanOfTasks;
use crate::workflow::input::input_from_arguments;
use crate::workflow::json_text::{Edited, Level};

/// The longest file of requirements, and the longest context files together, in bytes: they stand in every prompt.
const TEXT_BYTES_MAX: usize = 256 * 1024;

/// The folder whose files are told to every agent, in the work folder.
const CONTEXT_FOLDER: &str = ".ai-agents/context";

/// How many of them are told.
const CONTEXT_FILES_MAX: usize = 50;

/// The endings of such files.
const CONTEXT_ENDINGS: [&str; 6] = ["json", "md", "toml", "txt", "yaml", "yml"];

/// A start of a run that reaches a goal, without what it is given beside that.
pub(super) fn prepare(
    scene: &Scene,
    id: RunId,
    text: &str,
    arguments: &RunArguments,
) -> Result<(RunSpec, Goal), Problem> {
    let goal = goal(scene, text, &arguments.goal)?;
    let spec = RunSpec {
        id: Some(id),
        parallel: arguments.parallel,
        timeout: arguments.timeout,
        until: arguments.until.as_deref().map(Into::into),
        work_folder: arguments.goal.dir.as_ref().map(|dir| scene.cwd.join(dir)),
        ..goal.spec()?
    };
    Ok((spec, goal))
}

/// The goal, as the command line and the configuration say it.
fn goal(scene: &Scene, text: &str, arguments: &GoalArguments) -> Result<Goal, Problem> {
    if text.trim().is_empty() {
        return Err(Problem::new(Code::Usage, "the goal is empty").hint("say what is to be reached"));
    }
    let config = &scene.house.config;
    let manager = config.goal.manager.as_ref().or(config.stuck.manager.as_ref());
    let manager = manager.ok_or_else(|| Problem::new(Code::NobodyPlans, "nothing says which agent plans"))?;
    let folder = match &arguments.dir {
        Some(dir) => work_folder(&scene.cwd, dir)?,
        None => scene.cwd.clone(),
    };
    let requirements =
        arguments.requirements.as_deref().map(|file| requirements(&scene.cwd, file)).transpose()?;
    Ok(Goal {
        goal: text.to_owned(),
        requirements,
        context: context(&folder)?,
        team_file: config.team.path.as_ref().map(|path| path.display().to_string()),
        manager: manager.clone(),
        agents: arguments.agents.iter().map(|name| AgentName::new(name.trim())).collect(),
        iterations_max: arguments.max_iterations.unwrap_or(PlanOfTasks::MAX),
        approve_plan: arguments.approve_plan,
    })
}

/// The folder in which the agents work, which has to be there.
fn work_folder(cwd: &Path, dir: &Path) -> Result<PathBuf, Problem> {
    let folder = cwd.join(dir);
    if folder.is_dir() {
        return Ok(folder);
    }
    let message = format!("the work folder `{}` is not there, or is no folder", dir.display());
    Err(Problem::new(Code::FileNotRead, message).hint("make it, or name another with --dir"))
}

fn requirements(cwd: &Path, file: &Path) -> Result<String, Problem> {
    let shown = file.display().to_string();
    let text = text_file::read(&cwd.join(file), &shown, Kind::Input)?;
    if text.len() > TEXT_BYTES_MAX {
        let message = format!("`{shown}` has {} bytes, and no more than {TEXT_BYTES_MAX} may be", text.len());
        return Err(
            Problem::new(Code::TooLarge, message).hint("they stand in every prompt: say what matters")
        );
    }
    if text.trim().is_empty() {
        return Err(Problem::new(Code::BadInput, format!("`{shown}` is empty")));
    }
    Ok(text)
}

/// What the context files say, each under its name, in the order of their names; none if there are none. What is a link is left
/// out: nothing outside of the folder is told to anybody.
fn context(folder: &Path) -> Result<Option<String>, Problem> {
    let Ok(entries) = fs::read_dir(folder.join(CONTEXT_FOLDER)) else { return Ok(None) };
    let is_told = |path: &PathBuf| {
        let ending = path.extension().and_then(|ending| ending.to_str());
        let is_file = fs::symlink_metadata(path).is_ok_and(|found| found.is_file());
        is_file && ending.is_some_and(|ending| CONTEXT_ENDINGS.contains(&ending))
    };
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(is_told).collect();
    files.sort();
    if files.len() > CONTEXT_FILES_MAX {
        let message = format!(
            "`{CONTEXT_FOLDER}` has {} files, and no more than {CONTEXT_FILES_MAX} are told",
            files.len()
        );
        return Err(Problem::new(Code::TooLarge, message).hint("put together what belongs together"));
    }
    let mut context = String::new();
    for path in &files {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let shown = format!("{CONTEXT_FOLDER}/{name}");
        let text = text_file::read(path, &shown, Kind::Input)?;
        context.push_str(&format!("### {shown}\n\n{}\n\n", text.trim()));
        if context.len() > TEXT_BYTES_MAX {
            let message =
                format!("the files in `{CONTEXT_FOLDER}` have more than {TEXT_BYTES_MAX} bytes together");
            return Err(
                Problem::new(Code::TooLarge, message).hint("they stand in every prompt: say what matters")
            );
        }
    }
    Ok(Some(context).filter(|context| !context.is_empty()))
}

/// The goal, and behind it what was given.
pub(super) fn input(goal: &Goal, given: &GivenArguments) -> Result<Json, Vec<Problem>> {
    let refused = |message: String| Err(vec![Problem::new(Code::BadInput, message)]);
    let given = input_from_arguments(None, start::file_of_inputs(given)?, &given.inputs)?;
    let Ok(Level::Map(members)) = Level::of(given.text()) else {
        return refused("the input is no object".to_owned());
    };
    let own = goal.input();
    if let Some((name, _)) = members.iter().find(|(name, _)| own.iter().any(|(own, _)| own == name)) {
        return refused(format!("the input `{name}` is part of the goal, and is given twice"));
    }
    let text = |value: &Value| Edited::Text(Json::from(value).text().to_owned());
    let own = own.iter().map(|(name, value)| (name.clone(), text(value)));
    let given = members.into_iter().map(|(name, text)| (name.into_owned(), Edited::Text(text.to_owned())));
    let input = Edited::Map(own.chain(given).collect());
    Json::made(&input.text())
        .map_err(|why| vec![Problem::new(Code::TooDeep, format!("the input: {}", why.why))])
}
