//! What panics over one stream parks that stream, and no other.

use std::any::Any;
use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;

use crate::events::problem::{Code, Problem};

/// The same, with a panic as a problem.
///
/// # Errors
/// When it panics, and as it does otherwise.
pub(super) async fn contained<T>(work: impl Future<Output = Result<T, Problem>>) -> Result<T, Problem> {
    let done = AssertUnwindSafe(work).catch_unwind().await;
    done.unwrap_or_else(|panic| Err(panicked(&*panic)))
}

/// What people are told of a panic.
pub(super) fn panicked(panic: &(dyn Any + Send)) -> Problem {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    Problem::new(Code::RunParked, format!("it panicked: {}", text.unwrap_or("no message")))
}
