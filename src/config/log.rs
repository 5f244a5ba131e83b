//! What is logged, where to, and as what.

use std::path::PathBuf;

use toml::Value;

use super::values::text;

/// What is logged, where to, and as what.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Log {
    /// From which level on: of everything, or module by module, as in `info,reenact::store=debug`.
    pub level: String,
    /// The shape of a line.
    pub format: LogFormat,
    /// The file that lines are added to; none for stderr. A relative path means the current folder.
    pub file: Option<PathBuf>,
}

/// The shape of a line of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// Words, for people.
    #[default]
    Text,
    /// An object of JSON, for programs.
    Json,
}

const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

impl Log {
    /// What is logged, said in one text: levels, each of everything or behind the module that it is for.
    ///
    /// # Errors
    /// What such a text takes, for people.
    pub fn levels(text: &str) -> Result<String, String> {
        let levels = text.split(',').map(|part| level(part.trim())).collect::<Option<Vec<_>>>();
        let takes = || {
            let levels = LEVELS.join(", ");
            format!("it is one of {levels}, or several for modules, as in `info,reenact::store=debug`")
        };
        levels.map(|levels| levels.join(",")).ok_or_else(takes)
    }
}

/// A level, which may stand behind a module and `=`; none if it is neither.
fn level(part: &str) -> Option<String> {
    let known = |level: &str| LEVELS.contains(&level).then(|| level.to_owned());
    let Some((module, level)) = part.split_once('=') else { return known(&part.to_lowercase()) };
    let is_name = |name: &str| {
        !name.is_empty() && name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
    };
    let level = known(&level.to_lowercase())?;
    module.split("::").all(is_name).then(|| format!("{module}={level}"))
}

pub(super) fn levels(value: &Value) -> Result<String, String> {
    Log::levels(text(value)?)
}

pub(super) fn format(value: &Value) -> Result<LogFormat, String> {
    match value.as_str() {
        Some("text") => Ok(LogFormat::Text),
        Some("json") => Ok(LogFormat::Json),
        _ => Err("it is \"text\" or \"json\"".to_owned()),
    }
}

/// A path; an empty one stands for none.
pub(super) fn file(value: &Value) -> Result<Option<PathBuf>, String> {
    text(value).map(|path| Some(PathBuf::from(path)).filter(|path| !path.as_os_str().is_empty()))
}
