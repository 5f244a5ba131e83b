//! Command lines that are not understood: a problem like any other, with a code and a hint.

use clap::CommandFactory;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::arguments::Arguments;
use crate::events::problem::{Code, Problem, nearest};

/// Verbs that later versions have.
const VERBS_NOT_BUILT: &[&str] = &[
    "ask",
    "bisect",
    "budget",
    "bundle",
    "compact",
    "context",
    "convert",
    "dashboard",
    "diff",
    "evaluate",
    "export",
    "fork",
    "import",
    "job",
    "mcp",
    "messages",
    "metrics",
    "prune",
    "replay-check",
    "route",
    "schedule",
    "serve",
    "worker",
];

/// Options that later versions have.
const OPTIONS_NOT_BUILT: &[&str] = &["--repair"];

/// What is wrong with a command line.
pub(super) fn problem(error: &clap::Error) -> Problem {
    let subject = [ContextKind::InvalidSubcommand, ContextKind::InvalidArg]
        .into_iter()
        .find_map(|kind| text(error, kind))
        .unwrap_or_default();
    // An option that takes a value may be named with it.
    let name = subject.split(['=', ' ']).next().unwrap_or_default();
    match error.kind() {
        ErrorKind::InvalidSubcommand if VERBS_NOT_BUILT.contains(&name) => not_built(name),
        ErrorKind::UnknownArgument if OPTIONS_NOT_BUILT.contains(&name) => not_built(name),
        ErrorKind::InvalidSubcommand => {
            let problem = Problem::new(Code::Usage, format!("there is no verb `{name}`"));
            let verbs = Arguments::command();
            match nearest(name, verbs.get_subcommands().map(clap::Command::get_name)) {
                Some(near) => problem.hint(format!("did you mean `{near}`?")),
                None => problem.hint("`reenact --help` lists them"),
            }
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand => {
            Problem::new(Code::Usage, "a verb is missing").hint("`reenact --help` lists them")
        }
        ErrorKind::MissingRequiredArgument => {
            Problem::new(Code::Usage, format!("{subject} is missing")).hint(hint(error))
        }
        _ => Problem::new(Code::Usage, first_line(error)).hint(hint(error)),
    }
}

fn not_built(name: &str) -> Problem {
    Problem::new(Code::NotBuilt, format!("`{name}` is not supported by this version"))
        .hint("`reenact --help` lists what there is")
}

/// The nearest that exists, else where to look.
fn hint(error: &clap::Error) -> String {
    if let Some(near) = text(error, ContextKind::SuggestedArg) {
        return format!("did you mean `{near}`?");
    }
    if let Some(ContextValue::Strings(all)) = error.get(ContextKind::ValidValue)
        && !all.is_empty()
    {
        return format!("it takes one of {}", all.join(", "));
    }
    // "Usage: reenact run [OPTIONS] <FILE>"
    let usage = text(error, ContextKind::Usage).unwrap_or_default();
    match usage.trim().strip_prefix("Usage: ") {
        Some(usage) => format!("it is called as `{}`", usage.lines().next().unwrap_or(usage)),
        None => "`reenact --help` lists the verbs, `reenact VERB --help` what each takes".to_owned(),
    }
}

fn text(error: &clap::Error, kind: ContextKind) -> Option<String> {
    match error.get(kind)? {
        ContextValue::String(text) => Some(text.clone()),
        ContextValue::Strings(texts) => texts.first().cloned(),
        ContextValue::StyledStr(text) => Some(text.to_string()),
        _ => None,
    }
}

fn first_line(error: &clap::Error) -> String {
    let text = error.to_string();
    let line = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
    // The words of a parser of numbers.
    line.replace("invalid digit found in string", "it is no whole number")
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn told(words: &[&str]) -> (String, Vec<String>) {
        let wrong = Arguments::try_parse_from(std::iter::once(&"reenact").chain(words)).unwrap_err();
        let problem = problem(&wrong);
        (problem.message.clone(), problem.remedies.all.iter().map(|remedy| format!("{remedy:?}")).collect())
    }

    #[test]
    fn a_word_of_some_that_there_are_is_refused_with_all_of_them() {
        for (words, takes) in [
            (&["run", "w.yaml", "--show", "foo"][..], "live, prefixed, grouped, quiet"),
            (&["graph", "w.yaml", "--format", "svg"], "mermaid, dot, text"),
            (&["--color", "foo", "list"], "auto, always, never"),
        ] {
            let (message, hints) = told(words);
            assert!(hints.concat().contains(&format!("it takes one of {takes}")), "{message} {hints:?}");
        }
    }

    #[test]
    fn what_is_no_number_is_told_in_words() {
        for words in [["list", "--limit", "x"], ["replay", "--at", "x"]] {
            let (message, _) = told(&words);
            assert!(message.ends_with("it is no whole number"), "{message}");
        }
    }
}
