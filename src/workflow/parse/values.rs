//! Reads templates and expressions from a file.

use std::sync::Arc;

use super::data::{json, scalar};
use super::diagnostics::{Diagnostics, key_is_no_text};
use super::tree::{Tree, Value};
use crate::events::problem::{Code, Problem};
use crate::workflow::definition::{ForEach, Items};
use crate::workflow::schema::{KEYWORDS, Schema};
use crate::workflow::shell;
use crate::workflow::template::{Expression, Node, Piece, Template};

/// An expression with its place. The names in it can be checked once all steps are known.
pub(super) struct Use<'t> {
    pub(super) expression: Expression,
    /// The text that holds the expression.
    pub(super) tree: &'t Tree,
    /// The byte of the decoded text at which the expression begins.
    pub(super) at: usize,
}

/// What other template engines take for a statement where it follows a `{%`.
const STATEMENTS: &[&str] = &[
    "autoescape",
    "block",
    "call",
    "case",
    "do",
    "elif",
    "else",
    "elsif",
    "endblock",
    "endcall",
    "endcase",
    "endfilter",
    "endfor",
    "endif",
    "endmacro",
    "endraw",
    "endset",
    "endunless",
    "endwith",
    "extends",
    "filter",
    "for",
    "from",
    "if",
    "import",
    "include",
    "macro",
    "raw",
    "set",
    "unless",
    "when",
    "with",
];

/// Reads templates and expressions, and collects the expressions.
pub(super) struct Values<'t, 'r, 's> {
    pub(super) report: &'r mut Diagnostics<'s>,
    pub(super) uses: Vec<Use<'t>>,
}

impl<'t, 's: 't> Values<'t, '_, 's> {
    /// Reads a tree of templates. Names of members are plain text.
    pub(super) fn template(&mut self, key: &str, tree: &'t Tree) -> Option<Template> {
        self.node(key, tree).map(Template::new)
    }

    /// Reads a text template. A number or `true` is taken as it is written.
    pub(super) fn text(&mut self, key: &str, tree: &'t Tree) -> Option<Template> {
        let text = self.report.text(key, tree)?;
        self.text_node(text, tree).map(Template::new)
    }

    /// Reads the value of `run`: a text for the shell, or a program and its arguments.
    pub(super) fn run(&mut self, tree: &'t Tree) -> Option<Template> {
        if let Value::List(items) = &tree.value {
            let mut words = Vec::new();
            for item in items {
                let word = self.report.text("run", item)?;
                if words.is_empty() && word.trim().is_empty() {
                    self.report
                        .refuse(item, Problem::new(Code::BadValue, "the program of `run` has no name"));
                    return None;
                }
                words.push(self.text_node(word, item)?);
            }
            if words.is_empty() {
                self.empty_run(tree);
                return None;
            }
            return Some(Template::new(Node::list(words)));
        }
        let text = self.report.text("run", tree)?;
        if text.trim().is_empty() {
            self.empty_run(tree);
            return None;
        }
        let node = self.text_node(text, tree)?;
        self.warn_of_blocks(text, tree);
        if let Node::Text { pieces, .. } = &node {
            for shell::Misplaced { at, named_at, why } in shell::misplaced(text, pieces) {
                let place = |at| tree.place_inside(self.report.source, at);
                let ((line, _), named) = (place(at), named_at.map(place));
                let problem = match named {
                    Some(_) => {
                        Problem::new(Code::QuotedValue, format!("{why} here; the value is in line {line}"))
                    }
                    None => Problem::new(Code::QuotedValue, why),
                };
                self.report.refuse_at(named.unwrap_or_else(|| place(at)), problem);
            }
        }
        Some(Template::new(node))
    }

    /// Warns of a `{% … %}`, which other engines take for a statement, and which reaches the shell as it is.
    fn warn_of_blocks(&mut self, text: &str, tree: &Tree) {
        let opened = text.match_indices("{%").find_map(|(at, _)| {
            let inside = text.get(at + 2..)?.trim_start_matches(['-', '+']).trim_start();
            let word = inside.split(|c: char| !c.is_ascii_alphabetic()).next()?;
            (inside.contains("%}") && STATEMENTS.contains(&word)).then_some((at, word))
        });
        let Some((at, word)) = opened else { return };
        let (line, column) = tree.place_inside(self.report.source, at);
        let message = format!("`{{% {word} %}}` is plain text: the shell gets it as it stands");
        let hint = "choose by an expression (`{{ a if b else c }}`), by the step's `if` or `for_each`, or in the shell";
        self.report.warn_at((line, column), Problem::new(Code::BadExpression, message).hint(hint));
    }

    fn empty_run(&mut self, tree: &Tree) {
        let hint = "name a program and its arguments, or give a text for the shell";
        self.report.refuse(tree, Problem::new(Code::BadValue, "`run` is empty").hint(hint));
    }

    /// Reads a bare expression. `true` is one, and a `{{ }}` around the whole is removed.
    pub(super) fn expression(&mut self, key: &str, tree: &'t Tree) -> Option<Expression> {
        if !matches!(tree.value, Value::Text(_) | Value::Bool(_)) {
            self.report.wants(key, "an expression", tree);
            return None;
        }
        let text = self.report.text(key, tree)?;
        if text.trim_start().starts_with("{{") {
            return self.unwrapped(key, text, tree);
        }
        match Expression::parse(text) {
            Ok(expression) => {
                let at = text.len() - text.trim_start().len();
                self.uses.push(Use { expression: expression.clone(), tree, at });
                Some(expression)
            }
            Err(why) => {
                let problem = Problem::new(Code::BadExpression, format!("`{key}`: {why}"));
                let braces = text.contains("{{");
                self.report.refuse(tree, if braces { problem.hint(bare(key)) } else { problem });
                None
            }
        }
    }

    /// The expression in the `{{ }}` that makes up the whole text.
    fn unwrapped(&mut self, key: &str, text: &str, tree: &'t Tree) -> Option<Expression> {
        // Spaces around the braces do not belong to the value, but count in the place.
        let before = text.len() - text.trim_start().len();
        match self.text_node(text.trim(), tree)? {
            Node::Text { pieces, .. } => match pieces.as_slice() {
                [Piece::Value { expression, .. }] => {
                    if let Some(last) = self.uses.last_mut() {
                        last.at += before;
                    }
                    Some(expression.clone())
                }
                _ => {
                    self.uses.truncate(self.uses.len().saturating_sub(values(&pieces)));
                    let message =
                        format!("`{key}` takes one expression, and this is a text with several parts");
                    self.report.refuse(tree, Problem::new(Code::BadExpression, message).hint(bare(key)));
                    None
                }
            },
            Node::Constant(_) | Node::List(_) | Node::Map(_) => None,
        }
    }

    /// Reads the items of a fan-out: a bare expression, or a list.
    pub(super) fn for_each(&mut self, tree: &'t Tree) -> Option<ForEach> {
        let items = match &tree.value {
            Value::List(_) => Items::List(self.template("for_each", tree)?),
            Value::Text(_) => Items::Of(self.expression("for_each", tree)?),
            _ => {
                self.report.wants("for_each", "an expression or a list", tree);
                return None;
            }
        };
        Some(ForEach { items, max_parallel: None })
    }

    fn node(&mut self, key: &str, tree: &'t Tree) -> Option<Node> {
        Some(match &tree.value {
            Value::Null | Value::Bool(_) | Value::Number(_) => Node::constant(&scalar(tree)),
            Value::Text(text) => return self.text_node(text, tree),
            Value::List(items) => {
                let nodes: Vec<_> = items.iter().map(|item| self.node(key, item)).collect();
                Node::list(nodes.into_iter().collect::<Option<_>>()?)
            }
            Value::Map(entries) => {
                let members: Vec<_> =
                    entries.iter().map(|(name, value)| self.member(key, name, value)).collect();
                Node::map(members.into_iter().collect::<Option<_>>()?)
            }
        })
    }

    fn member(&mut self, key: &str, name: &'t Tree, value: &'t Tree) -> Option<(Arc<str>, Node)> {
        match &name.value {
            Value::Text(text) => Some((text.as_str().into(), self.node(key, value)?)),
            Value::Bool(_) | Value::Number(_) => {
                Some((self.report.text(key, name)?.into(), self.node(key, value)?))
            }
            Value::Null | Value::List(_) | Value::Map(_) => {
                key_is_no_text(self.report, &format!("`{key}`"), name);
                None
            }
        }
    }

    fn text_node(&mut self, text: &str, tree: &'t Tree) -> Option<Node> {
        match Node::text(text) {
            Ok(node) => {
                if let Node::Text { pieces, .. } = &node {
                    for piece in pieces {
                        if let Piece::Value { expression, at } = piece {
                            self.uses.push(Use { expression: expression.clone(), tree, at: *at });
                        }
                    }
                }
                Some(node)
            }
            Err(why) => {
                let place = tree.place_inside(self.report.source, why.at);
                self.report.refuse_at(place, Problem::new(Code::BadExpression, why.message));
                None
            }
        }
    }
}

fn values(pieces: &[Piece]) -> usize {
    pieces.iter().filter(|piece| matches!(piece, Piece::Value { .. })).count()
}

fn bare(key: &str) -> String {
    format!("`{key}` is an expression already: write it without `{{{{` and `}}}}`")
}

/// Reads a JSON Schema; reports what is not one.
pub(super) fn schema(report: &mut Diagnostics<'_>, key: &str, tree: &Tree) -> Option<Schema> {
    if !matches!(tree.value, Value::Map(_)) {
        report.wants(key, "a JSON Schema", tree);
        return None;
    }
    let schema = Schema::new(json(report, key, tree)?);
    match schema.check() {
        Ok(()) => {
            warn_of_no_keyword(report, key, tree, &schema);
            Some(schema)
        }
        Err(why) => {
            report.refuse(tree, Problem::new(Code::BadSchema, format!("`{key}` is no JSON Schema: {why}")));
            None
        }
    }
}

/// Warns of what stands in a schema and is no keyword of one: `{version: string}` takes any input. Whoever says by `$schema`
/// which dialect it is, or begins a name with `x-`, knows what the name means.
fn warn_of_no_keyword(report: &mut Diagnostics<'_>, key: &str, tree: &Tree, schema: &Schema) {
    let Value::Map(entries) = &tree.value else { return };
    let is_ours = |name: &str| KEYWORDS.contains(&name) || name.starts_with("x-");
    let named = |name: &&(Tree, Tree)| matches!(&name.0.value, Value::Text(text) if !is_ours(text));
    let Some((place, _)) = entries.iter().find(named).filter(|_| schema.value().get("$schema").is_none())
    else {
        return;
    };
    let Value::Text(name) = &place.value else { return };
    let message =
        format!("`{name}` is no keyword of a JSON Schema: it says nothing about what `{key}` takes");
    let hint =
        format!("what has a name stands under `properties`: `properties: {{{name}: {{type: string}}}}`");
    report.warn(place, Problem::new(Code::BadSchema, message).hint(hint));
}
