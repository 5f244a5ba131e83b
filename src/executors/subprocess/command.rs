//! The command of an attempt: the program that runs, its folder, its environment.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use rustix::fs::{Access, access};
use rustix::io::Errno;
use tokio::process::{Child, Command};

use super::super::children::{self, Own};
use super::super::mask::Masks;
use super::super::{Failure, Output, Task};
use crate::events::problem::{Class, Code};
use crate::workflow::work;

/// The shell of steps whose `run` is a text; where system(3) finds it too, whatever PATH says.
pub const SHELL: &str = "/bin/sh";

/// A program that is ready to be started, and what to call it when that fails.
#[derive(Debug)]
pub(super) struct Ready {
    command: Command,
    program: String,
    folder: PathBuf,
}

/// What this task runs: its own `run`, else the agent's program.
///
/// # Errors
/// When there is no program.
pub(super) fn of(
    task: &Task,
    agent_command: &[String],
    environment: &BTreeMap<OsString, OsString>,
) -> Result<Ready, Failure> {
    let (work_folder, folder) = (Path::new(&*task.work_folder), folder(task));
    let shell: Vec<String>;
    // The program of a `run` is one of its own folder, as a shell there would find it; an agent's is the agent's,
    // wherever a step has it work.
    let (words, base): (&[String], &Path) = match &task.work.run {
        Some(work::Command::List(words)) => (words, &folder),
        Some(work::Command::Shell(text)) => {
            shell = vec![SHELL.to_owned(), "-c".to_owned(), text.clone()];
            (&shell, &folder)
        }
        None => (agent_command, work_folder),
    };
    let Some((program, arguments)) = words.split_first().filter(|(program, _)| !program.is_empty()) else {
        return Err(Failure::new(
            Code::NotStarted,
            format!("there is no program for agent `{}` to run", task.agent),
        ));
    };
    let variables = || environment.iter().map(|(name, value)| (name.as_os_str(), value.as_os_str()));
    let own = task.work.env.iter().map(|(name, value)| (OsStr::new(name), OsStr::new(value)));
    let path = variables().chain(own).rfind(|(name, _)| *name == "PATH").map(|(_, value)| value);
    // A path, so that std need not look along PATH, which it can do in a copy of this whole process only.
    let found =
        if program.contains('/') { Some(base.join(program)) } else { look_up(program, path, &folder) };
    let mut command = Command::new(found.unwrap_or_else(|| program.into()));
    command
        .arg0(if *program == *SHELL { "sh" } else { program })
        .args(arguments)
        .current_dir(&folder)
        .env_clear()
        .envs(environment)
        .envs(&task.work.env)
        // Last, because a program relies on it.
        .envs(identity(task))
        .process_group(0)
        .kill_on_drop(true);
    Ok(Ready { command, program: program.clone(), folder })
}

/// The folder in which a task's program runs.
fn folder(task: &Task) -> PathBuf {
    let work_folder = Path::new(&*task.work_folder);
    task.work.cwd.as_ref().map_or_else(|| work_folder.to_path_buf(), |cwd| work_folder.join(cwd))
}

/// What a program answered, if the files are there that it says it made: in the folder in which it ran, or in the work
/// folder. One in whose path something is masked is not looked for: its path is told to nobody.
///
/// # Errors
/// Which one is not there.
pub(super) fn made(task: &Task, output: Output, masks: &Masks) -> Result<Output, Failure> {
    let folders = || [folder(task), PathBuf::from(&*task.work_folder)];
    let is_missing =
        |path: &&String| !masks.stand_in(path) && folders().iter().all(|folder| !folder.join(path).exists());
    match output.artifacts.iter().find(is_missing) {
        None => Ok(output),
        Some(path) => {
            let message = format!("the program says that it made `{path}`, which is not there");
            Err(Failure::new(Code::ArtifactMissing, message))
        }
    }
}

/// The folders in which a program is looked for that is told no PATH; see execvp(3).
const PATH_WITHOUT: &str = "/bin:/usr/bin";

/// The file that is executed for a program in that folder, with that PATH; none if there is none that may be.
pub fn program_file(program: &str, path: Option<&OsStr>, folder: &Path) -> Option<PathBuf> {
    if !program.contains('/') {
        return look_up(program, path, folder);
    }
    Some(folder.join(program)).filter(|file| may_be_executed(file))
}

fn may_be_executed(file: &Path) -> bool {
    access(file, Access::EXEC_OK).is_ok() && file.is_file()
}

/// The file that a program's name stands for: the first of that name along PATH that may be executed, as execvp(3) finds it
/// in that folder. None if there is none.
fn look_up(program: &str, path: Option<&OsStr>, folder: &Path) -> Option<PathBuf> {
    let path = path.unwrap_or(OsStr::new(PATH_WITHOUT));
    let places =
        path.as_bytes().split(|byte| *byte == b':').map(|place| folder.join(OsStr::from_bytes(place)));
    let mut files = places.map(|place| place.join(program));
    files.find(|file| may_be_executed(file))
}

/// What tells a program which attempt it is.
fn identity(task: &Task) -> impl Iterator<Item = (&'static str, String)> {
    let outcome = task.compensates.as_ref().map(|step| step.outcome.text().to_owned());
    [
        ("REENACT_RUN", task.run.to_string()),
        ("REENACT_STEP", task.step.to_string()),
        ("REENACT_ATTEMPT", task.attempt.to_string()),
        ("REENACT_IDEMPOTENCY_KEY", task.idempotency_key.to_string()),
        ("REENACT_PURPOSE", task.purpose.text().to_owned()),
    ]
    .into_iter()
    .chain(outcome.map(|outcome| ("REENACT_OUTCOME", outcome)))
}

impl Ready {
    /// Gives it one more variable.
    pub(super) fn give(&mut self, name: &str, value: &OsStr) {
        self.command.env(name, value);
    }

    /// Starts it with these as its stdin, stdout and stderr.
    ///
    /// # Errors
    /// Which program could not be started in which folder, and why.
    pub(super) fn spawn(mut self, [stdin, stdout, stderr]: [Stdio; 3]) -> Result<(Child, Own), Failure> {
        self.command.stdin(stdin).stdout(stdout).stderr(stderr);
        children::spawn(&mut self.command).map_err(|error| self.not_started(&error))
    }

    fn not_started(&self, error: &std::io::Error) -> Failure {
        use std::io::ErrorKind;
        let (program, folder) = (&self.program, self.folder.display());
        // Both are "no such file" to the kernel.
        let message = if !self.folder.is_dir() {
            format!("`{program}` cannot be started in `{folder}`: that folder is not there")
        } else if error.kind() == ErrorKind::NotFound {
            format!(
                "`{program}` cannot be started in `{folder}`: the program, or the interpreter that its first line names, is not there"
            )
        } else if error.raw_os_error() == Some(Errno::NOEXEC.raw_os_error()) {
            format!(
                "`{program}` cannot be started in `{folder}`: it is no program, and its first line names no interpreter (`#!/bin/sh`)"
            )
        } else if error.raw_os_error() == Some(Errno::TOOBIG.raw_os_error()) {
            return self.too_long();
        } else {
            format!("`{program}` cannot be started in `{folder}`: {error}")
        };
        let failure = Failure::new(Code::NotStarted, message);
        match error.kind() {
            ErrorKind::InvalidInput => failure.class(Class::Validation),
            // A program that is being written will have been written.
            ErrorKind::ExecutableFileBusy => failure.class(Class::Transient),
            _ if is_shortage(error) => failure.class(Class::Transient),
            _ => failure,
        }
    }

    /// What of its arguments and variables is longer than the system takes.
    fn too_long(&self) -> Failure {
        let command = self.command.as_std();
        let arguments = command.get_args().map(|argument| (argument.len(), "an argument".to_owned()));
        let variables = command.get_envs().filter_map(|(name, value)| {
            Some((name.len() + value?.len() + 1, format!("the variable `{}`", name.display())))
        });
        let all: Vec<_> = arguments.chain(variables).collect();
        let total: usize = all.iter().map(|(bytes, _)| bytes + 1).sum();
        let longest = all.into_iter().max_by_key(|(bytes, _)| *bytes).unwrap_or_default();
        let why = match longest {
            (bytes, what) if bytes >= ARGUMENT_BYTES_MAX => {
                format!("{what} has {bytes} bytes, and this system takes less than {ARGUMENT_BYTES_MAX}")
            }
            _ => format!("its arguments and variables have {total} bytes, and this system takes fewer"),
        };
        let message = format!(
            "`{}` cannot be started: {why}; what is long can go to the program's stdin (`with` of a step with an `agent`, or a file)",
            self.program
        );
        Failure::new(Code::ArgumentTooLong, message)
    }
}

/// How long Linux lets one argument or variable be, its last byte of zero counted: `MAX_ARG_STRLEN`, 32 pages of 4 KiB.
const ARGUMENT_BYTES_MAX: usize = 128 * 1024;

/// Whether processes, files or memory ran out: it may pass.
pub(super) fn is_shortage(error: &std::io::Error) -> bool {
    let code = error.raw_os_error();
    [Errno::AGAIN, Errno::NOMEM, Errno::MFILE, Errno::NFILE]
        .iter()
        .any(|errno| code == Some(errno.raw_os_error()))
}
