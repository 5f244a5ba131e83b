//! `reenact ask "QUERY"`: has an agent do something, in a run of one step, and sees it through.

use serde_json::Value;

use super::arguments::{AskArguments, GivenArguments};
use super::{Exit, Scene, run, start};
use crate::api::spec::{QUERY, RunSpec};
use crate::events::ids::AgentName;
use crate::events::json::Json;
use crate::events::problem::{Code, Problem};
use crate::workflow::input::input_from_arguments;
use crate::workflow::json_text::{Edited, Level};

pub(super) async fn ask(scene: &Scene, arguments: AskArguments) -> Result<Exit, Problem> {
    let AskArguments { query, agent, given, detach, show } = arguments;
    let agent = match agent {
        Some(agent) => AgentName::new(&agent),
        None => scene.house.config.default_agent.clone().ok_or_else(nobody)?,
    };
    let spec = RunSpec { id: Some(run::id(&given)?), ..RunSpec::ask(&agent)? };
    match start::resolve(scene, spec, &given, |_, given| input(given, &query)).await {
        Ok(start) => run::see_through(scene, start, detach, show).await,
        Err(problems) => Ok(scene.say.problems(&problems)),
    }
}

fn nobody() -> Problem {
    Problem::new(Code::NobodyAsked, "nothing says which agent is to be asked")
        .hint("name it with --agent, or set `default_agent` in the configuration; `reenact agents` shows who there is")
}

/// The query, and behind it what was given.
fn input(given: &GivenArguments, query: &str) -> Result<Json, Vec<Problem>> {
    let refused = |message: &str, hint: &'static str| {
        Err(vec![Problem::new(Code::BadInput, message.to_owned()).hint(hint)])
    };
    let given = input_from_arguments(None, start::file_of_inputs(given)?, &given.inputs)?;
    let Ok(Level::Map(members)) = Level::of(given.text()) else {
        return refused("the input is no object", "let the file hold an object: `{\"name\": \"value\"}`");
    };
    if members.iter().any(|(name, _)| name == QUERY) {
        return refused(
            "the input `query` is what is asked, and is given twice",
            "call that input otherwise",
        );
    }
    let query = (QUERY.to_owned(), Edited::Text(Json::from(&Value::from(query)).text().to_owned()));
    let given = members.into_iter().map(|(name, text)| (name.into_owned(), Edited::Text(text.to_owned())));
    let input = Edited::Map(std::iter::once(query).chain(given).collect());
    Json::made(&input.text())
        .map_err(|why| vec![Problem::new(Code::TooDeep, format!("the input: {}", why.why))])
}
