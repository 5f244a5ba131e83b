//! What a reviewer wants to know of a work folder: whether its git repository is clean, and what a configured check says
//! of it. Both are programs, so each has a bound to how long it may take and how much it may say, and nothing to ask.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

use crate::executors::children;
use crate::executors::mask::Masks;
use crate::views::presenters::request::work_folder::{Check, Repository};

/// How long `git status` may take. On a large repository whose files are not cached it takes seconds.
const GIT_TIME: Duration = Duration::from_secs(10);

/// How long a check may take: the end of the process waits for it, and a person for that.
const CHECK_TIME: Duration = Duration::from_secs(60);

/// How much is kept of what a program says; the rest is read and dropped. A repository with ten thousand changed files
/// says half of that.
const SAID_BYTES_MAX: u64 = 1024 * 1024;

/// How long what a program said is read after it has ended: something that it left running may keep its pipe open.
const DRAIN: Duration = Duration::from_millis(500);

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

/// The result of a program that has ended.
struct Ran {
    status: ExitStatus,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

/// Why there is nothing to say about what a program did.
enum NoRun {
    NotStarted(io::Error),
    TimedOut(Duration),
}

impl Inspector {
    /// The state of the repository that a folder is in; a sentence, if there is nothing to tell about one.
    pub(super) async fn repository(&self, folder: &Path) -> Result<Repository, String> {
        if !folder.is_dir() {
            return Err("the folder is not there".to_owned());
        }
        let mut git = quiet_git();
        match self.filters(folder).await {
            Ok(overridden) => git.args(overridden),
            Err(why) => return Err(why),
        };
        // Of submodules only which commit is checked out: what more there is to say would be said by a git of their own,
        // with their own configuration.
        git.args(["status", "--porcelain=v2", "--branch", "-z", "--ignore-submodules=dirty"]);
        match self.run(git, folder, GIT_TIME).await {
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

    /// Arguments by which no filter is run. A file whose times differ is hashed to see whether it does, and before that it
    /// goes through the program that `filter.NAME.clean` or `.process` names, for which the repository's own attributes
    /// are enough. There is no way to have git use none at all, so each that is configured anywhere is overridden.
    async fn filters(&self, folder: &Path) -> Result<Vec<String>, String> {
        let mut git = quiet_git();
        git.args(["config", "--list", "--name-only", "-z"]);
        let listed = match self.run(git, folder, GIT_TIME).await {
            Ok(ran) if ran.status.success() => ran.stdout,
            // What `git status` says of it is said better.
            _ => return Ok(Vec::new()),
        };
        if listed.len() as u64 >= SAID_BYTES_MAX {
            return Err("its configuration is too long to be looked through".to_owned());
        }
        let filters: BTreeSet<&[u8]> = listed.split(|byte| *byte == 0).filter_map(filter_name).collect();
        let mut arguments = Vec::new();
        for name in filters {
            // `git -c` takes what is before the first `=` for the name.
            let name = std::str::from_utf8(name).ok().filter(|name| !name.contains('='));
            let name = name.ok_or("it configures a filter whose name cannot be overridden")?;
            for (key, value) in [("clean", ""), ("smudge", ""), ("process", ""), ("required", "false")] {
                arguments.extend(["-c".to_owned(), format!("filter.{name}.{key}={value}")]);
            }
        }
        Ok(arguments)
    }

    /// What the configured check says of a folder, if there is one.
    pub(super) async fn check(&self, folder: &Path) -> Option<Check> {
        let (program, arguments) = self.check.split_first()?;
        let mut command = Command::new(program);
        command.args(arguments);
        let (end, is_good, output) = match self.run(command, folder, CHECK_TIME).await {
            Ok(Ran { status, stdout, stderr }) => {
                let said = if stdout.trim_ascii().is_empty() { stderr } else { stdout };
                (how(status), status.success(), String::from_utf8_lossy(&said).into_owned())
            }
            Err(no) => (no.text(), false, String::new()),
        };
        Some(Check { command: self.check.clone(), end, is_good, output })
    }

    async fn run(&self, mut command: Command, folder: &Path, time: Duration) -> Result<Ran, NoRun> {
        // What the caller set goes over the environment that is passed.
        let own: Vec<_> = command
            .as_std()
            .get_envs()
            .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())))
            .collect();
        command.current_dir(folder).env_clear().envs(&self.environment).envs(own);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.process_group(0).kill_on_drop(true);
        let (mut child, _own) = children::spawn_other(&mut command).map_err(NoRun::NotStarted)?;
        let group = Group::of(&child);
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let (stdout, stderr) = (tokio::spawn(said(stdout)), tokio::spawn(said(stderr)));
        let ended = tokio::time::timeout(time, child.wait()).await;
        let status = match ended {
            Ok(status) => status.map_err(NoRun::NotStarted)?,
            Err(_) => return Err(NoRun::TimedOut(time)),
        };
        // Its number may be another's from here on.
        group.leave();
        let read = async |said: JoinHandle<Vec<u8>>| {
            let said: Vec<u8> =
                tokio::time::timeout(DRAIN, said).await.ok().and_then(Result::ok).unwrap_or_default();
            // What was cut off may have gone on with the rest of a value.
            self.masks.beginning(&said, said.len() as u64 >= SAID_BYTES_MAX).into_owned()
        };
        Ok(Ran { status, stdout: read(stdout).await, stderr: read(stderr).await })
    }
}

/// A git that writes nothing and runs nothing that a repository configures: neither hooks nor a monitor of the file system,
/// and nothing that would fetch an object that is missing. (Pagers are for terminals, aliases cannot have the name of a
/// command.) Filters are overridden by [`Inspector::filters`].
fn quiet_git() -> Command {
    let mut git = Command::new("git");
    git.args(["--no-pager", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null"]);
    git.args(["-c", "status.submoduleSummary=false", "-c", "credential.helper="]);
    git.env("GIT_TERMINAL_PROMPT", "0").env("GIT_OPTIONAL_LOCKS", "0").env("LC_ALL", "C");
    // An older git knows only the second.
    git.env("GIT_NO_LAZY_FETCH", "1").env("GIT_ALLOW_PROTOCOL", "none");
    git
}

/// The name of the filter that a key is about.
fn filter_name(key: &[u8]) -> Option<&[u8]> {
    let rest = key.strip_prefix(b"filter.")?;
    let end = rest.iter().rposition(|byte| *byte == b'.')?;
    rest.get(..end)
}

/// A program and all that it started, killed if this is dropped before it has ended: because it took too long, or
/// because nobody waits any more for what it says.
struct Group(Option<Pid>);

impl Group {
    fn of(child: &Child) -> Self {
        Self(child.id().and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?)))
    }

    fn leave(mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // It may have ended just now.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

/// What comes through a pipe, up to a bound.
async fn said(pipe: Option<impl AsyncRead + Unpin>) -> Vec<u8> {
    let mut kept = Vec::new();
    if let Some(mut pipe) = pipe {
        // A pipe that breaks has said all it had to; beyond the bound it is read on, so that nobody is stuck who writes.
        let _ = (&mut pipe).take(SAID_BYTES_MAX).read_to_end(&mut kept).await;
        let _ = tokio::io::copy(&mut pipe, &mut tokio::io::sink()).await;
    }
    kept
}

fn how(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit {code}"),
        (None, Some(signal)) => format!("ended by signal {signal}"),
        (None, None) => "it ended".to_owned(),
    }
}

impl NoRun {
    fn text(&self) -> String {
        match self {
            Self::NotStarted(error) => format!("it could not be run: {error}"),
            Self::TimedOut(time) => format!("it did not end in {} s, and was ended", time.as_secs()),
        }
    }
}

#[cfg(test)]
mod tests;
