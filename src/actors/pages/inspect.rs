//! What a reviewer wants to know of a work folder: whether its git repository is clean, and what a configured check says
//! of it. Both are programs, so each has a bound to how long it may take and how much it may say, and nothing to ask.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::ExitStatus;
use std::time::Duration;

use tokio::process::Command;

use crate::executors::inspection::{Inspection, NoRun, Ran, quiet_git};
use crate::executors::mask::Masks;
use crate::views::presenters::request::work_folder::{Check, Repository};

/// How long `git status` may take. On a large repository whose files are not cached it takes seconds.
const GIT_TIME: Duration = Duration::from_secs(10);

/// How long a check may take: the end of the process waits for it, and a person for that.
const CHECK_TIME: Duration = Duration::from_secs(60);

/// The means to look at work folders: a program that checks them, and its environment.
#[derive(Debug, Clone, Default)]
pub struct Inspector {
    /// A program and its arguments that says how good a work folder is; empty means none.
    pub check: Vec<String>,
    /// All that programs get of an environment.
    pub environment: BTreeMap<OsString, OsString>,
    /// What is masked in what they say.
    pub masks: Masks,
}

impl Inspector {
    fn programs(&self) -> Inspection<'_> {
        Inspection { environment: &self.environment, masks: &self.masks }
    }

    /// The state of the repository that a folder is in; a sentence, if there is nothing to tell about one.
    pub(super) async fn repository(&self, folder: &Path) -> Result<Repository, String> {
        if !folder.is_dir() {
            return Err("the folder is not there".to_owned());
        }
        let mut git = quiet_git();
        match self.programs().filters(folder).await {
            Ok(overridden) => git.args(overridden),
            Err(why) => return Err(why),
        };
        // Of submodules only which commit is checked out: what more there is to say would be said by a git of their own,
        // with their own configuration.
        git.args(["status", "--porcelain=v2", "--branch", "-z", "--ignore-submodules=dirty"]);
        match self.programs().run(git, folder, GIT_TIME).await {
            Ok(ran) if ran.status.success() => Ok(Repository::parse(&String::from_utf8_lossy(&ran.stdout))),
            Ok(ran) => {
                let said = String::from_utf8_lossy(&ran.stderr);
                let said = said.lines().next().unwrap_or_default().trim_start_matches("fatal: ");
                Err(if said.starts_with("not a git repository") {
                    "the folder is in no repository".to_owned()
                } else {
                    format!("`git status` failed: {said}")
                })
            }
            Err(NoRun::NotStarted(error)) if error.kind() == io::ErrorKind::NotFound => {
                Err("there is no `git` on this machine".to_owned())
            }
            Err(no) => Err(format!("`git status`: {}", no.text())),
        }
    }

    /// What the configured check says of a folder, if there is one.
    pub(super) async fn check(&self, folder: &Path) -> Option<Check> {
        let (program, arguments) = self.check.split_first()?;
        let mut command = Command::new(program);
        command.args(arguments);
        let (end, is_good, output) = match self.programs().run(command, folder, CHECK_TIME).await {
            Ok(Ran { status, stdout, stderr }) => {
                let said = if stdout.trim_ascii().is_empty() { stderr } else { stdout };
                (how(status), status.success(), String::from_utf8_lossy(&said).into_owned())
            }
            Err(no) => (no.text(), false, String::new()),
        };
        Some(Check { command: self.check.clone(), end, is_good, output })
    }
}

fn how(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit {code}"),
        (None, Some(signal)) => format!("ended by signal {signal}"),
        (None, None) => "it ended".to_owned(),
    }
}

#[cfg(test)]
mod tests;
