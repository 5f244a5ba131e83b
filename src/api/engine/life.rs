//! The thread on which an engine lives: it opens the store, answers, and ends when it is told to or nobody is left to tell it.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot, watch};

use super::ended;
use super::link::{Link, Local};
use crate::actors::thread::on_a_thread;
use crate::api::door::Here;
use crate::api::house::House;
use crate::events::problem::{Code, Problem};
use crate::store::EventStore;

/// Where the store of an engine is.
pub(super) enum Place {
    /// In the data folder.
    Folder,
    /// Wherever this is.
    Store(Arc<dyn EventStore>),
}

type Ended = Result<(), Problem>;

/// Keeps an engine alive: dropped before it is shut down, it is abandoned.
pub(super) struct Life {
    /// Tells it to end in order, and hears how it did.
    orders: mpsc::UnboundedSender<oneshot::Sender<Ended>>,
    ended: watch::Receiver<Option<Problem>>,
}

impl Life {
    /// Ends when the engine has. One that has ended before is as shut down as can be.
    pub(super) async fn shut_down(&self) -> Ended {
        let (reply, answer) = oneshot::channel();
        if self.orders.send(reply).is_ok()
            && let Ok(ended) = answer.await
        {
            return ended;
        }
        match &*self.ended.borrow() {
            // Somebody else has shut it down.
            Some(why) if why.code != Code::ShuttingDown => Err(why.clone()),
            _ => Ok(()),
        }
    }
}

/// Starts an engine on a thread of its own.
///
/// # Errors
/// When there is no thread, or the store cannot be opened.
pub(super) async fn start(house: House, place: Place) -> Result<(Link, Life), Problem> {
    let failed = |why: String| Problem::new(Code::Internal, format!("the engine has no thread: {why}"));
    let (orders, ordered) = mpsc::unbounded_channel();
    let (ready, started) = oneshot::channel();
    let life = move || live(house, place, ready, ordered);
    let after = |asked: Option<(oneshot::Sender<Ended>, Ended)>| {
        // Whoever asked for it may have gone.
        asked.map(|(reply, how)| drop(reply.send(how))).unwrap_or_default();
    };
    on_a_thread("reenact", life, after).map_err(|error| failed(error.to_string()))?;
    let local: Arc<Local> = started.await.map_err(|_| failed("it ended at once".to_owned()))??;
    let ended = local.has_ended();
    Ok((Link::Here(local), Life { orders, ended }))
}

/// The life of an engine. Answers who asked for its end, and how it ended.
async fn live(
    house: House,
    place: Place,
    ready: oneshot::Sender<Result<Arc<Local>, Problem>>,
    mut ordered: mpsc::UnboundedReceiver<oneshot::Sender<Ended>>,
) -> Option<(oneshot::Sender<Ended>, Ended)> {
    let opened = match place {
        Place::Folder => house.take().await,
        Place::Store(store) => house.on(store).await,
    };
    let here = match opened {
        Ok(here) => here,
        Err(problem) => {
            // Without anybody who wants to know, it has ended all the same.
            let _ = ready.send(Err(problem));
            return None;
        }
    };
    here.facade().system().keep_driving();
    let local = Local::new(Arc::clone(here.facade()));
    let ends = local.ender();
    if ready.send(Ok(local)).is_err() {
        here.abandon().await;
        ends.end(ended());
        return None;
    }
    tokio::select! {
        order = ordered.recv() => match order {
            Some(reply) => {
                let how = here.shut_down(std::future::pending()).await;
                ends.end(ended());
                Some((reply, how))
            }
            None => {
                ends.announce(ended());
                here.abandon().await;
                ends.end(ended());
                None
            }
        },
        gone = folder_gone(&here) => {
            ends.announce(gone.clone());
            here.abandon().await;
            ends.end(gone);
            None
        }
    }
}

/// Ends when the data folder is gone.
async fn folder_gone(here: &Here) -> Problem {
    here.is_gone().await;
    here.gone()
}
