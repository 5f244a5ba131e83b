//! Which program runs, in which folder, with which environment.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;

use super::super::{Failure, Task};
use crate::events::problem::{Class, Code};
use crate::workflow::work;

/// The shell of steps whose `run` is a text; where system(3) finds it too, whatever PATH says.
const SHELL: &str = "/bin/sh";

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
    let work_folder = Path::new(&*task.work_folder);
    let folder =
        task.work.cwd.as_ref().map_or_else(|| work_folder.to_path_buf(), |cwd| work_folder.join(cwd));
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
    let mut command = Command::new(if program.contains('/') { base.join(program) } else { program.into() });
    command
        .arg0(if *program == *SHELL { "sh" } else { program })
        .args(arguments)
        .current_dir(&folder)
        .env_clear()
        .envs(environment)
        .envs(&task.work.env)
        // Last, because a program relies on it.
        .envs(identity(task))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    Ok(Ready { command, program: program.clone(), folder })
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
    pub(super) fn give(&mut self, name: &str, value: &str) {
        self.command.env(name, value);
    }

    /// Starts it.
    ///
    /// # Errors
    /// Which program could not be started in which folder, and why.
    pub(super) fn spawn(mut self) -> Result<tokio::process::Child, Failure> {
        self.command.spawn().map_err(|error| self.not_started(&error))
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
        } else {
            format!("`{program}` cannot be started in `{folder}`: {error}")
        };
        let failure = Failure::new(Code::NotStarted, message);
        match error.kind() {
            ErrorKind::InvalidInput => failure.class(Class::Validation),
            // Too many processes or files, too little memory, a program that is being written: it may pass.
            ErrorKind::WouldBlock | ErrorKind::OutOfMemory | ErrorKind::ExecutableFileBusy => {
                failure.class(Class::Transient)
            }
            _ if is_out_of_files(error) => failure.class(Class::Transient),
            _ => failure,
        }
    }
}

fn is_out_of_files(error: &std::io::Error) -> bool {
    let code = error.raw_os_error();
    [rustix::io::Errno::MFILE, rustix::io::Errno::NFILE]
        .iter()
        .any(|errno| code == Some(errno.raw_os_error()))
}
