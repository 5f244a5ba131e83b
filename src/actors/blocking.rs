//! Work that blocks, on a thread that may.

use tokio::task::spawn_blocking;

use crate::events::problem::{Code, Problem};

/// What the work comes to.
///
/// # Errors
/// [`Code::Internal`] for a panic, or when the process ends.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
    spawn_blocking(work).await.map_err(|error| Problem::new(Code::Internal, error.to_string()))
}
