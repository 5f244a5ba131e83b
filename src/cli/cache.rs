//! `reenact cache`: answers that are kept for steps with a `cache`, and taking them away.

use serde::Serialize;

use super::arguments::{CacheArguments, CacheVerb, ClearCacheArguments};
use super::see::{self, Exchange, Signals};
use super::text::{self, Text, name, terminal};
use super::{Exit, Scene};
use crate::api::folder::is_store;
use crate::api::new_command_id;
use crate::api::protocol::{CacheCleared, CacheWants, Frame, KeptAnswer, Request, Response};
use crate::api::user::user;
use crate::api::wording::Worded;
use crate::events::ids::{AgentName, Version};
use crate::events::problem::{Code, Problem};

/// The JSON that `cache list --json` prints.
#[derive(Clone, Serialize)]
struct Kept {
    answers: Vec<KeptAnswer>,
    bytes: u64,
    max_bytes: u64,
}

impl Worded for Kept {}

impl Worded for CacheCleared {}

pub(super) async fn cache(scene: &Scene, arguments: CacheArguments) -> Result<Exit, Problem> {
    match arguments.verb {
        CacheVerb::List => list(scene).await,
        CacheVerb::Clear(arguments) => clear(scene, arguments).await,
    }
}

async fn list(scene: &Scene) -> Result<Exit, Problem> {
    let mut answers: Vec<KeptAnswer> = Vec::new();
    if is_store(&scene.house.data) {
        let mut show = |frame| {
            if let Frame::Kept(kept) = frame {
                answers.push(*kept);
            }
        };
        if see::answer(scene, &Request::Cache(CacheWants::List), &mut show).await?.is_none() {
            return Ok(Exit::Interrupted);
        }
        // If its holder went in the middle, the next one was asked again and answered from the beginning.
        let mut known = std::collections::HashSet::new();
        answers.retain(|kept| known.insert((kept.run.clone(), kept.version)));
    }
    if answers.is_empty() && !scene.say.is_json() {
        scene.say.note(&terminal!("no answers are kept"));
        return Ok(Exit::Good);
    }
    let bytes = answers.iter().map(|kept| kept.size_bytes).sum();
    let kept = Kept { answers, bytes, max_bytes: scene.house.config.cache.max_bytes };
    scene.say.result(&kept, |kept| Text::lines(kept.answers.iter().map(line)));
    Ok(Exit::Good)
}

fn line(kept: &KeptAnswer) -> Text {
    let expires = match kept.expires {
        Some(at) => terminal!(", until {}", text::moment(at)),
        None => Text::default(),
    };
    let times = if kept.hits == 1 { "once".to_owned() } else { format!("{} times", kept.hits) };
    terminal!(
        "{}  {}  `{}` of {} at {}  {} bytes  since {}{}  taken {}",
        name(&kept.key),
        name(kept.agent.as_str()),
        kept.step,
        name(kept.run.as_str()),
        kept.version.0,
        kept.size_bytes,
        text::moment(kept.at),
        expires,
        times
    )
}

async fn clear(scene: &Scene, arguments: ClearCacheArguments) -> Result<Exit, Problem> {
    let ClearCacheArguments { agent, who } = arguments;
    let agent = agent.as_deref().map(AgentName::new);
    if let Some(agent) = &agent {
        agent.check().map_err(|error| Problem::new(Code::Usage, error.to_string()))?;
    }
    if !is_store(&scene.house.data) {
        // No data folder is made to take nothing away.
        told(scene, &CacheCleared { cleared: 0, version: Version(0) });
        return Ok(Exit::Good);
    }
    let by = who.by.unwrap_or_else(user).into();
    let request = Request::Cache(CacheWants::Clear { agent, by, id: Some(new_command_id()) });
    let mut signals = Signals::listen()?;
    let door = scene.open().await?;
    match see::ask(scene, door, &request, &mut signals, &mut |_| {}).await? {
        Exchange::Interrupted => Ok(Exit::Interrupted),
        Exchange::Response(Response::CacheCleared(cleared), door) => {
            told(scene, &cleared);
            see::leave(door, &mut signals).await?;
            Ok(Exit::Good)
        }
        Exchange::Response(other, _) => Err(other.mismatch()),
    }
}

fn told(scene: &Scene, cleared: &CacheCleared) {
    scene.say.result(cleared, |cleared| match cleared.cleared {
        1 => terminal!("1 answer is not taken any more"),
        count => terminal!("{} answers are not taken any more", count),
    });
}
