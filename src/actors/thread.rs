//! A thread of its own for an engine, so that whoever uses one needs no actors around it.

use std::io;

/// Runs what `life` makes on a new thread, within an actix system, and then `after`, when all that was started within has
/// ended.
///
/// # Errors
/// When the operating system has no thread to give.
pub fn on_a_thread<L, T, F>(name: &str, life: L, after: impl FnOnce(T) + Send + 'static) -> io::Result<()>
where
    L: FnOnce() -> F + Send + 'static,
    F: Future<Output = T>,
{
    let thread = std::thread::Builder::new().name(name.to_owned());
    let thread = thread.spawn(move || {
        let done = actix::System::new().block_on(life());
        after(done);
    });
    thread.map(drop)
}
