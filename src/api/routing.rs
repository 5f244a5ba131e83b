//! Where a request goes: it is understood, agents are found for it, and a run is made of that.

use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::{Value, json};

use super::spec::{ASK, QUERY, RunSpec, Workflow};
use crate::config::Config;
use crate::events::ids::AgentName;
use crate::events::json::Json;
use crate::events::problem::{Code, Problem};
use crate::events::run::{Category, Domain, Routed, Share, Strategy};
use crate::executors::AgentDefinition;
use crate::executors::discovery::Catalog;
use crate::text_file::{self, Kind};
use crate::views::projections::successes::SuccessRow;
use crate::workflow::routing::{Candidate, Classified, Context, Entity, Explained, Fit, Index, Past, Rules};

/// The file of rules in the work folder that is read where the configuration names none.
const RULES_FILE: &str = "config/routing.toml";

/// The name of a step of a chain, which its number follows.
const PART: &str = "part_";

/// The rules that hold: what is built in, and what the configured file adds.
///
/// # Errors
/// When that file cannot be read, or is wrong.
pub fn rules(config: &Config, work_folder: &Path) -> Result<Rules, Problem> {
    let (shown, text) = match &config.routing.rules {
        Some(path) => {
            let shown = path.display().to_string();
            (shown.clone(), Some(text_file::read(&work_folder.join(path), &shown, Kind::Rules)?))
        }
        None => {
            let path: PathBuf = work_folder.join(RULES_FILE);
            (RULES_FILE.to_owned(), text_file::read_if_there(&path, Kind::Rules)?)
        }
    };
    text.map_or_else(Rules::built_in, |text| Rules::with(&text, &shown))
}

/// With less confidence than this the configured agent is asked, if there is one.
const SURE_MIN: f64 = 0.7;

/// Whether a request says anything.
///
/// # Errors
/// [`Code::EmptyRequest`] when it does not.
pub fn check(query: &str) -> Result<(), Problem> {
    if query.trim().is_empty() {
        return Err(Problem::new(Code::EmptyRequest, "the request is empty"));
    }
    Ok(())
}

/// The run that does what somebody asks for who does not say whom: done by who fits it, or by the configured agent where nobody
/// does, or where that is not sure. It lacks the input.
///
/// # Errors
/// [`Code::EmptyRequest`], [`Code::NobodyAsked`], [`Code::NoAgents`]; what is wrong with the rules, or keeps the agent from doing it.
pub fn asked(
    config: &Config,
    work_folder: &Path,
    catalog: &Catalog,
    successes: &[SuccessRow],
    query: &str,
) -> Result<RunSpec, Problem> {
    check(query)?;
    let rules = rules(config, work_folder)?;
    let started = Router::new(&rules, catalog, successes)
        .and_then(|router| router.start(&router.route(query, &Context::default())));
    let spec = match (started, &config.default_agent) {
        (Err(problem), Some(agent)) if matches!(problem.code, Code::NobodyAsked | Code::NoAgents) => {
            RunSpec::ask(agent)?
        }
        (started, _) => started?,
    };
    // Who knows the others is a better guess than one that may be wrong.
    let unsure = spec.routed.as_ref().is_some_and(|routed| {
        let is_for_one = matches!(routed.strategy, Strategy::SingleAgent | Strategy::Swarm);
        is_for_one && routed.confidence.number() < SURE_MIN
    });
    match &config.default_agent {
        Some(agent) if unsure => Ok(RunSpec { routed: spec.routed, ..RunSpec::ask(agent)? }),
        _ => Ok(spec),
    }
}

/// What is known of a request, and who fits it.
#[derive(Debug, Clone)]
pub struct Route {
    /// How it was understood.
    pub classified: Classified,
    /// The agents that fit, the best first.
    pub fits: Vec<Fit>,
    /// The decision, as it is recorded.
    pub routed: Routed,
}

/// The JSON of a route.
#[derive(Debug, Clone, Serialize)]
pub struct Told {
    /// The subject of the request.
    pub domain: Domain,
    /// The kind of request.
    pub category: Category,
    /// How much work it is, from 1 to 10.
    pub complexity: u8,
    /// How sure that is.
    pub confidence: Share,
    /// Who would do it: one agent, several, or one that divides it.
    pub strategy: Strategy,
    /// The things that it names.
    pub entities: Vec<Entity>,
    /// The agents that fit, the best first.
    pub agents: Vec<Fit>,
    /// Everything that this was told by, where somebody wants to know.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub explained: Option<Explained>,
}

impl Route {
    /// The same as it is told, with what it was told by if `explain` says so.
    pub fn told(self, explain: bool) -> Told {
        let Self { classified, fits, routed } = self;
        Told {
            domain: routed.domain,
            category: routed.category,
            complexity: routed.complexity,
            confidence: routed.confidence,
            strategy: routed.strategy,
            entities: classified.entities,
            agents: fits,
            explained: explain.then_some(classified.explained),
        }
    }
}

/// Finds out where requests go.
pub struct Router<'a> {
    rules: &'a Rules,
    catalog: &'a Catalog,
    index: Index,
}

impl<'a> Router<'a> {
    /// Among the agents of a catalog that are good, with how often they succeeded.
    ///
    /// # Errors
    /// [`Code::NoAgents`] when there are none; what is wrong with the places where they are looked for.
    pub fn new(rules: &'a Rules, catalog: &'a Catalog, successes: &[SuccessRow]) -> Result<Self, Problem> {
        if let Some(error) = catalog.errors().first() {
            return Err(error.clone());
        }
        let candidates: Vec<Candidate<'_>> =
            catalog.good().map(|agent| candidate(agent, successes)).collect();
        if candidates.is_empty() {
            let broken = catalog.warnings().next();
            let message = match broken {
                Some(broken) => format!("there are no agents that could be asked: {}", broken.message),
                None => "there are no agents that could be asked".to_owned(),
            };
            return Err(Problem::new(Code::NoAgents, message));
        }
        let index = Index::of(rules, &candidates);
        Ok(Self { rules, catalog, index })
    }

    /// Where a request goes.
    pub fn route(&self, query: &str, context: &Context) -> Route {
        let classified = self.rules.classify(query, context);
        let fits = self.index.rank(self.rules, query, &classified);
        let routed = classified.decide(&fits);
        Route { classified, fits, routed }
    }

    /// The run that does what somebody asks for, with the decision to be recorded; it lacks the input.
    ///
    /// # Errors
    /// [`Code::NobodyAsked`] when no agent does; what keeps the best one from doing a step, if none of those that fit can.
    pub fn start(&self, route: &Route) -> Result<RunSpec, Problem> {
        let Some(best) = self.best(&route.fits)? else { return Err(nobody_fits()) };
        let spec = match route.routed.strategy {
            Strategy::SingleAgent | Strategy::Swarm => RunSpec::ask(&best)?,
            Strategy::Coordinator => RunSpec::ask(&self.coordinator(best))?,
            Strategy::Chain => chain(&self.links(route, &best))?,
        };
        Ok(RunSpec { routed: Some(route.routed.clone()), ..spec })
    }

    /// The best of those that can do a step; none if there are none at all.
    fn best(&self, fits: &[Fit]) -> Result<Option<AgentName>, Problem> {
        let mut cannot = None;
        for fit in fits {
            let found = self.catalog.find(&fit.name)?;
            match found.definition.check_usable() {
                Ok(()) => return Ok(Some(fit.name.clone())),
                Err(problem) => cannot = cannot.or(Some(problem)),
            }
        }
        cannot.map_or(Ok(None), Err)
    }

    /// Who divides work among others; who fits best, if there is nobody for that.
    fn coordinator(&self, best: AgentName) -> AgentName {
        let is_there = |name: &&AgentName| self.catalog.usable().any(|agent| agent.name.key() == name.key());
        self.rules.coordinators().iter().find(is_there).cloned().unwrap_or(best)
    }

    /// The parts of a request in order, each with the agent for it; a single one where all are for the same.
    fn links(&self, route: &Route, best: &AgentName) -> Vec<(AgentName, String)> {
        let link = |part: &String| {
            let found = self.route(part, &Context::default());
            let agent = self.best(&found.fits).ok().flatten().unwrap_or_else(|| best.clone());
            (agent, part.clone())
        };
        let mut links: Vec<(AgentName, String)> = route.classified.parts.iter().map(link).collect();
        if links.iter().all(|(agent, _)| links.first().is_some_and(|(first, _)| first.key() == agent.key())) {
            links.truncate(1);
        }
        links
    }
}

fn candidate<'a>(agent: &'a AgentDefinition, successes: &[SuccessRow]) -> Candidate<'a> {
    let known = successes.iter().find(|row| row.agent.key() == agent.name.key());
    let past = known.map_or(Past::default(), |row| Past { succeeded: row.succeeded, failed: row.failed });
    Candidate {
        name: &agent.name,
        description: &agent.description,
        expertise: agent.expertise().collect(),
        body: &agent.system_prompt,
        past,
    }
}

/// That no agent is there for a request.
pub fn nobody_fits() -> Problem {
    Problem::new(Code::NobodyAsked, "no agent fits what is asked, and nothing is started")
}

/// The same run once more: done by these agents, in that order, of which there was one or one for each part.
///
/// # Errors
/// When there is neither.
pub fn again(agents: &[AgentName], parts: &[String]) -> Result<RunSpec, Problem> {
    match agents {
        [agent] => RunSpec::ask(agent),
        _ if agents.len() == parts.len() && !agents.is_empty() => {
            let links: Vec<_> = agents.iter().cloned().zip(parts.iter().cloned()).collect();
            chain(&links)
        }
        _ => Err(Problem::new(Code::RunIdTaken, "a run with that id was asked for something else")),
    }
}

/// The run in which agents do these parts one after the other, each with what those before it answered. One part is no chain.
///
/// # Errors
/// When an agent cannot be asked.
pub fn chain(links: &[(AgentName, String)]) -> Result<RunSpec, Problem> {
    if let [(agent, _)] = links {
        return RunSpec::ask(agent);
    }
    let mut steps: Vec<Value> = Vec::new();
    for (at, (agent, part)) in links.iter().enumerate() {
        // It is checked as one that is asked alone.
        RunSpec::ask(agent)?;
        let before = links.get(..at).unwrap_or_default();
        let earlier: Vec<Value> = (1..)
            .zip(before)
            .map(|(number, (agent, _))| json!({"agent": agent, "output": format!("{{{{ steps.{PART}{number}.output }}}}")}))
            .collect();
        let answers: Vec<String> = (1..)
            .zip(before)
            .map(|(number, (agent, _))| {
                format!(
                    "\n\n## What {agent} answered to part {number}\n\n{{{{ steps.{PART}{number}.output }}}}"
                )
            })
            .collect();
        let (number, all) = (at + 1, links.len());
        let prompt = format!(
            "{{{{ input.{QUERY} }}}}\n\n---\nOf this, part {number} of {all} is yours: {}{}",
            literal(part),
            answers.concat()
        );
        let with = json!({"query": format!("{{{{ input.{QUERY} }}}}"), "input": "{{ input }}", "part": literal(part), "earlier": earlier});
        let needs: Vec<String> = (1..=at).map(|number| format!("{PART}{number}")).collect();
        let does = json!({"agent": {"agent": agent, "with": with, "prompt": prompt}});
        steps.push(json!({"id": format!("{PART}{number}"), "needs": needs, "does": does}));
    }
    let definition = json!({
        "name": ASK,
        "input": {"type": "object", "required": [QUERY]},
        "steps": steps,
        "output": format!("{{{{ steps.{PART}{}.output }}}}", links.len()),
    });
    Ok(RunSpec::new(Workflow::Definition(Json::from(&definition))))
}

/// An expression whose value is that text, whatever braces are in it.
fn literal(text: &str) -> String {
    let quoted = Value::from(text).to_string().replace('{', "\\u007b").replace('}', "\\u007d");
    format!("{{{{ {quoted} }}}}")
}
