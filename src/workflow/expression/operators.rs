//! The operators of an expression, and how deep it is nested: its grammar is walked once, by the engine's own
//! rules. The engine bounds neither the depth that its later passes can stand nor what its operators make, so
//! operators that make something are replaced by calls of functions with bounds.

use super::names::{Kind, Token};

/// The longest expression, in bytes.
pub(super) const LENGTH_MAX: usize = 64 * 1024;

/// How deep an expression may be nested, or how many filters, lookups or `and`s may follow each other: the
/// engine compiles and drops them by recursion. A bracket, a sign or a filter counts twice. By measurement in
/// a debug build, a quarter of a stack of 2 MiB is enough for a hundred.
pub(super) const DEPTH_MAX: usize = 120;

/// How many parts a chain such as `a + b + c` may have: they become the arguments of one call, and
/// the engine takes 2,000.
const CHAIN_MAX: usize = 900;

/// A text to put into an expression. Marks that open at the same place are put from the outside in, marks
/// that close there from the inside out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mark {
    /// The byte of the source at which it is put.
    pub(super) at: usize,
    /// How many bytes of the source it replaces.
    pub(super) over: usize,
    /// The other end of the marked part, if this opens or closes one.
    pub(super) to: usize,
    /// The text that is put there.
    pub(super) text: String,
}

/// Why walking an expression ended early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// It is nested deeper than the bound, or a chain in it has too many parts.
    TooDeep,
    /// It does not parse.
    Lost,
}

/// The function whose calls replace chains of operators.
pub(super) const CHAIN: &str = "__chain";
/// The function whose calls mark a value to be compared or calculated with.
pub(super) const NUMBER: &str = "__number";

/// The marks that make an expression calculate within bounds.
pub(super) fn marks(tokens: &[Token<'_>]) -> Result<Vec<Mark>, Stop> {
    let mut walk = Walk { tokens, at: 0, open: 0, marks: Vec::new() };
    walk.whole()?;
    if walk.at < tokens.len() { Err(Stop::Lost) } else { Ok(walk.marks) }
}

/// A part of an expression: its first and its last token, and the depth of its tree.
#[derive(Clone, Copy)]
struct Part {
    first: usize,
    last: usize,
    depth: usize,
}

struct Walk<'t, 'a> {
    tokens: &'t [Token<'a>],
    at: usize,
    /// How many parts are being walked around this one.
    open: usize,
    marks: Vec<Mark>,
}

const NOT: u8 = 3;
const COMPARE: u8 = 4;
const POWER: u8 = 8;

impl<'a> Walk<'_, 'a> {
    fn kind(&self, ahead: usize) -> Option<Kind<'a>> {
        self.tokens.get(self.at + ahead).map(|token| token.kind)
    }

    fn is(&self, symbol: &str) -> bool {
        matches!(self.kind(0), Some(Kind::Symbol(found)) if found == symbol)
    }

    fn is_name(&self, name: &str) -> bool {
        matches!(self.kind(0), Some(Kind::Name(found)) if found == name)
    }

    fn take(&mut self, symbol: &str) -> bool {
        let takes = self.is(symbol);
        self.at += usize::from(takes);
        takes
    }

    fn expect(&mut self, symbol: &str) -> Result<(), Stop> {
        if self.take(symbol) { Ok(()) } else { Err(Stop::Lost) }
    }

    /// How strongly the operator at this place binds, and how many tokens it has.
    fn operator(&self) -> Option<(u8, usize)> {
        Some(match self.kind(0)? {
            Kind::Name("or") => (1, 1),
            Kind::Name("and") => (2, 1),
            Kind::Symbol("==" | "!=" | "<" | "<=" | ">" | ">=") | Kind::Name("in") => (COMPARE, 1),
            Kind::Name("not") if self.kind(1) == Some(Kind::Name("in")) => (COMPARE, 2),
            Kind::Symbol("+" | "-") => (5, 1),
            Kind::Symbol("~") => (6, 1),
            Kind::Symbol("*" | "/" | "//" | "%") => (7, 1),
            Kind::Symbol("**") => (POWER, 1),
            _ => return None,
        })
    }

    /// The part from token `first` to the token before the next one.
    fn part(&self, first: usize, depth: usize) -> Result<Part, Stop> {
        if depth + self.open > DEPTH_MAX {
            return Err(Stop::TooDeep);
        }
        Ok(Part { first, last: self.at.saturating_sub(1), depth })
    }

    /// Walks a part that is nested in another.
    fn inside<T>(&mut self, walk: impl FnOnce(&mut Self) -> Result<T, Stop>) -> Result<T, Stop> {
        self.open += 1;
        if self.open > DEPTH_MAX {
            return Err(Stop::TooDeep);
        }
        let walked = walk(self);
        self.open -= 1;
        walked
    }

    /// Walks an expression of any kind.
    fn whole(&mut self) -> Result<Part, Stop> {
        let first = self.at;
        let mut depth = self.binary(1)?.depth;
        while self.is_name("if") {
            self.at += 1;
            depth = 1 + depth.max(self.binary(1)?.depth);
            if self.is_name("else") {
                self.at += 1;
                depth = 1 + depth.max(self.inside(Self::whole)?.depth);
                break;
            }
        }
        self.part(first, depth)
    }

    /// Walks operators that bind at least as strongly as `least`, and their operands.
    fn binary(&mut self, least: u8) -> Result<Part, Stop> {
        let first = self.at;
        let mut part = if least <= NOT && self.is_name("not") {
            self.at += 1;
            let depth = 1 + self.inside(|walk| walk.binary(NOT))?.depth;
            self.part(first, depth)?
        } else {
            self.unary()?
        };
        while let Some((level, _)) = self.operator().filter(|(level, _)| *level >= least) {
            part = self.chain(part, level)?;
        }
        Ok(part)
    }

    /// Walks operators of one level, from the first on.
    fn chain(&mut self, left: Part, level: u8) -> Result<Part, Stop> {
        let (mut parts, mut operators) = (vec![left], Vec::new());
        while let Some((_, length)) = self.operator().filter(|(found, _)| *found == level) {
            operators.push(self.at);
            self.at += length;
            parts.push(if level == POWER { self.unary()? } else { self.binary(level + 1)? });
        }
        if parts.len() > CHAIN_MAX {
            return Err(Stop::TooDeep);
        }
        let deepest = parts.iter().map(|part| part.depth).max().unwrap_or_default();
        let depth = match level {
            COMPARE => deepest + 2,
            5..=7 => deepest + 1,
            _ => deepest + operators.len(),
        };
        let whole = self.part(left.first, depth)?;
        match level {
            COMPARE | POWER => parts.iter().for_each(|part| self.number(*part)),
            5..=7 => {
                self.mark(whole, CHAIN);
                for token in operators.iter().filter_map(|place| self.tokens.get(*place)) {
                    if let Kind::Symbol(symbol) = token.kind {
                        let text = format!(",\"{symbol}\",");
                        self.marks.push(Mark { at: token.at, over: symbol.len(), to: token.at, text });
                    }
                }
            }
            _ => {}
        }
        Ok(whole)
    }

    /// Marks a value to be compared or calculated with. A literal needs no mark.
    fn number(&mut self, part: Part) {
        let token = self.tokens.get(part.first).map(|token| token.kind);
        if part.first < part.last || matches!(token, Some(Kind::Name(_) | Kind::Symbol(_))) {
            self.mark(part, NUMBER);
        }
    }

    fn mark(&mut self, part: Part, function: &str) {
        let place = |token: usize| self.tokens.get(token).map(|token| (token.at, token.end));
        if let (Some((start, _)), Some((_, end))) = (place(part.first), place(part.last)) {
            self.marks.push(Mark { at: start, over: 0, to: end, text: format!("{function}(") });
            self.marks.push(Mark { at: end, over: 0, to: start, text: ")".to_owned() });
        }
    }

    /// Walks a value with its sign and its filters.
    fn unary(&mut self) -> Result<Part, Stop> {
        let first = self.at;
        let mut depth = self.signed()?.depth;
        loop {
            if self.take("|") {
                self.filter_name()?;
            } else if self.is_name("is") {
                self.at += 1;
                self.at += usize::from(self.is_name("not"));
                self.filter_name()?;
                if !self.is("(") && self.begins_argument() {
                    depth = depth.max(self.inside(Self::signed)?.depth);
                }
            } else {
                return self.part(first, depth);
            }
            if self.is("(") {
                depth = depth.max(self.arguments()?);
            }
            depth += 2;
            self.part(first, depth)?;
        }
    }

    fn filter_name(&mut self) -> Result<(), Stop> {
        loop {
            let Some(Kind::Name(_)) = self.kind(0) else { return Err(Stop::Lost) };
            self.at += 1;
            if !self.take(".") {
                return Ok(());
            }
        }
    }

    /// Whether the argument of a test begins here, as in `is divisibleby 3`.
    fn begins_argument(&self) -> bool {
        match self.kind(0) {
            Some(Kind::Name(name)) => !["and", "or", "else", "is"].contains(&name),
            Some(Kind::Symbol(symbol)) => ["+", "-", "[", "{"].contains(&symbol),
            Some(Kind::Text(_) | Kind::Number) => true,
            None => false,
        }
    }

    /// Walks a value with its sign, and the lookups in it.
    fn signed(&mut self) -> Result<Part, Stop> {
        let first = self.at;
        while self.take("-") {}
        let signs = self.at - first;
        let mut part = self.value()?;
        loop {
            let mut depth = part.depth + 1;
            if self.take(".") {
                let Some(Kind::Name(_) | Kind::Number) = self.kind(0) else { return Err(Stop::Lost) };
                self.at += 1;
            } else if self.take("[") {
                depth = depth.max(2 + self.subscript()?);
            } else if self.is("(") {
                depth = depth.max(1 + self.arguments()?);
            } else {
                break;
            }
            part = self.part(part.first, depth)?;
        }
        if signs > 0 {
            self.number(part);
        }
        self.part(first, part.depth + 2 * signs)
    }

    fn subscript(&mut self) -> Result<usize, Stop> {
        let mut depth = 0;
        while !self.take("]") {
            if !self.take(":") {
                let part = self.inside(Self::whole)?;
                self.number(part);
                depth = depth.max(part.depth);
            }
        }
        Ok(depth)
    }

    /// Walks the arguments of a call, with their parentheses; answers their depth.
    fn arguments(&mut self) -> Result<usize, Stop> {
        self.expect("(")?;
        let mut depth = 0;
        while !self.take(")") {
            let _ = self.take("**") || self.take("*");
            depth = depth.max(self.inside(Self::whole)?.depth);
            if self.take("=") {
                depth = depth.max(self.inside(Self::whole)?.depth);
            }
            if !self.is(")") {
                self.expect(",")?;
            }
        }
        Ok(depth)
    }

    fn value(&mut self) -> Result<Part, Stop> {
        let first = self.at;
        let kind = self.kind(0).ok_or(Stop::Lost)?;
        self.at += 1;
        let mut depth = 1;
        match kind {
            // Here the engine takes `not` for a variable; at the beginning of an argument it would not.
            Kind::Name("not") => {
                let at = self.tokens.get(first).map_or(0, |token| token.at);
                self.marks.push(Mark { at, over: 3, to: at, text: "__not".to_owned() });
            }
            Kind::Name(_) | Kind::Number => {}
            Kind::Text(_) => {
                while let Some(Kind::Text(_)) = self.kind(0) {
                    self.at += 1;
                }
            }
            Kind::Symbol(open) => {
                let close = match open {
                    "(" => ")",
                    "[" => "]",
                    "{" => "}",
                    _ => return Err(Stop::Lost),
                };
                while !self.take(close) {
                    depth = depth.max(2 + self.inside(Self::whole)?.depth);
                    if open == "{" {
                        self.expect(":")?;
                        depth = depth.max(2 + self.inside(Self::whole)?.depth);
                    }
                    if !self.is(close) {
                        self.expect(",")?;
                    }
                }
            }
        }
        self.part(first, depth)
    }
}

/// The source with the marks put in. Of two marks around the same part, the later one is outside.
pub(super) fn marked(source: &str, marks: Vec<Mark>) -> String {
    let order = |(index, mark): &(usize, Mark)| {
        // At one place, closing marks come before opening ones. Of marks around the same part, the
        // later one is outside.
        let (closes, index) = (mark.to < mark.at, *index as isize);
        (mark.at, !closes, std::cmp::Reverse(mark.to), if closes { index } else { -index })
    };
    let mut marks: Vec<(usize, Mark)> = marks.into_iter().enumerate().collect();
    marks.sort_by_key(order);
    let (mut out, mut done) = (String::with_capacity(source.len() * 2), 0);
    for (_, Mark { at, over, text, .. }) in marks {
        out.push_str(source.get(done..at).unwrap_or_default());
        out.push_str(&text);
        done = at + over;
    }
    out.push_str(source.get(done..).unwrap_or_default());
    out
}

#[cfg(test)]
mod tests {
    use super::super::names::tokens;
    use super::*;

    fn written(source: &str) -> String {
        marked(source, marks(&tokens(source)).unwrap()).replace(CHAIN, "C").replace(NUMBER, "N")
    }

    #[test]
    fn operators_become_calls_in_the_engines_order() {
        for (source, expected) in [
            ("a+b*c", "C(a,\"+\",C(b,\"*\",c))"),
            ("a*b+c-1", "C(C(a,\"*\",b),\"+\",c,\"-\",1)"),
            ("a~b~'x'+c", "C(C(a,\"~\",b,\"~\",'x'),\"+\",c)"),
            ("-x.y**2+1e-5", "C(N(-N(x.y))**2,\"+\",1e-5)"),
            ("a|f(b+1) in [c, 1.5]", "N(a|f(C(b,\"+\",1))) in N([c, 1.5])"),
            ("a + b is odd - 1", "C(a ,\"+\", b is odd - 1)"),
            ("not a<b<=3 and c not in d", "not N(a)<N(b)<=3 and N(c) not in N(d)"),
            ("x[i+1:2]", "x[N(C(i,\"+\",1)):2]"),
            ("(a+b)[0].c(*d, k=1//2)", "(C(a,\"+\",b))[0].c(*d, k=C(1,\"//\",2))"),
            ("a if b+1 else c*2 if d else e", "a if C(b,\"+\",1) else C(c,\"*\",2) if d else e"),
            ("{'a': 1+1, 'b': x.0.1 % 2}", "{'a': C(1,\"+\",1), 'b': C(x.0.1 ,\"%\", 2)}"),
            ("steps.a.output", "steps.a.output"),
            ("'a' 'b' == x", "'a' 'b' == N(x)".replace("'a' 'b'", "N('a' 'b')").as_str()),
        ] {
            assert_eq!(written(source), expected, "{source}");
        }
    }

    #[test]
    fn every_way_to_be_deep_is_bounded() {
        let deep = |before: &str, middle: &str, after: &str, times: usize| {
            let source = format!("{}{middle}{}", before.repeat(times), after.repeat(times));
            marks(&tokens(&source)).err()
        };
        for (before, after) in [
            ("(", ")"),
            ("[", "]"),
            ("{1:", "}"),
            ("-", ""),
            ("not ", ""),
            ("x[", "]"),
            ("x(", ")"),
            ("", "|upper"),
            ("", ".y"),
            ("", "[0]"),
            ("", "()"),
            ("", " is odd"),
            ("x and ", ""),
            ("x or ", ""),
            ("x if y else ", ""),
            ("", " if y"),
            ("2**", ""),
            ("x|f(", ")"),
            ("x(y=", ")"),
            ("x is odd [", "]"),
        ] {
            for times in [DEPTH_MAX + 1, 10_000] {
                assert_eq!(deep(before, "x", after, times), Some(Stop::TooDeep), "{before}x{after}");
            }
            assert_eq!(deep(before, "x", after, 20), None, "{before}x{after}");
        }
        for operator in ["+", "-", "~", "*", " < ", " in "] {
            assert_eq!(deep(&format!("x{operator}"), "x", "", 500), None, "a chain is not deep: {operator}");
            assert_eq!(deep(&format!("x{operator}"), "x", "", 1_000), Some(Stop::TooDeep), "{operator}");
        }
        let wide = format!("[{}]", "steps.a.output.x, ".repeat(3_000));
        assert_eq!(marks(&tokens(&wide)).err(), None, "a list may be long");
    }

    #[test]
    fn what_does_not_parse_is_no_expression() {
        for source in ["a +", "+", "(a", "a)", "[a b]", "a.+", "x |", "{a}", "a b", "1 2", "*", "a..b"] {
            assert_eq!(marks(&tokens(source)).err(), Some(Stop::Lost), "{source}");
        }
    }
}
