//! Something that a client asks, on its way from the protocol to the desk.

use std::rc::Rc;

use tokio::sync::oneshot;

use super::answer::{Answer, Failed};
use super::desk::Desk;
use super::resources;
use super::tools::{self, Asked};

/// Something that a client asks.
pub(super) struct Job {
    pub(super) wants: Wants,
    /// The name in which it asks.
    pub(super) by: String,
    /// Closed when nobody waits for it any more.
    pub(super) reply: oneshot::Sender<Result<Answer, Failed>>,
}

/// The thing that it asks for.
pub(super) enum Wants {
    /// What a tool does.
    Tool(Box<Asked>),
    /// What a resource says.
    Resource(resources::Name),
}

impl Job {
    /// Answers, unless nobody waits for it any more.
    pub(super) async fn perform(self, desk: Rc<Desk>) {
        let Self { wants, by, mut reply } = self;
        let answer = async {
            match wants {
                Wants::Tool(asked) => tools::perform(&desk, *asked, &by).await,
                Wants::Resource(name) => resources::read(&desk, name).await,
            }
        };
        let answer = tokio::select! {
            answer = answer => answer,
            () = reply.closed() => return,
        };
        // It may have gone just now.
        let _ = reply.send(answer);
    }
}
