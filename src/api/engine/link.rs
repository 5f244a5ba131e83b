//! The way to whoever holds a store: an engine of this process, or another process.

use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock};
use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};

use super::ended;
use crate::actors::agents::communicator::Communicator;
use crate::api::door::NoAnswer;
use crate::api::facade::{Facade, Frames};
use crate::api::house::House;
use crate::api::protocol::{Frame, Request, Response};
use crate::api::spec::RunSpec;
use crate::events::problem::{Code, Problem};

/// The way to whoever answers.
#[derive(Clone)]
pub(super) enum Link {
    /// An engine of this process.
    Here(Arc<Local>),
    /// The process that holds this house.
    There(Arc<House>),
}

impl Link {
    /// Asks, and sends every frame before the answer to who wants them.
    ///
    /// # Errors
    /// Why there is no answer.
    pub(super) async fn ask(&self, request: Request, frames: Option<Frames>) -> Result<Response, Problem> {
        match self {
            Self::Here(local) => {
                let facade = local.facade()?;
                let frames = frames.unwrap_or_else(|| local.nobody.clone());
                local.within(async move { facade.answer(request, &frames).await }).await
            }
            Self::There(house) => ask_there(house, &request, frames).await.map_err(|why| match why {
                NoAnswer::Problem(problem) => problem,
                NoAnswer::Ending => Problem::new(Code::ShuttingDown, "who holds the store is ending"),
                NoAnswer::Gone => {
                    let message = format!("nobody answers in {}", house.data.display());
                    Problem::new(Code::StoreNotHeld, message)
                }
            }),
        }
    }

    /// The agents of an engine of this process; none of another's.
    ///
    /// # Errors
    /// When the engine has ended.
    pub(super) fn agents(&self) -> Result<Option<Arc<Communicator>>, Problem> {
        let Self::Here(local) = self else { return Ok(None) };
        Ok(Some(Arc::clone(local.facade()?.system().live().agents())))
    }

    /// Does something with an engine of this process, unless it ends before that.
    pub(super) async fn within<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, Problem>> + Send + 'static,
    ) -> Result<T, Problem> {
        match self {
            Self::Here(local) => local.within(work).await,
            Self::There(_) => work.await,
        }
    }

    /// Reads and checks what a run is started with; what another process holds is read there.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub(super) async fn resolve(&self, spec: RunSpec) -> Result<RunSpec, Vec<Problem>> {
        let Self::Here(local) = self else { return Ok(spec) };
        let facade = local.facade().map_err(|problem| vec![problem])?;
        let resolving = async move { Ok(facade.resolve_spec(spec).await) };
        local.within(resolving).await.unwrap_or_else(|problem| Err(vec![problem]))
    }
}

async fn ask_there(house: &House, request: &Request, frames: Option<Frames>) -> Result<Response, NoAnswer> {
    let mut client = house.connect().await?;
    client.ask(request).await?;
    loop {
        match client.frame().await? {
            Frame::Response(answer) => return Ok(answer),
            Frame::Problem(problem) => return Err(problem.into()),
            frame => {
                if let Some(frames) = &frames {
                    // Whoever wanted them may have gone; the answer comes all the same.
                    let _ = frames.send(frame).await;
                }
            }
        }
    }
}

/// An engine that lives on another thread of this process.
///
/// What it is asked is answered on the thread that asks: another thread would have to be woken for each question, and for
/// each answer. Timers and reads from disk are the engine's own all the same, so who asks needs no runtime.
pub(super) struct Local {
    /// None when it has ended. While somebody reads this, the engine's runtime does not go away.
    facade: RwLock<Option<Arc<Facade>>>,
    runtime: Handle,
    /// Why it has ended, if it has.
    ended: watch::Sender<Option<Problem>>,
    /// Frames that nobody wants.
    nobody: Frames,
}

impl Local {
    /// The engine of that facade, which lives on this thread.
    pub(super) fn new(facade: Arc<Facade>) -> Arc<Self> {
        let (nobody, _) = mpsc::channel(1);
        let (facade, runtime) = (RwLock::new(Some(facade)), Handle::current());
        Arc::new(Self { facade, runtime, ended: watch::Sender::new(None), nobody })
    }

    /// Why it has ended, as soon as it has.
    pub(super) fn has_ended(&self) -> watch::Receiver<Option<Problem>> {
        self.ended.subscribe()
    }

    /// A value that ends it for all who ask it, held by the thread of the engine.
    pub(super) fn ender(self: &Arc<Self>) -> Ender {
        Ender(Arc::clone(self))
    }

    pub(super) fn facade(&self) -> Result<Arc<Facade>, Problem> {
        let facade = self.facade.read().unwrap_or_else(PoisonError::into_inner);
        facade.clone().ok_or_else(|| self.why())
    }

    fn why(&self) -> Problem {
        self.ended.borrow().clone().unwrap_or_else(ended)
    }

    /// Does something with the engine, unless it ends before that.
    fn within<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl Future<Output = Result<T, Problem>> + Send + 'static,
    ) -> Within<T> {
        let (mut has_ended, local) = (self.has_ended(), Arc::clone(self));
        let work = async move {
            tokio::select! {
                biased;
                why = has_ended.wait_for(Option::is_some) => {
                    Err(why.ok().and_then(|why| why.clone()).unwrap_or_else(ended))
                }
                done = work => done,
            }
        };
        Within { local, work: Some(Box::pin(work)) }
    }
}

/// Ends an engine for all who ask it.
pub(super) struct Ender(Arc<Local>);

impl Ender {
    /// Tells whoever waits for it why it ends.
    pub(super) fn announce(&self, why: Problem) {
        self.0.ended.send_if_modified(|ended| match ended {
            Some(_) => false,
            None => {
                *ended = Some(why);
                true
            }
        });
    }

    /// From here on nobody does anything with it: its runtime may go away.
    pub(super) fn end(self, why: Problem) {
        self.announce(why);
        self.0.facade.write().unwrap_or_else(PoisonError::into_inner).take();
    }
}

/// Something that is done with an engine: within its runtime, and not after its end.
pub(super) struct Within<T> {
    local: Arc<Local>,
    work: Option<BoxFuture<'static, Result<T, Problem>>>,
}

impl<T> Future for Within<T> {
    type Output = Result<T, Problem>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { local, work } = &mut *self;
        // Held until it was polled: meanwhile the runtime does not go away.
        let facade = local.facade.read().unwrap_or_else(PoisonError::into_inner);
        let Some(working) = work.as_mut().filter(|_| facade.is_some()) else {
            drop(facade);
            *work = None;
            return Poll::Ready(Err(local.why()));
        };
        let _within = local.runtime.enter();
        let polled = working.as_mut().poll(context);
        if polled.is_ready() {
            *work = None;
        }
        polled
    }
}
