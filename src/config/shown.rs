//! The configuration as people look at it: each setting, and where its value comes from.

use std::ffi::OsString;

use serde_json::Value;

use super::layer::{self, Origin, Setting};
use super::{Config, DEFAULT, PROJECT_FILE, Sources, keys, values};
use crate::events::problem::Problem;
use crate::executors::mask::Masks;
use crate::text_file::{self, Kind};

/// What the defaults are called as the place of a setting.
pub const BY_DEFAULT: &str = "default";

/// The ends of names of keys whose values are most likely secrets, where somebody has put one into a file all the same.
const SECRET_ENDS: [&str; 4] = ["key", "token", "secret", "password"];

/// What stands in the place of a secret that has no name.
const HIDDEN: &str = "[hidden]";

/// A setting that holds.
#[derive(Debug, Clone, PartialEq)]
pub struct ShownSetting {
    /// Its key, with the sections that it is in: `store.cache`.
    pub key: String,
    /// Its value, as it was given; without what nobody is to be told.
    pub value: Value,
    /// The place where it stands: [`BY_DEFAULT`], a file and a line, or a variable of the environment.
    pub from: String,
    /// Whether it stands in the folder's own configuration, and names what is run or told.
    pub of_project: bool,
}

/// All settings that hold, by their keys.
///
/// # Errors
/// The same as those of [`Config::load`].
pub fn settings(sources: &Sources) -> Result<Vec<ShownSetting>, Problem> {
    let config = Config::load(sources)?;
    let environment = sources.env.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
    let masks = Masks::of_environment(environment, &config.secrets());
    let mut shown: Vec<ShownSetting> = Vec::new();
    let mut show = |settings: Vec<Setting>, layer: Layer| {
        for setting in settings {
            let key = keys::known_as(&setting.path);
            let of_project =
                layer == Layer::Project && keys::names_program(&setting.path, &setting.value).is_some();
            let from = if layer == Layer::Default { BY_DEFAULT.to_owned() } else { place(&setting.origin) };
            let known = shown.iter_mut().find(|known| known.key == key);
            let is_list = known.as_ref().is_some_and(|known| known.value.is_array());
            let value = masked(&key, as_json(setting.value, is_list), &masks);
            let setting = ShownSetting { key, value, from, of_project };
            match known {
                Some(known) => *known = setting,
                None => shown.push(setting),
            }
        }
    };
    show(layer::of_file(DEFAULT, BY_DEFAULT)?, Layer::Default);
    show(super::user_settings(sources)?, Layer::Own);
    let file = sources.cwd.join(PROJECT_FILE);
    if let Some(text) = text_file::read_if_there(&file, Kind::Configuration)? {
        show(layer::of_file(&text, &file.display().to_string())?, Layer::Project);
    }
    show(super::explicit_settings(sources)?, Layer::Own);
    show(layer::of_environment(&sources.env), Layer::Own);
    shown.sort_by(|one, other| one.key.cmp(&other.key));
    Ok(shown)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layer {
    Default,
    /// A file of the user's, or the environment.
    Own,
    /// What came with the folder.
    Project,
}

fn place(origin: &Origin) -> String {
    match origin {
        Origin::File { file, line, .. } => format!("{file}:{line}"),
        Origin::Variable(name) => format!("environment {name}"),
    }
}

/// A value as JSON. The environment may give a list as a text.
fn as_json(value: toml::Value, is_list: bool) -> Value {
    match (is_list, values::texts(&value)) {
        (true, Ok(texts)) => texts.into(),
        _ => serde_json::to_value(value).unwrap_or_default(),
    }
}

/// A value without secrets: those that programs are given, what looks like one, and all of an address but its host, as those
/// of many receivers hold a token.
fn masked(key: &str, value: Value, masks: &Masks) -> Value {
    let own = key.rsplit('.').next().unwrap_or(key);
    match value {
        Value::String(_) | Value::Number(_)
            if SECRET_ENDS.iter().any(|end| own.to_lowercase().ends_with(end)) =>
        {
            HIDDEN.into()
        }
        Value::String(text) if own == "url" => host_of(&masks.text(&text)).into(),
        Value::String(text) => masks.text(&text).into_owned().into(),
        Value::Array(items) => items.into_iter().map(|item| masked(key, item, masks)).collect(),
        Value::Object(members) => {
            let member = |(name, value): (String, Value)| {
                let value = masked(&name, value, masks);
                (name, value)
            };
            members.into_iter().map(member).collect()
        }
        other => other,
    }
}

/// An address without user, path and query.
fn host_of(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return HIDDEN.to_owned() };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let host = authority.rsplit('@').next().unwrap_or(authority);
    let path = if path.len() > 1 { format!("/{HIDDEN}") } else { path.to_owned() };
    format!("{scheme}://{host}{path}")
}
