//! What shells complete command lines with. The script that `completions` prints asks this program, by a variable of the
//! environment: it knows runs, steps, requests, agents and files.
//!
//! - `typed`: what is typed so far
//! - `known`: what of the store can be typed next
//!
//! Whoever presses a key waits for the answer, and did not ask for anything else: nothing is written, no message shown, and
//! whatever goes wrong is an answer without candidates.

mod known;
mod typed;

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::process::ExitCode;

use clap::{Arg, Command};
use clap_complete::engine::{
    ArgValueCandidates, ArgValueCompleter, CompletionCandidate, PathCompleter, ValueCompleter,
};
use clap_complete::env::{CompleteEnv, Shells};

use self::typed::Typed;
use super::arguments::Arguments;
use super::list::INTERRUPTED;
use super::verbs::each;
use crate::aggregates::run::RunStatus;
use crate::events::problem::{Code, Problem};
use crate::events::run::{MessageKind, RunEvent};
use crate::executors::definition::SHELL_AGENT;

/// The variable that says that a shell asks, and which one.
const ASKED_BY: &str = "REENACT_COMPLETE";

/// The name of the program, as shells complete it and find it.
const PROGRAM: &str = "reenact";

/// The verbs that do nothing with a run that has ended.
const OF_UNFINISHED: [&str; 7] = ["resume", "pause", "unpause", "cancel", "approve", "reject", "signal"];

/// Answers a shell, if one asks, what can stand on the command line that `command` makes.
///
/// # Errors
/// For a shell that is not known: whoever runs a verb did not ask for nothing.
pub(super) fn answer(words: &[OsString], command: fn() -> Command) -> Result<Option<ExitCode>, Problem> {
    // As the library has it, `0` is as good as nothing.
    let shell = std::env::var_os(ASKED_BY).filter(|shell| !shell.is_empty() && shell != "0");
    let Some(shell) = shell else { return Ok(None) };
    // It may be named by its path, as in `$SHELL`.
    let name = Path::new(&shell).file_stem().and_then(OsStr::to_str).unwrap_or_default();
    let shells = Shells::builtins();
    if shells.completer(name).is_none() {
        let message =
            format!("the variable {ASKED_BY} names `{}`, which is no shell that is known", shell.display());
        let known: Vec<_> = shells.names().collect();
        return Err(
            Problem::new(Code::Usage, message).hint(format!("there are {}; or unset it", known.join(", ")))
        );
    }
    panic::set_hook(Box::new(|_| {}));
    // Without an answer the shell completes nothing, and nobody is told why.
    let _ = panic::catch_unwind(AssertUnwindSafe(|| {
        let here = std::env::current_dir().ok();
        CompleteEnv::with_factory(command).var(ASKED_BY).bin(PROGRAM).try_complete(words, here.as_deref())
    }));
    Ok(Some(ExitCode::SUCCESS))
}

/// The script by which a shell asks; none for a shell that is not known.
pub(super) fn script(shell: &str) -> Option<String> {
    let mut script = Vec::new();
    let shell = Shells::builtins().completer(shell)?.write_registration(
        ASKED_BY,
        PROGRAM,
        PROGRAM,
        PROGRAM,
        &mut script,
    );
    shell.ok().map(|()| String::from_utf8_lossy(&script).into_owned())
}

/// The command line, with what can stand in the places of its arguments.
pub(super) fn with_values(command: Command) -> Command {
    each(command, &[], &|verb, path| {
        let verb_name = path.first().map(|name| (*name).to_owned()).unwrap_or_default();
        verb.mut_args(move |argument| with_value(&verb_name, argument))
    })
}

fn with_value(verb: &str, argument: Arg) -> Arg {
    let unfinished = OF_UNFINISHED.contains(&verb);
    match (verb, argument.get_id().as_str()) {
        ("history" | "replay", "run") => candidates(argument, |typed| {
            let streams =
                typed.agents().into_iter().map(|agent| CompletionCandidate::new(format!("agent/{agent}")));
            let talks = known::conversations(typed, "conversation/");
            known::runs(typed, false).into_iter().chain(streams).chain(talks).collect()
        }),
        (_, "run") => candidates(argument, move |typed| known::runs(typed, unfinished)),
        ("run", "until") => candidates(argument, |typed| plain(typed.steps_of_file())),
        (_, "step" | "until" | "to") => candidates(argument, known::steps),
        (_, "request") => candidates(argument, known::requests),
        (_, "conversation") => candidates(argument, |typed| known::conversations(typed, "")),
        ("signal", "name") => candidates(argument, known::signals),
        ("ask", "agent") | ("run", "agents") => candidates(argument, |typed| {
            // What is built in cannot be asked.
            plain(typed.agents().into_iter().filter(|agent| agent != SHELL_AGENT).collect())
        }),
        ("agents", "name") | ("messages" | "tasks" | "next" | "clear", "agent") => {
            candidates(argument, |typed| plain(typed.agents()))
        }
        ("run" | "validate" | "convert" | "test", "file" | "files") => {
            argument.add(ArgValueCompleter::new(workflow_files()))
        }
        ("list", "workflow") => candidates(argument, known::workflows),
        ("list", "after") => candidates(argument, |typed| known::runs(typed, false)),
        ("list" | "run" | "ask", "tags") => candidates(argument, known::tags),
        ("list", "status") => candidates(argument, |_| {
            let statuses = RunStatus::ALL.iter().map(|status| status.text());
            plain(statuses.chain([INTERRUPTED]).map(str::to_owned).collect())
        }),
        ("messages", "kind") => candidates(argument, |_| {
            plain(MessageKind::ALL.iter().map(|kind| kind.text().to_owned()).collect())
        }),
        ("history", "types") => candidates(argument, |_| {
            // Some are there with several schemas.
            let types: BTreeSet<&str> = RunEvent::TABLE.iter().map(|(name, _)| *name).collect();
            plain(types.into_iter().map(str::to_owned).collect())
        }),
        ("graph", "of") => argument.add(ArgValueCompleter::new(|typed: &OsStr| {
            let runs = Typed::of_process().map(|typed| known::runs(&typed, false)).unwrap_or_default();
            let begins = |run: &CompletionCandidate| {
                run.get_value().as_encoded_bytes().starts_with(typed.as_encoded_bytes())
            };
            let files = workflow_files().complete(typed);
            files.into_iter().chain(runs.into_iter().filter(begins)).collect::<Vec<_>>()
        })),
        ("help", "verbs") => candidates(argument, |typed| plain(verbs(typed))),
        _ => argument,
    }
}

/// The argument, with what is found out when it is asked for.
fn candidates(
    argument: Arg,
    find: impl Fn(&Typed) -> Vec<CompletionCandidate> + Send + Sync + 'static,
) -> Arg {
    argument.add(ArgValueCandidates::new(move || {
        Typed::of_process().map(|typed| find(&typed)).unwrap_or_default()
    }))
}

fn plain(names: Vec<String>) -> Vec<CompletionCandidate> {
    names.into_iter().map(CompletionCandidate::new).collect()
}

fn workflow_files() -> PathCompleter {
    let is_one = |path: &Path| {
        let kind = path.extension().and_then(|kind| kind.to_str());
        kind.is_some_and(|kind| ["yaml", "yml", "json", "md"].contains(&kind))
    };
    PathCompleter::file().filter(is_one)
}

/// The verbs in the one that is typed so far.
fn verbs(typed: &Typed) -> Vec<String> {
    use clap::CommandFactory;
    let top = Arguments::command();
    let words = typed.helped_with();
    // The word that is being typed is the last, and names none yet.
    let mut above = words.iter().take(words.len().saturating_sub(1));
    let within = above.try_fold(&top, |within, word| within.find_subcommand(word));
    within
        .into_iter()
        .flat_map(|verb| verb.get_subcommands().map(|inner| inner.get_name().to_owned()))
        .collect()
}
