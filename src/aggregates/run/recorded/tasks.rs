//! What somebody outside wants of a task, as it is recorded.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Source, read, text, told, words};
use crate::aggregates::run::task::{OfTask, TaskDoes};
use crate::aggregates::run::{Ask, Run};
use crate::events::codec::{self, CodecError};
use crate::events::ids::Fence;
use crate::events::json::Payload;
use crate::events::problem::Class;
use crate::events::time::micros;
use crate::kernel::{NotRecalled, Recording};

#[derive(Serialize, Deserialize)]
struct Take {
    fence: Fence,
    length_us: u64,
}

#[derive(Serialize, Deserialize)]
struct Complete {
    fence: Fence,
    lease: u32,
    /// None if the first event that says that a step completed, or was compensated, says it.
    answer: Option<Payload>,
}

#[derive(Serialize, Deserialize)]
struct Fail {
    fence: Fence,
    lease: u32,
    /// As it was said, which a policy may judge otherwise.
    class: Class,
    reason: Payload,
}

#[derive(Serialize, Deserialize)]
struct Heartbeat {
    fence: Fence,
    lease: u32,
    length_us: u64,
    percent: Option<u8>,
    text: Option<String>,
}

pub(super) fn form_of(asked: OfTask, to: &mut Recording<'_, '_, Run>) -> Result<Vec<u8>, CodecError> {
    let OfTask { fence, by: _, does } = asked;
    match does {
        TaskDoes::Take { length } => codec::to_bytes(&Take { fence, length_us: micros(length) }),
        TaskDoes::Complete { lease, answer } => {
            let is_told = told(to.events()).is_some_and(|(_, output, ..)| to.is(output, &answer));
            let answer = (!is_told).then(|| to.payload(answer));
            codec::to_bytes(&Complete { fence, lease, answer })
        }
        TaskDoes::Fail { lease, class, reason } => {
            codec::to_bytes(&Fail { fence, lease, class, reason: words(&reason, to) })
        }
        TaskDoes::Heartbeat { lease, length, percent, text } => {
            codec::to_bytes(&Heartbeat { fence, lease, length_us: micros(length), percent, text })
        }
    }
}

/// The command of that name that was recorded, which that person or program asked.
pub(super) fn recall(name: &str, by: Arc<str>, from: &Source<'_>) -> Result<Ask, NotRecalled> {
    let (fence, does) = match name {
        "task_take" => {
            let Take { fence, length_us } = read(from)?;
            (fence, TaskDoes::Take { length: Duration::from_micros(length_us) })
        }
        "task_complete" => {
            let Complete { fence, lease, answer } = read(from)?;
            let said = answer.as_ref().or_else(|| told(from.events).map(|(_, output, ..)| output));
            let said = said.ok_or_else(|| from.broken("no event says what the task was answered"))?;
            (fence, TaskDoes::Complete { lease, answer: from.blobs.json(said)? })
        }
        "task_fail" => {
            let Fail { fence, lease, class, reason } = read(from)?;
            (fence, TaskDoes::Fail { lease, class, reason: text(&reason, from)? })
        }
        _ => {
            let Heartbeat { fence, lease, length_us, percent, text } = read(from)?;
            let length = Duration::from_micros(length_us);
            (fence, TaskDoes::Heartbeat { lease, length, percent, text })
        }
    };
    Ok(Ask::OfTask(Box::new(OfTask { fence, by, does })))
}
