//! The children of this process: those that it started itself, and those that came to it because whoever started them has
//! ended. Whether the latter come to it, or to the first process of the machine, is for the program to decide:
//! [`adopt_orphans`].

use std::collections::HashSet;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{LazyLock, Mutex, PoisonError, RwLock};

use rustix::process::{Pid, getpid, set_child_subreaper};
use tokio::process::{Child, Command};

/// Whether orphans come to this process.
static ADOPTS: AtomicBool = AtomicBool::new(false);

/// Held by many while each starts a program, and by one who has to know of every child whether it was started here.
static STARTING: RwLock<()> = RwLock::new(());

/// What was started here and is not done with.
static OWN: LazyLock<Mutex<HashSet<Pid>>> = LazyLock::new(Mutex::default);

/// From here on what a program leaves behind becomes a child of this process when its own parent ends, as long as this
/// process lives, so that it can be found and ended when the attempt is stopped. For programs whose children are all started
/// by this crate: it looks after those that it did not start, and those of others would be taken for such.
///
/// # Errors
/// When the system does not know of that.
pub fn adopt_orphans() -> io::Result<()> {
    set_child_subreaper(Some(getpid()))?;
    ADOPTS.store(true, Ordering::Release);
    Ok(())
}

/// Whether programs were started here that serve no attempt, so that an orphan may be theirs.
static OTHERS: AtomicBool = AtomicBool::new(false);

/// A child that was started here, until this is dropped.
#[derive(Debug)]
pub(crate) struct Own(Option<Pid>);

impl Drop for Own {
    fn drop(&mut self) {
        if let Some(pid) = self.0 {
            OWN.lock().unwrap_or_else(PoisonError::into_inner).remove(&pid);
        }
    }
}

/// Starts a program that serves no attempt. All that this crate starts is started here or by [`spawn`].
///
/// # Errors
/// Why it could not be started.
pub(crate) fn spawn_other(command: &mut Command) -> io::Result<(Child, Own)> {
    OTHERS.store(true, Ordering::Release);
    spawn(command)
}

/// Whether orphans come to this process.
pub(super) fn adopts() -> bool {
    ADOPTS.load(Ordering::Acquire)
}

/// Whether every orphan that came to this process is an attempt's.
pub(super) fn are_of_attempts() -> bool {
    !OTHERS.load(Ordering::Acquire)
}

/// Starts the program of an attempt.
///
/// # Errors
/// Why it could not be started.
pub(crate) fn spawn(command: &mut Command) -> io::Result<(Child, Own)> {
    let _starting = STARTING.read().unwrap_or_else(PoisonError::into_inner);
    let child = command.spawn()?;
    let pid = child.id().and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?));
    OWN.lock().unwrap_or_else(PoisonError::into_inner).extend(pid);
    Ok((child, Own(pid)))
}

/// Looks at processes while nobody starts any, knowing which of the children were started here; none if orphans do not come
/// to this process.
pub(super) fn undisturbed<T>(look: impl FnOnce(Option<&HashSet<Pid>>) -> T) -> T {
    if !adopts() {
        return look(None);
    }
    let _nobody_starts = STARTING.write().unwrap_or_else(PoisonError::into_inner);
    let own = OWN.lock().unwrap_or_else(PoisonError::into_inner).clone();
    look(Some(&own))
}
