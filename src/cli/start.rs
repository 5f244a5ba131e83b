//! What a run begins with, as the command line says it.

use std::collections::BTreeMap;
use std::path::Path;

use super::Scene;
use super::arguments::{GivenArguments, RunArguments};
use crate::api::spec::RunSpec;
use crate::api::start::{Family, Wrong};
use crate::events::ids::RunId;
use crate::events::json::Json;
use crate::events::problem::{Code, Problem};
use crate::text_file::{self, Kind};
use crate::workflow::definition::Definition;
use crate::workflow::input::input_from_arguments;
use crate::workflow::parse::data;

impl Scene {
    /// Reads a workflow file and checks all of it.
    pub(super) fn check(&self, file: &Path) -> Result<Family, Wrong> {
        self.house.resolver().read(&RunSpec::file(file))
    }
}

/// A start of a run of a workflow file, without what it is given.
pub(super) fn of_file(run: RunId, file: &Path, arguments: &RunArguments) -> RunSpec {
    RunSpec {
        id: Some(run),
        parallel: arguments.parallel,
        timeout: arguments.timeout,
        until: arguments.until.as_deref().map(Into::into),
        no_cache: arguments.no_cache,
        ..RunSpec::file(file)
    }
}

/// Reads what is to be run, and checks all of it and what it is given; `input` makes its input.
pub(super) async fn resolve(
    scene: &Scene,
    spec: RunSpec,
    given: &GivenArguments,
    input: impl FnOnce(&Definition, &GivenArguments) -> Result<Json, Vec<Problem>>,
) -> Result<RunSpec, Vec<Problem>> {
    let mut resolver = scene.house.resolver();
    let mut read = resolver.read(&spec);
    if read.as_ref().is_err_and(|wrong| wrong.errors.iter().any(|problem| problem.code == Code::UnknownAgent))
    {
        // It may be one of the program that holds the store, which is asked only then: to check a file opens no store.
        resolver.registered = scene.house.agents_of_holder().await;
        read = resolver.read(&spec);
    }
    let mut family = read.map_err(|wrong| wrong.errors)?;
    scene.say.warnings(&std::mem::take(&mut family.warnings));
    let input = input(&family.root.definition, given)?;
    let tags = pairs(&given.tags, "tag").map_err(|problem| vec![problem])?;
    let (spec, warnings) = resolver.settle(RunSpec { input, tags, ..spec }, family)?;
    scene.say.warnings(&warnings);
    Ok(spec)
}

/// The input that was given.
pub(super) fn input(definition: &Definition, given: &GivenArguments) -> Result<Json, Vec<Problem>> {
    input_from_arguments(definition.input.as_ref(), file_of_inputs(given)?, &given.inputs)
}

/// What the file of inputs holds, if one was named.
pub(super) fn file_of_inputs(given: &GivenArguments) -> Result<Option<Json>, Vec<Problem>> {
    given.input_file.as_deref().map(read_input).transpose().map_err(|problem| vec![problem])
}

/// Reads inputs: a file called `.json` as JSON, every other as YAML.
fn read_input(path: &Path) -> Result<Json, Problem> {
    let file = path.display().to_string();
    data(&text_file::read(path, &file, Kind::Input)?, &file)
}

/// Reads `K=V` arguments; `what` is the option that has them.
pub(super) fn pairs(arguments: &[String], what: &str) -> Result<BTreeMap<String, String>, Problem> {
    let pair = |argument: &String| match argument.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err(Problem::new(Code::Usage, format!("`{argument}` is no {what}"))
            .hint(format!("write it as --{what} key=value"))),
    };
    arguments.iter().map(pair).collect()
}
