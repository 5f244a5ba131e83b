//! Rules for commands that read their arguments again: as commands, as names of variables, or as actions.

use super::flow::{INSERTED, POSITIONAL, PRINTED, is_read_by_the_shell};
use super::grammar::is_reserved;
use super::reader::{Read, Reader, is_name, is_of_name, lost};
use super::words::Word;

/// Builtins whose arguments are code or names: in names, bash runs the command of `a[$(command)]`.
const READ_AGAIN: [&str; 18] = [
    "alias",
    "unalias",
    "unset",
    "read",
    "readarray",
    "mapfile",
    "getopts",
    "enable",
    "bind",
    "complete",
    "compgen",
    "compopt",
    "wait",
    "fc",
    "history",
    "jobs",
    "hash",
    "caller",
];

/// Programs that pass the words behind them to a shell.
const GIVEN_TO_A_SHELL: [&str; 2] = ["watch", "parallel"];

/// Programs whose `-c` takes a text of commands, wherever they stand in a command: `find -exec sh -c`.
const SHELLS: [&str; 11] =
    ["sh", "bash", "dash", "ash", "zsh", "ksh", "mksh", "csh", "tcsh", "fish", "rbash"];

/// Programs like these, with other arguments before the `-c`.
const LIKE_SHELLS: [&str; 4] = ["su", "runuser", "script", "flock"];

/// Programs that run the command behind them.
const WRAPPERS: [&str; 9] = ["sudo", "doas", "nohup", "timeout", "nice", "env", "setsid", "stdbuf", "xargs"];

impl Reader {
    pub(super) fn assign(&mut self, name: &str, word: &Word) {
        if is_read_by_the_shell(name) {
            self.refuse_all(word.span.clone(), &format!("in `{name}`, which the shell itself reads"));
            word.names.iter().for_each(|name| self.evaluate(name));
        }
        self.flow.assign(name, word.given(), &word.names);
    }

    /// Reads `name=value`: a second word would be a command.
    pub(super) fn assignment(&mut self, name: &str, word: &Word) {
        self.assign(name, word);
        self.put(word, true);
    }

    /// Judges a complete command. Its here-documents are those from number `documents` on.
    pub(super) fn judge(&mut self, words: &[Word], documents: usize, here_strings: &[Word]) -> Read<()> {
        let words = behind_prefixes(words)?;
        let Some((command, arguments)) = words.split_first() else { return Ok(()) };
        if arguments.is_empty() && command.text.is_empty() && matches!(*command.values, [_]) {
            // The whole command is the value, which names a program. If that is a shell, it would read
            // what it is given.
            self.evaluate(PRINTED);
            self.commands_are_read(documents, here_strings);
            self.put(command, true);
            return Ok(());
        }
        self.name_of_command(command);
        self.nested_shell(words, documents, here_strings)?;
        if let Some(name) = command.literal() {
            self.builtin(name, arguments)?;
        }
        arguments.iter().for_each(|word| self.put(word, false));
        Ok(())
    }

    /// A value may be part of the path of a program. As the whole name it could be `eval`.
    fn name_of_command(&mut self, command: &Word) {
        let is_path = command.text.contains('/')
            && !command.braces
            && command.text.chars().all(|c| c.is_alphanumeric() || "/_-.~+@:,%".contains(c));
        if !is_path {
            self.refuse_all(command.span.clone(), "where the name of a command stands");
        }
        if command.head.is_empty() && (!is_path || command.bare) {
            // Without quotes a parameter is split into words: a command and its arguments.
            let is_read = |name: &&String| is_name(name) || (command.bare && **name == POSITIONAL);
            let names = command.names.iter().filter(is_read);
            names.for_each(|name| self.evaluate(name));
        }
        self.put(command, true);
    }

    fn builtin(&mut self, name: &str, arguments: &[Word]) -> Read<()> {
        match name {
            "eval" => {
                self.commands_in(name, arguments)?;
            }
            "trap" => {
                let action = arguments.iter().position(|word| !word.head.starts_with('-')).unwrap_or(0);
                self.commands_in(name, arguments.get(action..=action).unwrap_or_default())?;
                self.read_as_names(name, arguments);
            }
            "alias" | "shopt" => return lost(format!("`{name}`, which changes how commands are read")),
            "read" => {
                self.read_as_names(name, arguments);
                let names = arguments.iter().filter_map(Word::literal).filter(|text| is_name(text));
                names.for_each(|name| self.flow.assign(name, [], [&PRINTED.to_owned()]));
            }
            "let" => {
                // There names of variables are read as numbers, with or without a dollar.
                let is_of_no_name = |c: char| !is_of_name(c);
                let names = arguments.iter().flat_map(|word| word.text.split(is_of_no_name));
                names.filter(|name| is_name(name)).for_each(|name| self.evaluate(name));
                self.read_as_names(name, arguments);
            }
            name if READ_AGAIN.contains(&name) => self.read_as_names(name, arguments),
            "export" | "readonly" | "local" | "declare" | "typeset" => self.declaration(name, arguments)?,
            "printf" | "echo" => {
                if name == "printf" {
                    self.format(arguments);
                }
                arguments.iter().for_each(|word| self.flow.printed.extend(word.given()));
            }
            "set" => self.set(arguments)?,
            "test" => self.test(arguments),
            "[" => match arguments.split_last() {
                Some((last, arguments)) if last.literal() == Some("]") => self.test(arguments),
                _ => return lost("`[` that is not closed"),
            },
            "." | "source" => {
                if let Some((file, _)) = arguments.split_first() {
                    if !file.text.contains('/') {
                        self.refuse_all(file.span.clone(), "where a file of commands is named");
                    }
                    self.put(file, true);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Reads arguments that are taken as commands.
    fn commands_in(&mut self, name: &str, words: &[Word]) -> Read<()> {
        for word in words {
            self.refuse_all(word.span.clone(), &format!("where `{name}` reads it again, as a command"));
            word.names.iter().for_each(|name| self.evaluate(name));
        }
        let texts: Option<Vec<_>> = words.iter().map(Word::literal).collect();
        match texts {
            Some(texts) => self.read_inner(&texts.join(" ")),
            None => Ok(()),
        }
    }

    fn read_as_names(&mut self, name: &str, words: &[Word]) {
        for word in words {
            self.refuse_all(word.span.clone(), &format!("where `{name}` reads it again"));
            word.names.iter().for_each(|name| self.evaluate(name));
        }
    }

    /// Reads `export a=…` and the like: only values of variables may stand there.
    fn declaration(&mut self, name: &str, arguments: &[Word]) -> Read<()> {
        for word in arguments {
            if let Some(variable) = &word.assigns {
                self.assignment(variable, word);
                continue;
            }
            if word.head.contains('[') || word.head.starts_with('+') {
                return lost(format!("`{name}` of an array"));
            }
            if word.head.starts_with('-')
                && !matches!(word.literal(), Some("-r" | "-x" | "-g" | "-p" | "-rx"))
            {
                return lost(format!("an option of `{name}` that changes what variables are"));
            }
            self.read_as_names(name, std::slice::from_ref(word));
        }
        Ok(())
    }

    /// Reads `printf`: a format that could be an option is read again; behind an option, everything is.
    fn format(&mut self, arguments: &[Word]) {
        let is_option = |word: &&Word| word.head.len() > 1 && word.head.starts_with('-');
        let words = match arguments.split_first() {
            Some((first, rest)) if first.literal() == Some("--") => rest,
            _ => arguments,
        };
        match words.first().filter(|word| words.len() < arguments.len() || !is_option(word)) {
            Some(format) if !format.head.is_empty() => {}
            Some(format) if format.values.is_empty() => {
                self.read_as_names("printf", std::slice::from_ref(format))
            }
            _ => self.read_as_names("printf", arguments),
        }
    }

    /// Reads `set`: options that do not change how commands are read, and parameters.
    fn set(&mut self, arguments: &[Word]) -> Read<()> {
        const OPTIONS: [&str; 11] = [
            "pipefail",
            "errexit",
            "nounset",
            "xtrace",
            "noglob",
            "noclobber",
            "verbose",
            "allexport",
            "noexec",
            "errtrace",
            "functrace",
        ];
        let mut words = arguments.iter();
        while let Some(word) = words.next() {
            let Some(text) = word.literal() else {
                self.read_as_names("set", std::slice::from_ref(word));
                return lost("`set` without `--` before its words");
            };
            // Behind these, and from the first word on that is not an option, all words are parameters.
            let letters = match text.strip_prefix(['-', '+']) {
                None | Some("" | "-") => return Ok(()),
                Some(letters) => letters,
            };
            if !letters.chars().all(|c| "aefuxvCEThbmo".contains(c)) {
                return lost("an option of `set` that is not known");
            }
            let is_known = |word: Option<&Word>| {
                word.is_none_or(|word| word.literal().is_some_and(|text| OPTIONS.contains(&text)))
            };
            if letters.contains('o') && !is_known(words.next()) {
                return lost("an option of `set` that is not known");
            }
        }
        Ok(())
    }

    /// Reads `test` and `[`: in bash, `-v` runs the command of `a[$(command)]`, so no value may stand where
    /// `-v` or its name could.
    fn test(&mut self, arguments: &[Word]) {
        let arguments = match arguments.split_first() {
            Some((first, rest)) if first.literal() == Some("!") => rest,
            _ => arguments,
        };
        let is_unary = |text: &str| {
            text.strip_prefix('-')
                .is_some_and(|letter| letter.len() == 1 && "bcdefghkLnprstuwxzOGNS".contains(letter))
        };
        let is_binary = |text: &str| {
            ["=", "!=", "==", "-eq", "-ne", "-lt", "-le", "-gt", "-ge", "-nt", "-ot", "-ef"].contains(&text)
        };
        let is_known = match arguments {
            [] | [_] => true,
            [operator, _] => operator.literal().is_some_and(is_unary),
            [_, operator, _] => operator.literal().is_some_and(is_binary),
            _ => false,
        };
        for word in arguments {
            if !is_known {
                let why = "in a test of several parts, which may read it as an operator: join tests by `&&`";
                self.refuse_all(word.span.clone(), why);
            }
            if word.bare || matches!(arguments, [operator, _] if operator.text == "-v") {
                word.names.iter().for_each(|name| self.evaluate(name));
                let printed: Vec<_> = word.printed.clone();
                printed
                    .into_iter()
                    .for_each(|value| self.refuse(value, "in a test, in words without quotes"));
            }
            self.put(word, true);
        }
    }

    /// Reads shells that a command starts, with the text that is the command for them.
    fn nested_shell(&mut self, words: &[Word], documents: usize, here_strings: &[Word]) -> Read<()> {
        let name =
            |word: &Word| word.literal().map(|text| text.rsplit('/').next().unwrap_or(text).to_owned());
        let first = words.first().and_then(name).unwrap_or_default();
        let inserts = first == "find" || first == "xargs";
        for (at, word) in words.iter().enumerate() {
            let rest = words.get(at + 1..).unwrap_or_default();
            let is = name(word);
            let is_named = |names: &[&str]| is.as_deref().is_some_and(|name| names.contains(&name));
            let is_chosen =
                at == 0 && (!word.span.is_empty() || word.names.iter().any(|name| name == "SHELL"));
            let runs = at == 0 || WRAPPERS.contains(&first.as_str());
            let may_run = runs || inserts;
            if is_named(&SHELLS) || is_chosen {
                if self.arguments_of_a_shell(word, rest, runs, inserts)? && runs && is.is_some() {
                    self.evaluate(PRINTED);
                    self.commands_are_read(documents, here_strings);
                }
            } else if is_named(&LIKE_SHELLS) {
                self.text_among_options(&word.text, rest, inserts)?;
                break;
            } else if is_named(&GIVEN_TO_A_SHELL) && may_run {
                self.read_as_names(&word.text, rest);
                break;
            } else if is_named(&["ssh"]) && may_run {
                self.remote(rest);
                self.commands_are_read(documents, here_strings);
                break;
            }
        }
        Ok(())
    }

    /// Reads the arguments of a program that takes a text of commands behind an option: `-c`, also at the end
    /// of several letters as in `-qec`, or `--command`, with or without an equals sign.
    fn text_among_options(&mut self, program: &str, rest: &[Word], inserts: bool) -> Read<()> {
        for (at, word) in rest.iter().enumerate() {
            let is_cluster =
                word.head.starts_with('-') && !word.head.starts_with("--") && word.head.contains('c');
            if word.literal() == Some("--command") || (is_cluster && word.literal().is_some()) {
                return self.text_of_a_shell(program, rest.get(at + 1..).unwrap_or_default(), inserts);
            }
            if is_cluster || word.head.starts_with("--command=") {
                self.read_as_names(program, std::slice::from_ref(word));
            }
        }
        Ok(())
    }

    /// Reads the arguments of a shell. Answers whether it reads its commands from stdin.
    fn arguments_of_a_shell(&mut self, shell: &Word, rest: &[Word], runs: bool, inserts: bool) -> Read<bool> {
        let (mut has_text, mut are_options, mut skips) = (false, true, false);
        for (at, word) in rest.iter().enumerate() {
            if std::mem::take(&mut skips) {
                continue;
            }
            let letters = word.head.strip_prefix(['-', '+']).filter(|_| are_options);
            if let Some(letters) = letters.filter(|_| word.literal().is_some()) {
                are_options = !matches!(letters, "" | "-");
                let is_short = !letters.starts_with('-');
                has_text |= is_short && letters.contains('c');
                skips = is_short && letters.contains(['o', 'O']);
                continue;
            }
            if has_text {
                self.text_of_a_shell(&shell.text, rest.get(at..).unwrap_or_default(), inserts)?;
            } else if letters.is_some() || (are_options && runs && word.head.is_empty()) {
                self.refuse_all(word.span.clone(), "where a shell may read it as an option");
                word.names.iter().for_each(|name| self.evaluate(name));
            }
            if runs {
                self.put(word, true);
            }
            return Ok(false);
        }
        Ok(!has_text)
    }

    /// Reads words of which the first is a text of commands, and the others are its parameters.
    fn text_of_a_shell(&mut self, shell: &str, words: &[Word], inserts: bool) -> Read<()> {
        let Some(text) = words.first() else { return Ok(()) };
        if inserts && text.text.contains("{}") {
            self.evaluate(INSERTED);
        }
        let shell = if shell.is_empty() { "a shell" } else { shell };
        self.commands_in(shell, std::slice::from_ref(text))
    }

    /// Notes that a command reads as commands what it gets on stdin.
    fn commands_are_read(&mut self, documents: usize, here_strings: &[Word]) {
        self.here_documents.iter_mut().skip(documents).for_each(|document| document.evaluated = true);
        self.read_as_names("a shell", here_strings);
    }

    /// Reads the words behind `ssh`: options, a host, and a command that a shell on the host reads.
    fn remote(&mut self, words: &[Word]) {
        let mut words = words.iter();
        while let Some(word) = words.next() {
            match word.head.strip_prefix('-') {
                Some(letters) if !letters.is_empty() => {
                    // The first letter that takes an argument takes the rest of the word, or the next word
                    // if nothing is left.
                    let takes = letters.find(|letter| "BbcDEeFIiJLlmOoPpQRSWw".contains(letter));
                    if word.literal().is_some() && takes == Some(letters.len() - 1) {
                        words.next();
                    }
                }
                _ => {
                    self.put(word, true);
                    break;
                }
            }
        }
        self.read_as_names("the shell of the host", words.as_slice());
    }
}

/// The words of a command without those that only say how it is run.
fn behind_prefixes(words: &[Word]) -> Read<&[Word]> {
    let mut words = words;
    while let Some((first, mut rest)) = words.split_first() {
        let Some(prefix @ ("command" | "builtin" | "exec" | "time")) = first.literal() else { break };
        while let Some((option, others)) = rest.split_first() {
            match option.literal() {
                Some("-v" | "-V") if prefix == "command" => return Ok(words),
                Some("-p" | "--") => rest = others,
                Some(text) if text.starts_with('-') => return lost(format!("an option of `{prefix}`")),
                _ => break,
            }
        }
        if prefix == "time" && rest.first().and_then(Word::plain).is_some_and(is_reserved) {
            return lost("`time` before a compound command");
        }
        words = rest;
    }
    Ok(words)
}
