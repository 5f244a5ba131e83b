//! The models and providers that are configured, and which of them an agent means.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::price::Prices;
use crate::events::problem::{Code, Problem, nearest};
use crate::executors::AgentDefinition;

/// The word by which an agent says that any model will do: that of the run.
pub const INHERIT: &str = "inherit";

/// The key of an agent that names its model.
pub(in crate::executors) const MODEL: &str = "model";

/// The key of an agent that names a provider, where its model is asked at another than its own.
pub(in crate::executors) const PROVIDER: &str = "provider";

/// The models that can be asked, and how.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Models {
    /// The model of agents that name none, by its name or an alias.
    pub default_model: Option<String>,
    /// The provider at which all models are asked, where a person says so; none for that of each model.
    pub provider: Option<String>,
    /// The providers, by name.
    pub providers: BTreeMap<String, Provider>,
    /// The models, by name.
    pub models: BTreeMap<String, Model>,
    /// The bounds of every call.
    pub bounds: Bounds,
}

/// Somebody who answers for models.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Provider {
    /// The format of what is said; none until it is set.
    pub wire: Option<WireFormat>,
    /// The address below which its paths are, without a slash at the end; empty until it is set.
    pub base_url: String,
    /// The environment variable that holds the key; none where none is needed.
    pub api_key_env: Option<String>,
}

/// The formats in which models are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WireFormat {
    /// Chat Completions, as many servers have them.
    OpenAi,
    /// Messages.
    Anthropic,
}

impl WireFormat {
    /// Every format.
    pub const ALL: [Self; 2] = [Self::OpenAi, Self::Anthropic];

    /// The word for it in the configuration.
    pub const fn text(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Anthropic => "anthropic",
        }
    }
}

/// A model that can be asked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Model {
    /// The name of who answers for it; empty until it is set.
    pub provider: String,
    /// The model as its provider calls it; none for its name.
    pub id: Option<String>,
    /// Other names of it.
    pub aliases: Vec<String>,
    /// How many tokens of a conversation it can see, if that is said.
    pub window: Option<u32>,
    /// How many tokens an answer may have at most, if that is said.
    pub max_output: Option<u32>,
    /// What its tokens cost.
    pub prices: Prices,
}

/// The bounds of calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bounds {
    /// How long a connection may take.
    pub connect: Duration,
    /// How long until an answer begins.
    pub first: Duration,
    /// How long nothing of an answer may come once it has begun.
    pub idle: Duration,
    /// How long a call may take.
    pub total: Duration,
    /// How many bytes an answer may have on its way.
    pub answer_bytes_max: usize,
    /// How often a model is asked to mend an answer that does not fit its step's schema.
    pub repairs: u32,
    /// After how many calls that failed one after the other a provider is left alone for a while; 0 for never.
    pub breaker_failures: u32,
    /// For how long.
    pub breaker_pause: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            first: Duration::from_secs(120),
            idle: Duration::from_secs(60),
            total: Duration::from_secs(600),
            answer_bytes_max: 8 * 1024 * 1024,
            repairs: 2,
            breaker_failures: 5,
            breaker_pause: Duration::from_secs(30),
        }
    }
}

/// A model with who answers for it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Chosen<'a> {
    /// The name of the model.
    pub name: &'a str,
    /// The model itself.
    pub model: &'a Model,
    /// The name of the provider that is asked.
    pub provider_name: &'a str,
    /// That provider.
    pub provider: &'a Provider,
    /// The format in which it is asked.
    pub wire: WireFormat,
}

impl Chosen<'_> {
    /// The model as its provider calls it.
    pub fn id(&self) -> &str {
        self.model.id.as_deref().unwrap_or(self.name)
    }
}

impl Models {
    /// Checks what several layers of the configuration have said together.
    ///
    /// # Errors
    /// [`Code::BadConfig`] for what is missing, or names what is not there.
    pub fn check(&self) -> Result<(), Problem> {
        let bad = |message: String| Err(Problem::new(Code::BadConfig, message));
        for (name, provider) in &self.providers {
            if provider.wire.is_none() {
                return bad(format!("`providers.{name}` has no `kind`, which is `openai` or `anthropic`"));
            }
            if provider.base_url.is_empty() {
                return bad(format!("`providers.{name}` has no `base_url`"));
            }
        }
        let mut names: BTreeMap<&str, &str> = BTreeMap::new();
        for (name, model) in &self.models {
            if model.provider.is_empty() {
                return bad(format!("`models.{name}` has no `provider`"));
            }
            self.provider(&model.provider).map_err(|problem| {
                let message = format!("`models.{name}.provider`: {}", problem.message);
                Problem { code: Code::BadConfig, message, ..problem }
            })?;
            model.prices.check().map_err(|lacks| {
                let message = format!("`models.{name}` has no `price.{lacks}`: what is spent would not be known");
                Problem::new(Code::BadConfig, message)
                    .hint("give it in USD per million tokens, as in `price = { input = 0.15, output = 0.60 }`; 0 where it costs nothing")
            })?;
            for alias in std::iter::once(name).chain(&model.aliases) {
                if let Some(other) = names.insert(alias, name).filter(|other| other != name) {
                    return bad(format!("`{alias}` is a name of the models `{other}` and `{name}`"));
                }
            }
        }
        Ok(())
    }

    /// Which model an agent means, and who is asked.
    ///
    /// # Errors
    /// [`Code::NoModel`] if nothing says, [`Code::UnknownModel`] or [`Code::UnknownProvider`] with the nearest name.
    pub fn choose(&self, agent: &AgentDefinition) -> Result<Chosen<'_>, Problem> {
        let said = |key: &str| agent.settings.get(key).and_then(Value::as_str);
        let wanted = said(MODEL).filter(|name| *name != INHERIT).or(self.default_model.as_deref());
        let wanted = wanted.ok_or_else(|| {
            let message = format!("agent `{}` asks a model, and nothing says which", agent.name);
            Problem::new(Code::NoModel, message)
        })?;
        let (name, model) = self.model(wanted).map_err(|problem| {
            let message = format!("agent `{}`: {}", agent.name, problem.message);
            Problem { message, ..problem }
        })?;
        let provider = self.provider.as_deref().or(said(PROVIDER)).unwrap_or(&model.provider);
        let (provider_name, provider) = self.provider(provider)?;
        let wire = provider.wire.ok_or_else(|| {
            Problem::new(Code::BadConfig, format!("`providers.{provider_name}` has no `kind`"))
        })?;
        Ok(Chosen { name, model, provider_name, provider, wire })
    }

    /// Names in an agent's definition the model that it means, as that is called, and who is asked; or why it can do no step.
    pub(in crate::executors) fn name_in(&self, agent: &mut AgentDefinition) {
        let (name, provider) = match self.choose(agent) {
            Ok(chosen) => (Value::from(chosen.name), Value::from(chosen.provider_name)),
            Err(problem) => {
                agent.lacking = Some(Box::new(problem));
                return;
            }
        };
        agent.settings.insert(MODEL.to_owned(), name);
        // Without a word of somebody's it is asked where it is by then.
        if self.provider.is_some() || agent.settings.contains_key(PROVIDER) {
            agent.settings.insert(PROVIDER.to_owned(), provider);
        }
    }

    /// The model of that name or alias.
    ///
    /// # Errors
    /// [`Code::UnknownModel`].
    pub fn model(&self, wanted: &str) -> Result<(&str, &Model), Problem> {
        let is_it = |(name, model): &(&String, &Model)| {
            *name == wanted || model.aliases.iter().any(|alias| alias == wanted)
        };
        let found = self.models.iter().find(is_it).map(|(name, model)| (name.as_str(), model));
        found.ok_or_else(|| {
            let names =
                self.models.iter().flat_map(|(name, model)| std::iter::once(name).chain(&model.aliases));
            let problem = Problem::new(Code::UnknownModel, format!("no model is called `{wanted}`"));
            hinted(problem, wanted, names)
        })
    }

    fn provider(&self, wanted: &str) -> Result<(&str, &Provider), Problem> {
        self.providers.get_key_value(wanted).map(|(name, provider)| (name.as_str(), provider)).ok_or_else(
            || {
                let problem =
                    Problem::new(Code::UnknownProvider, format!("no provider is called `{wanted}`"));
                hinted(problem, wanted, self.providers.keys())
            },
        )
    }

    /// Asks all models at one provider, whatever they say themselves.
    ///
    /// # Errors
    /// [`Code::UnknownProvider`].
    pub fn ask_all_at(&mut self, provider: &str) -> Result<(), Problem> {
        self.provider(provider)?;
        self.provider = Some(provider.to_owned());
        Ok(())
    }

    /// The variables that hold keys.
    pub fn key_variables(&self) -> impl Iterator<Item = &str> {
        self.providers.values().filter_map(|provider| provider.api_key_env.as_deref())
    }
}

fn hinted<'a>(problem: Problem, wanted: &str, names: impl Iterator<Item = &'a String>) -> Problem {
    match nearest(wanted, names.map(String::as_str)) {
        Some(near) => problem.hint(format!("did you mean `{near}`?")),
        None => problem,
    }
}

/// The key of a provider, which is shown nowhere.
#[derive(Clone)]
pub struct Key(Arc<str>);

impl Key {
    /// The key of a provider as this process's environment has it; none where it needs none.
    ///
    /// # Errors
    /// [`Code::KeyMissing`] if the variable is not set, or holds no text.
    pub fn of(name: &str, provider: &Provider) -> Result<Option<Self>, Problem> {
        let Some(variable) = &provider.api_key_env else { return Ok(None) };
        let value = std::env::var(variable).ok().map(|value| value.trim().to_owned());
        let value = value.filter(|value| !value.is_empty() && !value.contains(char::is_control));
        let key = value.ok_or_else(|| {
            let message =
                format!("the environment variable `{variable}` holds no key of the provider `{name}`");
            Problem::new(Code::KeyMissing, message)
        })?;
        Ok(Some(Self(key.into())))
    }

    /// The key itself, for the request that it goes with.
    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key")
    }
}

#[cfg(test)]
mod tests;
