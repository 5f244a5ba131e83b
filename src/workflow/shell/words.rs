//! Reads the words of a command, with their quotes and expansions.

use std::ops::Range;

use super::WordPosition;
use super::flow::POSITIONAL;
use super::reader::{Item, Read, Reader, is_name, is_of_name, is_simple, lost};

/// A word, as it was read.
#[derive(Debug, Default)]
pub(super) struct Word {
    /// The literal parts of it, without quotes.
    pub(super) text: String,
    /// The literal part at its beginning.
    pub(super) head: String,
    /// Whether something in it is a value or is expanded.
    pub(super) changes: bool,
    /// Whether something in it is quoted.
    pub(super) quoted: bool,
    /// Whether something in it is expanded without quotes, so that it may become any number of words.
    pub(super) bare: bool,
    /// Whether it has braces that bash may expand to several words.
    pub(super) braces: bool,
    /// The variable that it would set if it stood at the beginning of a command.
    pub(super) assigns: Option<String>,
    /// The numbers of the values that are parts of it.
    pub(super) values: Vec<usize>,
    /// The numbers of all values in it, including those in its substitutions.
    pub(super) span: Range<usize>,
    /// The numbers of the values that its substitutions print.
    pub(super) printed: Vec<usize>,
    /// The names of the variables that are expanded in it.
    pub(super) names: Vec<String>,
    pieces: usize,
}

impl Word {
    /// The text of the word, if no value or variable changes it.
    pub(super) fn literal(&self) -> Option<&str> {
        (!self.changes).then_some(self.text.as_str())
    }

    /// The text of the word, if also nothing in it is quoted, so that it may be a word of the grammar.
    pub(super) fn plain(&self) -> Option<&str> {
        self.literal().filter(|_| !self.quoted)
    }

    /// The values that become part of the word.
    pub(super) fn given(&self) -> impl Iterator<Item = usize> {
        self.values.iter().chain(&self.printed).copied()
    }

    fn push(&mut self, c: char) {
        self.pieces += 1;
        self.text.push(c);
        if !self.changes {
            self.head.push(c);
        }
    }

    fn expands(&mut self, quoted: bool) {
        self.pieces += 1;
        self.changes = true;
        self.bare |= !quoted;
    }
}

/// Whether a character ends a word.
pub(super) fn is_meta(c: char) -> bool {
    " \t\n;&|<>()".contains(c)
}

const IN_QUOTES: &str = "in quotes, which its own would end";
const IN_BRACES: &str = "in `${ … }`, in which shells read quotes each in its own way";

impl Reader {
    /// Reads the word that begins here. At the beginning of a command `a[` begins an assignment to an array.
    pub(super) fn word(&mut self, begins_command: bool) -> Read<Word> {
        let mut word = Word { span: self.seen..self.seen, ..Word::default() };
        while let Some(item) = self.peek() {
            match item {
                Item::Char(c) if is_meta(c) => break,
                Item::Char('[') if begins_command && word.plain().is_some_and(is_name) => {
                    return lost("an element of an array");
                }
                Item::Char(c) => self.part(&mut word, c)?,
                Item::Value(value) => {
                    word.expands(true);
                    word.values.push(value);
                    self.skip(1);
                }
                Item::Raw(_) => {
                    word.expands(false);
                    self.skip(1);
                }
            }
        }
        word.span.end = self.seen;
        if word.pieces == 0 {
            return lost("what is no word");
        }
        let is_descriptor = |text: &str| text.ends_with('}') || text.chars().all(|c| c.is_ascii_digit());
        if matches!(self.char(), Some('<' | '>')) && word.plain().is_some_and(is_descriptor) {
            return lost("a descriptor of several digits, or in braces");
        }
        Ok(word)
    }

    /// Notes for the values of a word how they stand.
    pub(super) fn put(&mut self, word: &Word, one: bool) {
        self.flow.all.extend(word.span.clone());
        let part = if word.pieces > 1 { WordPosition::Part } else { WordPosition::Words };
        for value in &word.values {
            if word.braces {
                self.refuse(*value, "in a word with braces, which bash may expand");
            }
            self.accept(*value, if one { WordPosition::One } else { part });
        }
    }

    fn part(&mut self, word: &mut Word, c: char) -> Read<()> {
        match c {
            '\'' => return self.single(word),
            '"' => return self.double(word),
            '\\' => return self.escape(word),
            '`' => return self.backquotes(word, false),
            '$' => return self.dollar(word, false),
            '#' if word.pieces == 0 => return lost("a comment where a word should be"),
            '{' if self.char_at(1) == Some('}') => {
                word.push(c);
                self.skip(1);
                word.push('}');
            }
            '{' => {
                word.push(c);
                word.braces = true;
            }
            '=' => {
                let name = word.plain().map(|text| text.strip_suffix('+').unwrap_or(text));
                if let Some(name) = name.filter(|name| is_name(name)) {
                    word.assigns = Some(name.to_owned());
                }
                word.push(c);
            }
            c if c.is_control() || (c.is_whitespace() && !c.is_ascii()) => {
                return lost("a control character, or a space that is none to every shell");
            }
            c => word.push(c),
        }
        self.skip(1);
        Ok(())
    }

    fn single(&mut self, word: &mut Word) -> Read<()> {
        (word.pieces, word.quoted) = (word.pieces + 1, true);
        self.skip(1);
        loop {
            match self.peek() {
                None => return lost("a quote that is not closed"),
                Some(Item::Char('\'')) => break,
                Some(Item::Char(c)) => {
                    if c == '\n' {
                        self.line_ends_in_a_word()?;
                    }
                    word.push(c);
                }
                Some(Item::Value(value)) => self.refuse(value, IN_QUOTES),
                Some(Item::Raw(_)) => word.expands(true),
            }
            self.skip(1);
        }
        self.skip(1);
        Ok(())
    }

    fn double(&mut self, word: &mut Word) -> Read<()> {
        (word.pieces, word.quoted) = (word.pieces + 1, true);
        self.skip(1);
        loop {
            match self.peek() {
                None => return lost("a quote that is not closed"),
                Some(Item::Char('"')) => break,
                Some(Item::Char('$')) => {
                    self.dollar(word, true)?;
                    continue;
                }
                Some(Item::Char('`')) => {
                    self.backquotes(word, true)?;
                    continue;
                }
                Some(Item::Char('\\')) => {
                    self.skip(1);
                    match self.peek() {
                        Some(Item::Char(c)) => {
                            if !"$`\"\\\n".contains(c) {
                                word.push('\\');
                            }
                            if c != '\n' {
                                word.push(c);
                            } else {
                                self.line_ends_in_a_word()?;
                            }
                        }
                        Some(Item::Value(value)) => self.refuse(value, IN_QUOTES),
                        Some(Item::Raw(_)) | None => return lost("a backslash before what is no character"),
                    }
                }
                Some(Item::Char(c)) => {
                    if c == '\n' {
                        self.line_ends_in_a_word()?;
                    }
                    word.push(c);
                }
                Some(Item::Value(value)) => self.refuse(value, IN_QUOTES),
                Some(Item::Raw(_)) => word.expands(true),
            }
            self.skip(1);
        }
        self.skip(1);
        Ok(())
    }

    fn escape(&mut self, word: &mut Word) -> Read<()> {
        match self.char_at(1) {
            Some('\n') => lost("a line that is continued in the middle of a word"),
            Some(c) => {
                word.quoted = true;
                word.push(c);
                self.skip(2);
                Ok(())
            }
            None => lost("a backslash, which would take the first quote away"),
        }
    }

    /// Reads backquotes, whose content is read twice, by rules of its own: only what means itself in all
    /// of them is understood.
    fn backquotes(&mut self, word: &mut Word, quoted: bool) -> Read<()> {
        word.expands(quoted);
        self.skip(1);
        while let Some(item) = self.peek() {
            match item {
                Item::Char('`') => {
                    self.skip(1);
                    return Ok(());
                }
                Item::Char(c) if is_simple(c) || "|;&>*?".contains(c) => {}
                Item::Char('$') if self.char_at(1).is_some_and(is_of_name) => {
                    let name = self.name_at(1);
                    self.skip(name.chars().count());
                    word.names.push(name);
                }
                Item::Value(value) => self.refuse(value, "in backquotes, which read a value again"),
                Item::Raw(_) => {}
                Item::Char(_) => return lost("backquotes with quotes or expansions in them"),
            }
            self.skip(1);
        }
        lost("a backquote that is not closed")
    }

    fn name_at(&self, offset: usize) -> String {
        (offset..).map_while(|offset| self.char_at(offset).filter(|c| is_of_name(*c))).collect()
    }

    fn dollar(&mut self, word: &mut Word, quoted: bool) -> Read<()> {
        self.deeper()?;
        self.skip(1);
        self.expansion(word, quoted)?;
        self.depth -= 1;
        Ok(())
    }

    /// Reads what follows a `$`.
    fn expansion(&mut self, word: &mut Word, quoted: bool) -> Read<()> {
        match self.char() {
            Some('(') => {
                word.expands(quoted);
                self.skip(1);
                if self.take("(") { self.arithmetic() } else { self.substitution(word) }
            }
            Some('{') => {
                word.expands(quoted);
                self.skip(1);
                self.braces(word, quoted)
            }
            Some(c) if is_of_name(c) || "@*#?$!-".contains(c) => {
                word.expands(quoted);
                let name = self.parameter()?;
                word.names.push(name);
                if self.looking_at("\\\n") { lost("a name that goes on in the next line") } else { Ok(()) }
            }
            c if is_text_behind_a_dollar(c, quoted) && (c.is_some() || self.peek().is_none()) => {
                word.push('$');
                Ok(())
            }
            _ => lost("a `$` before what is no name"),
        }
    }

    /// Reads the name of a variable or a parameter.
    fn parameter(&mut self) -> Read<String> {
        match self.char() {
            Some(c) if c.is_ascii_digit() => {
                self.skip(1);
                Ok(POSITIONAL.to_owned())
            }
            Some(c) if is_of_name(c) => {
                let name = self.name_at(0);
                self.skip(name.chars().count());
                Ok(name)
            }
            Some('@' | '*') => {
                self.skip(1);
                Ok(POSITIONAL.to_owned())
            }
            Some(c) if "#?$!-".contains(c) => {
                self.skip(1);
                Ok(c.to_string())
            }
            _ => lost("`${ … }` without a name"),
        }
    }

    fn substitution(&mut self, word: &mut Word) -> Read<()> {
        let printed = self.flow.printed.len();
        self.substitutions += 1;
        self.list(&[])?;
        if !self.take(")") {
            return lost("`$(` that is not closed");
        }
        self.substitutions -= 1;
        word.printed.extend(self.flow.printed.iter().skip(printed));
        Ok(())
    }

    fn braces(&mut self, word: &mut Word, quoted: bool) -> Read<()> {
        if self.take("!") {
            let name = self.parameter()?;
            self.evaluate(&name);
            return if self.take("}") { Ok(()) } else { lost("`${! … }` with more than a name in it") };
        }
        let is_length = self.char_at(1) != Some('}') && self.take("#");
        let name = self.parameter()?;
        word.names.push(name);
        if !self.take("[@]") && !self.take("[*]") && self.take("[") {
            let index = self.name_at(0);
            self.skip(index.chars().count());
            self.evaluate(&index);
            if !self.take("]") {
                return lost("an element of an array");
            }
        }
        if self.take("}") {
            return Ok(());
        }
        const OPERATORS: [&str; 19] = [
            ":-", ":+", ":=", ":?", "##", "%%", "//", "^^", ",,", "#", "%", "/", "-", "+", "=", "?", "^",
            ",", ":",
        ];
        match OPERATORS.into_iter().find(|operator| !is_length && self.take(operator)) {
            Some(operator) => self.operand(word, quoted, operator),
            None => lost("`${ … }` with more than a name and an operator in it"),
        }
    }

    /// Reads what stands behind the operator in `${name:-…}`, up to the brace.
    fn operand(&mut self, word: &mut Word, quoted: bool, operator: &str) -> Read<()> {
        let takes_value = !quoted && matches!(operator, ":-" | ":+" | "-" | "+");
        let is_pattern = matches!(operator, "#" | "##" | "%" | "%%" | "/" | "//");
        while let Some(item) = self.peek() {
            match item {
                Item::Char('}') => {
                    self.skip(1);
                    return Ok(());
                }
                Item::Char('$') => {
                    let (before, names) = (self.seen, word.names.len());
                    self.dollar(word, quoted)?;
                    self.refuse_all(before..self.seen, IN_BRACES);
                    if operator == ":" {
                        // It is a number, which bash reads again.
                        word.names.iter().skip(names).for_each(|name| self.evaluate(name));
                    }
                    continue;
                }
                Item::Char(c) if operator == ":" && is_of_name(c) => {
                    let name = self.name_at(0);
                    self.evaluate(&name);
                    self.skip(name.chars().count());
                    continue;
                }
                Item::Char('#') if is_pattern => {}
                Item::Char(c) if is_simple(c) || c.is_alphanumeric() || "*?^~[]!".contains(c) => {}
                Item::Value(value) if takes_value => word.values.push(value),
                Item::Value(value) => self.refuse(value, IN_BRACES),
                Item::Raw(_) => {}
                Item::Char(_) => return lost("`${ … }` with quotes or signs of the shell in it"),
            }
            self.skip(1);
        }
        lost("`${` that is not closed")
    }

    /// Reads `$(( … ))`, from behind its second parenthesis. Bash reads the values of variables in it again.
    fn arithmetic(&mut self) -> Read<()> {
        let mut open = 0_usize;
        while let Some(item) = self.peek() {
            match item {
                Item::Char('(') => open += 1,
                Item::Char(')') if open > 0 => open -= 1,
                Item::Char(')') if self.take("))") => return Ok(()),
                Item::Char('$') => {
                    let mut number = Word::default();
                    self.dollar(&mut number, true)?;
                    number.names.iter().for_each(|name| self.evaluate(name));
                    for value in number.printed {
                        self.refuse(value, "in arithmetic, which reads what a command prints again");
                    }
                    continue;
                }
                Item::Char(c) if is_of_name(c) => {
                    let name = self.name_at(0);
                    if is_name(&name) {
                        self.evaluate(&name);
                    }
                    self.skip(name.chars().count());
                    continue;
                }
                Item::Char(c) if " \t+-*/%<>=!&|^~?:,".contains(c) => {}
                Item::Value(value) => {
                    self.refuse(value, "in arithmetic, where its quotes are no part of a number");
                }
                Item::Raw(_) => {}
                Item::Char(_) => return lost("arithmetic with more than numbers and variables in it"),
            }
            self.skip(1);
        }
        lost("`$((` that is not closed")
    }
}

/// Whether a `$` before this character is plain text.
fn is_text_behind_a_dollar(next: Option<char>, quoted: bool) -> bool {
    match next {
        None => true,
        Some(c) if quoted => !"[`\\".contains(c),
        Some(c) => " \t\n);|/".contains(c),
    }
}
