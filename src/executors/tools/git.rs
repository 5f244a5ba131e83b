//! The tools `git_diff` and `git_log`: what the git program says of the work folder. It is given a list of arguments, and runs no
//! program that a repository names: no pager, no external diff, no filter, no hook, no monitor of files.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::super::Failure;
use super::super::inspection::{Inspection, NoRun, Ran, SAID_BYTES_MAX, quiet_git};
use super::call::{ANSWER_BYTES_MAX, Call, beginning, refused, with_cut};
use crate::events::problem::{Class, Code};

/// How long git may take: minutes only in the largest of repositories.
const TIME: Duration = Duration::from_secs(120);

/// How many commits are answered where nobody says, and at most.
const COMMITS: u32 = 20;
const COMMITS_MAX: u32 = 200;

/// How many bytes of the message of a commit are answered.
const MESSAGE_BYTES_MAX: usize = 2 * 1024;

/// What stands between the parts of a commit, and between commits: no text that people write has them.
const PART: char = '\u{1f}';
const END: char = '\u{1e}';

/// What git is told beside what a quiet one always is. What is written into a work folder is no repository unless it has a `.git`, in
/// which no tool writes.
const ALWAYS: [&str; 6] =
    ["-c", "safe.bareRepository=explicit", "-c", "core.quotePath=false", "-c", "log.showSignature=false"];

/// What is in the data folder is left out.
const WITHOUT_DATA: [&str; 2] = [":(exclude,literal).reenact", ":(exclude,glob)**/.reenact/**"];

pub(super) fn input_of_diff() -> Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "base": {"type": "string", "minLength": 1, "maxLength": 300, "description": "A revision, or two as in main..work; without it, the index"},
            "staged": {"type": "boolean", "description": "Whether to show what is staged, in place of what is not"},
            "stat": {"type": "boolean", "description": "Whether to show only how much of each file changed"},
            "paths": paths(),
        },
    })
}

pub(super) fn input_of_log() -> Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "revision": {"type": "string", "minLength": 1, "maxLength": 300, "description": "Where to begin; HEAD if it is left out"},
            "max": {"type": "integer", "minimum": 1, "maximum": COMMITS_MAX, "description": "How many commits; 20 if it is left out"},
            "paths": paths(),
        },
    })
}

fn paths() -> Value {
    let description = "Only these files and folders, from the work folder; all of it if it is left out";
    json!({"type": "array", "maxItems": 100, "items": {"type": "string", "minLength": 1}, "description": description})
}

#[derive(Deserialize)]
struct Diff {
    base: Option<String>,
    #[serde(default)]
    staged: bool,
    #[serde(default)]
    stat: bool,
    #[serde(default)]
    paths: Vec<String>,
}

pub(super) fn diff(call: &Call) -> Result<Vec<String>, Failure> {
    let Diff { base, staged, stat, paths } = call.arguments()?;
    let mut words = vec!["diff", "--no-ext-diff", "--no-textconv", "--no-color", "--ignore-submodules=dirty"];
    words.extend(staged.then_some("--staged"));
    words.extend(stat.then_some("--stat"));
    words.extend(base.as_deref().map(revision).transpose()?);
    arguments(call, &words, &paths)
}

#[derive(Deserialize)]
struct Log {
    revision: Option<String>,
    #[serde(default = "commits")]
    max: u32,
    #[serde(default)]
    paths: Vec<String>,
}

const fn commits() -> u32 {
    COMMITS
}

pub(super) fn log(call: &Call) -> Result<Vec<String>, Failure> {
    let Log { revision: from, max, paths } = call.arguments()?;
    let max = format!("--max-count={}", max.min(COMMITS_MAX));
    let mut words = vec!["log", "--no-color", "--pretty=tformat:%H%x1f%an%x1f%aI%x1f%B%x1e", &max];
    words.extend(from.as_deref().map(revision).transpose()?);
    arguments(call, &words, &paths)
}

fn arguments(call: &Call, words: &[&str], paths: &[String]) -> Result<Vec<String>, Failure> {
    let paths: Vec<String> = paths
        .iter()
        .map(|path| call.folder.spelled(path).map(|path| format!(":(literal){path}")))
        .collect::<Result<_, _>>()?;
    let here = paths.is_empty().then_some(".");
    let paths = here.into_iter().chain(paths.iter().map(String::as_str)).chain(WITHOUT_DATA);
    Ok(words.iter().copied().chain(["--"]).chain(paths).map(str::to_owned).collect())
}

/// Has git say what these arguments ask for.
pub(super) async fn asked(
    inspection: Inspection<'_>,
    folder: &Path,
    arguments: Vec<String>,
) -> Result<Ran, Failure> {
    let filters = inspection.filters(folder).await.map_err(|why| refuses(&why))?;
    let mut git = quiet_git();
    git.args(ALWAYS).args(filters).args(arguments);
    inspection.run(git, folder, TIME).await.map_err(|no| match no {
        NoRun::NotStarted(_) => refuses(&no.text()),
        NoRun::TimedOut(_) => refuses(&no.text()).class(Class::Transient),
    })
}

/// A revision, and nothing that git takes for an option or for a file.
fn revision(text: &str) -> Result<&str, Failure> {
    let is_one = !text.starts_with('-') && !text.contains([':', '\0']) && !text.contains(char::is_whitespace);
    if is_one { Ok(text) } else { Err(refused(&format!("`{text}` is no revision"))) }
}

pub(super) fn differs(ran: &Ran) -> Result<Value, Failure> {
    let text = written(ran)?;
    let shown = beginning(&text, ANSWER_BYTES_MAX);
    let cut = (shown.len() < text.len())
        .then(|| format!("{} bytes follow: ask with `stat`, or for fewer `paths`", text.len() - shown.len()));
    Ok(with_cut(json!({"diff": shown}), cut))
}

pub(super) fn commits_of(ran: &Ran) -> Result<Value, Failure> {
    let text = written(ran)?;
    let (mut commits, mut bytes, mut left) = (Vec::new(), 0, 0);
    for commit in text.split(END).map(str::trim_start).filter(|commit| !commit.is_empty()) {
        let mut parts = commit.splitn(4, PART);
        let mut next = || parts.next().unwrap_or_default();
        let (hash, author, at, message) = (next(), next(), next(), next().trim());
        let shown = beginning(message, MESSAGE_BYTES_MAX);
        bytes += commit.len().min(MESSAGE_BYTES_MAX);
        if bytes > ANSWER_BYTES_MAX {
            left += 1;
            continue;
        }
        let end = if shown.len() < message.len() { "…" } else { "" };
        commits.push(json!({"hash": hash, "author": author, "at": at, "message": format!("{shown}{end}")}));
    }
    let cut = match (left, is_full(ran)) {
        (0, false) => None,
        (left, false) => Some(format!("{left} commits are left out")),
        (_, true) => Some(format!("of what git says {SAID_BYTES_MAX} bytes were read")),
    };
    Ok(with_cut(json!({"commits": commits}), cut))
}

/// Whether git said more than is read.
fn is_full(ran: &Ran) -> bool {
    ran.stdout.len() as u64 >= SAID_BYTES_MAX
}

/// What git wrote.
///
/// # Errors
/// [`Code::GitRefused`], if it did not do what it was asked.
fn written(ran: &Ran) -> Result<String, Failure> {
    if ran.status.success() {
        return Ok(String::from_utf8_lossy(&ran.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&ran.stderr).into_owned();
    let line = said.lines().map(str::trim).find(|line| !line.is_empty());
    Err(refuses(
        line.map_or_else(|| format!("it ended with {}", ran.status.into_raw()), str::to_owned).as_str(),
    ))
}

fn refuses(why: &str) -> Failure {
    Failure::new(Code::GitRefused, format!("git: {why}"))
}
