//! JSON numbers as values of the engine. A number whose digits the engine would change, such as `1.10`, is an
//! object that keeps them; comparing and calculating use the number itself.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use minijinja::value::{DynObject, Object, ObjectRepr, Value};

/// The form in which numbers are seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Numbers {
    /// With their digits: as objects, if the engine would write other digits.
    Written,
    /// As numbers of the engine, if it has them.
    Plain,
    /// All as objects, which can be compared with each other.
    Objects,
}

/// A number with its digits.
#[derive(Debug)]
pub(crate) struct Digits(pub(crate) Box<str>);

impl Object for Digits {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn is_true(self: &Arc<Self>) -> bool {
        self.0.parse() != Ok(0.0_f64)
    }

    fn custom_cmp(self: &Arc<Self>, other: &DynObject) -> Option<Ordering> {
        let other = other.downcast_ref::<Self>()?;
        if let (Ok(this), Ok(other)) = (self.0.parse::<i128>(), other.0.parse::<i128>()) {
            return Some(this.cmp(&other));
        }
        let float = |digits: &str| digits.parse::<f64>().unwrap_or_default();
        let order = float(&self.0).partial_cmp(&float(&other.0)).unwrap_or(Ordering::Equal);
        // Beyond 64 bits floats do not tell integers apart.
        let whole = |digits: &str| !digits.contains(['.', 'e', 'E']);
        if order.is_eq() && whole(&self.0) && whole(&other.0) && self.0 != other.0 {
            let order = (self.0.len(), &self.0).cmp(&(other.0.len(), &other.0));
            return Some(if self.0.starts_with('-') { order.reverse() } else { order });
        }
        Some(order)
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The value of a JSON number with these digits.
pub(super) fn value(digits: &str, numbers: Numbers) -> Value {
    let object = || Value::from_object(Digits(digits.into()));
    match (numbers, plain(digits)) {
        (Numbers::Objects, _) | (_, None) => object(),
        (Numbers::Plain, Some(number)) => number,
        (Numbers::Written, Some(number)) => {
            let is_canonical = match digits.contains(['.', 'e', 'E']) {
                true => f64::try_from(number.clone())
                    .ok()
                    .and_then(|number| serde_json::to_string(&number).ok())
                    .is_some_and(|written| written == digits),
                false => digits != "-0",
            };
            if is_canonical { number } else { object() }
        }
    }
}

/// Integers up to 128 bits and floats are numbers to the engine; a longer number can only be passed on.
fn plain(digits: &str) -> Option<Value> {
    if let Ok(number) = digits.parse::<i64>() {
        return Some(Value::from(number));
    }
    if let Ok(number) = digits.parse::<i128>() {
        return Some(Value::from(number));
    }
    let float = digits.contains(['.', 'e', 'E']).then(|| digits.parse::<f64>().ok()).flatten();
    float.filter(|number| number.is_finite()).map(Value::from)
}

/// A value that is one number, as a number of the engine.
pub(crate) fn single(value: &Value) -> Option<Value> {
    value.downcast_object_ref::<Digits>().and_then(|digits| plain(&digits.0))
}
