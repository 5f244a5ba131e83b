//! The tools `list` and `find`: what is in a folder, and which files fit a glob.

use globset::{GlobBuilder, GlobMatcher};
use rustix::fs::FileType;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::Failure;
use super::call::{ANSWER_BYTES_MAX, Call, refused, with_cut};
use super::folder::For;
use super::walk::{Found, Looks, walk};

/// How many names one answer holds: some 20,000 tokens.
const NAMES_MAX: usize = 2_000;

pub(super) fn input_of_list() -> Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "path": {"type": "string", "description": "The folder, from the work folder; the work folder itself if it is left out"},
            "depth": {"type": "integer", "minimum": 1, "maximum": 16, "description": "How deep to look into folders; 1 if it is left out"},
        },
    })
}

pub(super) fn input_of_find() -> Value {
    json!({
        "type": "object",
        "required": ["pattern"],
        "additionalProperties": false,
        "properties": {
            "pattern": {"type": "string", "minLength": 1, "maxLength": 1000, "description": "A glob, as in src/**/*.rs; without a slash it is for names at any depth"},
            "path": {"type": "string", "description": "The folder to look in, from the work folder"},
            "ignored": {"type": "boolean", "description": "Whether to look at what .gitignore leaves out, too"},
        },
    })
}

#[derive(Deserialize)]
struct List {
    path: Option<String>,
    #[serde(default = "shallow")]
    depth: usize,
}

const fn shallow() -> usize {
    1
}

/// Lists a folder: the names of folders end with `/`, links say where they lead.
pub(super) fn list(call: &Call) -> Result<Value, Failure> {
    let List { path, depth } = call.arguments()?;
    let path = path.unwrap_or_else(|| ".".to_owned());
    let place = call.folder.place(&path, For::Reading)?;
    let mut names = Names::default();
    let cut = walk(call, &place, Looks { depth, ignored: true }, &mut |found| {
        let inside = found.path.strip_prefix(&place.path).unwrap_or(found.path);
        let end = match found.kind {
            FileType::Directory => "/".to_owned(),
            FileType::Symlink => leads_to(found),
            FileType::RegularFile => String::new(),
            _ => " (no file)".to_owned(),
        };
        Ok(names.add(format!("{}{end}", inside.display())))
    })?;
    let cut = names.cut(cut);
    Ok(with_cut(json!({"path": path, "entries": names.all}), cut))
}

#[derive(Deserialize)]
struct Find {
    pattern: String,
    path: Option<String>,
    #[serde(default)]
    ignored: bool,
}

/// Finds the files below a folder that fit a glob, in the order of their paths.
pub(super) fn find(call: &Call) -> Result<Value, Failure> {
    let Find { pattern, path, ignored } = call.arguments()?;
    let glob = glob(&pattern)?;
    let place = call.folder.place(path.as_deref().unwrap_or("."), For::Reading)?;
    let mut names = Names::default();
    let cut = walk(call, &place, Looks { depth: usize::MAX, ignored }, &mut |found| {
        let inside = found.path.strip_prefix(&place.path).unwrap_or(found.path);
        if found.kind == FileType::Directory || !glob.is_match(inside) {
            return Ok(true);
        }
        Ok(names.add(found.path.display().to_string()))
    })?;
    let cut = names.cut(cut);
    Ok(with_cut(json!({"files": names.all}), cut))
}

/// A glob in which `*` stands for no slash. Without a slash it is for names, wherever they are.
pub(super) fn glob(pattern: &str) -> Result<GlobMatcher, Failure> {
    let whole = if pattern.contains('/') { pattern.to_owned() } else { format!("**/{pattern}") };
    let whole = whole.trim_start_matches("./").trim_start_matches('/');
    let glob = GlobBuilder::new(whole).literal_separator(true).build();
    glob.map(|glob| glob.compile_matcher()).map_err(|error| refused(&format!("`{pattern}`: {error}")))
}

fn leads_to(found: &Found<'_>) -> String {
    let target = rustix::fs::readlinkat(found.folder, found.name, Vec::new());
    target.map_or_else(|_| " -> ?".to_owned(), |target| format!(" -> {}", target.to_string_lossy()))
}

/// As many names as one answer holds.
#[derive(Default)]
struct Names {
    all: Vec<String>,
    bytes: usize,
    is_full: bool,
}

impl Names {
    /// Adds one; answers whether there is room for more.
    fn add(&mut self, name: String) -> bool {
        self.bytes += name.len();
        self.is_full = self.all.len() >= NAMES_MAX || self.bytes > ANSWER_BYTES_MAX;
        if !self.is_full {
            self.all.push(name);
        }
        !self.is_full
    }

    fn cut(&self, cut: Option<String>) -> Option<String> {
        let full = self
            .is_full
            .then(|| format!("there are more than {}: look in a folder, or for less", self.all.len()));
        full.or(cut)
    }
}
