//! Follows values through the variables of a command.

use std::collections::{BTreeMap, BTreeSet};

/// A value that is read again, by what, and where that is named in the text, if it is.
pub(super) type ReadAgain = (usize, String, Option<usize>);

/// Stands for all positional parameters. Which of them a value gets into is not followed.
pub(super) const POSITIONAL: &str = "@";

/// Stands for what commands print with `echo` and `printf`, and what `read` or a
/// shell without arguments reads.
pub(super) const PRINTED: &str = "|";

/// Stands for file names that `find` and `xargs` insert for `{}`.
pub(super) const INSERTED: &str = "{}";

/// The variables that get values, and those that are read again: as commands by `eval`, or as numbers, for which bash
/// runs the command in `a[$(command)]`.
#[derive(Debug, Default)]
pub(super) struct Flow {
    /// For each variable the values that were directly assigned to it.
    given: BTreeMap<String, BTreeSet<usize>>,
    /// For each variable the variables that its value was made from.
    made_from: BTreeMap<String, BTreeSet<String>>,
    /// The variables that are read again, each with the item of the text where that is named first. What begins with a digit is
    /// a number and left out.
    pub(super) evaluated: BTreeMap<String, Option<usize>>,
    /// The values that `echo` and `printf` print.
    pub(super) printed: Vec<usize>,
    /// All values that reach any word of a command.
    pub(super) all: BTreeSet<usize>,
}

impl Flow {
    pub(super) fn assign<'n>(
        &mut self,
        name: &str,
        values: impl IntoIterator<Item = usize>,
        names: impl IntoIterator<Item = &'n String>,
    ) {
        self.given.entry(name.to_owned()).or_default().extend(values);
        self.made_from.entry(name.to_owned()).or_default().extend(names.into_iter().cloned());
    }

    pub(super) fn evaluate(&mut self, name: &str, at: Option<usize>) {
        if !name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit()) {
            self.evaluated.entry(name.to_owned()).or_insert(at);
        }
    }

    /// The values that reach something that is read again.
    pub(super) fn read_again(&self) -> Vec<ReadAgain> {
        let (mut found, mut known) = (Vec::new(), BTreeSet::new());
        for (sink, at) in &self.evaluated {
            let mut open = vec![sink.as_str()];
            while let Some(name) = open.pop() {
                if known.insert(name) {
                    found.extend(self.reach(name).into_iter().map(|value| (value, shown(sink), *at)));
                    open.extend(self.made_from.get(name).into_iter().flatten().map(String::as_str));
                }
            }
        }
        found
    }

    /// The values that are directly assigned to variables, each with the variable.
    pub(super) fn assigned(&self) -> Vec<(usize, String)> {
        let given = self.given.iter();
        given.flat_map(|(name, values)| values.iter().map(|value| (*value, shown(name)))).collect()
    }

    fn reach(&self, name: &str) -> BTreeSet<usize> {
        match name {
            POSITIONAL | INSERTED => self.all.clone(),
            PRINTED => self.printed.iter().copied().collect(),
            _ => self.given.get(name).cloned().unwrap_or_default(),
        }
    }
}

fn shown(name: &str) -> String {
    match name {
        PRINTED => "what is printed for a shell".to_owned(),
        INSERTED => "the file name for `{}`".to_owned(),
        name => format!("`${name}`"),
    }
}

/// Whether a variable is one that the shell itself reads as commands or as numbers once it is set.
pub(super) fn is_read_by_the_shell(name: &str) -> bool {
    const NAMES: [&str; 17] = [
        "ENV",
        "PROMPT_COMMAND",
        "PS0",
        "PS1",
        "PS2",
        "PS3",
        "PS4",
        "SHELLOPTS",
        "RANDOM",
        "SRANDOM",
        "SECONDS",
        "LINENO",
        "HISTCMD",
        "EPOCHSECONDS",
        "EPOCHREALTIME",
        "OPTIND",
        "UID",
    ];
    NAMES.contains(&name) || name.starts_with("BASH")
}
