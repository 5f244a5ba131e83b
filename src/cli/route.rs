//! `reenact route "QUERY"`: where a request would go, and why. Nothing is recorded.

use std::path::Path;

use super::arguments::RouteArguments;
use super::see;
use super::text::{Text, name, terminal};
use super::{Exit, Scene};
use crate::api::folder::is_store;
use crate::api::protocol::{Request, Response};
use crate::api::routing::{Router, Told, check, rules};
use crate::api::wording::{Call, Worded};
use crate::events::problem::{Code, Problem, nearest};
use crate::events::run::{Category, Domain};
use crate::executors::discovery::Catalog;
use crate::text_file::{self, Kind};
use crate::views::projections::successes::SuccessRow;
use crate::workflow::routing::cases::{self, Hits, Score};
use crate::workflow::routing::{Context, Entity, Explained, Fit, Weighed};

/// How many misses are shown; `--json` has more.
const MISSES_SHOWN: usize = 20;

impl Worded for Told {
    fn word(&mut self, _: &Call) {}
}

impl Worded for Score {
    fn word(&mut self, _: &Call) {}
}

pub(super) async fn route(scene: &Scene, arguments: RouteArguments) -> Result<Exit, Problem> {
    let RouteArguments { query, context, explain, eval } = arguments;
    if let Some(file) = eval {
        return evaluate(scene, &file).await;
    }
    let query = query.unwrap_or_default();
    check(&query)?;
    let context = context_of(&context)?;
    let rules = rules(&scene.house.config, &scene.cwd)?;
    let Some(found) = agents(scene).await? else { return Ok(Exit::Interrupted) };
    let router = Router::new(&rules, &found.catalog, &found.successes)?;
    let shown = router.route(&query, &context).told(explain);
    scene.say.result(&shown, text);
    Ok(Exit::Good)
}

/// What is known beside a request.
fn context_of(said: &[String]) -> Result<Context, Problem> {
    let mut context = Context::default();
    for said in said {
        let bad = |message: String| Problem::new(Code::Usage, message);
        let pair =
            said.split_once('=').filter(|(key, value)| !key.trim().is_empty() && !value.trim().is_empty());
        let Some((key, value)) = pair else {
            let message = format!("`{said}` is no context");
            return Err(bad(message).hint("write it as --context key=value, as in --context domain=web"));
        };
        let unknown = |what: &str, words: &[&str]| {
            let problem = bad(format!("`{value}` is no {what}"));
            match nearest(value, words.iter().copied()) {
                Some(near) => problem.hint(format!("did you mean `{near}`?")),
                None => problem.hint(format!("it is one of {}", words.join(", "))),
            }
        };
        match key.trim() {
            "domain" => {
                let words: Vec<&str> = Domain::ALL.iter().map(|domain| domain.text()).collect();
                context.domain =
                    Some(Domain::from_text(value.trim()).ok_or_else(|| unknown("domain", &words))?);
            }
            "category" => {
                let words: Vec<&str> = Category::ALL.iter().map(|category| category.text()).collect();
                let category = Category::from_text(value.trim());
                context.category = Some(category.ok_or_else(|| unknown("category", &words))?);
            }
            _ => context.more.push(value.to_owned()),
        }
    }
    Ok(context)
}

/// The agents that there are, and how often they succeeded.
pub(super) struct Found {
    pub(super) catalog: Catalog,
    pub(super) successes: Vec<SuccessRow>,
}

/// Finds the agents; those of the program that holds the store are among them. None when a signal came.
pub(super) async fn agents(scene: &Scene) -> Result<Option<Found>, Problem> {
    let config = &scene.house.config;
    let has_store = is_store(&scene.house.data);
    let registered = if has_store { scene.house.agents_of_holder().await } else { Vec::new() };
    let catalog = config.catalog(&scene.cwd, &registered);
    if !has_store {
        return Ok(Some(Found { catalog, successes: Vec::new() }));
    }
    match see::answer(scene, &Request::Successes, &mut |_| {}).await? {
        None => Ok(None),
        Some(Response::Successes(successes)) => Ok(Some(Found { catalog, successes })),
        Some(other) => Err(other.mismatch()),
    }
}

/// Routes all requests of a file, and shows how many went right. Agents are looked at if a case names one.
async fn evaluate(scene: &Scene, file: &Path) -> Result<Exit, Problem> {
    let shown = file.display().to_string();
    let cases = cases::read(&text_file::read(&scene.cwd.join(file), &shown, Kind::Cases)?, &shown)?;
    let rules = rules(&scene.house.config, &scene.cwd)?;
    let found = if cases.iter().any(|case| case.agent.is_some()) {
        let Some(found) = agents(scene).await? else { return Ok(Exit::Interrupted) };
        Some(found)
    } else {
        None
    };
    let router =
        found.as_ref().map(|found| Router::new(&rules, &found.catalog, &found.successes)).transpose()?;
    let mut score = Score::default();
    for case in &cases {
        match &router {
            Some(router) => {
                let route = router.route(&case.query, &case.context);
                score.add(case, &route.classified, route.fits.first().map(|fit| &fit.name));
            }
            None => score.add(case, &rules.classify(&case.query, &case.context), None),
        }
    }
    scene.say.result(&score, |score| score_text(score, &shown));
    Ok(Exit::Good)
}

fn text(shown: &Told) -> Text {
    let Told { domain, category, complexity, confidence, strategy, .. } = shown;
    let mut lines = vec![
        terminal!("domain: {}", domain.text()),
        terminal!("category: {}", category.text()),
        terminal!("complexity: {} of 10", *complexity),
        terminal!("confidence: {} %", confidence.percent()),
        terminal!("strategy: {}", strategy.text()),
    ];
    for Entity { kind, text, .. } in &shown.entities {
        lines.push(terminal!("{}: {}", kind.text(), name(text)));
    }
    if shown.agents.is_empty() {
        lines.push(terminal!("agents: none fits; `reenact agents` shows who there is"));
    } else {
        lines.push(terminal!("agents:"));
        let width = shown.agents.iter().map(|fit| name(fit.name.as_str()).width()).max().unwrap_or(0);
        let fit = |fit: &Fit| {
            let why = fit.why.join("; ");
            terminal!("  {}  {}  {}", name(fit.name.as_str()).padded(width), fit.score.number(), why)
        };
        lines.extend(shown.agents.iter().map(fit));
    }
    if let Some(Explained { domains, categories, complexity }) = &shown.explained {
        lines.push(terminal!("told by:"));
        lines.extend(domains.iter().map(|weighed| told("domain", weighed.of.text(), weighed)));
        lines.extend(categories.iter().map(|weighed| told("category", weighed.of.text(), weighed)));
        lines.push(terminal!("  complexity 1: every request"));
        let counts = complexity.iter().filter(|counted| counted.points > 0);
        lines.extend(counts.map(|counted| {
            terminal!(
                "  complexity +{}: {}, by {}",
                counted.points,
                counted.indicator.text(),
                counted.by.join(", ")
            )
        }));
    }
    Text::lines(lines)
}

fn told<T>(what: &'static str, word: &'static str, weighed: &Weighed<T>) -> Text {
    terminal!("  {} {} {}: {}", what, word, weighed.weight, weighed.by.join(", "))
}

fn score_text(score: &Score, file: &str) -> Text {
    let of = |hits: &Hits| terminal!("{} of {} ({} %)", hits.hits, hits.of, hits.percent());
    let mut lines = vec![terminal!("{}: all of it right: {}", file, of(&score.all))];
    for (what, hits) in &score.totals {
        lines.push(terminal!("{}: {}", *what, of(hits)));
        let classes = score.classes.get(what).into_iter().flatten();
        lines.extend(classes.map(|(class, hits)| terminal!("  {}: {}", name(class), of(hits))));
    }
    for miss in score.misses.iter().take(MISSES_SHOWN) {
        let (expected, got) = (name(&miss.expected), name(&miss.got));
        lines.push(terminal!("line {}: {} {} in place of {}", miss.line, miss.what, got, expected));
    }
    if score.misses.len() > MISSES_SHOWN {
        lines.push(terminal!("and {} more", score.misses.len() - MISSES_SHOWN));
    }
    Text::lines(lines)
}
