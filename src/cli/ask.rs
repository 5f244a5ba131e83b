//! `reenact ask "QUERY"`: has an agent do something, in a run of one step, and sees it through.

use super::arguments::{AskArguments, GivenArguments};
use super::{Exit, Scene, run, start};
use crate::api::spec::{QUERY, RunSpec};
use crate::events::ids::AgentName;
use crate::events::json::Json;
use crate::events::problem::{Code, Problem};
use crate::workflow::definition::Definition;
use crate::workflow::input::input_from_arguments;

pub(super) async fn ask(scene: &Scene, arguments: AskArguments) -> Result<Exit, Problem> {
    let AskArguments { query, agent, given, detach, show } = arguments;
    let agent = match agent {
        Some(agent) => AgentName::new(&agent),
        None => scene.house.config.default_agent.clone().ok_or_else(nobody)?,
    };
    let spec = RunSpec { id: Some(run::id(&given)?), ..RunSpec::ask(&agent)? };
    let input = |definition: &Definition, given: &GivenArguments| input(definition, given, &query);
    match start::resolve(scene, spec, &given, input).await {
        Ok(start) => run::see_through(scene, start, detach, show).await,
        Err(problems) => Ok(scene.say.problems(&problems)),
    }
}

fn nobody() -> Problem {
    Problem::new(Code::NobodyAsked, "nothing says which agent is to be asked")
        .hint("name it with --agent, or set `default_agent` in the configuration; `reenact agents` shows who there is")
}

/// The query, and beside it what was given.
fn input(definition: &Definition, given: &GivenArguments, query: &str) -> Result<Json, Vec<Problem>> {
    let beside = input_from_arguments(None, start::file_of_inputs(given)?, &given.inputs)?;
    if beside.value().get(QUERY).is_some() {
        let problem =
            Problem::new(Code::BadInput, format!("the input `{QUERY}` is what is asked, and is given twice"));
        return Err(vec![problem.hint("call that input otherwise")]);
    }
    let query = format!("{QUERY}:={}", Json::from(&serde_json::Value::from(query)).text());
    input_from_arguments(definition.input.as_ref(), Some(beside), &[query])
}
