//! The thread on which an engine lives: it opens the store, answers, and ends when it is told to or nobody is left to tell it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};

use super::ended;
use super::link::{Link, Local};
use crate::actors::thread::on_a_thread;
use crate::api::door::Here;
use crate::api::house::House;
use crate::events::problem::{Code, Problem};
use crate::files;
use crate::store::EventStore;

/// The place of the store of an engine.
pub(super) enum StoreLocation {
    /// In the data folder.
    Folder,
    /// In this store, wherever it keeps what it is given.
    Store(Arc<dyn EventStore>),
}

type Ended = Result<(), Problem>;

/// The data folders of engines of this process that were dropped and have not let go of them yet: as another process would,
/// this one waits for that before it opens one of them.
static LETTING_GO: LazyLock<watch::Sender<BTreeSet<PathBuf>>> = LazyLock::new(watch::Sender::default);

/// The longest wait for that before a folder is opened: threads end as soon as no function blocks them.
const LETTING_GO_MAX: Duration = Duration::from_secs(5);

/// Keeps an engine alive: dropped before it is shut down, it is abandoned.
pub(super) struct Life {
    /// Tells it to end in order, and hears how it did.
    orders: mpsc::UnboundedSender<oneshot::Sender<Ended>>,
    ended: watch::Receiver<Option<Problem>>,
    /// The true path of its data folder, if it has one.
    folder: Option<PathBuf>,
}

impl Drop for Life {
    fn drop(&mut self) {
        let Some(folder) = &self.folder else { return };
        LETTING_GO.send_if_modified(|folders| {
            // One that has ended before has let go of it, or is about to.
            self.ended.borrow().is_none() && folders.insert(folder.clone())
        });
    }
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
pub(super) async fn start(house: House, place: StoreLocation) -> Result<(Link, Life), Problem> {
    let failed = |why: String| Problem::new(Code::Internal, format!("the engine has no thread: {why}"));
    let (orders, ordered) = mpsc::unbounded_channel();
    let (ready, started) = oneshot::channel();
    let life = move || live(house, place, ready, ordered);
    let after = |end: End| {
        if let Some(folder) = end.folder {
            LETTING_GO.send_if_modified(|folders| folders.remove(&folder));
        }
        if let Some((reply, how)) = end.asked {
            // Whoever asked for it may have gone.
            let _ = reply.send(how);
        }
    };
    on_a_thread("reenact", life, after).map_err(|error| failed(error.to_string()))?;
    let (local, folder) = started.await.map_err(|_| failed("it ended at once".to_owned()))??;
    let ended = local.has_ended();
    Ok((Link::Here(local), Life { orders, ended, folder }))
}

/// An engine that was started, and the true path of its data folder, if it has one.
type Started = (Arc<Local>, Option<PathBuf>);

/// The end of an engine.
#[derive(Default)]
struct End {
    /// The data folder that it held.
    folder: Option<PathBuf>,
    /// The one who asked for it, and how it ended.
    asked: Option<(oneshot::Sender<Ended>, Ended)>,
}

/// The life of an engine.
async fn live(
    house: House,
    place: StoreLocation,
    ready: oneshot::Sender<Result<Started, Problem>>,
    mut ordered: mpsc::UnboundedReceiver<oneshot::Sender<Ended>>,
) -> End {
    let opened = match place {
        StoreLocation::Folder => {
            others_have_let_go(&house).await;
            house.take().await
        }
        StoreLocation::Store(store) => house.on(store).await,
    };
    let here = match opened {
        Ok(here) => here,
        Err(problem) => {
            // Without anybody who wants to know, it has ended all the same.
            let _ = ready.send(Err(problem));
            return End::default();
        }
    };
    here.facade().system().keep_driving();
    let folder = here.facade().data().map(Path::to_path_buf);
    let local = Local::new(Arc::clone(here.facade()));
    let ends = local.ender();
    if ready.send(Ok((local, folder.clone()))).is_err() {
        // Whoever started it has gone.
        here.abandon().await;
        ends.end(ended());
        return End::default();
    }
    let asked = tokio::select! {
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
    };
    End { folder, asked }
}

/// Ends when no engine of this process that was dropped holds that folder any more.
async fn others_have_let_go(house: &House) {
    let Ok(folder) = files::true_path(&house.data) else { return };
    let mut letting_go = LETTING_GO.subscribe();
    let free = letting_go.wait_for(|folders| !folders.contains(&folder));
    // If one takes too long, opening says who holds it.
    let _ = tokio::time::timeout(LETTING_GO_MAX, free).await;
}

/// Ends when the data folder is gone.
async fn folder_gone(here: &Here) -> Problem {
    here.is_gone().await;
    here.gone()
}
