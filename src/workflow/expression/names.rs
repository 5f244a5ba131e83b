//! The names in the source of an expression, and their places. The template engine tells only some of the
//! names, and no places: so the tokens are read again here, by the engine's own rules.

/// The names in the source of an expression. All places are bytes from its beginning.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Names<'a> {
    /// Variables, each with the attributes that follow it.
    pub(crate) paths: Vec<Path<'a>>,
    /// Filters: `x | NAME`.
    pub(crate) filters: Vec<(&'a str, usize)>,
    /// Tests: `x is NAME`.
    pub(crate) tests: Vec<(&'a str, usize)>,
    /// Functions with their places: `NAME(x)`.
    pub(crate) functions: Vec<(&'a str, usize)>,
    /// Methods with their places: `x.NAME(y)`.
    pub(crate) methods: Vec<(&'a str, usize)>,
    /// Whether it ends in `| raw`.
    pub(crate) raw: bool,
    /// Whether `| needed` stands in it.
    pub(crate) needed: bool,
}

/// A variable and the attributes that follow it, as far as the source
/// names them: `steps.build.output`, `steps['a-b']`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Path<'a> {
    /// The name of the variable.
    pub(crate) root: &'a str,
    /// The byte at which the variable begins.
    pub(crate) at: usize,
    /// The byte behind it and all that is looked up in it.
    pub(crate) end: usize,
    /// The attributes, each with the byte at which it begins.
    pub(crate) attributes: Vec<(&'a str, usize)>,
    /// Whether a computed attribute follows: `steps[name]`.
    pub(crate) computed: bool,
    /// Whether it may be undefined: `is defined`, `is undefined` or `| default` follows.
    pub(crate) guarded: bool,
}

impl<'a> Names<'a> {
    /// Reads the names of an expression. In a source that does not parse, it finds as many as it can.
    pub(crate) fn of(source: &'a str) -> Self {
        Self::among(&tokens(source))
    }

    /// The names among the tokens of an expression.
    pub(super) fn among(tokens: &[Token<'a>]) -> Self {
        let at = |index: usize| tokens.get(index).map(|token| token.kind);
        let before = |index: usize, back: usize| index.checked_sub(back).and_then(at);
        let mut names = Self::default();
        for (index, token) in tokens.iter().enumerate() {
            let Kind::Name(name) = token.kind else { continue };
            let called = at(index + 1) == Some(Kind::Symbol("("));
            let negated_test = before(index, 1) == Some(NOT) && before(index, 2) == Some(IS);
            match before(index, 1) {
                Some(Kind::Symbol("|")) => names.filters.push((name, token.at)),
                Some(Kind::Symbol(".")) if called => names.methods.push((name, token.at)),
                Some(Kind::Symbol(".")) => {}
                Some(IS) if name != "not" => names.tests.push((name, token.at)),
                Some(NOT) if negated_test => names.tests.push((name, token.at)),
                _ if KEYWORDS.contains(&name) => {}
                _ if at(index + 1) == Some(Kind::Symbol("=")) => {}
                _ if called => names.functions.push((name, token.at)),
                _ => names.paths.push(path(name, token, tokens.get(index + 1..).unwrap_or_default())),
            }
        }
        let end = match tokens {
            [rest @ .., Token { kind: Kind::Symbol("("), .. }, Token { kind: Kind::Symbol(")"), .. }] => rest,
            all => all,
        };
        names.needed = names.filters.iter().any(|(name, _)| *name == "needed");
        names.raw =
            matches!(end, [.., Token { kind: Kind::Symbol("|"), .. }, Token { kind: Kind::Name("raw"), .. }]);
        names
    }
}

const KEYWORDS: [&str; 13] =
    ["and", "or", "not", "in", "is", "if", "else", "true", "True", "false", "False", "none", "None"];
const IS: Kind<'static> = Kind::Name("is");
const NOT: Kind<'static> = Kind::Name("not");

/// The path that begins with a variable and continues with the tokens behind it.
fn path<'a>(root: &'a str, first: &Token<'a>, mut rest: &[Token<'a>]) -> Path<'a> {
    let (mut end, mut attributes, mut computed) = (first.end, Vec::new(), false);
    loop {
        let (last, behind) = match rest {
            [Token { kind: Kind::Symbol("."), .. }, name, behind @ ..] => {
                match name.kind {
                    Kind::Name(text) if !computed => attributes.push((text, name.at)),
                    _ => computed = true,
                }
                (name, behind)
            }
            [
                Token { kind: Kind::Symbol("["), .. },
                Token { kind: Kind::Text(Some(text)), at, .. },
                last @ Token { kind: Kind::Symbol("]"), .. },
                behind @ ..,
            ] if !computed => {
                attributes.push((text, *at));
                (last, behind)
            }
            [Token { kind: Kind::Symbol("["), .. }, ..] => {
                computed = true;
                let Some((inside, behind)) = bracketed(rest) else { break };
                let Some(last) = inside.last() else { break };
                (last, behind)
            }
            _ => break,
        };
        (end, rest) = (last.end, behind);
    }
    let guarded = match rest {
        [Token { kind: IS, .. }, Token { kind: NOT, .. }, test, ..] | [Token { kind: IS, .. }, test, ..] => {
            matches!(test.kind, Kind::Name("defined" | "undefined"))
        }
        [Token { kind: Kind::Symbol("|"), .. }, filter, ..] => {
            matches!(filter.kind, Kind::Name("default" | "d"))
        }
        _ => false,
    };
    Path { root, at: first.at, end, attributes, computed, guarded }
}

/// Splits tokens that begin with a bracket behind the bracket that closes it.
fn bracketed<'t, 'a>(tokens: &'t [Token<'a>]) -> Option<(&'t [Token<'a>], &'t [Token<'a>])> {
    let mut depth = 0_usize;
    for (index, token) in tokens.iter().enumerate() {
        match token.kind {
            Kind::Symbol("[") => depth += 1,
            Kind::Symbol("]") => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return tokens.split_at_checked(index + 1);
        }
    }
    None
}

/// A token of an expression, and the byte at which it begins.
#[derive(Debug, Clone, Copy)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind<'a>,
    pub(super) at: usize,
    pub(super) end: usize,
}

/// The kind of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind<'a> {
    Name(&'a str),
    /// A text literal: what stands between the quotes, if it has no escapes.
    Text(Option<&'a str>),
    Number,
    Symbol(&'a str),
}

const LONG_SYMBOLS: [&str; 6] = ["==", "!=", "<=", ">=", "**", "//"];

/// The tokens of an expression.
pub(super) fn tokens(source: &str) -> Vec<Token<'_>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(rest) = source.get(at..).filter(|rest| !rest.is_empty()) {
        let first = rest.chars().next().unwrap_or(' ');
        let (kind, length) = if first.is_whitespace() {
            (None, first.len_utf8())
        } else if first.is_ascii_alphabetic() || first == '_' {
            let length = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
            (rest.get(..length).map(Kind::Name), length)
        } else if first.is_ascii_digit() {
            let behind_dot = source.get(..at).is_some_and(|before| before.ends_with('.'));
            (Some(Kind::Number), number_length(rest, behind_dot))
        } else if first == '"' || first == '\'' {
            let length = quoted_length(rest);
            let text = rest.get(1..length.saturating_sub(1)).filter(|text| !text.contains('\\'));
            (Some(Kind::Text(text)), length)
        } else {
            let length =
                LONG_SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol)).map_or(first.len_utf8(), |_| 2);
            (rest.get(..length).map(Kind::Symbol), length)
        };
        found.extend(kind.map(|kind| Token { kind, at, end: at + length }));
        at += length;
    }
    found
}

/// The length of the number at the beginning of a text. Behind a dot it is the index of an item, and ends
/// at the next dot.
fn number_length(text: &str, behind_dot: bool) -> usize {
    let bytes = text.as_bytes();
    let at = |place: usize| bytes.get(place).copied().unwrap_or(b' ');
    let is_radix = at(0) == b'0' && matches!(at(1).to_ascii_lowercase(), b'b' | b'o' | b'x');
    let (mut end, mut whole, mut exponent) = if is_radix { (2, false, true) } else { (1, true, false) };
    loop {
        let next = at(end);
        let begins_name = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
        match next {
            b'0'..=b'9' | b'_' => {}
            b'.' if whole && !behind_dot => {
                let is_exponent =
                    matches!(at(end + 1), b'e' | b'E') && matches!(at(end + 2), b'+' | b'-' | b'0'..=b'9');
                if !is_exponent && begins_name(at(end + 1)) {
                    return end;
                }
                whole = false;
            }
            b'e' | b'E' if !exponent => {
                (whole, exponent) = (false, true);
                if matches!(at(end + 1), b'+' | b'-') {
                    end += 1;
                }
            }
            b'a'..=b'f' | b'A'..=b'F' if is_radix => {}
            _ => return end,
        }
        end += 1;
    }
}

/// The length of the string literal at the beginning of a text, with its quotes; all of the text if
/// it does not end.
pub(crate) fn quoted_length(text: &str) -> usize {
    let mut chars = text.char_indices();
    let Some((_, quote)) = chars.next() else { return 0 };
    let mut escaped = false;
    for (at, c) in chars {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + c.len_utf8(),
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(source: &str) -> Vec<String> {
        let written = |path: &Path<'_>| {
            let names: Vec<_> = path.attributes.iter().map(|(name, _)| *name).collect();
            format!("{}@{}/{}{}", path.root, path.at, names.join("/"), if path.computed { "/?" } else { "" })
        };
        Names::of(source).paths.iter().map(written).collect()
    }

    #[test]
    fn paths_are_followed_as_far_as_they_are_written() {
        for (source, expected) in [
            ("steps.a.output", vec!["steps@0/a/output"]),
            ("steps['a-b'].output.x[0].y", vec!["steps@0/a-b/output/x/?"]),
            ("steps[name].output", vec!["steps@0//?", "name@6/"]),
            ("steps.a.output[1:n]", vec!["steps@0/a/output/?", "n@17/"]),
            ("input.x if steps.a is defined else none", vec!["input@0/x", "steps@11/a"]),
            ("'steps.a' ~ \"it's \\\" input.b\"", vec![]),
            ("x | map(attribute='steps') | join(', ' ~ y)", vec!["x@0/", "y@41/"]),
            ("x is divisibleby y and not z is not none", vec!["x@0/", "y@17/", "z@27/"]),
            ("a not in b == c", vec!["a@0/", "b@9/", "c@14/"]),
            ("{'k': v, w: 1.5}", vec!["v@6/", "w@9/"]),
            ("(input).x", vec!["input@1/"]),
        ] {
            assert_eq!(paths(source), expected, "{source}");
        }
    }

    #[test]
    fn a_path_ends_behind_all_that_is_looked_up_in_it() {
        for (source, whole, guarded) in [
            ("steps.a.output[x[0]].y.0 + 1", "steps.a.output[x[0]].y.0", false),
            ("steps['a-b'] | default(1)", "steps['a-b']", true),
            ("a.b is not defined", "a.b", true),
            ("a.b is none", "a.b", false),
            ("a.b | upper | default(1)", "a.b", false),
            ("a[1:2] is undefined", "a[1:2]", true),
            ("a[1", "a", false),
        ] {
            let names = Names::of(source);
            let path = names.paths.first().unwrap();
            assert_eq!((source.get(path.at..path.end).unwrap(), path.guarded), (whole, guarded), "{source}");
        }
    }

    #[test]
    fn filters_tests_functions_and_methods_are_told_apart() {
        let names = Names::of("range(3) | map('int') | list is sequence and x.items() is not none");
        assert_eq!(names.functions, [("range", 0)]);
        assert_eq!(names.filters, [("map", 11), ("list", 24)]);
        assert_eq!(names.tests, [("sequence", 32), ("none", 62)]);
        assert_eq!(names.methods, [("items", 47)]);
    }

    #[test]
    fn only_a_last_raw_is_raw() {
        for (source, raw) in
            [("x | raw", true), ("x|raw()", true), ("x | raw | upper", false), ("raw", false)]
        {
            assert_eq!(Names::of(source).raw, raw, "{source}");
        }
    }
}
