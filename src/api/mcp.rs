//! A server of the Model Context Protocol (MCP), by which an assistant starts and watches runs, takes tasks, answers what runs
//! ask, and finds out what happened. It asks the same facade that answers the command line.
//!
//! - `server`: what clients ask by that protocol
//! - `tools`: the tools, what each takes, and what it does; `resources`: what can be read
//! - `answer`: what they answer, within a bound
//! - `job`: what is asked, on its way there; `desk`: where it is answered, and the runs that go on for the client
//! - `way`: the store, for one request or for several at once
//! - `pipes`: the two streams that it speaks on

mod answer;
mod desk;
mod job;
mod pipes;
mod resources;
mod server;
mod tools;
mod way;

use std::io::{Read, Write};
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::LocalBoxFuture;
use futures_util::stream::FuturesUnordered;
use rmcp::service::{ServerInitializeError, serve_server};
use rmcp::transport::async_rw::AsyncRwTransport;
use tokio::sync::{mpsc, watch};

use super::door::Door;
use super::house::House;
use super::wording::Call;
use crate::events::problem::{Code, Problem};
use desk::Desk;
use job::Job;
use pipes::Pipes;
use server::{REQUESTS_MAX, Server};

/// The longest message of a client, in bytes: one with an answer to a task, as long as one may be, fits in. What is longer is left
/// out, and said in the log.
const MESSAGE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// How long another process that holds the store is waited for at the end: it may wait itself, for a task say.
const INTERRUPTED: Duration = Duration::from_secs(2);

/// How a server ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Its client has gone.
    Closed,
    /// A signal came.
    Signalled,
}

/// How far it is with ending.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    /// It answers.
    Open,
    /// It lets go of what it drives; attempts get a grace.
    Ending,
    /// The grace is over.
    Hurried,
}

/// Everything that is done for the client at the moment.
type Work = FuturesUnordered<LocalBoxFuture<'static, ()>>;

/// Answers a client that speaks on these streams, until it has gone or a signal came. Then the runs that go on for it are
/// interrupted, and can be resumed; a second signal ends the grace of their attempts.
///
/// It holds the store only as long as something is asked of it, or a run goes on for the client. Needs what actors need.
///
/// # Errors
/// [`Code::NoClient`] when what comes is not how a client begins; when the store could not be closed.
pub async fn serve(
    house: House,
    call: Call,
    (input, output): (impl Read + Send + 'static, impl Write + Send + 'static),
    mut signalled: impl AsyncFnMut(),
) -> Result<End, Problem> {
    let Pipes { reader, writer, written } = Pipes::open(input, output)?;
    let transport = AsyncRwTransport::new_server(reader, writer).with_max_line_length(MESSAGE_BYTES_MAX);
    let (asked, mut jobs) = mpsc::channel::<Job>(REQUESTS_MAX);
    // Of both there are no more than requests and runs, which are bounded; who drops a door cannot wait.
    let (leave, mut left) = mpsc::unbounded_channel::<Door>();
    let (drive, mut drives) = mpsc::unbounded_channel();
    let (stage, told) = watch::channel(Stage::Open);
    let server = Server::new(asked, call.clone());
    let desk = Rc::new(Desk::new(house, call, leave, drive));
    let (mut work, mut leaving) = (Work::new(), Leaving::new());
    let ended = {
        let mut serving = pin!(served(server, transport));
        loop {
            tokio::select! {
                Some(job) = jobs.recv() => work.push(Box::pin(job.perform(Rc::clone(&desk)))),
                Some(drive) = drives.recv() => work.push(drive),
                Some(door) = left.recv() => leaving.push(Box::pin(leave_by(door, told.clone()))),
                Some(()) = work.next() => {}
                Some(how) = leaving.next() => tell_of_failure(how),
                served = &mut serving => break served.map(|()| End::Closed),
                () = signalled() => break Ok(End::Signalled),
            }
        }
    };
    stage.send_replace(Stage::Ending);
    // With the last of them all doors are on their way out.
    drop((work, drives, jobs, desk));
    let how = let_go(leaving, left, &told, async {
        signalled().await;
        stage.send_replace(Stage::Hurried);
    });
    how.await?;
    written.wait().await;
    ended
}

async fn served(
    server: Server,
    transport: AsyncRwTransport<rmcp::RoleServer, tokio::net::UnixStream, tokio::net::UnixStream>,
) -> Result<(), Problem> {
    let running = match serve_server(server, transport).await {
        Ok(running) => running,
        Err(ServerInitializeError::ConnectionClosed(_)) => return Ok(()),
        Err(error) => {
            tracing::debug!(%error, "no client began");
            let message = "what came on stdin is not how a client of MCP begins";
            return Err(Problem::new(Code::NoClient, message));
        }
    };
    let ended = running.waiting().await;
    ended.map(drop).map_err(|panic| Problem::new(Code::Internal, format!("the server failed: {panic}")))
}

/// Doors that are being left.
type Leaving = FuturesUnordered<LocalBoxFuture<'static, Result<(), Problem>>>;

/// Leaves a door: as a command does that has its answer, or as one that was interrupted.
async fn leave_by(door: Door, mut told: watch::Receiver<Stage>) -> Result<(), Problem> {
    let stage = *told.borrow_and_update();
    let hurry = async move {
        // An error means that nobody is left to tell.
        let _ = told.wait_for(|now| *now > stage).await;
    };
    match (stage, door) {
        (Stage::Open, door) => door.leave(hurry).await,
        (_, here @ Door::Here(_)) => here.interrupt(hurry).await,
        // It interrupts what it was asked for, whether or not that is waited for.
        (_, there @ Door::There(_)) => {
            let told = tokio::time::timeout(INTERRUPTED, there.interrupt(hurry)).await;
            told.unwrap_or(Ok(()))
        }
    }
}

/// Lets go of everything, however often somebody wants that to be quicker.
async fn let_go(
    mut leaving: Leaving,
    mut left: mpsc::UnboundedReceiver<Door>,
    told: &watch::Receiver<Stage>,
    hurried: impl Future<Output = ()>,
) -> Result<(), Problem> {
    let (mut hurried, mut is_hurried, mut how) = (pin!(hurried), false, Ok(()));
    loop {
        tokio::select! {
            door = left.recv() => match door {
                Some(door) => leaving.push(Box::pin(leave_by(door, told.clone()))),
                None => break,
            },
            Some(left) = leaving.next() => how = how.and(left),
            () = &mut hurried, if !is_hurried => is_hurried = true,
        }
    }
    while !leaving.is_empty() {
        tokio::select! {
            Some(left) = leaving.next() => how = how.and(left),
            () = &mut hurried, if !is_hurried => is_hurried = true,
        }
    }
    how
}

/// What was answered was answered: that the store could not be closed as it should is for the log.
fn tell_of_failure(how: Result<(), Problem>) {
    if let Err(problem) = how {
        tracing::warn!(code = %problem.code, message = problem.message, "the store could not be left in order");
    }
}
