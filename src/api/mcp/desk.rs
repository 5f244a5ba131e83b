//! Where the requests of a client are answered, each by asking whoever holds the store; and the runs that go on for it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

use futures_util::future::LocalBoxFuture;
use tokio::sync::mpsc;

use super::way::{Way, Ways};
use crate::api::door::{Door, NoAnswer};
use crate::api::folder::is_store;
use crate::api::house::House;
use crate::api::patience::{ASKED_LONG, Patience};
use crate::api::protocol::{Frame, Request, Response, Tells};
use crate::api::wording::{Call, Worded};
use crate::events::ids::{RunId, StreamId};
use crate::events::problem::{Code, Problem};
use crate::views::presenters::report::RunReport;

/// How many runs that have not ended go on for one client. One at rest makes room for another.
const RUNS_MAX: usize = 256;

/// Where requests are answered.
pub(super) struct Desk {
    ways: Ways,
    /// How commands are called that are named.
    pub(super) call: Call,
    /// The runs that go on for the client and have not ended, as far as is known; each with what wakes it.
    driven: RefCell<HashMap<RunId, Driven>>,
    drives: mpsc::UnboundedSender<LocalBoxFuture<'static, ()>>,
}

/// A run that goes on for the client.
struct Driven {
    /// Lets it go on once more.
    wake: mpsc::Sender<()>,
    rests: bool,
}

impl Desk {
    pub(super) fn new(
        house: House,
        call: Call,
        leave: mpsc::UnboundedSender<Door>,
        drives: mpsc::UnboundedSender<LocalBoxFuture<'static, ()>>,
    ) -> Self {
        Self { ways: Ways::new(house, leave), call, driven: RefCell::default(), drives }
    }

    /// The data folder, and how it is held.
    pub(super) const fn house(&self) -> &House {
        &self.ways.house
    }

    /// Whether there is a store. Where there is none, none is made to find out that nothing is in it.
    pub(super) fn has_store(&self) -> bool {
        is_store(&self.house().data)
    }

    /// The current folder, which relative paths mean.
    pub(super) fn folder(&self) -> PathBuf {
        self.house().work_folder.clone()
    }

    /// Opens the way to the store. As long as it is not dropped, what this process holds it goes on to hold.
    pub(super) async fn open(&self, looks: bool) -> Result<Way, Problem> {
        self.ways.open(looks).await
    }

    /// Asks until somebody answers, opening the way as often as its holder goes.
    pub(super) async fn ask(
        &self,
        request: &Request,
        show: &mut dyn FnMut(Frame),
    ) -> Result<Response, Problem> {
        let looks = request.only_looks();
        let mut patience = Patience::default();
        let mut way = self.open(looks).await?;
        loop {
            let since = Instant::now();
            match way.ask(request, show).await {
                Ok(response) => return Ok(response),
                Err(NoAnswer::Problem(problem))
                    if looks && problem.code == Code::StoreFailed && !way.is_to_copy() =>
                {
                    drop(way);
                    way = self.ways.open_to_look().await?;
                }
                Err(NoAnswer::Problem(problem)) if !is_closing(&way, &problem) => return Err(problem),
                Err(again) => {
                    if since.elapsed() >= ASKED_LONG {
                        patience = Patience::default();
                    }
                    let holder = way.holder();
                    drop(way);
                    // This process hangs up only when it lets go of the store, and takes it again.
                    let hung_up = matches!(again, NoAnswer::Gone) && holder != own_number();
                    if let Some(pause) = patience.again(holder, hung_up)? {
                        tokio::time::sleep(pause).await;
                    }
                    way = self.open(looks).await?;
                }
            }
        }
    }

    /// Problems as they are told.
    pub(super) fn worded(&self, mut problems: Vec<Problem>) -> Vec<Problem> {
        problems.iter_mut().for_each(|problem| problem.word(&self.call));
        problems
    }

    /// One run as it is now.
    pub(super) async fn report(&self, run: &str) -> Result<RunReport, Problem> {
        match self.ask(&Request::Report { run: run.to_owned() }, &mut |_| {}).await? {
            Response::Report(report) => Ok(*report),
            other => Err(other.mismatch()),
        }
    }

    /// One run as soon as nothing of it goes on, or as it is when the time is over.
    pub(super) async fn rested(&self, run: &str, wait: Duration) -> Result<RunReport, Problem> {
        let watch = Request::Watch { run: run.to_owned(), inputs: false };
        match tokio::time::timeout(wait, self.ask(&watch, &mut |_| {})).await {
            Ok(Ok(Response::Report(report))) => Ok(*report),
            Ok(Ok(other)) => Err(other.mismatch()),
            Ok(Err(problem)) => Err(problem),
            Err(_) => self.report(run).await,
        }
    }

    /// Whether a run goes on for the client, or did until it came to rest.
    pub(super) fn drives(&self, run: &RunId) -> bool {
        self.driven.borrow().contains_key(run)
    }

    /// Whether one more run may go on.
    ///
    /// # Errors
    /// [`Code::Busy`] when none may.
    pub(super) fn check_room(&self) -> Result<(), Problem> {
        let driven = self.driven.borrow();
        if driven.len() < RUNS_MAX || driven.values().any(|driven| driven.rests) {
            return Ok(());
        }
        let message = format!("{RUNS_MAX} runs go on for this client already");
        Err(Problem::new(Code::Busy, message).hint("wait until one of them has ended"))
    }

    /// Lets a run go on, now and whenever the client answers what it waits for.
    ///
    /// # Errors
    /// [`Code::Busy`] when too many do.
    pub(super) fn drive(self: &Rc<Self>, run: &RunId, way: Way) -> Result<(), Problem> {
        if let Some(driven) = self.driven.borrow().get(run) {
            // If it is full already, it goes on once more anyway.
            let _ = driven.wake.try_send(());
            return Ok(());
        }
        self.check_room()?;
        let mut driven = self.driven.borrow_mut();
        if driven.len() >= RUNS_MAX {
            let rests = driven.iter().find(|(_, driven)| driven.rests).map(|(run, _)| run.clone());
            rests.and_then(|run| driven.remove(&run));
        }
        let (wake, woken) = mpsc::channel(1);
        driven.insert(run.clone(), Driven { wake, rests: false });
        let drive = Rc::clone(self).see_through(run.clone(), woken, way);
        // Where nobody takes it the server is ending.
        let _ = self.drives.send(Box::pin(drive));
        Ok(())
    }

    /// Sees a run through, as often as it is woken, until it has ended. The store is held meanwhile only while it goes on.
    async fn see_through(self: Rc<Self>, run: RunId, mut woken: mpsc::Receiver<()>, way: Way) {
        let mut way = Some(way);
        let request =
            Request::See { run: run.clone(), live: false, told: None, tells: Tells::default(), hears: None };
        loop {
            let seen = self.ask(&request, &mut |_| {}).await;
            way.take();
            match seen {
                Ok(Response::Report(report)) if !report.status.has_ended() => {}
                Ok(_) => break,
                Err(problem) => {
                    tracing::warn!(%run, code = %problem.code, message = problem.message, "a run does not go on");
                    break;
                }
            }
            self.note(&run, true);
            if woken.recv().await.is_none() {
                return;
            }
            self.note(&run, false);
        }
        self.driven.borrow_mut().remove(&run);
    }

    fn note(&self, run: &RunId, rests: bool) {
        if let Some(driven) = self.driven.borrow_mut().get_mut(run) {
            driven.rests = rests;
        }
    }
}

/// The name of just that run.
pub(super) fn whole(run: &RunId) -> String {
    StreamId::of_run(run).to_string()
}

/// Whether that is a problem because this process lets go of the store just now, which it was asked for through its own socket.
/// If it is not, whoever holds the store next has it as well.
fn is_closing(way: &Way, problem: &Problem) -> bool {
    way.holder() == own_number()
        && way.holder().is_some()
        && matches!(problem.code, Code::StoreFailed | Code::StoreDamaged | Code::StoreUnreadable)
}

fn own_number() -> Option<i32> {
    i32::try_from(std::process::id()).ok()
}
