//! Programs that look at a work folder for somebody: bounded in time and in what they say, with nothing to ask. Git above all, as one that
//! only looks.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

use super::children;
use super::mask::Masks;

/// How long git may take to list its configuration: a second where disks are slow.
const GIT_TIME: Duration = Duration::from_secs(10);

/// How much is kept of what a program says; the rest is read and dropped. A repository with ten thousand changed files
/// says half of that.
pub(crate) const SAID_BYTES_MAX: u64 = 1024 * 1024;

/// How long what a program said is read after it has ended: something that it left running may keep its pipe open.
const DRAIN: Duration = Duration::from_millis(500);

/// The result of a program that has ended.
pub(crate) struct Ran {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
}

/// Why there is nothing to say about what a program did.
pub(crate) enum NoRun {
    NotStarted(io::Error),
    TimedOut(Duration),
}

/// What such programs get of an environment, and what is masked in what they say.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Inspection<'a> {
    /// All that they get of an environment.
    pub(crate) environment: &'a BTreeMap<OsString, OsString>,
    /// What is masked in what they say.
    pub(crate) masks: &'a Masks,
}

impl Inspection<'_> {
    /// Arguments by which no filter is run. A file whose times differ is hashed to see whether it does, and before that it
    /// goes through the program that `filter.NAME.clean` or `.process` names, for which the repository's own attributes
    /// are enough. There is no way to have git use none at all, so each that is configured anywhere is overridden.
    ///
    /// # Errors
    /// Why that cannot be made sure, in a sentence.
    pub(crate) async fn filters(&self, folder: &Path) -> Result<Vec<String>, String> {
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

    /// Runs a program in a folder, without stdin, and reads what it says.
    ///
    /// # Errors
    /// When it cannot be run, or takes longer.
    pub(crate) async fn run(
        &self,
        mut command: Command,
        folder: &Path,
        time: Duration,
    ) -> Result<Ran, NoRun> {
        // What the caller set goes over the environment that is passed.
        let own: Vec<_> = command
            .as_std()
            .get_envs()
            .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())))
            .collect();
        command.current_dir(folder).env_clear().envs(self.environment).envs(own);
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
/// command.) Filters are overridden by [`Inspection::filters`].
pub(crate) fn quiet_git() -> Command {
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

impl NoRun {
    /// The same, in words.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::NotStarted(error) => format!("it could not be run: {error}"),
            Self::TimedOut(time) => format!("it did not end in {} s, and was ended", time.as_secs()),
        }
    }
}
