//! What expressions may call, by name: the engine's own builtins, and ours where the engine's would
//! behave in another way.

use minijinja::value::Value;
use minijinja::{Environment, Error, ErrorKind, filters, functions, tests};

use super::budget;
use super::document::{to_json_text, value_of};
use crate::events::json::Json;

/// Registers builtins under their names and keeps the list of names, so that a wrong name can
/// be reported at once.
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
    "map" filters::map; "max" filters::max; "min" filters::min; "needed" needed; "raw" raw; "reject" filters::reject;
    "rejectattr" filters::rejectattr; "replace" filters::replace; "reverse" filters::reverse;
    "round" filters::round; "select" filters::select; "selectattr" filters::selectattr; "slice" filters::slice;
    "sort" filters::sort; "split" filters::split; "string" filters::string; "sum" filters::sum;
    "title" filters::title; "tojson" to_json; "trim" filters::trim; "unique" filters::unique;
    "upper" filters::upper; "zip" filters::zip;
}

builtins! {
    /// The tests: `x is NAME`. Those that are also operators are for `select` and similar filters.
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
    /// The functions, called as `NAME(x)`.
    FUNCTIONS, register_functions, add_function:
    "dict" functions::dict; "range" range;
}

/// `x | raw` changes nothing: it tells a text of `run` not to quote the value.
fn raw(value: Value) -> Value {
    value
}

/// `x | needed` changes nothing either: it says that a step whose `x` is not there is skipped, and does not fail.
fn needed(value: Value) -> Value {
    value
}

/// `x | tojson`: the value as compact JSON. (The engine's own escapes for HTML and loses big integers.)
fn to_json(value: &Value) -> Result<String, Error> {
    let text = to_json_text(value).map_err(|why| Error::new(ErrorKind::BadSerialization, why))?;
    budget::make(text.len()).map(|()| text)
}

/// `x | fromjson`: the value of a JSON text.
fn from_json(text: &str) -> Result<Value, Error> {
    budget::make(text.len())?;
    Json::read(text)
        .map(|json| value_of(&json))
        .map_err(|why| Error::new(ErrorKind::InvalidOperation, format!("this is not JSON: {why}")))
}

/// `range(upper)`, `range(lower, upper)`, `range(lower, upper, step)`. (The engine's own overflows.)
fn range(from: i64, to: Option<i64>, step: Option<i64>) -> Result<Value, Error> {
    const LENGTH_MAX: i128 = 100_000;
    let bad = |says: &str| Error::new(ErrorKind::InvalidOperation, says.to_owned());
    let (from, to) = to.map_or((0, i128::from(from)), |to| (i128::from(from), i128::from(to)));
    let step = i128::from(step.unwrap_or(1));
    if step == 0 {
        return Err(bad("cannot create range with step of 0"));
    }
    let length = ((to - from + step - step.signum()) / step).max(0);
    if length > LENGTH_MAX {
        return Err(bad("range has too many elements"));
    }
    budget::items(usize::try_from(length).unwrap_or_default())?;
    Ok(Value::make_iterable(move || {
        (0..length as usize).map(move |place| i64::try_from(from + step * place as i128).unwrap_or_default())
    }))
}
