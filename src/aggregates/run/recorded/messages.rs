//! What agents say and what comes of deliveries, as it is recorded.

use serde::{Deserialize, Serialize};

use super::{Source, Wanted, read, text, wanted, words};
use crate::aggregates::run::{Ask, Run};
use crate::events::codec::{self, CodecError};
use crate::events::ids::{Fence, MessageNumber, StepId};
use crate::events::json::{Json, Payload};
use crate::events::problem::{Class, Code};
use crate::kernel::{NotRecalled, Recording};
use crate::workflow::work::{Failure, Output};

#[derive(Serialize, Deserialize)]
struct Said {
    step: StepId,
    fence: Fence,
    message: Payload,
    asks: Option<u32>,
}

#[derive(Serialize, Deserialize)]
struct Handled {
    step: StepId,
    fence: Fence,
    number: MessageNumber,
}

#[derive(Serialize, Deserialize)]
struct Delivered {
    fence: Fence,
    answer: Payload,
    requests: Vec<Wanted>,
}

#[derive(Serialize, Deserialize)]
struct NotDelivered {
    fence: Fence,
    class: Class,
    code: Code,
    message: Payload,
}

type Form = Result<Vec<u8>, CodecError>;

pub(super) fn said(
    (step, fence): (StepId, Fence),
    message: Json,
    asks: Option<u32>,
    to: &mut Recording<'_, '_, Run>,
) -> Form {
    codec::to_bytes(&Said { step, fence, message: to.payload(message), asks })
}

pub(super) fn handled((step, fence): (StepId, Fence), number: MessageNumber) -> Form {
    codec::to_bytes(&Handled { step, fence, number })
}

pub(super) fn delivered(fence: Fence, output: Output, to: &mut Recording<'_, '_, Run>) -> Form {
    let Output { output, requests, .. } = output;
    let requests = requests.into_iter().map(|request| wanted(request, to)).collect();
    codec::to_bytes(&Delivered { fence, answer: to.payload(output), requests })
}

pub(super) fn not_delivered(fence: Fence, failure: Failure, to: &mut Recording<'_, '_, Run>) -> Form {
    let Failure { class, code, message, .. } = failure;
    codec::to_bytes(&NotDelivered { fence, class, code, message: words(&message, to) })
}

/// The command of that name that was recorded.
pub(super) fn recall(name: &str, from: &Source<'_>) -> Result<Ask, NotRecalled> {
    Ok(match name {
        "say" => {
            let Said { step, fence, message, asks } = read(from)?;
            Ask::Say { step, fence, message: from.blobs.json(&message)?, asks }
        }
        "message_handled" => {
            let Handled { step, fence, number } = read(from)?;
            Ask::Handled { step, fence, number }
        }
        "message_delivered" => {
            let Delivered { fence, answer, requests } = read(from)?;
            let requests = requests.into_iter().map(|wanted| wanted.recall(from));
            let (output, requests) = (from.blobs.json(&answer)?, requests.collect::<Result<_, _>>()?);
            Ask::Delivered { fence, output: Output { output, requests, ..Output::default() } }
        }
        _ => {
            let NotDelivered { fence, class, code, message } = read(from)?;
            let failure = Failure::new(code, text(&message, from)?).class(class);
            Ask::NotDelivered { fence, failure }
        }
    })
}
