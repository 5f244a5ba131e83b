//! What a Rust file says: its tokens, without comments, and, where it is asked for, without what only tests compile.

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};

/// A name, a literal, a bracket, or a mark; `::` is one token. Literals keep their quotes, so that none reads as a name.
pub(super) struct Token {
    pub(super) text: String,
    pub(super) line: usize,
    pub(super) is_name: bool,
}

#[derive(Default)]
pub(super) struct Code {
    pub(super) tokens: Vec<Token>,
    /// Modules in files of their own that only tests compile.
    pub(super) test_modules: Vec<String>,
}

/// A function, with the lines from its `fn` to the end of its body.
pub(super) struct Function {
    pub(super) name: String,
    pub(super) line: usize,
    pub(super) lines: usize,
}

impl Code {
    /// The file without `#[cfg(test)]` and what that stands before, wherever it stands.
    pub(super) fn beside_tests(text: &str) -> Self {
        let mut code = Self::default();
        code.add(lexed(text));
        code
    }

    fn add(&mut self, stream: TokenStream) {
        let trees: Vec<_> = stream.into_iter().collect();
        let mut at = 0;
        while let Some(tree) = trees.get(at) {
            let rest = &trees[at..];
            if is_for_tests(rest, "!") {
                return;
            }
            if is_for_tests(rest, "") {
                let item = &rest[..item_length(rest)];
                self.test_modules.extend(module_elsewhere(item));
                at += item.len();
                continue;
            }
            at += self.add_tree(tree, trees.get(at + 1));
        }
    }

    /// How many trees it took.
    fn add_tree(&mut self, tree: &TokenTree, next: Option<&TokenTree>) -> usize {
        let line = tree.span().start().line;
        match tree {
            TokenTree::Group(group) => {
                let (open, close) = brackets(group.delimiter());
                self.push(open, line, false);
                self.add(group.stream());
                self.push(close, group.span_close().start().line, false);
            }
            TokenTree::Punct(mark) if mark.as_char() == '\'' => return 2,
            TokenTree::Punct(mark) => {
                let is_double = mark.as_char() == ':'
                    && mark.spacing() == Spacing::Joint
                    && next.is_some_and(|next| is_mark(next, ':'));
                let text = if is_double { "::".to_owned() } else { mark.as_char().to_string() };
                self.push(&text, line, false);
                return if is_double { 2 } else { 1 };
            }
            TokenTree::Ident(name) => self.push(&name.to_string(), line, true),
            TokenTree::Literal(literal) => self.push(&literal.to_string(), line, false),
        }
        1
    }

    fn push(&mut self, text: &str, line: usize, is_name: bool) {
        self.tokens.push(Token { text: text.to_owned(), line, is_name });
    }
}

/// All functions of a file that have a body, those in tests and in other functions too.
pub(super) fn functions(text: &str) -> Vec<Function> {
    let (mut found, mut streams) = (Vec::new(), vec![lexed(text)]);
    while let Some(stream) = streams.pop() {
        let trees: Vec<_> = stream.into_iter().collect();
        for (at, tree) in trees.iter().enumerate() {
            if let TokenTree::Group(group) = tree {
                streams.push(group.stream());
            }
            let Some(TokenTree::Ident(name)) = trees.get(at + 1).filter(|_| is_name(tree, "fn")) else {
                continue;
            };
            let line = tree.span().start().line;
            let end = trees[at..].iter().find(|tree| is_mark(tree, ';') || is_braces(tree));
            if let Some(body) = end.filter(|end| is_braces(end)) {
                let lines = body.span().end().line - line + 1;
                found.push(Function { name: name.to_string(), line, lines });
            }
        }
    }
    found
}

fn lexed(text: &str) -> TokenStream {
    text.parse().unwrap_or_else(|error| panic!("no Rust: {error}: {text}"))
}

/// Whether `#[cfg(test)]` (or `#![cfg(test)]`, with `bang`) begins here.
fn is_for_tests(trees: &[TokenTree], bang: &str) -> bool {
    let attribute = match trees {
        [hash, mark, TokenTree::Group(attribute), ..]
            if bang == "!" && is_mark(hash, '#') && is_mark(mark, '!') =>
        {
            attribute
        }
        [hash, TokenTree::Group(attribute), ..] if bang.is_empty() && is_mark(hash, '#') => attribute,
        _ => return false,
    };
    attribute.stream().to_string().replace(' ', "") == "cfg(test)"
}

/// How many trees an item, a field, a variant, a statement or an arm takes, its attributes included.
fn item_length(trees: &[TokenTree]) -> usize {
    let mut at = 0;
    while let [hash, TokenTree::Group(_), ..] = &trees[at..]
        && is_mark(hash, '#')
    {
        at += 2;
    }
    if trees.get(at).is_some_and(|tree| is_name(tree, "pub")) {
        at += 1;
        at += usize::from(
            matches!(trees.get(at), Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Parenthesis),
        );
    }
    let to_semicolon = ["use", "static", "type", "let", "extern"];
    let to_body = ["fn", "mod", "impl", "trait", "struct", "enum", "union", "async", "unsafe", "macro_rules"];
    let is_constant = trees.get(at).is_some_and(|tree| is_name(tree, "const"))
        && !trees.get(at + 1).is_some_and(|tree| to_body.iter().any(|word| is_name(tree, word)));
    let begins =
        |words: &[&str]| trees.get(at).is_some_and(|tree| words.iter().any(|word| is_name(tree, word)));
    let (body_ends, comma_ends) = if is_constant || begins(&to_semicolon) {
        (false, false)
    } else if begins(&to_body) || begins(&["const"]) {
        (true, false)
    } else {
        (true, true)
    };
    let (mut angles, mut dash) = (0_i32, false);
    for (offset, tree) in trees[at..].iter().enumerate() {
        match tree {
            TokenTree::Punct(mark) if mark.as_char() == '<' => angles += 1,
            TokenTree::Punct(mark) if mark.as_char() == '>' && !dash => angles -= 1,
            _ => {}
        }
        let ends = is_mark(tree, ';')
            || (body_ends && is_braces(tree))
            || (comma_ends && angles <= 0 && is_mark(tree, ','));
        if ends {
            return at + offset + 1;
        }
        dash = is_mark(tree, '-') || is_mark(tree, '=');
    }
    trees.len()
}

/// The name in `mod name;`.
fn module_elsewhere(item: &[TokenTree]) -> Option<String> {
    match item {
        [.., keyword, TokenTree::Ident(name), end] if is_name(keyword, "mod") && is_mark(end, ';') => {
            Some(name.to_string())
        }
        _ => None,
    }
}

fn is_mark(tree: &TokenTree, mark: char) -> bool {
    matches!(tree, TokenTree::Punct(found) if found.as_char() == mark)
}

fn is_name(tree: &TokenTree, name: &str) -> bool {
    matches!(tree, TokenTree::Ident(found) if found == name)
}

fn is_braces(tree: &TokenTree) -> bool {
    matches!(tree, TokenTree::Group(group) if group.delimiter() == Delimiter::Brace)
}

fn brackets(delimiter: Delimiter) -> (&'static str, &'static str) {
    match delimiter {
        Delimiter::Parenthesis => ("(", ")"),
        Delimiter::Brace => ("{", "}"),
        Delimiter::Bracket => ("[", "]"),
        Delimiter::None => ("", ""),
    }
}
