//! The filters, tests and operators that expressions get, with bounds: each is charged for what it is about
//! to make, before it makes it.

use std::fmt::{self, Write};
use std::sync::LazyLock;

use minijinja::value::{Kwargs, Rest, Value, ValueKind, ValueOrKwargs, from_args};
use minijinja::{Environment, Error, ErrorKind, State, UndefinedBehavior, context, filters};

use super::document::seen_as;
use super::number::{self, Numbers};
use super::{budget, builtins};

/// The engine's own filters and tests, which only the bounded ones call.
static UNBOUNDED: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::empty();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    builtins::register_filters(&mut environment);
    builtins::register_tests(&mut environment);
    environment
});

/// Registers a filter of [`builtins::FILTERS`].
pub(super) fn add_filter(environment: &mut Environment<'static>, name: &'static str) {
    match name {
        // These call other filters, which must be the bounded ones.
        "map" => environment.add_filter(name, |state: &mut State, list: Value, args: Rest<ValueOrKwargs>| {
            like(std::slice::from_ref(&list))?;
            filters::map(state, list, args)
        }),
        "select" => environment.add_filter(name, |state: &mut State, list: Value, test: Test, args: Args| {
            like(std::slice::from_ref(&list))?;
            filters::select(state, list, test.map(Into::into), args)
        }),
        "reject" => environment.add_filter(name, |state: &mut State, list: Value, test: Test, args: Args| {
            like(std::slice::from_ref(&list))?;
            filters::reject(state, list, test.map(Into::into), args)
        }),
        "selectattr" => environment.add_filter(
            name,
            |state: &mut State, list: Value, by: String, test: Test, args: Args| {
                like(std::slice::from_ref(&list))?;
                filters::selectattr(state, list, by.into(), test.map(Into::into), args)
            },
        ),
        "rejectattr" => environment.add_filter(
            name,
            |state: &mut State, list: Value, by: String, test: Test, args: Args| {
                like(std::slice::from_ref(&list))?;
                filters::rejectattr(state, list, by.into(), test.map(Into::into), args)
            },
        ),
        _ => environment.add_filter(name, move |args: Args| filter(name, &args.into_values())),
    }
}

type Test = Option<String>;
type Args = Rest<ValueOrKwargs>;

/// Registers a test of [`builtins::TESTS`].
pub(super) fn add_test(environment: &mut Environment<'static>, name: &'static str) {
    environment.add_test(name, move |args: Args| -> Result<bool, Error> {
        let mut args = args.into_values();
        budget::items(1 + args.get(1).map_or(0, weight))?;
        for arg in &mut args {
            *arg = seen_as(arg, Numbers::Plain)?;
        }
        if name == "divisibleby" && args.get(1).is_some_and(|by| by.is_number() && !by.is_true()) {
            return Err(Error::new(ErrorKind::InvalidOperation, "nothing is divisible by zero"));
        }
        UNBOUNDED.empty_state().perform_test(name, &args)
    });
}

/// The most items that must be looked at to find something in a value.
fn weight(value: &Value) -> usize {
    value.as_str().map_or_else(|| value.len().unwrap_or_default(), |text| text.len() / 64)
}

fn filter(name: &str, args: &[Value]) -> Result<Value, Error> {
    let (given, named): (&[Value], Kwargs) = from_args(args)?;
    charge(name, given, &named)?;
    let apply = |args: &[Value]| UNBOUNDED.empty_state().apply_filter(name, args);
    match name {
        "abs" | "round" | "int" | "float" | "sum" | "batch" | "slice" | "indent" | "split" => {
            let keeps_items = matches!(name, "batch" | "slice");
            let plain = args.iter().enumerate().map(|(place, arg)| match place {
                0 if keeps_items => Ok(arg.clone()),
                _ if arg.is_kwargs() => Ok(arg.clone()),
                _ => seen_as(arg, Numbers::Plain),
            });
            apply(&plain.collect::<Result<Vec<_>, _>>()?)
        }
        // They compare numbers and answer them. So all numbers become objects, which can be compared
        // and keep their digits.
        "sort" | "unique" | "min" | "max" | "groupby" | "dictsort" => {
            let objects = args.iter().enumerate().map(|(place, arg)| match place {
                0 => seen_as(arg, Numbers::Objects),
                _ => Ok(arg.clone()),
            });
            seen_as(&apply(&objects.collect::<Result<Vec<_>, _>>()?)?, Numbers::Written)
        }
        "format" if !only_texts(given) => {
            let plain = args.iter().map(|arg| Ok(number::single(arg).unwrap_or_else(|| arg.clone())));
            apply(&plain.collect::<Result<Vec<_>, Error>>()?)
        }
        _ => apply(args),
    }
}

/// Charges for what a filter is about to make. Filters that are not named here make a single value,
/// or pass one on.
fn charge(name: &str, args: &[Value], named: &Kwargs) -> Result<(), Error> {
    let first = args.first();
    let text = first.and_then(Value::as_str);
    let number = |place: usize, name: &str, or: usize| -> Result<usize, Error> {
        let given = args.get(place).cloned();
        let given = if given.is_some() { given } else { named.get::<Option<Value>>(name)? };
        let given = given.map(|value| number::single(&value).unwrap_or(value));
        Ok(given.and_then(|value| usize::try_from(value).ok()).unwrap_or(or))
    };
    match name {
        "upper" | "lower" | "title" | "capitalize" | "trim" | "reverse" | "list" | "sort" | "unique"
        | "items" | "dictsort" | "groupby" | "min" | "max" | "first" | "last" | "fromjson" => like(args),
        "chain" | "zip" => args.iter().try_for_each(|arg| like(std::slice::from_ref(arg))),
        "string" => budget::make(first.map_or(Ok(0), written_length)?),
        "batch" => {
            like(args)?;
            let filled = args.get(2).is_some() || named.has("fill_with");
            budget::items(if filled { number(1, "count", 0)? } else { 0 })
        }
        "slice" => {
            like(args)?;
            budget::items(number(1, "count", 0)?)
        }
        "indent" => {
            let text = text.unwrap_or_default();
            let lines = 2 + text.matches('\n').count();
            budget::make(text.len().saturating_add(number(1, "width", 4)?.saturating_mul(lines)))
        }
        "split" | "lines" => {
            let text = text.unwrap_or_default();
            let separator = args.get(1).and_then(Value::as_str).unwrap_or_default();
            let parts = match (name, separator) {
                ("split", "") if args.get(1).is_some_and(|by| by.as_str().is_some()) => text.chars().count(),
                ("split", "") => text.split_whitespace().count(),
                ("split", separator) => text.matches(separator).count(),
                _ => text.matches('\n').count(),
            };
            budget::items(parts + 2)?;
            budget::make(text.len())
        }
        "replace" => {
            let [from, to] = [1, 2].map(|place| args.get(place).and_then(Value::as_str).unwrap_or_default());
            let text = text.unwrap_or_default();
            let times = text.matches(from).count();
            budget::make(text.len().saturating_add(times.saturating_mul(to.len())))
        }
        "join" => joined(args, named),
        "sum" => summed(args, named),
        "format" => formatted(text.unwrap_or_default(), args.get(1..).unwrap_or_default()),
        _ => Ok(()),
    }
}

/// Charges for a result that is about as big as its argument.
fn like(args: &[Value]) -> Result<(), Error> {
    let Some(first) = args.first() else { return Ok(()) };
    match first.as_str() {
        Some(text) => budget::make(text.len()),
        None => budget::items(first.len().unwrap_or_default()),
    }
}

/// The length of a value as text, in bytes.
fn written_length(value: &Value) -> Result<usize, Error> {
    struct Count(usize);
    impl Write for Count {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.0 += text.len();
            if self.0 <= budget::made_left() { Ok(()) } else { Err(fmt::Error) }
        }
    }
    if let Some(text) = value.as_str() {
        return Ok(text.len());
    }
    let mut count = Count(0);
    // If it is longer than what is left of the budget, the caller refuses it.
    let _ = write!(count, "{value}");
    Ok(count.0)
}

fn joined(args: &[Value], named: &Kwargs) -> Result<(), Error> {
    let Some(list) = args.first().filter(|list| list.try_iter().is_ok()) else { return Ok(()) };
    like(args)?;
    let text =
        |value: Option<Value>| value.and_then(|value| value.as_str().map(str::len)).unwrap_or_default();
    let between = text(args.get(1).cloned().or(named.get::<Option<Value>>("d")?));
    let attribute = args.get(2).cloned().or(named.get::<Option<Value>>("attribute")?);
    let parts = match attribute.filter(|attribute| !attribute.is_none()) {
        None => list.clone(),
        Some(attribute) => {
            let by = Kwargs::from_iter([("attribute", attribute), ("default", Value::from(""))]);
            UNBOUNDED.empty_state().apply_filter("map", &[list.clone(), by.into()])?
        }
    };
    for part in parts.try_iter()?.checked() {
        budget::make(written_length(&part?)?.saturating_add(between))?;
    }
    Ok(())
}

/// Charges for a sum of texts or lists: each addition makes a longer one.
fn summed(args: &[Value], named: &Kwargs) -> Result<(), Error> {
    like(args)?;
    let start = args.get(2).cloned().or(named.get::<Option<Value>>("start")?).unwrap_or_default();
    let (Some(list), false) = (args.first(), start.is_number() || start.is_undefined()) else {
        return Ok(());
    };
    let size = |value: &Value| value.as_str().map_or_else(|| value.len().unwrap_or_default(), str::len);
    let mut so_far = size(&start);
    for item in list.try_iter()?.checked() {
        so_far = so_far.saturating_add(size(&item?));
        if start.as_str().is_some() { budget::make(so_far)? } else { budget::items(so_far)? }
    }
    Ok(())
}

/// Charges for everything that a format asks for: its widths, its precisions, and its values, each as often
/// as it may be used.
fn formatted(format: &str, args: &[Value]) -> Result<(), Error> {
    budget::make(format.len())?;
    for digits in format.split(|c: char| !c.is_ascii_digit()).filter(|digits| !digits.is_empty()) {
        budget::make(digits.parse().unwrap_or(usize::MAX))?;
    }
    let (fields, stars) = (format.matches('%').count(), format.contains('*'));
    for arg in args {
        let asked = number::single(arg).unwrap_or_else(|| arg.clone());
        if let (true, Ok(width)) = (stars, i128::try_from(asked)) {
            budget::make(usize::try_from(width.unsigned_abs()).unwrap_or(usize::MAX))?;
        }
        // Each member of a map can be used several times.
        let times = if arg.kind() == ValueKind::Map { fields } else { 1 };
        budget::make(written_length(arg)?.saturating_mul(times))?;
    }
    Ok(())
}

/// Whether a format only takes texts, which are written as they are.
fn only_texts(args: &[Value]) -> bool {
    let format = args.first().and_then(Value::as_str).unwrap_or_default();
    let mut rest = format.replace("%%", "");
    rest = rest.replace("%s", "");
    !rest.contains('%')
}

/// A value to be compared or calculated with: digits become a number.
pub(super) fn number(value: &Value) -> Result<Value, Error> {
    seen_as(value, Numbers::Plain)
}

/// Applies operators of one level from the left to the values between them: `chain(a, "+", b, "-", c)`.
pub(super) fn chain(args: Rest<Value>) -> Result<Value, Error> {
    let mut values = args.0.into_iter();
    let mut result = values.next().unwrap_or_default();
    while let (Some(operator), Some(right)) = (values.next(), values.next()) {
        result = calculated(&result, operator.as_str().unwrap_or_default(), &right)?;
    }
    Ok(result)
}

fn calculated(left: &Value, operator: &str, right: &Value) -> Result<Value, Error> {
    if operator == "~" {
        budget::make(written_length(left)?.saturating_add(written_length(right)?))?;
        return Ok(Value::from(format!("{left}{right}")));
    }
    let [left, right] = [left, right].map(|value| number::single(value).unwrap_or_else(|| value.clone()));
    if let (Some(text), Some(times)) = (left.as_str().or(right.as_str()), times(&left, &right)) {
        if operator == "*" {
            budget::make(text.len().saturating_mul(times))?;
        }
    } else if operator == "*" || operator == "+" {
        let [a, b] = [&left, &right].map(|value| match value.as_str() {
            Some(text) => text.len(),
            None => value.len().unwrap_or_default(),
        });
        let size = if operator == "+" {
            a.saturating_add(b)
        } else {
            a.max(b).saturating_mul(times(&left, &right).unwrap_or(1))
        };
        if left.as_str().is_some() { budget::make(size)? } else { budget::items(size)? }
    }
    engine_calculates(&left, operator, &right)
}

/// How often a text or list is repeated by a multiplication.
fn times(left: &Value, right: &Value) -> Option<usize> {
    let number = if left.is_number() { left } else { right };
    number.is_number().then(|| number.as_usize()).flatten()
}

/// Calculates with one of the engine's own operators.
fn engine_calculates(left: &Value, operator: &str, right: &Value) -> Result<Value, Error> {
    type Program = minijinja::Expression<'static, 'static>;
    static PROGRAMS: LazyLock<Vec<(&str, Program)>> = LazyLock::new(|| {
        static EMPTY: LazyLock<Environment<'static>> = LazyLock::new(|| {
            let mut environment = Environment::empty();
            environment.set_undefined_behavior(UndefinedBehavior::Strict);
            environment
        });
        let program = |operator: &'static str| {
            Some((operator, EMPTY.compile_expression_owned(format!("a {operator} b")).ok()?))
        };
        ["+", "-", "*", "/", "//", "%"].into_iter().filter_map(program).collect()
    });
    match PROGRAMS.iter().find(|(known, _)| *known == operator) {
        Some((_, program)) => program.eval(context! { a => left, b => right }),
        None => Err(Error::new(ErrorKind::InvalidOperation, format!("there is no operator `{operator}`"))),
    }
}
