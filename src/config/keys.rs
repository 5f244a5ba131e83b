//! Every key of the configuration, and what it takes.

use std::path::PathBuf;

use toml::Value;

use super::models::{self, Refused};
use super::notify::notices;
use super::values::{
    KIB, agent, any_length, bytes, command, decimal, durability, flag, inside, length, number, path, points,
    policy, positive, program, text, texts,
};
use super::{Config, Conversation, log};
use crate::events::ids::AgentName;
use crate::events::limits::{WINDOW_KEEP_LAST_MAX, WINDOW_TOKENS_MAX, WINDOW_TOKENS_MIN};
use crate::events::problem::{Code, Problem, nearest};
use crate::executors::AgentDefinition;
use crate::executors::discovery::set_from_config;
use crate::workflow::definition::{Retry, RetryPolicy};
use crate::workflow::parse::{PartialRetry, StepDefaults};

/// A key, and how its value is put into the configuration. An error says what the key takes.
type Key = (&'static str, fn(&mut Config, &Value) -> Result<(), String>);

const KEYS: &[Key] = &[
    ("agent_paths", |config, value| {
        texts(value).map(|paths| config.agent_paths = paths.into_iter().map(PathBuf::from).collect())
    }),
    ("default_model", |config, value| {
        let name = text(value)?.trim();
        config.models.default_model = Some(name.to_owned()).filter(|name| !name.is_empty());
        Ok(())
    }),
    ("default_agent", |config, value| agent(value).map(|agent| config.default_agent = agent)),
    ("store.durability", |config, value| {
        durability(value).map(|durability| config.store.durability = durability)
    }),
    ("store.cache", |config, value| {
        bytes(value, KIB * KIB..=1024 * KIB * KIB * KIB).map(|bytes| config.store.cache_bytes = bytes)
    }),
    ("run.parallel", |config, value| number(value, 1..=100_000).map(|number| config.run.parallel = number)),
    ("run.lost", |config, value| number(value, 1..=100_000).map(|number| config.run.lost = number)),
    ("run.max_fallback_attempts", |config, value| {
        number(value, 1..=100).map(|number| config.run.max_fallback_attempts = number)
    }),
    ("run.fail_if_critical_skipped", |config, value| {
        flag(value).map(|flag| config.run.fail_if_critical_skipped = flag)
    }),
    ("run.warn_on_fallback", |config, value| flag(value).map(|flag| config.run.warn_on_fallback = flag)),
    ("growth.depth", |config, value| number(value, 1..=100).map(|number| config.growth.depth = number)),
    ("growth.width", |config, value| number(value, 1..=10_000).map(|number| config.growth.width = number)),
    ("growth.total", |config, value| number(value, 0..=1_000_000).map(|number| config.growth.total = number)),
    ("growth.items", |config, value| number(value, 0..=1_000_000).map(|number| config.growth.items = number)),
    ("growth.handoffs_max", |config, value| {
        number(value, 0..=1_000).map(|number| config.growth.handoffs_max = number)
    }),
    ("stuck.answers", |config, value| number(value, 0..=1_000).map(|number| config.stuck.answers = number)),
    ("stuck.handoffs", |config, value| number(value, 0..=1_000).map(|number| config.stuck.handoffs = number)),
    ("stuck.time", |config, value| any_length(value).map(|length| config.stuck.time = length)),
    ("stuck.manager", |config, value| agent(value).map(|agent| config.stuck.manager = agent)),
    ("routing.rules", |config, value| path(value).map(|path| config.routing.rules = path)),
    ("goal.manager", |config, value| agent(value).map(|agent| config.goal.manager = agent)),
    ("team.path", |config, value| inside(value).map(|path| config.team.path = path)),
    ("conversation.window", |config, value| {
        let tokens = number(value, WINDOW_TOKENS_MIN..=WINDOW_TOKENS_MAX)?;
        config.conversation.window = tokens;
        Ok(())
    }),
    ("conversation.compress_at", |config, value| {
        decimal(value, 0.01..=1.0).map(|share| config.conversation.compress_at = share)
    }),
    ("conversation.target", |config, value| {
        decimal(value, 0.01..=1.0).map(|share| config.conversation.target = share)
    }),
    ("conversation.summary", |config, value| {
        decimal(value, 0.0..=1.0).map(|share| config.conversation.summary = share)
    }),
    ("conversation.keep_last", |config, value| {
        number(value, 1..=WINDOW_KEEP_LAST_MAX).map(|number| config.conversation.keep_last = number)
    }),
    ("approvals.checklist", |config, value| points(value).map(|points| config.approvals.checklist = points)),
    ("approvals.check", |config, value| program(value).map(|words| config.approvals.check = words)),
    ("process.environment", |config, value| texts(value).map(|names| config.process.environment = names)),
    ("process.secrets", |config, value| texts(value).map(|names| config.process.secrets = names)),
    ("process.grace", |config, value| length(value).map(|length| config.process.grace = length)),
    ("process.output_max", |config, value| {
        let bytes = bytes(value, KIB..=KIB * KIB * KIB)?;
        config.process.output_bytes_max =
            usize::try_from(bytes).map_err(|_| "too large for this machine".to_owned())?;
        Ok(())
    }),
    ("llm.connect", |config, value| length(value).map(|length| config.models.bounds.connect = length)),
    ("llm.first", |config, value| length(value).map(|length| config.models.bounds.first = length)),
    ("llm.idle", |config, value| length(value).map(|length| config.models.bounds.idle = length)),
    ("llm.total", |config, value| length(value).map(|length| config.models.bounds.total = length)),
    ("llm.answer_max", |config, value| {
        let bytes = bytes(value, KIB..=KIB * KIB * KIB)?;
        config.models.bounds.answer_bytes_max =
            usize::try_from(bytes).map_err(|_| "too large for this machine".to_owned())?;
        Ok(())
    }),
    ("llm.repairs", |config, value| {
        number(value, 0..=100).map(|number| config.models.bounds.repairs = number)
    }),
    ("llm.breaker_failures", |config, value| {
        number(value, 0..=1_000).map(|number| config.models.bounds.breaker_failures = number)
    }),
    ("llm.breaker_pause", |config, value| {
        length(value).map(|length| config.models.bounds.breaker_pause = length)
    }),
    ("tools.test", |config, value| command(value).map(|command| config.tools.test = command)),
    ("tools.private_addresses", |config, value| {
        flag(value).map(|flag| config.tools.private_addresses = flag)
    }),
    ("expressions.env", |config, value| texts(value).map(|names| config.expressions.env = names)),
    ("shutdown.grace", |config, value| length(value).map(|length| config.shutdown.grace = length)),
    ("actors.arbiters", |config, value| {
        number(value, 0..=1024).map(|number| config.actors.arbiters = number as usize)
    }),
    ("actors.passivate_after", |config, value| {
        length(value).map(|length| config.actors.passivate_after = length)
    }),
    ("cache.max_bytes", |config, value| {
        bytes(value, 0..=1024 * KIB * KIB * KIB).map(|bytes| config.cache.max_bytes = bytes)
    }),
    ("notify", |config, value| notices(value).map(|notices| config.notify = notices)),
    ("log.level", |config, value| log::levels(value).map(|levels| config.log.level = levels)),
    ("log.format", |config, value| log::format(value).map(|format| config.log.format = format)),
    ("log.file", |config, value| log::file(value).map(|file| config.log.file = file)),
];

/// The keys of what applies to steps whose file does not say. None is set by default.
const STEP_DEFAULTS: &[Key] = &[
    ("defaults.timeout", |config, value| {
        positive(value).map(|length| config.defaults.timeout = Some(length))
    }),
    ("defaults.retry.policy", |config, value| {
        policy(value).map(|policy| retry(config).policy = Some(policy))
    }),
    ("defaults.retry.attempts", |config, value| {
        number(value, 1..=100_000).map(|number| retry(config).attempts = Some(number))
    }),
    ("defaults.retry.initial", |config, value| {
        any_length(value).map(|length| retry(config).initial = Some(length))
    }),
    ("defaults.retry.max", |config, value| any_length(value).map(|length| retry(config).max = Some(length))),
    ("defaults.retry.multiplier", |config, value| {
        decimal(value, 1.0..=1000.0).map(|number| retry(config).multiplier = Some(number))
    }),
    ("defaults.retry.jitter", |config, value| {
        decimal(value, 0.0..=1.0).map(|number| retry(config).jitter = Some(number))
    }),
];

fn retry(config: &mut Config) -> &mut PartialRetry {
    config.defaults.retry.get_or_insert_default()
}

/// Checks values that several layers may have set together.
///
/// # Errors
/// [`Code::BadConfig`], without the place in a file.
pub(super) fn check_defaults(defaults: &StepDefaults) -> Result<(), Problem> {
    let Some(said) = &defaults.retry else { return Ok(()) };
    let built_in = Retry::default();
    let bad = |message: &str| Err(Problem::new(Code::BadConfig, message));
    if said.policy == Some(RetryPolicy::None) && said.attempts.is_some_and(|attempts| attempts > 1) {
        return bad(
            "`defaults.retry.policy` is \"none\", which is one attempt, and `defaults.retry.attempts` says more",
        );
    }
    if said.max.unwrap_or(built_in.max) < said.initial.unwrap_or(built_in.initial) {
        return bad(
            "`defaults.retry.max` is shorter than `defaults.retry.initial`, and no delay is longer than `max`",
        );
    }
    Ok(())
}

/// The same, of how much of a conversation is at hand.
///
/// # Errors
/// [`Code::BadConfig`], without the place in a file.
pub(super) fn check_conversation(said: &Conversation) -> Result<(), Problem> {
    let bad = |message: &str| Err(Problem::new(Code::BadConfig, message));
    if said.target > said.compress_at {
        return bad(
            "`conversation.target` is more than `conversation.compress_at`, and compressing leaves less",
        );
    }
    if said.summary > said.target {
        return bad("`conversation.summary` is more than `conversation.target`, of which it is a part");
    }
    Ok(())
}

/// The names of all keys that have a default.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    KEYS.iter().map(|(name, _)| *name)
}

/// Whether there are keys below this path.
pub(super) fn is_section(path: &[String]) -> bool {
    match path {
        [agents] if agents == "agents" => true,
        [agents, _] if agents == "agents" => true,
        path if models::is_section(path) => true,
        path => {
            let above = format!("{}.", path.join("."));
            KEYS.iter().chain(STEP_DEFAULTS).any(|(key, _)| key.starts_with(&above))
        }
    }
}

/// Sets one key of the configuration.
///
/// # Errors
/// [`Code::BadConfig`], without the place.
pub(super) fn set(config: &mut Config, path: &[String], value: Value) -> Result<(), Problem> {
    if let [agents, name, key] = path
        && agents == "agents"
    {
        return set_agent(config, name, key, value);
    }
    let name = path.join(".");
    match models::set(&mut config.models, path, &value) {
        Ok(true) => return Ok(()),
        Ok(false) => {}
        Err(Refused::Unknown(near)) => {
            let problem = Problem::new(Code::BadConfig, format!("unknown key `{name}`"));
            return Err(match near {
                Some(near) => problem.hint(format!("did you mean `{near}`?")),
                None => problem,
            });
        }
        Err(Refused::Value(takes)) => return Err(not_taken(&name, &value, &takes)),
    }
    match KEYS.iter().chain(STEP_DEFAULTS).find(|(key, _)| *key == name) {
        Some((_, put)) => put(config, &value).map_err(|takes| not_taken(&name, &value, &takes)),
        None if is_section(path) => {
            let message = format!("`{name}` is a section: its keys stand below `[{name}]`");
            Err(Problem::new(Code::BadConfig, message))
        }
        None => Err(unknown(&name)),
    }
}

/// The name of a key in messages: names of agents are in their one spelling.
pub(super) fn known_as(path: &[String]) -> String {
    match path {
        [agents, name, key] if agents == "agents" => format!("agents.{}.{key}", AgentName::new(name).key()),
        path => path.join("."),
    }
}

/// The name of the key, if its value names programs, addresses to which something is sent, or a file that is written.
pub(super) fn names_program(path: &[String], value: &Value) -> Option<String> {
    let name = known_as(path);
    let is_one = match path {
        [agents, _, key] if agents == "agents" => key == "command",
        path if models::names_receiver(path) => true,
        _ => matches!(name.as_str(), "notify" | "approvals.check" | "log.file" | "tools.test"),
    };
    let is_none = value.as_array().is_some_and(Vec::is_empty) || value.as_str().is_some_and(str::is_empty);
    (is_one && !is_none).then_some(name)
}

fn not_taken(name: &str, value: &Value, takes: &str) -> Problem {
    if name.ends_with(".base_url") {
        // Whoever puts a password into an address does not want it told.
        return Problem::new(Code::BadConfig, format!("`{name}` is none that is taken: {takes}"));
    }
    Problem::new(Code::BadConfig, format!("`{name}` is {}: {takes}", shown(value)))
}

/// The problem with an unknown key: most often the key or its section is misspelt; otherwise
/// the section is missing.
fn unknown(name: &str) -> Problem {
    let own = |key: &'static str| key.rsplit_once('.').map_or(key, |(_, own)| own);
    let names = || names().chain(STEP_DEFAULTS.iter().map(|(key, _)| *key));
    let sections = names().filter_map(|key| key.rsplit_once('.')).map(|(section, _)| section);
    let near = nearest(name, names().chain(sections)).or_else(|| names().find(|key| own(key) == name));
    let problem = Problem::new(Code::BadConfig, format!("unknown key `{name}`"));
    match near {
        Some(near) => problem.hint(format!("did you mean `{near}`?")),
        None => problem,
    }
}

/// Sets a key of `[agents.NAME]`, checked on an agent of which nothing else is known. Two
/// spellings are one agent.
fn set_agent(config: &mut Config, name: &str, key: &str, value: Value) -> Result<(), Problem> {
    let agent = AgentName::new(name);
    set_from_config(&mut AgentDefinition::named(agent.clone()), &agent, key, &value)?;
    let known = config.agents.keys().find(|known| AgentName::new(known).key() == agent.key()).cloned();
    config.agents.entry(known.unwrap_or_else(|| name.to_owned())).or_default().insert(key.to_owned(), value);
    Ok(())
}

/// A value as a message quotes it: cut if it is long.
fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(60) {
        Some((at, _)) => format!("`{}…`", text.get(..at).unwrap_or_default()),
        None => format!("`{text}`"),
    }
}
