//! `{name}` and `{{name}}` in the prompts of a chain, and templates made of them. Prompts hold JSON: what is in braces and is no
//! name, or no known one, stays as it is.

use super::variables::name_length;

/// Braces around something that could be a variable, and what is looked up in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Braces<'a> {
    /// The byte at which the first brace stands, and the one behind the last.
    pub(super) begins: usize,
    pub(super) ends: usize,
    pub(super) name: &'a str,
    /// What is looked up in the variable, as an expression writes it: `.severity`, `[0]`.
    pub(super) path: String,
}

/// How many members of members of a variable may be looked up.
const PATH_PARTS_MAX: usize = 16;

/// All braces in a text that could hold a variable, in order. It takes time in proportion to the text.
pub(super) fn braces(text: &str) -> impl Iterator<Item = Braces<'_>> {
    let mut from = 0;
    std::iter::from_fn(move || {
        loop {
            let begins = from + text.get(from..)?.find('{')?;
            if let Some(found) = at(text, begins) {
                from = found.ends;
                return Some(found);
            }
            from = begins + 1;
        }
    })
}

/// The braces that begin at a byte.
fn at(text: &str, begins: usize) -> Option<Braces<'_>> {
    let inside = text.get(begins + 1..)?;
    let (inside, closing) = match inside.strip_prefix('{') {
        Some(inside) => (inside.trim_start_matches([' ', '\t']), "}}"),
        None => (inside, "}"),
    };
    let (name, rest) = inside.split_at_checked(name_length(inside)?)?;
    let (path, rest) = path(rest);
    let rest = if closing.len() > 1 { rest.trim_start_matches([' ', '\t']) } else { rest };
    let rest = rest.strip_prefix(closing)?;
    Some(Braces { begins, ends: text.len() - rest.len(), name, path })
}

/// What is looked up at the beginning of a text, as an expression writes it, and the rest of the text.
fn path(text: &str) -> (String, &str) {
    let (mut path, mut rest) = (String::new(), text);
    for _ in 0..PATH_PARTS_MAX {
        let Some((part, behind)) = part(rest) else { break };
        path.push_str(&part);
        rest = behind;
    }
    (path, rest)
}

fn part(text: &str) -> Option<(String, &str)> {
    const DIGITS_MAX: usize = 9;
    let digits = |text: &str| text.bytes().take(DIGITS_MAX).take_while(u8::is_ascii_digit).count();
    if let Some(inside) = text.strip_prefix('[') {
        let (number, behind) = inside.split_at_checked(digits(inside))?;
        let behind = behind.strip_prefix(']').filter(|_| !number.is_empty())?;
        return Some((format!("[{number}]"), behind));
    }
    let inside = text.strip_prefix('.')?;
    let count = digits(inside);
    if count > 0 {
        let (number, behind) = inside.split_at_checked(count)?;
        return Some((format!("[{number}]"), behind));
    }
    let (name, behind) = inside.split_at_checked(name_length(inside)?)?;
    Some((member(name), behind))
}

/// How an expression looks up a member.
pub(super) fn member(name: &str) -> String {
    if name.contains('-') { format!("['{name}']") } else { format!(".{name}") }
}

/// A template made piece by piece, of text that means nothing and of expressions.
#[derive(Default)]
pub(super) struct Filled {
    source: String,
    /// Braces at the end of the text, which may have to be escaped: it depends on what follows.
    open: usize,
}

impl Filled {
    /// Adds text as it is.
    pub(super) fn text(&mut self, text: &str) {
        for part in text.split_inclusive('{') {
            let (plain, brace) = match part.strip_suffix('{') {
                Some(plain) => (plain, true),
                None => (part, false),
            };
            if !plain.is_empty() {
                self.close(false);
                self.source.push_str(plain);
            }
            self.open += usize::from(brace);
        }
    }

    /// Adds the value of an expression.
    pub(super) fn expression(&mut self, expression: &str) {
        self.close(true);
        self.source.push_str("{{ ");
        self.source.push_str(expression);
        self.source.push_str(" }}");
    }

    /// The source of the template.
    pub(super) fn source(mut self) -> String {
        self.close(false);
        self.source
    }

    /// Writes the braces that are open. Two of them begin an expression; and so would one before those of an expression.
    fn close(&mut self, before_expression: bool) {
        let open = std::mem::take(&mut self.open);
        let braces = "{".repeat(open);
        match open > 1 || open == 1 && before_expression {
            true => self.source.push_str(&format!("{{{{ '{braces}' }}}}")),
            false => self.source.push_str(&braces),
        }
    }
}
