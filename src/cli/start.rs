//! What a run begins with, resolved by who asks for it: the file, the agents, the input, the environment. Nothing is
//! recorded before all of it is sound.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::Scene;
use super::arguments::RunArguments;
use super::files::{self, Checked, Family};
use crate::aggregates::run::Insists;
use crate::api::protocol::{ChildSpec, StartSpec, check_tags};
use crate::config::Config;
use crate::events::ids::AgentName;
use crate::events::json::Json;
use crate::events::problem::{Code, Problem, nearest};
use crate::events::run::GrowthLimits;
use crate::events::text::{is_control, printable};
use crate::executors::AgentDefinition;
use crate::text_file::{self, Kind};
use crate::workflow::definition::Definition;
use crate::workflow::input::{check_input, input_from_arguments};
use crate::workflow::json_text::Level;
use crate::workflow::parse::data;

pub(super) fn resolve(scene: &Scene, arguments: &RunArguments) -> Result<StartSpec, Vec<Problem>> {
    let Family { root, children, warnings } =
        files::check(scene, &arguments.file).map_err(|wrong| wrong.errors)?;
    scene.say.warnings(&warnings);
    let definition = &root.definition;
    let input = input(definition, arguments)?;
    scene.say.warnings(&undeclared(definition, &input));
    let until = arguments.until.as_deref().map(|step| until(definition, step));
    let until = until.transpose().map_err(|problem| vec![problem])?;
    let tags = pairs(&arguments.tags, "tag").map_err(|problem| vec![problem])?;
    check_tags(&tags).map_err(|problem| vec![problem])?;
    if let Some((key, _)) =
        tags.iter().find(|(key, value)| key.contains(is_control) || value.contains(is_control))
    {
        let message = format!("the tag `{}` holds control characters", printable(key));
        return Err(vec![Problem::new(Code::Usage, message).hint("a tag is a text on one line")]);
    }
    let config = &scene.house.config;
    let allowed = config.expressions.env.iter();
    let environment = allowed.filter_map(|name| Some((name.clone(), std::env::var(name).ok()?))).collect();
    let children = children.into_iter().map(|(file, child)| child_spec(&file, &child, config));
    Ok(StartSpec {
        definition: definition.to_json(),
        input,
        tags,
        work_folder: root.work_folder.display().to_string(),
        environment,
        agents: agents(&root),
        parallel: arguments.parallel.or(definition.limits.parallel).unwrap_or(config.run.parallel),
        lost_limit: definition.limits.lost.unwrap_or(config.run.lost),
        duration_limit: arguments.timeout.or(definition.limits.duration),
        until,
        children: children.collect(),
        growth: growth(config),
        insists: Insists {
            parallel: arguments.parallel.is_some(),
            duration_limit: arguments.timeout.is_some(),
        },
    })
}

/// A workflow that a step starts; where it has no limits of its own, the configuration's hold.
fn child_spec(file: &str, child: &Checked, config: &Config) -> ChildSpec {
    let limits = child.definition.limits;
    ChildSpec {
        file: file.into(),
        definition: child.definition.to_json(),
        work_folder: child.work_folder.display().to_string(),
        agents: agents(child),
        parallel: limits.parallel.unwrap_or(config.run.parallel),
        lost_limit: limits.lost.unwrap_or(config.run.lost),
        duration_limit: limits.duration,
    }
}

fn growth(config: &Config) -> GrowthLimits {
    GrowthLimits {
        depth: config.growth.depth,
        width: config.growth.width,
        total: config.growth.total,
        fallback_attempts: config.run.max_fallback_attempts,
        critical_fails: config.run.fail_if_critical_skipped,
        items: config.growth.items,
    }
}

/// The agents as they are recorded. A definition always has a JSON form: it was made from one.
fn agents(checked: &Checked) -> Vec<(AgentName, Json)> {
    let json = |agent: &AgentDefinition| (agent.name.clone(), Json::of(agent).unwrap_or_default());
    checked.agents.iter().map(json).collect()
}

/// The step or the phase after which the run pauses.
fn until(definition: &Definition, text: &str) -> Result<Arc<str>, Problem> {
    let steps = || definition.steps.iter().map(|step| step.id.as_str());
    let phases = definition.steps.iter().filter_map(|step| step.phase.as_deref());
    let known = || steps().chain(phases.clone());
    if known().any(|name| name == text) {
        return Ok(text.into());
    }
    let problem =
        Problem::new(Code::NoSuchStep, format!("--until: the workflow has no step or phase `{text}`"));
    Err(match nearest(text, known()) {
        Some(near) => problem.hint(format!("did you mean `{near}`?")),
        None => problem.hint(format!("its steps are {}", steps().collect::<Vec<_>>().join(", "))),
    })
}

fn input(definition: &Definition, arguments: &RunArguments) -> Result<Json, Vec<Problem>> {
    let file = arguments.input_file.as_deref().map(read_input);
    let file = file.transpose().map_err(|problem| vec![problem])?;
    let given = input_from_arguments(definition.input.as_ref(), file, &arguments.inputs)?;
    check_input(definition.input.as_ref(), &given)
}

/// Inputs that the schema has no word for. It may allow them, but no step can use them.
fn undeclared(definition: &Definition, input: &Json) -> Vec<Problem> {
    let declared = definition.input.as_ref().and_then(|schema| schema.value().get("properties")?.as_object());
    let (Some(declared), Ok(Level::Map(given))) = (declared, Level::of(input.text())) else {
        return Vec::new();
    };
    let unknown = given.iter().map(|(name, _)| name).filter(|name| !declared.contains_key(&***name));
    unknown
        .map(|name| {
            let problem = Problem::new(Code::BadInput, format!("no step can use the input `{name}`"));
            match nearest(name, declared.keys().map(String::as_str)) {
                Some(near) => problem.hint(format!("did you mean `{near}`?")),
                None => problem,
            }
        })
        .collect()
}

/// Reads inputs: a file called `.json` as JSON, every other as YAML.
fn read_input(path: &Path) -> Result<Json, Problem> {
    let file = path.display().to_string();
    data(&text_file::read(path, &file, Kind::Input)?, &file)
}

/// Reads `K=V` arguments.
pub(super) fn pairs(arguments: &[String], what: &str) -> Result<BTreeMap<String, String>, Problem> {
    let pair = |argument: &String| match argument.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err(Problem::new(Code::Usage, format!("`{argument}` is no {what}"))
            .hint(format!("write it as --{what} key=value"))),
    };
    arguments.iter().map(pair).collect()
}
