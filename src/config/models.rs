//! The keys of models and of those who answer for them: `[providers.NAME]` and `[models.NAME]`.

use toml::Value;

use super::values::{decimal, number, text, texts};
use crate::events::problem::nearest;
use crate::executors::llm::models::{Models, WireFormat};
use crate::executors::llm::price;

const PROVIDERS: &str = "providers";
const MODELS: &str = "models";
const PRICE: &str = "price";

/// The keys of `[providers.NAME]`.
const OF_PROVIDER: [&str; 3] = ["kind", "base_url", "api_key_env"];

/// The keys of `[models.NAME]`, and of its `price`.
const OF_MODEL: [&str; 6] = ["provider", "id", "aliases", "window", "max_output", PRICE];
const OF_PRICE: [&str; 3] = ["input", "output", "cached"];

/// The longest name of a model or a provider, in bytes: it stands in every event of a call.
const NAME_BYTES_MAX: usize = 100;

/// The largest window and the longest answer, in tokens.
const TOKENS_MAX: u32 = 100_000_000;

/// Why a key cannot be set.
pub(super) enum Refused {
    /// There is no such key; perhaps another is meant.
    Unknown(Option<String>),
    /// It does not take that value: what it takes, in words.
    Value(String),
}

/// Whether there are keys below this path.
pub(super) fn is_section(path: &[String]) -> bool {
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    matches!(path.as_slice(), [PROVIDERS | MODELS] | [PROVIDERS | MODELS, _] | [MODELS, _, PRICE])
}

/// Whether a key says to whom a key of somebody's account is sent, or which.
pub(super) fn names_receiver(path: &[String]) -> bool {
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    matches!(path.as_slice(), [PROVIDERS, _, "base_url" | "api_key_env"])
}

/// Sets a key, if it is one of these; answers whether it is.
///
/// # Errors
/// Why it cannot be set.
pub(super) fn set(models: &mut Models, path: &[String], value: &Value) -> Result<bool, Refused> {
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    let takes = match path.as_slice() {
        [PROVIDERS, name, key] => name_of(name).and_then(|()| provider(models, name, key, value)),
        [MODELS, name, PRICE, key] => name_of(name).and_then(|()| price(models, name, key, value)),
        [MODELS, name, key] => name_of(name).and_then(|()| model(models, name, key, value)),
        _ => return Ok(false),
    };
    takes.map(|()| true)
}

fn name_of(name: &str) -> Result<(), Refused> {
    let fits = !name.is_empty() && name.len() <= NAME_BYTES_MAX && !name.contains(char::is_control);
    match fits {
        true => Ok(()),
        false => {
            Err(Refused::Value(format!("its name is a text of one line and at most {NAME_BYTES_MAX} bytes")))
        }
    }
}

fn provider(models: &mut Models, name: &str, key: &str, value: &Value) -> Result<(), Refused> {
    let provider = models.providers.entry(name.to_owned()).or_default();
    match key {
        "kind" => {
            let kind = WireFormat::ALL.into_iter().find(|kind| value.as_str() == Some(kind.text()));
            let kind = kind.ok_or_else(|| Refused::Value("it is \"openai\" or \"anthropic\"".to_owned()))?;
            provider.wire = Some(kind);
        }
        "base_url" => provider.base_url = address(value)?,
        "api_key_env" => {
            let name = some(text(value))?;
            provider.api_key_env = Some(name).filter(|name| !name.is_empty());
        }
        _ => return Err(unknown(&format!("{PROVIDERS}.{name}"), key, &OF_PROVIDER)),
    }
    Ok(())
}

fn model(models: &mut Models, name: &str, key: &str, value: &Value) -> Result<(), Refused> {
    let model = models.models.entry(name.to_owned()).or_default();
    match key {
        "provider" => model.provider = filled(value)?,
        "id" => model.id = Some(filled(value)?),
        "aliases" => model.aliases = texts(value).map_err(Refused::Value)?,
        "window" => model.window = Some(number(value, 1..=TOKENS_MAX).map_err(Refused::Value)?),
        "max_output" => model.max_output = Some(number(value, 1..=TOKENS_MAX).map_err(Refused::Value)?),
        PRICE => return Err(Refused::Value("give it as `{ input = 0.15, output = 0.60 }`".to_owned())),
        _ => return Err(unknown(&format!("{MODELS}.{name}"), key, &OF_MODEL)),
    }
    Ok(())
}

fn price(models: &mut Models, name: &str, key: &str, value: &Value) -> Result<(), Refused> {
    let prices = &mut models.models.entry(name.to_owned()).or_default().prices;
    let price = || {
        let usd = decimal(value, 0.0..=price::USD_PER_MILLION_MAX);
        let usd = usd.map_err(|why| format!("{why}, in USD per million tokens"))?;
        price::of_usd(usd)
    };
    match key {
        "input" => prices.input = Some(price().map_err(Refused::Value)?),
        "output" => prices.output = Some(price().map_err(Refused::Value)?),
        "cached" => prices.cached = Some(price().map_err(Refused::Value)?),
        _ => return Err(unknown(&format!("{MODELS}.{name}.{PRICE}"), key, &OF_PRICE)),
    }
    Ok(())
}

fn unknown(section: &str, key: &str, known: &[&str]) -> Refused {
    Refused::Unknown(nearest(key, known.iter().copied()).map(|near| format!("{section}.{near}")))
}

fn some(text: Result<&str, String>) -> Result<String, Refused> {
    text.map(|text| text.trim().to_owned()).map_err(Refused::Value)
}

fn filled(value: &Value) -> Result<String, Refused> {
    let text = some(text(value))?;
    if text.is_empty() { Err(Refused::Value("give it a text".to_owned())) } else { Ok(text) }
}

/// An address below which others are. A secret has no place in it: it is shown.
fn address(value: &Value) -> Result<String, Refused> {
    let text = some(text(value))?;
    let takes = || {
        let what =
            "give it an address like \"https://api.example.org/v1\", without a user, a query or a fragment";
        Refused::Value(what.to_owned())
    };
    let url = reqwest::Url::parse(&text).map_err(|_| takes())?;
    let is_plain = url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none()
        && url.host().is_some();
    match ["http", "https"].contains(&url.scheme()) && is_plain {
        true => Ok(text.trim_end_matches('/').to_owned()),
        false => Err(takes()),
    }
}
