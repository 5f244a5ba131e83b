//! How one run is let go of, and how a process ends in order.

use std::sync::PoisonError;

use tokio::time::error::Elapsed;

use super::{NOTIFY_PATIENCE, STORE_PATIENCE, System};
use crate::actors::hosting::context::append_problem;
use crate::actors::runs::live_state::OpenAttempt;
use crate::aggregates::run::Ask;
use crate::events::ids::{RunId, StreamId};
use crate::events::problem::{Code, Problem};
use crate::executors::CLEAN_UP_MAX;

impl System {
    /// Ends when no attempt is being made, and nothing is on its way from one run to another, after [`System::close`]. A commit
    /// that is on its way may start one more, and a result counts when it is recorded: both are awaited.
    pub async fn quiet(&self) {
        self.live.settled().await;
        self.live.all_reported().await;
        self.hosting.book().all_delivered().await;
        self.live.settled().await;
    }

    /// Stops one run and the children that it sees through, but for those that somebody else wants driven: nothing of
    /// them starts any more, their attempts get a grace, what still runs then is stopped and will be tried again when the
    /// run is driven again.
    pub async fn interrupt(&self, run: &RunId, is_wanted: impl Fn(&RunId) -> bool) {
        let family = self.let_go(run, is_wanted).await;
        let grace = tokio::time::timeout(self.grace, async {
            for run in &family {
                self.live.idle(run).await;
            }
        });
        let _ = grace.await;
        for run in family {
            let is_over = self.attempts(&run).is_empty();
            // Meanwhile somebody else may have let it go on.
            if !is_over && !self.is_driven(&run) {
                // What a store that does not answer has not recorded counts as lost when the run is loaded again.
                let _ = self.release(&run).await;
                self.live.agents().stop_all(Some(&run));
            }
        }
    }

    /// Lets a run stay as it is, and then the children that it sees through; answers them all.
    async fn let_go(&self, run: &RunId, is_wanted: impl Fn(&RunId) -> bool) -> Vec<RunId> {
        let (mut family, mut next) = (Vec::new(), vec![run.clone()]);
        while let Some(run) = next.pop() {
            family.push(run.clone());
            self.live.let_go(&run).await;
            // A commit that was on its way may have started one more. What it answers to nothing new is no matter.
            let _ = self.in_time(self.live.ask(&run, Ask::Go)).await;
            // What it had begun to say lets a child go on when that has heard it: it would go on after it was let go of.
            let _ = self.in_time(self.hosting.book().delivered(&StreamId::of_run(&run))).await;
            if let Ok((state, _)) = self.fold(&run).await {
                let children = state.open_children().map(|(child, _)| child.clone());
                next.extend(children.filter(|child| !is_wanted(child)));
            }
        }
        family
    }

    /// The attempts that agents are making for a run.
    fn attempts(&self, run: &RunId) -> Vec<OpenAttempt> {
        self.live_state(run).borrow().attempts.values().cloned().collect()
    }

    /// Records that the open attempts of a run are given up.
    ///
    /// # Errors
    /// When the store does not answer.
    async fn release(&self, run: &RunId) -> Result<(), Elapsed> {
        if let Err(problem) = self.in_time(self.live.ask(run, Ask::Interrupt)).await? {
            // Then they count as lost when the run is loaded again.
            tracing::debug!(%run, %problem, "open attempts could not be let go of");
        }
        Ok(())
    }

    /// Ends in order: nothing new starts, attempts get a grace, what still runs then is stopped and will be tried
    /// again, the store is closed. The grace is over early when `hurry` ends. A store that does not answer gets another.
    ///
    /// # Errors
    /// When the store does not answer or cannot save its caches; nothing that was acknowledged is lost.
    pub async fn shut_down(&self, hurry: impl Future<Output = ()>) -> Result<(), Problem> {
        self.close();
        let patient = tokio::select! {
            () = self.quiet() => true,
            () = tokio::time::sleep(self.grace) => false,
            () = hurry => false,
        };
        let is_quiet = match patient {
            true => Ok(()),
            false => self.give_up().await,
        };
        // Without an answer there is no use in asking for more.
        if is_quiet.is_ok() {
            self.save_caches().await;
        }
        self.end_actors();
        let closed = match is_quiet {
            Ok(()) => self.in_time(self.store().close()).await,
            Err(elapsed) => Err(elapsed),
        };
        match closed {
            Ok(closed) => closed.map_err(|error| append_problem(&error)),
            Err(_) => Err(Problem::new(Code::StoreFailed, "the store does not answer: it is left as it is")),
        }
    }

    /// Saves the list of runs, as far as that is done in time, and lets notices be delivered: the next process makes up for
    /// what is not.
    async fn save_caches(&self) {
        match self.in_time(self.runs.catch_up()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "the list of runs is not saved"),
            Err(_) => tracing::debug!("the list of runs is far behind, and not saved"),
        }
        let notifiers = std::mem::take(&mut *self.notifiers.lock().unwrap_or_else(PoisonError::into_inner));
        notifiers.finish(NOTIFY_PATIENCE).await;
    }

    /// Ends at once, as if the process had died: what runs is dropped where it is, nothing is recorded of it, and the next
    /// engine on the store goes on with it. The store is closed, so that another can open it.
    pub async fn abandon(&self) {
        self.close();
        self.end_actors();
        // What it could not save it makes again from the events.
        let _ = self.in_time(self.store().close()).await;
    }

    /// Lets go of all actors, and ends their threads.
    fn end_actors(&self) {
        self.ended.send_replace(true);
        self.hosting.book().clear();
        self.live.agents().clear();
        let arbiters = std::mem::take(&mut *self.arbiters.lock().unwrap_or_else(PoisonError::into_inner));
        for arbiter in arbiters {
            arbiter.stop();
            // An arbiter whose thread panicked is gone all the same.
            let _ = arbiter.join();
        }
    }

    /// Stops what still runs.
    async fn give_up(&self) -> Result<(), Elapsed> {
        self.live.hurry_pages();
        let mut released = Ok(());
        for run in self.hosting.book().in_memory().iter().filter_map(StreamId::run) {
            released = self.release(&run).await;
            if released.is_err() {
                break;
            }
        }
        self.live.agents().stop_all(None);
        released?;
        self.ended_or_dropped().await;
        self.in_time(self.quiet()).await
    }

    /// Ends when the attempts have that were told to stop, which takes as long as their programs' grace, and those whose
    /// outcome has to be awaited; or when those are overdue that nobody awaits.
    async fn ended_or_dropped(&self) {
        let awaited = self.hosting.book().in_memory();
        let awaited: Vec<_> = awaited.iter().filter_map(StreamId::run).collect();
        let mut irreversible = awaited.iter().flat_map(|run| {
            let attempts = self.attempts(run).into_iter().filter(|attempt| attempt.irreversible);
            attempts.map(move |attempt| (run, attempt.started.step.clone()))
        });
        if let Some((run, step)) = irreversible.next() {
            tracing::warn!(%run, %step, "it is irreversible: its outcome is awaited, and it is not stopped");
            return self.live.all_reported().await;
        }
        // Who is overdue is dropped by its agent, and then reported.
        let _ = tokio::time::timeout(CLEAN_UP_MAX + STORE_PATIENCE, self.live.all_reported()).await;
    }

    /// Waits for what only a store can keep waiting.
    async fn in_time<T>(&self, answer: impl Future<Output = T>) -> Result<T, Elapsed> {
        tokio::time::timeout(self.grace.max(STORE_PATIENCE), answer).await
    }
}
