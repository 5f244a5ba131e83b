//! The verbs of the command line, with those that are in others.

use clap::Command;

/// Does something to a verb, and to all verbs in it; each is told with the verbs that it is in.
pub(super) fn each(command: Command, path: &[&str], change: &dyn Fn(Command, &[&str]) -> Command) -> Command {
    let names: Vec<String> = command.get_subcommands().map(|verb| verb.get_name().to_owned()).collect();
    names.iter().fold(change(command, path), |command, name| {
        let path: Vec<&str> = path.iter().copied().chain([name.as_str()]).collect();
        command.mut_subcommand(name, |verb| each(verb, &path, change))
    })
}
