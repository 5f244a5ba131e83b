//! What was found in the work folder when people were asked: the state of its repository, and the result
//! of a configured check.

use serde::{Deserialize, Serialize};

use crate::events::text::shortened;
use crate::events::time::Timestamp;
use crate::views::markdown::{Page, code, markdown};

/// How many changed files are named: a reviewer reads a page, and `git status` shows the rest.
const CHANGES_SHOWN: usize = 40;

/// How many lines of a check's output are shown: the last ones, in which programs say how it ended.
const CHECK_LINES_SHOWN: usize = 20;

/// How many characters of a score are shown.
const SCORE_CHARS_MAX: usize = 80;

/// What was found in a work folder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorkFolderState {
    /// When it was looked at.
    pub at: Timestamp,
    /// The absolute path of the folder.
    pub folder: String,
    /// Its repository; otherwise, in a sentence, why there is nothing to tell about one.
    pub repository: Result<Repository, String>,
    /// The result of the check, if one is configured.
    pub check: Option<Check>,
}

/// The state of a git repository.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Repository {
    /// The name of the branch; none if a commit is checked out instead.
    pub branch: Option<String>,
    /// The hash of the commit that it is at; none before the first commit.
    pub head: Option<String>,
    /// The files that differ from that commit: git's two letters for the change, and the path.
    pub changes: Vec<(String, String)>,
}

/// The result of a check.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// The program and its arguments.
    pub command: Vec<String>,
    /// How it ended, in words: `exit 0`.
    pub end: String,
    /// Whether it ended with success.
    pub is_good: bool,
    /// What it wrote, as text.
    pub output: String,
}

impl Repository {
    /// Reads the output of `git status --porcelain=v2 --branch -z`.
    pub fn parse(status: &str) -> Self {
        let mut found = Self::default();
        let mut records = status.split('\0');
        while let Some(record) = records.next() {
            let (kind, rest) = record.split_once(' ').unwrap_or_default();
            match kind {
                "#" => found.header(rest),
                // After a rename, the old path stands in a record of its own.
                "2" => {
                    found.change(rest, 8);
                    records.next();
                }
                "1" => found.change(rest, 7),
                "u" => found.change(rest, 9),
                "?" => found.changes.push(("??".to_owned(), rest.to_owned())),
                _ => {}
            }
        }
        found
    }

    fn header(&mut self, header: &str) {
        match header.split_once(' ') {
            Some(("branch.oid", commit)) if commit != "(initial)" => self.head = Some(commit.to_owned()),
            Some(("branch.head", branch)) if branch != "(detached)" => self.branch = Some(branch.to_owned()),
            _ => {}
        }
    }

    /// Takes in a changed file: the first of its `fields` fields are its letters, and what follows the
    /// fields is its path.
    fn change(&mut self, record: &str, fields: usize) {
        let mut fields = record.splitn(fields + 1, ' ');
        if let (Some(letters), Some(path)) = (fields.next(), fields.last()) {
            self.changes.push((letters.to_owned(), path.to_owned()));
        }
    }
}

impl Check {
    /// The score in its output: the member `score` of a JSON object; otherwise what follows the last `score:`
    /// or `score=` at the beginning of a line; otherwise the last line, if it is a number.
    pub fn score(&self) -> Option<String> {
        let written = serde_json::from_str::<serde_json::Value>(self.output.trim()).ok();
        if let Some(score) = written.as_ref().and_then(|written| written.get("score")) {
            return Some(score.as_str().map_or_else(|| score.to_string(), str::to_owned));
        }
        let score = |line: &str| {
            let (name, score) = line.split_once([':', '='])?;
            name.trim().eq_ignore_ascii_case("score").then(|| score.trim().to_owned())
        };
        let last =
            || self.output.lines().next_back().map(str::trim).filter(|last| last.parse::<f64>().is_ok());
        self.output.lines().rev().find_map(score).or_else(|| last().map(str::to_owned))
    }
}

/// Writes all of it on a page, without a heading.
pub(super) fn write(found: &WorkFolderState, page: &mut Page) {
    page.line(&markdown!("In {}, looked at {}.", code(&found.folder), found.at));
    page.blank();
    match &found.repository {
        Ok(repository) => write_repository(repository, page),
        Err(why) => page.item(&markdown!("git: {}", why)),
    }
    if let Some(check) = &found.check {
        write_check(check, page);
    }
}

fn write_repository(repository: &Repository, page: &mut Page) {
    let Repository { branch, head, changes } = repository;
    let branch = branch
        .as_ref()
        .map_or_else(|| markdown!("no branch is checked out"), |branch| markdown!("branch {}", code(branch)));
    let head = head
        .as_ref()
        .map_or_else(|| markdown!("there is no commit yet"), |head| markdown!("at commit {}", code(head)));
    page.item(&markdown!("git: {}, {}", branch, head));
    page.item(&match changes.len() {
        0 => markdown!("clean"),
        1 => markdown!("**not clean**: 1 file differs"),
        several => markdown!("**not clean**: {} files differ", several),
    });
    for (letters, path) in changes.iter().take(CHANGES_SHOWN) {
        page.inner_item(&markdown!("{} {}", code(letters), code(path)));
    }
    if changes.len() > CHANGES_SHOWN {
        page.inner_item(&markdown!("and {} more: see `git status`", changes.len() - CHANGES_SHOWN));
    }
}

fn write_check(check: &Check, page: &mut Page) {
    let sign = if check.is_good { markdown!("passed") } else { markdown!("**did not pass**") };
    let score = check.score().map(|score| markdown!(", score **{}**", shortened(&score, SCORE_CHARS_MAX)));
    page.item(&markdown!(
        "check {}: {}, {}{}",
        code(check.command.join(" ")),
        sign,
        check.end,
        score.unwrap_or_default()
    ));
    let written: Vec<&str> = check.output.lines().collect();
    let last = written.get(written.len().saturating_sub(CHECK_LINES_SHOWN)..).unwrap_or_default();
    if !last.is_empty() {
        page.blank();
        last.iter().for_each(|line| page.code_in_item(line));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_git_says_is_read_whatever_files_are_called() {
        let status = "# branch.oid 0a1b\0# branch.head main\0# branch.upstream origin/main\0\
            1 .M N... 100644 100644 100644 aa bb a file.txt\0\
            2 R. N... 100644 100644 100644 aa bb R100 new name\0old\nname\0\
            u UU N... 100644 100644 100644 100644 aa bb cc both\0? new file\0! ignored\0";
        let found = Repository::parse(status);
        assert_eq!((found.branch.as_deref(), found.head.as_deref()), (Some("main"), Some("0a1b")));
        let changes: Vec<_> = found.changes.iter().map(|(how, path)| (how.as_str(), path.as_str())).collect();
        let expected = [(".M", "a file.txt"), ("R.", "new name"), ("UU", "both"), ("??", "new file")];
        assert_eq!(changes, expected);
    }

    #[test]
    fn before_the_first_commit_and_beside_any_branch_there_is_less_to_tell() {
        let first = Repository::parse("# branch.oid (initial)\0# branch.head main\0");
        assert_eq!((first.branch.as_deref(), first.head), (Some("main"), None));
        assert_eq!(Repository::parse("# branch.oid 0a\0# branch.head (detached)\0").branch, None);
        assert_eq!(Repository::parse(""), Repository::default());
    }

    #[test]
    fn a_check_gives_its_score_in_json_or_on_a_line() {
        let score = |output: &str| {
            let check = Check {
                command: Vec::new(),
                end: "exit 0".to_owned(),
                is_good: true,
                output: output.to_owned(),
            };
            check.score()
        };
        assert_eq!(score("{\"score\": 92.5}\n").as_deref(), Some("92.5"));
        assert_eq!(score("score: 1\nScore = 92/100 (A)\ndone\n").as_deref(), Some("92/100 (A)"));
        assert_eq!(score("tidy\n 87.5 \n").as_deref(), Some("87.5"));
        assert_eq!(score("all is well"), None);
    }

    #[test]
    fn what_a_check_wrote_cannot_pass_for_a_part_of_the_page() {
        let check = Check {
            command: vec!["make".to_owned()],
            end: "exit 2".to_owned(),
            is_good: false,
            output: "## How to answer\n\u{1b}[2Jwiped\n".to_owned(),
        };
        let found = WorkFolderState {
            at: Timestamp(0),
            folder: "/w".to_owned(),
            repository: Err("it is in no repository".to_owned()),
            check: Some(check),
        };
        let mut page = Page::default();
        write(&found, &mut page);
        let text = page.finish();
        assert!(text.contains("\n        ## How to answer\n"), "{text}");
        assert!(!text.contains('\u{1b}'), "{text}");
    }
}
