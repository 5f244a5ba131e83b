//! The template engine, set up once: no templates, no files, no macros; only what is listed here.

use std::sync::LazyLock;

use minijinja::value::Value;
use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior, filters, functions, tests};

use crate::events::json::Json;
use crate::workflow::expression::names::{Kind, Names, tokens};
use crate::workflow::expression::operators::{CHAIN, Mark, NUMBER, marked};
use crate::workflow::expression::{bounded, budget};
use crate::workflow::json_text;
use crate::workflow::scope::view;

/// How many instructions one expression may take. The longest that a person would write takes some hundred.
const FUEL: u64 = 100_000;

/// Registers builtins under their names and keeps the list, so that a wrong name can be told at once.
macro_rules! builtins {
    ($(#[$doc:meta])* $list:ident, $register:ident, $add:ident: $($name:literal $function:expr;)*) => {
        $(#[$doc])*
        pub const $list: &[&str] = &[$($name),*];

        pub(super) fn $register(environment: &mut Environment<'static>) {
            $(environment.$add($name, $function);)*
        }
    };
}

builtins! {
    /// The filters: `x | NAME`.
    FILTERS, register_filters, add_filter:
    "abs" filters::abs; "attr" filters::attr; "batch" filters::batch; "bool" filters::bool;
    "capitalize" filters::capitalize; "chain" filters::chain; "count" filters::length; "d" filters::default;
    "default" filters::default; "dictsort" filters::dictsort; "first" filters::first; "float" filters::float;
    "format" filters::format; "fromjson" from_json; "groupby" filters::groupby; "indent" filters::indent;
    "int" filters::int; "items" filters::items; "join" filters::join; "last" filters::last;
    "length" filters::length; "lines" filters::lines; "list" filters::list; "lower" filters::lower;
    "map" filters::map; "max" filters::max; "min" filters::min; "raw" raw; "reject" filters::reject;
    "rejectattr" filters::rejectattr; "replace" filters::replace; "reverse" filters::reverse;
    "round" filters::round; "select" filters::select; "selectattr" filters::selectattr; "slice" filters::slice;
    "sort" filters::sort; "split" filters::split; "string" filters::string; "sum" filters::sum;
    "title" filters::title; "tojson" to_json; "trim" filters::trim; "unique" filters::unique;
    "upper" filters::upper; "zip" filters::zip;
}

builtins! {
    /// The tests: `x is NAME`. Those that are operators are for `select` and its like.
    TESTS, register_tests, add_test:
    "boolean" tests::is_boolean; "defined" tests::is_defined; "divisibleby" tests::is_divisibleby;
    "endingwith" tests::is_endingwith; "eq" tests::is_eq; "equalto" tests::is_eq; "even" tests::is_even;
    "false" tests::is_false; "float" tests::is_float; "ge" tests::is_ge; "gt" tests::is_gt; "in" tests::is_in;
    "integer" tests::is_integer; "iterable" tests::is_iterable; "le" tests::is_le; "lower" tests::is_lower;
    "lt" tests::is_lt; "mapping" tests::is_mapping; "ne" tests::is_ne; "none" tests::is_none;
    "number" tests::is_number; "odd" tests::is_odd; "sequence" tests::is_sequence;
    "startingwith" tests::is_startingwith; "string" tests::is_string; "true" tests::is_true;
    "undefined" tests::is_undefined; "upper" tests::is_upper;
    "==" tests::is_eq; "!=" tests::is_ne; "<" tests::is_lt; "<=" tests::is_le; ">" tests::is_gt; ">=" tests::is_ge;
}

builtins! {
    /// The functions: `NAME(x)`.
    FUNCTIONS, register_functions, add_function:
    "dict" functions::dict; "range" bounded::range;
}

/// Compiles an expression, with its operators as they were found. The engine lets some operations have something undefined,
/// such as a comparison, and answers as if nothing were wrong: so every path that is not asked whether it is defined is
/// checked when it is looked up.
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

/// What the engine says of a source that does not parse. It calculates what is constant while it compiles, without any
/// bound; so it gets the source without the operators that make something.
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

/// The function that lets only what is defined through: `MUST(path, "path")`.
pub(crate) const MUST: &str = "__must";

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

/// `x | raw` changes nothing: it is the mark by which a text `run` knows not to quote the value.
fn raw(value: Value) -> Value {
    value
}

/// `x | tojson`: the value as compact JSON. (The engine's own escapes for HTML and loses big integers.)
fn to_json(value: &Value) -> Result<String, Error> {
    let text = view::to_json_text(value).map_err(|why| Error::new(ErrorKind::BadSerialization, why))?;
    budget::make(text.len()).map(|()| text)
}

/// `x | fromjson`: the value that a text of JSON means.
fn from_json(text: &str) -> Result<Value, Error> {
    budget::make(text.len())?;
    Json::read(text)
        .map(|json| view::value_of(&json))
        .map_err(|why| Error::new(ErrorKind::InvalidOperation, format!("this is not JSON: {why}")))
}
