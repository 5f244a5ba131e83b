//! What a run begins with, as the command line says it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::Scene;
use super::arguments::{AnswersArguments, GivenArguments, OfAgentsArguments, RunArguments, RunMode};
use crate::api::spec::RunSpec;
use crate::api::start::{Family, Wrong};
use crate::config::Config;
use crate::events::ids::RunId;
use crate::events::json::Json;
use crate::events::limits::{CALLS_MAX, TOKENS_MAX};
use crate::events::money::parse_usd;
use crate::events::problem::{Code, Problem};
use crate::events::run::SpendLimits;
use crate::events::text::printable;
use crate::executors::rehearsal::{Answers, Mode};
use crate::text_file::{self, Kind};
use crate::workflow::definition::Definition;
use crate::workflow::input::input_from_arguments;
use crate::workflow::parse::{data, script};
use crate::workflow::script::Script;

impl Scene {
    /// Reads a workflow file and checks all of it.
    pub(super) fn check(&self, file: &Path) -> Result<Family, Wrong> {
        self.house.resolver().read(&RunSpec::file(file))
    }
}

/// A start of a run of a workflow file, without what it is given.
///
/// # Errors
/// What is wrong with how its steps are to be answered.
pub(super) fn of_file(run: RunId, file: &Path, arguments: &RunArguments) -> Result<RunSpec, Vec<Problem>> {
    Ok(RunSpec {
        id: Some(run),
        parallel: arguments.parallel,
        timeout: arguments.timeout,
        until: arguments.until.as_deref().map(Into::into),
        no_cache: arguments.no_cache,
        answers: answers(&arguments.answers, Some(file))?,
        ..RunSpec::file(file)
    })
}

/// Who answers what the steps of a run ask for; `file` is that of its workflow.
///
/// # Errors
/// [`Code::Usage`] for options that do not belong together, and what is wrong with the script.
pub(super) fn answers(arguments: &AnswersArguments, file: Option<&Path>) -> Result<Answers, Vec<Problem>> {
    let AnswersArguments { mode, cassette, script } = arguments;
    let refused = |message: &str, hint: &str| vec![Problem::new(Code::Usage, message).hint(hint.to_owned())];
    match (mode, cassette, script) {
        (RunMode::Live | RunMode::Scripted, Some(_), _) => {
            let hint = "say `--mode record` or `--mode replay`";
            return Err(refused("a cassette is named that nothing is done with", hint));
        }
        (RunMode::Live | RunMode::Record | RunMode::Replay, _, Some(_)) => {
            return Err(refused("a script is named that answers nothing", "say `--mode scripted`"));
        }
        _ => {}
    }
    let taped = || match (cassette, file) {
        (Some(cassette), _) => Ok(cassette.clone()),
        (None, Some(file)) => Ok(beside(file)),
        (None, None) => Err(refused("nothing says which cassette is meant", "name it: --cassette FILE")),
    };
    let mode = match mode {
        RunMode::Live => Mode::Live,
        RunMode::Record => Mode::Record(taped()?),
        RunMode::Replay => Mode::Replay(taped()?),
        RunMode::Scripted => Mode::Scripted,
    };
    let script = match (&mode, script) {
        (Mode::Scripted, Some(script)) => read_script(script)?,
        (Mode::Scripted, None) => {
            return Err(refused(
                "nothing says what is answered",
                "name the file of the answers: --script FILE",
            ));
        }
        _ => Script::default(),
    };
    Ok(Answers { mode, script })
}

/// The cassette of a workflow's file, where nobody names one.
fn beside(file: &Path) -> PathBuf {
    let mut name = file.file_stem().unwrap_or_default().to_owned();
    name.push(".cassette.json");
    file.with_file_name(name)
}

/// Reads a file of answers.
fn read_script(path: &Path) -> Result<Script, Vec<Problem>> {
    let file = path.display().to_string();
    let text = text_file::read(path, &file, Kind::Script).map_err(|problem| vec![problem])?;
    script(&text, &file)
}

/// Reads what is to be run, and checks all of it and what it is given; `input` makes its input.
pub(super) async fn resolve(
    scene: &Scene,
    spec: RunSpec,
    given: &GivenArguments,
    input: impl FnOnce(&Definition, &GivenArguments) -> Result<Json, Vec<Problem>>,
) -> Result<RunSpec, Vec<Problem>> {
    let mut resolver = scene.house.resolver();
    of_agents(&mut resolver.config, &given.of_agents).map_err(|problem| vec![problem])?;
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
    let spend = limits(&given.limits).map_err(|problem| vec![problem])?;
    let limits = &mut family.root.definition.limits;
    limits.spend = limits.spend.replaced_by(spend);
    let (spec, warnings) = resolver.settle(RunSpec { input, tags, ..spec }, family)?;
    scene.say.warnings(&warnings);
    Ok(spec)
}

/// What is said of the agents of this run goes over the configuration.
fn of_agents(config: &mut Config, said: &OfAgentsArguments) -> Result<(), Problem> {
    if let Some(model) = &said.model {
        config.models.model(model)?;
        config.models.default_model = Some(model.clone());
    }
    if let Some(provider) = &said.provider {
        config.models.ask_all_at(provider)?;
    }
    for (key, value) in pairs(&said.set, "set")? {
        let of_agent = key.strip_prefix("agents.").and_then(|rest| rest.rsplit_once('.'));
        let (agent, key) = of_agent.ok_or_else(|| {
            let problem = Problem::new(Code::Usage, format!("`{key}` is no key of an agent"));
            problem.hint("write it as --set agents.NAME.KEY=VALUE")
        })?;
        config.set_of_agent(agent, key, &value)?;
    }
    Ok(())
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

/// The limits of what a run spends that were given.
fn limits(arguments: &[String]) -> Result<SpendLimits, Problem> {
    let mut limits = SpendLimits::default();
    for (kind, number) in pairs(arguments, "limit")? {
        let whole = |most: u64| match number.parse() {
            Ok(number) if (1..=most).contains(&number) => Ok(Some(number)),
            _ => Err(format!("takes a whole number from 1 to {most}")),
        };
        let taken = match kind.as_str() {
            "calls" => whole(CALLS_MAX).map(|calls| limits.calls = calls),
            "tokens" => whole(TOKENS_MAX).map(|tokens| limits.tokens = tokens),
            "usd" => match parse_usd(&number) {
                Ok(0) => Err("takes an amount in US dollars, and 0 is nothing to spend".to_owned()),
                Ok(nanos) => {
                    limits.usd_nanos = Some(nanos);
                    Ok(())
                }
                Err(why) => Err(format!("takes an amount in US dollars: `{}` {why}", printable(&number))),
            },
            _ => Err("is no limit: there are calls, tokens and usd".to_owned()),
        };
        taken.map_err(|why| Problem::new(Code::Usage, format!("`--limit {}` {why}", printable(&kind))))?;
    }
    Ok(limits)
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
