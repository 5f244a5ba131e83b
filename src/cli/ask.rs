//! `reenact ask "QUERY"`: has an agent do something, in a run without a workflow file, and sees it through. Without `--agent` the request
//! is routed.

use serde_json::Value;

use super::arguments::{AskArguments, GivenArguments};
use super::see::{self, Exchange, Signals};
use super::{Exit, Scene, route, run, start};
use crate::api::folder::is_store;
use crate::api::protocol::{Request, Response};
use crate::api::routing::{again, asked, check, rules};
use crate::api::spec::{QUERY, RunSpec};
use crate::events::ids::{AgentName, RUN_KIND, RunId};
use crate::events::json::Json;
use crate::events::problem::{Code, Problem};
use crate::workflow::input::input_from_arguments;
use crate::workflow::json_text::{Edited, Level};
use crate::workflow::routing::Context;

pub(super) async fn ask(scene: &Scene, arguments: AskArguments) -> Result<Exit, Problem> {
    let AskArguments { query, agent, given, detach, show } = arguments;
    check(&query)?;
    let spec = match agent {
        Some(agent) => Some(RunSpec::ask(&AgentName::new(&agent))?),
        None => routed(scene, &query, given.id.as_deref()).await?,
    };
    let Some(spec) = spec else { return Ok(Exit::Interrupted) };
    let spec = RunSpec { id: Some(run::id(&given)?), ..spec };
    match start::resolve(scene, spec, &given, |_, given| input(given, &query)).await {
        Ok(start) => run::see_through(scene, start, detach, show).await,
        Err(problems) => Ok(scene.say.problems(&problems)),
    }
}

/// The run for a request of which nobody says who is to do it. Where nobody fits, that is the configured agent. None when a signal came.
async fn routed(scene: &Scene, query: &str, id: Option<&str>) -> Result<Option<RunSpec>, Problem> {
    if let Some(id) = id {
        match remembered(scene, query, id).await? {
            Remembered::Run(spec) => return Ok(Some(*spec)),
            Remembered::Interrupted => return Ok(None),
            Remembered::Nothing => {}
        }
    }
    let config = &scene.house.config;
    let Some(found) = route::agents(scene).await? else { return Ok(None) };
    let asked = asked(config, &scene.cwd, &found.catalog, &found.successes, query);
    asked.map(Some).map_err(|problem| match problem.code {
        Code::NobodyAsked => problem.hint(NOBODY_FITS),
        _ => problem,
    })
}

/// What to do where nobody fits.
const NOBODY_FITS: &str = "name an agent with --agent, or set `default_agent` in the configuration; `reenact agents` shows who there is, and an agent is found by its `description` and `expertise`";

/// What a run of that id says of how it was routed.
enum Remembered {
    /// It was: asked again it is the same run, whoever would fit best by now.
    Run(Box<RunSpec>),
    /// There is none, or it was started otherwise.
    Nothing,
    /// A signal came.
    Interrupted,
}

async fn remembered(scene: &Scene, query: &str, id: &str) -> Result<Remembered, Problem> {
    if !is_store(&scene.house.data) || RunId::parse(id).is_err() {
        return Ok(Remembered::Nothing);
    }
    let mut signals = Signals::listen()?;
    let door = scene.open().await?;
    let request = Request::Report { run: format!("{RUN_KIND}/{id}") };
    let report = match see::ask(scene, door, &request, &mut signals, &mut |_| {}).await {
        Ok(Exchange::Interrupted) => return Ok(Remembered::Interrupted),
        Ok(Exchange::Response(Response::Report(report), door)) => {
            see::leave(door, &mut signals).await?;
            report
        }
        Ok(Exchange::Response(other, _)) => return Err(other.mismatch()),
        Err(problem) if problem.code == Code::UnknownRun => return Ok(Remembered::Nothing),
        Err(problem) => return Err(problem),
    };
    let Some(decision) = &report.routed else { return Ok(Remembered::Nothing) };
    // Steps that grew have other names, and who stood in was not who was asked.
    let asked = report.steps.iter().filter(|step| !step.id.as_str().contains(['/', '[', '#']));
    let agents = asked.filter_map(|step| step.primary_agent.as_deref().or(step.agent.as_deref()));
    let agents: Vec<AgentName> = agents.map(AgentName::new).collect();
    let rules = rules(&scene.house.config, &scene.cwd)?;
    let parts = rules.classify(query, &Context::default()).parts;
    let spec = again(&agents, &parts)?;
    Ok(Remembered::Run(Box::new(RunSpec { routed: Some(decision.clone()), ..spec })))
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
