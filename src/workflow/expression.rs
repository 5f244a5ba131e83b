//! Expressions: minijinja, strict, with bounded fuel, compiled once. `docs/workflows.md` says
//! what users may write.

use std::fmt;
use std::sync::Arc;

use minijinja::value::Value;
use minijinja::{Error, ErrorKind};
use serde::{Deserialize, Serialize};

use super::scope::{References, Scope, StepReferences};
use crate::events::ids::{ContextKey, StepId};
use crate::events::json::Json;
use crate::events::problem::{Code, Problem};

mod bounded;
pub mod budget;
mod builtins;
pub(super) mod document;
mod engine;
pub(super) mod names;
mod number;
mod operators;
#[cfg(test)]
mod tests;
mod undefined;
pub(super) mod view;

use view::View;

pub use builtins::{FILTERS, FUNCTIONS, TESTS};

/// A compiled expression. Two are equal if their sources are; its JSON is the source.
#[derive(Clone)]
pub struct Expression(Arc<Compiled>);

struct Compiled {
    source: String,
    references: References,
    raw: bool,
    needed: bool,
    /// The compiled program, or why the source does not compile.
    program: Result<minijinja::Expression<'static, 'static>, BadExpression>,
}

/// Why a text is not an expression, in a sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadExpression {
    /// It does not parse.
    #[error("{0}")]
    Syntax(String),
    /// It is longer, or nested deeper, than can be evaluated safely.
    #[error("{0}")]
    TooDeep(String),
}

/// Why an expression has no value in a scope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    /// It uses the output of a step that has none.
    #[error("it uses the output of `{0}`, which has none")]
    NoOutput(StepId),
    /// It names a value by `| needed` that is not there.
    #[error("{0}")]
    Lacking(String),
    /// It failed, and would fail on the same values whenever it is tried.
    #[error("{0}")]
    Failed(String),
    /// Its value should have been a list.
    #[error("`for_each` wants a list, and this is {0}")]
    NotAList(&'static str),
}

impl RenderError {
    /// Why a step that uses it is skipped, in a sentence; none where it fails.
    pub fn skips(&self) -> Option<String> {
        match self {
            Self::NoOutput(of) => Some(format!("it uses the output of step `{of}`, which has none")),
            Self::Lacking(why) => Some(why.clone()),
            Self::Failed(_) | Self::NotAList(_) => None,
        }
    }

    /// The same as a problem that people are told.
    pub fn problem(&self) -> Problem {
        match self {
            Self::NoOutput(step) => Problem::new(Code::NoOutput, self.to_string())
                .hint(format!("test it first, as in `if: steps['{step}'].status == 'completed'`")),
            Self::Lacking(_) => {
                Problem::new(Code::NoOutput, self.to_string()).hint("see what the step before it answered")
            }
            Self::Failed(_) => Problem::new(Code::ExpressionFailed, self.to_string()),
            Self::NotAList(_) => Problem::new(Code::NotAList, self.to_string()),
        }
    }
}

impl Expression {
    /// Compiles the source of an expression.
    ///
    /// # Errors
    /// When it does not parse. Whether the names in it exist is not checked here, but by those
    /// who know the names.
    pub fn parse(source: &str) -> Result<Self, BadExpression> {
        let source = source.trim();
        if source.is_empty() {
            return Err(BadExpression::Syntax("the expression is empty".to_owned()));
        }
        let tokens = Self::bounded(source)?;
        let names = names::Names::among(&tokens);
        let operators = operators::marks(&tokens);
        if operators == Err(operators::Stop::TooDeep) {
            // A bracket counts twice, and what is outermost too.
            let most = operators::DEPTH_MAX / 2 - 1;
            let says =
                format!("the expression is nested deeper than {most} levels, or has too many parts in a row");
            return Err(BadExpression::TooDeep(says));
        }
        let program = engine::compile(source, &names, operators.ok())
            .map_err(|why| BadExpression::Syntax(sentence(&why)))?;
        let (references, raw, needed) = (references(&names), names.raw, names.needed);
        let (source, program) = (source.to_owned(), Ok(program));
        Ok(Self(Arc::new(Compiled { source, references, raw, needed, program })))
    }

    /// Compiles a source that was recorded. An older version may have taken one that is too deep: that one
    /// fails only when it is evaluated.
    ///
    /// # Errors
    /// When it does not parse.
    pub(super) fn recorded(source: &str) -> Result<Self, BadExpression> {
        match Self::parse(source) {
            Err(why @ BadExpression::TooDeep(_)) => {
                let references = References::default();
                let source = source.trim().to_owned();
                let (raw, needed, program) = (false, false, Err(why));
                Ok(Self(Arc::new(Compiled { source, references, raw, needed, program })))
            }
            read => read,
        }
    }

    /// The tokens of a source; an error if it is too long.
    fn bounded(source: &str) -> Result<Vec<names::Token<'_>>, BadExpression> {
        if source.len() <= operators::LENGTH_MAX {
            return Ok(names::tokens(source));
        }
        let (bytes, most) = (source.len(), operators::LENGTH_MAX);
        Err(BadExpression::TooDeep(format!(
            "the expression has {bytes} bytes, and no more than {most} are read"
        )))
    }

    /// The source as it was written.
    pub fn source(&self) -> &str {
        &self.0.source
    }

    /// The parts of a scope that it uses.
    pub fn references(&self) -> &References {
        &self.0.references
    }

    /// Whether it ends in `| raw`: a shell command takes its value without quotes.
    pub fn is_raw(&self) -> bool {
        self.0.raw
    }

    /// The value of the expression in a scope, as JSON.
    ///
    /// # Errors
    /// When it has no value there: see [`RenderError`].
    pub fn evaluate(&self, scope: &Scope) -> Result<Json, RenderError> {
        self.evaluate_in(&View::new(scope))
    }

    /// The value as JSON. A document that is passed on whole is passed on as it is.
    pub(super) fn evaluate_in(&self, view: &View) -> Result<Json, RenderError> {
        let value = self.value(view)?;
        match document::document(&value) {
            Some(json) => Ok(json),
            None => {
                self.json_text(&value).and_then(|text| Json::made(&text).map_err(|why| self.failed(why.why)))
            }
        }
    }

    /// Whether its value counts as true: not `false`, `none`, 0, and not empty.
    ///
    /// # Errors
    /// When it has no value there: see [`RenderError`].
    pub fn is_true(&self, scope: &Scope) -> Result<bool, RenderError> {
        self.value(&View::new(scope)).map(|value| value.is_true())
    }

    /// The value, for use inside the engine. It is never undefined.
    pub(super) fn value(&self, view: &View) -> Result<Value, RenderError> {
        let undefined = |what: &str| match view.missing() {
            Some(step) => RenderError::NoOutput(step),
            None => {
                let there_is = undefined::there_is(self.source(), view);
                let there_is = there_is.map(|there_is| format!(" ({there_is})")).unwrap_or_default();
                match self.0.needed {
                    true => RenderError::Lacking(format!("{what} is needed, and is not there{there_is}")),
                    false => self.failed(format!("{what} is not defined{there_is}")),
                }
            }
        };
        budget::begin();
        let program = self.0.program.as_ref().map_err(|why| self.failed(why))?;
        let evaluated = self.guarded(|| program.eval(view.root()))?;
        if let Some(why) = budget::overdrawn() {
            return Err(match &evaluated {
                Err(error) => self.failed(sentence(error)),
                Ok(_) => self.failed(why),
            });
        }
        match evaluated {
            Ok(value) if value.is_undefined() => Err(undefined("its value")),
            Ok(value) => Ok(value),
            Err(why) => match (why.kind(), why.detail()) {
                (ErrorKind::UndefinedError, Some(path)) => Err(undefined(&format!("`{path}`"))),
                (ErrorKind::UndefinedError, None) => Err(undefined("a part of it")),
                _ => Err(self.failed(sentence(&why))),
            },
        }
    }

    /// A value of this expression, as JSON text.
    pub(super) fn json_text(&self, value: &Value) -> Result<String, RenderError> {
        let text = self.guarded(|| document::to_json_text(value))?;
        match (text, budget::overdrawn()) {
            (Ok(text), None) => Ok(text),
            (Err(why), _) | (Ok(_), Some(why)) => Err(self.failed(why)),
        }
    }

    /// Calls the engine, which panics on some values: without this, a panic would end a thread
    /// that others use too.
    fn guarded<T>(&self, call: impl FnOnce() -> T) -> Result<T, RenderError> {
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(call))
            .map_err(|_| self.failed("the template engine cannot evaluate this on these values"))
    }

    fn failed(&self, why: impl fmt::Display) -> RenderError {
        const CHARS_MAX: usize = 200;
        match self.source().char_indices().nth(CHARS_MAX) {
            Some((end, _)) => {
                let start = self.source().get(..end).unwrap_or_default();
                RenderError::Failed(format!("`{start}…`: {why}"))
            }
            None => RenderError::Failed(format!("`{}`: {why}", self.source())),
        }
    }
}

/// The engine's error as a sentence, without the engine's own places, which mean nothing to a
/// reader of the file.
fn sentence(error: &Error) -> String {
    match (error.kind(), error.detail()) {
        (ErrorKind::OutOfFuel, _) => "it takes too many steps to evaluate".to_owned(),
        (ErrorKind::InvalidOperation | ErrorKind::SyntaxError, Some(detail)) => detail.to_owned(),
        (kind, Some(detail)) => format!("{kind}: {detail}"),
        (kind, None) => kind.to_string(),
    }
}

fn references(names: &names::Names<'_>) -> References {
    let mut references = References::default();
    for path in &names.paths {
        match path.root {
            "input" => references.input = true,
            "item" | "index" => references.item = true,
            "context" => references.context = true,
            "contexts" => references.contexts.extend(shared_key(path)),
            "steps" => references.steps = steps(path, references.steps),
            _ => {}
        }
    }
    references
}

/// The alias of a shared context, and the key of it, that a path names.
fn shared_key(path: &names::Path<'_>) -> Option<(String, ContextKey)> {
    match path.attributes.as_slice() {
        [(alias, _), (key, _), ..] => Some(((*alias).to_owned(), ContextKey::parse(key).ok()?)),
        _ => None,
    }
}

/// Adds the steps that a path names to those found so far.
fn steps(path: &names::Path<'_>, so_far: StepReferences) -> StepReferences {
    let named = path.attributes.first().and_then(|(name, _)| step_id(name));
    match (so_far, named) {
        (StepReferences::These(mut ids), Some(id)) => {
            ids.insert(id);
            StepReferences::These(ids)
        }
        _ => StepReferences::All,
    }
}

/// The id of a step of the definition, or of one that grew: `copy[0]`, `poll#1`, `plan/added`.
fn step_id(name: &str) -> Option<StepId> {
    let grown = name.find(['[', '#', '/']).unwrap_or(name.len());
    StepId::parse(name.get(..grown)?).ok()?;
    Some(StepId::grown(name))
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Expression({})", self.source())
    }
}

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.source() == other.source()
    }
}

impl Serialize for Expression {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.source())
    }
}

impl<'de> Deserialize<'de> for Expression {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::recorded(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}
