//! Folders and ids that stand in what is asked and answered, and are others the next time. A cassette has a word in their place, so
//! that it can be committed, and replayed wherever it was checked out.

use uuid::Uuid;

use crate::executors::Task;

/// What stands for the folder that relative paths mean.
const WORK_FOLDER: &str = "{{reenact:work_folder}}";

/// What stands for the id of the run that asks.
const RUN: &str = "{{reenact:run}}";

/// What stands for the id of the run that was started, where that one asks whose child it is.
const ROOT: &str = "{{reenact:root}}";

/// What stands for what.
#[derive(Debug, Clone)]
pub(super) struct Portable {
    /// What it is this time, as it is written in a text of JSON, with the word for it.
    pairs: Vec<(String, &'static str)>,
}

impl Portable {
    /// That of an attempt, in a recording or a replay of that name.
    pub(super) fn of(task: &Task, take: &str) -> Self {
        let folder = task.work_folder.trim_end_matches('/');
        let folder = (!folder.is_empty()).then(|| (in_json(folder), WORK_FOLDER));
        // An id that somebody has chosen may be any word, and that somebody chooses again.
        let id = |id: &str| Uuid::parse_str(id).is_ok().then(|| id.to_owned());
        let ids = [(id(task.run.as_str()), RUN), (id(take), ROOT)];
        let ids = ids.into_iter().filter_map(|(id, word)| Some((id?, word)));
        Self { pairs: folder.into_iter().chain(ids).collect() }
    }

    /// A text of JSON with the words.
    pub(super) fn stored(&self, json: &str) -> String {
        self.pairs.iter().fold(json.to_owned(), |text, (now, word)| match *word {
            WORK_FOLDER => without_folder(&text, now),
            word => text.replace(now, word),
        })
    }

    /// A text of JSON with what the words stand for.
    pub(super) fn restored(&self, json: &str) -> String {
        self.pairs.iter().fold(json.to_owned(), |text, (now, word)| text.replace(word, now))
    }
}

/// A text as it is written within one of JSON.
fn in_json(text: &str) -> String {
    let json = serde_json::Value::from(text).to_string();
    json.trim_start_matches('"').strip_suffix('"').unwrap_or(&json).to_owned()
}

/// A text of JSON with the word in place of a folder. `/a/b` is no part of `/a/bc` and of `/x/a/b`.
fn without_folder(json: &str, folder: &str) -> String {
    let is_part = |char: char| char.is_alphanumeric() || "_-.".contains(char);
    let mut out = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(at) = rest.find(folder) {
        let (before, found) = rest.split_at(at);
        let after = found.get(folder.len()..).unwrap_or_default();
        // The last letter of an escape is none of a name.
        let is_escape = ["\\n", "\\t", "\\r"].iter().any(|escape| before.ends_with(escape));
        let begins = is_escape || !before.chars().next_back().is_some_and(is_part);
        let is_whole = begins && !after.chars().next().is_some_and(is_part);
        out.push_str(before);
        out.push_str(if is_whole { WORK_FOLDER } else { folder });
        rest = after;
    }
    out.push_str(rest);
    out
}
