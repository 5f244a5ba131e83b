//! The template engine, set up once: no templates, no files, no macros; only what `builtins` lists.

use std::sync::LazyLock;

use minijinja::value::Value;
use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior};

use super::bounded;
use super::builtins::{FILTERS, TESTS, register_functions};
use super::names::{Kind, Names, tokens};
use super::operators::{CHAIN, Mark, NUMBER, marked};
use crate::workflow::json_text;

/// How many instructions one expression may take. The longest that people write take a few hundred.
const FUEL: u64 = 100_000;

/// Compiles an expression whose operators are marked. The engine accepts undefined values in some operations,
/// such as comparisons, and answers as if nothing were wrong. So every path that is not tested for being
/// defined is checked when it is looked up.
pub(super) fn compile(
    source: &str,
    names: &Names<'_>,
    operators: Option<Vec<Mark>>,
) -> Result<minijinja::Expression<'static, 'static>, Error> {
    let Some(operators) = operators else { return Err(syntax_error(source)) };
    let mut marks: Vec<Mark> = Vec::new();
    for path in names.paths.iter().filter(|path| !path.guarded) {
        let mut check = String::from(",");
        json_text::write_text(&mut check, source.get(path.at..path.end).unwrap_or_default());
        check.push(')');
        marks.push(Mark { at: path.at, over: 0, to: path.end, text: format!("{MUST}(") });
        marks.push(Mark { at: path.end, over: 0, to: path.at, text: check });
    }
    marks.extend(operators);
    compile_as_is(marked(source, marks)).map_err(|why| match why.kind() {
        ErrorKind::SyntaxError => syntax_error(source),
        _ => why,
    })
}

/// The engine's message about a source that does not parse. The engine calculates constants while it
/// compiles, without any bound; so it gets the source without the operators that make something.
fn syntax_error(source: &str) -> Error {
    let mut harmless = source.to_owned();
    for token in tokens(source).iter().rev() {
        if let Kind::Symbol(symbol @ ("+" | "*" | "~" | "**")) = token.kind {
            harmless.replace_range(token.at..token.end, &"-"[..symbol.len().min(1)]);
        }
    }
    match compile_as_is(harmless) {
        Err(why) => why,
        Ok(_) => Error::new(ErrorKind::SyntaxError, "this is no expression"),
    }
}

/// The function that fails for undefined values, and answers all others: `MUST(path, "path")`.
pub(super) const MUST: &str = "__must";

fn must(value: Value, path: &str) -> Result<Value, Error> {
    if value.is_undefined() { Err(Error::new(ErrorKind::UndefinedError, path.to_owned())) } else { Ok(value) }
}

fn compile_as_is(source: String) -> Result<minijinja::Expression<'static, 'static>, Error> {
    static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
        let mut environment = Environment::empty();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_fuel(Some(FUEL));
        FILTERS.iter().for_each(|name| bounded::add_filter(&mut environment, name));
        TESTS.iter().for_each(|name| bounded::add_test(&mut environment, name));
        register_functions(&mut environment);
        environment.add_function(MUST, must);
        environment.add_function(CHAIN, bounded::chain);
        environment.add_function(NUMBER, bounded::number);
        environment
    });
    ENVIRONMENT.compile_expression_owned(source)
}
