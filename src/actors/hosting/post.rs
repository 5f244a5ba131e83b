//! Brings what one stream says to another, as often as it takes. What is said to the same stream is heard in that order.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::task::{JoinHandle, spawn_blocking};

use super::Hosting;
use super::book::Book;
use super::turns::Turn;
use crate::events::ids::{StreamId, Version};
use crate::events::problem::{Code, Problem};
use crate::kernel::core::{Envelope, Residency};
use crate::kernel::{Aggregate, Blobs, Message, Said};

/// How long to wait before something is said again to a stream that has much to do.
const AGAIN_AFTER: Duration = Duration::from_millis(20);

/// What a stream waits for of others. `I` is what tells its effects from each other.
pub(super) struct Outstanding<I>(HashMap<I, JoinHandle<()>>);

impl<I> Default for Outstanding<I> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

/// Something that one stream says to another.
pub(super) struct Letter {
    pub(super) message: Message,
    pub(super) envelope: Envelope,
    /// Whether the stream that is asked is to go on by itself, and how long.
    pub(super) drives: Option<Residency>,
    turn: Turn,
}

impl<I: Eq + Hash> Outstanding<I> {
    /// Something is waited for, until it is forgotten.
    pub(super) fn note(&mut self, effect: I, waits: JoinHandle<()>) {
        if let Some(before) = self.0.insert(effect, waits) {
            before.abort();
        }
    }

    /// Something is not waited for any more.
    pub(super) fn forget(&mut self, effect: &I) {
        if let Some(waits) = self.0.remove(effect) {
            waits.abort();
        }
    }
}

/// Tells a stream what another has answered, which may be put away just then: one that has ended is asked by nobody again.
pub(super) async fn tell<A: Aggregate>(hosting: &Weak<Hosting>, stream: &StreamId, command: A::Command) {
    loop {
        let Some(hosting) = hosting.upgrade() else { return };
        let Ok(kind) = hosting.kind(stream) else { return };
        let said = Said::new(command.clone());
        match kind.hear(&hosting, stream, said, Envelope::default(), false).await {
            Ok(_) => return,
            Err(problem) if problem.code == Code::Busy && !hosting.book().is_closing() => {}
            Err(problem) => {
                // Whoever drives the stream next asks again.
                tracing::debug!(%stream, %problem, "not told what another stream answered");
                return;
            }
        }
        drop(hosting);
        tokio::time::sleep(AGAIN_AFTER).await;
    }
}

impl Letter {
    /// What is to be brought after all that the one stream has said to the other before.
    pub(super) fn new(
        book: &Book,
        from: &StreamId,
        message: Message,
        envelope: Envelope,
        drives: Option<Residency>,
    ) -> Self {
        let turn = Turn::next(book.turns(), from, &message.to);
        Self { message, envelope, drives, turn }
    }

    /// Brings it: answers the other stream's version after it was taken in, or why it was not; none if the process ends.
    pub(super) async fn bring(&self, hosting: &Weak<Hosting>) -> Option<Result<Version, Problem>> {
        let _turn = self.turn.comes().await;
        loop {
            let hosting = hosting.upgrade()?;
            let answer = hosting.say(self).await;
            match answer {
                Err(problem) if problem.code == Code::ShuttingDown => return None,
                Err(problem) if problem.code == Code::Busy => {}
                answer => return Some(answer),
            }
            drop(hosting);
            tokio::time::sleep(AGAIN_AFTER).await;
        }
    }
}

impl Hosting {
    async fn say(&self, letter: &Letter) -> Result<Version, Problem> {
        let Message { to, asks, write, .. } = &letter.message;
        let said = {
            let (write, library) = (Arc::clone(write), Arc::clone(&self.book().context().library));
            let written = spawn_blocking(move || write(&*library as &dyn Blobs)).await;
            written.map_err(|error| Problem::new(Code::ShuttingDown, error.to_string()))??
        };
        if *asks && letter.drives.is_none() && !self.book().is_driven(to) {
            // What is wanted takes effect at once.
            self.recover(to).await?;
        }
        let envelope = letter.envelope.clone();
        let answer = self.kind(to)?.hear(self, to, said, envelope, letter.drives.is_some()).await;
        match letter.drives.filter(|_| answer.is_ok()) {
            Some(Residency::Pinned) if !self.book().is_driven(to) => self.drive(to).await,
            Some(Residency::UntilIdle) if !self.book().is_driven(to) => drop(self.drive_until_idle(to).await),
            _ => {}
        }
        self.book().nudge(to);
        answer
    }
}
