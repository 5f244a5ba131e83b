//! A turnstile in front of a store: calls wait there until a test lets them go on.

use tokio::sync::watch;

/// Lets calls through, all of them or one by one.
#[derive(Debug, Default)]
pub(super) struct Turnstile {
    door: watch::Sender<Door>,
    waiting: watch::Sender<usize>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Door {
    is_shut: bool,
    /// How many may pass while it is shut.
    passes: usize,
}

impl Turnstile {
    /// From here on calls wait.
    pub(super) fn shut(&self) {
        self.door.send_replace(Door { is_shut: true, passes: 0 });
    }

    /// Lets all calls that wait go on, and all that come later.
    pub(super) fn open(&self) {
        self.door.send_replace(Door::default());
    }

    /// Lets `calls` calls go on, now or when they come.
    pub(super) fn pass(&self, calls: usize) {
        self.door.send_modify(|door| door.passes += calls);
    }

    /// The number of calls that wait.
    pub(super) fn waiting(&self) -> usize {
        *self.waiting.borrow()
    }

    /// Waits until `calls` calls wait.
    pub(super) async fn held(&self, calls: usize) {
        // The sender lives as long as this does.
        let _ = self.waiting.subscribe().wait_for(|waiting| *waiting >= calls).await;
    }

    /// Waits until the gate lets this call through.
    pub(super) async fn enter(&self) {
        if self.try_enter() {
            return;
        }
        let _waiting = Waiting::at(&self.waiting);
        let mut door = self.door.subscribe();
        while !self.try_enter() {
            // The sender lives as long as this does.
            let _ = door.wait_for(|door| !door.is_shut || door.passes > 0).await;
        }
    }

    fn try_enter(&self) -> bool {
        let mut entered = false;
        self.door.send_if_modified(|door| {
            entered = !door.is_shut || door.passes > 0;
            door.passes -= usize::from(entered && door.is_shut);
            false
        });
        entered
    }
}

/// Counts a waiting call for as long as its future lives.
struct Waiting<'a>(&'a watch::Sender<usize>);

impl<'a> Waiting<'a> {
    fn at(waiting: &'a watch::Sender<usize>) -> Self {
        waiting.send_modify(|count| *count += 1);
        Self(waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}
