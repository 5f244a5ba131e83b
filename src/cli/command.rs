//! The command line as clap sees it: the arguments, with examples for people and with what completes them for shells.

use std::ffi::OsString;

use clap::{Command, CommandFactory, FromArgMatches};

use super::arguments::Arguments;
use super::{complete, examples};

/// All verbs, with all that is said of them.
pub(super) fn command() -> Command {
    complete::with_values(examples::with_examples(Arguments::command()))
}

/// What these words say, the first of which is the program's name.
///
/// # Errors
/// For what is not understood, and where help is asked for.
pub(super) fn parse(
    words: impl IntoIterator<Item = impl Into<OsString> + Clone>,
) -> clap::error::Result<Arguments> {
    let mut command = command();
    let matches = command.try_get_matches_from_mut(words)?;
    Arguments::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
}
