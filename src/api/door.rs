//! The store, for a verb: held by this process, or reached through the one that holds it. A verb does not see the
//! difference.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use super::copy::{self, PrivateCopy};
use super::facade::Facade;
pub use super::holder::NoAnswer;
use super::holder::{self, Client, ControlSocket, Lock};
use super::protocol::{Frame, Request, Response};
use crate::events::problem::{Code, Problem};

/// How many frames wait for a verb that is slow to print them.
const FRAMES: usize = 256;

/// How often a holder looks whether its data folder is still there: what a program does beside another that was started
/// in its place is bounded by it.
const PLACE_LOOK: Duration = Duration::from_millis(250);

/// The way to a store.
pub enum Door {
    /// This process holds it.
    Here(Here),
    /// Another process holds it, and is asked through its control socket.
    There(Client),
}

/// A store that this process holds, or a copy of one that it cannot hold.
pub struct Here {
    facade: Arc<Facade>,
    hold: Option<Hold>,
    /// Whether whoever asks here only looks.
    looks: bool,
    /// Removed last, when nothing reads it any more.
    copy: Option<PrivateCopy>,
}

/// Everything that this process has because it holds the store, and gives back when it lets go of it.
struct Hold {
    gate: ControlSocket,
    lock: Arc<Lock>,
    /// Whether the data folder is gone.
    gone: watch::Receiver<bool>,
}

impl Door {
    /// What is damaged of a store that this process looks at all the same.
    pub fn damage(&self) -> Option<String> {
        let Self::Here(here) = self else { return None };
        let store = here.facade.system().store();
        store.damage().map(|damage| damage.to_string()).or_else(|| store.noted_damage())
    }

    /// The process that may hold the store of which this process sees a copy: only that knows which runs it drives.
    pub fn holder_of_original(&self) -> Option<String> {
        let Self::Here(Here { copy: Some(copy), facade, .. }) = self else { return None };
        copy.original().may_be_held().then(|| holder::holder_of(facade.data().unwrap_or(Path::new(""))))
    }

    /// The number of the other process that holds the store, if one does.
    pub fn holder(&self) -> Option<i32> {
        match self {
            Self::Here(_) => None,
            Self::There(client) => client.holder(),
        }
    }

    /// Asks, and lets `show` see every frame before the answer.
    ///
    /// # Errors
    /// Why there is no answer. What another process would not take, this one does not take either.
    pub async fn ask(
        &mut self,
        request: &Request,
        show: &mut dyn FnMut(Frame),
    ) -> Result<Response, NoAnswer> {
        match self {
            Self::Here(here) => here.ask(request, show).await,
            Self::There(client) => {
                client.ask(request).await?;
                loop {
                    match client.frame().await? {
                        Frame::Response(answer) => return Ok(answer),
                        Frame::Problem(problem) => return Err(problem.into()),
                        frame => show(frame),
                    }
                }
            }
        }
    }

    /// After SIGINT: lets go of the run that was seen through. A holder ends in order, and with it what it drives;
    /// attempts get a grace, which is over early when `hurry` ends.
    ///
    /// # Errors
    /// When the store could not be closed.
    pub async fn interrupt(self, hurry: impl Future<Output = ()>) -> Result<(), Problem> {
        match self {
            Self::Here(here) => here.shut_down(hurry).await,
            Self::There(client) => {
                tokio::select! {
                    () = client.interrupt() => {}
                    () = hurry => {}
                }
                Ok(())
            }
        }
    }

    /// Goes. A holder starts nothing new, lets the attempts end that it makes for others, or stops them when `hurry`
    /// ends, and lets go of the store. If that is gone, nobody has anything from what still runs: it is stopped at once.
    ///
    /// # Errors
    /// When the store could not be closed.
    pub async fn leave(self, hurry: impl Future<Output = ()>) -> Result<(), Problem> {
        match self {
            Self::Here(here) => {
                here.facade.close();
                tokio::select! {
                    () = here.facade.system().quiet() => {}
                    () = here.is_gone() => {}
                    () = hurry => {}
                }
                here.shut_down(std::future::ready(())).await
            }
            Self::There(_) => Ok(()),
        }
    }

    /// Whether what is seen through it is a copy.
    pub const fn is_to_copy(&self) -> bool {
        matches!(self, Self::Here(Here { copy: Some(_), .. }))
    }
}

impl Hold {
    fn of(lock: Lock, gate: ControlSocket) -> Self {
        let lock = Arc::new(lock);
        let (gone, told) = watch::channel(false);
        let held = Arc::downgrade(&lock);
        tokio::spawn(async move {
            while held.upgrade().is_some_and(|lock| lock.is_in_place()) {
                tokio::time::sleep(PLACE_LOOK).await;
            }
            gone.send_replace(true);
        });
        Self { gate, lock, gone: told }
    }
}

impl Here {
    /// A store that this process holds, and lets others in through that gate.
    pub(super) fn holding(facade: Arc<Facade>, lock: Lock, gate: ControlSocket, looks: bool) -> Self {
        Self { facade, hold: Some(Hold::of(lock, gate)), looks, copy: None }
    }

    /// A private copy of a store.
    pub(super) fn at_copy(facade: Arc<Facade>, copy: PrivateCopy) -> Self {
        Self { facade, hold: None, looks: true, copy: Some(copy) }
    }

    /// A store that is in no folder.
    pub(super) fn of(facade: Arc<Facade>) -> Self {
        Self { facade, hold: None, looks: false, copy: None }
    }

    /// The facade that answers here.
    pub fn facade(&self) -> &Arc<Facade> {
        &self.facade
    }

    /// As [`Door::ask`], of as many as want to at once.
    pub(super) async fn ask(
        &self,
        request: &Request,
        show: &mut dyn FnMut(Frame),
    ) -> Result<Response, NoAnswer> {
        request.check_size()?;
        let (sender, mut frames) = mpsc::channel(FRAMES);
        let answering = self.facade.answer(request.clone(), &sender);
        tokio::pin!(answering);
        let answer = loop {
            tokio::select! {
                biased;
                () = self.is_gone() => return Err(NoAnswer::Problem(self.gone())),
                Some(frame) = frames.recv() => show(frame),
                answer = &mut answering => break answer,
            }
        };
        while let Ok(frame) = frames.try_recv() {
            show(frame);
        }
        // Of a copy that is out of date there is another to be made.
        let is_copy = self.copy.is_some();
        answer.map_err(|problem| match self.known(problem) {
            problem if is_copy => problem.into(),
            problem => NoAnswer::Problem(problem),
        })
    }

    /// Ends when the data folder is gone.
    pub async fn is_gone(&self) {
        if let Some(hold) = &self.hold {
            // An error means that nobody looks any more.
            let _ = hold.gone.clone().wait_for(|gone| *gone).await;
        } else {
            std::future::pending().await
        }
    }

    /// Says that the data folder is gone.
    pub fn gone(&self) -> Problem {
        let data = self.facade.data().unwrap_or(Path::new("")).display();
        Problem::new(
            Code::StoreGone,
            format!("`{data}` was removed, or is another by now: what ran was stopped"),
        )
    }

    /// The same problem, with what is known here of why the store fails.
    fn known(&self, problem: Problem) -> Problem {
        let is_in_place = self.hold.as_ref().is_none_or(|hold| hold.lock.is_in_place());
        match problem.code {
            Code::StoreFailed if !is_in_place => self.gone(),
            Code::StoreFailed if self.copy.is_some() => copy::no_room(&problem),
            _ => problem,
        }
    }

    /// Ends at once, as if the process had died, and lets go of the store.
    pub async fn abandon(self) {
        self.facade.system().abandon().await;
        if let Some(hold) = self.hold {
            hold.gate.close(&hold.lock).await;
        }
    }

    /// Ends in order; attempts get a grace, which is over early when `hurry` ends.
    ///
    /// # Errors
    /// When the store could not be closed.
    pub async fn shut_down(self, hurry: impl Future<Output = ()>) -> Result<(), Problem> {
        let ended = self.facade.system().shut_down(hurry).await.map_err(|problem| self.known(problem));
        let Self { facade, hold, looks, copy } = self;
        if let Some(hold) = hold {
            hold.gate.close(&hold.lock).await;
        }
        drop(facade);
        drop(copy);
        // What was looked at was answered: that caches of it cannot be saved is nobody's matter.
        if looks { Ok(()) } else { ended }
    }
}
