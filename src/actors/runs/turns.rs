//! What a run wants of conversations that its steps go on with: it is read what is at hand of one, and what attempts asked and answered is
//! added. Tokens are counted here, and it is thought of what leaves the window, as for whoever else adds turns.

use std::sync::Arc;
use std::time::Duration;

use actix::Recipient;

use super::Runs;
use super::told::ToRun;
use crate::actors::blocking::blocking;
use crate::actors::conversations::{self, Spoken, Wanted};
use crate::actors::hosting::context::HostContext;
use crate::actors::hosting::load::load;
use crate::actors::hosting::messages::Tell;
use crate::aggregates::conversation::Conversation;
use crate::aggregates::conversation::at_hand::AtHand;
use crate::aggregates::run::{Adding, OfConversation, OfShared, Run, SharedEffectId};
use crate::events::decision::Causation;
use crate::events::ids::{ConversationName, Fence, RunId, StepId, StreamId, Version};
use crate::events::problem::{Code, Problem};
use crate::events::run::TurnToAdd;
use crate::kernel::Blobs;
use crate::kernel::core::Envelope;

/// How soon a conversation that has too much to do is asked again.
const AGAIN_AFTER: Duration = Duration::from_millis(20);

/// Reads what is at hand of a conversation, and tells the run.
pub(super) fn hear(
    context: &HostContext,
    host: Option<Recipient<Tell<ToRun>>>,
    step: StepId,
    conversation: ConversationName,
) {
    let store = Arc::clone(&context.store);
    actix::spawn(async move {
        let stream = StreamId::of_conversation(&conversation);
        let says = match load::<Conversation>(&*store, &stream).await {
            Ok((state, head)) => {
                let at_hand = Box::new(AtHand::of(&state, head.version));
                OfConversation::Heard { step: step.clone(), conversation, at_hand }
            }
            // Who drives the run next asks again.
            Err(problem) if problem.code == Code::ShuttingDown => return,
            Err(problem) => OfConversation::NotHeard { step: step.clone(), why: why(problem) },
        };
        tell(host, SharedEffectId::Hear(step), says).await;
    });
}

/// Adds to a conversation what an attempt asked and answered, and tells the run. Added again, it is added once.
pub(super) fn go_on(
    runs: &Arc<Runs>,
    host: Option<Recipient<Tell<ToRun>>>,
    (run, state): (&RunId, &Run),
    step: StepId,
    fence: Fence,
) {
    let Some(adding) = state.adding(fence) else { return };
    let effect = format!("turns/{fence}").into();
    let envelope = Envelope {
        id: Some(adding.id),
        causation: Some(Causation { stream: StreamId::of_run(run), effect }),
        // What a run of its own belongs to its parents know.
        correlation: state.parent().is_none().then(|| run.as_str().into()),
        asks: false,
    };
    let runs = Arc::downgrade(runs);
    actix::spawn(async move {
        let answer = loop {
            let Some(runs) = runs.upgrade() else { return };
            match added(&runs, &adding, &envelope).await {
                // Who drives the run next asks again.
                Err(problem) if problem.code == Code::ShuttingDown => return,
                Err(problem) if problem.code == Code::Busy => {}
                answer => break answer,
            }
            drop(runs);
            tokio::time::sleep(AGAIN_AFTER).await;
        };
        let says = OfConversation::Continued { step, fence, answer: answer.map_err(why) };
        tell(host, SharedEffectId::Continue(fence), says).await;
    });
}

async fn added(runs: &Arc<Runs>, adding: &Adding, envelope: &Envelope) -> Result<Version, Problem> {
    let stream = StreamId::of_conversation(&adding.added.conversation);
    let (library, added) = (Arc::clone(&runs.context().library), Arc::clone(&adding.added));
    let spoken = move || {
        let spoken = |turn: &TurnToAdd| {
            let blobs: &dyn Blobs = &*library;
            let text = blobs.json(&turn.content).map_err(|unreadable| unreadable.problem())?;
            let text = text.value().as_str().unwrap_or_default().into();
            Ok(Spoken { role: turn.role, name: turn.name.clone(), pinned: false, text })
        };
        added.turns.iter().map(spoken).collect::<Result<Vec<_>, Problem>>()
    };
    let turns = blocking(spoken).await??;
    // A step leaves the window as it is.
    let (state, _) = load::<Conversation>(&*runs.context().store, &stream).await?;
    let window = state.window().copied().unwrap_or(runs.window);
    let wanted = Wanted { turns, window, by: Arc::clone(&adding.by) };
    conversations::add(runs.hosting(), &stream, envelope, wanted).await
}

fn why(problem: Problem) -> (Code, String) {
    (problem.code, problem.message)
}

/// A host that has much to do, or is gone, asks again when it goes on.
async fn tell(host: Option<Recipient<Tell<ToRun>>>, effect: SharedEffectId, says: OfConversation) {
    if let Some(host) = host {
        let says = OfShared::Conversation(says);
        let _ = host.send(Tell(ToRun::Shared { effect, says })).await;
    }
}
