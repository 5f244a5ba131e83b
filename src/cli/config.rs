//! `reenact config show`: each setting, and where its value comes from.

use std::path::Path;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::arguments::{ConfigArguments, ConfigVerb};
use super::text::{Text, terminal};
use super::{Exit, Scene};
use crate::api::wording::Worded;
use crate::config::shown::{ShownSetting, settings};
use crate::events::problem::Problem;

/// How the level of the log is called among the settings.
const LOG_LEVEL: &str = "log.level";

/// The JSON that `config show --json` prints: an object for each setting, by its key.
#[derive(Clone, Serialize)]
#[serde(transparent)]
struct Shown(Map<String, Value>);

impl Worded for Shown {}

pub(super) fn config(scene: &Scene, arguments: &ConfigArguments) -> Result<Exit, Problem> {
    match arguments.verb {
        ConfigVerb::Show => show(scene),
    }
}

fn show(scene: &Scene) -> Result<Exit, Problem> {
    let mut all = settings(&scene.sources)?;
    let untrusted = scene.untrusted();
    for setting in &mut all {
        if setting.key == LOG_LEVEL && scene.log_is_named {
            setting.value = scene.house.config.log.level.as_str().into();
            "--log".clone_into(&mut setting.from);
        }
        if setting.of_project && untrusted.is_some() {
            setting.from.push_str(", not trusted");
        }
    }
    let shown = Shown(all.iter().map(entry).collect());
    scene.say.result(&shown, |_| lines(&all, &scene.cwd));
    if let Some(problem) = untrusted {
        scene.say.warnings(&[problem]);
    }
    Ok(Exit::Good)
}

fn entry(setting: &ShownSetting) -> (String, Value) {
    (setting.key.clone(), json!({ "value": setting.value, "from": setting.from }))
}

/// The settings in columns. A value that is longer than most does not widen all of them.
fn lines(all: &[ShownSetting], here: &Path) -> Text {
    const VALUE_WIDTH_MAX: usize = 48;
    let here = format!("{}/", here.display());
    let rows: Vec<_> = all
        .iter()
        .map(|setting| (&setting.key, setting.value.to_string(), setting.from.trim_start_matches(&here)))
        .collect();
    let widest = |widths: &mut dyn Iterator<Item = usize>| widths.max().unwrap_or(0);
    let key = widest(&mut rows.iter().map(|(key, ..)| key.chars().count()));
    let value = widest(&mut rows.iter().map(|(_, value, _)| value.chars().count())).min(VALUE_WIDTH_MAX);
    Text::lines(rows.into_iter().map(|(name, shown, from)| {
        terminal!("{}  {}  {}", terminal!("{}", name).padded(key), terminal!("{}", shown).padded(value), from)
    }))
}
