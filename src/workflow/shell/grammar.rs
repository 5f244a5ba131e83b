//! Lists of commands, compound commands, functions and redirections.

use super::reader::{HereDocument, Item, Read, Reader, is_name, is_of_name, lost};
use super::words::{Word, is_meta};

/// Words that have a meaning only in certain places, and words that open something that
/// not every shell knows.
const RESERVED: [&str; 13] =
    ["then", "do", "done", "fi", "else", "elif", "esac", "}", "[[", "]]", "select", "function", "coproc"];

/// Words that begin a compound command.
const COMPOUND: [&str; 7] = ["{", "if", "while", "until", "for", "case", "!"];

pub(super) fn is_reserved(word: &str) -> bool {
    RESERVED.contains(&word) || COMPOUND.contains(&word)
}

impl Reader {
    /// Reads commands up to one of these words, a closing parenthesis, `;;` or the end; what ends
    /// them is not read.
    pub(super) fn list(&mut self, ends: &[&str]) -> Read<()> {
        loop {
            self.newlines()?;
            if matches!(self.peek(), None | Some(Item::Char(')'))) || self.looking_at(";;") {
                return Ok(());
            }
            let word = self.reserved_word();
            if word.is_some_and(|word| ends.contains(&word.as_str())) {
                return Ok(());
            }
            self.command()?;
            self.blanks()?;
            match (self.char(), self.char_at(1)) {
                (None, _) if self.peek().is_none() => return Ok(()),
                (Some(')'), _) | (Some(';'), Some(';')) => return Ok(()),
                (Some('\n'), _) => {}
                (Some('&'), Some('>')) => return lost("`&>`, which dash reads as `&` and `>`"),
                (Some('|'), Some('&')) => return lost("`|&`, which not every shell knows"),
                (Some(';'), Some('&')) => return lost("`;&`, which not every shell knows"),
                (Some('&'), Some('&')) | (Some('|'), Some('|')) => self.skip(2),
                (Some('&' | '|' | ';'), _) => self.skip(1),
                _ => return lost("what cannot follow a command"),
            }
        }
    }

    /// The word that begins here, if it may be a word of the grammar: all of it is plain text.
    fn reserved_word(&self) -> Option<String> {
        let mut word = String::new();
        for offset in 0.. {
            match self.peek_at(offset) {
                Some(Item::Char(c)) if c.is_ascii_alphabetic() || "{}[]!".contains(c) => word.push(c),
                Some(Item::Char(c)) if !is_meta(c) => return None,
                Some(Item::Value(_) | Item::Raw(_)) => return None,
                Some(Item::Char(_)) | None => break,
            }
        }
        (!word.is_empty()).then_some(word)
    }

    fn expect(&mut self, word: &str) -> Read<()> {
        if self.reserved_word().as_deref() != Some(word) {
            return lost(format!("where `{word}` should be"));
        }
        self.skip(word.len());
        Ok(())
    }

    fn command(&mut self) -> Read<()> {
        self.deeper()?;
        match self.reserved_word().as_deref() {
            Some("!") => {
                self.skip(1);
                self.blanks()?;
                self.command()?;
            }
            Some(word @ ("{" | "if" | "while" | "until" | "for" | "case")) => {
                self.skip(word.len());
                match word {
                    "{" => self.until("}")?,
                    "if" => self.branches()?,
                    "for" => self.for_words()?,
                    "case" => self.case()?,
                    _ => {
                        self.until("do")?;
                        self.until("done")?;
                    }
                }
                self.redirections()?;
            }
            Some(word) if is_reserved(word) => return lost(format!("`{word}`")),
            _ if self.looking_at("((") => self.arithmetic_command()?,
            _ if self.take("(") => {
                self.list(&[])?;
                if !self.take(")") {
                    return lost("`(` that is not closed");
                }
                self.redirections()?;
            }
            _ => self.simple()?,
        }
        self.depth -= 1;
        Ok(())
    }

    /// Reads commands up to a word, and that word.
    fn until(&mut self, word: &str) -> Read<()> {
        self.list(&[word])?;
        self.expect(word)
    }

    /// Reads what follows the word `if`.
    fn branches(&mut self) -> Read<()> {
        self.until("then")?;
        loop {
            self.list(&["elif", "else", "fi"])?;
            match self.reserved_word().as_deref() {
                Some("elif") => {
                    self.skip(4);
                    self.until("then")?;
                }
                Some("else") => {
                    self.skip(4);
                    return self.until("fi");
                }
                _ => return self.expect("fi"),
            }
        }
    }

    /// Reads what follows the word `for`.
    fn for_words(&mut self) -> Read<()> {
        self.blanks()?;
        let name: String =
            (0..).map_while(|offset| self.char_at(offset).filter(|c| is_of_name(*c))).collect();
        if !is_name(&name) {
            return lost("`for` without the name of a variable");
        }
        self.skip(name.len());
        self.newlines()?;
        if self.reserved_word().as_deref() == Some("in") {
            self.skip(2);
            loop {
                self.blanks()?;
                if self.char().is_some_and(|c| "\n;".contains(c)) {
                    break;
                }
                let word = self.word(false)?;
                self.assign(&name, &word);
                self.put(&word, false);
            }
        }
        if self.looking_at(";;") {
            return lost("`;;` in a `for`");
        }
        self.take(";");
        self.newlines()?;
        self.expect("do")?;
        self.until("done")
    }

    /// Reads what follows `case`. Older shells take the parenthesis behind a pattern for the end of
    /// a `$( … )`.
    fn case(&mut self) -> Read<()> {
        if self.substitutions > 0 {
            return lost("a `case` in `$( … )`");
        }
        self.blanks()?;
        let subject = self.word(false)?;
        self.put(&subject, true);
        self.newlines()?;
        self.expect("in")?;
        loop {
            self.newlines()?;
            if self.reserved_word().as_deref() == Some("esac") {
                break;
            }
            self.take("(");
            loop {
                self.blanks()?;
                let pattern = self.word(false)?;
                self.refuse_all(pattern.span, "in a pattern of `case`");
                self.blanks()?;
                if self.take(")") {
                    break;
                }
                if !self.take("|") {
                    return lost("a pattern of `case` that does not end");
                }
            }
            self.list(&["esac"])?;
            if self.take(";;") {
                if self.char() == Some('&') {
                    return lost("`;;&`, which not every shell knows");
                }
            } else {
                break;
            }
        }
        self.expect("esac")
    }

    /// Reads `(( … ))`: for dash a command in parentheses, for bash arithmetic. What is the same for
    /// both has no quotes.
    fn arithmetic_command(&mut self) -> Read<()> {
        self.skip(2);
        while let Some(c) = self.char() {
            let name: String =
                (0..).map_while(|offset| self.char_at(offset).filter(|c| is_of_name(*c))).collect();
            if !name.is_empty() {
                self.evaluate(&name);
                self.skip(name.len());
            } else if self.take("))") {
                return self.redirections();
            } else if " +-*/%=!,?:$".contains(c) || ("<>".contains(c) && self.char_at(1) == Some(' ')) {
                self.skip(1);
            } else {
                break;
            }
        }
        lost("`((`, which dash and bash read each in its own way")
    }

    /// Reads a command with its arguments, or the definition of a function.
    fn simple(&mut self) -> Read<()> {
        let (documents, mut words, mut here_strings) = (self.here_documents.len(), Vec::new(), Vec::new());
        loop {
            self.blanks()?;
            if self.redirection(&mut here_strings)? {
                continue;
            }
            match self.char() {
                None if self.peek().is_none() => break,
                Some('(') => return self.function(&words),
                Some(c) if is_meta(c) => break,
                _ => {}
            }
            let begins = words.is_empty();
            let word = self.word(begins)?;
            match word.assigns.clone().filter(|_| begins) {
                Some(name) => {
                    self.assignment(&name, &word);
                    if self.char() == Some('(') {
                        return lost("an array");
                    }
                }
                None => words.push(word),
            }
        }
        self.judge(&words, documents, &here_strings)
    }

    fn function(&mut self, words: &[Word]) -> Read<()> {
        let is_named = matches!(words, [name] if name.plain().is_some_and(is_name));
        self.skip(1);
        self.blanks()?;
        if !is_named || !self.take(")") {
            return lost("a parenthesis in a command");
        }
        self.newlines()?;
        if self.char() != Some('(') && self.reserved_word().as_deref() != Some("{") {
            return lost("a function without braces");
        }
        self.command()
    }

    fn redirections(&mut self) -> Read<()> {
        let mut here_strings = Vec::new();
        self.blanks()?;
        while self.redirection(&mut here_strings)? {
            self.blanks()?;
        }
        Ok(())
    }

    /// Reads a redirection, if one is next. The word behind a `<<<` is added to `here_strings`.
    fn redirection(&mut self, here_strings: &mut Vec<Word>) -> Read<bool> {
        let digit = usize::from(self.char().is_some_and(|c| c.is_ascii_digit()));
        if !matches!(self.char_at(digit), Some('<' | '>')) {
            return Ok(false);
        }
        self.skip(digit);
        if self.take("<<<") {
            let word = self.target()?;
            self.put(&word, true);
            here_strings.push(word);
        } else if self.take("<<") {
            self.here_document()?;
        } else if self.take("<&") || self.take(">&") {
            let word = self.target()?;
            if !word.plain().is_some_and(|text| text == "-" || text.chars().all(|c| c.is_ascii_digit())) {
                return lost("a descriptor that is no number");
            }
        } else {
            const OPERATORS: [&str; 5] = ["<>", ">|", ">>", "<", ">"];
            let _ = OPERATORS.into_iter().any(|operator| self.take(operator));
            let word = self.target()?;
            self.put(&word, true);
        }
        Ok(true)
    }

    fn target(&mut self) -> Read<Word> {
        while matches!(self.char(), Some(' ' | '\t')) {
            self.skip(1);
        }
        if self.char() == Some('(') {
            return lost("`<( … )` or `>( … )`, which not every shell knows");
        }
        self.word(false)
    }

    fn here_document(&mut self) -> Read<()> {
        if self.substitutions > 0 {
            return lost("a here-document in `$( … )`");
        }
        let tabs = self.take("-");
        while matches!(self.char(), Some(' ' | '\t')) {
            self.skip(1);
        }
        let quote = self.char().filter(|c| "'\"\\".contains(*c));
        self.skip(usize::from(quote.is_some()));
        let end: String = (0..).map_while(|offset| self.char_at(offset).filter(|c| is_of_name(*c))).collect();
        self.skip(end.len());
        let is_closed = quote.is_none_or(|quote| quote == '\\' || self.take(&quote.to_string()));
        let is_all = match self.peek() {
            None => true,
            Some(Item::Char(c)) => is_meta(c) && c != '(',
            Some(_) => false,
        };
        if end.is_empty() || !is_closed || !is_all {
            return lost("a here-document whose end is no plain word");
        }
        self.here_documents.push(HereDocument { end, tabs, quoted: quote.is_some(), evaluated: false });
        Ok(())
    }
}
