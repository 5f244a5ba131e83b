//! What actors run on, and a thread of its own for an engine, so that whoever uses one needs no actors around it.

use std::io;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

/// How long a thread for what blocks is kept that has nothing to do.
const KEPT: Duration = Duration::from_secs(60);

/// How often such a thread gets something to do, so that one is always there.
const USED: Duration = Duration::from_secs(20);

/// What actors run on. Where the system has no more threads, what blocks waits for the one that is always there; tokio would
/// panic if there were none.
///
/// # Errors
/// When the system has no descriptors left for it.
pub fn runtime() -> io::Result<Runtime> {
    with_a_thread("blocks", KEPT, USED)
}

fn with_a_thread(name: &str, kept: Duration, used: Duration) -> io::Result<Runtime> {
    let mut builder = Builder::new_current_thread();
    let runtime = builder.enable_all().thread_name(name).thread_keep_alive(kept).build()?;
    runtime.spawn_blocking(|| ());
    runtime.spawn(async move {
        loop {
            tokio::time::sleep(used).await;
            tokio::task::spawn_blocking(|| ());
        }
    });
    Ok(runtime)
}

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
        let done = match runtime() {
            Ok(runtime) => actix::System::with_tokio_rt(|| runtime).block_on(life()),
            // It says what is missing.
            Err(_) => actix::System::new().block_on(life()),
        };
        after(done);
    });
    thread.map(drop)
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    /// The threads of this process with that name.
    fn threads(name: &str) -> usize {
        let tasks = std::fs::read_dir("/proc/self/task").unwrap().flatten();
        let names = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok());
        names.filter(|comm| comm.trim() == name).count()
    }

    /// Ten seconds after something had blocked no thread was left, and whatever blocked next needed a new one.
    #[test]
    fn a_thread_for_what_blocks_is_always_there() {
        let kept = Duration::from_millis(200);
        let runtime = with_a_thread("kept-in-a-test", kept, kept / 8).unwrap();
        runtime.block_on(runtime.spawn_blocking(|| ())).unwrap();
        let since = Instant::now();
        while since.elapsed() < kept * 8 {
            assert!(threads("kept-in-a-test") > 0, "none is left after {:?}", since.elapsed());
            runtime.block_on(async { tokio::time::sleep(kept / 16).await });
        }
    }
}
