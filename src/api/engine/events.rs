//! What happens to a run, as it happens.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::Stream;
use futures_util::future::BoxFuture;
use tokio::sync::mpsc;

use super::link::Link;
use crate::api::protocol::{Frame, Request, Response};
use crate::events::ids::{RunId, Version};
use crate::events::problem::Problem;
use crate::views::presenters::history::HistoryLine;

/// How many events wait for who reads them: beyond it, no more are read.
const WAITING_MAX: usize = 64;

/// The events of a run: those that are durable, then each as it becomes so. It is a [`Stream`], and has `next` of its own for
/// programs without the traits of streams. It ends when the engine does: a run that has ended may be retried or undone.
pub struct Events {
    frames: mpsc::Receiver<Frame>,
    /// None when it was answered.
    asking: Option<BoxFuture<'static, Result<Response, Problem>>>,
}

impl Events {
    pub(super) fn new(link: Link, run: RunId, after: Version) -> Self {
        let (sender, frames) = mpsc::channel(WAITING_MAX);
        let asking = async move { link.ask(Request::Follow { run, after }, Some(sender)).await };
        Self { frames, asking: Some(Box::pin(asking)) }
    }

    /// The next event; none when there are no more.
    pub async fn next(&mut self) -> Option<Result<HistoryLine, Problem>> {
        std::future::poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }
}

impl Stream for Events {
    /// [`crate::events::problem::Code::UnknownRun`] when there is no such run, or why no more can be read.
    type Item = Result<HistoryLine, Problem>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Poll::Ready(Some(frame)) = self.frames.poll_recv(context) {
                match frame {
                    Frame::Event(line) => return Poll::Ready(Some(Ok(*line))),
                    _ => continue,
                }
            }
            let Some(asking) = &mut self.asking else { return Poll::Ready(None) };
            match asking.as_mut().poll(context) {
                Poll::Ready(answer) => {
                    self.asking = None;
                    match answer {
                        // What it had sent before is still to be read.
                        Ok(_) => continue,
                        Err(problem) => return Poll::Ready(Some(Err(problem))),
                    }
                }
                // It may have sent something just now.
                Poll::Pending if !self.frames.is_empty() => continue,
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}
