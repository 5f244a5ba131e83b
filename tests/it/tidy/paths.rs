//! Which paths a file names: each `use` spelled out, and each `a::b` of its code.

use super::code::{Code, Token};

/// `a::b::C` as it stands there; one that begins with `::` has an empty first part, one that ends with `*` names all.
pub(super) struct Named {
    pub(super) parts: Vec<String>,
    pub(super) line: usize,
    /// Inline modules of the file, the outermost first.
    pub(super) inside: Vec<String>,
    /// What a `use` calls it here.
    pub(super) called: Option<String>,
}

/// All paths of a file. A name alone is one too, since an import of all names may have brought it.
pub(super) fn named(code: &Code) -> Vec<Named> {
    let mut reader = Reader { tokens: &code.tokens, at: 0, inside: Vec::new(), depth: 0, found: Vec::new() };
    reader.read();
    reader.found
}

struct Reader<'a> {
    tokens: &'a [Token],
    at: usize,
    /// Open inline modules, with the depth of braces at which each began.
    inside: Vec<(String, usize)>,
    depth: usize,
    found: Vec<Named>,
}

impl Reader<'_> {
    fn read(&mut self) {
        while let Some(token) = self.tokens.get(self.at) {
            match token.text.as_str() {
                "{" => self.depth += 1,
                "}" => {
                    self.depth -= 1;
                    self.inside.retain(|(_, depth)| *depth <= self.depth);
                }
                "mod" if self.is(2, "{") => {
                    self.depth += 1;
                    self.inside.push((self.text(1).to_owned(), self.depth));
                    self.at += 3;
                    continue;
                }
                "use" if token.is_name && !self.is(1, "<") => {
                    self.at += 1;
                    self.read_use(Vec::new());
                    continue;
                }
                _ if token.is_name || token.text == "::" => {
                    self.read_path();
                    continue;
                }
                _ => {}
            }
            self.at += 1;
        }
    }

    fn text(&self, ahead: usize) -> &str {
        self.tokens.get(self.at + ahead).map_or("", |token| token.text.as_str())
    }

    fn is(&self, ahead: usize, text: &str) -> bool {
        self.text(ahead) == text
    }

    fn is_name(&self, ahead: usize) -> bool {
        self.tokens.get(self.at + ahead).is_some_and(|token| token.is_name)
    }

    fn line(&self) -> usize {
        self.tokens.get(self.at).map_or(0, |token| token.line)
    }

    fn add(&mut self, parts: Vec<String>, line: usize, called: Option<String>) {
        let inside = self.inside.iter().map(|(name, _)| name.clone()).collect();
        self.found.push(Named { parts, line, inside, called });
    }

    /// `a::{b, c as d}` from here on, behind what was read of it; ends behind it.
    fn read_use(&mut self, mut parts: Vec<String>) {
        if self.is(0, "::") {
            parts.push(String::new());
            self.at += 1;
        }
        loop {
            let line = self.line();
            if self.is(0, "{") {
                self.at += 1;
                while !self.is(0, "}") && self.at < self.tokens.len() {
                    self.read_use(parts.clone());
                    self.at += usize::from(self.is(0, ","));
                }
                self.at += 1;
                return;
            }
            if !(self.is_name(0) || self.is(0, "*")) {
                return;
            }
            // `a::{self}` is `a`.
            if parts.is_empty() || !self.is(0, "self") {
                parts.push(self.text(0).to_owned());
            }
            self.at += 1;
            if self.is(0, "::") {
                self.at += 1;
                continue;
            }
            let mut called = parts.last().cloned();
            if self.is(0, "as") {
                called = Some(self.text(1).to_owned());
                self.at += 2;
            }
            self.add(parts, line, called);
            return;
        }
    }

    fn read_path(&mut self) {
        let line = self.line();
        let is_member = self.at > 0 && self.tokens[self.at - 1].text == ".";
        let mut parts = Vec::new();
        if self.is(0, "::") {
            parts.push(String::new());
            self.at += 1;
        }
        while self.is_name(0) {
            parts.push(self.text(0).to_owned());
            self.at += 1;
            if !(self.is(0, "::") && self.tokens.get(self.at + 1).is_some_and(|next| next.is_name)) {
                break;
            }
            self.at += 1;
        }
        // A field or a method is found by its type; behind `::<…>::` goes on what was named before.
        if self.is(0, "::") {
            self.at += 1;
        }
        if !is_member {
            self.add(parts, line, None);
        }
    }
}
