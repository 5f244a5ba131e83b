//! Templates: JSON trees whose texts may hold `{{ … }}`, compiled once.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::expression::document;
use super::expression::view::LazyView;
use super::json_text::{self, Level, plain};
use super::pieces::{self, ReadExpression};
use super::scope::{References, Scope};
use super::shell;
use crate::events::json::{DEPTH_MAX, Json};

pub use super::expression::{BadExpression, Expression, RenderError};
pub use super::pieces::{BadText, Piece};

#[cfg(test)]
mod tests;

/// A JSON tree whose texts may hold `{{ … }}`. A text that is exactly one `{{ … }}` keeps the type of
/// its value; in other texts the values become part of the text, those that are not texts as JSON.
/// Names of members are plain text. Two templates are equal if their sources are, and the JSON of a
/// template is its source.
#[derive(Clone)]
pub struct Template(Arc<Compiled>);

struct Compiled {
    root: Node,
    references: References,
}

impl Template {
    /// The template with this tree.
    pub fn new(root: Node) -> Self {
        let mut references = References::default();
        root.see(&mut |pieces| {
            for piece in pieces {
                if let Piece::Value { expression, .. } = piece {
                    references.add(expression.references());
                }
            }
        });
        Self(Arc::new(Compiled { root, references }))
    }

    /// The template with this JSON as its source.
    ///
    /// # Errors
    /// When one of its texts has something in braces that is not an expression.
    pub fn from_json(source: &Json) -> Result<Self, BadText> {
        Node::from_json(source.text(), 0).map(Self::new)
    }

    /// The value of the template in a scope.
    ///
    /// # Errors
    /// When an expression in it has no value: see [`RenderError`].
    pub fn render(&self, scope: &Scope) -> Result<Json, RenderError> {
        self.render_in(&LazyView::new(scope))
    }

    /// Whether it holds no expression: then it renders to itself, at no cost.
    pub fn is_constant(&self) -> bool {
        matches!(self.0.root, Node::Constant(_))
    }

    /// Whether its source is a list.
    pub fn is_list(&self) -> bool {
        match &self.0.root {
            Node::Constant(json) => json.text().starts_with('['),
            Node::List(_) => true,
            Node::Text { .. } | Node::Map(_) => false,
        }
    }

    /// The parts of a scope that it uses.
    pub fn references(&self) -> &References {
        &self.0.references
    }

    /// The tree of the template.
    pub fn root(&self) -> &Node {
        &self.0.root
    }

    pub(super) fn render_in(&self, view: &LazyView<'_>) -> Result<Json, RenderError> {
        self.0.root.render(view)
    }

    /// The value as text: a text without quotes, everything else as JSON.
    pub(super) fn render_text(&self, view: &LazyView<'_>) -> Result<String, RenderError> {
        self.render_in(view).map(|json| plain(json.text()))
    }

    /// The items of a list as texts, each as [`Template::render_text`] would write it.
    pub(super) fn render_texts(&self, view: &LazyView<'_>) -> Result<Vec<String>, RenderError> {
        let json = self.render_in(view)?;
        match Level::of(json.text()) {
            Ok(Level::List(items)) => Ok(items.into_iter().map(plain).collect()),
            _ => Ok(vec![plain(json.text())]),
        }
    }

    /// The text of a shell command, in which every value is quoted, except for those with `| raw`.
    pub(super) fn render_shell(&self, view: &LazyView<'_>) -> Result<String, RenderError> {
        let Node::Text { pieces, .. } = &self.0.root else { return self.render_text(view) };
        let mut command = String::new();
        let mut places = shell::places(pieces).into_iter();
        for piece in pieces {
            match piece {
                Piece::Text(text) => command.push_str(text),
                Piece::Value { expression, .. } => {
                    let json = expression.json_text(&expression.value(view.get())?)?;
                    // A command that an earlier version accepted goes on as it did;
                    // `validate` refuses it today.
                    let place = places.next().and_then(Result::ok).unwrap_or(shell::WordPosition::Words);
                    let words =
                        if expression.is_raw() { Ok(plain(&json)) } else { shell::quoted(&json, place) };
                    command.push_str(&words.map_err(|why| {
                        RenderError::Failed(format!("`{{{{ {} }}}}` is {why}", expression.source()))
                    })?);
                }
            }
        }
        Ok(command)
    }
}

/// A part of a template.
#[derive(Debug, Clone, PartialEq)]
pub enum Node {
    /// JSON without expressions, and without spaces between its parts.
    Constant(Json),
    /// A text with at least one expression in it.
    Text {
        /// The text as it was written.
        source: Arc<str>,
        /// The text, split into pieces.
        pieces: Vec<Piece>,
    },
    /// A list with at least one part that holds an expression.
    List(Vec<Node>),
    /// An object with at least one part that holds an expression.
    Map(Vec<(Arc<str>, Node)>),
}

impl Node {
    /// A value without expressions.
    pub fn constant(json: &Json) -> Self {
        Self::Constant(json.clone())
    }

    /// A text, which may hold expressions.
    ///
    /// # Errors
    /// When a `{{` is not closed, or what is in it is not an expression.
    pub fn text(source: &str) -> Result<Self, BadText> {
        Self::text_of(source, Expression::parse)
    }

    fn text_of(source: &str, read: ReadExpression) -> Result<Self, BadText> {
        let pieces = pieces::split(source, read)?;
        let plain = pieces.iter().all(|piece| matches!(piece, Piece::Text(_)));
        let text = Self::Text { source: source.into(), pieces };
        Ok(if plain { Self::Constant(text.source()) } else { text })
    }

    /// A list of these parts.
    pub fn list(items: Vec<Self>) -> Self {
        let constant = items.iter().all(|node| matches!(node, Self::Constant(_)));
        let list = Self::List(items);
        if constant { Self::Constant(list.source()) } else { list }
    }

    /// An object with these members.
    pub fn map(members: Vec<(Arc<str>, Self)>) -> Self {
        let constant = members.iter().all(|(_, node)| matches!(node, Self::Constant(_)));
        let map = Self::Map(members);
        if constant { Self::Constant(map.source()) } else { map }
    }

    /// Calls `look` with the pieces of every text that holds expressions.
    pub fn see<'a>(&'a self, look: &mut dyn FnMut(&'a [Piece])) {
        match self {
            Self::Constant(_) => {}
            Self::Text { pieces, .. } => look(pieces),
            Self::List(items) => items.iter().for_each(|node| node.see(look)),
            Self::Map(members) => members.iter().for_each(|(_, node)| node.see(look)),
        }
    }

    /// Reads a template that was recorded.
    fn from_json(text: &str, depth: usize) -> Result<Self, BadText> {
        if depth > DEPTH_MAX {
            let message = format!("the template is nested deeper than {DEPTH_MAX} levels");
            return Err(BadText { at: 0, message });
        }
        let inside = |part: &str| Self::from_json(part, depth + 1);
        match Level::of(text) {
            Ok(Level::Text(text)) => Self::text_of(&text, Expression::recorded),
            Ok(Level::List(items)) => {
                Ok(Self::list(items.into_iter().map(inside).collect::<Result<_, _>>()?))
            }
            Ok(Level::Map(members)) => {
                let member = |(key, part): (std::borrow::Cow<'_, str>, &str)| Ok((key.into(), inside(part)?));
                Ok(Self::map(members.into_iter().map(member).collect::<Result<_, _>>()?))
            }
            Ok(Level::Null | Level::Bool(_) | Level::Number(_)) | Err(_) => {
                Ok(Self::Constant(json(text.trim())))
            }
        }
    }

    /// The JSON that it was made from.
    fn source(&self) -> Json {
        if let Self::Constant(json) = self {
            return json.clone();
        }
        let mut out = String::new();
        let written: Result<(), Infallible> = self.write(&mut out, &|out, source, _| {
            json_text::write_text(out, source);
            Ok(())
        });
        written.unwrap_or_else(|never| match never {});
        json(&out)
    }

    fn render(&self, view: &LazyView<'_>) -> Result<Json, RenderError> {
        if let Self::Constant(json) = self {
            return Ok(json.clone());
        }
        if let Self::Text { pieces, .. } = self
            && let [Piece::Value { expression, .. }] = pieces.as_slice()
        {
            return expression.evaluate_in(view.get());
        }
        let mut out = String::new();
        self.write(&mut out, &|out, _, pieces| {
            if let [Piece::Value { expression, .. }] = pieces {
                out.push_str(&expression.json_text(&expression.value(view.get())?)?);
                return check_length(out);
            }
            let mut text = String::new();
            for piece in pieces {
                match piece {
                    Piece::Text(plain) => text.push_str(plain),
                    Piece::Value { expression, .. } => {
                        text.push_str(&plain(&expression.json_text(&expression.value(view.get())?)?));
                    }
                }
                check_length(&text)?;
            }
            json_text::write_text(out, &text);
            check_length(out)
        })?;
        Json::made(&out).map_err(|why| RenderError::Failed(format!("what is rendered: {}", why.why)))
    }

    /// Writes the tree as JSON; `text` writes a text that holds expressions, given its source and pieces.
    fn write<E>(&self, out: &mut String, text: &WriteText<'_, E>) -> Result<(), E> {
        match self {
            Self::Constant(json) => out.push_str(json.text()),
            Self::Text { source, pieces } => text(out, source, pieces)?,
            Self::List(items) => {
                for (index, node) in items.iter().enumerate() {
                    out.push(if index == 0 { '[' } else { ',' });
                    node.write(out, text)?;
                }
                out.push_str(if items.is_empty() { "[]" } else { "]" });
            }
            Self::Map(members) => {
                for (index, (name, node)) in members.iter().enumerate() {
                    out.push(if index == 0 { '{' } else { ',' });
                    json_text::write_text(out, name);
                    out.push(':');
                    node.write(out, text)?;
                }
                out.push_str(if members.is_empty() { "{}" } else { "}" });
            }
        }
        Ok(())
    }
}

type WriteText<'a, E> = dyn Fn(&mut String, &str, &[Piece]) -> Result<(), E> + 'a;

fn check_length(rendered: &str) -> Result<(), RenderError> {
    document::check_length(rendered).map_err(RenderError::Failed)
}

/// JSON that was just written part by part, so that it is valid.
fn json(text: &str) -> Json {
    Json::parse(text).unwrap_or_default()
}

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Template({:?})", self.0.root.source())
    }
}

impl PartialEq for Template {
    fn eq(&self, other: &Self) -> bool {
        self.0.root == other.0.root
    }
}

impl Serialize for Template {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.root.source().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Template {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_json(&Json::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}
