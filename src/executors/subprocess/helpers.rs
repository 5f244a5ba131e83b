//! A few threads for what blocks: starting programs and looking at processes. They are not tokio's, which panics where the
//! system has no thread left; and there are few, because more do not start programs faster.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{LazyLock, Mutex, PoisonError};

use tokio::runtime::Handle;
use tokio::sync::oneshot;

type Job = Box<dyn FnOnce() + Send>;

/// How many threads there are at most, on however many cores.
const THREADS_MAX: usize = 8;

/// How many threads there are at most here. (The system reads files to answer that.)
static THREADS: LazyLock<usize> =
    LazyLock::new(|| std::thread::available_parallelism().map_or(2, usize::from).clamp(2, THREADS_MAX));

struct Helpers {
    jobs: Mutex<Sender<Job>>,
    queue: Mutex<Receiver<Job>>,
    threads: AtomicUsize,
    /// How many of them have nothing to do.
    idle: AtomicUsize,
}

static HELPERS: LazyLock<Helpers> = LazyLock::new(|| {
    let (jobs, queue) = channel();
    let (threads, idle) = (AtomicUsize::new(0), AtomicUsize::new(0));
    Helpers { jobs: Mutex::new(jobs), queue: Mutex::new(queue), threads, idle }
});

/// Does something that blocks. It is done also if nobody waits for it any more.
///
/// # Errors
/// When there is no thread to do it, or it panicked.
pub(super) async fn run<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
    let (done, result) = oneshot::channel();
    // Who starts a program says to which runtime it belongs.
    let runtime = Handle::current();
    let job: Job = Box::new(move || {
        let _entered = runtime.enter();
        drop(done.send(work()));
    });
    HELPERS.take(job)?;
    result.await.map_err(|_| io::Error::other("it panicked"))
}

impl Helpers {
    fn take(&'static self, job: Job) -> io::Result<()> {
        let threads = self.threads.load(Ordering::Relaxed);
        if self.idle.load(Ordering::Relaxed) == 0 && threads < *THREADS {
            let helper = std::thread::Builder::new().name("programs".to_owned()).spawn(|| self.help());
            match helper {
                Ok(_) => drop(self.threads.fetch_add(1, Ordering::Relaxed)),
                // The others do it, if there is one.
                Err(error) if threads == 0 => return Err(error),
                Err(_) => {}
            }
        }
        let jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        jobs.send(job).map_err(|_| io::Error::other("nobody does it"))
    }

    fn help(&self) {
        loop {
            self.idle.fetch_add(1, Ordering::Relaxed);
            let job = self.queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
            self.idle.fetch_sub(1, Ordering::Relaxed);
            let Ok(job) = job else { return };
            // Who waits for it is told by the end of the channel.
            let _ = catch_unwind(AssertUnwindSafe(job));
        }
    }
}
