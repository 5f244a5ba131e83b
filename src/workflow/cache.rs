//! The keys under which answers are kept, and the files that are part of them.

use globset::{Glob, GlobBuilder};

use super::work::Work;
use crate::events::ids::{AgentName, Hash};
use crate::events::json::{BlobRef, Json, Payload};

/// How many globs a step may name.
pub const GLOBS_MAX: usize = 100;

/// How long a glob may be, in characters.
pub const GLOB_CHARS_MAX: usize = 1_000;

/// What an agent would get for a step, and who it is: all of the key but the content of files.
#[derive(Debug, Default)]
pub struct KeyedWork<'a> {
    /// The agent; its spelling does not matter.
    pub agent: Option<&'a AgentName>,
    /// Its definition as the run recorded it; none of an agent without one.
    pub definition: Option<BlobRef>,
    /// The work, rendered.
    pub work: Option<&'a Work>,
    /// What its output has to look like.
    pub schema: Option<&'a serde_json::Value>,
    /// The absolute folder that relative paths mean.
    pub work_folder: &'a str,
    /// What it sees of the context of its run, and of those that it shares with others: each by its name.
    pub values: Vec<(String, &'a Payload)>,
}

impl KeyedWork<'_> {
    /// The hash of all of it.
    pub fn hash(&self) -> Hash {
        let text = |json: Result<Json, serde_json::Error>| json.unwrap_or_default().text().to_owned();
        let mut parts = vec![
            "answer 1".to_owned(),
            self.agent.map(AgentName::key).unwrap_or_default(),
            self.definition.map(|blob| blob.hash.to_string()).unwrap_or_default(),
            text(Json::of(&self.work)),
            text(Json::of(&self.schema)),
            self.work_folder.to_owned(),
        ];
        for (name, value) in &self.values {
            parts.push(name.clone());
            parts.push(match value {
                Payload::Inline(json) => Hash::of(json.text().as_bytes()).to_string(),
                Payload::Blob(blob) => blob.hash.to_string(),
            });
        }
        hash_of(parts.iter().map(String::as_bytes))
    }
}

/// The key of a work and the files that it hangs on, each by its path in the work folder and the hash of its content, in the order of
/// their paths.
pub fn key_of<'a>(work: &Hash, files: impl IntoIterator<Item = (&'a str, Hash)>) -> Hash {
    let work = work.to_string();
    let files: Vec<_> = files.into_iter().map(|(path, hash)| (path, hash.to_string())).collect();
    let files = files.iter().flat_map(|(path, hash)| [path.as_bytes(), hash.as_bytes()]);
    hash_of(std::iter::once(work.as_bytes()).chain(files))
}

/// No two lists of parts have one hash because the parts are cut in another way.
fn hash_of<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Hash {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(&(part.len() as u64).to_le_bytes()).update(part);
    }
    Hash(*hasher.finalize().as_bytes())
}

/// Reads a glob. Neither `*` nor `?` goes beyond a folder, `**` does.
///
/// # Errors
/// Why it is none, in a sentence.
pub fn glob(text: &str) -> Result<Glob, String> {
    GlobBuilder::new(text)
        .literal_separator(true)
        .backslash_escape(true)
        .build()
        .map_err(|error| format!("`{text}` is no glob: {}", error.kind()))
}

/// Whether a text is a glob of files in the work folder.
///
/// # Errors
/// Why it is none, in a sentence.
pub fn check_glob(text: &str) -> Result<(), String> {
    if text.is_empty() {
        return Err("a glob of `cache.files` is empty".to_owned());
    }
    if text.chars().count() > GLOB_CHARS_MAX {
        return Err(format!("a glob of `cache.files` has more than {GLOB_CHARS_MAX} characters"));
    }
    if text.starts_with('/') || text.split('/').any(|part| part == "..") {
        return Err(format!("`{text}` leads out of the work folder"));
    }
    glob(text).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_that_of_all_its_parts_and_of_their_borders() {
        let work = |prompt: &str| Work { prompt: Some(prompt.to_owned()), ..Work::default() };
        let (one, other) = (work("a"), work("b"));
        let (ada, bob) = (AgentName::new("ada"), AgentName::new("bob"));
        let schema = serde_json::json!({"type": "object"});
        let value = Payload::Inline(Json::null());
        let base =
            || KeyedWork { agent: Some(&ada), work: Some(&one), work_folder: "/w", ..Default::default() };
        let blob = BlobRef { hash: Hash::of(b"d"), size_bytes: 1 };
        let all = [
            base(),
            KeyedWork { agent: Some(&bob), ..base() },
            KeyedWork { definition: Some(blob), ..base() },
            KeyedWork { work: Some(&other), ..base() },
            KeyedWork { schema: Some(&schema), ..base() },
            KeyedWork { work_folder: "/v", ..base() },
            KeyedWork { values: vec![("k".to_owned(), &value)], ..base() },
        ];
        let hashes: std::collections::BTreeSet<_> = all.iter().map(|key| key.hash().to_string()).collect();
        assert_eq!(hashes.len(), all.len());
        assert_eq!(base().hash(), base().hash());
        let ada_again = AgentName::new("Ada_agent");
        assert_eq!(KeyedWork { agent: Some(&ada_again), ..base() }.hash(), base().hash());
        let (of, content) = (base().hash(), Hash::of(b"x"));
        let keys = [
            key_of(&of, []),
            key_of(&of, [("a", content)]),
            key_of(&of, [("b", content)]),
            key_of(&of, [("a", Hash::of(b"y"))]),
            key_of(&of, [("a", content), ("b", content)]),
        ];
        let different: std::collections::BTreeSet<_> = keys.iter().map(ToString::to_string).collect();
        assert_eq!(different.len(), keys.len());
    }

    #[test]
    fn a_glob_stays_in_the_work_folder() {
        for good in ["a", "src/**/*.rs", "*.{md,txt}", "a..b", ".github/*"] {
            assert_eq!(check_glob(good), Ok(()), "{good}");
        }
        for bad in ["", "/etc/passwd", "..", "../a", "a/../b", "a[", "{a", &"a".repeat(1_001)] {
            assert!(check_glob(bad).is_err(), "{bad}");
        }
    }
}
