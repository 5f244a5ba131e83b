//! Whether the system has left what a process needs that holds a store. Libraries panic where a thread or a descriptor is
//! missing; so it is looked before any of them is asked.

use std::fs::File;
use std::io;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::runtime::Runtime;

use crate::actors::thread;
use crate::events::problem::{Code, Problem};

/// The number of threads of a holder: those of actors, of the store, of what blocks.
const THREADS: usize = 16;

/// How many files and sockets it has open, with one program at work.
const FILES: usize = 26;

/// What all of this process runs on, if there is enough for the rest.
///
/// # Errors
/// [`Code::Shortage`]: what is missing.
pub(super) fn runtime(holds: bool) -> Result<Runtime, Problem> {
    let missing = |what: &str| {
        let message = format!("the system has no {what} left for this process");
        move |error: io::Error| Problem::new(Code::Shortage, format!("{message}: {error}"))
    };
    if holds {
        let files: Result<Vec<_>, _> = (0..FILES).map(|_| File::open("/dev/null")).collect();
        files.map_err(missing("files"))?;
        threads().map_err(missing("threads"))?;
    }
    thread::runtime().map_err(missing("files"))
}

/// Makes as many threads as are needed, all at the same time, and ends them.
fn threads() -> io::Result<()> {
    let (all_there, waiting) = channel::<()>();
    let waiting = Arc::new(Mutex::new(waiting));
    let wait = |waiting: Arc<Mutex<Receiver<()>>>| {
        move || {
            // An error means that all are there.
            let _ = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
        }
    };
    let made: io::Result<Vec<_>> =
        (0..THREADS).map(|_| std::thread::Builder::new().spawn(wait(Arc::clone(&waiting)))).collect();
    drop(all_there);
    for thread in made? {
        // It cannot have panicked; if it has, it has ended.
        let _ = thread.join();
    }
    Ok(())
}
