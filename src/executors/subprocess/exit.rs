//! What the end of a program means.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use super::super::{Failure, Stop};
use super::streams::Streams;
use crate::events::ids::AgentName;
use crate::events::problem::Code;
use crate::events::run::Outcome;

/// The failure that a status other than 0 stands for.
pub(super) fn failure(status: ExitStatus, streams: &Streams) -> Failure {
    let how = match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit {code}"),
        (None, Some(signal)) => format!("killed by signal {signal}"),
        (None, None) => "ended without a status".to_owned(),
    };
    let failure =
        Failure::new(status.code().map_or(Code::ExitUnknown, code_of), with_last_words(how, streams));
    Failure { exit_code: status.code(), ..failure }
}

/// The status of a shell whose program was killed by KILL.
const KILLED_IN_A_SHELL: i32 = 128 + 9;

/// Whether KILL ended the program, or the last one of its shell.
pub(super) fn is_killed(status: ExitStatus) -> bool {
    status.signal() == Some(9) || status.code() == Some(KILLED_IN_A_SHELL)
}

/// The failure of a program that the kernel killed because memory ran out.
pub(super) fn out_of_memory(status: ExitStatus, streams: &Streams) -> Failure {
    let how = "killed by the kernel: the memory that its control group may have was used up".to_owned();
    let failure = Failure::new(Code::OutOfMemory, with_last_words(how, streams));
    Failure { exit_code: status.code(), ..failure }
}

/// The failure of a program that had to stop.
pub(super) fn stopped(why: Stop, streams: &Streams) -> Failure {
    let failure = Failure::stopped(why);
    Failure { message: with_last_words(failure.message.clone(), streams), ..failure }
}

/// The failure of a program that wrote too much and was ended for it.
pub(super) fn too_large(agent: &AgentName, bytes_max: usize) -> Failure {
    let message =
        format!("the program of agent `{agent}` wrote more than {bytes_max} bytes to stdout, and was ended");
    Failure { outcome: Outcome::Unknown, ..Failure::new(Code::OutputTooLarge, message) }
}

/// The failure of a program whose status the kernel does not tell.
pub(super) fn unwaitable(error: &std::io::Error) -> Failure {
    let message = format!("how the program ended cannot be seen: {error}");
    Failure { outcome: Outcome::Unknown, ..Failure::new(Code::ExitUnknown, message) }
}

/// The table of statuses, as docs/agents.md gives it: sysexits(3) where it has a fitting one, `timeout(1)` and Rust's
/// panic (101) as transient, a shell's "cannot be executed" as fatal.
const fn code_of(status: i32) -> Code {
    match status {
        75 | 101 | 111 | 125 => Code::ExitTransient,
        65 => Code::ExitValidation,
        69 => Code::ExitDependency,
        77 | 78 | 126 | 127 => Code::ExitFatal,
        _ => Code::ExitUnknown,
    }
}

fn with_last_words(how: String, streams: &Streams) -> String {
    match streams.last_words() {
        words if words.is_empty() => how,
        words => format!("{how}: {words}"),
    }
}
