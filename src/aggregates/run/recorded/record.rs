//! What is recorded of a command that was decided.

use std::sync::Arc;

use super::*;
use crate::aggregates::run::kin::{ChildSays, EndedChild, ForParent, OfChild, Wants};
use crate::aggregates::run::{Raise, StartRun};
use crate::events::codec::CodecError;
use crate::events::decision::Form;
use crate::events::json::Json;
use crate::kernel::Recording;
use crate::workflow::work::Child;

/// Makes the recorded form of a command: see [`crate::kernel::Aggregate::record`].
pub(in crate::aggregates::run) fn record(
    ask: Ask,
    to: &mut Recording<'_, '_, Run>,
) -> Result<Option<Form>, CodecError> {
    let payload = match ask {
        Ask::Start(start) => codec::to_bytes(&Start::from(&*start)),
        Ask::ForParent(asked) => codec::to_bytes(&for_parent(*asked)),
        Ask::OfChild(tidings) => codec::to_bytes(&of_child(*tidings, to)),
        Ask::NoChild { step, fence } => codec::to_bytes(&NoChild { step, fence }),
        Ask::ParentTold { version } => codec::to_bytes(&version),
        Ask::OfShared(says) => shared::form_of(*says, to),
        Ask::OfTask(asked) => tasks::form_of(*asked, to),
        Ask::Say { step, fence, message, asks } => messages::said((step, fence), message, asks, to),
        Ask::Handled { step, fence, number } => messages::handled((step, fence), number),
        Ask::Delivered { fence, output } => messages::delivered(fence, output, to),
        Ask::NotDelivered { fence, failure } => messages::not_delivered(fence, failure, to),
        Ask::ReturnRefused { reason } => codec::to_bytes(&ReturnRefused { reason: words(&reason, to) }),
        Ask::Completed { step, fence, output } => {
            return results::completed((step, fence), output, to).map(Some);
        }
        Ask::Failed { step, fence, failure } => return results::failed((step, fence), failure, to).map(Some),
        Ask::Due { timer } => codec::to_bytes(&timer),
        Ask::Recover { in_flight } => codec::to_bytes(&in_flight),
        Ask::Interrupt | Ask::Go => Ok(Vec::new()),
        Ask::AgentPaused { agent } | Ask::AgentFree { agent } => codec::to_bytes(&agent),
        Ask::Pause(order) | Ask::Unpause(order) => codec::to_bytes(&Wish { reason: reason(order, to) }),
        Ask::PauseAfter { order, until } => codec::to_bytes(&WishUntil { reason: reason(order, to), until }),
        Ask::Cancel { order, rollback } => codec::to_bytes(&Cancel { reason: reason(order, to), rollback }),
        Ask::Retry { order, step } | Ask::Rollback { order, to: step } => {
            codec::to_bytes(&WishFor { reason: reason(order, to), step })
        }
        Ask::Approve { request, by: _, note, edits, hash } => codec::to_bytes(&Approve {
            request,
            note: note.map(|note| words(&note, to)),
            edits: edits.map(|edits| to.payload(Json::of(&edits).unwrap_or_default())),
            hash,
        }),
        Ask::Reject { request, by: _, reason } => {
            codec::to_bytes(&Reject { request, reason: words(&reason, to) })
        }
        Ask::Check { request, by: _, points } => codec::to_bytes(&Check { request, points }),
        Ask::Signal { name, data, by: _ } => codec::to_bytes(&signal(name, data, to)),
        Ask::RaiseBudget(raise) => {
            let Raise { limits, by: _, reason } = *raise;
            codec::to_bytes(&RaiseBudget { limits, reason: reason.map(|reason| words(&reason, to)) })
        }
        Ask::Resend { number, by: _ } => codec::to_bytes(&number),
        Ask::Resolve { by: _, reason, step, how } => {
            codec::to_bytes(&Resolve { reason: words(&reason, to), step, how })
        }
    };
    Ok(Some(Form { schema: SCHEMA, payload: payload? }))
}

impl From<&StartRun> for Start {
    fn from(start: &StartRun) -> Self {
        Self {
            insists_on_parallel: start.insists.parallel,
            insists_on_duration_limit: start.insists.duration_limit,
            drive: start.drive,
        }
    }
}

fn for_parent(ForParent { parent, wants }: ForParent) -> ForTheParent {
    let wants = match wants {
        Wants::Done { start, told } => WantsOf::Done { start: Start::from(&*start), told },
        Wants::Undone { told } => WantsOf::Undone { told },
        Wants::Cancelled { rollback } => WantsOf::Cancelled { rollback },
        Wants::Answered { granted } => WantsOf::Answered { granted },
    };
    ForTheParent { parent, wants }
}

fn of_child(OfChild { run, step, says }: OfChild, to: &mut Recording<'_, '_, Run>) -> OfTheChild {
    let says = match says {
        ChildSays::Rests(version) => SaysIt::Rests(version),
        ChildSays::Goes(version) => SaysIt::Goes(version),
        ChildSays::AsksReturn => SaysIt::AsksReturn,
        ChildSays::Ended(ended) => {
            let EndedChild { seen, output, failure } = *ended;
            let is_told = told(to.events()).is_some_and(|(_, said, ..)| to.is(said, &output));
            SaysIt::Ended {
                seen: seen.into(),
                output: (!is_told).then(|| to.payload(output)),
                failure: failure.map(|(class, message)| (class, words(&message, to))),
            }
        }
    };
    OfTheChild { run, step, says }
}

fn reason(order: Order, to: &mut Recording<'_, '_, Run>) -> Option<Payload> {
    order.reason.map(|reason| words(&reason, to))
}

fn signal(name: Arc<str>, data: Json, to: &mut Recording<'_, '_, Run>) -> Signal {
    let told = told_signal(to.events());
    let is_told = told.is_some_and(|said| to.is(said, &data));
    Signal { name, data: (!is_told).then(|| to.payload(data)) }
}

impl From<Child> for ChildSeen {
    fn from(Child { status, version, past_return, degraded }: Child) -> Self {
        Self { status: status.text().into(), version, past_return, degraded }
    }
}
